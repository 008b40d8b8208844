//! `then`

use super::{Check, MAX_DELAY_MS};
use crate::place::Path;
use crate::{Rule, Then};

/// Characters of a line for the log.
const MAX_LOG: usize = 200;

impl Check<'_> {
    pub(super) fn action(&mut self, index: usize, rule: &Rule) {
        let path = Path::entry("rule", index).key("then");
        let Then {
            output,
            level,
            hold_ms,
            cooldown_ms,
            latch,
            reset,
            count,
            log,
            telemetry,
            snapshot,
        } = &rule.then;
        let acts = output.is_some() || count.is_some() || log.is_some() || *telemetry || *snapshot;
        if !acts {
            let message = "nothing is done; expected output, count, log, telemetry or snapshot";
            self.object(&path, message);
        }
        match (output, level) {
            (Some(output), level) => {
                let outputs: Vec<_> = self.appliance.outputs.iter().map(|o| &*o.name).collect();
                self.known(&path.key("output"), "output", output, outputs.into_iter());
                if level.is_none() {
                    let message = "an output needs a level as well: \"low\" or \"high\"";
                    self.object(&path.key("output"), message);
                }
                self.same_level(index, rule);
            }
            (None, Some(_)) => self.foreign(&path, &["level"], "output"),
            (None, None) => {}
        }
        self.range(&path.key("hold_ms"), " ms", *hold_ms, 0..=MAX_DELAY_MS);
        let cooldown = path.key("cooldown_ms");
        self.range(&cooldown, " ms", *cooldown_ms, 0..=MAX_DELAY_MS);
        match (latch, reset) {
            (true, None) => {
                let message = "a latched rule needs reset as well, the name of an [[input]]";
                self.object(&path.key("latch"), message);
            }
            (false, Some(_)) => self.foreign(&path, &["reset"], "latch = true"),
            (true, Some(input)) => {
                self.input(&path.key("reset"), input);
                self.foreign(&path, &["hold_ms"], "a rule without latch");
            }
            (false, None) => {}
        }
        if let Some(count) = count {
            self.name(&path.key("count"), count);
        }
        if let Some(log) = log
            && (log.is_empty()
                || log.chars().count() > MAX_LOG
                || log.chars().any(char::is_control))
        {
            let message = format!("expected one line of 1 to {MAX_LOG} characters");
            self.object(&path.key("log"), message);
        }
        if *snapshot && self.appliance.cameras.is_empty() {
            self.object(&path.key("snapshot"), "there is no [camera]; remove it");
        }
    }

    fn same_level(&mut self, index: usize, rule: &Rule) {
        let Some(output) = &rule.then.output else {
            return;
        };
        let before = self.appliance.rules.get(..index).unwrap_or_default();
        let other = before.iter().find(|other| {
            other.then.output.as_ref() == Some(output) && other.then.level != rule.then.level
        });
        if let Some(other) = other {
            let message = format!(
                "rule \"{}\" drives \"{output}\" to the other level; all rules of one output drive the same level",
                other.name
            );
            self.object(
                &Path::entry("rule", index).key("then").key("level"),
                message,
            );
        }
    }
}
