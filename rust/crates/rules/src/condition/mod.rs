//! `when`

mod crossing;
mod detection;
mod number;
mod places;
mod schedule;
mod window;
mod zone;

use crate::RuleError;
use crate::due::Due;
use crate::observation::Observation;
use crate::scope::Scope;
use crate::state::{Load, Save, StateError};
use crossing::Crossing;
use detection::Detection;
use edgeai_config::{Level, When};
use number::Number;
use schedule::Schedule;
use std::time::Duration;

/// True, false, or (`None`) unknown.
type Truth = Option<bool>;

#[derive(Debug)]
pub(crate) struct Condition {
    kind: Kind,
    /// `for_ms`
    delay: Duration,
    /// Since when it has been true.
    since: Option<Duration>,
}

#[derive(Debug)]
enum Kind {
    Detection(Detection),
    Crossing(Crossing),
    Number(Number),
    Input { index: usize, level: Level },
    Between(Schedule),
    All(Box<[Condition]>),
    Any(Box<[Condition]>),
    Not(Box<Condition>),
}

impl Condition {
    pub(crate) fn new(when: &When, scope: &Scope<'_>) -> Result<Self, RuleError> {
        let conditions = |inner: &[When]| -> Result<Box<[Self]>, RuleError> {
            inner.iter().map(|when| Self::new(when, scope)).collect()
        };
        let kind = if let Some(line) = when.crosses {
            Kind::Crossing(Crossing::new(when, line, scope)?)
        } else if let (Some(class), Some(score)) = (&when.class, when.score) {
            Kind::Detection(Detection::new(when, class, score, scope)?)
        } else if let Some(value) = &when.value {
            Kind::Number(Number::new(when, value, scope)?)
        } else if let (Some(input), Some(level)) = (&when.input, when.level) {
            let index = scope.input(input)?;
            Kind::Input { index, level }
        } else if let Some(between) = &when.between {
            Kind::Between(Schedule::new(between, when.days.as_deref(), scope)?)
        } else if let Some(inner) = &when.all {
            Kind::All(conditions(inner)?)
        } else if let Some(inner) = &when.any {
            Kind::Any(conditions(inner)?)
        } else if let Some(inner) = &when.not {
            Kind::Not(Box::new(Self::new(inner, scope)?))
        } else {
            return Err(scope.wrong("`when` says no condition, or not all of it"));
        };
        Ok(Self {
            kind,
            delay: Duration::from_millis(when.for_ms.into()),
            since: None,
        })
    }

    /// Whether it is true now, its own `for_ms` aside.
    pub(crate) fn holds(&mut self, seen: &Observation<'_>, due: &mut Due) -> Truth {
        match &mut self.kind {
            Kind::Detection(detection) => detection.holds(seen),
            Kind::Crossing(crossing) => crossing.holds(seen),
            Kind::Number(number) => number.holds(seen),
            Kind::Input { index, level } => seen.inputs.get(*index).map(|found| found == level),
            Kind::Between(schedule) => schedule.holds(seen, due),
            Kind::All(inner) => decided(inner, false, seen, due),
            Kind::Any(inner) => decided(inner, true, seen, due),
            Kind::Not(inner) => inner.lasts(seen, due).map(|lasts| !lasts),
        }
    }

    /// With its own `for_ms`.
    fn lasts(&mut self, seen: &Observation<'_>, due: &mut Due) -> Truth {
        let holds = self.holds(seen, due);
        match self.ripe(seen.now, holds) {
            Some(ripe) if ripe > seen.now => {
                due.at(ripe);
                Some(false)
            }
            _ => holds,
        }
    }

    /// When a true condition has been true for its `for_ms`. To be called once in each evaluation.
    pub(crate) fn ripe(&mut self, now: Duration, holds: Truth) -> Option<Duration> {
        if holds != Some(true) {
            self.since = None;
            return None;
        }
        let since = *self.since.get_or_insert(now);
        Some(since.saturating_add(self.delay))
    }

    /// How often lines were crossed in the new results; `None`: it has nothing to do with lines.
    pub(crate) fn crossings(&self, seen: &Observation<'_>) -> Option<u64> {
        match &self.kind {
            Kind::Crossing(crossing) => Some(crossing.crossings(seen)),
            Kind::All(inner) | Kind::Any(inner) => inner
                .iter()
                .filter_map(|condition| condition.crossings(seen))
                .reduce(|sum, crossings| sum + crossings),
            Kind::Not(inner) => inner.crossings(seen),
            _ => None,
        }
    }

    pub(crate) fn reset(&mut self) {
        self.since = None;
        match &mut self.kind {
            Kind::Detection(detection) => detection.reset(),
            Kind::Crossing(crossing) => crossing.reset(),
            Kind::Number(number) => number.reset(),
            Kind::Input { .. } | Kind::Between(_) => {}
            Kind::All(inner) | Kind::Any(inner) => inner.iter_mut().for_each(Self::reset),
            Kind::Not(inner) => inner.reset(),
        }
    }

    pub(crate) fn save(&self, to: &mut Save<'_>) {
        to.u8(self.tag());
        to.option(self.since, Save::time);
        match &self.kind {
            Kind::Detection(detection) => detection.save(to),
            Kind::Crossing(crossing) => crossing.save(to),
            Kind::Number(number) => number.save(to),
            Kind::Input { .. } | Kind::Between(_) => {}
            Kind::All(inner) | Kind::Any(inner) => {
                inner.iter().for_each(|condition| condition.save(to));
            }
            Kind::Not(inner) => inner.save(to),
        }
    }

    /// How many bytes [`Condition::save`] writes at most.
    pub(crate) fn room(&self) -> usize {
        let kind = match &self.kind {
            Kind::Detection(_) => TRUTH,
            Kind::Crossing(_) => Crossing::ROOM,
            Kind::Number(_) => Number::ROOM,
            Kind::Input { .. } | Kind::Between(_) => 0,
            Kind::All(inner) | Kind::Any(inner) => inner.iter().map(Self::room).sum(),
            Kind::Not(inner) => inner.room(),
        };
        1 + 9 + kind
    }

    pub(crate) fn load(&mut self, from: &mut Load<'_>) -> Result<(), StateError> {
        from.expect(self.tag(), "another condition")?;
        self.since = from.option(Load::time)?;
        match &mut self.kind {
            Kind::Detection(detection) => detection.load(from),
            Kind::Crossing(crossing) => crossing.load(from),
            Kind::Number(number) => number.load(from),
            Kind::Input { .. } | Kind::Between(_) => Ok(()),
            Kind::All(inner) | Kind::Any(inner) => inner
                .iter_mut()
                .try_for_each(|condition| condition.load(from)),
            Kind::Not(inner) => inner.load(from),
        }
    }

    /// Says in a state what kind of condition it is of.
    const fn tag(&self) -> u8 {
        match &self.kind {
            Kind::Detection(_) => 0,
            Kind::Crossing(_) => 1,
            Kind::Number(_) => 2,
            Kind::Input { .. } => 3,
            Kind::Between(_) => 4,
            Kind::All(_) => 5,
            Kind::Any(_) => 6,
            Kind::Not(_) => 7,
        }
    }
}

/// Bytes of a truth, at most.
const TRUTH: usize = 2;

fn save_truth(truth: Truth, to: &mut Save<'_>) {
    to.option(truth, Save::bool);
}

fn load_truth(from: &mut Load<'_>) -> Result<Truth, StateError> {
    from.option(Load::bool)
}

/// `all` (decided by the first false) and `any` (decided by the first true), by Kleene's strong
/// logic: an unknown one decides nothing (S. C. Kleene, Introduction to Metamathematics, § 64).
fn decided(inner: &mut [Condition], by: bool, seen: &Observation<'_>, due: &mut Due) -> Truth {
    let mut truth = Some(!by);
    for condition in inner {
        // Every one is looked at, because each has its own time.
        match condition.lasts(seen, due) {
            Some(next) if next == by => truth = Some(by),
            None if truth != Some(by) => truth = None,
            _ => {}
        }
    }
    truth
}
