//! e^*x* of several numbers at once.

#![expect(
    clippy::inline_always,
    reason = "it becomes part of loops that are compiled for several instruction sets"
)]

/// ½ ln 2 and 1½ ln 2 as [`libm::expf`] compares with them.
const HALF_LN2: f32 = f32::from_bits(0x3eb1_7218);
const THREE_HALVES_LN2: f32 = f32::from_bits(0x3f85_1592);
/// 2^−14: below, e^*x* is 1 + *x*.
const TINY: f32 = f32::from_bits(0x3900_0000);
/// ln 2 in two parts, so that the product of the first with a small integer is exact.
const LN2_HIGH: f32 = f32::from_bits(0x3f31_7200);
const LN2_LOW: f32 = f32::from_bits(0x35bf_be8e);
const INVERSE_LN2: f32 = f32::from_bits(0x3fb8_aa3b);
/// A sum with it has no fraction, and its lowest bits are those of the integer: 1½ · 2^23.
const WHOLE: f32 = 12_582_912.0;
/// Of the rational approximation on ±½ ln 2.
const P1: f32 = 1.666_662_5e-1;
const P2: f32 = -2.766_733_3e-3;

/// [`libm::expf`] of each, bit for bit: the same method (`FreeBSD`'s `e_expf.c`), with selections
/// instead of branches, so that the compiler makes SIMD of it.
#[inline(always)]
pub(crate) fn exp<const N: usize>(numbers: [f32; N]) -> [f32; N] {
    let mut powers = [0.0; N];
    for (power, number) in powers.iter_mut().zip(numbers) {
        *power = one(number);
    }
    powers
}

#[inline(always)]
fn one(number: f32) -> f32 {
    // Beyond, the result is 0 or infinite, as it is at these ends.
    let low = if number < -104.0 { -104.0 } else { number };
    let x = if low > 89.0 { 89.0 } else { low };
    let size = x.abs();
    // e^x = 2^k e^r with r in ±½ ln 2.
    let turns = if size > THREE_HALVES_LN2 {
        INVERSE_LN2 * x + 0.5f32.copysign(x)
    } else if size > HALF_LN2 {
        1.0f32.copysign(x)
    } else {
        0.0
    };
    // To a whole number, towards 0.
    let nearest = (turns + WHOLE) - WHOLE;
    let further = nearest.abs() > turns.abs();
    let step = 1.0f32.copysign(turns);
    let turns = if further { nearest - step } else { nearest };
    let k = (turns + WHOLE).to_bits().wrapping_sub(WHOLE.to_bits());
    let k = k.cast_signed();
    let (high, low) = (x - turns * LN2_HIGH, turns * LN2_LOW);
    let r = high - low;
    let square = r * r;
    let c = r - square * (P1 + square * P2);
    let power = 1.0 + (r * c / (2.0 - c) - low + high);
    // In two steps, of which only the second may round or overflow.
    let first = k.clamp(-102, 127);
    let scaled = power * two_to_the(first) * two_to_the(k - first);
    if size > TINY { scaled } else { 1.0 + x }
}

/// 2^`k`, `k` from −126 to 127.
#[inline(always)]
fn two_to_the(k: i32) -> f32 {
    f32::from_bits(((k + 127) << 23).cast_unsigned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every float within a step of the places where the method changes, and one of every 1021
    /// floats there are.
    #[test]
    fn it_is_libms_bit_for_bit() {
        let edges = [
            0,
            0x3900_0000,
            0x3eb1_7218,
            0x3f85_1592,
            0x42ae_ac50,
            0x42b1_7218,
            0x42cf_f1b5,
            0x7f80_0000,
        ];
        let near = edges.into_iter().flat_map(|edge: u32| {
            let near = edge.saturating_sub(2000)..edge.saturating_add(2000);
            near.clone().chain(near.map(|bits| bits | 1 << 31))
        });
        for bits in near.chain((0..=u32::MAX).step_by(1021)) {
            let number = f32::from_bits(bits);
            let [one, other] = exp([number, -number]);
            for (found, expected) in [(one, libm::expf(number)), (other, libm::expf(-number))] {
                assert!(
                    found.to_bits() == expected.to_bits() || found.is_nan() && expected.is_nan(),
                    "{number:e} ({bits:#x}): {found:e}, expected {expected:e}"
                );
            }
        }
    }
}
