//! Each file of a recording is looked at again alone: it says what models remember.

use crate::rig::{Rig, tensor};
use edgeai_camera::{CameraError, Frame, FrameSource, Plane};
use edgeai_config::Appliance;
use edgeai_decode::{ModelDescription, Names};
use edgeai_engine::{Delegation, Engine, EngineError, TensorInfo};
use edgeai_pipeline::{
    Eye, Inference, Introduction, Keeper, Kept, Perception, Recorder, Replay, Report, Sources,
    Step, step,
};
use edgeai_preprocess::SourceSpec;
use edgeai_realtime::monotonic_now;
use edgeai_recording::{Header, Reader, Record, parts};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

/// A directory that goes away with the test.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        Self(std::env::temp_dir().join(format!("edgeai-memory-{name}-{}", std::process::id())))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Two models that follow what moves before one camera, and one that listens to a motor.
fn appliance(directory: &Path, files: u32) -> Appliance {
    let directory = directory.display();
    let text = format!(
        r#"
        camera = {{ device = "/dev/null", size = [64, 48] }}
        model = [
            {{ name = "near", file = "/near", camera = "camera", track = {{ confirm_frames = 3 }} }},
            {{ name = "far", file = "/far", camera = "camera", track = {{ iou = 0.1, lost_ms = 20 }} }},
            {{ name = "ear", file = "/ear", sensor = "motor" }},
        ]
        output = [{{ name = "stop", line = "stop", safe = "high" }}]
        sensor = [{{ name = "motor", kind = "iio", device = "d", rate_hz = 1000, buffered = true, channel = [{{ name = "x", source = "x" }}] }}]
        deadline = {{ frame_to_action_ms = 60000 }}
        rule = [
            {{ name = "passed", when = {{ model = "near", crosses = [[0.5, 0.0], [0.5, 1.0]] }}, then = {{ count = "passed" }} }},
            {{ name = "left", when = {{ model = "far", crosses = [[0.3, 0.0], [0.3, 1.0]] }}, then = {{ count = "left" }} }},
            {{ name = "loud", when = {{ value = "ear.loud", above = 0.55 }}, then = {{ output = "stop", level = "high" }} }},
        ]
        recording = {{ directory = "{directory}", file_mib = 1, files = {files} }}
        "#
    );
    edgeai_config::parse("test.toml", &text).unwrap()
}

const BARS: &str = r#"
[model]
name = "bars"
task = "detect"
[input]
size = [32, 32]
range = [-1.0, 1.0]
[decode]
kind = "ssd-postprocessed"
score_threshold = 0.3
max_detections = 10
"#;

const LOUD: &str = r#"
[model]
name = "loud"
task = "classify"
[input]
kind = "samples"
samples = 4
rate_hz = 1000.0
[decode]
kind = "score"
mean_of = 7
"#;

/// A model that is a function.
struct Function {
    inputs: [TensorInfo; 1],
    outputs: Vec<TensorInfo>,
    input: Vec<u8>,
    output: Vec<Vec<u8>>,
    compute: fn(&[f32]) -> Vec<Vec<f32>>,
    delegation: Delegation,
}

impl Engine for Function {
    fn inputs(&self) -> &[TensorInfo] {
        &self.inputs
    }

    fn input_mut(&mut self, _index: usize) -> &mut [u8] {
        &mut self.input
    }

    fn input(&self, _index: usize) -> &[u8] {
        &self.input
    }

    fn invoke(&mut self) -> Result<(), EngineError> {
        let (bytes, _) = self.input.as_chunks();
        let input: Vec<_> = bytes
            .iter()
            .map(|bytes| f32::from_ne_bytes(*bytes))
            .collect();
        let output = (self.compute)(&input);
        self.output = output
            .iter()
            .map(|floats| {
                floats
                    .iter()
                    .flat_map(|float| float.to_ne_bytes())
                    .collect()
            })
            .collect();
        Ok(())
    }

    fn outputs(&self) -> &[TensorInfo] {
        &self.outputs
    }

    fn output(&self, index: usize) -> &[u8] {
        &self.output[index]
    }

    fn runtime(&self) -> &'static str {
        "rig 1"
    }

    fn delegation(&self) -> &Delegation {
        &self.delegation
    }
}

/// The bright runs of columns in the middle row: at most 6.
fn bars(pixels: &[f32]) -> Vec<Vec<f32>> {
    let bright = |x: usize| x < 32 && pixels[(16 * 32 + x) * 3] > 0.0;
    let edge = |x: usize| f32::from(u8::try_from(x).unwrap()) / 32.0;
    let mut boxes = Vec::new();
    let mut begin = 0;
    for x in 0..32 {
        if !bright(x) {
            begin = x + 1;
        } else if !bright(x + 1) {
            boxes.extend([0.25, edge(begin), 0.75, edge(x + 1)]);
        }
    }
    let count = f32::from(u8::try_from(boxes.len() / 4).unwrap());
    boxes.resize(6 * 4, 0.0);
    vec![boxes, vec![0.0; 6], vec![0.9; 6], vec![count]]
}

/// How loud it is, and how quiet.
fn loud(samples: &[f32]) -> Vec<Vec<f32>> {
    let sum: f32 = samples.iter().sum();
    vec![vec![sum / 4.0, 1.0 - sum / 4.0]]
}

fn inference(listens: bool) -> Inference {
    let (text, labels) = if listens {
        (LOUD, &["???", "loud", "quiet"][..])
    } else {
        (BARS, &["???", "bar"][..])
    };
    let mut description = ModelDescription::parse("model.toml", text).unwrap();
    description.labels = labels.iter().map(ToString::to_string).collect();
    let shapes: &[&[usize]] = if listens {
        &[&[1, 4], &[1, 2]]
    } else {
        &[&[1, 32, 32, 3], &[1, 6, 4], &[1, 6], &[1, 6], &[1]]
    };
    let mut tensors = shapes.iter().map(|shape| tensor("t", shape));
    let input = tensors.next().unwrap();
    let engine = Function {
        input: vec![0; input.bytes],
        inputs: [input],
        outputs: tensors.collect(),
        output: Vec::new(),
        compute: if listens { loud } else { bars },
        delegation: Delegation {
            operators: Vec::new(),
            devices: Vec::new(),
            fallback: None,
        },
    };
    Inference::new(Box::new(engine), description).unwrap()
}

/// Three bars that go to and fro, each as fast as it will.
struct Scene {
    pixels: Vec<u8>,
    sequence: u32,
}

const SOURCE: SourceSpec = crate::rig::GREY;

impl FrameSource for Scene {
    fn next(&mut self, _timeout: Duration) -> Result<Frame<'_>, CameraError> {
        self.sequence += 1;
        self.pixels.fill(128);
        let turn = self.sequence as usize;
        let places = [2 * turn, turn + 17, 3 * (turn / 2) + 40].map(|way| {
            let way = way % 112;
            way.min(112 - way)
        });
        for (at, pixel) in self.pixels.iter_mut().step_by(2).enumerate() {
            let lit = |place: &usize| (*place..place + 8).contains(&(at % 64));
            // Sometimes one is hidden.
            let hidden = usize::from(turn % 50 < 7);
            *pixel = if places[hidden..].iter().any(lit) {
                235
            } else {
                16
            };
        }
        let luma = Plane {
            bytes: &self.pixels,
            stride: 128,
        };
        Ok(Frame {
            planes: [luma, Plane::default(), Plane::default()],
            plane_count: 1,
            width: 64,
            height: 48,
            format: SOURCE.format,
            colour: SOURCE.colour,
            sequence: self.sequence,
            timestamp: monotonic_now(),
        })
    }

    fn dropped(&self) -> u64 {
        0
    }
}

/// Records so many frames, with so many slots for them, and windows. In turns that the signal thread `sleeps` it decides nothing; in
/// those that the recorder does it writes nothing.
fn record(
    appliance: &Appliance,
    turns: u32,
    slots: usize,
    sleeps: impl Fn(u32) -> bool,
    recorder_sleeps: impl Fn(u32) -> bool,
) -> Vec<PathBuf> {
    let mut inferences = [false, false, true].map(inference);
    let names: Vec<Names> = inferences.iter().map(|it| it.names().clone()).collect();
    let mut rig = Rig::with_names(appliance, &["stop"], &names);
    let (mut keeper, frames) = Keeper::new(0, slots, true, Kept::frame, Arc::clone(&rig.link));
    let (mut ear, windows) = Keeper::new(0, 12, true, Kept::window, Arc::clone(&rig.link));
    let (introduce, introductions) = channel();
    for (model, names) in names.into_iter().enumerate() {
        let runtime = String::new();
        let introduction = Introduction {
            model,
            runtime,
            names,
        };
        introduce.send(introduction).unwrap();
    }
    let sources = Sources {
        notebook: rig.notebook.take().unwrap(),
        shelves: vec![frames, windows],
        shelf_of: vec![0, 0, 1],
        introductions,
    };
    let header = Header::default();
    let link = Arc::clone(&rig.link);
    let mut recorder = Recorder::new(appliance, header, Path::new("/nonexistent"), sources, link);
    let [near, far, listener] = &mut inferences;
    let mut lanes = rig.lanes.drain(..);
    let (mut of_near, mut of_far) = (lanes.next().unwrap(), lanes.next().unwrap());
    let mut listening = lanes.next().unwrap();
    let eye = |model: usize, inference, lane| {
        let track = appliance.models[model].track.as_ref();
        let sight = Inference::look_through(inference, &SOURCE, None, track).unwrap();
        Eye { sight, lane }
    };
    let mut eyes = [eye(0, near, &mut of_near), eye(1, far, &mut of_far)];
    let mut hearing = listener.listen().unwrap();
    let mut scene = Scene {
        pixels: vec![128; 64 * 48 * 2],
        sequence: 0,
    };
    for turn in 1..=turns {
        let wait = Duration::from_secs(1);
        let seen = step(&mut scene, &mut eyes, Some(&mut keeper), &rig.link, wait);
        assert_eq!(seen, Ok(Step::Seen));
        // Windows come more rarely, and never together with the first frame of a file.
        if turn % 3 == 1 {
            let strength = f32::from(u8::try_from(turn * 7 % 101).unwrap()) / 100.0;
            let samples = [strength, strength / 2.0, 1.0, 0.3];
            let captured = monotonic_now();
            ear.keep_window((2, hearing.memory()), turn, captured, &samples);
            let mut seen = listening.take(hearing.names());
            (seen.sighting.sequence, seen.sighting.captured) = (turn, captured);
            hearing.hear(&samples, &mut seen.sighting).unwrap();
            listening.hand_over(seen, &rig.link);
        }
        if !sleeps(turn) {
            rig.signals.round();
        }
        if !recorder_sleeps(turn) {
            recorder.round();
        }
    }
    rig.signals.round();
    recorder.finish();
    parts(&appliance.recording.as_ref().unwrap().directory).unwrap()
}

fn records(files: &[PathBuf]) -> Vec<(Header, Vec<Record>)> {
    let read = |file: &PathBuf| {
        let bytes = std::fs::read(file).unwrap();
        let reader = Reader::new(bytes.as_slice()).unwrap();
        (
            reader.header().clone(),
            reader.map(Result::unwrap).collect(),
        )
    };
    files.iter().map(read).collect()
}

fn replayed(appliance: &Appliance, files: &[(Header, Vec<Record>)]) -> Report {
    let mut inferences = [false, false, true].map(inference);
    let models = appliance.models.iter().zip(&mut inferences).enumerate();
    let models = models
        .map(|(index, (described, inference))| Perception::new(index, described, inference))
        .collect();
    let mut replay = Replay::of_frames(appliance, models);
    for (header, records) in files {
        replay.begin(header).unwrap();
        for record in records {
            replay.take(record.clone()).unwrap();
        }
    }
    replay.finish()
}

/// Everything was made again, decided again and compared, and is the same.
fn all_the_same(report: &Report) -> bool {
    report.same()
        && report.sightings > 0
        && [
            report.not_compared,
            report.without_frame,
            report.without_memory,
            report.sightings_different,
        ] == [0; 4]
}

fn sightings(records: &[Record]) -> u64 {
    let sightings = records
        .iter()
        .filter(|it| matches!(it, Record::Sighting(_)));
    sightings.count() as u64
}

#[test]
fn each_file_is_looked_at_again_alone_from_its_first_frame_on() {
    let directory = Directory::new("alone");
    let appliance = appliance(&directory.0, 4);
    // Now and then two frames wait for the signal thread, and the models' sightings mix.
    let files = records(&record(
        &appliance,
        900,
        12,
        |turn| turn % 5 == 2,
        |turn| turn % 4 == 1,
    ));
    assert_eq!(files.len(), 4);
    assert!(files[0].0.part > 0, "the first ones were rotated away");
    let all = replayed(&appliance, &files);
    assert!(all_the_same(&all), "{all:?}");
    assert_eq!((all.memories, all.states), (3 * 3, 3), "{all:?}");
    let mut evaluations = 0;
    for file in &files {
        let alone = replayed(&appliance, std::slice::from_ref(file));
        assert!(all_the_same(&alone), "{alone:?}");
        assert_eq!(alone.sightings, sightings(&file.1));
        evaluations += alone.evaluations;
    }
    assert_eq!(evaluations, all.evaluations);
    let without = replayed(&appliance, &[&files[..1], &files[2..]].concat());
    assert!(all_the_same(&without), "{without:?}");
    // A lot was remembered: objects are followed, and cross lines, in every file.
    for (_, records) in &files {
        let mut counters = records.iter().filter_map(|record| match record {
            Record::Evaluation(made) => Some(made.decision.counters),
            _ => None,
        });
        let (first, last) = (
            counters.clone().next().unwrap(),
            counters.next_back().unwrap(),
        );
        assert!(
            last[0] > first[0] + 2 && last[1] > first[1] + 2,
            "{first:?}"
        );
    }
}

#[test]
fn without_what_models_remembered_or_with_something_else_it_is_not_the_same() {
    let directory = Directory::new("else");
    let appliance = appliance(&directory.0, 4);
    let files = records(&record(&appliance, 500, 12, |_| false, |_| false));
    assert_eq!(files[0].0.part, 0);
    let all = replayed(&appliance, &files);
    assert!(all_the_same(&all), "{all:?}");
    let alone = |change: &dyn Fn(&Record) -> Option<Record>| {
        let (header, records) = &files[1];
        let records = records.iter().filter_map(change).collect();
        (header.clone(), records)
    };
    let bare = alone(&|record| match record {
        Record::Memory(_) => None,
        other => Some(other.clone()),
    });
    let blind = replayed(&appliance, std::slice::from_ref(&bare));
    assert_eq!(
        (blind.sightings, blind.without_memory),
        (0, sightings(&bare.1))
    );
    for model in 0..3 {
        let other = alone(&|record| {
            let mut record = record.clone();
            if let Record::Memory(memory) = &mut record
                && memory.model == model
            {
                // A number that comes next, or a score.
                let place = if model == 2 { 17 } else { 2 };
                memory.bytes[place] ^= 2;
            }
            Some(record)
        });
        let found = replayed(&appliance, std::slice::from_ref(&other));
        assert!(
            found.sightings_different > 0 && !all_the_same(&found),
            "{found:?}"
        );
        let known = replayed(&appliance, &[files[0].clone(), other]);
        assert!(known.memories_different == 1 && !known.same(), "{known:?}");
        let first = known.first_memory_different.unwrap();
        assert!(first.contains("it remembered something else"), "{first}");
    }
}

#[test]
fn behind_gaps_all_is_made_again_and_compared() {
    let directory = Directory::new("gaps");
    let appliance = appliance(&directory.0, 4);
    // Of the first gap only frames are missing, of the second decisions, of the third sightings that the
    // signal thread never got.
    let recorder_sleeps = |turn: u32| (100..106).contains(&turn) || (200..260).contains(&turn);
    let sleeps = |turn: u32| (300..312).contains(&turn);
    let files = records(&record(&appliance, 500, 5, sleeps, recorder_sleeps));
    let report = replayed(&appliance, &files);
    assert!(report.same(), "{report:?}");
    assert!(report.frames_missing > 10, "{report:?}");
    assert!(report.decisions_missing > 10, "{report:?}");
    assert_eq!(report.sightings_different, 0, "{report:?}");
    // What has its frame is made again.
    let left_out = report.without_frame + report.without_memory;
    assert!((2..40).contains(&left_out), "{report:?}");
    let recorded: u64 = files.iter().map(|(_, records)| sightings(records)).sum();
    assert_eq!(report.sightings + left_out, recorded, "{report:?}");
    assert!(
        report.memories > 3 && report.evaluations > 900,
        "{report:?}"
    );
}

#[test]
fn without_frames_nothing_is_recorded_of_what_models_remember() {
    let directory = Directory::new("no-frames");
    let mut appliance = appliance(&directory.0, 4);
    if let Some(recording) = &mut appliance.recording {
        recording.frames = false;
    }
    let files = records(&record(&appliance, 30, 12, |_| false, |_| false));
    let only_decisions = |record: &Record| {
        !matches!(
            record,
            Record::Memory(_) | Record::Frame(_) | Record::Window(_)
        )
    };
    assert!(files[0].1.iter().all(only_decisions));
    assert_eq!(sightings(&files[0].1), 70);
}
