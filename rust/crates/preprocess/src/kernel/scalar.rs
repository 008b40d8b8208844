//! The definition of every kernel.

use super::{ELEMENT_BITS, Linear, Rows};
use crate::taps::{COLUMN_BITS, Columns, ROW_BITS};

/// (a × b + ½) in 1/2¹⁵, as `pmulhrsw` and `sqrdmulh` round.
#[inline]
fn scaled(a: i32, b: i16) -> i32 {
    (a * i32::from(b) + (1 << (ROW_BITS - 1))) >> ROW_BITS
}

/// Between two bytes, as an element.
#[inline]
fn blended(upper: u8, lower: u8, weight: i16) -> i32 {
    let (upper, lower) = (
        i32::from(upper) << ELEMENT_BITS,
        i32::from(lower) << ELEMENT_BITS,
    );
    upper + scaled(lower - upper, weight)
}

pub(super) fn resample(rows: Rows<'_>, columns: &Columns, out: &mut [i16]) {
    let Rows {
        upper,
        lower,
        weight,
    } = rows;
    for ((out, at), weights) in out.iter_mut().zip(&columns.at).zip(&columns.weights) {
        let [left, right] = at.map(|at| blended(upper[at as usize], lower[at as usize], weight));
        let sum = left * i32::from(weights[0]) + right * i32::from(weights[1]);
        #[expect(clippy::cast_possible_truncation, reason = "between its neighbours")]
        let element = ((sum + (1 << (COLUMN_BITS - 1))) >> COLUMN_BITS) as i16;
        *out = element;
    }
}

#[inline]
pub(super) fn mix(planes: [&[i16]; 3], linear: &Linear, out: &mut [u8]) {
    let [a, b, c] = planes;
    for (((out, &a), &b), &c) in out.iter_mut().zip(a).zip(b).zip(c) {
        *out = linear.value([a, b, c]);
    }
}

#[inline]
pub(super) fn interleave(planes: [&[u8]; 3], out: &mut [u8]) {
    let [a, b, c] = planes;
    for (((out, &a), &b), &c) in out.as_chunks_mut::<3>().0.iter_mut().zip(a).zip(b).zip(c) {
        *out = [a, b, c];
    }
}

#[inline]
pub(super) fn split(row: &[u8], even: &mut [u8], odd: &mut [u8]) {
    let (pairs, last) = row.as_chunks::<2>();
    for ((pair, even), odd) in pairs.iter().zip(even.iter_mut()).zip(odd) {
        [*even, *odd] = *pair;
    }
    if let ([last], Some(even)) = (last, even.last_mut()) {
        *even = *last;
    }
}
