//! What a decision is made from.

use edgeai_config::{Day, Level, Samples};
use edgeai_decode::Findings;
use std::time::Duration;

/// Everything known at one time. Two equal sequences of observations give equal decisions.
#[derive(Debug, Clone, Copy, Default)]
pub struct Observation<'a> {
    /// Monotonic time.
    pub now: Duration,
    /// Local time of day; `None`: not known (the clock has not been set).
    pub wall: Option<Wall>,
    /// The latest result of each model, in the description's order. A model's result counts from
    /// the first that was `fresh`; before, what needs it is unknown.
    pub models: &'a [Findings<'a>],
    /// Bit `m`: `models[m]` is a new result since the last evaluation. An old one is not looked at
    /// again.
    pub fresh: u32,
    /// Bit `m`: model `m` gives no results now (its camera or sensor is gone); what needs it is
    /// unknown until it is `fresh` again.
    pub lost: u32,
    /// Levels of all inputs in the description's order; missing at the end: unknown.
    pub inputs: &'a [Level],
    /// Every channel of every sensor, in the description's order; `None`, missing at the end or
    /// not finite: unknown.
    pub sensors: &'a [Option<f64>],
    /// Bit `c`: `sensors[c]` is a new sample since the last evaluation. Only statistics
    /// (`over_ms`) make a difference between old and new ones.
    pub sensors_fresh: u64,
    /// Of each channel all samples since the last evaluation, where there were several; statistics
    /// (`over_ms`) are made of these. Missing at the end or none: the value in `sensors` is the only
    /// one. Looked at only where `sensors_fresh` says so.
    pub samples: &'a [Samples],
}

/// Local time of day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wall {
    /// Day of the week.
    pub day: Day,
    /// Seconds since midnight, 0 ..= 86399.
    pub second: u32,
}

/// What has become of something observed since the last evaluation.
#[derive(Debug, Clone, Copy)]
pub(crate) enum News<T> {
    /// It cannot be told.
    Unknown,
    /// As it was.
    Same,
    New(T),
}

impl<'a> Observation<'a> {
    pub(crate) fn model(&self, index: usize) -> News<Findings<'a>> {
        match self.models.get(index) {
            None => News::Unknown,
            Some(_) if bit(self.lost.into(), index) => News::Unknown,
            Some(findings) if bit(self.fresh.into(), index) => News::New(*findings),
            Some(_) => News::Same,
        }
    }

    /// A channel's value, and whether it is a new one.
    pub(crate) fn sensor(&self, channel: usize) -> Option<(f64, bool)> {
        let value = self.sensors.get(channel).copied().flatten()?;
        let fresh = bit(self.sensors_fresh, channel);
        value.is_finite().then_some((value, fresh))
    }

    /// All samples of a fresh channel whose latest is `value`.
    pub(crate) fn samples(&self, channel: usize, value: f64) -> Samples {
        let several = self.samples.get(channel).filter(|it| it.count > 0.0);
        several.copied().unwrap_or(Samples::of(value))
    }
}

fn bit(mask: u64, index: usize) -> bool {
    index < 64 && mask >> index & 1 == 1
}
