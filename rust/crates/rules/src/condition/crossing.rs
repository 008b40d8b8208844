//! `crosses`

use super::Truth;
use super::places::Places;
use crate::RuleError;
use crate::observation::{News, Observation};
use crate::scope::Scope;
use crate::state::{Load, Save, StateError};
use edgeai_config::{Direction, When};
use edgeai_decode::Detection;

/// A place in the frame in units of 2⁻²⁴, so that every comparison below is exact: an `f32` in
/// 0.5 ..= 1 is a multiple of that, and twice an area has fewer than 50 bits.
pub(super) type Place = [i64; 2];

#[derive(Debug)]
pub(super) struct Crossing {
    model: usize,
    class: Option<u16>,
    score: f32,
    line: [Place; 2],
    direction: Option<Direction>,
    places: Places,
    /// How many objects went over the line in the latest result; `None`: there is none.
    crossings: Option<u64>,
}

impl Crossing {
    pub(super) fn new(
        when: &When,
        line: [[f32; 2]; 2],
        scope: &Scope<'_>,
    ) -> Result<Self, RuleError> {
        let model = scope.model(when.model.as_deref())?;
        let class = when.class.as_deref().map(|class| scope.class(model, class));
        Ok(Self {
            model,
            class: class.transpose()?,
            score: when.score.unwrap_or(0.0),
            line: line.map(place),
            direction: when.direction,
            places: Places::new(),
            crossings: None,
        })
    }

    pub(super) fn holds(&mut self, seen: &Observation<'_>) -> Truth {
        match seen.model(self.model) {
            News::Unknown => self.reset(),
            News::Same => {}
            News::New(findings) => {
                self.places.begin();
                let moved = findings.detections.iter();
                self.crossings = Some(moved.map(|seen| u64::from(self.moves(seen))).sum());
            }
        }
        self.crossings.map(|crossings| crossings > 0)
    }

    /// Whether an object has gone over the line since it was last seen.
    fn moves(&mut self, seen: &Detection) -> bool {
        let centre = seen.centre();
        let counts = seen.track != 0
            && self.class.is_none_or(|class| class == seen.class)
            && seen.score >= self.score
            && centre.iter().all(|value| value.is_finite());
        if !counts {
            return false;
        }
        let present = place(centre);
        let last = self.places.see(seen.track, present);
        last.is_some_and(|last| self.is_crossed(last, present))
    }

    fn is_crossed(&self, from: Place, to: Place) -> bool {
        let [a, b] = self.line;
        // Half-open: what lies on the line belongs to its right side, so that a way that ends
        // there and goes on from there crosses once.
        let was_left = is_left(a, b, from);
        if was_left == is_left(a, b, to) || is_left(from, to, a) == is_left(from, to, b) {
            return false;
        }
        match self.direction {
            None => true,
            Some(Direction::LeftToRight) => was_left,
            Some(Direction::RightToLeft) => !was_left,
        }
    }

    /// In a new result; 0 in an old one.
    pub(super) fn crossings(&self, seen: &Observation<'_>) -> u64 {
        match seen.model(self.model) {
            News::New(_) => self.crossings.unwrap_or(0),
            News::Same | News::Unknown => 0,
        }
    }

    pub(super) fn reset(&mut self) {
        self.places.forget();
        self.crossings = None;
    }

    /// Bytes of [`Crossing::save`], at most.
    pub(super) const ROOM: usize = 9 + Places::ROOM;

    pub(super) fn save(&self, to: &mut Save<'_>) {
        to.option(self.crossings, Save::u64);
        self.places.save(to);
    }

    pub(super) fn load(&mut self, from: &mut Load<'_>) -> Result<(), StateError> {
        self.crossings = from.option(Load::u64)?;
        self.places.load(from)
    }
}

/// Whether `place` lies to the left of who looks from `a` to `b`; the y axis points down.
const fn is_left(a: Place, b: Place, place: Place) -> bool {
    (b[0] - a[0]) * (place[1] - a[1]) < (b[1] - a[1]) * (place[0] - a[0])
}

#[expect(clippy::cast_possible_truncation, reason = "clamped before")]
fn place(point: [f32; 2]) -> Place {
    point.map(|value| (value.clamp(0.0, 1.0) * 16_777_216.0) as i64)
}
