//! The two inner loops.

use crate::tables::{Column, FULL_WEIGHT, WEIGHT_BITS};

/// A pixel format's way from a blended row to RGB.
pub(crate) trait Source {
    /// One target pixel.
    fn rgb(row: &[u16], column: &Column) -> [u8; 3];
}

pub(crate) struct Rgb24;
pub(crate) struct Yuyv;

/// Vertical interpolation of whole rows, in 1/256 of a byte's step. Bytes of every format blend
/// alike, so this needs no knowledge of pixels and vectorises.
pub(crate) fn blend(upper: &[u8], lower: &[u8], weight: u16, blended: &mut [u16]) {
    let rest = 256 - weight;
    for ((blended, &upper), &lower) in blended.iter_mut().zip(upper).zip(lower) {
        *blended = u16::from(upper) * rest + u16::from(lower) * weight;
    }
}

/// Horizontal interpolation, colour and quantisation of one target row.
pub(crate) fn pick<S: Source, const BYTES: usize>(
    row: &[u16],
    columns: &[Column],
    values: &[[u8; BYTES]; 256],
    out: &mut [u8],
) {
    let elements = out.as_chunks_mut::<BYTES>().0;
    for (column, pixel) in columns.iter().zip(elements.as_chunks_mut::<3>().0) {
        let rgb = S::rgb(row, column);
        *pixel = rgb.map(|value| values[usize::from(value)]);
    }
}

/// Both taps of one channel, in 1/256 of a byte's step (0 ..= 65280).
#[inline]
fn mix(row: &[u16], left: u32, right: u32, weight: u32) -> u32 {
    let left = u32::from(row[left as usize]) * (FULL_WEIGHT - weight);
    let right = u32::from(row[right as usize]) * weight;
    (left + right) >> WEIGHT_BITS
}

impl Source for Rgb24 {
    #[inline]
    fn rgb(row: &[u16], column: &Column) -> [u8; 3] {
        [0, 1, 2].map(|channel| {
            let value = mix(
                row,
                column.left + channel,
                column.right + channel,
                column.weight,
            );
            #[expect(
                clippy::cast_possible_truncation,
                reason = "at most (65280 + 128) / 256"
            )]
            let value = ((value + 128) >> 8) as u8;
            value
        })
    }
}

/// BT.601, limited range: Y 16 ..= 235, U and V 16 ..= 240 about 128 (ITU-R BT.601-7, 2.5.3),
/// in 1/8192: with 16-bit samples the largest sum stays below 2³¹.
const LUMA: i32 = 9539; // 255/219
const RED_V: i32 = 13075; // 1.402 × 255/224
const GREEN_U: i32 = 3209; // 0.344136 × 255/224
const GREEN_V: i32 = 6660; // 0.714136 × 255/224
const BLUE_U: i32 = 16525; // 1.772 × 255/224
const COLOUR_BITS: u32 = 13 + 8;

impl Source for Yuyv {
    #[inline]
    fn rgb(row: &[u16], column: &Column) -> [u8; 3] {
        let weight = column.weight;
        let luma = mix(row, column.left, column.right, weight).cast_signed() - (16 << 8);
        let [u, v] = [0, 2].map(|plane| {
            let chroma = mix(
                row,
                column.left_chroma + plane,
                column.right_chroma + plane,
                weight,
            );
            chroma.cast_signed() - (128 << 8)
        });
        let luma = luma * LUMA + (1 << (COLOUR_BITS - 1));
        [
            luma + v * RED_V,
            luma - u * GREEN_U - v * GREEN_V,
            luma + u * BLUE_U,
        ]
        .map(|value| {
            #[expect(clippy::cast_sign_loss, reason = "clamped")]
            let value = (value >> COLOUR_BITS).clamp(0, 255) as u8;
            value
        })
    }
}
