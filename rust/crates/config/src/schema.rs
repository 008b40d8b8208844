//! The types of `appliance.toml`. Every table refuses unknown keys.

use serde::Deserialize;
use std::path::PathBuf;

/// The whole appliance description.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Appliance {
    /// Where frames come from.
    pub camera: Camera,
    /// What looks at them.
    pub model: Model,
    /// How fast a frame must become an action.
    pub deadline: Deadline,
    /// Lines read, at most 32.
    #[serde(default, rename = "input")]
    pub inputs: Vec<Input>,
    /// Lines driven, at most 32.
    #[serde(default, rename = "output")]
    pub outputs: Vec<Output>,
    /// What is decided, in order; at most 64.
    #[serde(default, rename = "rule")]
    pub rules: Vec<Rule>,
    /// Real-time priorities.
    #[serde(default)]
    pub realtime: Realtime,
    /// Further programs of the image that PID 1 starts. Read from the image's own file only.
    #[serde(default, rename = "service")]
    pub services: Vec<Service>,
}

/// `[camera]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Camera {
    /// V4L2 capture node.
    pub device: PathBuf,
    /// Pixel format asked for.
    #[serde(default)]
    pub format: PixelFormat,
    /// Width and height in pixels, each 16 ..= 8192.
    pub size: [u32; 2],
    /// Frames per second asked for, 1 ..= 240.
    #[serde(default = "default_fps")]
    pub fps: u32,
}

/// Pixel formats, by their V4L2 names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub enum PixelFormat {
    /// 4:2:2 packed, two pixels in four bytes Y0 U Y1 V (`V4L2_PIX_FMT_YUYV`).
    #[default]
    #[serde(rename = "YUYV")]
    Yuyv,
    /// Three bytes R G B (`V4L2_PIX_FMT_RGB24`).
    #[serde(rename = "RGB24")]
    Rgb24,
}

impl PixelFormat {
    /// As it stands in the file.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Yuyv => "YUYV",
            Self::Rgb24 => "RGB24",
        }
    }
}

/// `[model]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// Name of a directory under a models directory (`/data/edgeai/models`, then
    /// `/usr/share/edgeai/models`), or an absolute path.
    pub file: String,
    /// Where operators run. Today: `cpu` (and `auto`, which means the same).
    #[serde(default)]
    pub accelerator: Accelerator,
    /// CPU threads of the engine, 1 ..= 16.
    #[serde(default = "default_threads")]
    pub threads: u32,
}

/// Values of `accelerator`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Accelerator {
    /// The fastest this build knows on this machine.
    #[default]
    Auto,
    /// CPU only.
    Cpu,
}

/// `[deadline]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deadline {
    /// From the capture timestamp of a frame to its actions on the lines, in ms, 1 ..= 60000.
    pub frame_to_action_ms: u32,
    /// What happens when it is missed.
    #[serde(default)]
    pub on_miss: OnMiss,
}

/// Values of `on_miss`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnMiss {
    /// All outputs take their safe level until a frame meets the deadline again.
    #[default]
    Safe,
    /// Counted and logged only.
    Warn,
}

/// `[[input]]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Name used in rules.
    pub name: String,
    /// `chip:offset` (`gpiochip0:17`) or the line's name.
    pub line: String,
    /// Edges that wake the signal thread.
    #[serde(default)]
    pub edge: Edge,
    /// A level counts after it has been stable for this long, ms, 0 ..= 10000.
    #[serde(default)]
    pub debounce_ms: u32,
}

/// Values of `edge`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Edge {
    /// Low to high.
    Rising,
    /// High to low.
    Falling,
    /// Either.
    #[default]
    Both,
}

/// `[[output]]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Output {
    /// Name used in rules.
    pub name: String,
    /// `chip:offset` or the line's name; no two outputs (or an input and an output) share a line.
    pub line: String,
    /// Level at start, on deadline miss, on any fault, and at shutdown.
    pub safe: Level,
}

/// A line's electrical level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// 0
    Low,
    /// 1
    High,
}

/// `[[rule]]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Name in the log.
    pub name: String,
    /// Condition.
    pub when: When,
    /// Action while it holds.
    pub then: Then,
}

/// `when = { … }`: either a detection (`class`) or an input (`input`), not both.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct When {
    /// Class label of the model.
    pub class: Option<String>,
    /// Least score to become true, 0 ..= 1; needed with `class`.
    pub score: Option<f32>,
    /// How far below `score` a detection may fall before the condition becomes false, 0 ..= 1.
    #[serde(default)]
    pub hysteresis: f32,
    /// Polygon of x, y in 0 ..= 1 of the frame, 3 ..= 32 points; the centre of the box
    /// must lie inside. Absent: whole frame.
    pub zone: Option<Vec<[f32; 2]>>,
    /// Name of an `[[input]]`.
    pub input: Option<String>,
    /// Level of that input at which the condition is true; needed with `input`.
    pub level: Option<Level>,
    /// The condition must have held for this long, ms, 0 ..= 3600000.
    #[serde(default)]
    pub for_ms: u32,
}

/// `then = { … }`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Then {
    /// Name of an `[[output]]`; all rules of one output must drive the same level.
    pub output: String,
    /// Level while the rule is active; the opposite otherwise.
    pub level: Level,
    /// The rule stays active for this long after its condition ended, ms, 0 ..= 3600000.
    #[serde(default)]
    pub hold_ms: u32,
}

/// `[realtime]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Realtime {
    /// `SCHED_FIFO` priority of the vision thread, 1 ..= 98.
    pub vision_priority: u8,
    /// `SCHED_FIFO` priority of the signal thread, 1 ..= 98, above the vision thread's.
    pub signal_priority: u8,
}

impl Default for Realtime {
    fn default() -> Self {
        Self {
            vision_priority: 50,
            signal_priority: 60,
        }
    }
}

/// `[[service]]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// Name in the log.
    pub name: String,
    /// Absolute program path and its arguments.
    pub exec: Vec<String>,
}

fn default_fps() -> u32 {
    30
}

fn default_threads() -> u32 {
    2
}
