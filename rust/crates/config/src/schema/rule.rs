//! `[[rule]]`

use crate::Level;
use serde::Deserialize;

/// `[[rule]]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Name in the log.
    pub name: String,
    /// Condition.
    pub when: When,
    /// Action while it holds.
    pub then: Then,
}

/// `when = { … }`: exactly one of `class`, `crosses`, `value`, `input`, `between`, `all`, `any`,
/// `not` says what kind of condition it is; the other keys refine it. (In `crosses`, `class` is a
/// refinement.) `all`, `any` and `not` stand in one another at most 4 deep, with at most 64
/// conditions in a rule.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct When {
    /// Detections: class label of the model; needs `score`.
    pub class: Option<String>,
    /// Least score at which an object counts, 0 ..= 1. Needed with `class`, except in `crosses`.
    pub score: Option<f32>,
    /// How far below `score` (at most `score`), or back from `above` or `below`, it may fall before
    /// the condition becomes false, 0 or more.
    pub hysteresis: f64,
    /// Polygon of x, y in 0 ..= 1 of the frame, 3 ..= 32 points; the centre of the box, or
    /// `point`, must lie inside. Absent: whole frame. With `class`.
    pub zone: Option<Vec<[f32; 2]>>,
    /// Key point of the object that must lie in `zone`, instead of the box's centre, and have at
    /// least the same score.
    pub point: Option<String>,
    /// At least so many at once, 1 ..= 100. Absent: 1. With `class`.
    pub count: Option<u32>,
    /// Tracks: a line between two points of the frame, x, y in 0 ..= 1. True for the result in
    /// which an object (of `class`, if given) is seen to have gone over it. The model needs
    /// `track`.
    pub crosses: Option<[[f32; 2]; 2]>,
    /// From which side, seen from the first point of `crosses` to the second. Absent: either.
    pub direction: Option<Direction>,
    /// Model that `class` or `crosses` is of. Absent: the only one.
    pub model: Option<String>,
    /// A number: `sensor.channel`, or `model.value` (an anomaly, the area of a class, …). Needs
    /// `above` or `below`.
    pub value: Option<String>,
    /// `value`: true above this.
    pub above: Option<f64>,
    /// `value`: true below this.
    pub below: Option<f64>,
    /// The number is the `statistic` of the last so many ms, 1 ..= 60000, and unknown until there
    /// have been samples for so long. Absent: the latest value.
    pub over_ms: Option<u32>,
    /// Which number describes the samples of `over_ms`; needed with it.
    pub statistic: Option<Statistic>,
    /// Name of an `[[input]]`.
    pub input: Option<String>,
    /// Level of that input at which the condition is true; needed with `input`.
    pub level: Option<Level>,
    /// Time of day, from and to, `["22:00", "06:00"]`, local time; to the end of a day: `"24:00"`.
    pub between: Option<[String; 2]>,
    /// Days of the week on which `between` begins. Absent: every day.
    pub days: Option<Vec<Day>>,
    /// True when all are, 1 ..= 16.
    pub all: Option<Vec<When>>,
    /// True when one is, 1 ..= 16.
    pub any: Option<Vec<When>>,
    /// True when it is not.
    pub not: Option<Box<When>>,
    /// The condition must have been true for this long, ms, 0 ..= 3600000. Not with `crosses`.
    pub for_ms: u32,
}

/// Values of `direction`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// Seen from the first point to the second, from the left side to the right.
    LeftToRight,
    /// From the right side to the left.
    RightToLeft,
}

/// Values of `statistic`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Statistic {
    /// Arithmetic mean.
    Mean,
    /// Least.
    Min,
    /// Greatest.
    Max,
    /// Root of the mean square about the mean.
    Rms,
    /// Greatest less least.
    PeakToPeak,
}

/// Days of `days`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)] // the names say it
pub enum Day {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

/// `then = { … }`: at least one of `output`, `count`, `log`, `telemetry`, `snapshot`.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Then {
    /// Name of an `[[output]]`; all rules of one output must drive the same level.
    pub output: Option<String>,
    /// Level while the rule is active; the opposite otherwise. Needed with `output`.
    pub level: Option<Level>,
    /// The rule stays active for this long after its condition ended, ms, 0 ..= 3600000. Not with
    /// `latch`.
    pub hold_ms: u32,
    /// After it ended the rule cannot become active again for this long, ms, 0 ..= 3600000.
    pub cooldown_ms: u32,
    /// Once active the rule stays so until `reset`; needs it.
    pub latch: bool,
    /// Name of the `[[input]]` whose rising to `high` ends a latched rule whose condition is false.
    pub reset: Option<String>,
    /// Name of a counter that goes up by one each time the rule becomes active; if there are lines
    /// in the condition, by every crossing while the rule is active and its condition true.
    pub count: Option<String>,
    /// Line for the log when the rule becomes active, 1 ..= 200 characters.
    pub log: Option<String>,
    /// Send the rule's changes to telemetry.
    pub telemetry: bool,
    /// Keep the frame when the rule becomes active.
    pub snapshot: bool,
}
