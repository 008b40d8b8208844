//! What models, inputs and sensors say into output levels; pure, time comes in as a value.
//!
//! What a rule means, to the millisecond, is told in `docs/interlock.md`; the words there and the
//! names here are the same.

mod condition;
mod due;
mod error;
mod observation;
mod rule;
mod scope;
mod state;

pub use error::RuleError;
pub use observation::{Observation, Wall};
pub use state::StateError;

use due::Due;
use edgeai_config::{Appliance, Level};
use edgeai_decode::Names;
use rule::Rule;
use scope::Scope;
use state::{Load, Save};
use std::time::Duration;

/// All rules of an appliance and what they remember.
#[derive(Debug)]
pub struct Rules {
    states: Box<[Rule]>,
    actions: Box<[Action]>,
    safe: Box<[Level]>,
    levels: Box<[Level]>,
    counters: Box<[Counter]>,
    started: u64,
    due: Option<Duration>,
    /// Time of the last evaluation.
    last: Duration,
}

/// A number that rules make go up (`then.count`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counter {
    /// As the rules name it.
    pub name: String,
    /// Since [`Rules::new`].
    pub value: u64,
}

#[derive(Debug)]
struct Action {
    /// Index of the output, and its level while the rule is active.
    output: Option<(usize, Level)>,
    /// Index of the counter.
    counter: Option<usize>,
}

impl Rules {
    /// `names` are those of the appliance's models, one for each, in the description's order.
    ///
    /// # Errors
    /// A class, key point or value that the model does not have. (And names of inputs, outputs,
    /// … that the description does not have, which [`edgeai_config::parse`] has refused before.)
    pub fn new(appliance: &Appliance, names: &[Names]) -> Result<Self, RuleError> {
        let mut states = Vec::new();
        let mut actions = Vec::new();
        let mut counters: Vec<Counter> = Vec::new();
        for described in &appliance.rules {
            let scope = Scope::new(&described.name, appliance, names);
            states.push(Rule::new(described, &scope)?);
            let counter = described.then.count.as_ref().map(|name| {
                let known = counters.iter().position(|counter| counter.name == *name);
                known.unwrap_or_else(|| {
                    let (name, value) = (name.clone(), 0);
                    counters.push(Counter { name, value });
                    counters.len() - 1
                })
            });
            let output = match (&described.then.output, described.then.level) {
                (Some(name), Some(level)) => Some((scope.output(name)?, level)),
                (None, None) => None,
                _ => return Err(scope.wrong("an output needs a level")),
            };
            actions.push(Action { output, counter });
        }
        let safe: Box<[Level]> = appliance.outputs.iter().map(|output| output.safe).collect();
        Ok(Self {
            states: states.into(),
            actions: actions.into(),
            levels: safe.clone(),
            safe,
            counters: counters.into(),
            started: 0,
            due: None,
            last: Duration::ZERO,
        })
    }

    /// Decides once. If time runs backwards nevertheless, none has passed.
    ///
    /// Returns one level for each output, in the description's order. Does not allocate.
    pub fn evaluate(&mut self, seen: &Observation<'_>) -> &[Level] {
        let now = seen.now.max(self.last);
        self.last = now;
        let seen = &Observation { now, ..*seen };
        let mut due = Due::default();
        self.started = 0;
        for (index, (rule, action)) in self.states.iter_mut().zip(&self.actions).enumerate() {
            let started = rule.evaluate(seen, &mut due);
            self.started |= u64::from(started) << (index % 64);
            if let Some(counter) = action
                .counter
                .and_then(|index| self.counters.get_mut(index))
            {
                let more = rule.occurrences(seen, started);
                counter.value = counter.value.saturating_add(more);
            }
        }
        self.due = due.earliest();
        self.decide();
        &self.levels
    }

    /// Each group has the last word over the one before: no rule, inactive, active, blind.
    fn decide(&mut self) {
        self.levels.copy_from_slice(&self.safe);
        let driven = || {
            let rules = self.states.iter().zip(&self.actions);
            rules.filter_map(|(rule, action)| {
                action.output.map(|(output, level)| (rule, output, level))
            })
        };
        for (_, output, level) in driven() {
            self.levels[output] = opposite(level);
        }
        for (_, output, level) in driven().filter(|(rule, ..)| rule.active()) {
            self.levels[output] = level;
        }
        for (_, output, _) in driven().filter(|(rule, ..)| rule.blind()) {
            self.levels[output] = self.safe[output];
        }
    }

    /// Whether the rule at `index` of the description was active at the last evaluation; `false`
    /// beyond the last rule.
    #[must_use]
    pub fn active(&self, index: usize) -> bool {
        self.states.get(index).is_some_and(Rule::active)
    }

    /// Whether the condition of the rule at `index` could not be told at the last evaluation;
    /// its output is then safe.
    #[must_use]
    pub fn blind(&self, index: usize) -> bool {
        self.states.get(index).is_some_and(Rule::blind)
    }

    /// The rules that became active in the last evaluation: bit `i` is rule `i` of the
    /// description.
    #[must_use]
    pub const fn started(&self) -> u64 {
        self.started
    }

    /// Every counter that a rule names, in the order in which they are first named.
    #[must_use]
    pub fn counters(&self) -> &[Counter] {
        &self.counters
    }

    /// The earliest time after the last evaluation at which another one could decide something
    /// else although nothing new has been observed: the end of a `for_ms`, `hold_ms` or
    /// `cooldown_ms`, or a time of day (that one up to a second late, because [`Wall`] counts
    /// seconds). `None`: never.
    #[must_use]
    pub const fn due(&self) -> Option<Duration> {
        self.due
    }

    /// Forgets what was seen: for a fault or a gap in which nothing was evaluated. All outputs
    /// are safe until the next evaluation. Latched rules stay active, cooldowns go on, and
    /// counters keep their values.
    pub fn reset(&mut self) {
        for rule in &mut self.states {
            rule.reset(self.last);
        }
        self.levels.copy_from_slice(&self.safe);
        self.started = 0;
        self.due = None;
    }

    /// Writes into `out`, in place of what is there, all that the next evaluations depend on. Does
    /// not allocate if `out` has room for [`Rules::state_room`] bytes.
    pub fn save(&self, out: &mut Vec<u8>) {
        out.clear();
        let to = &mut Save(out);
        to.u8(state::VERSION);
        to.time(self.last);
        to.u32(u32::try_from(self.states.len()).unwrap_or(u32::MAX));
        for rule in &self.states {
            rule.save(to);
        }
        to.u32(u32::try_from(self.counters.len()).unwrap_or(u32::MAX));
        for counter in &self.counters {
            to.u64(counter.value);
        }
    }

    /// How many bytes [`Rules::save`] writes at most.
    #[must_use]
    pub fn state_room(&self) -> usize {
        // Version, time, two counts.
        let head = 1 + 8 + 4 + 4;
        let rules: usize = self.states.iter().map(Rule::room).sum();
        head + rules + 8 * self.counters.len()
    }

    /// Remembers what rules of the same description remembered when they were saved. From here on
    /// equal observations give equal decisions; the levels until then are safe.
    ///
    /// # Errors
    /// The bytes are not the state of such rules; nothing is remembered then, as after
    /// [`Rules::new`].
    pub fn restore(&mut self, bytes: &[u8]) -> Result<(), StateError> {
        let restored = self.load(&mut Load(bytes));
        self.levels.copy_from_slice(&self.safe);
        self.started = 0;
        self.due = None;
        if restored.is_err() {
            for rule in &mut self.states {
                rule.forget();
            }
            for counter in &mut self.counters {
                counter.value = 0;
            }
            self.last = Duration::ZERO;
        }
        restored
    }

    fn load(&mut self, from: &mut Load<'_>) -> Result<(), StateError> {
        match from.u8()? {
            state::VERSION => {}
            other => return Err(StateError::Version(other)),
        }
        let count = |count: u32, expected: usize, otherwise| {
            let same = usize::try_from(count) == Ok(expected);
            same.then_some(()).ok_or(StateError::Damaged(otherwise))
        };
        self.last = from.time()?;
        count(from.u32()?, self.states.len(), "another number of rules")?;
        for rule in &mut self.states {
            rule.load(from)?;
        }
        let counters = self.counters.len();
        count(from.u32()?, counters, "another number of counters")?;
        for counter in &mut self.counters {
            counter.value = from.u64()?;
        }
        let rest = from.0.is_empty();
        rest.then_some(())
            .ok_or(StateError::Damaged("it is too long"))
    }
}

const fn opposite(level: Level) -> Level {
    match level {
        Level::Low => Level::High,
        Level::High => Level::Low,
    }
}

#[cfg(test)]
mod tests;
