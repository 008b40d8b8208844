//! Images or a recording in place of a camera: `device = "replay:PATH"`.

mod images;
mod recorded;

use crate::frame::{CameraError, Frame, FrameSource};
use crate::report::Negotiated;
use edgeai_realtime::monotonic_now;
use images::Images;
use recorded::Recorded;
use std::path::Path;
use std::thread;
use std::time::Duration;

/// Plays an image, the images of a directory in the order of their names, or the frames of a
/// recording, over and over. Each is shown for one frame period and none is left out, however slow
/// the receiver is, so that every run sees the same frames in the same order.
pub struct Replay {
    pictures: Pictures,
    period: Duration,
    /// The frame `sequence` is there already.
    turned: Option<u32>,
    /// Number of the next frame.
    sequence: u32,
    /// When it is due.
    due: Duration,
}

enum Pictures {
    Images(Images),
    Recorded(Box<Recorded>),
}

impl Replay {
    /// Finds the pictures and reads the first. Frames have its size, whatever `asked.size` says.
    /// Images become RGB24, or are converted to `asked.format` (BT.601; GREY full range, the others
    /// limited); a JPEG file is passed on as it is for MJPEG. A recording's frames are as the camera
    /// gave them that has the name `asked.name`, or of the only camera.
    ///
    /// # Errors
    /// [`CameraError::Missing`] without file, [`CameraError::Unusable`] for what is no PNG or JPEG,
    /// images of different sizes, a recording without frames or of another format than asked for.
    pub fn open(
        path: &Path,
        asked: &edgeai_config::Camera,
    ) -> Result<(Self, Negotiated), CameraError> {
        let (pictures, negotiated) = if Recorded::is_at(path) {
            let (recorded, negotiated) = Recorded::open(path, asked)?;
            (Pictures::Recorded(Box::new(recorded)), negotiated)
        } else {
            let (images, negotiated) = Images::open(path, asked)?;
            (Pictures::Images(images), negotiated)
        };
        let replay = Self {
            pictures,
            period: Duration::from_secs(1) / asked.fps.max(1),
            turned: Some(0),
            sequence: 0,
            due: monotonic_now(),
        };
        Ok((replay, negotiated))
    }

    /// Reads the next picture, unless it is there.
    fn turn(&mut self) -> Result<(), String> {
        if self.turned != Some(self.sequence) {
            match &mut self.pictures {
                Pictures::Images(images) => images.turn()?,
                Pictures::Recorded(recorded) => recorded.turn()?,
            }
            self.turned = Some(self.sequence);
        }
        Ok(())
    }
}

impl FrameSource for Replay {
    fn next(&mut self, timeout: Duration) -> Result<Frame<'_>, CameraError> {
        let end = monotonic_now() + timeout;
        self.turn().map_err(CameraError::Lost)?;
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
        let frame = match &self.pictures {
            Pictures::Images(images) => images.frame()?,
            Pictures::Recorded(recorded) => recorded.frame(),
        };
        Ok(Frame {
            sequence,
            timestamp: now,
            ..frame
        })
    }

    fn dropped(&self) -> u64 {
        match &self.pictures {
            Pictures::Images(_) => 0,
            Pictures::Recorded(recorded) => recorded.passed_over(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use edgeai_config::PixelFormat;
    use image::{Rgb, RgbImage};
    use std::fs;
    use std::path::PathBuf;

    /// A directory of images that goes away with the value.
    struct Folder(PathBuf);

    impl Folder {
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

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn asked(format: Option<PixelFormat>) -> edgeai_config::Camera {
        edgeai_config::Camera {
            name: "camera".into(),
            device: "replay:".into(),
            format,
            planes: None,
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
        let images = Folder::new(
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
        let images = Folder::new("one", &[("a.jpg", 5, [255, 255, 255])]);
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
        let images = Folder::new("due", &[("a.png", 6, [1; 3])]);
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
        let images = Folder::new("refused", &[("a.png", 6, [1; 3]), ("b.png", 7, [1; 3])]);
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
        let empty = Folder::new("empty", &[]);
        assert!(matches!(error(&empty.0), CameraError::Unusable(_)));
    }

    #[test]
    fn an_image_that_breaks_while_it_is_played_is_a_lost_camera() {
        let images = Folder::new("breaks", &[("a.png", 6, [1; 3]), ("b.png", 6, [2; 3])]);
        let (mut replay, _) = images.open(None).unwrap();
        next(&mut replay);
        RgbImage::new(7, 4).save(images.0.join("b.png")).unwrap();
        let error = replay.next(Duration::from_secs(10)).unwrap_err();
        assert!(matches!(error, CameraError::Lost(_)), "{error}");
    }
}
