//! The kernels with AVX-512 and its byte permutations (VBMI), built as those with AVX2: a permutation
//! takes 16 columns out of 64 bytes.

#![allow(
    clippy::wildcard_imports,
    reason = "the names are those of the instructions"
)]

use super::{Linear, Rows, avx2, scalar};
use crate::taps::{BLOCK, COLUMN_BITS, Columns, FAR, Windows};
use std::arch::x86_64::*;

/// 32 elements between `upper` and `lower`, whose bytes stand in the low halves of 16-bit lanes.
#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
fn between(upper: __m512i, lower: __m512i, weight: __m512i) -> __m512i {
    let upper = _mm512_slli_epi16::<7>(upper);
    let way = _mm512_sub_epi16(_mm512_slli_epi16::<7>(lower), upper);
    _mm512_add_epi16(upper, _mm512_mulhrs_epi16(way, weight))
}

/// 64-bit parts of what was packed in lanes of 128 bits, in the order of the columns.
#[target_feature(enable = "avx512f")]
#[inline]
fn in_order(packed: __m512i) -> __m512i {
    _mm512_permutexvar_epi64(_mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7), packed)
}

/// Two vectors of sums in 1/2¹⁴ of an element, 0 to 15 and 16 to 31, as 32 elements.
#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
fn elements(low: __m512i, high: __m512i) -> __m512i {
    let half = _mm512_set1_epi32(1 << (COLUMN_BITS - 1));
    let round = |sum| _mm512_srai_epi32::<COLUMN_BITS>(_mm512_add_epi32(sum, half));
    in_order(_mm512_packs_epi32(round(low), round(high)))
}

/// From windows of so many stretches, from the upper row or between two.
///
/// # Safety
/// The rows are as long as the columns say, the windows belong to the columns, reach as `FAR` does and
/// have `STRETCHES` stretches; `out` has room for the columns in whole blocks.
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
pub(super) unsafe fn resample<const STRETCHES: usize, const BETWEEN: bool>(
    rows: Rows<'_>,
    columns: &Columns,
    windows: &Windows,
    out: &mut [i16],
) {
    let weight = _mm512_set1_epi16(rows.weight);
    let nothing = _mm512_set1_epi8(i8::MIN);
    // Neighbours of a group, as 16-bit values.
    let neighbours = |row: &[u8], group: usize| {
        let mut values = _mm512_setzero_si512();
        for stretch in 0..STRETCHES {
            // SAFETY: whole windows lie within the row; there are turns for each group.
            unsafe {
                let at = *windows.at.get_unchecked(group) as usize + stretch * FAR.stretch;
                let bytes = _mm512_loadu_si512(row.as_ptr().add(at).cast());
                let at = (group * STRETCHES + stretch) * FAR.stretch;
                let turn = _mm512_loadu_si512(windows.turns.as_ptr().add(at).cast());
                let some = _mm512_testn_epi8_mask(turn, nothing);
                values = _mm512_mask_permutexvar_epi8(values, some, turn, bytes);
            }
        }
        values
    };
    let sums = |column: usize| {
        let group = column / FAR.group;
        let upper = neighbours(rows.upper, group);
        let values = if BETWEEN {
            between(upper, neighbours(rows.lower, group), weight)
        } else {
            _mm512_slli_epi16::<7>(upper)
        };
        // SAFETY: there are weights for whole blocks of columns.
        let weights = unsafe { _mm512_loadu_si512(columns.weights.as_ptr().add(column).cast()) };
        _mm512_madd_epi16(values, weights)
    };
    for column in (0..columns.weights.len()).step_by(BLOCK) {
        let row = elements(sums(column), sums(column + FAR.group));
        // SAFETY: `out` has whole blocks of 32.
        unsafe { _mm512_storeu_si512(out.as_mut_ptr().add(column).cast(), row) };
    }
}

/// # Safety
/// The planes are at least as long as `out`, which has whole blocks of 32.
#[target_feature(enable = "avx512f,avx512bw")]
pub(super) unsafe fn mix(planes: [&[i16]; 3], linear: &Linear, out: &mut [u8]) {
    let [f0, f1, f2] = linear.factors.map(i32::from);
    let first = _mm512_set1_epi32((f0 & 0xffff) | (f1 << 16));
    let third = _mm512_set1_epi32(f2 & 0xffff);
    let bias = _mm512_set1_epi32(linear.bias);
    let shift = _mm_cvtsi32_si128(linear.shift.cast_signed());
    let (least, most) = (
        _mm512_set1_epi16(linear.least),
        _mm512_set1_epi16(linear.most),
    );
    for at in (0..out.len()).step_by(BLOCK) {
        // SAFETY: the planes are as long as `out`.
        let [a, b, c] =
            planes.map(|plane| unsafe { _mm512_loadu_si512(plane.as_ptr().add(at).cast()) });
        let mut low = _mm512_madd_epi16(_mm512_unpacklo_epi16(a, b), first);
        let mut high = _mm512_madd_epi16(_mm512_unpackhi_epi16(a, b), first);
        if f2 != 0 {
            low = _mm512_add_epi32(low, _mm512_madd_epi16(_mm512_unpacklo_epi16(c, c), third));
            high = _mm512_add_epi32(high, _mm512_madd_epi16(_mm512_unpackhi_epi16(c, c), third));
        }
        let value = _mm512_packs_epi32(
            _mm512_sra_epi32(_mm512_add_epi32(low, bias), shift),
            _mm512_sra_epi32(_mm512_add_epi32(high, bias), shift),
        );
        let value = _mm512_min_epi16(_mm512_max_epi16(value, least), most);
        // SAFETY: `out` has whole blocks of 32.
        unsafe {
            let to = out.as_mut_ptr().add(at).cast();
            _mm256_storeu_si256(to, _mm512_cvtepi16_epi8(value));
        }
    }
}

/// Pixels that `interleave` takes at once.
const PIXELS: usize = 64;

/// For each 64 of 192 bytes: which byte of the first two planes, or of the third, stands where; and
/// whether it is of the third.
const TURNS: [([u8; PIXELS], [u8; PIXELS], u64); 3] = {
    let mut turns = [([0; PIXELS], [0; PIXELS], 0); 3];
    let mut byte = 0;
    while byte < 3 * PIXELS {
        let (first, third, of_third) = &mut turns[byte / PIXELS];
        #[expect(clippy::cast_possible_truncation, reason = "below 64")]
        let index = (byte / 3) as u8;
        match byte % 3 {
            0 => first[byte % PIXELS] = index,
            1 => first[byte % PIXELS] = 64 + index,
            _ => {
                third[byte % PIXELS] = index;
                *of_third |= 1 << (byte % PIXELS);
            }
        }
        byte += 1;
    }
    turns
};

/// # Safety
/// The planes have at least a third of the bytes of `out`.
#[target_feature(enable = "avx2,avx512f,avx512bw,avx512vbmi")]
pub(super) unsafe fn interleave(planes: [&[u8]; 3], out: &mut [u8]) {
    let pixels = out.len() / 3;
    if pixels < PIXELS {
        // SAFETY: as asked for.
        return unsafe { avx2::interleave(planes, out) };
    }
    // SAFETY: each entry has 64 bytes.
    let turns = TURNS.each_ref().map(|(first, third, of_third)| unsafe {
        let load = |turn: &[u8; PIXELS]| _mm512_loadu_si512(turn.as_ptr().cast());
        (load(first), load(third), *of_third)
    });
    // The last step is moved back to end with the row.
    let steps = (0..pixels).step_by(PIXELS);
    for at in steps.map(|at| at.min(pixels - PIXELS)) {
        // SAFETY: 64 bytes from `at` on lie within the planes.
        let [a, b, c] =
            planes.map(|plane| unsafe { _mm512_loadu_si512(plane.as_ptr().add(at).cast()) });
        for (part, (first, third, of_third)) in turns.into_iter().enumerate() {
            let bytes = _mm512_permutex2var_epi8(a, first, b);
            let bytes = _mm512_mask_permutexvar_epi8(bytes, of_third, third, c);
            // SAFETY: 192 bytes from 3 × `at` on lie within `out`.
            unsafe {
                let to = out.as_mut_ptr().add(at * 3 + part * PIXELS);
                _mm512_storeu_si512(to.cast(), bytes);
            }
        }
    }
}

/// # Safety
/// `even` and `odd` have half of the bytes of `row` each, `even` one more if there is an odd one.
#[target_feature(enable = "avx512f,avx512bw")]
pub(super) unsafe fn split(row: &[u8], even: &mut [u8], odd: &mut [u8]) {
    const STEP: usize = 64;
    let pairs = row.len() / 2;
    let low = _mm512_set1_epi16(0xff);
    for at in (0..pairs / STEP).map(|step| step * STEP) {
        // SAFETY: 128 bytes of the row and 64 of each half lie within them.
        unsafe {
            let load = |byte: usize| _mm512_loadu_si512(row.as_ptr().add(at * 2 + byte).cast());
            let (a, b) = (load(0), load(STEP));
            let evens = _mm512_packus_epi16(_mm512_and_si512(a, low), _mm512_and_si512(b, low));
            let odds = _mm512_packus_epi16(_mm512_srli_epi16::<8>(a), _mm512_srli_epi16::<8>(b));
            _mm512_storeu_si512(even.as_mut_ptr().add(at).cast(), in_order(evens));
            _mm512_storeu_si512(odd.as_mut_ptr().add(at).cast(), in_order(odds));
        }
    }
    let done = pairs / STEP * STEP;
    scalar::split(&row[done * 2..], &mut even[done..], &mut odd[done..]);
}
