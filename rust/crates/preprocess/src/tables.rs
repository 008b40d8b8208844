//! What depends on sizes and types only.

use crate::{PixelFormat, PreprocessError, TensorType, Values};

/// Where a target row comes from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    pub upper: usize,
    pub lower: usize,
    /// Of the lower row, 0 ..= 256.
    pub weight: u16,
}

/// Where a target column comes from: byte offsets within a row.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    /// First byte of the left pixel: R of RGB24, Y of YUYV.
    pub left: u32,
    pub right: u32,
    /// Byte of U (V is two further); YUYV only.
    pub left_chroma: u32,
    pub right_chroma: u32,
    /// Of the right pixel, 0 ..= [`FULL_WEIGHT`].
    pub weight: u32,
}

/// Fractional bits of a column's weight: 16 bits of a blended byte and 15 of weight fit 32.
pub(crate) const WEIGHT_BITS: u32 = 15;
/// Weight of 1.
pub(crate) const FULL_WEIGHT: u32 = 1 << WEIGHT_BITS;

/// The two source indices of a target index and the exact share of the second.
///
/// Half-pixel centres: target centre i + ½ lies at (i + ½) × source / target of the source, and
/// source pixel k has its centre at k + ½. Beyond the outer centres the edge pixel counts alone.
fn taps(index: u32, source: u32, target: u32) -> (u32, u32, f64) {
    let last = f64::from(source - 1);
    let scale = f64::from(source) / f64::from(target);
    let centre = ((f64::from(index) + 0.5) * scale - 0.5).clamp(0.0, last);
    let first = centre.floor();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "0 ..= last"
    )]
    let first_index = first as u32;
    (
        first_index,
        (first_index + 1).min(source - 1),
        centre - first,
    )
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "0 ..= one"
)]
fn fixed(share: f64, one: u32) -> u32 {
    (share * f64::from(one)).round() as u32
}

pub(crate) fn rows(source: u32, target: u32) -> Box<[Row]> {
    (0..target)
        .map(|y| {
            let (upper, lower, share) = taps(y, source, target);
            #[expect(clippy::cast_possible_truncation, reason = "0 ..= 256")]
            let weight = fixed(share, 256) as u16;
            Row {
                upper: upper as usize,
                lower: lower as usize,
                weight,
            }
        })
        .collect()
}

pub(crate) fn columns(format: PixelFormat, source: u32, target: u32) -> Box<[Column]> {
    let luma = |x: u32| match format {
        PixelFormat::Yuyv => x * 2,
        PixelFormat::Rgb24 => x * 3,
    };
    let chroma = |x: u32| match format {
        PixelFormat::Yuyv => x / 2 * 4 + 1,
        PixelFormat::Rgb24 => 0,
    };
    (0..target)
        .map(|x| {
            let (left, right, share) = taps(x, source, target);
            Column {
                left: luma(left),
                right: luma(right),
                left_chroma: chroma(left),
                right_chroma: chroma(right),
                weight: fixed(share, FULL_WEIGHT),
            }
        })
        .collect()
}

/// The element's bytes for each pixel value: linear to `range`, then quantised to the nearest
/// step and clamped to the type.
pub(crate) fn values(tensor: TensorType, range: [f32; 2]) -> Result<Values, PreprocessError> {
    if !range.iter().all(|bound| bound.is_finite()) {
        return Err(PreprocessError::Values(
            "the range's bounds must be finite numbers",
        ));
    }
    let [low, high] = range.map(f64::from);
    let real = |pixel: usize| {
        #[expect(clippy::cast_precision_loss, reason = "below 256")]
        let pixel = pixel as f64;
        low + (high - low) * pixel / 255.0
    };
    let quantised = |pixel, scale: f32, zero_point: i32, least: f64, most: f64| {
        let steps = real(pixel) / f64::from(scale) + f64::from(zero_point);
        steps.round().clamp(least, most)
    };
    if let TensorType::I8 { scale, .. } | TensorType::U8 { scale, .. } = tensor
        && !(scale.is_finite() && scale > 0.0)
    {
        return Err(PreprocessError::Values(
            "the quantisation's scale must be finite and above 0",
        ));
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped"
    )]
    Ok(match tensor {
        TensorType::F32 => {
            Values::Four(Box::new(table(|pixel| (real(pixel) as f32).to_ne_bytes())))
        }
        TensorType::I8 { scale, zero_point } => Values::One(Box::new(table(|pixel| {
            (quantised(pixel, scale, zero_point, -128.0, 127.0) as i8).to_ne_bytes()
        }))),
        TensorType::U8 { scale, zero_point } => Values::One(Box::new(table(|pixel| {
            [quantised(pixel, scale, zero_point, 0.0, 255.0) as u8]
        }))),
    })
}

fn table<T>(entry: impl FnMut(usize) -> T) -> [T; 256] {
    std::array::from_fn(entry)
}
