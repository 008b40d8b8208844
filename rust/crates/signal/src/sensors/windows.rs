//! Windows of samples for a model that listens to a sensor: always the newest, never a queue of
//! old ones.

use super::latest::{Publisher, Viewer, mailbox};
use edgeai_realtime::monotonic_now;
use nix::sys::eventfd::{EfdFlags, EventFd};
use std::io;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Words before the samples: time of the last sample in ns, number of the window.
const HEADER: usize = 2;

/// `samples` consecutive samples of all channels, the next window `hop` samples later. The source
/// is for the thread with the model, the sink for the sensor's.
pub fn windows(
    channels: usize,
    samples: usize,
    hop: usize,
) -> io::Result<(WindowSink, WindowSource)> {
    let (samples, hop) = (samples.max(1), hop.max(1));
    let values = channels * samples;
    let (publisher, viewer) = mailbox(HEADER + values);
    let wake = EventFd::from_flags(EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC)?;
    let wake = Arc::new(wake);
    let overruns = Arc::new(AtomicU64::new(0));
    let sink = WindowSink {
        ring: vec![0.0; values].into(),
        channels,
        samples,
        hop,
        next: 0,
        until: samples,
        number: 0,
        publisher,
        wake: Arc::clone(&wake),
        overruns: Arc::clone(&overruns),
    };
    let source = WindowSource {
        viewer,
        values: vec![0.0; values].into(),
        wake,
        overruns,
    };
    Ok((sink, source))
}

/// Makes windows of a sensor's samples, before or while its thread runs.
#[derive(Clone)]
pub struct WindowMaker {
    channels: usize,
    arrivals: Arc<Mutex<Vec<WindowSink>>>,
}

impl WindowMaker {
    pub(super) fn new(channels: usize) -> Self {
        Self {
            channels,
            arrivals: Arc::default(),
        }
    }

    /// Windows of `samples` samples, one every `hop` samples.
    ///
    /// # Errors
    /// No descriptor for their wake-up.
    pub fn open(&self, samples: usize, hop: usize) -> io::Result<WindowSource> {
        let (sink, source) = windows(self.channels, samples, hop)?;
        let arrivals = self.arrivals.lock();
        arrivals.unwrap_or_else(PoisonError::into_inner).push(sink);
        Ok(source)
    }

    /// Adds the sinks of windows that are new, and takes out those that nobody takes any more. Does not
    /// wait: what is being made at this moment comes with the next sample.
    pub(super) fn admit(&self, sinks: &mut Vec<WindowSink>) {
        if let Ok(mut arrivals) = self.arrivals.try_lock()
            && !arrivals.is_empty()
        {
            sinks.retain(|sink| Arc::strong_count(&sink.wake) > 1);
            sinks.append(&mut arrivals);
        }
    }
}

/// Takes samples one by one.
pub struct WindowSink {
    ring: Box<[f32]>,
    channels: usize,
    samples: usize,
    hop: usize,
    /// Index in `ring` where the next sample goes; the oldest is there.
    next: usize,
    /// Samples until the next window is whole.
    until: usize,
    number: u64,
    publisher: Publisher,
    wake: Arc<EventFd>,
    overruns: Arc<AtomicU64>,
}

impl WindowSink {
    /// Adds one sample of all channels.
    pub fn push(&mut self, taken: Duration, values: &[f64]) {
        let Some(place) = self.ring.get_mut(self.next..self.next + self.channels) else {
            return;
        };
        for (place, &value) in place.iter_mut().zip(values) {
            #[expect(clippy::cast_possible_truncation, reason = "models take f32")]
            let value = value as f32;
            *place = value;
        }
        self.next = (self.next + self.channels) % self.ring.len();
        self.until -= 1;
        if self.until > 0 {
            return;
        }
        self.until = self.hop;
        self.number += 1;
        let nanoseconds = u64::try_from(taken.as_nanos()).unwrap_or(u64::MAX);
        let (newer, older) = self.ring.split_at(self.next);
        let samples = older.iter().chain(newer);
        let record = [nanoseconds, self.number].into_iter();
        let record = record.chain(samples.map(|value| value.to_bits().into()));
        if self.publisher.publish(record) {
            self.overruns.fetch_add(1, Ordering::Relaxed);
        }
        // It fails only when it is readable anyway.
        let _ = self.wake.write(1);
    }

    /// Begins anew: a sample is missing or not to be believed, and no window may reach over it.
    pub fn restart(&mut self) {
        self.until = self.samples;
    }
}

/// Where a model's windows come from.
pub struct WindowSource {
    viewer: Viewer,
    values: Box<[f32]>,
    wake: Arc<EventFd>,
    overruns: Arc<AtomicU64>,
}

/// Consecutive samples without a gap.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Window<'a> {
    /// Interleaved: all channels of the oldest sample first, in the description's order and units.
    pub samples: &'a [f32],
    /// When the last sample was taken, `CLOCK_MONOTONIC`.
    pub taken: Duration,
    /// Counts windows from 1; a number left out was overrun.
    pub number: u64,
}

impl WindowSource {
    /// Waits for a window that was not returned yet; `None`: there was none for so long. Does not
    /// allocate.
    pub fn next(&mut self, timeout: Duration) -> Option<Window<'_>> {
        let end = monotonic_now() + timeout;
        while !self.viewer.refresh() {
            let left = end.checked_sub(monotonic_now())?;
            super::wait_readable([self.wake.as_fd()], left);
            let _ = self.wake.read();
        }
        let mut words = self.viewer.words();
        let taken = Duration::from_nanos(words.next().unwrap_or(0));
        let number = words.next().unwrap_or(0);
        for (value, word) in self.values.iter_mut().zip(words) {
            // Written from 32 bits.
            *value = f32::from_bits(u32::try_from(word).unwrap_or(0));
        }
        Some(Window {
            samples: &self.values,
            taken,
            number,
        })
    }

    /// Windows that were overwritten before they were taken.
    #[must_use]
    pub fn overruns(&self) -> u64 {
        self.overruns.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::ZERO;

    fn push(sink: &mut WindowSink, numbers: std::ops::Range<u32>) {
        for number in numbers {
            let value = f64::from(number);
            sink.push(Duration::from_millis(number.into()), &[value, -value]);
        }
    }

    #[test]
    fn windows_are_interleaved_and_overlap() {
        let (mut sink, mut source) = windows(2, 3, 2).unwrap();
        push(&mut sink, 0..2);
        assert_eq!(source.next(NOW), None);
        push(&mut sink, 2..3);
        let window = source.next(NOW).unwrap();
        assert_eq!(window.samples, [0.0, 0.0, 1.0, -1.0, 2.0, -2.0]);
        assert_eq!((window.taken, window.number), (Duration::from_millis(2), 1));
        push(&mut sink, 3..5);
        let window = source.next(NOW).unwrap();
        assert_eq!(window.samples, [2.0, -2.0, 3.0, -3.0, 4.0, -4.0]);
        assert_eq!(source.next(NOW), None);
        assert_eq!(source.overruns(), 0);
    }

    #[test]
    fn the_newest_window_counts_and_overrun_ones_are_counted() {
        let (mut sink, mut source) = windows(2, 2, 2).unwrap();
        push(&mut sink, 0..6);
        let window = source.next(NOW).unwrap();
        assert_eq!((window.samples[0], window.number), (4.0, 3));
        assert_eq!(source.overruns(), 2);
    }

    #[test]
    fn no_window_reaches_over_a_gap() {
        let (mut sink, mut source) = windows(2, 3, 1).unwrap();
        push(&mut sink, 0..2);
        sink.restart();
        push(&mut sink, 10..12);
        assert_eq!(source.next(NOW), None);
        push(&mut sink, 12..13);
        assert_eq!(source.next(NOW).unwrap().samples[..2], [10.0, -10.0]);
    }

    #[test]
    fn a_hop_beyond_the_window_leaves_samples_out() {
        let (mut sink, mut source) = windows(2, 1, 3).unwrap();
        push(&mut sink, 0..3);
        assert_eq!(source.next(NOW).unwrap().samples, [0.0, 0.0]);
        push(&mut sink, 3..4);
        assert_eq!(source.next(NOW).unwrap().samples, [3.0, -3.0]);
    }

    #[test]
    fn a_waiting_thread_wakes_for_a_window() {
        let (mut sink, mut source) = windows(2, 1, 1).unwrap();
        let waiting = std::thread::spawn(move || {
            // The limit is for a wake-up that never comes.
            source.next(Duration::from_secs(60)).map(|it| it.number)
        });
        push(&mut sink, 0..1);
        assert_eq!(waiting.join().unwrap(), Some(1));
    }
}
