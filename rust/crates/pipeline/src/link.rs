//! What the threads share: atomics, wake-ups, and the values that go through wait-free queues.

use crate::metrics::Metrics;
use edgeai_decode::Detection;
use edgeai_realtime::monotonic_now;
use edgeai_rules::Rules;
use nix::sys::eventfd::{EfdFlags, EventFd};
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

/// Detections of one frame that are handed over; of more, the best.
pub const MAX_DETECTIONS: usize = 100;

/// How long a thread may take to come round for the first time.
const START_PROMISE: Duration = Duration::from_secs(5);

/// What was seen in one frame.
#[derive(Debug, Clone, Copy)]
pub struct Sighting {
    /// The driver's frame number.
    pub sequence: u32,
    /// Capture on `CLOCK_MONOTONIC`.
    pub captured: Duration,
    count: usize,
    detections: [Detection; MAX_DETECTIONS],
}

impl Sighting {
    /// The best [`MAX_DETECTIONS`] of `detections`, which are sorted by score.
    #[must_use]
    pub fn new(sequence: u32, captured: Duration, detections: &[Detection]) -> Self {
        let nothing = Detection {
            class: 0,
            score: 0.0,
            x_min: 0.0,
            y_min: 0.0,
            x_max: 0.0,
            y_max: 0.0,
        };
        let mut sighting = Self {
            sequence,
            captured,
            count: 0,
            detections: [nothing; MAX_DETECTIONS],
        };
        for (slot, detection) in sighting.detections.iter_mut().zip(detections) {
            *slot = *detection;
            sighting.count += 1;
        }
        sighting
    }

    /// Best score first.
    #[must_use]
    pub fn detections(&self) -> &[Detection] {
        self.detections.get(..self.count).unwrap_or(&[])
    }
}

/// From the vision thread to the signal thread, in order.
#[allow(clippy::large_enum_variant)] // a box for each sighting would be an allocation for each frame
pub enum Handover {
    /// The model is loaded; decide with these rules from now on.
    Rules(Box<Rules>),
    /// A frame was looked at.
    Sighting(Sighting),
    /// There is nothing to decide with, and why.
    Fault(String),
}

/// From a real-time thread to the reporter.
#[allow(clippy::large_enum_variant)] // as above
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
        sighting: Option<Sighting>,
    },
    /// A rule became active or inactive.
    Rule {
        /// Its place in the description.
        index: usize,
        /// What it became.
        active: bool,
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
    /// A line for the log, from start-up or recovery.
    Message(log::Level, String),
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
    /// Capture time (ns) of the frame the vision thread works on; 0: none.
    armed: AtomicU64,
    armed_sequence: AtomicU32,
    /// Without a frame for this long (ms), outputs go safe.
    frame_limit: AtomicU64,
    /// Until when (ms) a thread has promised to come round again.
    vision_due: AtomicU64,
    signal_due: AtomicU64,
}

impl Link {
    /// # Errors
    /// No file descriptors left.
    pub fn new() -> io::Result<Self> {
        let soon = millis(monotonic_now() + START_PROMISE);
        let eventfd = || EventFd::from_flags(EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC);
        Ok(Self {
            signal: eventfd()?,
            reporter: eventfd()?,
            stop: AtomicBool::new(false),
            metrics: Metrics::default(),
            armed: AtomicU64::new(0),
            armed_sequence: AtomicU32::new(0),
            frame_limit: AtomicU64::new(1000),
            vision_due: AtomicU64::new(soon),
            signal_due: AtomicU64::new(soon),
        })
    }

    /// Whether everybody shall end.
    pub fn stopping(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    /// A frame is being worked on: its deadline runs.
    pub fn arm(&self, sequence: u32, captured: Duration) {
        self.armed_sequence.store(sequence, Ordering::Relaxed);
        self.armed.store(nanos(captured).max(1), Ordering::Release);
        wake(&self.signal);
    }

    /// The frame captured then is done, or will never be; so is any before it.
    pub fn disarm(&self, captured: Duration) {
        let captured = nanos(captured).max(1);
        // A newer frame may be armed already; that one stays.
        let done = |armed| (armed <= captured).then_some(0);
        let _ = self
            .armed
            .fetch_update(Ordering::AcqRel, Ordering::Relaxed, done);
    }

    /// Sequence number and capture time of the frame being worked on.
    pub fn armed(&self) -> Option<(u32, Duration)> {
        let armed = self.armed.load(Ordering::Acquire);
        (armed != 0).then(|| {
            (
                self.armed_sequence.load(Ordering::Relaxed),
                Duration::from_nanos(armed),
            )
        })
    }

    /// Sets for how long there may be no frame: ten periods, at least 1 s.
    pub fn set_frame_rate(&self, fps: f64) {
        let periods = if fps > 0.0 {
            Duration::try_from_secs_f64(10.0 / fps).ok()
        } else {
            None
        };
        let limit = periods
            .unwrap_or_default()
            .clamp(Duration::from_secs(1), Duration::from_secs(60));
        self.frame_limit.store(millis(limit), Ordering::Relaxed);
    }

    /// Without a frame for this long, outputs go safe.
    pub fn frame_limit(&self) -> Duration {
        Duration::from_millis(self.frame_limit.load(Ordering::Relaxed))
    }

    /// The vision thread will come round again within `time`.
    pub fn vision_promises(&self, time: Duration) {
        self.vision_due
            .store(millis(monotonic_now() + time), Ordering::Relaxed);
    }

    /// The signal thread will come round again within `time`.
    pub fn signal_promises(&self, time: Duration) {
        self.signal_due
            .store(millis(monotonic_now() + time), Ordering::Relaxed);
    }

    /// Whether both threads keep what they promised.
    pub fn progressing(&self) -> bool {
        let now = millis(monotonic_now());
        now <= self.vision_due.load(Ordering::Relaxed)
            && now <= self.signal_due.load(Ordering::Relaxed)
    }
}

/// Makes the other side of `event` come round. Never blocks.
pub fn wake(event: &EventFd) {
    // It fails only when 2^64-2 wake-ups wait already: awake enough.
    let _ = event.write(1);
}

/// Puts an event into a queue to the reporter, or counts it as lost.
pub fn report(events: &mut rtrb::Producer<Event>, link: &Link, event: Event) {
    if events.push(event).is_err() {
        link.metrics.events_lost.fetch_add(1, Ordering::Relaxed);
    }
    wake(&link.reporter);
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_frame_that_is_armed_is_disarmed() {
        let link = Link::new().unwrap();
        let (old, new) = (Duration::from_millis(10), Duration::from_millis(43));
        assert_eq!(link.armed(), None);
        link.arm(1, old);
        link.arm(2, new);
        link.disarm(old);
        assert_eq!(link.armed(), Some((2, new)));
        link.disarm(new);
        assert_eq!(link.armed(), None);
        link.arm(1, old);
        link.disarm(new);
        assert_eq!(
            link.armed(),
            None,
            "a frame before the one that is done was abandoned"
        );
    }

    #[test]
    fn frames_may_be_away_for_ten_periods_and_at_least_a_second() {
        let link = Link::new().unwrap();
        for (fps, limit) in [
            (30.0, 1000),
            (5.0, 2000),
            (0.0, 1000),
            (f64::NAN, 1000),
            (0.001, 60_000),
        ] {
            link.set_frame_rate(fps);
            assert_eq!(
                link.frame_limit(),
                Duration::from_millis(limit),
                "{fps} fps"
            );
        }
    }

    #[test]
    fn of_too_many_detections_the_best_are_kept() {
        let detection = |score| Detection {
            class: 1,
            score,
            x_min: 0.0,
            y_min: 0.0,
            x_max: 1.0,
            y_max: 1.0,
        };
        let many: Vec<_> = (0..150_u8)
            .rev()
            .map(|score| detection(f32::from(score)))
            .collect();
        let sighting = Sighting::new(1, Duration::ZERO, &many);
        assert_eq!(sighting.detections(), &many[..MAX_DETECTIONS]);
        assert_eq!(
            Sighting::new(1, Duration::ZERO, &many[..2])
                .detections()
                .len(),
            2
        );
    }
}
