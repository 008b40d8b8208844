//! Images in place of a camera: `device = "replay:PATH"`.

use crate::format;
use crate::frame::{CameraError, Frame, FrameSource};
use crate::planes::Layout;
use crate::report::{self, Negotiated};
use crate::rgb;
use edgeai_config::{Colour, PixelFormat};
use edgeai_realtime::monotonic_now;
use image::ImageReader;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

/// Largest side of an image, as of a camera in the configuration.
const MAX_SIDE: u32 = 8192;

/// Plays an image, or the images of a directory in the order of their names, over and over. Each is
/// shown for one frame period and none is left out, however slow the receiver is, so that every
/// run sees the same frames in the same order.
pub struct Replay {
    images: Vec<PathBuf>,
    layout: Layout,
    colour: Colour,
    period: Duration,
    /// The image `sequence`, if it is decoded already.
    bytes: Vec<u8>,
    decoded: Option<u32>,
    /// Number of the next frame.
    sequence: u32,
    /// When it is due.
    due: Duration,
}

impl Replay {
    /// Finds the images and decodes the first. Frames have its size, whatever `asked.size` says, and are
    /// RGB24, or converted to `asked.format` (BT.601; GREY full range, the others limited). A JPEG file
    /// is passed on as it is for MJPEG.
    ///
    /// # Errors
    /// [`CameraError::Missing`] without file, [`CameraError::Unusable`] for what is no PNG or JPEG,
    /// images of different sizes, or a recording.
    pub fn open(
        path: &Path,
        asked: &edgeai_config::Camera,
    ) -> Result<(Self, Negotiated), CameraError> {
        let unusable = |path: &Path, reason: &dyn std::fmt::Display| {
            CameraError::Unusable(format!("{}: {reason}", path.display()))
        };
        if path
            .extension()
            .is_some_and(|extension| extension == "edgerec")
        {
            return Err(CameraError::Unusable(
                "recordings are played by edgeai replay".into(),
            ));
        }
        let images = find(path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => CameraError::Missing(format!("{}: {error}", path.display())),
            _ => unusable(path, &error),
        })?;
        let Some(first) = images.first() else {
            return Err(unusable(path, &"no PNG or JPEG images"));
        };
        let [width, height] = size(first).map_err(|error| unusable(first, &error))?;
        for other in &images {
            let other_size = size(other).map_err(|error| unusable(other, &error))?;
            if other_size != [width, height] {
                let [w, h] = other_size;
                let reason = format!("{w}x{h}, but the first image is {width}x{height}");
                return Err(unusable(other, &reason));
            }
        }
        let pixel = asked.format.unwrap_or(PixelFormat::Rgb24);
        let layout = Layout::packed(pixel, width, height);
        let colour = rgb::colour(pixel);
        let offered = match images.len() {
            1 => format!("an image of {width}x{height}"),
            count => format!("{count} images of {width}x{height}"),
        };
        let fps = f64::from(asked.fps);
        let code = format::codes(pixel).next().unwrap_or(0);
        let asked_for = report::asked(asked);
        let negotiated = Negotiated::new(asked_for, offered, code, &layout, colour, Some(fps));
        let mut replay = Self {
            images,
            layout,
            colour,
            period: Duration::from_secs(1) / asked.fps.max(1),
            bytes: Vec::new(),
            decoded: None,
            sequence: 0,
            due: monotonic_now(),
        };
        replay.decode().map_err(CameraError::Unusable)?;
        Ok((replay, negotiated))
    }

    /// Decodes the next image, unless it is the one that is there.
    fn decode(&mut self) -> Result<(), String> {
        let index = self.sequence as usize % self.images.len();
        if self.decoded == Some(self.sequence) {
            return Ok(());
        }
        if self.decoded.is_none() || self.images.len() > 1 {
            let path = &self.images[index];
            read(path, &self.layout, &mut self.bytes)
                .map_err(|error| format!("{}: {error}", path.display()))?;
        }
        self.decoded = Some(self.sequence);
        Ok(())
    }
}

impl FrameSource for Replay {
    fn next(&mut self, timeout: Duration) -> Result<Frame<'_>, CameraError> {
        let end = monotonic_now() + timeout;
        self.decode().map_err(CameraError::Lost)?;
        if self.due > end {
            thread::sleep(timeout);
            return Err(CameraError::TimedOut);
        }
        thread::sleep(self.due.saturating_sub(monotonic_now()));
        let now = monotonic_now();
        // Late frames move all later ones.
        self.due = (self.due + self.period).max(now);
        let sequence = self.sequence;
        self.sequence = sequence.wrapping_add(1);
        let planes = self
            .layout
            .split(&[&self.bytes])
            .map_err(|error| CameraError::Lost(error.to_string()))?;
        Ok(Frame {
            planes,
            plane_count: self.layout.plane_count(),
            width: self.layout.width,
            height: self.layout.height,
            format: self.layout.format,
            colour: self.colour,
            sequence,
            timestamp: now,
        })
    }

    fn dropped(&self) -> u64 {
        0
    }
}

/// The image, or the images of a directory by name.
fn find(path: &Path) -> io::Result<Vec<PathBuf>> {
    if !fs::metadata(path)?.is_dir() {
        return Ok(vec![path.into()]);
    }
    let mut images = Vec::new();
    for entry in fs::read_dir(path)? {
        let path = entry?.path();
        let extension = path.extension().and_then(|extension| extension.to_str());
        let known = ["png", "jpg", "jpeg"];
        if extension.is_some_and(|it| known.contains(&&*it.to_ascii_lowercase())) {
            images.push(path);
        }
    }
    images.sort();
    Ok(images)
}

/// Width and height, from the head of the file.
fn size(path: &Path) -> Result<[u32; 2], String> {
    let reader = reader(path).map_err(|error| error.to_string())?;
    let (width, height) = reader
        .into_dimensions()
        .map_err(|error| error.to_string())?;
    if [width, height]
        .iter()
        .all(|side| (1..=MAX_SIDE).contains(side))
    {
        Ok([width, height])
    } else {
        Err(format!("{width}x{height} is not 1 to {MAX_SIDE} pixels"))
    }
}

fn reader(path: &Path) -> io::Result<ImageReader<io::BufReader<fs::File>>> {
    // By content, not by name.
    let mut reader = ImageReader::open(path)?.with_guessed_format()?;
    let mut limits = image::Limits::default();
    (limits.max_image_width, limits.max_image_height) = (Some(MAX_SIDE), Some(MAX_SIDE));
    reader.limits(limits);
    Ok(reader)
}

fn read(path: &Path, layout: &Layout, out: &mut Vec<u8>) -> Result<(), String> {
    let reader = reader(path).map_err(|error| error.to_string())?;
    if layout.format == PixelFormat::Mjpeg && reader.format() == Some(image::ImageFormat::Jpeg) {
        *out = fs::read(path).map_err(|error| error.to_string())?;
        return Ok(());
    }
    let decoded = reader.decode().map_err(|error| error.to_string())?;
    if (decoded.width(), decoded.height()) != (layout.width, layout.height) {
        return Err("its size has changed".into());
    }
    rgb::convert(&decoded.into_rgb8(), layout.format, out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{Rgb, RgbImage};

    /// A directory of images that goes away with the value.
    struct Images(PathBuf);

    impl Images {
        fn new(name: &str, files: &[(&str, u32, [u8; 3])]) -> Self {
            let root = format!("edgeai-replay-{}-{name}", std::process::id());
            let root = std::env::temp_dir().join(root);
            fs::create_dir_all(&root).unwrap();
            for (name, width, colour) in files {
                let picture = RgbImage::from_pixel(*width, 4, Rgb(*colour));
                picture.save(root.join(name)).unwrap();
            }
            Self(root)
        }

        fn open(&self, format: Option<PixelFormat>) -> Result<(Replay, Negotiated), CameraError> {
            Replay::open(&self.0, &asked(format))
        }
    }

    impl Drop for Images {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn asked(format: Option<PixelFormat>) -> edgeai_config::Camera {
        edgeai_config::Camera {
            name: "camera".into(),
            device: "replay:".into(),
            format,
            size: [640, 480],
            fps: 240,
            controls: std::collections::BTreeMap::new(),
        }
    }

    fn next(replay: &mut Replay) -> (u32, Vec<u8>) {
        let frame = replay.next(Duration::from_secs(10)).unwrap();
        (frame.sequence, frame.planes[0].bytes[..3].to_vec())
    }

    #[test]
    fn images_come_in_the_order_of_their_names_and_again() {
        let images = Images::new(
            "order",
            &[
                ("b.PNG", 6, [2; 3]),
                ("a.png", 6, [1; 3]),
                ("c.jpg", 6, [3; 3]),
            ],
        );
        fs::write(images.0.join("readme.txt"), "not an image").unwrap();
        let (mut replay, negotiated) = images.open(None).unwrap();
        assert_eq!(
            negotiated.to_string(),
            "asked any 640x480@240, offered 3 images of 6x4, taken RGB3 6x4@240.00"
        );
        let frames: Vec<_> = (0..4).map(|_| next(&mut replay)).collect();
        let grey = |sequence, value| (sequence, vec![value; 3]);
        assert_eq!(frames, [grey(0, 1), grey(1, 2), grey(2, 3), grey(3, 1)]);
        assert_eq!(replay.dropped(), 0);
    }

    #[test]
    fn one_image_is_played_in_the_format_asked_for() {
        let images = Images::new("one", &[("a.jpg", 5, [255, 255, 255])]);
        let path = images.0.join("a.jpg");
        let (mut replay, negotiated) =
            Replay::open(&path, &asked(Some(PixelFormat::Nv12))).unwrap();
        assert_eq!(negotiated.strides, [5, 6, 0]);
        for sequence in 0..3 {
            let frame = replay.next(Duration::from_secs(10)).unwrap();
            assert_eq!((frame.plane_count, frame.sequence), (2, sequence));
            assert_eq!(frame.planes[0].bytes, [235; 20]);
            assert_eq!(frame.planes[1].bytes, [128; 12]);
        }
        let (mut replay, _) = Replay::open(&path, &asked(Some(PixelFormat::Mjpeg))).unwrap();
        let frame = replay.next(Duration::from_secs(10)).unwrap();
        assert_eq!(frame.planes[0].bytes, fs::read(&path).unwrap());
    }

    #[test]
    fn a_frame_that_is_not_due_is_waited_for_only_so_long() {
        let images = Images::new("due", &[("a.png", 6, [1; 3])]);
        let slow = edgeai_config::Camera {
            fps: 1,
            ..asked(None)
        };
        let (mut replay, _) = Replay::open(&images.0, &slow).unwrap();
        replay.next(Duration::ZERO).unwrap();
        let error = replay.next(Duration::from_millis(1)).unwrap_err();
        assert_eq!(error, CameraError::TimedOut);
    }

    #[test]
    fn what_cannot_be_played_is_refused() {
        let images = Images::new("refused", &[("a.png", 6, [1; 3]), ("b.png", 7, [1; 3])]);
        let error = |path: &Path| Replay::open(path, &asked(None)).err().unwrap();
        let sizes = error(&images.0);
        assert!(
            matches!(&sizes, CameraError::Unusable(reason) if reason.ends_with("b.png: 7x4, but the first image is 6x4")),
            "{sizes}"
        );
        let none = images.0.join("none.png");
        assert!(matches!(error(&none), CameraError::Missing(_)));
        let text = images.0.join("text.png");
        fs::write(&text, "not an image").unwrap();
        assert!(matches!(error(&text), CameraError::Unusable(_)));
        let empty = Images::new("empty", &[]);
        assert!(matches!(error(&empty.0), CameraError::Unusable(_)));
        assert_eq!(
            error(Path::new("a/run.edgerec")),
            CameraError::Unusable("recordings are played by edgeai replay".into())
        );
    }

    #[test]
    fn an_image_that_breaks_while_it_is_played_is_a_lost_camera() {
        let images = Images::new("breaks", &[("a.png", 6, [1; 3]), ("b.png", 6, [2; 3])]);
        let (mut replay, _) = images.open(None).unwrap();
        next(&mut replay);
        RgbImage::new(7, 4).save(images.0.join("b.png")).unwrap();
        let error = replay.next(Duration::from_secs(10)).unwrap_err();
        assert!(matches!(error, CameraError::Lost(_)), "{error}");
    }
}
