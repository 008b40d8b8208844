//! When a rule is active.

use crate::RuleError;
use crate::condition::Condition;
use crate::due::Due;
use crate::observation::Observation;
use crate::scope::Scope;
use crate::state::{Load, Save, StateError};
use edgeai_config::{self as config, Level};
use std::time::Duration;

#[derive(Debug)]
pub(crate) struct Rule {
    condition: Condition,
    hold: Duration,
    cooldown: Duration,
    latch: Option<Latch>,
    active: bool,
    /// Since when an active rule's condition has been false.
    absent: Option<Duration>,
    /// When the rule was last active.
    ended: Option<Duration>,
    /// Whether the condition is true now, `for_ms` aside; `None`: it cannot be told.
    holds: Option<bool>,
    blind: bool,
}

#[derive(Debug)]
struct Latch {
    /// Index of the input that ends it.
    input: usize,
    last: Option<Level>,
}

impl Rule {
    pub(crate) fn new(rule: &config::Rule, scope: &Scope<'_>) -> Result<Self, RuleError> {
        let then = &rule.then;
        let latch = match (then.latch, &then.reset) {
            (true, Some(input)) => Some(Latch {
                input: scope.input(input)?,
                last: None,
            }),
            (true, None) => return Err(scope.wrong("a latched rule needs a reset input")),
            (false, _) => None,
        };
        Ok(Self {
            condition: Condition::new(&rule.when, scope)?,
            hold: Duration::from_millis(then.hold_ms.into()),
            cooldown: Duration::from_millis(then.cooldown_ms.into()),
            latch,
            active: false,
            absent: None,
            ended: None,
            holds: None,
            blind: false,
        })
    }

    /// Whether the rule has become active.
    pub(crate) fn evaluate(&mut self, seen: &Observation<'_>, due: &mut Due) -> bool {
        let now = seen.now;
        self.holds = self.condition.holds(seen, due);
        let ripe = self.condition.ripe(now, self.holds);
        let release = self.latch.as_mut().map(|latch| latch.rises(seen.inputs));
        self.blind = self.holds.is_none() || release == Some(None);
        let Some(holds) = self.holds else {
            self.absent = None;
            return false;
        };
        if !self.active {
            let Some(ripe) = ripe else { return false };
            let rested = self.ended.map(|ended| ended.saturating_add(self.cooldown));
            let start = rested.map_or(ripe, |rested| rested.max(ripe));
            if start > now {
                due.at(start);
            }
            self.active = start <= now;
            return self.active;
        }
        if holds {
            self.absent = None;
            return false;
        }
        let end = match release {
            Some(risen) => (risen == Some(true)).then_some(now),
            None => Some(self.absent.get_or_insert(now).saturating_add(self.hold)),
        };
        match end {
            Some(end) if end <= now => self.end(now),
            Some(end) => due.at(end),
            None => {}
        }
        false
    }

    fn end(&mut self, now: Duration) {
        self.active = false;
        self.absent = None;
        self.ended = Some(now);
    }

    /// How much the rule's counter goes up in this evaluation.
    pub(crate) fn occurrences(&self, seen: &Observation<'_>, started: bool) -> u64 {
        match self.condition.crossings(seen) {
            Some(crossings) if self.active && self.holds == Some(true) => crossings,
            Some(_) => 0,
            None => u64::from(started),
        }
    }

    pub(crate) const fn active(&self) -> bool {
        self.active
    }

    pub(crate) const fn blind(&self) -> bool {
        self.blind
    }

    /// `last` is the time of the last evaluation.
    pub(crate) fn reset(&mut self, last: Duration) {
        self.condition.reset();
        match &mut self.latch {
            Some(latch) => latch.last = None,
            None if self.active => self.end(last),
            None => {}
        }
        self.absent = None;
        self.holds = None;
        self.blind = false;
    }

    /// What a rule remembers. `holds` and `blind` are found anew at each evaluation.
    pub(crate) fn save(&self, to: &mut Save<'_>) {
        to.bool(self.active);
        to.option(self.absent, Save::time);
        to.option(self.ended, Save::time);
        to.option(self.latch.as_ref(), |to, latch| {
            to.option(latch.last, Save::level);
        });
        self.condition.save(to);
    }

    /// How many bytes [`Rule::save`] writes at most.
    pub(crate) fn room(&self) -> usize {
        1 + 9 + 9 + 3 + self.condition.room()
    }

    pub(crate) fn load(&mut self, from: &mut Load<'_>) -> Result<(), StateError> {
        self.active = from.bool()?;
        self.absent = from.option(Load::time)?;
        self.ended = from.option(Load::time)?;
        let last = from.option(|from| from.option(Load::level))?;
        match (&mut self.latch, last) {
            (Some(latch), Some(last)) => latch.last = last,
            (None, None) => {}
            _ => return Err(StateError::Damaged("another rule has the latch")),
        }
        self.holds = None;
        self.blind = false;
        self.condition.load(from)
    }

    /// Everything, as if it was never evaluated.
    pub(crate) fn forget(&mut self) {
        self.reset(Duration::ZERO);
        self.active = false;
        self.ended = None;
    }
}

impl Latch {
    /// Whether the input has become high; `None`: its level is not known.
    fn rises(&mut self, inputs: &[Level]) -> Option<bool> {
        let level = inputs.get(self.input).copied();
        let before = std::mem::replace(&mut self.last, level);
        level.map(|level| level == Level::High && before == Some(Level::Low))
    }
}
