//! What is counted and measured, and how it is shown.

use edgeai_realtime::{Histogram, Snapshot};
use serde::Serialize;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Written by the real-time threads, read by the reporter.
pub struct Metrics {
    /// Of all models together.
    pub total: Measured,
    /// Of each model.
    pub models: Box<[Measured]>,
    /// Events that found the queue to the reporter full.
    pub events_lost: AtomicU64,
    /// Frames that found no free slot for a recording or snapshot.
    pub frames_not_kept: AtomicU64,
    /// Values of the rules' counters.
    pub counters: [AtomicU64; edgeai_recording::MAX_COUNTERS],
}

/// Of one model, or of all.
#[derive(Default)]
pub struct Measured {
    /// Frames looked at.
    pub frames: AtomicU64,
    /// Frames captured, or due, but never looked at: a newer one was there, or they were damaged.
    pub dropped: AtomicU64,
    /// Frames whose actions were late.
    pub deadline_misses: AtomicU64,
    /// From capture to levels on the lines.
    pub frame_to_action: Histogram,
    /// Frame into tensor.
    pub preprocess: Histogram,
    /// The model.
    pub invoke: Histogram,
    /// Tensors into detections, and these into tracks.
    pub decode: Histogram,
    /// Detections into levels on the lines.
    pub rules: Histogram,
    /// From dequeue to levels on the lines, without preprocess and invoke.
    pub overhead: Histogram,
}

/// Percentiles in microseconds.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Percentiles {
    p50: u32,
    p99: u32,
    max: u32,
}

/// Percentiles of each stage in microseconds.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Stages {
    preprocess: Percentiles,
    invoke: Percentiles,
    decode: Percentiles,
    rules: Percentiles,
    overhead: Percentiles,
}

/// [`Measured`] at one moment.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Summary {
    frames: u64,
    dropped: u64,
    deadline_misses: u64,
    frame_to_action_us: Percentiles,
    stages_us: Stages,
}

impl Metrics {
    /// Of so many models.
    #[must_use]
    pub fn new(models: usize) -> Self {
        Self {
            total: Measured::default(),
            models: (0..models).map(|_| Measured::default()).collect(),
            events_lost: AtomicU64::new(0),
            frames_not_kept: AtomicU64::new(0),
            counters: [const { AtomicU64::new(0) }; edgeai_recording::MAX_COUNTERS],
        }
    }

    /// Adds to a count of `model` and of all.
    pub fn count(&self, model: usize, of: impl Fn(&Measured) -> &AtomicU64, more: u64) {
        for measured in self.models.get(model).into_iter().chain([&self.total]) {
            of(measured).fetch_add(more, Relaxed);
        }
    }

    /// Adds a duration to `model`'s and to all.
    pub fn record(&self, model: usize, of: impl Fn(&Measured) -> &Histogram, time: Duration) {
        for measured in self.models.get(model).into_iter().chain([&self.total]) {
            of(measured).record(time);
        }
    }
}

impl Measured {
    /// Everything up to now.
    #[must_use]
    pub fn summary(&self) -> Summary {
        Summary {
            frames: self.frames.load(Relaxed),
            dropped: self.dropped.load(Relaxed),
            deadline_misses: self.deadline_misses.load(Relaxed),
            frame_to_action_us: self.frame_to_action.snapshot().into(),
            stages_us: Stages {
                preprocess: self.preprocess.snapshot().into(),
                invoke: self.invoke.snapshot().into(),
                decode: self.decode.snapshot().into(),
                rules: self.rules.snapshot().into(),
                overhead: self.overhead.snapshot().into(),
            },
        }
    }
}

impl From<Snapshot> for Percentiles {
    fn from(Snapshot { p50, p99, max, .. }: Snapshot) -> Self {
        Self { p50, p99, max }
    }
}

impl fmt::Display for Percentiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.p50, self.p99, self.max)
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Stages {
            preprocess,
            invoke,
            decode,
            rules,
            overhead,
        } = self.stages_us;
        write!(
            f,
            "frames {}, dropped {}, deadline misses {}; p50/p99/max in us: frame to action {}, \
             preprocess {preprocess}, invoke {invoke}, decode {decode}, rules {rules}, \
             overhead {overhead}",
            self.frames, self.dropped, self.deadline_misses, self.frame_to_action_us
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_tells_it_all() {
        let metrics = Metrics::new(2);
        metrics.count(0, |measured| &measured.frames, 2);
        metrics.count(1, |measured| &measured.deadline_misses, 1);
        for (model, micros) in [(0, 20), (1, 30)] {
            let time = Duration::from_micros(micros);
            metrics.record(model, |measured| &measured.frame_to_action, time);
        }
        metrics.record(0, |measured| &measured.invoke, Duration::from_micros(7));
        assert_eq!(
            metrics.total.summary().to_string(),
            "frames 2, dropped 0, deadline misses 1; p50/p99/max in us: frame to action 20/30/30, \
             preprocess 0/0/0, invoke 7/7/7, decode 0/0/0, rules 0/0/0, overhead 0/0/0"
        );
        assert_eq!(
            metrics.models[1].summary().to_string(),
            "frames 0, dropped 0, deadline misses 1; p50/p99/max in us: frame to action 30/30/30, \
             preprocess 0/0/0, invoke 0/0/0, decode 0/0/0, rules 0/0/0, overhead 0/0/0"
        );
    }
}
