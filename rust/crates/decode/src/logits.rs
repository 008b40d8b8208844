//! Finding the few logits that pass among tens of thousands.

use crate::{Element, OutputSpec};

/// One class of one anchor that passed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Candidate {
    pub score: f32,
    pub anchor: u32,
    pub class: u16,
}

/// Compares raw elements with the threshold in the tensor's own type; only what passes is turned
/// into a score.
pub(crate) enum Threshold {
    /// Least logit that passes.
    F32(f32),
    /// Least value that passes after mapping to the order of u8 (256: none), the bit to flip for
    /// that mapping, and the score of every such value.
    Byte {
        least: u16,
        flip: u8,
        scores: Box<[f32; 256]>,
    },
}

pub(crate) fn sigmoid(logit: f32) -> f32 {
    1.0 / (1.0 + (-logit).exp())
}

impl Threshold {
    pub(crate) fn new(spec: &OutputSpec, score: f32) -> Self {
        let flip = match spec.element {
            // The inverse sigmoid; ∓∞ for 0 and 1, as it should be.
            Element::F32 => return Self::F32((score / (1.0 - score)).ln()),
            // Two's complement to offset binary: −128 ..= 127 becomes 0 ..= 255.
            Element::I8 => 0x80,
            Element::U8 => 0,
        };
        let offset = if flip == 0 { 0 } else { -128 };
        let scores: [f32; 256] = std::array::from_fn(|ordered| {
            #[expect(
                clippy::cast_possible_wrap,
                clippy::cast_possible_truncation,
                reason = "< 256"
            )]
            let steps = (ordered as i32 + offset).saturating_sub(spec.zero_point);
            #[expect(clippy::cast_precision_loss, reason = "zero points are small")]
            let logit = spec.scale * steps as f32;
            sigmoid(logit)
        });
        // The scores never fall from one entry to the next, so this is exact: an integer passes
        // when, and only when, its score does.
        let least = scores.partition_point(|&candidate| candidate < score);
        #[expect(clippy::cast_possible_truncation, reason = "at most 256")]
        let least = least as u16;
        Self::Byte {
            least,
            flip,
            scores: Box::new(scores),
        }
    }

    /// Appends every class but the background (column 0) that passes to `found`, whose capacity
    /// is never exceeded.
    pub(crate) fn collect(&self, logits: &[u8], classes: usize, found: &mut Vec<Candidate>) {
        match self {
            Self::F32(least) => {
                for (anchor, row) in logits.chunks_exact(classes * 4).enumerate() {
                    let row = row.as_chunks::<4>().0;
                    let passes = |bytes: &[u8; 4]| f32::from_ne_bytes(*bytes) >= *least;
                    // Without a branch inside, so that it vectorises; rows that pass are few.
                    if row
                        .iter()
                        .skip(1)
                        .fold(false, |any, bytes| any | passes(bytes))
                    {
                        let score = |bytes: &[u8; 4]| sigmoid(f32::from_ne_bytes(*bytes));
                        push(found, anchor, row, passes, score);
                    }
                }
            }
            Self::Byte {
                least,
                flip,
                scores,
            } => {
                for (anchor, row) in logits.chunks_exact(classes).enumerate() {
                    let best = row
                        .iter()
                        .skip(1)
                        .fold(0, |best, &byte| (byte ^ flip).max(best));
                    if u16::from(best) >= *least {
                        let passes = |byte: &u8| u16::from(byte ^ flip) >= *least;
                        let score = |byte: &u8| scores[usize::from(byte ^ flip)];
                        push(found, anchor, row, passes, score);
                    }
                }
            }
        }
    }
}

fn push<T>(
    found: &mut Vec<Candidate>,
    anchor: usize,
    row: &[T],
    passes: impl Fn(&T) -> bool,
    score: impl Fn(&T) -> f32,
) {
    for (class, element) in row.iter().enumerate().skip(1) {
        if passes(element) && found.len() < found.capacity() {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "checked by SsdDecoder::new"
            )]
            let (anchor, class) = (anchor as u32, class as u16);
            found.push(Candidate {
                score: score(element),
                anchor,
                class,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_passes_exactly_when_its_score_does() {
        for (element, zero_point) in [(Element::I8, 31), (Element::U8, 140)] {
            let spec = OutputSpec {
                shape: vec![],
                element,
                scale: 0.0713,
                zero_point,
            };
            for score in [0.0, 0.01, 0.3, 0.5, 0.77, 1.0] {
                let threshold = Threshold::new(&spec, score);
                for byte in 0..=255u8 {
                    let integer = match element {
                        Element::I8 => i32::from(byte.cast_signed()),
                        _ => i32::from(byte),
                    };
                    #[expect(clippy::cast_precision_loss, reason = "small")]
                    let expected = sigmoid(0.0713 * (integer - zero_point) as f32);
                    let mut found = Vec::with_capacity(1);
                    threshold.collect(&[0x7f, byte], 2, &mut found);
                    let candidate = Candidate {
                        score: expected,
                        anchor: 0,
                        class: 1,
                    };
                    let wanted = if expected >= score {
                        vec![candidate]
                    } else {
                        vec![]
                    };
                    assert_eq!(found, wanted, "{element:?} {integer} against {score}");
                }
            }
        }
    }

    #[test]
    fn floats_pass_from_the_threshold_on() {
        let spec = OutputSpec {
            shape: vec![],
            element: Element::F32,
            scale: 0.0,
            zero_point: 0,
        };
        let threshold = Threshold::new(&spec, 0.5);
        let logits: Vec<u8> = [9.0f32, -0.1, 0.1, 9.0, f32::NAN, 0.0]
            .iter()
            .flat_map(|logit| logit.to_ne_bytes())
            .collect();
        let mut found = Vec::with_capacity(6);
        threshold.collect(&logits, 3, &mut found);
        let places: Vec<_> = found
            .iter()
            .map(|found| (found.anchor, found.class))
            .collect();
        assert_eq!(places, [(0, 2), (1, 2)]);
        assert!((found[1].score - 0.5).abs() < 1e-6);
    }
}
