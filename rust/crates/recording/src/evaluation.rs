//! One evaluation of the rules: all that went in, and what came out.

use crate::bytes::{Content, Fields};
use crate::code;
use edgeai_config::Day;
use std::time::Duration;

/// Most channels of all sensors together.
pub const MAX_CHANNELS: usize = 64;
/// Most counters: one for each of 64 rules.
pub const MAX_COUNTERS: usize = 64;

/// What went into the rules besides the last sighting of each model, and what came out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Evaluation {
    /// The rules' own time, on `CLOCK_MONOTONIC`.
    pub now: Duration,
    /// Local day and second of the day; none while the clock is not set.
    pub wall: Option<(Day, u32)>,
    /// Bit m: the last sighting of model m is new.
    pub fresh: u32,
    /// Inputs whose levels are known: the first so many.
    pub input_count: u8,
    /// Bit i: the debounced level of input i is high.
    pub inputs: u32,
    /// Bit c: the value of channel c is new.
    pub sensors_fresh: u64,
    /// The last value of each channel, none if not known.
    pub sensors: [Option<f64>; MAX_CHANNELS],
    /// What was decided.
    pub decision: Decision,
    /// Bit i: output i was left at high; differs from the decision where the outputs are safe.
    pub driven: u32,
    /// The outputs are held at their safe level.
    pub safe: bool,
}

/// What the rules say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// Bit i: output i shall be high.
    pub levels: u32,
    /// Bit r: rule r is active.
    pub active: u64,
    /// Bit r: rule r has just become active.
    pub started: u64,
    /// The value of each counter; unused ones are 0.
    pub counters: [u64; MAX_COUNTERS],
}

impl Default for Decision {
    fn default() -> Self {
        Self {
            levels: 0,
            active: 0,
            started: 0,
            counters: [0; MAX_COUNTERS],
        }
    }
}

impl Default for Evaluation {
    fn default() -> Self {
        Self {
            now: Duration::ZERO,
            wall: None,
            fresh: 0,
            input_count: 0,
            inputs: 0,
            sensors_fresh: 0,
            sensors: [None; MAX_CHANNELS],
            decision: Decision::default(),
            driven: 0,
            safe: false,
        }
    }
}

/// Stands for "the clock is not set".
const NO_DAY: u8 = 255;

impl Evaluation {
    pub(crate) fn encode(&self, fields: &mut Fields<'_>) {
        fields.time(self.now);
        let (day, second) = self
            .wall
            .map_or((NO_DAY, 0), |(day, second)| (code::of_day(day), second));
        fields.u8(day);
        fields.u32(second);
        fields.u32(self.fresh);
        fields.u8(self.input_count);
        fields.u32(self.inputs);
        fields.u64(self.sensors_fresh);
        let known = |known, (channel, value): (usize, &Option<f64>)| {
            known | u64::from(value.is_some()) << channel
        };
        let known: u64 = self.sensors.iter().enumerate().fold(0, known);
        fields.u64(known);
        for value in self.sensors.iter().flatten() {
            fields.f64(*value);
        }
        fields.u32(self.decision.levels);
        fields.u64(self.decision.active);
        fields.u64(self.decision.started);
        let counters = &self.decision.counters;
        let used = counters
            .iter()
            .rposition(|value| *value != 0)
            .map_or(0, |last| last + 1);
        let used = fields.count(used);
        for value in counters.iter().take(used) {
            fields.u64(*value);
        }
        fields.u32(self.driven);
        fields.u8(u8::from(self.safe));
    }

    pub(crate) fn decode(content: &mut Content<'_>) -> Result<Self, &'static str> {
        let now = content.time()?;
        let (day, second) = (content.u8()?, content.u32()?);
        let wall = match day {
            NO_DAY => None,
            // A leap second included.
            _ if second > 86_400 => return Err("no such second of a day"),
            _ => Some((code::day(day)?, second)),
        };
        let fresh = content.u32()?;
        let input_count = content.u8()?;
        let inputs = content.u32()?;
        let sensors_fresh = content.u64()?;
        let known = content.u64()?;
        let mut sensors = [None; MAX_CHANNELS];
        for (channel, value) in sensors.iter_mut().enumerate() {
            if known >> channel & 1 == 1 {
                *value = Some(content.f64()?);
            }
        }
        let mut decision = Decision {
            levels: content.u32()?,
            active: content.u64()?,
            started: content.u64()?,
            ..Decision::default()
        };
        let used = usize::from(content.u16()?);
        let counters = decision.counters.get_mut(..used);
        for value in counters.ok_or("more counters than there can be")? {
            *value = content.u64()?;
        }
        Ok(Self {
            now,
            wall,
            fresh,
            input_count,
            inputs,
            sensors_fresh,
            sensors,
            decision,
            driven: content.u32()?,
            safe: content.u8()? != 0,
        })
    }
}
