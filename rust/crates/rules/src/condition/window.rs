//! A statistic of the last so many milliseconds, in memory that does not depend on the rate of
//! samples.

use edgeai_config::Statistic;
use std::time::Duration;

/// Parts of a window; a sample leaves it together with the others of its part.
const SLICES: usize = 64;
const SLICES_U64: u64 = SLICES as u64;

/// The part of time that began last, and the 63 before it. Parts have a 64th of `over_ms` and
/// begin with the first sample.
#[derive(Debug)]
pub(super) struct Window {
    over: Duration,
    statistic: Statistic,
    slices: Box<[Slice; SLICES]>,
    /// Time of the first sample, and of the last.
    samples: Option<(Duration, Duration)>,
    /// Number of the last sample's slice, from the first sample.
    newest: u64,
}

/// Samples of a slice; mean and squares by B. P. Welford (Technometrics 4, 1962).
#[derive(Debug, Clone, Copy)]
struct Slice {
    count: f64,
    mean: f64,
    /// Sum of the squares about the mean.
    squares: f64,
    min: f64,
    max: f64,
}

impl Slice {
    const EMPTY: Self = Self {
        count: 0.0,
        mean: 0.0,
        squares: 0.0,
        min: f64::INFINITY,
        max: f64::NEG_INFINITY,
    };

    const fn of(sample: f64) -> Self {
        Self {
            count: 1.0,
            mean: sample,
            squares: 0.0,
            min: sample,
            max: sample,
        }
    }

    /// T. F. Chan, G. H. Golub, R. J. Le Veque (Stanford STAN-CS-79-773, 1979).
    fn merge(self, other: Self) -> Self {
        let count = self.count + other.count;
        if other.count == 0.0 || self.count == 0.0 {
            return if self.count == 0.0 { other } else { self };
        }
        let apart = other.mean - self.mean;
        Self {
            count,
            mean: self.mean + apart * (other.count / count),
            squares: self.squares
                + other.squares
                + apart * apart * (self.count * other.count / count),
            min: self.min.min(other.min),
            max: self.max.max(other.max),
        }
    }
}

impl Window {
    pub(super) fn new((over_ms, statistic): (u32, Statistic)) -> Self {
        Self {
            over: Duration::from_millis(over_ms.max(1).into()),
            statistic,
            slices: Box::new([Slice::EMPTY; SLICES]),
            samples: None,
            newest: 0,
        }
    }

    /// The statistic with a new sample; `None` until there have been samples for `over_ms`.
    pub(super) fn add(&mut self, now: Duration, sample: f64) -> Option<f64> {
        let (first, last) = self.samples.unwrap_or((now, now));
        if now.saturating_sub(last) >= self.over {
            self.clear();
            return self.add(now, sample);
        }
        self.samples = Some((first, now));
        let elapsed = now.saturating_sub(first);
        let number = self.number(elapsed);
        for stale in (self.newest + 1..=number).rev().take(SLICES) {
            *self.slice(stale) = Slice::EMPTY;
        }
        self.newest = number;
        let slice = self.slice(number);
        *slice = slice.merge(Slice::of(sample));
        (elapsed >= self.over).then(|| self.statistic())
    }

    /// Which slice a time after the first sample belongs to.
    fn number(&self, elapsed: Duration) -> u64 {
        let number = elapsed.as_nanos() * u128::from(SLICES_U64) / self.over.as_nanos();
        u64::try_from(number).unwrap_or(u64::MAX)
    }

    fn slice(&mut self, number: u64) -> &mut Slice {
        let index = (number % SLICES_U64) as usize;
        &mut self.slices[index]
    }

    fn statistic(&self) -> f64 {
        let all = self.slices.iter().copied();
        let all = all.fold(Slice::EMPTY, Slice::merge);
        match self.statistic {
            Statistic::Mean => all.mean,
            Statistic::Min => all.min,
            Statistic::Max => all.max,
            Statistic::Rms => (all.squares / all.count).sqrt(),
            Statistic::PeakToPeak => all.max - all.min,
        }
    }

    pub(super) fn clear(&mut self) {
        if self.samples.take().is_some() {
            self.slices.fill(Slice::EMPTY);
            self.newest = 0;
        }
    }
}
