//! `value`

use super::Truth;
use super::window::Window;
use crate::RuleError;
use crate::observation::{News, Observation};
use crate::scope::{Scope, Source};
use edgeai_config::When;

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
            News::New(value) => {
                let value = match &mut self.window {
                    None => Some(value),
                    Some(window) => window.add(seen.now, value),
                };
                let value = value.filter(|value| value.is_finite());
                self.holds = value.map(|value| self.exceeds(value));
            }
        }
        self.holds
    }

    fn reading(&self, seen: &Observation<'_>) -> News<f64> {
        match self.source {
            Source::Sensor(channel) => match (seen.sensor(channel), &self.window) {
                // An old sample is as good as a new one, except in a statistic.
                (Some((value, fresh)), window) if fresh || window.is_none() => News::New(value),
                (Some(_), _) => News::Same,
                (None, _) => News::Unknown,
            },
            Source::Model { model, value } => match seen.model(model) {
                News::Unknown => News::Unknown,
                News::Same => News::Same,
                News::New(findings) => match findings.values.get(value) {
                    Some(value) if value.is_finite() => News::New(f64::from(*value)),
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
}
