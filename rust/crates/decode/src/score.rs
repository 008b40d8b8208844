//! Scores of raw numbers, and thresholds in the raw numbers' own domain.

#![expect(
    clippy::inline_always,
    reason = "they become part of loops that are compiled for several instruction sets"
)]

use crate::exp::exp;
use crate::{Calibration, DecodeError, Element, Score, Scoring, TensorSpec};

/// 1 / (1 + e^−x) of each, the same on every machine.
#[inline(always)]
fn sigmoid<const N: usize>(numbers: [f32; N]) -> [f32; N] {
    exp(numbers.map(|x| -x)).map(|power| 1.0 / (1.0 + power))
}

/// Kept in 0 ..= 1; 0 of what is not a number.
#[inline(always)]
pub(crate) fn probability(real: f32) -> f32 {
    if real > 0.0 { real.min(1.0) } else { 0.0 }
}

/// A score that never falls when the model's number rises.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Link {
    score: Score,
    calibration: Option<Calibration>,
}

impl Link {
    pub fn new(score: Score, calibration: Option<Calibration>) -> Self {
        Self { score, calibration }
    }

    /// 0 ..= 1; of something that is not a number 0.
    pub fn score(self, real: f32) -> f32 {
        let [score] = self.scores([real]);
        score
    }

    /// [`Self::score`] of each.
    #[inline(always)]
    pub fn scores<const N: usize>(self, reals: [f32; N]) -> [f32; N] {
        let scores = match (self.score, self.calibration) {
            (Score::Sigmoid, None) => sigmoid(reals),
            (Score::Sigmoid, Some(Calibration { a, b })) => sigmoid(reals.map(|real| a * real + b)),
            (Score::None | Score::Softmax, None) => reals,
            (Score::None | Score::Softmax, Some(Calibration { a, b })) => {
                sigmoid(reals.map(|real| {
                    let probability = probability(real);
                    a * libm::logf(probability / (1.0 - probability)) + b
                }))
            }
        };
        scores.map(probability)
    }

    /// The least number whose score passes; `None`: none does.
    pub fn least(self, threshold: f32) -> Option<f32> {
        // Bisection over all floats: `place` counts them up from −∞.
        let float = |place: u32| match place.checked_sub(NEGATIVE) {
            Some(bits) => f32::from_bits(bits),
            None => -f32::from_bits(NEGATIVE - 1 - place),
        };
        let (mut least, mut most) = (0, 2 * NEGATIVE);
        while least < most {
            let middle = least.midpoint(most);
            if self.score(float(middle)) < threshold {
                least = middle + 1;
            } else {
                most = middle;
            }
        }
        (least < 2 * NEGATIVE).then(|| float(least))
    }
}

/// Scores of the elements of one tensor.
pub(crate) struct Scores {
    link: Link,
    /// By element, in rising order; empty for floats.
    table: Vec<f32>,
}

impl Scores {
    pub fn new(spec: &TensorSpec, link: Link) -> Self {
        let integers = match spec.element {
            Element::I8 => -128..128,
            Element::U8 => 0..256,
            Element::F32 | Element::I32 | Element::I64 => 0..0,
        };
        Self {
            link,
            table: integers
                .map(|integer| link.score(spec.dequantised(integer)))
                .collect(),
        }
    }

    fn at(&self, rank: u8) -> f32 {
        self.table
            .get(usize::from(rank))
            .copied()
            .unwrap_or_default()
    }

    /// Place of the first score that passes among the 256; `None`: none does.
    fn least(&self, threshold: f32) -> Option<u8> {
        // The scores never fall from one entry to the next, so this is exact: an integer passes
        // when, and only when, its score does.
        let least = self.table.partition_point(|&score| score < threshold);
        u8::try_from(least).ok()
    }
}

/// Element types that scores are read from, compared as they are.
pub(crate) trait Raw: Copy + PartialOrd {
    /// As it lies in the tensor.
    type Bytes: Copy;
    /// Below or equal to every other.
    const LOWEST: Self;
    /// Stands where no threshold can be passed.
    const NEVER: Self;

    /// The tensor's elements; a rest that is none is left out.
    fn elements(bytes: &[u8]) -> &[Self::Bytes];
    fn of(bytes: Self::Bytes) -> Self;
    fn scores<const N: usize>(elements: [Self; N], scores: &Scores) -> [f32; N];
    /// The least element that passes.
    fn least(scores: &Scores, threshold: f32) -> Option<Self>;
    /// Whether one of the elements may be at least what stands at its place in `least`. Both of
    /// the same length.
    fn any(elements: &[Self::Bytes], least: &[Self]) -> bool;
    /// Which of the elements are at least what stands at their place in `least`, where `mask` is
    /// not 0: the first is the lowest bit.
    fn passing(elements: &[Self::Bytes; 32], least: &[Self; 32], mask: &[u8; 32]) -> u32;
}

impl Raw for f32 {
    type Bytes = [u8; 4];
    const LOWEST: Self = Self::NEG_INFINITY;
    const NEVER: Self = Self::NAN;

    #[inline(always)]
    fn elements(bytes: &[u8]) -> &[[u8; 4]] {
        bytes.as_chunks().0
    }

    #[inline(always)]
    fn of(bytes: [u8; 4]) -> Self {
        Self::from_ne_bytes(bytes)
    }

    #[inline(always)]
    fn scores<const N: usize>(elements: [Self; N], scores: &Scores) -> [f32; N] {
        scores.link.scores(elements)
    }

    fn least(scores: &Scores, threshold: f32) -> Option<Self> {
        scores.link.least(threshold)
    }

    #[inline(always)]
    fn any(elements: &[[u8; 4]], least: &[Self]) -> bool {
        // What is never passed is not a number, and compares as false.
        let mut any = 0u32;
        for (&bytes, &least) in elements.iter().zip(least) {
            any |= u32::from(Self::from_ne_bytes(bytes) >= least);
        }
        any != 0
    }

    #[inline(always)]
    fn passing(elements: &[[u8; 4]; 32], least: &[Self; 32], _: &[u8; 32]) -> u32 {
        let bits: [u32; 32] = std::array::from_fn(|bit| {
            let passes = Self::from_ne_bytes(elements[bit]) >= least[bit];
            if passes { 1 << bit } else { 0 }
        });
        bits.iter().fold(0, |passing, bit| passing | bit)
    }
}

/// Floats from −∞ to −0.
const NEGATIVE: u32 = f32::INFINITY.to_bits() + 1;

macro_rules! byte {
    ($byte:ty, $of:expr, $rank:expr, $from_rank:expr) => {
        impl Raw for $byte {
            type Bytes = u8;
            const LOWEST: Self = Self::MIN;
            const NEVER: Self = Self::MAX;

            #[inline(always)]
            fn elements(bytes: &[u8]) -> &[u8] {
                bytes
            }

            #[inline(always)]
            fn of(byte: u8) -> Self {
                $of(byte)
            }

            #[inline(always)]
            fn scores<const N: usize>(elements: [Self; N], scores: &Scores) -> [f32; N] {
                elements.map(|element| scores.at($rank(element)))
            }

            fn least(scores: &Scores, threshold: f32) -> Option<Self> {
                scores.least(threshold).map($from_rank)
            }

            /// [`Self::passing`] is as quick.
            #[inline(always)]
            fn any(_: &[u8], _: &[Self]) -> bool {
                true
            }

            #[inline(always)]
            fn passing(elements: &[u8; 32], least: &[Self; 32], mask: &[u8; 32]) -> u32 {
                let passes = |byte, least, mask| if Self::of(byte) >= least { mask } else { 0 };
                let mut any = 0;
                for ((&byte, &least), &mask) in elements.iter().zip(least).zip(mask) {
                    any |= passes(byte, least, mask);
                }
                if any == 0 {
                    return 0;
                }
                let mut passing = 0;
                for (bit, ((&byte, &least), &mask)) in
                    elements.iter().zip(least).zip(mask).enumerate()
                {
                    passing |= u32::from(passes(byte, least, mask) & 1) << bit;
                }
                passing
            }
        }
    };
}
byte!(u8, |byte| byte, |byte| byte, |rank| rank);
// Two's complement to offset binary and back: −128 ..= 127 becomes 0 ..= 255.
byte!(
    i8,
    u8::cast_signed,
    |byte: i8| byte.cast_unsigned() ^ 0x80,
    |rank: u8| (rank ^ 0x80).cast_signed()
);

/// The threshold of each class of a model, whose class 0 is label `first`; `None` for the
/// background.
pub(crate) fn thresholds(
    scoring: &Scoring,
    labels: &[String],
    first: usize,
) -> Result<Vec<Option<f32>>, DecodeError> {
    let known = labels.get(1..).unwrap_or_default();
    if let Some(label) = (scoring.thresholds.keys()).find(|label| !known.contains(label)) {
        return Err(DecodeError::Threshold(label.clone()));
    }
    Ok((first..labels.len())
        .map(|class| {
            let label = labels.get(class).filter(|_| class > 0)?;
            let threshold = scoring.thresholds.get(label);
            Some(threshold.copied().unwrap_or(scoring.score_threshold))
        })
        .collect())
}

#[cfg(test)]
#[path = "score_tests.rs"]
mod tests;
