//! What the threads promise each other: frames in work and their deadlines, and to come round again.

use edgeai_realtime::monotonic_now;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

/// How long a thread may take to come round for the first time.
const START_PROMISE: Duration = Duration::from_secs(5);

/// The frame or window that a model works on, as the signal thread sees it.
pub struct Watch {
    /// Capture time (ns) of the frame that is worked on; 0: none.
    armed: AtomicU64,
    armed_sequence: AtomicU32,
    /// Without a frame for this long (ms), outputs go safe.
    frame_limit: AtomicU64,
}

impl Default for Watch {
    fn default() -> Self {
        Self {
            armed: AtomicU64::new(0),
            armed_sequence: AtomicU32::new(0),
            frame_limit: AtomicU64::new(1000),
        }
    }
}

impl Watch {
    /// A frame is being worked on: its deadline runs.
    pub(crate) fn arm(&self, sequence: u32, captured: Duration) {
        self.armed_sequence.store(sequence, Ordering::Relaxed);
        // Sequentially consistent: see `Link::arm`.
        self.armed.store(nanos(captured).max(1), Ordering::SeqCst);
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
        let armed = self.armed.load(Ordering::SeqCst);
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
}

/// Until when a thread has promised to come round again.
pub struct Promise(AtomicU64);

impl Default for Promise {
    fn default() -> Self {
        Self(AtomicU64::new(millis(monotonic_now() + START_PROMISE)))
    }
}

impl Promise {
    /// The thread will come round again within `time`.
    pub fn give(&self, time: Duration) {
        let until = millis(monotonic_now() + time);
        self.0.store(until, Ordering::Relaxed);
    }

    /// Whether it is kept at `now`.
    pub fn kept(&self, now: Duration) -> bool {
        millis(now) <= self.0.load(Ordering::Relaxed)
    }
}

/// Saturates after 584 years.
pub fn nanos(time: Duration) -> u64 {
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
        let watch = Watch::default();
        let (old, new) = (Duration::from_millis(10), Duration::from_millis(43));
        assert_eq!(watch.armed(), None);
        watch.arm(1, old);
        watch.arm(2, new);
        watch.disarm(old);
        assert_eq!(watch.armed(), Some((2, new)));
        watch.disarm(new);
        assert_eq!(watch.armed(), None);
        watch.arm(1, old);
        watch.disarm(new);
        assert_eq!(
            watch.armed(),
            None,
            "a frame before the one that is done was abandoned"
        );
    }

    #[test]
    fn frames_may_be_away_for_ten_periods_and_at_least_a_second() {
        let watch = Watch::default();
        for (fps, limit) in [
            (30.0, 1000),
            (5.0, 2000),
            (0.0, 1000),
            (f64::NAN, 1000),
            (0.001, 60_000),
        ] {
            watch.set_frame_rate(fps);
            assert_eq!(
                watch.frame_limit(),
                Duration::from_millis(limit),
                "{fps} fps"
            );
        }
    }

    #[test]
    fn a_promise_is_kept_until_its_time() {
        let promise = Promise::default();
        promise.give(Duration::from_secs(60));
        let now = monotonic_now();
        assert!(promise.kept(now));
        assert!(!promise.kept(now + Duration::from_secs(61)));
    }
}
