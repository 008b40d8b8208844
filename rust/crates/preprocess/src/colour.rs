//! From the planes' values to the tensor's integers, as one linear function for each channel.

use crate::kernel::{ELEMENT_BITS, Linear};
use crate::layout::{ChannelOrder, Layout, TensorType};
use crate::{Colour, Matrix, PixelFormat, PreprocessError, Range};

/// A channel 0 ..= 255 as Σ factor × plane's byte + constant.
#[derive(Clone, Copy)]
struct Channel {
    factors: [f64; 3],
    constant: f64,
}

/// The functions of all channels of the tensor, in its order.
pub(crate) fn linears(
    format: PixelFormat,
    colour: Colour,
    layout: &Layout,
) -> Result<Vec<Linear>, PreprocessError> {
    let order = match layout.order {
        ChannelOrder::Rgb => [0, 1, 2],
        ChannelOrder::Bgr => [2, 1, 0],
    };
    let channels = if layout.channels == 1 {
        vec![grey(format, colour)]
    } else {
        let rgb = red_green_blue(format, colour);
        order.iter().map(|&channel| rgb[channel]).collect()
    };
    channels
        .iter()
        .zip(quantisers(layout)?)
        .map(|(channel, quantiser)| quantiser.apply(channel))
        .collect()
}

/// How red, green and blue weigh in luma: ITU-R BT.601-7, 2.5.1; BT.709-6, 3.2.
fn luma_weights(matrix: Matrix) -> [f64; 3] {
    match matrix {
        Matrix::Bt601 => [0.299, 0.587, 0.114],
        Matrix::Bt709 => [0.2126, 0.7152, 0.0722],
    }
}

/// Factor of luma, luma of black, factor of chroma (BT.601-7, 2.5.3; JFIF 1.02: full).
fn range_of(range: Range) -> (f64, f64, f64) {
    match range {
        Range::Limited => (255.0 / 219.0, 16.0, 255.0 / 224.0),
        Range::Full => (1.0, 0.0, 1.0),
    }
}

/// What colour the format's values are in, whatever is said of it.
fn effective(format: PixelFormat, colour: Colour) -> Colour {
    match format {
        PixelFormat::Mjpeg => Colour {
            matrix: Matrix::Bt601,
            range: Range::Full,
        },
        PixelFormat::Grey => Colour {
            range: Range::Full,
            ..colour
        },
        _ => colour,
    }
}

/// Red, green and blue are the format's planes.
fn is_rgb(format: PixelFormat) -> bool {
    matches!(format, PixelFormat::Rgb24 | PixelFormat::Bgr24)
}

fn grey(format: PixelFormat, colour: Colour) -> Channel {
    if is_rgb(format) {
        return Channel {
            factors: luma_weights(Matrix::Bt601),
            constant: 0.0,
        };
    }
    let (luma, black, _) = range_of(effective(format, colour).range);
    Channel {
        factors: [luma, 0.0, 0.0],
        constant: -luma * black,
    }
}

fn red_green_blue(format: PixelFormat, colour: Colour) -> [Channel; 3] {
    if is_rgb(format) {
        return [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]].map(|factors| Channel {
            factors,
            constant: 0.0,
        });
    }
    let Channel { factors, constant } = grey(format, colour);
    let colour = effective(format, colour);
    let [red, green, blue] = luma_weights(colour.matrix);
    let (_, _, chroma) = range_of(colour.range);
    // Of U and V, for each of red, green and blue.
    let chroma = [
        [0.0, 2.0 * (1.0 - red)],
        [
            -2.0 * blue * (1.0 - blue) / green,
            -2.0 * red * (1.0 - red) / green,
        ],
        [2.0 * (1.0 - blue), 0.0],
    ]
    .map(|pair| pair.map(|factor| factor * chroma));
    chroma.map(|[u, v]| match format {
        PixelFormat::Grey => Channel { factors, constant },
        _ => Channel {
            factors: [factors[0], u, v],
            constant: constant - 128.0 * (u + v),
        },
    })
}

/// From a channel's 0 ..= 255 to the tensor's integer: × factor + constant, within bounds.
#[derive(Clone, Copy)]
struct Quantiser {
    factor: f64,
    constant: f64,
    least: i16,
    most: i16,
}

fn quantisers(layout: &Layout) -> Result<[Quantiser; 3], PreprocessError> {
    let (scale, zero_point, bounds) = match layout.element {
        TensorType::F32 => {
            // The pixel as it is; floats come after.
            return Ok([Quantiser {
                factor: 1.0,
                constant: 0.0,
                least: 0,
                most: 255,
            }; 3]);
        }
        TensorType::I8 { scale, zero_point } => (scale, zero_point, [-128.0, 127.0]),
        TensorType::U8 { scale, zero_point } => (scale, zero_point, [0.0, 255.0]),
    };
    if !(scale.is_finite() && scale > 0.0) {
        return Err(PreprocessError::Values(
            "the quantisation's scale must be finite and above 0",
        ));
    }
    let normalise = &layout.normalise;
    Ok([0, 1, 2].map(|channel| {
        let factor = f64::from(normalise.scale[channel]) / f64::from(scale);
        let constant =
            f64::from(normalise.offset[channel]) / f64::from(scale) + f64::from(zero_point);
        let ends = [constant, factor * 255.0 + constant].map(|end| {
            #[expect(clippy::cast_possible_truncation, reason = "within the bounds")]
            let end = (end + 0.5).floor().clamp(bounds[0], bounds[1]) as i16;
            end
        });
        Quantiser {
            factor,
            constant,
            least: ends[0].min(ends[1]),
            most: ends[0].max(ends[1]),
        }
    }))
}

impl Quantiser {
    /// The channel's function in integers, with as many fractional bits as fit.
    fn apply(&self, channel: &Channel) -> Result<Linear, PreprocessError> {
        /// Elements are below 2¹⁵, so Σ |factor| < 2¹⁵ leaves the sum below 2³⁰.
        const MOST_FACTORS: f64 = 32767.0 - 3.0; // each may be rounded up
        const MOST_BIAS: f64 = (1 << 30) as f64;
        const MOST_FRACTION: u32 = 14;
        let factors = channel.factors.map(|factor| factor * self.factor);
        let constant = channel.constant * self.factor + self.constant;
        let sum: f64 = factors.iter().map(|factor| factor.abs()).sum();
        let one = |fraction: u32| f64::from(1u32 << fraction);
        let fraction = (0..=MOST_FRACTION)
            .rev()
            .find(|&fraction| {
                sum * one(fraction) <= MOST_FACTORS
                    && (constant.abs() + 0.5) * one(fraction + ELEMENT_BITS) <= MOST_BIAS
            })
            .ok_or(PreprocessError::Values(
                "the quantisation's steps are too small for pixels of 0 to 255",
            ))?;
        #[expect(clippy::cast_possible_truncation, reason = "bounded above")]
        let (factors, bias) = (
            factors.map(|factor| (factor * one(fraction)).round() as i16),
            ((constant + 0.5) * one(fraction + ELEMENT_BITS)).round() as i32,
        );
        let mut planes = [0, 1, 2];
        // Those that count first; the sort is stable.
        planes.sort_by_key(|&plane: &usize| factors[plane] == 0);
        Ok(Linear {
            planes,
            factors: planes.map(|plane| factors[plane]),
            bias,
            shift: fraction + ELEMENT_BITS,
            least: self.least,
            most: self.most,
        })
    }
}
