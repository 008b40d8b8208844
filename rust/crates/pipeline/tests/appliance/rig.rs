//! An appliance without hardware: frames, model and lines in memory.

use edgeai_camera::{CameraError, Frame, FrameSource, Plane};
use edgeai_config::{Appliance, Colour, Level, PixelFormat};
use edgeai_decode::{ModelDescription, Names};
use edgeai_engine::{Delegation, ElementType, Engine, EngineError, TensorInfo};
use edgeai_pipeline::{
    Event, Handover, Inference, Keeper, Kept, Lane, Link, Notebook, Roster, Shelf, Signals, lane,
    notes,
};
use edgeai_preprocess::SourceSpec;
use edgeai_realtime::monotonic_now;
use edgeai_signal::simulated::Bench;
use rtrb::{Consumer, RingBuffer};
use std::sync::Arc;
use std::time::Duration;

pub const LABELS: [&str; 3] = ["???", "Person", "Cat"];

const MODEL: &str = r#"
[model]
name = "rig"
task = "detect"
[input]
size = [32, 32]
range = [-1.0, 1.0]
[decode]
kind = "ssd"
score_threshold = 0.3
nms_iou = 0.5
max_detections = 10
score = "sigmoid"
box_scale = [10.0, 10.0, 5.0, 5.0]
[decode.anchors]
layers = 1
scale_min = 0.5
scale_max = 0.5
aspect_ratios = [1.0]
strides = [16]
"#;

/// `deadline_ms` and `on_miss` of an appliance whose `stop` goes high when a person is seen and
/// whose `lamp` is low while the door (debounced 0 ms) is open.
pub fn appliance(deadline_ms: u32, on_miss: &str) -> Appliance {
    let text = format!(
        r#"
[camera]
device = "/dev/null"
size = [64, 48]
[model]
file = "/nonexistent"
[deadline]
frame_to_action_ms = {deadline_ms}
on_miss = "{on_miss}"
[[input]]
name = "door"
line = "door"
[[output]]
name = "stop"
line = "stop"
safe = "high"
[[output]]
name = "lamp"
line = "lamp"
safe = "low"
[[rule]]
name = "person"
when = {{ class = "Person", score = 0.5 }}
then = {{ output = "stop", level = "high" }}
[[rule]]
name = "door-open"
when = {{ input = "door", level = "high" }}
then = {{ output = "lamp", level = "low" }}
"#
    );
    edgeai_config::parse("rig.toml", &text).unwrap()
}

/// Of floats.
pub fn tensor(name: &str, shape: &[usize]) -> TensorInfo {
    TensorInfo {
        name: name.into(),
        shape: shape.to_vec(),
        element: ElementType::F32,
        scale: 0.0,
        zero_point: 0,
        bytes: shape.iter().product::<usize>() * 4,
    }
}

/// A model that sees what it is told to: four anchors, the first of which has the logit.
pub struct Eye {
    inputs: [TensorInfo; 1],
    outputs: [TensorInfo; 2],
    pixels: Vec<u8>,
    boxes: Vec<u8>,
    logits: Vec<u8>,
    delegation: Delegation,
}

impl Eye {
    pub fn new(person: bool) -> Self {
        let mut logits = [-10.0_f32; 12];
        logits[1] = if person { 4.0 } else { -4.0 };
        Self {
            inputs: [tensor("image", &[1, 32, 32, 3])],
            outputs: [tensor("boxes", &[1, 4, 4]), tensor("logits", &[1, 4, 3])],
            pixels: vec![0; 32 * 32 * 3 * 4],
            boxes: vec![0; 4 * 4 * 4],
            logits: logits
                .iter()
                .flat_map(|logit| logit.to_ne_bytes())
                .collect(),
            delegation: Delegation {
                operators: Vec::new(),
                devices: Vec::new(),
                fallback: None,
            },
        }
    }
}

impl Engine for Eye {
    fn inputs(&self) -> &[TensorInfo] {
        &self.inputs
    }

    fn input_mut(&mut self, _index: usize) -> &mut [u8] {
        &mut self.pixels
    }

    fn input(&self, _index: usize) -> &[u8] {
        &self.pixels
    }

    fn invoke(&mut self) -> Result<(), EngineError> {
        Ok(())
    }

    fn outputs(&self) -> &[TensorInfo] {
        &self.outputs
    }

    fn output(&self, index: usize) -> &[u8] {
        [&self.boxes, &self.logits][index]
    }

    fn runtime(&self) -> &'static str {
        "rig 1"
    }

    fn delegation(&self) -> &Delegation {
        &self.delegation
    }
}

/// A model that sees a person in every frame, or nothing.
pub fn inference(person: bool) -> Inference {
    let mut description = ModelDescription::parse("model.toml", MODEL).unwrap();
    description.labels = names().labels;
    Inference::new(Box::new(Eye::new(person)), description).unwrap()
}

pub fn names() -> Names {
    Names {
        labels: LABELS.map(String::from).to_vec(),
        ..Names::default()
    }
}

/// Grey frames, each captured `age` before it is asked for.
pub struct Grey {
    pixels: Vec<u8>,
    sequence: u32,
    pub age: Duration,
}

/// What [`Grey`] delivers.
pub const GREY: SourceSpec = SourceSpec {
    format: PixelFormat::Yuyv,
    colour: Colour {
        matrix: edgeai_config::Matrix::Bt601,
        range: edgeai_config::Range::Limited,
    },
    size: [64, 48],
};

impl Grey {
    pub fn new(age: Duration) -> Self {
        Self {
            pixels: vec![128; 64 * 48 * 2],
            sequence: 0,
            age,
        }
    }
}

impl FrameSource for Grey {
    fn next(&mut self, _timeout: Duration) -> Result<Frame<'_>, CameraError> {
        self.sequence += 1;
        let luma = Plane {
            bytes: &self.pixels,
            stride: 128,
        };
        Ok(Frame {
            planes: [luma, Plane::default(), Plane::default()],
            plane_count: 1,
            width: 64,
            height: 48,
            format: GREY.format,
            colour: GREY.colour,
            sequence: self.sequence,
            timestamp: monotonic_now().saturating_sub(self.age),
        })
    }

    fn dropped(&self) -> u64 {
        0
    }
}

/// The signal side on a bench, driven by hand.
pub struct Rig {
    pub bench: Bench,
    pub link: Arc<Link>,
    pub signals: Signals<Bench>,
    /// One for each model.
    pub lanes: Vec<Lane>,
    pub events: Consumer<Event>,
    /// What is noted for a recorder, if the appliance asks for one.
    pub notebook: Option<Notebook>,
}

impl Rig {
    pub fn new(appliance: &Appliance, lines: &[&str]) -> Self {
        Self::with_names(appliance, lines, &vec![names(); appliance.models.len()])
    }

    /// `names` of each model.
    pub fn with_names(appliance: &Appliance, lines: &[&str], names: &[Names]) -> Self {
        let bench = Bench::new(lines);
        let link = Arc::new(Link::new(appliance).unwrap());
        let (mut models, inboxes): (Vec<_>, Vec<_>) = (0..appliance.models.len()).map(lane).unzip();
        let (producer, events) = RingBuffer::new(256);
        let (kept, notebook) = appliance.recording.as_ref().map(|_| notes(true, 0)).unzip();
        let signals = Signals::new(
            appliance,
            || bench.clone(),
            inboxes,
            kept,
            producer,
            Arc::clone(&link),
        );
        let roster = Roster::new(Arc::new(appliance.clone()));
        for (lane, names) in models.iter_mut().zip(names) {
            if let Some(rules) = roster.enter(lane.model, names).unwrap() {
                lane.insist(Handover::Rules(rules), &link);
            }
        }
        Self {
            bench,
            link,
            signals,
            lanes: models,
            events,
            notebook,
        }
    }

    /// A copy of every frame, for a recorder.
    pub fn keeper(&self) -> (Keeper, Shelf) {
        Keeper::new(0, 4, true, Kept::frame, Arc::clone(&self.link))
    }

    /// Levels of `stop` and `lamp`.
    pub fn levels(&self) -> (Level, Level) {
        (self.bench.level("stop"), self.bench.level("lamp"))
    }
}
