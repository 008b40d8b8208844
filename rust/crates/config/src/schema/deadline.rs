//! `[deadline]` and `[realtime]`

use serde::Deserialize;

/// `[deadline]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum OnMiss {
    /// All outputs take their safe level until a frame meets the deadline again.
    #[default]
    Safe,
    /// Counted and logged only.
    Warn,
}

/// `[realtime]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Realtime {
    /// `SCHED_FIFO` priority of the vision threads, 1 ..= 98.
    pub vision_priority: u8,
    /// `SCHED_FIFO` priority of the signal thread, 1 ..= 98, above the vision threads'.
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
