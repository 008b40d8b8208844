//! What a device decided, for people: a line for each change.

use edgeai_config::Appliance;
use edgeai_recording::Evaluation;
use std::time::Duration;

/// Tells what is different from the evaluation before.
pub struct Listing<'a> {
    appliance: &'a Appliance,
    counters: Vec<&'a str>,
    first: Option<Duration>,
    last: Option<Last>,
}

struct Last {
    levels: u32,
    active: u64,
    counters: Vec<u64>,
    safe: bool,
}

impl<'a> Listing<'a> {
    pub fn new(appliance: &'a Appliance) -> Self {
        let mut counters = Vec::new();
        for rule in &appliance.rules {
            if let Some(name) = rule.then.count.as_deref()
                && !counters.contains(&name)
            {
                counters.push(name);
            }
        }
        Self {
            appliance,
            counters,
            first: None,
            last: None,
        }
    }

    /// Seconds since the first evaluation, and what changed: rules, counters, outputs. None: nothing.
    pub fn line(&mut self, made: &Evaluation) -> Option<String> {
        let first = *self.first.get_or_insert(made.now);
        let decision = &made.decision;
        let now = Last {
            // As they were on the lines.
            levels: made.driven,
            active: decision.active,
            counters: decision.counters.to_vec(),
            safe: made.safe,
        };
        let mut words = Vec::new();
        let before = self.last.as_ref();
        let active = before.map_or(0, |last| last.active);
        for (index, rule) in self.appliance.rules.iter().take(64).enumerate() {
            let bit = |bits: u64| bits >> index & 1 == 1;
            match (bit(active), bit(now.active), bit(decision.started)) {
                (_, true, true) => words.push(format!("{} active", rule.name)),
                (false, true, false) => words.push(format!("{} is active", rule.name)),
                (true, false, _) => words.push(format!("{} inactive", rule.name)),
                _ => {}
            }
        }
        for (index, name) in self.counters.iter().enumerate() {
            let value = now.counters.get(index).copied().unwrap_or(0);
            let known = before.and_then(|last| last.counters.get(index).copied());
            if value != known.unwrap_or(0) {
                words.push(format!("{name}={value}"));
            }
        }
        let same = before.is_some_and(|last| (last.levels, last.safe) == (now.levels, now.safe));
        if !same {
            let outputs = self.appliance.outputs.iter().take(32).enumerate();
            words.extend(outputs.map(|(index, output)| {
                let high = now.levels >> index & 1 == 1;
                format!("{}:{}", output.name, if high { "high" } else { "low" })
            }));
            if now.safe {
                words.push("(held safe)".into());
            }
        }
        self.last = Some(now);
        let time = made.now.saturating_sub(first).as_secs_f64();
        (!words.is_empty()).then(|| format!("{time:10.3} s  {}", words.join("  ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_change_is_a_line() {
        let text = r#"
            deadline = { frame_to_action_ms = 100 }
            input = [{ name = "door", line = "door" }]
            sensor = [{ name = "s", kind = "iio", device = "d", rate_hz = 1, channel = [{ name = "x", source = "x" }] }]
            output = [{ name = "lamp", line = "lamp", safe = "low" }]
            rule = [{ name = "open", when = { input = "door", level = "high" }, then = { output = "lamp", level = "high", count = "opened" } }]
        "#;
        let appliance = edgeai_config::parse("test.toml", text).unwrap();
        let mut listing = Listing::new(&appliance);
        let mut made = Evaluation {
            now: Duration::from_secs(1000),
            safe: true,
            ..Evaluation::default()
        };
        let first = "     0.000 s  lamp:low  (held safe)";
        assert_eq!(listing.line(&made).as_deref(), Some(first));
        assert_eq!(listing.line(&made), None);
        made.now += Duration::from_millis(1250);
        (made.safe, made.driven) = (false, 1);
        (made.decision.active, made.decision.started) = (1, 1);
        made.decision.counters[0] = 1;
        let second = "     1.250 s  open active  opened=1  lamp:high";
        assert_eq!(listing.line(&made).as_deref(), Some(second));
        made.decision.started = 0;
        assert_eq!(listing.line(&made), None);
        (made.decision.active, made.driven) = (0, 0);
        let third = "     1.250 s  open inactive  lamp:low";
        assert_eq!(listing.line(&made).as_deref(), Some(third));
        // As in a part that begins while the rule holds.
        made.decision.active = 1;
        let line = Listing::new(&appliance).line(&made).unwrap();
        assert!(line.contains("open is active"), "{line}");
    }
}
