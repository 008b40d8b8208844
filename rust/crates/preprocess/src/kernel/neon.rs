//! The kernels with NEON, built as those with AVX2.

#![allow(
    clippy::wildcard_imports,
    reason = "the names are those of the instructions"
)]

use super::{Linear, Rows, scalar};
use crate::taps::{COLUMN_BITS, Columns, NEAR, Windows};
use std::arch::aarch64::*;

/// 8 elements between two rows' bytes, which stand in 16-bit lanes.
#[target_feature(enable = "neon")]
#[inline]
fn between(upper: int16x8_t, lower: int16x8_t, weight: int16x8_t) -> int16x8_t {
    let upper = vshlq_n_s16::<7>(upper);
    let way = vsubq_s16(vshlq_n_s16::<7>(lower), upper);
    vaddq_s16(upper, vqrdmulhq_s16(way, weight))
}

/// 8 elements: of lefts and rights, and their weights.
#[target_feature(enable = "neon")]
#[inline]
fn elements(left: int16x8_t, right: int16x8_t, weights: int16x8x2_t) -> int16x8_t {
    const BITS: i32 = COLUMN_BITS.cast_signed();
    let low = vmlal_s16(
        vmull_s16(vget_low_s16(left), vget_low_s16(weights.0)),
        vget_low_s16(right),
        vget_low_s16(weights.1),
    );
    let high = vmlal_high_s16(vmull_high_s16(left, weights.0), right, weights.1);
    vrshrn_high_n_s32::<BITS>(vrshrn_n_s32::<BITS>(low), high)
}

/// From windows of so many stretches, from the upper row or between two.
///
/// # Safety
/// The rows are as long as the columns say, the windows belong to the columns, reach as `NEAR` does and
/// have `STRETCHES` stretches; `out` has room for the columns in whole blocks.
#[target_feature(enable = "neon")]
pub(super) unsafe fn resample<const STRETCHES: usize, const BETWEEN: bool>(
    rows: Rows<'_>,
    columns: &Columns,
    windows: &Windows,
    out: &mut [i16],
) {
    let weight = vdupq_n_s16(rows.weight);
    let neighbours = |row: &[u8], group: usize| {
        let mut both = vdupq_n_u8(0);
        for stretch in 0..STRETCHES {
            // SAFETY: whole windows lie within the row; there are turns for each group.
            unsafe {
                let at = *windows.at.get_unchecked(group) as usize + stretch * NEAR.stretch;
                let bytes = vld1q_u8(row.as_ptr().add(at));
                let turn = vld1q_u8(
                    windows
                        .turns
                        .as_ptr()
                        .add((group * STRETCHES + stretch) * NEAR.stretch),
                );
                // Turns beyond the 16 bytes leave what is there.
                both = vqtbx1q_u8(both, bytes, turn);
            }
        }
        vreinterpretq_s16_u8(both)
    };
    // Left and right of four columns in turn.
    let values = |group: usize| {
        let upper = neighbours(rows.upper, group);
        if BETWEEN {
            between(upper, neighbours(rows.lower, group), weight)
        } else {
            vshlq_n_s16::<7>(upper)
        }
    };
    for column in (0..columns.weights.len()).step_by(8) {
        let (a, b) = (values(column / NEAR.group), values(column / NEAR.group + 1));
        // SAFETY: there are weights for whole blocks of columns, and `out` has room for as many.
        unsafe {
            let weights = vld2q_s16(columns.weights.as_ptr().add(column).cast());
            let row = elements(vuzp1q_s16(a, b), vuzp2q_s16(a, b), weights);
            vst1q_s16(out.as_mut_ptr().add(column), row);
        }
    }
}

/// # Safety
/// The planes are at least as long as `out`, which has whole blocks of 32.
#[target_feature(enable = "neon")]
pub(super) unsafe fn mix(planes: [&[i16]; 3], linear: &Linear, out: &mut [u8]) {
    let [f0, f1, f2] = linear.factors;
    let bias = vdupq_n_s32(linear.bias);
    let shift = vdupq_n_s32(-linear.shift.cast_signed());
    let (least, most) = (vdupq_n_s16(linear.least), vdupq_n_s16(linear.most));
    for at in (0..out.len()).step_by(16) {
        let eight = |at: usize| {
            // SAFETY: the planes are as long as `out`.
            let [a, b, c] = planes.map(|plane| unsafe { vld1q_s16(plane.as_ptr().add(at)) });
            let mut low = vmlal_n_s16(bias, vget_low_s16(a), f0);
            let mut high = vmlal_high_n_s16(bias, a, f0);
            low = vmlal_n_s16(low, vget_low_s16(b), f1);
            high = vmlal_high_n_s16(high, b, f1);
            if f2 != 0 {
                low = vmlal_n_s16(low, vget_low_s16(c), f2);
                high = vmlal_high_n_s16(high, c, f2);
            }
            let value = vqmovn_high_s32(vqmovn_s32(vshlq_s32(low, shift)), vshlq_s32(high, shift));
            vreinterpretq_u8_s16(vminq_s16(vmaxq_s16(value, least), most))
        };
        // The low byte of each value.
        let bytes = vuzp1q_u8(eight(at), eight(at + 8));
        // SAFETY: `out` has whole blocks of 32.
        unsafe { vst1q_u8(out.as_mut_ptr().add(at), bytes) };
    }
}

/// # Safety
/// The planes have at least a third of the bytes of `out`.
#[target_feature(enable = "neon")]
pub(super) unsafe fn interleave(planes: [&[u8]; 3], out: &mut [u8]) {
    const STEP: usize = 16;
    let pixels = out.len() / 3;
    if pixels < STEP {
        return scalar::interleave(planes, out);
    }
    // The last step is moved back to end with the row.
    for at in (0..pixels).step_by(STEP).map(|at| at.min(pixels - STEP)) {
        // SAFETY: 16 bytes from `at` on lie within the planes, 48 from 3 × `at` on within `out`.
        unsafe {
            let [a, b, c] = planes.map(|plane| vld1q_u8(plane.as_ptr().add(at)));
            vst3q_u8(out.as_mut_ptr().add(at * 3), uint8x16x3_t(a, b, c));
        }
    }
}

/// # Safety
/// `even` and `odd` have half of the bytes of `row` each, `even` one more if there is an odd one.
#[target_feature(enable = "neon")]
pub(super) unsafe fn split(row: &[u8], even: &mut [u8], odd: &mut [u8]) {
    const STEP: usize = 16;
    let pairs = row.len() / 2;
    for at in (0..pairs / STEP).map(|step| step * STEP) {
        // SAFETY: 32 bytes of the row and 16 of each half lie within them.
        unsafe {
            let uint8x16x2_t(evens, odds) = vld2q_u8(row.as_ptr().add(at * 2));
            vst1q_u8(even.as_mut_ptr().add(at), evens);
            vst1q_u8(odd.as_mut_ptr().add(at), odds);
        }
    }
    let done = pairs / STEP * STEP;
    scalar::split(&row[done * 2..], &mut even[done..], &mut odd[done..]);
}
