//! `[gpio]`, `[[input]]` and `[[output]]`

use serde::Deserialize;

/// `[gpio]`
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Gpio {
    /// Which driver.
    pub backend: GpioBackend,
}

/// Values of `backend`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum GpioBackend {
    /// The kernel's GPIO character device.
    #[default]
    Cdev,
    /// The `rppal` crate, on a Raspberry Pi; lines are `gpiochip0:<BCM number>`.
    Rppal,
}

/// `[[input]]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
    /// The line's pull resistor.
    #[serde(default)]
    pub bias: Bias,
    /// `high` means that the line is at ground.
    #[serde(default)]
    pub active_low: bool,
}

/// Values of `edge`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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

/// Values of `bias`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Bias {
    /// As the board has it.
    #[default]
    AsIs,
    /// Towards the supply.
    PullUp,
    /// Towards ground.
    PullDown,
    /// None.
    Disabled,
}

/// `[[output]]`: either `line` or `pwm`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Output {
    /// Name used in rules.
    pub name: String,
    /// `chip:offset` or the line's name; no two outputs (or an input and an output) share a line.
    pub line: Option<String>,
    /// A PWM channel.
    pub pwm: Option<Pwm>,
    /// Level at start, on deadline miss, on any fault, and at shutdown.
    pub safe: Level,
    /// `high` means that the line is at ground. With `line`.
    #[serde(default)]
    pub active_low: bool,
    /// How the line is driven. With `line`.
    #[serde(default)]
    pub drive: Drive,
    /// For relays: a level other than the safe one is driven no sooner than this after the last
    /// change, ms, 0 ..= 60000. The safe level is never delayed.
    #[serde(default)]
    pub min_interval_ms: u32,
}

/// Values of `drive`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Drive {
    /// Both levels.
    #[default]
    PushPull,
    /// Ground only.
    OpenDrain,
    /// Supply only.
    OpenSource,
}

/// `output.pwm`: a level is a duty cycle.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Pwm {
    /// `pwmchip<number>:<channel>`, like `pwmchip0:1`.
    pub channel: String,
    /// Hz, 0.1 ..= 1000000.
    pub frequency_hz: f64,
    /// Duty cycle at level `low`, 0 ..= 1.
    #[serde(default)]
    pub low: f64,
    /// Duty cycle at level `high`, 0 ..= 1.
    #[serde(default = "default_high")]
    pub high: f64,
}

/// A line's level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, serde::Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// 0
    Low,
    /// 1
    High,
}

fn default_high() -> f64 {
    1.0
}
