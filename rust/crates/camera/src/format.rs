//! The V4L2 codes of the pixel formats (kernel, `Documentation/userspace-api/media/v4l/pixfmt*.rst`).

use edgeai_config::{Arrangement, Camera, PixelFormat};
use std::fmt;

/// Every code that can be taken. Of two for one format the first is preferred.
const CODES: [(&[u8; 4], PixelFormat, Arrangement); 13] = {
    use Arrangement::{Contiguous, Separate};
    use PixelFormat::{Bgr24, Grey, Mjpeg, Nv12, Nv21, Rgb24, Uyvy, Yu12, Yuyv};
    [
        (b"NV12", Nv12, Contiguous),
        (b"NM12", Nv12, Separate),
        (b"YUYV", Yuyv, Contiguous),
        (b"UYVY", Uyvy, Contiguous),
        (b"NV21", Nv21, Contiguous),
        (b"NM21", Nv21, Separate),
        (b"YU12", Yu12, Contiguous),
        (b"YM12", Yu12, Separate),
        (b"RGB3", Rgb24, Contiguous),
        (b"BGR3", Bgr24, Contiguous),
        (b"MJPG", Mjpeg, Contiguous),
        (b"JPEG", Mjpeg, Contiguous),
        (b"GREY", Grey, Contiguous),
    ]
};

/// What a V4L2 code means; `None` for one that cannot be taken.
pub fn known(code: u32) -> Option<(PixelFormat, Arrangement)> {
    CODES
        .iter()
        .find(|(letters, ..)| u32::from_le_bytes(**letters) == code)
        .map(|&(_, format, arrangement)| (format, arrangement))
}

/// What a camera is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    pub format: Option<PixelFormat>,
    pub planes: Option<Arrangement>,
}

impl Wanted {
    pub fn by(asked: &Camera) -> Self {
        Self {
            format: asked.format,
            planes: asked.planes,
        }
    }

    /// This format, wherever its planes lie.
    pub fn format(format: PixelFormat) -> Self {
        Self {
            format: Some(format),
            planes: None,
        }
    }

    /// Whether a V4L2 code is that.
    pub fn fits(self, code: u32) -> bool {
        known(code).is_some_and(|(format, planes)| {
            self.format.is_none_or(|wanted| wanted == format)
                && self.planes.is_none_or(|wanted| wanted == planes)
        })
    }

    /// The codes that are, the preferred one first.
    pub fn codes(self) -> impl Iterator<Item = u32> {
        let codes = CODES.iter().map(|(code, ..)| u32::from_le_bytes(**code));
        codes.filter(move |&code| self.fits(code))
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.format.map_or("any", PixelFormat::name))?;
        f.write_str(match self.planes {
            None => "",
            Some(Arrangement::Contiguous) => " in one buffer",
            Some(Arrangement::Separate) => " in separate planes",
        })
    }
}

/// Order of preference among formats that reach the same size and rate: the cheapest to preprocess
/// first. NV12 has the fewest bytes that still are in few planes; a JPEG must be decoded first.
/// GREY is last because it has lost what most models look at.
pub fn rank(code: u32) -> usize {
    let letters = code.to_le_bytes();
    CODES
        .iter()
        .position(|(of, ..)| **of == letters)
        .unwrap_or(CODES.len())
}

/// A V4L2 code for people; bit 31 marks big-endian formats.
pub fn name(code: u32) -> String {
    let letters = (code & 0x7fff_ffff).to_le_bytes();
    let mut name: String = letters.iter().map(|&byte| char::from(byte)).collect();
    name.truncate(name.trim_end().len());
    if code >> 31 == 1 {
        name.push_str("-BE");
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_named_as_v4l2_names_them() {
        let yuyv = u32::from_le_bytes(*b"YUYV");
        assert_eq!(name(yuyv), "YUYV");
        assert_eq!(name(u32::from_le_bytes(*b"Y16 ") | 1 << 31), "Y16-BE");
    }

    #[test]
    fn contiguous_memory_is_preferred_to_separate() {
        let names =
            |format, planes| -> Vec<_> { Wanted { format, planes }.codes().map(name).collect() };
        let nv12 = Some(PixelFormat::Nv12);
        assert_eq!(names(nv12, None), ["NV12", "NM12"]);
        assert_eq!(names(nv12, Some(Arrangement::Contiguous)), ["NV12"]);
        assert_eq!(
            names(None, Some(Arrangement::Separate)),
            ["NM12", "NM21", "YM12"]
        );
        let [contiguous, separate] = [b"NV12", b"NM12"].map(|code| u32::from_le_bytes(*code));
        assert!(rank(contiguous) < rank(separate));
        assert_eq!(
            known(separate),
            Some((PixelFormat::Nv12, Arrangement::Separate))
        );
        assert_eq!(known(u32::from_le_bytes(*b"H264")), None);
    }
}
