//! Recordings as cameras.

use super::*;
use crate::frame::FrameSource;
use crate::replay::Replay;
use edgeai_config::{Colour, PixelFormat};
use edgeai_recording::{Files, Frame as Kept, Header};
use std::time::Duration;

const DESCRIPTION: &str = r#"
    deadline = { frame_to_action_ms = 100 }
    camera = [
        { name = "gate", device = "/dev/video0", size = [16, 16] },
        { name = "yard", device = "/dev/video1", size = [16, 16] },
    ]
    model = [
        { name = "a", file = "/a", camera = "gate" },
        { name = "b", file = "/b", camera = "yard" },
    ]
    output = [{ name = "lamp", line = "lamp", safe = "low" }]
    rule = [{ name = "r", when = { class = "Person", score = 0.5, model = "a" }, then = { output = "lamp", level = "high" } }]
"#;

/// A grey frame of one value.
fn kept(camera: u8, width: u32, value: u8) -> Kept {
    let bytes = vec![value; width as usize * 4];
    let mut frame = Kept {
        camera,
        format: PixelFormat::Grey,
        colour: Colour::default(),
        width,
        height: 4,
        captured: Duration::from_secs(value.into()),
        ..Kept::with_room(bytes.len())
    };
    assert!(frame.fill(std::iter::once((&*bytes, width as usize))));
    frame
}

/// A directory with a recording that goes away with the value.
struct Recording(PathBuf);

impl Recording {
    /// Each part has these frames.
    fn new(name: &str, parts: &[&[Kept]]) -> Self {
        let name = format!("edgeai-recorded-{}-{name}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        let header = Header {
            run: 7,
            appliance: DESCRIPTION.into(),
            ..Header::default()
        };
        let mut files = Files::new(&directory, 1 << 20, 8, header);
        for part in parts {
            for frame in *part {
                files.write(&Record::Frame(frame.clone())).unwrap();
            }
            files.split().unwrap();
        }
        Self(directory)
    }

    fn open(
        &self,
        name: &str,
        format: Option<PixelFormat>,
    ) -> Result<(Replay, String), CameraError> {
        let asked = edgeai_config::Camera {
            name: name.into(),
            device: "replay:".into(),
            format,
            planes: None,
            size: [640, 480],
            fps: 240,
            controls: std::collections::BTreeMap::new(),
        };
        let (replay, negotiated) = Replay::open(&self.0, &asked)?;
        Ok((replay, negotiated.to_string()))
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn values(replay: &mut Replay, count: usize) -> Vec<(u32, u8)> {
    let mut next = || {
        let frame = replay.next(Duration::from_secs(10)).unwrap();
        (frame.sequence, frame.planes[0].bytes[0])
    };
    (0..count).map(|_| next()).collect()
}

#[test]
fn frames_of_the_camera_of_this_name_come_over_and_over_through_all_parts() {
    let first = [kept(1, 8, 10), kept(0, 16, 99), kept(1, 8, 11)];
    let recording = Recording::new("parts", &[&first, &[kept(1, 8, 12)]]);
    let (mut yard, negotiated) = recording.open("yard", None).unwrap();
    assert_eq!(
        negotiated,
        "asked any 640x480@240, offered a recording of GREY 8x4, taken GREY 8x4@240.00 limited range"
    );
    let expected = [(0, 10), (1, 11), (2, 12), (3, 10), (4, 11)];
    assert_eq!(values(&mut yard, 5), expected);
    let (mut gate, _) = recording.open("gate", None).unwrap();
    assert_eq!(values(&mut gate, 2), [(0, 99), (1, 99)]);
    assert_eq!(gate.dropped(), 0);
}

#[test]
fn frames_unlike_the_first_are_passed_over_and_counted() {
    let mut short = kept(0, 8, 3);
    short.planes[0].stride = 9;
    let frames = [kept(0, 8, 1), kept(0, 16, 2), short, kept(0, 8, 4)];
    let recording = Recording::new("unlike", &[&frames]);
    let (mut gate, _) = recording.open("gate", None).unwrap();
    assert_eq!(values(&mut gate, 3), [(0, 1), (1, 4), (2, 1)]);
    assert_eq!(gate.dropped(), 2);
}

#[test]
fn a_part_that_is_cut_off_ends_there() {
    let recording = Recording::new("cut", &[&[kept(0, 8, 1), kept(0, 8, 2)], &[kept(0, 8, 3)]]);
    let first = recording.0.join("recording-000000.edgerec");
    let bytes = fs::read(&first).unwrap();
    fs::write(&first, &bytes[..bytes.len() - 20]).unwrap();
    let (mut gate, _) = recording.open("gate", None).unwrap();
    assert_eq!(values(&mut gate, 3), [(0, 1), (1, 3), (2, 1)]);
}

#[test]
fn what_cannot_be_played_is_refused_in_clear_words() {
    let recording = Recording::new("refused", &[&[kept(0, 8, 1)]]);
    let refused = |name, format| match recording.open(name, format) {
        Err(CameraError::Unusable(words)) => words,
        other => panic!("{:?}", other.map(|(_, words)| words)),
    };
    let words = refused("door", None);
    assert!(
        words.ends_with("it has no camera door, but gate, yard"),
        "{words}"
    );
    let words = refused("yard", None);
    assert!(
        words.ends_with("there are no frames of this camera in it"),
        "{words}"
    );
    let words = refused("gate", Some(PixelFormat::Yuyv));
    assert!(words.ends_with("its frames are GREY"), "{words}");
    fs::write(recording.0.join("recording-000000.edgerec"), "no recording").unwrap();
    assert!(recording.open("gate", None).is_err());
    let none = recording.0.join("none.edgerec");
    let asked = edgeai_config::Camera {
        name: "gate".into(),
        device: "replay:".into(),
        format: None,
        planes: None,
        size: [16, 16],
        fps: 1,
        controls: std::collections::BTreeMap::new(),
    };
    assert!(matches!(
        Replay::open(&none, &asked),
        Err(CameraError::Missing(_))
    ));
}
