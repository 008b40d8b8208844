//! Samples of one channel, summed up.

/// What statistics need to know of some samples: sensors make it, rules add it up, recordings keep it.
///
/// Only +, −, × and ÷ of IEEE 754 are used: equal on every machine.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Samples {
    /// How many; whole.
    pub count: f64,
    /// Their mean; 0 without samples.
    pub mean: f64,
    /// Sum of the squares of their distances from the mean (B. P. Welford, Technometrics 4, 1962).
    pub squares: f64,
    /// The least; infinite without samples.
    pub min: f64,
    /// The greatest; −infinite without samples.
    pub max: f64,
}

impl Samples {
    /// None at all.
    pub const NONE: Self = Self {
        count: 0.0,
        mean: 0.0,
        squares: 0.0,
        min: f64::INFINITY,
        max: f64::NEG_INFINITY,
    };

    /// A single one.
    #[must_use]
    pub const fn of(sample: f64) -> Self {
        Self {
            count: 1.0,
            mean: sample,
            squares: 0.0,
            min: sample,
            max: sample,
        }
    }

    /// Both together (T. F. Chan, G. H. Golub, R. J. Le Veque, Stanford STAN-CS-79-773, 1979).
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
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

    /// In the order in which records of them have their numbers.
    #[must_use]
    pub const fn fields(&self) -> [f64; 5] {
        [self.count, self.mean, self.squares, self.min, self.max]
    }

    /// Of [`Samples::fields`].
    #[must_use]
    pub const fn from_fields([count, mean, squares, min, max]: [f64; 5]) -> Self {
        Self {
            count,
            mean,
            squares,
            min,
            max,
        }
    }
}

impl Default for Samples {
    fn default() -> Self {
        Self::NONE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_sum_up_to_the_whole() {
        let whole = [3.0, -1.0, 4.0, 1.0, -5.0, 9.0];
        let sum = |part: &[f64]| {
            let each = part.iter().copied().map(Samples::of);
            each.fold(Samples::NONE, Samples::merge)
        };
        for split in 0..=whole.len() {
            let (first, second) = whole.split_at(split);
            let all = sum(first).merge(sum(second));
            assert_eq!((all.count, all.min, all.max), (6.0, -5.0, 9.0));
            // Mean 11/6; Σ(x − mean)² = 133 − 121/6.
            assert!((all.mean - 11.0 / 6.0).abs() < 1e-12, "{all:?}");
            let squares = 133.0 - 121.0 / 6.0;
            assert!((all.squares - squares).abs() < 1e-12, "{all:?}");
        }
        assert_eq!(Samples::NONE.merge(Samples::NONE), Samples::NONE);
    }
}
