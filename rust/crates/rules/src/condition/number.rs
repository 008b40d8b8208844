//! `value`

use super::window::Window;
use super::{TRUTH, Truth, load_truth, save_truth};
use crate::RuleError;
use crate::observation::{News, Observation};
use crate::scope::{Scope, Source};
use crate::state::{Load, Save, StateError};
use edgeai_config::{Samples, When};

#[derive(Debug)]
pub(super) struct Number {
    source: Source,
    limit: Limit,
    /// How far back it must come to be false again.
    hysteresis: f64,
    /// Absent: the latest value counts.
    window: Option<Window>,
    holds: Truth,
}

#[derive(Debug, Clone, Copy)]
enum Limit {
    Above(f64),
    Below(f64),
}

impl Number {
    pub(super) fn new(when: &When, value: &str, scope: &Scope<'_>) -> Result<Self, RuleError> {
        let limit = match (when.above, when.below) {
            (Some(above), None) => Limit::Above(above),
            (None, Some(below)) => Limit::Below(below),
            _ => return Err(scope.wrong("a value needs either above or below")),
        };
        Ok(Self {
            source: scope.value(value)?,
            limit,
            hysteresis: when.hysteresis,
            window: when.over_ms.zip(when.statistic).map(Window::new),
            holds: None,
        })
    }

    pub(super) fn holds(&mut self, seen: &Observation<'_>) -> Truth {
        match self.reading(seen) {
            News::Unknown => self.reset(),
            News::Same => {}
            News::New((value, samples)) => {
                let value = match &mut self.window {
                    None => Some(value),
                    Some(window) => window.add(seen.now, samples),
                };
                let value = value.filter(|value| value.is_finite());
                self.holds = value.map(|value| self.exceeds(value));
            }
        }
        self.holds
    }

    /// The latest value, and all samples since the last evaluation.
    fn reading(&self, seen: &Observation<'_>) -> News<(f64, Samples)> {
        match self.source {
            Source::Sensor(channel) => match (seen.sensor(channel), &self.window) {
                // An old sample is as good as a new one, except in a statistic.
                (Some((value, fresh)), window) if fresh || window.is_none() => {
                    News::New((value, seen.samples(channel, value)))
                }
                (Some(_), _) => News::Same,
                (None, _) => News::Unknown,
            },
            Source::Model { model, value } => match seen.model(model) {
                News::Unknown => News::Unknown,
                News::Same => News::Same,
                News::New(findings) => match findings.values.get(value) {
                    Some(value) if value.is_finite() => {
                        let value = f64::from(*value);
                        News::New((value, Samples::of(value)))
                    }
                    _ => News::Unknown,
                },
            },
        }
    }

    fn exceeds(&self, value: f64) -> bool {
        let slack = if self.holds == Some(true) {
            self.hysteresis
        } else {
            0.0
        };
        match self.limit {
            Limit::Above(limit) => value > limit - slack,
            Limit::Below(limit) => value < limit + slack,
        }
    }

    pub(super) fn reset(&mut self) {
        self.holds = None;
        if let Some(window) = &mut self.window {
            window.clear();
        }
    }

    /// Bytes of [`Number::save`], at most.
    pub(super) const ROOM: usize = TRUTH + 1 + Window::ROOM;

    pub(super) fn save(&self, to: &mut Save<'_>) {
        save_truth(self.holds, to);
        to.option(self.window.as_ref(), |to, window| window.save(to));
    }

    pub(super) fn load(&mut self, from: &mut Load<'_>) -> Result<(), StateError> {
        self.holds = load_truth(from)?;
        match (&mut self.window, from.bool()?) {
            (Some(window), true) => window.load(from),
            (None, false) => Ok(()),
            _ => Err(StateError::Damaged("another condition has over_ms")),
        }
    }
}
