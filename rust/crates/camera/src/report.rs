//! What came of a negotiation.

use crate::format::{self, Wanted};
use crate::planes::Layout;
use edgeai_config::{Colour, Matrix, PixelFormat, Range};
use std::fmt;

/// What was asked for, what the source offers and what is taken.
#[derive(Debug, Clone, PartialEq)]
pub struct Negotiated {
    asked: String,
    offered: String,
    /// As V4L2 names the format; with separate planes not the name in the configuration.
    taken: String,
    /// Pixel format; the one asked for, if one was.
    pub format: PixelFormat,
    /// What YUV values mean.
    pub colour: Colour,
    /// Pixels in a line; may differ from what was asked for.
    pub width: u32,
    /// Lines; may differ from what was asked for.
    pub height: u32,
    /// Bytes from one line to the next, of each plane; 0 for unused planes and MJPEG.
    pub strides: [usize; 3],
    /// Frames per second, if the source says.
    pub fps: Option<f64>,
}

impl Negotiated {
    /// Of a source that delivers frames like `layout`.
    pub(crate) fn new(
        asked: String,
        offered: String,
        code: u32,
        layout: &Layout,
        colour: Colour,
        fps: Option<f64>,
    ) -> Self {
        Self {
            asked,
            offered,
            taken: format::name(code),
            format: layout.format,
            colour,
            width: layout.width,
            height: layout.height,
            strides: layout.strides,
            fps,
        }
    }

    /// Of a source that has nothing to negotiate, such as a recording.
    #[must_use]
    pub fn given(layout: &Layout, colour: Colour, fps: Option<f64>) -> Self {
        let given = format!(
            "{} {}x{}",
            layout.format.name(),
            layout.width,
            layout.height
        );
        let code = Wanted::format(layout.format).codes().next().unwrap_or(0);
        Self::new(given.clone(), given, code, layout, colour, fps)
    }
}

/// What was asked for: `YUYV 640x480@30`, `NV12 in separate planes …`, or `any` format.
pub(crate) fn asked(camera: &edgeai_config::Camera) -> String {
    let [width, height] = camera.size;
    let wanted = Wanted::by(camera);
    format!("{wanted} {width}x{height}@{}", camera.fps)
}

impl fmt::Display for Negotiated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            asked,
            offered,
            taken,
            width,
            height,
            ..
        } = self;
        write!(
            f,
            "asked {asked}, offered {offered}, taken {taken} {width}x{height}@"
        )?;
        match self.fps {
            Some(fps) => write!(f, "{fps:.2}")?,
            None => f.write_str("?")?,
        }
        if matches!(
            self.format,
            PixelFormat::Rgb24 | PixelFormat::Bgr24 | PixelFormat::Mjpeg
        ) {
            return Ok(());
        }
        if self.format != PixelFormat::Grey {
            f.write_str(match self.colour.matrix {
                Matrix::Bt601 => " BT.601",
                Matrix::Bt709 => " BT.709",
            })?;
        }
        f.write_str(match self.colour.range {
            Range::Limited => " limited range",
            Range::Full => " full range",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_names_what_was_asked_offered_and_taken() {
        let layout = Layout::contiguous(PixelFormat::Yuyv, 640, 360, 1536);
        let mut negotiated = Negotiated::new(
            "YUYV 640x480@30".into(),
            "YUYV UYVY".into(),
            u32::from_le_bytes(*b"YUYV"),
            &layout,
            Colour::default(),
            Some(29.97),
        );
        assert_eq!(
            negotiated.to_string(),
            "asked YUYV 640x480@30, offered YUYV UYVY, taken YUYV 640x360@29.97 BT.601 limited range"
        );
        negotiated.fps = None;
        assert!(negotiated.to_string().contains("taken YUYV 640x360@? "));
        let layout = Layout::packed(PixelFormat::Rgb24, 8, 4);
        let given = Negotiated::given(&layout, Colour::default(), Some(5.0));
        assert_eq!(given.strides, [24, 0, 0]);
        assert!(given.to_string().ends_with("taken RGB3 8x4@5.00"));
    }
}
