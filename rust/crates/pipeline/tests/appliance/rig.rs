//! An appliance without hardware: frames, model and lines in memory.

use edgeai_camera::{CameraError, Frame};
use edgeai_config::{Appliance, Level, PixelFormat};
use edgeai_decode::ModelDescription;
use edgeai_engine::{ElementType, Engine, EngineError, TensorInfo};
use edgeai_pipeline::{Detector, Event, FrameSource, Handover, Link, Signals};
use edgeai_realtime::monotonic_now;
use edgeai_rules::Rules;
use edgeai_signal::simulated::Bench;
use rtrb::{Consumer, Producer, RingBuffer};
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

/// A model that sees what it is told to: four anchors, the first of which has the logit.
pub struct Eye {
    input: TensorInfo,
    outputs: [TensorInfo; 2],
    pixels: Vec<u8>,
    boxes: Vec<u8>,
    logits: Vec<u8>,
}

impl Eye {
    pub fn new(person: bool) -> Self {
        let tensor = |name: &str, shape: &[usize]| TensorInfo {
            name: name.into(),
            shape: shape.to_vec(),
            element: ElementType::F32,
            scale: 0.0,
            zero_point: 0,
            bytes: shape.iter().product::<usize>() * 4,
        };
        let mut logits = [-10.0_f32; 12];
        logits[1] = if person { 4.0 } else { -4.0 };
        Self {
            input: tensor("image", &[1, 32, 32, 3]),
            outputs: [tensor("boxes", &[1, 4, 4]), tensor("logits", &[1, 4, 3])],
            pixels: vec![0; 32 * 32 * 3 * 4],
            boxes: vec![0; 4 * 4 * 4],
            logits: logits
                .iter()
                .flat_map(|logit| logit.to_ne_bytes())
                .collect(),
        }
    }
}

impl Engine for Eye {
    fn input(&self) -> &TensorInfo {
        &self.input
    }

    fn input_mut(&mut self) -> &mut [u8] {
        &mut self.pixels
    }

    fn invoke(&mut self) -> Result<(), EngineError> {
        Ok(())
    }

    fn output_count(&self) -> usize {
        2
    }

    fn output_info(&self, index: usize) -> &TensorInfo {
        &self.outputs[index]
    }

    fn output(&self, index: usize) -> &[u8] {
        [&self.boxes, &self.logits][index]
    }

    fn runtime(&self) -> &'static str {
        "rig 1"
    }
}

/// A detector that sees a person in every frame, or nothing.
pub fn detector(person: bool) -> Detector {
    let mut description = ModelDescription::parse("model.toml", MODEL).unwrap();
    description.labels = labels();
    Detector::new(Box::new(Eye::new(person)), description).unwrap()
}

pub fn labels() -> Vec<String> {
    LABELS.map(String::from).to_vec()
}

/// Grey frames, each captured `age` before it is asked for.
pub struct Grey {
    pixels: Vec<u8>,
    sequence: u32,
    pub age: Duration,
}

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
        Ok(Frame {
            pixels: &self.pixels,
            width: 64,
            height: 48,
            stride: 128,
            format: PixelFormat::Yuyv,
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
    pub queue: Producer<Handover>,
    pub events: Consumer<Event>,
}

impl Rig {
    pub fn new(appliance: &Appliance, lines: &[&str]) -> Self {
        let bench = Bench::new(lines);
        let link = Arc::new(Link::new().unwrap());
        let (mut queue, handovers) = RingBuffer::new(8);
        let (producer, events) = RingBuffer::new(256);
        let signals = Signals::new(
            appliance,
            || bench.clone(),
            handovers,
            producer,
            Arc::clone(&link),
        );
        let rules = Rules::new(appliance, &labels()).unwrap();
        assert!(queue.push(Handover::Rules(Box::new(rules))).is_ok());
        Self {
            bench,
            link,
            signals,
            queue,
            events,
        }
    }

    /// Levels of `stop` and `lamp`.
    pub fn levels(&self) -> (Level, Level) {
        (self.bench.level("stop"), self.bench.level("lamp"))
    }
}
