use super::*;
use crate::evidence::Evidence;
use crate::notes::{Keeper, Notes, notes};
use crate::replay::{Replay, Report};
use edgeai_camera::{Frame as CameraFrame, Plane};
use edgeai_config::{Colour, Level, PixelFormat, Samples};
use edgeai_decode::{Detection, Names};
use edgeai_recording::{Decision, Evaluation, Reader, Sighting, parts};
use edgeai_rules::Rules;
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
    appliance: Appliance,
    rules: Box<Rules>,
    evidence: Evidence,
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
        model = {{ file = "/nonexistent", track = {{}} }}
        input = [{{ name = "key", line = "key" }}]
        output = [{{ name = "stop", line = "stop", safe = "high" }}]
        sensor = [{{ name = "motor", kind = "iio", device = "d", rate_hz = 1000, buffered = true, channel = [{{ name = "x", source = "x" }}, {{ name = "y", source = "y" }}] }}]
        deadline = {{ frame_to_action_ms = 100 }}
        rule = [
            {{ name = "seen", when = {{ class = "Person", score = 0.5 }}, then = {{ snapshot = true }} }},
            {{ name = "passed", when = {{ crosses = [[0.5, 0.0], [0.5, 1.0]] }}, then = {{ count = "passed", cooldown_ms = 70 }} }},
            {{ name = "rough", when = {{ value = "motor.y", above = 2.0, over_ms = 300, statistic = "rms", for_ms = 20 }}, then = {{ output = "stop", level = "high", latch = true, reset = "key" }} }},
            {{ name = "near", when = {{ not = {{ class = "Person", score = 0.6, hysteresis = 0.3, for_ms = 45 }} }}, then = {{ output = "stop", level = "high", hold_ms = 130 }} }},
        ]
        {section}
        "#
    );
    let appliance = edgeai_config::parse("test.toml", &text).unwrap();
    let link = Arc::new(Link::new(&appliance).unwrap());
    let (keeper, shelf) = Keeper::new(0, slots, true, Kept::frame, Arc::clone(&link));
    let (notes, notebook) = notes(recording, 1);
    let (introduce, introductions) = channel();
    let names = Names {
        labels: vec!["???".into(), "Person".into()],
        values: vec!["area".into()],
        ..Names::default()
    };
    let _ = introduce.send(Introduction {
        model: 0,
        runtime: String::new(),
        names: names.clone(),
    });
    let sources = Sources {
        notebook,
        shelves: vec![shelf],
        shelf_of: vec![0],
        introductions,
    };
    let snapshots = directory.join("snapshots");
    let header = Header::default();
    let rules = Rules::new(&appliance, &[names]).unwrap();
    let recorder = Recorder::new(&appliance, header, &snapshots, sources, link);
    Rig {
        appliance,
        rules: Box::new(rules),
        evidence: Evidence::new(1, 2),
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
        let frame = CameraFrame {
            planes: [plane, Plane::default(), Plane::default()],
            plane_count: 1,
            width: 16,
            height: 16,
            format: PixelFormat::Grey,
            colour: Colour::default(),
            sequence: 0,
            timestamp: captured,
        };
        self.keeper.keep(&frame, []);
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

impl Rig {
    /// What the signal thread does with a frame and with samples at so many ms: people walk to and fro, the
    /// motor is rough for a while, and somebody turns the key now and then.
    fn decide(&mut self, ms: u64) {
        let turn = u16::try_from(ms % 1000).unwrap();
        let captured = Duration::from_millis(ms);
        let person = |track: u16| {
            let x = f32::from((turn + 130 * track) % 200) / 200.0;
            Detection {
                class: 1,
                score: 0.3 + f32::from(turn % 7) / 14.0,
                x_min: x,
                x_max: x,
                y_min: 0.25,
                y_max: 0.75,
                track: track.into(),
                points: 0,
            }
        };
        let sighting = Sighting {
            captured,
            detections: (1..=3).map(person).collect(),
            ..Sighting::default()
        };
        self.notes.sighting(&sighting);
        self.evidence.see(sighting);
        let strength = if turn < 500 { 1.0 } else { 5.0 };
        self.evidence.measure(|values, samples| {
            for (channel, value) in values.iter_mut().enumerate() {
                let sample = |number: u64| {
                    let number = u32::try_from((ms * 31 + number * 7) % 13).unwrap();
                    strength * (f64::from(number) - 6.0) / 3.0
                };
                let each = (0..10).map(sample).map(Samples::of);
                samples[channel] = each.fold(Samples::NONE, Samples::merge);
                *value = (ms % 5000 > 40).then(|| sample(9));
            }
            0b11
        });
        let key = if turn < 20 { Level::High } else { Level::Low };
        let made = self
            .evidence
            .evaluate(&mut self.rules, captured, None, &[key]);
        self.evidence.sampled(|sampled| self.notes.samples(sampled));
        self.notes.evaluation(made, None);
        self.notes.state(&self.rules);
    }

    fn replayed(&self, files: &[PathBuf]) -> Report {
        let mut replay = Replay::of_findings(&self.appliance);
        for file in files {
            let bytes = std::fs::read(file).unwrap();
            let reader = Reader::new(bytes.as_slice()).unwrap();
            replay.begin(reader.header()).unwrap();
            for record in reader {
                replay.take(record.unwrap()).unwrap();
            }
        }
        replay.finish()
    }
}

/// A letter for each record, and all gaps together.
fn read(directory: &Path) -> (String, Gap) {
    let mut kinds = String::new();
    let mut gaps = Gap::default();
    for part in parts(&directory.join("recordings")).unwrap() {
        let bytes = std::fs::read(part).unwrap();
        for record in Reader::new(bytes.as_slice()).unwrap() {
            kinds.push(match record.unwrap() {
                Record::Model(_) => continue,
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
fn without_frames_no_picture_is_recorded() {
    let directory = Directory::new("no-frames");
    let mut rig = rig(&directory.0, true, 8);
    rig.recorder.frames = false;
    for ms in 1..=40 {
        rig.frame(ms, ms == 7);
        rig.recorder.round();
    }
    let not_kept = rig.recorder.link.metrics.frames_not_kept.load(Relaxed);
    rig.recorder.finish();
    let (kinds, gaps) = read(&directory.0);
    assert_eq!((kinds, gaps), ("se".repeat(40) + ".", Gap::default()));
    // A rule that asks for a picture has one, and slots come back.
    assert!(directory.0.join("snapshots/000000-seen.jpg").exists());
    assert_eq!(not_kept, 0);
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
    // The model too.
    assert_eq!((lost.frames, lost.decisions), (2, 5));
}

#[test]
fn a_part_is_decided_again_from_its_first_record_on_without_those_before() {
    let directory = Directory::new("parts");
    let mut rig = rig(&directory.0, true, 8);
    let recordings = directory.0.join("recordings");
    rig.recorder.files = Some(Files::new(&recordings, 40_000, 6, Header::default()));
    rig.notes.rules(&rig.rules);
    for turn in 1..=1500 {
        rig.decide(turn * 10);
        if turn % 3 == 0 {
            rig.recorder.round();
        }
    }
    rig.recorder.round();
    rig.recorder.flush();
    let files = parts(&recordings).unwrap();
    assert_eq!(files.len(), 6, "the first ones were rotated away");
    let all = rig.replayed(&files);
    assert!(all.same() && all.evaluations > 100, "{all:?}");
    assert_eq!((all.not_compared, all.states), (0, 5), "{all:?}");
    let mut counted = 0;
    for file in &files {
        let alone = rig.replayed(std::slice::from_ref(file));
        assert!(alone.same() && alone.not_compared == 0, "{alone:?}");
        counted += alone.evaluations;
    }
    assert_eq!(counted, all.evaluations);
    // A part is missing in the middle: the state after it stands in the next.
    let without = rig.replayed(&[&files[..2], &files[3..]].concat());
    assert!(without.same() && without.not_compared == 0, "{without:?}");
    let passed = rig.rules.counters()[0].value;
    assert!(
        passed > 100 && rig.rules.active(2),
        "{passed}: a lot is remembered"
    );
}

#[test]
fn another_state_than_the_rules_remember_is_a_difference() {
    let directory = Directory::new("states");
    let mut rig = rig(&directory.0, true, 8);
    rig.notes.rules(&rig.rules);
    for turn in 1..=20 {
        if turn == 10 || turn == 15 {
            rig.recorder.sources.notebook.wanted.store(true, Relaxed);
        }
        rig.decide(turn * 10);
        rig.recorder.round();
    }
    rig.recorder.flush();
    let file = &parts(&directory.0.join("recordings")).unwrap()[0];
    let bytes = std::fs::read(file).unwrap();
    let mut replay = Replay::of_findings(&rig.appliance);
    for record in Reader::new(bytes.as_slice()).unwrap() {
        let mut record = record.unwrap();
        if let (Record::State(state), true) = (&mut record, replay.report().states == 0) {
            // The counter stands at the end.
            *state.last_mut().unwrap() ^= 1;
        }
        replay.take(record).unwrap();
    }
    let report = replay.finish();
    assert_eq!(
        (report.states, report.states_different),
        (2, 2),
        "{report:?}"
    );
    assert!(!report.same());
}

#[test]
fn after_a_gap_the_state_is_asked_for_and_all_is_compared_again() {
    let directory = Directory::new("known");
    let mut rig = rig(&directory.0, true, 8);
    rig.notes.rules(&rig.rules);
    for turn in 1..=100 {
        rig.decide(turn * 10);
        // For a while nobody takes the notes.
        if !(30..70).contains(&turn) {
            rig.recorder.round();
        }
    }
    rig.recorder.flush();
    let report = rig.replayed(&parts(&directory.0.join("recordings")).unwrap());
    assert!(report.same() && report.decisions_missing > 10, "{report:?}");
    assert!(
        report.evaluations > 70 && report.not_compared < 10,
        "{report:?}"
    );
}
