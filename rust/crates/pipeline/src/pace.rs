//! What a thread with a model leaves to others.
//!
//! A model that is slower than its camera never waits. The kernel lets real-time threads have a CPU for 950 ms of
//! a second and then stops them for 50 ms (`sched_rt_runtime_us`; since Linux 6.12 the fair server), in the middle of
//! a model run, and with them the signal thread if it shares that CPU. Who gives up as much by itself, between frames, is
//! never stopped.

use edgeai_camera::{CameraError, Frame, FrameSource};
use edgeai_realtime::monotonic_now;
use std::thread;
use std::time::Duration;

/// A rest is this part of the work: 7.7 % of the whole, and the kernel takes 5 %.
const PART: u32 = 12;
/// A rest below this is put off.
const LEAST: Duration = Duration::from_micros(100);
/// No rest is longer, whatever stopped the thread before.
const MOST: Duration = Duration::from_millis(100);

/// Waits that are at least a twelfth of the work between them.
pub struct Pace {
    real_time: bool,
    /// Rest that is not taken yet.
    owed: Duration,
    /// When the last wait ended.
    since: Duration,
}

impl Pace {
    /// Begins to work now. Ordinary threads need no rest.
    #[must_use]
    pub fn new(real_time: bool) -> Self {
        Self {
            real_time,
            owed: Duration::ZERO,
            since: monotonic_now(),
        }
    }

    /// How long the thread has worked since its last wait.
    #[must_use]
    pub fn working(&self) -> Duration {
        monotonic_now().saturating_sub(self.since)
    }

    /// Waits as `wait` does, and longer if the waits before were too short.
    pub fn wait<T>(&mut self, wait: impl FnOnce() -> T) -> T {
        let now = monotonic_now();
        let rest = self.rest(now);
        if !rest.is_zero() && self.real_time {
            thread::sleep(rest);
        }
        let begin = monotonic_now();
        let result = wait();
        self.waited(begin, monotonic_now());
        result
    }

    /// The work ends `now`: how long to rest for what was worked before it.
    fn rest(&mut self, now: Duration) -> Duration {
        let (rest, put_off) = if self.owed < LEAST {
            (Duration::ZERO, self.owed)
        } else {
            (self.owed, Duration::ZERO)
        };
        let work = now.saturating_sub(self.since);
        self.owed = (put_off + work / PART).min(MOST);
        rest
    }

    /// There was a wait: no rest is needed for it.
    fn waited(&mut self, begin: Duration, end: Duration) {
        self.owed = self.owed.saturating_sub(end.saturating_sub(begin));
        self.since = end;
    }
}

/// Frames at a [`Pace`].
pub struct Paced<'s, S: ?Sized> {
    /// Where they come from.
    pub source: &'s mut S,
    /// The pace.
    pub pace: Pace,
}

impl<S: FrameSource + ?Sized> FrameSource for Paced<'_, S> {
    fn next(&mut self, timeout: Duration) -> Result<Frame<'_>, CameraError> {
        let Self { source, pace } = self;
        pace.wait(|| source.next(timeout))
    }

    fn dropped(&self) -> u64 {
        self.source.dropped()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rests of all frames together, of so many that take `work` and for which `wait` is waited.
    fn rests(work: Duration, wait: Duration, frames: u32) -> Duration {
        let mut pace = Pace {
            real_time: true,
            owed: Duration::ZERO,
            since: Duration::ZERO,
        };
        let (mut now, mut rests) = (Duration::ZERO, Duration::ZERO);
        for _ in 0..frames {
            now += work;
            let rest = pace.rest(now);
            rests += rest;
            now += rest;
            pace.waited(now, now + wait);
            now += wait;
        }
        rests
    }

    #[test]
    fn a_model_slower_than_its_camera_leaves_more_than_the_kernel_would_take() {
        for work in [5, 300, 80_000, 400_000].map(Duration::from_micros) {
            let frames = u32::try_from(Duration::from_secs(40).as_nanos() / work.as_nanos());
            let frames = frames.unwrap();
            let rests = rests(work, Duration::ZERO, frames);
            let whole = work * frames + rests;
            let share = rests.as_secs_f64() / whole.as_secs_f64();
            assert!((0.07..0.08).contains(&share), "{work:?}: {share}");
        }
    }

    #[test]
    fn a_camera_that_lets_it_wait_is_rest_enough() {
        let millis = Duration::from_millis;
        assert_eq!(rests(millis(24), millis(2), 1000), Duration::ZERO);
        assert!(rests(millis(24), millis(1), 1000) > Duration::ZERO);
    }

    #[test]
    fn after_a_long_stop_the_rest_is_bounded() {
        assert!(rests(Duration::from_secs(60), Duration::ZERO, 2) <= MOST);
    }
}
