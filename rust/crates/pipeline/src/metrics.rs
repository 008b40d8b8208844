//! What is counted and measured, and how it is shown.

use edgeai_realtime::{Histogram, Snapshot};
use serde::Serialize;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Written by the real-time threads, read by the reporter.
#[derive(Default)]
pub struct Metrics {
    /// Frames looked at.
    pub frames: AtomicU64,
    /// Frames captured, or due, but never looked at: a newer one was there, or they were damaged.
    pub dropped: AtomicU64,
    /// Frames whose actions were late.
    pub deadline_misses: AtomicU64,
    /// Events that found the queue to the reporter full.
    pub events_lost: AtomicU64,
    /// From capture to levels on the lines.
    pub frame_to_action: Histogram,
    /// Frame into tensor.
    pub preprocess: Histogram,
    /// The model.
    pub invoke: Histogram,
    /// Tensors into detections.
    pub decode: Histogram,
    /// Detections into levels.
    pub rules: Histogram,
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
}

/// [`Metrics`] at one moment.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Summary {
    frames: u64,
    dropped: u64,
    deadline_misses: u64,
    events_lost: u64,
    frame_to_action_us: Percentiles,
    stages_us: Stages,
}

impl Metrics {
    /// Everything up to now.
    #[must_use]
    pub fn summary(&self) -> Summary {
        Summary {
            frames: self.frames.load(Relaxed),
            dropped: self.dropped.load(Relaxed),
            deadline_misses: self.deadline_misses.load(Relaxed),
            events_lost: self.events_lost.load(Relaxed),
            frame_to_action_us: self.frame_to_action.snapshot().into(),
            stages_us: Stages {
                preprocess: self.preprocess.snapshot().into(),
                invoke: self.invoke.snapshot().into(),
                decode: self.decode.snapshot().into(),
                rules: self.rules.snapshot().into(),
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
        } = self.stages_us;
        write!(
            f,
            "frames {}, dropped {}, deadline misses {}; p50/p99/max in us: frame to action {}, \
             preprocess {preprocess}, invoke {invoke}, decode {decode}, rules {rules}",
            self.frames, self.dropped, self.deadline_misses, self.frame_to_action_us
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn one_line_tells_it_all() {
        let metrics = Metrics::default();
        metrics.frames.store(2, Relaxed);
        metrics.deadline_misses.store(1, Relaxed);
        metrics.frame_to_action.record(Duration::from_micros(20));
        metrics.frame_to_action.record(Duration::from_micros(30));
        metrics.invoke.record(Duration::from_micros(7));
        assert_eq!(
            metrics.summary().to_string(),
            "frames 2, dropped 0, deadline misses 1; p50/p99/max in us: frame to action 20/30/30, \
             preprocess 0/0/0, invoke 7/7/7, decode 0/0/0, rules 0/0/0"
        );
    }
}
