//! What the threads share: atomics, wake-ups, and the values that go through wait-free queues.

use crate::home::Home;
use crate::inference::Times;
use crate::metrics::Metrics;
use crate::watch::{Promise, Watch, nanos};
use edgeai_config::Appliance;
use edgeai_decode::Detection;
use edgeai_realtime::monotonic_now;
use edgeai_recording::Sighting;
use edgeai_rules::Rules;
use nix::sys::eventfd::{EfdFlags, EventFd};
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// Detections that go into a [`Glimpse`]; of more, the best.
const GLIMPSE: usize = 16;

/// From a model's thread to the signal thread, in order.
#[expect(
    clippy::large_enum_variant,
    reason = "a box for each frame would be an allocation"
)]
pub enum Handover {
    /// All models' names are known; decide with these rules from now on.
    Rules(Box<Rules>),
    /// A frame or window was looked at.
    Seen(Seen),
    /// There is nothing to decide with, and why.
    Fault(String),
}

/// A sighting on its way; the signal thread gives an old one back.
#[derive(Default)]
pub struct Seen {
    /// What was found.
    pub sighting: Sighting,
    /// How many before it found no room on the way.
    pub missing: u32,
    /// When the frame was dequeued, on `CLOCK_MONOTONIC`.
    pub dequeued: Duration,
    /// When it was handed over.
    pub handed: Duration,
    /// What the frame took in preprocess and invoke, of all models of its thread so far.
    pub worked: Duration,
    /// How long each stage took.
    pub times: Times,
    /// On the way back: when it was taken, decided, and acted on.
    pub done: Option<Done>,
}

/// When the signal thread did what with a sighting, on `CLOCK_MONOTONIC`.
#[derive(Debug, Clone, Copy)]
pub struct Done {
    /// Taken from the queue.
    pub received: Duration,
    /// The rules were evaluated.
    pub decided: Duration,
    /// The levels were on the lines.
    pub acted: Duration,
}

/// The best of a sighting, for people.
#[derive(Debug, Clone, Copy)]
pub struct Glimpse {
    /// The model's place in the description.
    pub model: u8,
    /// The driver's frame number.
    pub sequence: u32,
    /// Capture on `CLOCK_MONOTONIC`.
    pub captured: Duration,
    count: usize,
    detections: [Detection; GLIMPSE],
}

impl Glimpse {
    /// The best of `sighting`.
    #[must_use]
    pub fn of(sighting: &Sighting) -> Self {
        let nothing = Detection {
            class: 0,
            score: 0.0,
            x_min: 0.0,
            y_min: 0.0,
            x_max: 0.0,
            y_max: 0.0,
            track: 0,
            points: 0,
        };
        let mut glimpse = Self {
            model: sighting.model,
            sequence: sighting.sequence,
            captured: sighting.captured,
            count: 0,
            detections: [nothing; GLIMPSE],
        };
        for (slot, detection) in glimpse.detections.iter_mut().zip(&sighting.detections) {
            *slot = *detection;
            glimpse.count += 1;
        }
        glimpse
    }

    /// Best score first, at most 16.
    #[must_use]
    pub fn detections(&self) -> &[Detection] {
        self.detections.get(..self.count).unwrap_or(&[])
    }
}

/// From a real-time thread to the reporter.
#[expect(
    clippy::large_enum_variant,
    reason = "a box for each change would be an allocation"
)]
pub enum Event {
    /// Outputs went to their safe level.
    Safe(Reason),
    /// A deadline was missed and the outputs were left to the rules all the same.
    Late(Reason),
    /// The rules have the outputs again.
    Deciding,
    /// The outputs' levels changed: bit i is output i.
    Outputs {
        /// 1 is high.
        bits: u32,
        /// When, on `CLOCK_MONOTONIC`.
        at: Duration,
        /// The frame it rests on, if there was one.
        glimpse: Option<Glimpse>,
    },
    /// Rules became active or inactive: bit i is rule i.
    Rules {
        /// Those that changed.
        changed: u64,
        /// Those that are active now.
        active: u64,
        /// Those that have become active, again if they were.
        started: u64,
        /// When, on `CLOCK_MONOTONIC`.
        at: Duration,
    },
    /// For the first time levels were decided from a frame.
    FirstDecision {
        /// When, on `CLOCK_MONOTONIC`.
        at: Duration,
        /// The same moment on `CLOCK_BOOTTIME`.
        uptime: Duration,
    },
    /// There are new rules with these counters.
    Counters(Vec<String>),
    /// A sensor's own thread says that it has a fault, and which, or none any more.
    SensorFault(usize, Option<String>),
    /// Bit i: of sensor i no value is known.
    SensorsUnknown(u32),
    /// A line for the log, from start-up or recovery.
    Message(log::Level, String),
}

impl Event {
    /// The names of the counters of new rules.
    #[must_use]
    pub fn counters(rules: &Rules) -> Self {
        let counters = rules.counters().iter();
        Self::Counters(counters.map(|counter| counter.name.clone()).collect())
    }
}

/// Why outputs are at their safe level.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// A frame did not become actions in time.
    #[error("deadline missed by {} ms (frame {sequence})", late.as_millis())]
    DeadlineMissed {
        /// How late it was when this was noticed.
        late: Duration,
        /// The driver's frame number.
        sequence: u32,
    },
    /// Frames stopped coming.
    #[error("no frame for {} ms", .0.as_millis())]
    NoFrame(Duration),
    /// A part does not work.
    #[error("{0}")]
    Fault(String),
}

/// Shared by all threads of the pipeline.
pub struct Link {
    /// Wakes the signal thread.
    pub signal: EventFd,
    /// Wakes the reporter.
    pub reporter: EventFd,
    /// Everybody ends.
    pub stop: AtomicBool,
    /// What is counted and measured.
    pub metrics: Metrics,
    /// One for each model, in the description's order.
    pub watches: Box<[Watch]>,
    /// From capture to action.
    pub deadline: Duration,
    /// The signal thread's.
    pub signal_promise: Promise,
    /// One for each camera, and one for each model on a sensor.
    pub promises: Box<[Promise]>,
    /// The CPU that the signal thread shares with a thread that has a model.
    pub home: Home,
    /// Until when (ns) the signal thread sleeps.
    sleeping: AtomicU64,
}

impl Link {
    /// # Errors
    /// No file descriptors left.
    pub fn new(appliance: &Appliance) -> io::Result<Self> {
        let eventfd = || EventFd::from_flags(EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC);
        let models = appliance.models.len();
        Ok(Self {
            signal: eventfd()?,
            reporter: eventfd()?,
            stop: AtomicBool::new(false),
            metrics: Metrics::new(models),
            watches: (0..models).map(|_| Watch::default()).collect(),
            deadline: Duration::from_millis(appliance.deadline.frame_to_action_ms.into()),
            signal_promise: Promise::default(),
            promises: (0..models).map(|_| Promise::default()).collect(),
            home: Home::default(),
            sleeping: AtomicU64::new(0),
        })
    }

    /// Whether everybody shall end.
    pub fn stopping(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    /// Model `model` works on a frame: its deadline runs. Wakes the signal thread only if it would
    /// sleep beyond that deadline.
    pub fn arm(&self, model: usize, sequence: u32, captured: Duration) {
        if let Some(watch) = self.watches.get(model) {
            watch.arm(sequence, captured);
        }
        // Either this sees until when the signal thread means to sleep, or that thread, which looks at the
        // watches after it said so, sees the frame: all four accesses are sequentially consistent.
        if self.sleeping.load(Ordering::SeqCst) > nanos(captured + self.deadline) {
            wake(&self.signal);
        }
    }

    /// The signal thread means to sleep until then. It has to look at the watches once more before it does.
    pub fn will_sleep(&self, until: Duration) {
        self.sleeping.store(nanos(until), Ordering::SeqCst);
    }

    /// Whether all threads keep what they promised.
    pub fn progressing(&self) -> bool {
        let now = monotonic_now();
        self.signal_promise.kept(now) && self.promises.iter().all(|promise| promise.kept(now))
    }
}

/// Makes the other side of `event` come round. Never blocks.
pub fn wake(event: &EventFd) {
    // It fails only when 2^64-2 wake-ups wait already: awake enough.
    let _ = event.write(1);
}

/// Puts an event into a queue to the reporter, or counts it as lost, and wakes the reporter.
pub fn report(events: &mut rtrb::Producer<Event>, link: &Link, event: Event) {
    note(events, link, event);
    wake(&link.reporter);
}

/// As [`report`], but the reporter is to be woken later.
pub fn note(events: &mut rtrb::Producer<Event>, link: &Link, event: Event) {
    if events.push(event).is_err() {
        link.metrics.events_lost.fetch_add(1, Ordering::Relaxed);
    }
}
