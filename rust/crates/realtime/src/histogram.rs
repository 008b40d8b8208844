//! A latency histogram with fixed buckets.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// log2 of the buckets in each power of two: 32, so a percentile is at most 1/32 (3.2 %) too high.
const SUB_BITS: u32 = 5;
const SUB: u32 = 1 << SUB_BITS;
const BUCKETS: usize = ((32 - SUB_BITS + 1) * SUB) as usize;

/// Counts durations in microseconds, 0 ..= 2^32-1 (71 minutes, longer ones count as that).
///
/// Recording is wait-free and allocates nothing. One thread records, any thread reads; a reader
/// may miss a value that is being recorded at that moment.
pub struct Histogram {
    buckets: Box<[AtomicU64]>,
    max: AtomicU32,
}

/// Percentiles at one moment, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Snapshot {
    /// Values recorded.
    pub count: u64,
    /// Half of the values were at most this, rounded up by at most 3.2 %.
    pub p50: u32,
    /// 99 of 100 values were at most this, rounded up by at most 3.2 %.
    pub p99: u32,
    /// The largest value, exact.
    pub max: u32,
}

impl Default for Histogram {
    fn default() -> Self {
        Self::new()
    }
}

impl Histogram {
    /// An empty histogram; the only call that allocates.
    #[must_use]
    pub fn new() -> Self {
        Self {
            buckets: (0..BUCKETS).map(|_| AtomicU64::new(0)).collect(),
            max: AtomicU32::new(0),
        }
    }

    /// Counts one duration.
    pub fn record(&self, duration: Duration) {
        let micros = u32::try_from(duration.as_micros()).unwrap_or(u32::MAX);
        if let Some(bucket) = self.buckets.get(bucket_of(micros)) {
            bucket.fetch_add(1, Relaxed);
        }
        self.max.fetch_max(micros, Relaxed);
    }

    /// Percentiles of everything recorded so far.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let count = self.buckets.iter().map(|bucket| bucket.load(Relaxed)).sum();
        let max = self.max.load(Relaxed);
        Snapshot {
            count,
            p50: self.percentile(count, 50).min(max),
            p99: self.percentile(count, 99).min(max),
            max,
        }
    }

    fn percentile(&self, count: u64, percent: u64) -> u32 {
        let wanted = (count * percent).div_ceil(100).max(1);
        let mut seen = 0;
        for (index, bucket) in self.buckets.iter().enumerate() {
            seen += bucket.load(Relaxed);
            if seen >= wanted {
                return upper_bound(index);
            }
        }
        0
    }
}

/// Values below [`SUB`] have a bucket each; above, each power of two is cut into [`SUB`] buckets.
fn bucket_of(micros: u32) -> usize {
    if micros < SUB {
        return micros as usize;
    }
    let shift = micros.ilog2() - SUB_BITS;
    ((shift + 1) * SUB + ((micros >> shift) - SUB)) as usize
}

/// The largest value that falls into a bucket.
fn upper_bound(index: usize) -> u32 {
    let index = u32::try_from(index).unwrap_or(u32::MAX);
    if index < SUB {
        return index;
    }
    let shift = index / SUB - 1;
    let mantissa = u64::from(index % SUB + SUB);
    u32::try_from(((mantissa + 1) << shift) - 1).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(values: impl IntoIterator<Item = u64>) -> Snapshot {
        let histogram = Histogram::new();
        values
            .into_iter()
            .for_each(|value| histogram.record(Duration::from_micros(value)));
        histogram.snapshot()
    }

    #[test]
    fn an_empty_histogram_is_all_zero() {
        assert_eq!(snapshot([]), Snapshot::default());
    }

    #[test]
    fn buckets_are_contiguous_and_cover_all_values() {
        for value in [
            0,
            1,
            31,
            32,
            33,
            63,
            64,
            1000,
            65_535,
            65_536,
            1 << 31,
            u32::MAX,
        ] {
            let bucket = bucket_of(value);
            assert!(bucket < BUCKETS, "{value}");
            assert!(upper_bound(bucket) >= value, "{value}");
            assert!(bucket == 0 || upper_bound(bucket - 1) < value, "{value}");
        }
        assert_eq!(bucket_of(u32::MAX), BUCKETS - 1);
    }

    #[test]
    fn percentiles_are_at_most_one_thirty_second_too_high() {
        let snapshot = snapshot(1..=10_000);
        assert_eq!(snapshot.count, 10_000);
        assert_eq!(snapshot.max, 10_000);
        assert!((5_000..=5_157).contains(&snapshot.p50), "{}", snapshot.p50);
        assert!((9_900..=10_000).contains(&snapshot.p99), "{}", snapshot.p99);
    }

    #[test]
    fn one_outlier_shows_in_max_and_not_in_p99() {
        let snapshot = snapshot(std::iter::repeat_n(20, 999).chain([5_000_000]));
        assert_eq!(
            (snapshot.p50, snapshot.p99, snapshot.max),
            (20, 20, 5_000_000)
        );
    }

    #[test]
    fn a_duration_beyond_the_range_counts_as_the_longest() {
        assert_eq!(snapshot([u64::from(u32::MAX) + 5]).p50, u32::MAX);
    }
}
