//! Pictures that a camera sends damaged.

use crate::rig::{GREY, Rig, appliance, inference};
use edgeai_camera::{CameraError, Frame, FrameSource, Plane};
use edgeai_config::{Level, PixelFormat};
use edgeai_pipeline::{Event, Eye, Step, step};
use edgeai_preprocess::SourceSpec;
use edgeai_realtime::monotonic_now;
use image::codecs::jpeg::JpegEncoder;
use image::{ImageBuffer, Luma};
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

const MJPEG: SourceSpec = SourceSpec {
    format: PixelFormat::Mjpeg,
    ..GREY
};

/// A camera that shows one picture after the other; in place of empty ones it says that it had to drop one.
struct Album {
    pictures: Vec<Vec<u8>>,
    shown: usize,
    dropped: u64,
}

impl FrameSource for Album {
    fn next(&mut self, _timeout: Duration) -> Result<Frame<'_>, CameraError> {
        let bytes = self.pictures.get(self.shown).ok_or(CameraError::TimedOut)?;
        self.shown += 1;
        if bytes.is_empty() {
            self.dropped += 1;
            return Err(CameraError::TimedOut);
        }
        Ok(Frame {
            planes: [
                Plane { bytes, stride: 0 },
                Plane::default(),
                Plane::default(),
            ],
            plane_count: 1,
            width: MJPEG.size[0],
            height: MJPEG.size[1],
            format: MJPEG.format,
            colour: MJPEG.colour,
            sequence: u32::try_from(self.shown).unwrap(),
            timestamp: monotonic_now(),
        })
    }

    fn dropped(&self) -> u64 {
        self.dropped
    }
}

#[test]
fn a_damaged_picture_counts_as_dropped_and_ends_nothing() {
    let mut whole = Vec::new();
    let grey = ImageBuffer::from_pixel(MJPEG.size[0], MJPEG.size[1], Luma([128_u8]));
    JpegEncoder::new(&mut whole).encode_image(&grey).unwrap();
    let half = whole[..whole.len() / 2].to_vec();
    let garbage = [&[0xff, 0xd8][..], &[0x5a; 500]].concat();
    let mut album = Album {
        pictures: vec![whole.clone(), half, garbage, Vec::new(), whole],
        shown: 0,
        dropped: 0,
    };
    let mut rig = Rig::new(&appliance(60_000, "safe"), &["door", "stop", "lamp"]);
    let mut inference = inference(true);
    let mut lane = rig.lanes.remove(0);
    let mut eyes = [Eye {
        sight: inference.look_through(&MJPEG, None, None).unwrap(),
        lane: &mut lane,
    }];
    for expected in ["seen", "damaged", "damaged", "silence", "seen"] {
        let stepped = step(&mut album, &mut eyes, None, &rig.link, Duration::ZERO);
        let found = match stepped.unwrap() {
            Step::Seen => "seen",
            Step::Damaged(how) => {
                assert!(how.starts_with("the JPEG is damaged: "), "{how}");
                assert!(!how.contains('\n'), "{how}");
                "damaged"
            }
            Step::Silence => "silence",
        };
        assert_eq!(found, expected, "picture {}", album.shown);
        assert_eq!(rig.link.watches[0].armed().is_some(), found == "seen");
        rig.signals.round();
        assert_eq!(rig.levels().0, Level::High, "a person is seen");
    }
    let counts = &rig.link.metrics.models[0];
    let counted = [counts.frames.load(Relaxed), counts.dropped.load(Relaxed)];
    assert_eq!(counted, [2, 3]);
    let mut events = std::iter::from_fn(|| rig.events.pop().ok());
    assert!(!events.any(|event| matches!(event, Event::Safe(_))));
}
