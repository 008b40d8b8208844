//! Detections and input levels into output levels; pure, time comes in as a value.
//!
//! What a rule means, to the millisecond, is told in `docs/interlock.md`; the words there and the
//! names here are the same.

mod condition;
mod timing;
mod zone;

use condition::Condition;
use edgeai_config::{Appliance, Level};
use edgeai_decode::Detection;
use std::time::Duration;
use timing::Timing;

/// Why the rules of a description cannot be evaluated with a model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// The model has no such class.
    #[error("rule {rule}: the model knows no class \"{class}\"; it knows {known}")]
    UnknownClass {
        /// Name of the rule.
        rule: String,
        /// The label asked for.
        class: String,
        /// All labels, with commas.
        known: String,
    },
    /// The description names an input or output that it does not have, or a condition that is
    /// neither a detection nor an input. Does not occur after `edgeai_config::parse`.
    #[error("rule {rule}: {message}")]
    Description {
        /// Name of the rule.
        rule: String,
        /// What was expected.
        message: &'static str,
    },
}

/// All rules of an appliance and what they remember.
#[derive(Debug)]
pub struct Rules {
    states: Box<[State]>,
    safe: Box<[Level]>,
    levels: Box<[Level]>,
}

#[derive(Debug)]
struct State {
    condition: Condition,
    timing: Timing,
    output: usize,
    level: Level,
    /// The condition cannot be told: its input's level is missing.
    blind: bool,
}

impl Rules {
    /// `labels` are the model's, index 0 being the background.
    ///
    /// # Errors
    /// A class that is not among the labels (or is the background).
    pub fn new(appliance: &Appliance, labels: &[String]) -> Result<Self, RuleError> {
        let rules = appliance.rules.iter().map(|rule| {
            let output = appliance
                .outputs
                .iter()
                .position(|output| output.name == rule.then.output);
            let output = output.ok_or_else(|| RuleError::Description {
                rule: rule.name.clone(),
                message: "there is no such output",
            })?;
            Ok(State {
                condition: Condition::new(rule, &appliance.inputs, labels)?,
                timing: Timing::new(rule.when.for_ms, rule.then.hold_ms),
                output,
                level: rule.then.level,
                blind: false,
            })
        });
        let safe: Box<[Level]> = appliance.outputs.iter().map(|output| output.safe).collect();
        Ok(Self {
            states: rules.collect::<Result<_, _>>()?,
            levels: safe.clone(),
            safe,
        })
    }

    /// Decides once. `now` is monotonic; if it runs backwards nevertheless, no time has passed.
    /// `inputs` are the levels of all inputs in the description's order; the output of a rule
    /// whose input is missing takes its safe level.
    ///
    /// Returns one level for each output, in the description's order. Does not allocate.
    pub fn evaluate(
        &mut self,
        now: Duration,
        detections: &[Detection],
        inputs: &[Level],
    ) -> &[Level] {
        self.levels.copy_from_slice(&self.safe);
        for rule in &mut self.states {
            let holds = rule.condition.holds(detections, inputs);
            rule.blind = holds.is_none();
            if let Some(holds) = holds {
                rule.timing.evaluate(now, holds);
            }
            self.levels[rule.output] = opposite(rule.level);
        }
        // Each group has the last word over the one before: inactive, active, blind.
        for rule in self.states.iter().filter(|rule| rule.timing.active()) {
            self.levels[rule.output] = rule.level;
        }
        for rule in self.states.iter().filter(|rule| rule.blind) {
            self.levels[rule.output] = self.safe[rule.output];
        }
        &self.levels
    }

    /// Whether the rule at `index` of the description was active at the last evaluation; `false`
    /// beyond the last rule.
    #[must_use]
    pub fn active(&self, index: usize) -> bool {
        self.states
            .get(index)
            .is_some_and(|rule| rule.timing.active())
    }

    /// Forgets everything seen, as after `new`: for a gap in which nothing was evaluated.
    pub fn reset(&mut self) {
        for rule in &mut self.states {
            rule.condition.reset();
            rule.timing.reset();
        }
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
