//! The kernels with AVX2.

#![allow(
    clippy::wildcard_imports,
    reason = "the names are those of the instructions"
)]

use super::{Linear, Rows, scalar};
use crate::taps::{BLOCK, COLUMN_BITS, Columns, NEAR, Windows};
use std::arch::x86_64::*;

/// 16 elements between `upper` and `lower`, whose bytes stand in the low halves of 16-bit lanes.
#[target_feature(enable = "avx2")]
#[inline]
fn between(upper: __m256i, lower: __m256i, weight: __m256i) -> __m256i {
    let upper = _mm256_slli_epi16::<7>(upper);
    let way = _mm256_sub_epi16(_mm256_slli_epi16::<7>(lower), upper);
    _mm256_add_epi16(upper, _mm256_mulhrs_epi16(way, weight))
}

/// Two vectors of sums in 1/2¹⁴ of an element, 0 to 7 and 8 to 15, as 16 elements.
#[target_feature(enable = "avx2")]
#[inline]
fn elements(low: __m256i, high: __m256i) -> __m256i {
    let half = _mm256_set1_epi32(1 << (COLUMN_BITS - 1));
    let round =
        |sum| _mm256_srai_epi32::<{ COLUMN_BITS.cast_signed() }>(_mm256_add_epi32(sum, half));
    _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_packs_epi32(round(low), round(high)))
}

/// From windows of so many stretches, from the upper row or between two.
///
/// # Safety
/// The rows are as long as the columns say, the windows belong to the columns, reach as `NEAR` does and
/// have `STRETCHES` stretches; `out` has room for the columns in whole blocks.
#[target_feature(enable = "avx2")]
pub(super) unsafe fn resample<const STRETCHES: usize, const BETWEEN: bool>(
    rows: Rows<'_>,
    columns: &Columns,
    windows: &Windows,
    out: &mut [i16],
) {
    let weight = _mm256_set1_epi16(rows.weight);
    // Neighbours of the groups `group` and `group + 1`, as 16-bit values.
    let neighbours = |row: &[u8], group: usize| {
        let mut both = _mm256_setzero_si256();
        for stretch in 0..STRETCHES {
            // SAFETY: whole windows lie within the row; there are turns for each group.
            unsafe {
                let load = |group: usize| {
                    let at = *windows.at.get_unchecked(group) as usize + stretch * NEAR.stretch;
                    _mm_loadu_si128(row.as_ptr().add(at).cast())
                };
                let turn = |group: usize| {
                    let at = (group * STRETCHES + stretch) * NEAR.stretch;
                    _mm_loadu_si128(windows.turns.as_ptr().add(at).cast())
                };
                let bytes = _mm256_set_m128i(load(group + 1), load(group));
                let turn = _mm256_set_m128i(turn(group + 1), turn(group));
                both = _mm256_or_si256(both, _mm256_shuffle_epi8(bytes, turn));
            }
        }
        both
    };
    let sums = |column: usize| {
        let upper = neighbours(rows.upper, column / NEAR.group);
        let values = if BETWEEN {
            between(upper, neighbours(rows.lower, column / NEAR.group), weight)
        } else {
            _mm256_slli_epi16::<7>(upper)
        };
        // SAFETY: there are weights for whole blocks of columns.
        let weights = unsafe { _mm256_loadu_si256(columns.weights.as_ptr().add(column).cast()) };
        _mm256_madd_epi16(values, weights)
    };
    for column in (0..columns.weights.len()).step_by(16) {
        let row = elements(sums(column), sums(column + 8));
        // SAFETY: `out` has whole blocks of 32.
        unsafe { _mm256_storeu_si256(out.as_mut_ptr().add(column).cast(), row) };
    }
}

/// # Safety
/// The planes are at least as long as `out`, which has whole blocks of 32.
#[target_feature(enable = "avx2")]
pub(super) unsafe fn mix(planes: [&[i16]; 3], linear: &Linear, out: &mut [u8]) {
    let [f0, f1, f2] = linear.factors.map(i32::from);
    let first = _mm256_set1_epi32((f0 & 0xffff) | (f1 << 16));
    let third = _mm256_set1_epi32(f2 & 0xffff);
    let bias = _mm256_set1_epi32(linear.bias);
    let shift = _mm_cvtsi32_si128(linear.shift.cast_signed());
    let (least, most) = (
        _mm256_set1_epi16(linear.least),
        _mm256_set1_epi16(linear.most),
    );
    let byte = _mm256_set1_epi16(0xff);
    for at in (0..out.len()).step_by(BLOCK) {
        let sixteen = |at: usize| {
            // SAFETY: the planes are as long as `out`.
            let [a, b, c] =
                planes.map(|plane| unsafe { _mm256_loadu_si256(plane.as_ptr().add(at).cast()) });
            let mut low = _mm256_madd_epi16(_mm256_unpacklo_epi16(a, b), first);
            let mut high = _mm256_madd_epi16(_mm256_unpackhi_epi16(a, b), first);
            if f2 != 0 {
                low = _mm256_add_epi32(low, _mm256_madd_epi16(_mm256_unpacklo_epi16(c, c), third));
                high =
                    _mm256_add_epi32(high, _mm256_madd_epi16(_mm256_unpackhi_epi16(c, c), third));
            }
            let value = _mm256_packs_epi32(
                _mm256_sra_epi32(_mm256_add_epi32(low, bias), shift),
                _mm256_sra_epi32(_mm256_add_epi32(high, bias), shift),
            );
            let value = _mm256_min_epi16(_mm256_max_epi16(value, least), most);
            _mm256_and_si256(value, byte)
        };
        let bytes = _mm256_packus_epi16(sixteen(at), sixteen(at + 16));
        let bytes = _mm256_permute4x64_epi64::<0b11_01_10_00>(bytes);
        // SAFETY: `out` has whole blocks of 32.
        unsafe { _mm256_storeu_si256(out.as_mut_ptr().add(at).cast(), bytes) };
    }
}

/// For each 16 of 48 bytes, and each plane: which of its 16 bytes stands where, or 0x80.
const TURNS: [[[u8; 16]; 3]; 3] = {
    let mut turns = [[[0x80; 16]; 3]; 3];
    let mut byte = 0;
    while byte < 48 {
        #[expect(clippy::cast_possible_truncation, reason = "below 16")]
        let index = (byte / 3) as u8;
        turns[byte / 16][byte % 3][byte % 16] = index;
        byte += 1;
    }
    turns
};

/// # Safety
/// The planes have at least a third of the bytes of `out`.
#[target_feature(enable = "avx2")]
pub(super) unsafe fn interleave(planes: [&[u8]; 3], out: &mut [u8]) {
    const STEP: usize = 16;
    let pixels = out.len() / 3;
    if pixels < STEP {
        return scalar::interleave(planes, out);
    }
    // SAFETY: each entry has 16 bytes.
    let turns = TURNS.map(|part| part.map(|turn| unsafe { _mm_loadu_si128(turn.as_ptr().cast()) }));
    // The last step is moved back to end with the row.
    for at in (0..pixels).step_by(STEP).map(|at| at.min(pixels - STEP)) {
        // SAFETY: 16 bytes from `at` on lie within the planes.
        let [a, b, c] =
            planes.map(|plane| unsafe { _mm_loadu_si128(plane.as_ptr().add(at).cast()) });
        for (part, [of_a, of_b, of_c]) in turns.into_iter().enumerate() {
            let bytes = _mm_or_si128(
                _mm_shuffle_epi8(a, of_a),
                _mm_or_si128(_mm_shuffle_epi8(b, of_b), _mm_shuffle_epi8(c, of_c)),
            );
            // SAFETY: 48 bytes from 3 × `at` on lie within `out`.
            unsafe { _mm_storeu_si128(out.as_mut_ptr().add(at * 3 + part * 16).cast(), bytes) };
        }
    }
}

/// # Safety
/// `even` and `odd` have half of the bytes of `row` each, `even` one more if there is an odd one.
#[target_feature(enable = "avx2")]
pub(super) unsafe fn split(row: &[u8], even: &mut [u8], odd: &mut [u8]) {
    const STEP: usize = 32;
    let pairs = row.len() / 2;
    let low = _mm256_set1_epi16(0xff);
    let in_order = |packed| _mm256_permute4x64_epi64::<0b11_01_10_00>(packed);
    for at in (0..pairs / STEP).map(|step| step * STEP) {
        // SAFETY: 64 bytes of the row and 32 of each half lie within them.
        unsafe {
            let load = |byte: usize| _mm256_loadu_si256(row.as_ptr().add(at * 2 + byte).cast());
            let (a, b) = (load(0), load(32));
            let evens = _mm256_packus_epi16(_mm256_and_si256(a, low), _mm256_and_si256(b, low));
            let odds = _mm256_packus_epi16(_mm256_srli_epi16::<8>(a), _mm256_srli_epi16::<8>(b));
            _mm256_storeu_si256(even.as_mut_ptr().add(at).cast(), in_order(evens));
            _mm256_storeu_si256(odd.as_mut_ptr().add(at).cast(), in_order(odds));
        }
    }
    let done = pairs / STEP * STEP;
    scalar::split(&row[done * 2..], &mut even[done..], &mut odd[done..]);
}
