//! The types of `appliance.toml`. Every table refuses unknown keys.

mod camera;
mod deadline;
mod model;
mod one_or_many;
mod rule;
mod sensor;
mod signal;

pub use camera::{Arrangement, Camera, PixelFormat};
pub use deadline::{Deadline, OnMiss, Realtime};
pub use model::{Accelerator, Model, OnFallback, Runtime, Track};
pub use rule::{Day, Direction, Rule, Statistic, Then, When};
pub use sensor::{Channel, OnFault, SampleType, Sensor, SensorKind};
pub use signal::{Bias, Drive, Edge, Gpio, GpioBackend, Input, Level, Output, Pwm};

use one_or_many::one_or_many;
use serde::Deserialize;

/// The whole appliance description.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Appliance {
    /// Where frames come from: one `[camera]`, or up to 4 `[[camera]]`.
    #[serde(default, rename = "camera", deserialize_with = "one_or_many")]
    #[cfg_attr(feature = "schema", schemars(with = "one_or_many::OneOrMany<Camera>"))]
    pub cameras: Vec<Camera>,
    /// What looks at them: one `[model]`, or up to 4 `[[model]]`.
    #[serde(default, rename = "model", deserialize_with = "one_or_many")]
    #[cfg_attr(feature = "schema", schemars(with = "one_or_many::OneOrMany<Model>"))]
    pub models: Vec<Model>,
    /// How fast a frame must become an action.
    pub deadline: Deadline,
    /// Which driver has the lines.
    #[serde(default)]
    pub gpio: Gpio,
    /// Lines read, at most 32.
    #[serde(default, rename = "input")]
    pub inputs: Vec<Input>,
    /// Measuring devices, at most 8.
    #[serde(default, rename = "sensor")]
    pub sensors: Vec<Sensor>,
    /// Lines driven, at most 32.
    #[serde(default, rename = "output")]
    pub outputs: Vec<Output>,
    /// What is decided; at most 64.
    #[serde(default, rename = "rule")]
    pub rules: Vec<Rule>,
    /// Real-time priorities.
    #[serde(default)]
    pub realtime: Realtime,
    /// What is kept for `edgeai replay`; absent: nothing.
    pub recording: Option<Recording>,
    /// Further programs of the image that PID 1 starts. Read from the image's own file only.
    #[serde(default, rename = "service")]
    pub services: Vec<Service>,
}

/// `[recording]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Recording {
    /// Directory of the recordings, absolute.
    pub directory: std::path::PathBuf,
    /// A recording ends at this size and the next begins, MiB, 1 ..= 65536.
    #[serde(default = "default_file_mib")]
    pub file_mib: u32,
    /// This many are kept, 1 ..= 1000; the oldest is deleted first.
    #[serde(default = "default_files")]
    pub files: u32,
    /// Frames, and windows of samples, are kept too; without them a recording holds findings, inputs,
    /// values of sensors and decisions, and no picture.
    #[serde(default = "default_frames")]
    pub frames: bool,
}

/// `[[service]]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// Name in the log.
    pub name: String,
    /// Absolute program path and its arguments.
    pub exec: Vec<String>,
}

fn default_file_mib() -> u32 {
    64
}

fn default_frames() -> bool {
    true
}

fn default_files() -> u32 {
    4
}
