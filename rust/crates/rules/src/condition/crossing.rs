//! `crosses`

use super::Truth;
use crate::RuleError;
use crate::observation::{News, Observation};
use crate::scope::Scope;
use edgeai_config::{Direction, When};
use edgeai_decode::Detection;

/// Objects whose last place is remembered; of more, the one not seen for longest is forgotten.
const TRACKS: usize = 256;

/// A place in the frame in units of 2⁻²⁴, so that every comparison below is exact: an `f32` in
/// 0.5 ..= 1 is a multiple of that, and twice an area has fewer than 50 bits.
type Place = [i64; 2];

#[derive(Debug)]
pub(super) struct Crossing {
    model: usize,
    class: Option<u16>,
    score: f32,
    line: [Place; 2],
    direction: Option<Direction>,
    tracks: Box<[Track]>,
    /// How many of `tracks` are in use.
    known: usize,
    /// Number of the latest result.
    result: u64,
    /// How many objects went over the line in the latest result; `None`: there is none.
    crossings: Option<u64>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Track {
    number: u32,
    place: Place,
    /// Number of the result that it was last seen in.
    result: u64,
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
            tracks: vec![Track::default(); TRACKS].into(),
            known: 0,
            result: 0,
            crossings: None,
        })
    }

    pub(super) fn holds(&mut self, seen: &Observation<'_>) -> Truth {
        match seen.model(self.model) {
            News::Unknown => self.reset(),
            News::Same => {}
            News::New(findings) => {
                self.result += 1;
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
        let present = Track {
            number: seen.track,
            place: place(centre),
            result: self.result,
        };
        let known = self.tracks.get_mut(..self.known).unwrap_or_default();
        if let Some(track) = known.iter_mut().find(|track| track.number == seen.track) {
            let last = std::mem::replace(track, present);
            return self.is_crossed(last.place, present.place);
        }
        if let Some(free) = self.tracks.get_mut(self.known) {
            *free = present;
            self.known += 1;
        } else if let Some(oldest) = self.tracks.iter_mut().min_by_key(|track| track.result) {
            *oldest = present;
        }
        false
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

    pub(super) const fn reset(&mut self) {
        self.known = 0;
        self.crossings = None;
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
