//! `[model]`

use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// `[model]` or `[[model]]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// Name in the log and in rules.
    #[serde(default = "default_name")]
    pub name: String,
    /// Name of a directory under a models directory (`/data/edgeai/models`, then
    /// `/usr/share/edgeai/models`), or an absolute path.
    pub file: String,
    /// Name of the camera it looks through. Absent: the only one.
    pub camera: Option<String>,
    /// Name of the sensor it listens to, instead of a camera.
    pub sensor: Option<String>,
    /// Part of the frame it sees: x, y, width, height, each 0 ..= 1 of the frame. Absent: all.
    pub crop: Option<[f32; 4]>,
    /// Which runtime.
    #[serde(default)]
    pub runtime: Runtime,
    /// Where operators run.
    #[serde(default)]
    pub accelerator: Accelerator,
    /// Options of the delegate, as it documents them. Not with `auto` or `cpu`.
    #[serde(default)]
    pub options: BTreeMap<String, String>,
    /// What to do when operators end on the CPU although an accelerator was asked for.
    #[serde(default)]
    pub on_fallback: OnFallback,
    /// CPU threads of the engine, 1 ..= 16.
    #[serde(default = "default_threads")]
    pub threads: u32,
    /// Follow objects from frame to frame.
    pub track: Option<Track>,
}

/// Values of `runtime`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Runtime {
    /// The fastest that can run the model where it is to run.
    #[default]
    Auto,
    /// LiteRT.
    Litert,
    /// TensorFlow Lite's C API.
    Tflite,
}

/// Values of `accelerator`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(from = "String")]
pub enum Accelerator {
    /// The fastest this build knows on this machine.
    #[default]
    Auto,
    /// CPU only.
    Cpu,
    /// A delegate by its short name: `teflon`, `vx`, `edgetpu`, `ethosu`.
    Named(String),
    /// Absolute path of a delegate library with the plugin entry points
    /// (`tflite_plugin_create_delegate`).
    Library(PathBuf),
}

impl Accelerator {
    /// Short names of delegates.
    pub const NAMES: [&str; 4] = ["teflon", "vx", "edgetpu", "ethosu"];
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Accelerator {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Accelerator".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let names: Vec<_> = ["auto", "cpu"].into_iter().chain(Self::NAMES).collect();
        schemars::json_schema!({
            "description": "Values of `accelerator`; a path is that of a delegate library.",
            "anyOf": [{ "enum": names }, { "type": "string", "pattern": "^/" }],
        })
    }
}

impl From<String> for Accelerator {
    fn from(text: String) -> Self {
        match &*text {
            "auto" => Self::Auto,
            "cpu" => Self::Cpu,
            _ if text.starts_with('/') => Self::Library(text.into()),
            _ => Self::Named(text),
        }
    }
}

/// Values of `on_fallback`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum OnFallback {
    /// Said in the log.
    #[default]
    Warn,
    /// The model is not run; the outputs stay safe.
    Fail,
}

/// `model.track`: which object of this frame is which of the last.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Track {
    /// Least overlap with where the object is expected (intersection over union), 0 ..= 1.
    #[cfg_attr(feature = "schema", schemars(extend("default" = 0.3)))]
    pub iou: f32,
    /// Seen in so many frames it gets its number, 1 ..= 100.
    pub confirm_frames: u32,
    /// Not seen for so long it is forgotten, ms, 0 ..= 60000.
    pub lost_ms: u32,
}

impl Default for Track {
    fn default() -> Self {
        Self {
            iou: 0.3,
            confirm_frames: 2,
            lost_ms: 500,
        }
    }
}

fn default_name() -> String {
    "model".into()
}

fn default_threads() -> u32 {
    2
}
