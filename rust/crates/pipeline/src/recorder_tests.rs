use super::*;
use crate::notes::{Keeper, Notes, notes};
use edgeai_camera::{Frame as CameraFrame, Plane};
use edgeai_config::{Colour, PixelFormat};
use edgeai_recording::{Decision, Evaluation, Frame, Reader, Sighting};
use std::path::PathBuf;
use std::sync::mpsc::channel;

/// A directory that goes away with the test.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let name = format!("edgeai-recorder-{name}-{}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

struct Rig {
    keeper: Keeper,
    notes: Notes,
    recorder: Recorder,
}

/// A recorder of one camera and one model, whose rule `seen` asks for snapshots.
fn rig(directory: &Path, recording: bool, slots: usize) -> Rig {
    let section = if recording {
        format!(
            "recording = {{ directory = {:?} }}",
            directory.join("recordings")
        )
    } else {
        String::new()
    };
    let text = format!(
        r#"
        camera = {{ device = "/dev/null", size = [16, 16] }}
        model = {{ file = "/nonexistent" }}
        deadline = {{ frame_to_action_ms = 100 }}
        rule = [{{ name = "seen", when = {{ class = "Person", score = 0.5 }}, then = {{ snapshot = true }} }}]
        {section}
        "#
    );
    let appliance = edgeai_config::parse("test.toml", &text).unwrap();
    let link = Arc::new(Link::new(&appliance).unwrap());
    let empty = || Kept::Frame(Frame::with_room(0));
    let (keeper, shelf) = Keeper::new(0, slots, empty, Arc::clone(&link));
    let (notes, notebook) = notes(recording, 1);
    let (_, introductions) = channel();
    let sources = Sources {
        notebook,
        shelves: vec![shelf],
        shelf_of: vec![0],
        introductions,
    };
    let snapshots = directory.join("snapshots");
    let header = Header::default();
    let recorder = Recorder::new(&appliance, header, &snapshots, sources, link);
    Rig {
        keeper,
        notes,
        recorder,
    }
}

impl Rig {
    /// A grey frame captured at so many ms, and what was seen in it; `started`: the rule became active.
    fn frame(&mut self, ms: u64, started: bool) {
        let pixels = [128; 16 * 16];
        let plane = Plane {
            bytes: &pixels,
            stride: 16,
        };
        let captured = Duration::from_millis(ms);
        self.keeper.keep(&CameraFrame {
            planes: [plane, Plane::default(), Plane::default()],
            plane_count: 1,
            width: 16,
            height: 16,
            format: PixelFormat::Grey,
            colour: Colour::default(),
            sequence: 0,
            timestamp: captured,
        });
        let sighting = Sighting {
            captured,
            ..Sighting::default()
        };
        self.notes.sighting(&sighting);
        let evaluation = Evaluation {
            decision: Decision {
                started: u64::from(started),
                ..Decision::default()
            },
            ..Evaluation::default()
        };
        self.notes.evaluation(evaluation, Some(&sighting));
    }
}

/// A letter for each record, and all gaps together.
fn read(directory: &Path) -> (String, Gap) {
    let mut kinds = String::new();
    let mut gaps = Gap::default();
    for part in edgeai_recording::parts(&directory.join("recordings")).unwrap() {
        let bytes = std::fs::read(part).unwrap();
        for record in Reader::new(bytes.as_slice()).unwrap() {
            kinds.push(match record.unwrap() {
                Record::Frame(_) => 'f',
                Record::Sighting(_) => 's',
                Record::Evaluation(_) => 'e',
                Record::Gap(gap) => {
                    gaps.frames += gap.frames;
                    gaps.decisions += gap.decisions;
                    'g'
                }
                Record::End => '.',
                _ => '?',
            });
        }
    }
    (kinds, gaps)
}

#[test]
fn a_frame_stands_before_what_was_seen_in_it() {
    let directory = Directory::new("order");
    let mut rig = rig(&directory.0, true, 8);
    for ms in 1..=3 {
        rig.frame(ms, false);
    }
    rig.recorder.round();
    rig.frame(4, false);
    rig.recorder.finish();
    assert_eq!(read(&directory.0).0, "fsefsefsefse.");
}

#[test]
fn what_found_no_room_is_a_gap_where_it_is_missing() {
    let directory = Directory::new("gap");
    let mut rig = rig(&directory.0, true, 3);
    // More than there are slots, and more notes than there is room for.
    for ms in 1..=40 {
        rig.frame(ms, false);
    }
    rig.recorder.round();
    rig.frame(41, false);
    rig.recorder.finish();
    let (kinds, gaps) = read(&directory.0);
    assert!(kinds.starts_with("fsefsefse"), "{kinds}");
    assert!(kinds.ends_with("fse."), "{kinds}");
    let count = |kind| kinds.matches(kind).count() as u64;
    assert!(gaps.frames > 0 && gaps.decisions > 0, "{kinds}");
    assert_eq!(count('f') + gaps.frames, 41, "{kinds}");
    assert_eq!(count('s') + count('e') + gaps.decisions, 2 * 41, "{kinds}");
}

#[test]
fn a_rule_gets_the_picture_of_its_own_frame() {
    for recording in [true, false] {
        let directory = Directory::new(&format!("snapshot-{recording}"));
        let mut rig = rig(&directory.0, recording, 6);
        for ms in 1..=20 {
            rig.frame(ms, ms == 7 || ms == 20);
            rig.recorder.round();
        }
        let kept = std::fs::read_dir(directory.0.join("snapshots")).unwrap();
        let mut names: Vec<_> = kept
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(names, ["000000-seen.jpg", "000001-seen.jpg"]);
        let not_kept = rig.recorder.link.metrics.frames_not_kept.load(Relaxed);
        assert_eq!(not_kept, 0, "slots come back");
    }
}

#[test]
fn a_disk_that_refuses_is_counted_and_left_alone() {
    let mut rig = rig(Path::new("/dev/null"), true, 8);
    rig.frame(1, false);
    rig.frame(2, false);
    rig.recorder.round();
    assert!(rig.recorder.not_before.is_some());
    let lost = rig.recorder.lost;
    assert_eq!((lost.frames, lost.decisions), (2, 4));
}
