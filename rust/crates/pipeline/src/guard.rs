//! Who has the outputs: the rules while frames become actions in time, the safe levels otherwise.
//! Nothing in here waits, and nothing allocates unless something fails.

use crate::link::{Event, Link, Reason, Sighting, report};
use edgeai_config::{Appliance, Level, OnMiss};
use edgeai_realtime::{monotonic_now, uptime};
use edgeai_rules::Rules;
use edgeai_signal::{Backend, Outputs};
use rtrb::Producer;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

/// How often rules that wait for a time (`for_ms`, `hold_ms`) are looked at while no frame and no
/// edge comes: at most this much later than they should they change.
const TICK: Duration = Duration::from_millis(5);

/// A frame in work for this long will not end: ten deadlines, at least 2 s.
pub fn stuck_after(deadline: Duration) -> Duration {
    (deadline * 10).max(Duration::from_secs(2))
}

/// Drives the outputs.
pub struct Guard<B: Backend> {
    outputs: Outputs<B>,
    rules: Option<Box<Rules>>,
    rule_count: usize,
    timed_rules: bool,
    deadline: Duration,
    on_miss: OnMiss,
    hold: Hold,
    /// All lines, inputs too, are claimed.
    lines: bool,
    sighting: Option<Sighting>,
    /// When the last sighting came.
    seen_at: Duration,
    /// Capture time of the frame whose miss was counted last.
    missed: Option<Duration>,
    /// Bit i: rule i was active when last reported.
    active: u64,
    /// Levels last reported.
    bits: Option<u32>,
    decided: bool,
    events: Producer<Event>,
    link: Arc<Link>,
}

/// What the outputs are held by.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Hold {
    /// Safe levels, since no frame has come yet.
    Start,
    /// The rules.
    Rules,
    /// Safe levels.
    Safe(Reason),
}

impl<B: Backend> Guard<B> {
    /// `outputs` are at their safe level, as far as they could be claimed.
    pub fn new(
        appliance: &Appliance,
        outputs: Outputs<B>,
        events: Producer<Event>,
        link: Arc<Link>,
    ) -> Self {
        Self {
            outputs,
            rules: None,
            rule_count: appliance.rules.len().min(64),
            timed_rules: appliance
                .rules
                .iter()
                .any(|rule| rule.when.for_ms > 0 || rule.then.hold_ms > 0),
            deadline: Duration::from_millis(appliance.deadline.frame_to_action_ms.into()),
            on_miss: appliance.deadline.on_miss,
            hold: Hold::Start,
            lines: false,
            sighting: None,
            seen_at: Duration::ZERO,
            missed: None,
            active: 0,
            bits: None,
            decided: false,
            events,
            link,
        }
    }

    /// The lines; for claiming them.
    pub fn outputs(&mut self) -> &mut Outputs<B> {
        &mut self.outputs
    }

    /// Says whether all lines are claimed; without, nothing but the safe level is driven.
    pub fn set_lines(&mut self, result: Result<(), String>, now: Duration) {
        self.lines = result.is_ok();
        match result {
            Err(reason) => self.go_safe(Reason::Fault(reason), now),
            Ok(()) => self.report_outputs(now),
        }
    }

    /// Decides with other rules from now on.
    pub fn set_rules(&mut self, rules: Box<Rules>) {
        self.rules = Some(rules);
        self.sighting = None;
    }

    /// A part does not work: safe, and what was seen counts no more.
    pub fn fault(&mut self, reason: String, now: Duration) {
        self.sighting = None;
        if let Some(rules) = &mut self.rules {
            rules.reset();
        }
        self.go_safe(Reason::Fault(reason), now);
    }

    /// A frame was looked at: decides, and takes its deadline off the watch.
    pub fn see(&mut self, sighting: &Sighting, inputs: &[Level]) {
        let now = monotonic_now();
        self.sighting = Some(*sighting);
        self.seen_at = now;
        let in_time = now.saturating_sub(sighting.captured) <= self.deadline;
        if !in_time {
            self.miss(sighting.sequence, sighting.captured, now);
        }
        if self.lines
            && self.rules.is_some()
            && (in_time || self.on_miss == OnMiss::Warn)
            && self.hold != Hold::Rules
        {
            self.hold = Hold::Rules;
            self.report(Event::Deciding);
        }
        self.decide(now, inputs);
        self.link.disarm(sighting.captured);
        let acted = monotonic_now();
        self.link.metrics.rules.record(acted.saturating_sub(now));
        self.link
            .metrics
            .frame_to_action
            .record(acted.saturating_sub(sighting.captured));
        if in_time && acted.saturating_sub(sighting.captured) > self.deadline {
            self.miss(sighting.sequence, sighting.captured, acted);
        }
        if !self.decided && self.hold == Hold::Rules {
            self.decided = true;
            self.report(Event::FirstDecision {
                at: acted,
                uptime: uptime(),
            });
        }
    }

    /// Evaluates the rules with what was seen last; drives the outputs if the rules have them.
    pub fn decide(&mut self, now: Duration, inputs: &[Level]) {
        let (Some(rules), Some(sighting)) = (&mut self.rules, &self.sighting) else {
            return;
        };
        let levels = rules.evaluate(now, sighting.detections(), inputs);
        let driven = if self.hold == Hold::Rules {
            self.outputs.set(levels)
        } else {
            Ok(())
        };
        let active = (0..self.rule_count).fold(0, |bits, index| {
            bits | u64::from(rules.active(index)) << index
        });
        for index in (0..self.rule_count).filter(|index| (active ^ self.active) >> index & 1 == 1) {
            let event = Event::Rule {
                index,
                active: active >> index & 1 == 1,
                at: now,
            };
            report(&mut self.events, &self.link, event);
        }
        self.active = active;
        match driven {
            Ok(()) => self.report_outputs(now),
            Err(error) => self.set_lines(Err(error.to_string()), now),
        }
    }

    /// Looks at the deadline of the frame in work and at how long no frame has come.
    pub fn watch(&mut self, now: Duration) {
        if let Some((sequence, captured)) = self.link.armed()
            && now.saturating_sub(captured) > self.deadline
        {
            self.miss(sequence, captured, now);
        }
        if self.hold == Hold::Rules && now > self.frames_due() {
            let without = now.saturating_sub(self.seen_at);
            self.sighting = None;
            if let Some(rules) = &mut self.rules {
                rules.reset();
            }
            self.go_safe(Reason::NoFrame(without), now);
        }
    }

    /// When to come round again even if nothing happens.
    pub fn due(&self, now: Duration) -> Option<Duration> {
        let deadline = self
            .link
            .armed()
            .filter(|(_, captured)| self.missed != Some(*captured))
            .map(|(_, captured)| captured + self.deadline + Duration::from_micros(1));
        let rules = self.hold == Hold::Rules;
        let frame = rules.then(|| self.frames_due() + Duration::from_micros(1));
        let tick = (rules && self.timed_rules).then(|| now + TICK);
        [deadline, frame, tick].into_iter().flatten().min()
    }

    /// Until when the next sighting must come. A frame in work is a frame that came: its deadline
    /// counts, and only a model run that hangs is left to this limit.
    fn frames_due(&self) -> Duration {
        match self.link.armed() {
            Some((_, captured)) => captured.max(self.seen_at) + stuck_after(self.deadline),
            None => self.seen_at + self.link.frame_limit(),
        }
    }

    /// Safe levels, whatever happened before; for the end of the thread.
    pub fn close(&mut self, reason: Option<String>) {
        let now = monotonic_now();
        if let Some(reason) = reason {
            self.go_safe(Reason::Fault(reason), now);
        } else {
            // Nobody is left to claim a line again that fails now.
            let _ = self.outputs.safe();
            self.report_outputs(now);
        }
    }

    fn miss(&mut self, sequence: u32, captured: Duration, now: Duration) {
        let first = self.missed != Some(captured);
        if first {
            self.missed = Some(captured);
            self.link.metrics.deadline_misses.fetch_add(1, Relaxed);
        }
        let late = now.saturating_sub(captured).saturating_sub(self.deadline);
        let reason = Reason::DeadlineMissed { late, sequence };
        let told = matches!(self.hold, Hold::Safe(Reason::DeadlineMissed { .. }));
        match self.on_miss {
            // A missing line is the graver reason and stays the one that is told.
            OnMiss::Safe if self.lines && !told => self.go_safe(reason, now),
            OnMiss::Warn if first => self.report(Event::Late(reason)),
            OnMiss::Safe | OnMiss::Warn => {}
        }
    }

    fn go_safe(&mut self, reason: Reason, now: Duration) {
        // Lines that fail now are claimed again; the fault is told already.
        let failed = self.outputs.safe().is_err();
        self.lines &= !failed;
        if self.hold != Hold::Safe(reason.clone()) {
            self.hold = Hold::Safe(reason.clone());
            self.report(Event::Safe(reason));
        }
        self.report_outputs(now);
    }

    /// Whether lines have to be claimed.
    pub fn lines_missing(&self) -> bool {
        !self.lines
    }

    fn report_outputs(&mut self, now: Duration) {
        let bits = self.outputs.bits();
        if self.bits != Some(bits) {
            self.bits = Some(bits);
            let sighting = if self.hold == Hold::Rules {
                self.sighting
            } else {
                None
            };
            self.report(Event::Outputs {
                bits,
                at: now,
                sighting,
            });
        }
    }

    fn report(&mut self, event: Event) {
        report(&mut self.events, &self.link, event);
    }
}
