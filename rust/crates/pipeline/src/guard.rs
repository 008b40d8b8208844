//! Who has the outputs: the rules while frames become actions in time, the safe levels otherwise.
//! Nothing in here waits, and nothing allocates unless something fails.

use crate::evidence::{Evidence, MAX_LINES, levels};
use crate::link::{Done, Event, Glimpse, Link, Reason, Seen, note, wake};
use crate::notes::Notes;
use crate::wall::WallClock;
use edgeai_config::{Appliance, Level, OnFault, OnMiss};
use edgeai_realtime::{monotonic_now, uptime};
use edgeai_rules::Rules;
use edgeai_signal::{Backend, Outputs};
use rtrb::Producer;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

/// The rules are evaluated at least this often: a time of day may come.
const IDLE: Duration = Duration::from_millis(250);

/// A frame in work for this long will not end: ten deadlines, at least 2 s.
pub fn stuck_after(deadline: Duration) -> Duration {
    (deadline * 10).max(Duration::from_secs(2))
}

/// Drives the outputs.
pub struct Guard<B: Backend> {
    outputs: Outputs<B>,
    output_count: usize,
    rules: Option<Box<Rules>>,
    evidence: Evidence,
    eyes: Box<[Eye]>,
    on_miss: OnMiss,
    hold: Hold,
    /// All lines, inputs too, are claimed.
    lines: bool,
    /// Names of the sensors, those without which the outputs are safe.
    vital: Box<[Option<String>]>,
    /// Bit i: of sensor i no value is known; `None`: not asked yet.
    unknown: Option<u32>,
    wall: WallClock,
    /// When the rules were evaluated last.
    evaluated: Duration,
    /// When the rules may change by themselves.
    rules_due: Option<Duration>,
    /// The model whose frame came last.
    last: Option<usize>,
    /// Bit i: rule i was active when last reported.
    active: u64,
    /// Levels last reported.
    bits: Option<u32>,
    decided: bool,
    /// When the rules had decided, before the lines were driven.
    decided_at: Duration,
    notes: Option<Notes>,
    events: Producer<Event>,
    /// The reporter has not been woken for the last events.
    told: bool,
    link: Arc<Link>,
}

/// What is known of one model's frames.
#[derive(Default)]
struct Eye {
    /// The last frame became an action in time, or nothing is made of its being late.
    in_time: bool,
    /// When the last sighting came.
    seen_at: Duration,
    /// Capture time of the frame whose miss was counted last.
    missed: Option<Duration>,
}

/// What the outputs are held by.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Hold {
    /// Safe levels, since not every model has seen a frame yet.
    Start,
    /// The rules.
    Rules,
    /// Safe levels.
    Safe(Reason),
}

/// The name of a sensor without which the outputs are safe.
fn vital(sensor: &edgeai_config::Sensor) -> Option<String> {
    (sensor.on_fault == OnFault::Safe).then(|| sensor.name.clone())
}

impl<B: Backend> Guard<B> {
    /// `outputs` are at their safe level, as far as they could be claimed.
    pub fn new(
        appliance: &Appliance,
        outputs: Outputs<B>,
        notes: Option<Notes>,
        events: Producer<Event>,
        link: Arc<Link>,
    ) -> Self {
        let models = appliance.models.len();
        let channels = appliance
            .sensors
            .iter()
            .map(|sensor| sensor.channels.len())
            .sum();
        Self {
            outputs,
            output_count: appliance.outputs.len(),
            rules: None,
            evidence: Evidence::new(models, channels),
            eyes: (0..models).map(|_| Eye::default()).collect(),
            on_miss: appliance.deadline.on_miss,
            hold: Hold::Start,
            lines: false,
            vital: appliance.sensors.iter().map(vital).collect(),
            unknown: None,
            wall: WallClock::of(appliance),
            evaluated: Duration::ZERO,
            rules_due: None,
            last: None,
            active: 0,
            bits: None,
            decided: false,
            decided_at: Duration::ZERO,
            notes,
            events,
            told: false,
            link,
        }
    }

    /// The lines; for claiming them.
    pub fn outputs(&mut self) -> &mut Outputs<B> {
        &mut self.outputs
    }

    /// What the rules look at; for sensor values.
    pub fn evidence(&mut self) -> &mut Evidence {
        &mut self.evidence
    }

    /// Says whether all lines are claimed; without, nothing but the safe level is driven.
    pub fn set_lines(&mut self, result: Result<(), String>, now: Duration) {
        self.lines = result.is_ok();
        match result {
            Err(reason) => self.go_safe(Reason::Fault(reason), now),
            Ok(()) => self.report_outputs(now),
        }
    }

    /// Bit i of `unknown`: of sensor i no value is known. Without a vital one the outputs are safe.
    pub fn sensors_unknown(&mut self, unknown: u32, now: Duration) {
        if self.unknown == Some(unknown) {
            return;
        }
        self.unknown = Some(unknown);
        self.report(Event::SensorsUnknown(unknown));
        if let Some(name) = self.missing_sensor() {
            let reason = format!("sensor {name} is not known");
            self.go_safe(Reason::Fault(reason), now);
        }
    }

    /// The first vital sensor of which no value is known.
    fn missing_sensor(&self) -> Option<&str> {
        let unknown = self.unknown.unwrap_or(u32::MAX);
        let all = self.vital.iter().take(32).enumerate();
        let mut missing = all.filter(|(index, _)| unknown >> index & 1 == 1);
        missing.find_map(|(_, vital)| vital.as_deref())
    }

    /// Decides with other rules from now on.
    pub fn set_rules(&mut self, rules: Box<Rules>) {
        if let Some(notes) = &mut self.notes {
            notes.rules(&rules);
        }
        self.rules = Some(rules);
        self.evidence.renew();
        self.rules_due = None;
    }

    /// A part of `model` does not work: safe, and what it saw counts no more.
    pub fn fault(&mut self, model: usize, reason: String, now: Duration) {
        self.begin_anew(1 << model.min(31));
        self.forget(model);
        self.go_safe(Reason::Fault(reason), now);
    }

    fn forget(&mut self, model: usize) {
        self.evidence.forget(model);
        if let Some(eye) = self.eyes.get_mut(model) {
            eye.in_time = false;
        }
    }

    /// The rules forget; `anew` are the models that do as well.
    fn begin_anew(&mut self, anew: u32) {
        if let Some(rules) = &mut self.rules {
            rules.reset();
        }
        self.rules_due = None;
        if let Some(notes) = &mut self.notes {
            notes.reset(anew);
        }
    }

    /// A frame was looked at: decides, and takes its deadline off the watch. Gives back an old one.
    pub fn see(&mut self, seen: Seen, inputs: &[Level]) -> Seen {
        let now = monotonic_now();
        let Seen {
            sighting,
            missing,
            dequeued,
            worked,
            ..
        } = seen;
        let (handed, times) = (seen.handed, seen.times);
        let (model, sequence) = (usize::from(sighting.model), sighting.sequence);
        let captured = sighting.captured;
        if let Some(notes) = &mut self.notes {
            notes.missing(missing);
            notes.sighting(&sighting);
        }
        let old = self.evidence.see(sighting);
        self.last = Some(model);
        let in_time = now.saturating_sub(captured) <= self.link.deadline;
        if !in_time {
            self.miss(model, sequence, captured, now);
        }
        if let Some(eye) = self.eyes.get_mut(model) {
            eye.seen_at = now;
            eye.in_time = in_time || self.on_miss == OnMiss::Warn;
        }
        self.release();
        self.decide(now, inputs);
        if let Some(watch) = self.link.watches.get(model) {
            watch.disarm(captured);
        }
        let acted = monotonic_now();
        let metrics = &self.link.metrics;
        metrics.record(model, |of| &of.rules, acted.saturating_sub(now));
        let overhead = acted.saturating_sub(dequeued).saturating_sub(worked);
        metrics.record(model, |of| &of.overhead, overhead);
        let latency = acted.saturating_sub(captured);
        metrics.record(model, |of| &of.frame_to_action, latency);
        if in_time && latency > self.link.deadline {
            self.miss(model, sequence, captured, acted);
        }
        self.tell_first_decision(acted);
        Seen {
            sighting: old,
            missing: 0,
            dequeued,
            handed,
            worked,
            times,
            done: Some(Done {
                received: now,
                decided: self.decided_at.max(now),
                acted,
            }),
        }
    }

    /// Gives the outputs to the rules, if all is well.
    fn release(&mut self) {
        if self.lines
            && self.rules.is_some()
            && self.hold != Hold::Rules
            && self.missing_sensor().is_none()
            && self.eyes.iter().all(|eye| eye.in_time)
        {
            self.hold = Hold::Rules;
            self.report(Event::Deciding);
        }
    }

    fn tell_first_decision(&mut self, at: Duration) {
        if !self.decided && self.hold == Hold::Rules {
            self.decided = true;
            self.report(Event::FirstDecision {
                at,
                uptime: uptime(),
            });
        }
    }

    /// Decides if a time has come at which the rules may change, or if something `changed`.
    pub fn decide_if(&mut self, changed: bool, now: Duration, inputs: &[Level]) {
        let due = |due: Option<Duration>| due.is_some_and(|due| due <= now);
        let idle = now.saturating_sub(self.evaluated) >= IDLE;
        if changed || idle || due(self.rules_due) || due(self.outputs.due()) {
            if self.eyes.is_empty() {
                // No frame will come to give the outputs to the rules.
                self.release();
            }
            self.decide(now, inputs);
            if self.eyes.is_empty() {
                self.tell_first_decision(now);
            }
        }
    }

    /// Evaluates the rules with all there is; drives the outputs if the rules have them.
    fn decide(&mut self, now: Duration, inputs: &[Level]) {
        let (Some(rules), true) = (&mut self.rules, self.evidence.complete()) else {
            return;
        };
        let mut made = self.evidence.evaluate(rules, now, self.wall.now(), inputs);
        self.evaluated = now;
        self.rules_due = rules.due();
        self.decided_at = monotonic_now();
        let driven = if self.hold == Hold::Rules {
            let mut room = [Level::Low; MAX_LINES];
            let levels = levels(made.decision.levels, &mut room, self.output_count);
            self.outputs.set(now, levels)
        } else {
            Ok(())
        };
        made.driven = self.outputs.bits();
        made.safe = self.hold != Hold::Rules || driven.is_err();
        let decision = &made.decision;
        for (shown, value) in self.link.metrics.counters.iter().zip(decision.counters) {
            shown.store(value, Relaxed);
        }
        let changed = decision.active ^ self.active;
        self.active = decision.active;
        if changed | decision.started != 0 {
            let event = Event::Rules {
                changed,
                active: decision.active,
                started: decision.started,
                at: now,
            };
            note(&mut self.events, &self.link, event);
            self.told = true;
        }
        if let Some(notes) = &mut self.notes {
            let last = self.last.and_then(|model| self.evidence.sighting(model));
            self.evidence.sampled(|sampled| notes.samples(sampled));
            notes.evaluation(made, last);
            if let Some(rules) = &self.rules {
                notes.state(rules);
            }
        }
        match driven {
            Ok(()) => self.report_outputs(now),
            Err(error) => self.set_lines(Err(error.to_string()), now),
        }
    }

    /// Looks at the deadline of each frame in work and at how long no frame has come.
    pub fn watch(&mut self, now: Duration) {
        for model in 0..self.eyes.len() {
            if let Some((sequence, captured)) = self.armed(model)
                && now.saturating_sub(captured) > self.link.deadline
            {
                self.miss(model, sequence, captured, now);
            }
            if self.hold == Hold::Rules && now > self.frames_due(model) {
                let seen_at = self.eyes.get(model).map_or(now, |eye| eye.seen_at);
                self.begin_anew(0);
                self.forget(model);
                self.go_safe(Reason::NoFrame(now.saturating_sub(seen_at)), now);
            }
        }
    }

    fn armed(&self, model: usize) -> Option<(u32, Duration)> {
        self.link.watches.get(model)?.armed()
    }

    /// When to come round again even if nothing happens.
    pub fn due(&self) -> Option<Duration> {
        let just_after = |time: Duration| time + Duration::from_micros(1);
        let rules = self.hold == Hold::Rules;
        let frames = self.eyes.iter().enumerate().flat_map(|(model, eye)| {
            let deadline = self
                .armed(model)
                .filter(|(_, captured)| eye.missed != Some(*captured))
                .map(|(_, captured)| just_after(captured + self.link.deadline));
            let frame = rules.then(|| just_after(self.frames_due(model)));
            [deadline, frame]
        });
        let timed = [self.rules_due, self.outputs.due()].map(|due| due.filter(|_| rules));
        frames.chain(timed).flatten().min()
    }

    /// Until when the next sighting must come. A frame in work is a frame that came: its deadline
    /// counts, and only a model run that hangs is left to this limit.
    fn frames_due(&self, model: usize) -> Duration {
        let (Some(watch), Some(eye)) = (self.link.watches.get(model), self.eyes.get(model)) else {
            return Duration::MAX;
        };
        match watch.armed() {
            Some((_, captured)) => captured.max(eye.seen_at) + stuck_after(self.link.deadline),
            None => eye.seen_at + watch.frame_limit(),
        }
    }

    /// Safe levels, whatever happened before; for the end of the thread.
    pub fn close(&mut self, reason: Option<String>) {
        let now = monotonic_now();
        if let Some(reason) = reason {
            self.go_safe(Reason::Fault(reason), now);
        } else {
            // Nobody is left to claim a line again that fails now.
            let _ = self.outputs.safe(now);
            self.report_outputs(now);
        }
        self.wake_reporter();
    }

    fn miss(&mut self, model: usize, sequence: u32, captured: Duration, now: Duration) {
        let Some(eye) = self.eyes.get_mut(model) else {
            return;
        };
        let first = eye.missed != Some(captured);
        if first {
            eye.missed = Some(captured);
            self.link.metrics.count(model, |of| &of.deadline_misses, 1);
        }
        let late = now
            .saturating_sub(captured)
            .saturating_sub(self.link.deadline);
        let reason = Reason::DeadlineMissed { late, sequence };
        let told = matches!(self.hold, Hold::Safe(Reason::DeadlineMissed { .. }));
        match self.on_miss {
            // A missing line is the graver reason and stays the one that is told.
            OnMiss::Safe if self.lines && !told => {
                eye.in_time = false;
                self.go_safe(reason, now);
            }
            OnMiss::Safe => eye.in_time = false,
            OnMiss::Warn if first => self.report(Event::Late(reason)),
            OnMiss::Warn => {}
        }
    }

    fn go_safe(&mut self, reason: Reason, now: Duration) {
        // Lines that fail now are claimed again; the fault is told already.
        let failed = self.outputs.safe(now).is_err();
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
            let last = self.last.filter(|_| self.hold == Hold::Rules);
            let glimpse = last
                .and_then(|model| self.evidence.sighting(model))
                .map(Glimpse::of);
            self.report(Event::Outputs {
                bits,
                at: now,
                glimpse,
            });
        }
    }

    fn report(&mut self, event: Event) {
        note(&mut self.events, &self.link, event);
        self.told = true;
    }

    /// Wakes the reporter if there is something to tell: once, when all that is urgent is done.
    pub fn wake_reporter(&mut self) {
        if std::mem::take(&mut self.told) {
            wake(&self.link.reporter);
        }
    }
}
