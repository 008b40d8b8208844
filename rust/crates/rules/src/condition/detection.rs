//! `class`

use super::{Truth, load_truth, save_truth, zone};
use crate::RuleError;
use crate::observation::{News, Observation};
use crate::scope::Scope;
use crate::state::{Load, Save, StateError};
use edgeai_config::When;
use edgeai_decode::{self as decode, Findings};

#[derive(Debug)]
pub(super) struct Detection {
    model: usize,
    class: u16,
    /// Score at which it becomes true, and below which it becomes false.
    rise: f32,
    fall: f32,
    zone: Option<Box<[[f32; 2]]>>,
    /// Index of the key point that must lie in the zone, and the number of key points.
    point: Option<(usize, usize)>,
    count: usize,
    holds: Truth,
}

impl Detection {
    pub(super) fn new(
        when: &When,
        class: &str,
        least: f32,
        scope: &Scope<'_>,
    ) -> Result<Self, RuleError> {
        let model = scope.model(when.model.as_deref())?;
        let point = when.point.as_deref().map(|point| scope.point(model, point));
        #[expect(
            clippy::cast_possible_truncation,
            reason = "scores have this precision"
        )]
        let hysteresis = when.hysteresis as f32;
        Ok(Self {
            model,
            class: scope.class(model, class)?,
            rise: least,
            fall: least - hysteresis,
            zone: when.zone.as_deref().map(Into::into),
            point: point.transpose()?,
            count: when.count.map_or(1, |count| count as usize),
            holds: None,
        })
    }

    pub(super) fn holds(&mut self, seen: &Observation<'_>) -> Truth {
        match seen.model(self.model) {
            News::Unknown => self.holds = None,
            News::Same => {}
            News::New(findings) => {
                let held = self.holds == Some(true);
                let least = if held { self.fall } else { self.rise };
                let mut counting = findings
                    .detections
                    .iter()
                    .filter(|detection| self.counts(detection, &findings, least));
                self.holds = Some(counting.nth(self.count.saturating_sub(1)).is_some());
            }
        }
        self.holds
    }

    fn counts(&self, seen: &decode::Detection, findings: &Findings<'_>, least: f32) -> bool {
        seen.class == self.class && seen.score >= least && self.is_inside(seen, findings, least)
    }

    fn is_inside(&self, seen: &decode::Detection, findings: &Findings<'_>, least: f32) -> bool {
        let Some(zone) = &self.zone else { return true };
        let Some((index, count)) = self.point else {
            return zone::contains(zone, seen.centre());
        };
        // A point that the model did not find is a guess.
        let point = findings
            .points
            .get(usize::from(seen.points) * count + index);
        point.is_some_and(|point| point.score >= least && zone::contains(zone, [point.x, point.y]))
    }

    pub(super) const fn reset(&mut self) {
        self.holds = None;
    }

    pub(super) fn save(&self, to: &mut Save<'_>) {
        save_truth(self.holds, to);
    }

    pub(super) fn load(&mut self, from: &mut Load<'_>) -> Result<(), StateError> {
        self.holds = load_truth(from)?;
        Ok(())
    }
}
