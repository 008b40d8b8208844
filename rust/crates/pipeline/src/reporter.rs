//! The ordinary thread: tells in log, decision log, metrics and to the supervisor what the
//! real-time threads do. Nothing waits for it.

use crate::Options;
use crate::link::{Event, Glimpse, Link, Reason};
use crate::metrics::Summary;
use edgeai_config::{Appliance, Then};
use edgeai_decode::Detection;
use edgeai_telemetry::{DecisionLog, Notifier, Telemetry};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::SigSet;
use nix::sys::signalfd::{SfdFlags, SignalFd};
use rtrb::Consumer;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Metrics and heartbeat.
const EVERY: Duration = Duration::from_secs(1);
/// Metrics in the log: each so many times [`EVERY`].
const LOG_METRICS_EVERY: u32 = 60;
/// How long the end waits for the decision log.
const LOG_GRACE: Duration = Duration::from_millis(50);

/// Reads the events of the real-time threads.
pub struct Reporter {
    outputs: Vec<String>,
    models: Vec<String>,
    sensors: Vec<String>,
    rules: Vec<(String, Then)>,
    counters: Vec<String>,
    started: Duration,
    link: Arc<Link>,
    queues: Vec<Consumer<Event>>,
    notifier: Notifier,
    decisions: DecisionLog,
    telemetry: Telemetry,
    metrics_file: Option<PathBuf>,
    state: State,
}

/// `metrics.json`
#[derive(Serialize)]
struct State {
    first_decision_ms: Option<u64>,
    uptime_at_first_decision_s: Option<f64>,
    safe: bool,
    safe_reason: Option<String>,
    decisions_dropped: u64,
    telemetry_dropped: u64,
    events_lost: u64,
    frames_not_kept: u64,
    /// The rules' counters.
    counters: BTreeMap<String, u64>,
    /// All models together.
    #[serde(flatten)]
    summary: Summary,
    /// Each model, by name.
    models: BTreeMap<String, Summary>,
    /// Each sensor, by name.
    sensors: BTreeMap<String, SensorState>,
}

/// A sensor in `metrics.json`.
#[derive(Default, Serialize)]
struct SensorState {
    /// There is a value to be believed.
    known: bool,
    /// What its thread says is wrong.
    fault: Option<String>,
    /// How often something was.
    faults: u64,
}

/// One line of the decision log; times in seconds on `CLOCK_MONOTONIC`.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "lowercase")]
enum Decision<'a> {
    Outputs {
        time: f64,
        levels: BTreeMap<&'a str, &'static str>,
        model: Option<&'a str>,
        frame: Option<u32>,
        captured: Option<f64>,
        detections: &'a [Detection],
    },
    Rule {
        time: f64,
        rule: &'a str,
        active: bool,
    },
    Safe {
        time: f64,
        reason: String,
    },
}

impl Reporter {
    /// Reads `queues`.
    pub fn new(
        appliance: &Appliance,
        options: &Options,
        link: Arc<Link>,
        queues: Vec<Consumer<Event>>,
    ) -> Self {
        let summary = link.metrics.total.summary();
        let names = |model: &edgeai_config::Model| model.name.clone();
        let directory = options.metrics_file.parent();
        // No tmpfs to write to: metrics are in the log all the same.
        let writable = directory.is_some_and(|directory| fs::create_dir_all(directory).is_ok());
        Self {
            outputs: appliance
                .outputs
                .iter()
                .map(|output| output.name.clone())
                .collect(),
            rules: appliance
                .rules
                .iter()
                .map(|rule| (rule.name.clone(), rule.then.clone()))
                .collect(),
            models: appliance.models.iter().map(names).collect(),
            sensors: appliance.sensors.iter().map(|it| it.name.clone()).collect(),
            counters: Vec::new(),
            started: options.started,
            link,
            queues,
            notifier: Notifier::from_environment(),
            decisions: DecisionLog::start(&options.log_directory),
            telemetry: Telemetry::to(&options.telemetry_socket),
            metrics_file: writable.then(|| options.metrics_file.clone()),
            state: State {
                first_decision_ms: None,
                uptime_at_first_decision_s: None,
                safe: true,
                safe_reason: Some("no decision yet".into()),
                decisions_dropped: 0,
                telemetry_dropped: 0,
                events_lost: 0,
                frames_not_kept: 0,
                counters: BTreeMap::new(),
                summary,
                models: BTreeMap::new(),
                sensors: appliance
                    .sensors
                    .iter()
                    .map(|it| (it.name.clone(), SensorState::default()))
                    .collect(),
            },
        }
    }

    /// Reports until a signal of `terminate` comes (true) or the thread `signal` ends (false).
    ///
    /// # Errors
    /// No descriptor for the signals.
    pub fn run(&mut self, terminate: &SigSet, signal: &JoinHandle<()>) -> io::Result<bool> {
        let link = Arc::clone(&self.link);
        let signals =
            SignalFd::with_flags(terminate, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?;
        self.notifier.ready();
        let mut due = Instant::now();
        let mut rounds = 0_u32;
        loop {
            self.drain();
            if let Ok(Some(_)) = signals.read_signal() {
                return Ok(true);
            }
            if signal.is_finished() {
                return Ok(false);
            }
            let now = Instant::now();
            if now >= due {
                due = now + EVERY;
                self.beat(rounds);
                rounds = rounds.wrapping_add(1);
            }
            let milliseconds =
                u16::try_from(due.saturating_duration_since(now).as_millis()).unwrap_or(u16::MAX);
            let mut waiting = [
                PollFd::new(signals.as_fd(), PollFlags::POLLIN),
                PollFd::new(link.reporter.as_fd(), PollFlags::POLLIN),
            ];
            // Interrupted or not, the next round looks at everything.
            let _ = poll(
                &mut waiting,
                PollTimeout::from(milliseconds.saturating_add(1)),
            );
            let _ = link.reporter.read();
        }
    }

    /// What is left to tell when both threads have ended.
    pub fn finish(mut self) {
        self.drain();
        self.write_metrics();
        log::info!("metrics: {}", self.state.summary);
        self.decisions.finish(LOG_GRACE);
    }

    fn beat(&mut self, round: u32) {
        if self.link.progressing() {
            self.notifier.watchdog();
        } else {
            log::error!(
                "a real-time thread does not come round; the supervisor is not told that all is well"
            );
        }
        self.write_metrics();
        if round > 0 && round.is_multiple_of(LOG_METRICS_EVERY) {
            log::info!("metrics: {}", self.state.summary);
        }
    }

    fn drain(&mut self) {
        for index in 0..self.queues.len() {
            while let Some(event) = self
                .queues
                .get_mut(index)
                .and_then(|queue| queue.pop().ok())
            {
                self.tell(event);
            }
        }
    }

    fn tell(&mut self, event: Event) {
        match event {
            Event::Message(level, line) => log::log!(level, "{line}"),
            Event::SensorFault(sensor, fault) => self.tell_sensor(sensor, fault),
            Event::SensorsUnknown(unknown) => self.tell_unknown(unknown),
            Event::Late(reason) => log::warn!("{reason}"),
            Event::Safe(reason) => self.tell_safe(&reason),
            Event::Deciding => {
                (self.state.safe, self.state.safe_reason) = (false, None);
                self.notifier.status("deciding");
            }
            Event::Rules {
                changed,
                active,
                started,
                at,
            } => self.tell_rules(changed, active, started, at),
            Event::Counters(names) => self.counters = names,
            Event::Outputs { bits, at, glimpse } => {
                log::info!("outputs:{}", describe(&self.outputs, bits));
                let model = glimpse.and_then(|glimpse| self.models.get(usize::from(glimpse.model)));
                self.decisions.append(&Decision::Outputs {
                    time: at.as_secs_f64(),
                    levels: levels(&self.outputs, bits).collect(),
                    model: model.map(String::as_str),
                    frame: glimpse.map(|glimpse| glimpse.sequence),
                    captured: glimpse.map(|glimpse| glimpse.captured.as_secs_f64()),
                    detections: glimpse.as_ref().map_or(&[], Glimpse::detections),
                });
            }
            Event::FirstDecision { at, uptime } => {
                let after = at.saturating_sub(self.started).as_millis();
                log::info!(
                    "first decision {after} ms after start, uptime {:.3}",
                    uptime.as_secs_f64()
                );
                self.state.first_decision_ms = u64::try_from(after).ok();
                self.state.uptime_at_first_decision_s = Some(uptime.as_secs_f64());
            }
        }
    }

    fn tell_sensor(&mut self, index: usize, fault: Option<String>) {
        let Some(name) = self.sensors.get(index) else {
            return;
        };
        match &fault {
            Some(fault) => log::warn!("{fault}"),
            None => log::info!("sensor {name} is back"),
        }
        if let Some(state) = self.state.sensors.get_mut(name) {
            state.faults += u64::from(fault.is_some());
            state.fault = fault;
        }
    }

    /// Bit i: of sensor i no value is known, whether its thread says why or hangs.
    fn tell_unknown(&mut self, unknown: u32) {
        for (index, name) in self.sensors.iter().take(32).enumerate() {
            let Some(state) = self.state.sensors.get_mut(name) else {
                continue;
            };
            let known = unknown >> index & 1 == 0;
            if state.known && !known && state.fault.is_none() {
                log::warn!("sensor {name}: no sample for too long");
            }
            state.known = known;
        }
    }

    fn tell_rules(&mut self, changed: u64, active: u64, started: u64, at: Duration) {
        let bit = |bits: u64, index: usize| bits >> index & 1 == 1;
        for (index, (rule, then)) in self.rules.iter().take(64).enumerate() {
            if bit(started, index)
                && let Some(line) = &then.log
            {
                log::info!("{line}");
            }
            if !bit(changed | started, index) {
                continue;
            }
            let active = bit(active, index);
            if bit(changed, index) {
                let active = if active { "active" } else { "inactive" };
                log::info!("rule {rule}: {active}");
            }
            let decision = Decision::Rule {
                time: at.as_secs_f64(),
                rule,
                active,
            };
            self.decisions.append(&decision);
            if then.telemetry {
                self.telemetry.send(&decision);
            }
        }
    }

    fn tell_safe(&mut self, reason: &Reason) {
        let line = reason.to_string().replace(['\n', '\r'], " ");
        log::warn!("safe: {line}");
        self.notifier.status(&format!("safe: {line}"));
        let time = edgeai_realtime::monotonic_now().as_secs_f64();
        self.decisions.append(&Decision::Safe {
            time,
            reason: line.clone(),
        });
        (self.state.safe, self.state.safe_reason) = (true, Some(line));
    }

    fn write_metrics(&mut self) {
        let metrics = &self.link.metrics;
        let state = &mut self.state;
        state.summary = metrics.total.summary();
        state.models = self
            .models
            .iter()
            .zip(&metrics.models)
            .map(|(name, measured)| (name.clone(), measured.summary()))
            .collect();
        state.counters = self
            .counters
            .iter()
            .zip(&metrics.counters)
            .map(|(name, value)| (name.clone(), value.load(Relaxed)))
            .collect();
        state.events_lost = metrics.events_lost.load(Relaxed);
        state.frames_not_kept = metrics.frames_not_kept.load(Relaxed);
        state.decisions_dropped = self.decisions.dropped();
        state.telemetry_dropped = self.telemetry.dropped();
        let Some(path) = &self.metrics_file else {
            return;
        };
        let Ok(text) = serde_json::to_string(&self.state) else {
            return;
        };
        // Renamed into place, so that a reader never sees half of it.
        let new = path.with_extension("new");
        if let Err(error) = fs::write(&new, text).and_then(|()| fs::rename(&new, path)) {
            log::warn!(
                "{}: {error}; no more metrics are written there",
                path.display()
            );
            self.metrics_file = None;
        }
    }
}

fn levels(names: &[String], bits: u32) -> impl Iterator<Item = (&str, &'static str)> {
    let level = move |index: usize| {
        if bits >> index & 1 == 1 {
            "high"
        } else {
            "low"
        }
    };
    names
        .iter()
        .take(32)
        .enumerate()
        .map(move |(index, name)| (name.as_str(), level(index)))
}

/// ` name=level` for each output.
fn describe(names: &[String], bits: u32) -> String {
    levels(names, bits).fold(String::new(), |mut line, (name, level)| {
        // Writing into a String does not fail.
        let _ = write!(line, " {name}={level}");
        line
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_are_named_with_their_levels() {
        let names = ["stop".to_owned(), "lamp".to_owned()];
        assert_eq!(describe(&names, 0b01), " stop=high lamp=low");
        assert_eq!(describe(&[], 0), "");
    }

    #[test]
    fn the_metrics_file_has_the_promised_keys() {
        let state = State {
            first_decision_ms: Some(7),
            uptime_at_first_decision_s: None,
            safe: true,
            safe_reason: Some("camera missing".into()),
            decisions_dropped: 0,
            telemetry_dropped: 0,
            events_lost: 0,
            frames_not_kept: 0,
            counters: [("boxes".to_owned(), 3)].into(),
            summary: crate::metrics::Measured::default().summary(),
            models: [(
                "eye".to_owned(),
                crate::metrics::Measured::default().summary(),
            )]
            .into(),
            sensors: [("motor".to_owned(), SensorState::default())].into(),
        };
        let value = serde_json::to_value(state).unwrap();
        assert_eq!(value["first_decision_ms"], 7);
        assert_eq!(value["uptime_at_first_decision_s"], serde_json::Value::Null);
        for key in ["frames", "dropped", "deadline_misses", "events_lost"] {
            assert_eq!(value[key], 0, "{key}");
        }
        assert_eq!(value["frame_to_action_us"]["p99"], 0);
        for stage in ["preprocess", "invoke", "decode", "rules"] {
            assert_eq!(value["stages_us"][stage]["max"], 0, "{stage}");
        }
        assert_eq!(value["models"]["eye"]["frames"], 0);
        assert_eq!(value["counters"]["boxes"], 3);
        assert_eq!(value["sensors"]["motor"]["known"], false);
        assert_eq!(
            (&value["safe"], &value["safe_reason"]),
            (&true.into(), &"camera missing".into())
        );
    }
}
