//! Against a float reference, SIMD against the definition, and every refusal.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    clippy::float_cmp,
    reason = "small, known values that are exact"
)]

mod golden;
mod mjpeg;
mod properties;
mod reference;
mod refusals;
mod values;

use crate::*;

/// A frame that owns its planes.
#[derive(Debug, Clone)]
pub(crate) struct OwnedFrame {
    pub(crate) planes: Vec<(Vec<u8>, usize)>,
    pub(crate) spec: SourceSpec,
}

impl OwnedFrame {
    /// Noise, with `padding` bytes between rows and none after the last.
    pub(crate) fn noise(spec: SourceSpec, padding: usize, seed: u64) -> Self {
        let planes = row_bytes_and_rows(spec.format, spec.size)
            .into_iter()
            .enumerate()
            .map(|(plane, (row, rows))| {
                let stride = row + padding;
                (
                    noise(stride * (rows - 1) + row, seed + plane as u64),
                    stride,
                )
            })
            .collect();
        Self { planes, spec }
    }

    pub(crate) fn image(&self) -> Image<'_> {
        let planes: Vec<_> = self
            .planes
            .iter()
            .map(|(bytes, stride)| PlaneRef {
                bytes,
                stride: *stride,
            })
            .collect();
        let SourceSpec {
            format,
            colour,
            size: [width, height],
        } = self.spec;
        Image::new(&planes, format, colour, width, height).unwrap()
    }

    /// The same pixels with other bytes between the rows.
    pub(crate) fn repadded(&self, padding: usize, filler: u8) -> Self {
        let shapes = row_bytes_and_rows(self.spec.format, self.spec.size);
        let planes = self
            .planes
            .iter()
            .zip(shapes)
            .map(|((bytes, stride), (row, rows))| {
                let mut padded = vec![filler; (row + padding) * (rows - 1) + row];
                for y in 0..rows {
                    padded[y * (row + padding)..][..row]
                        .copy_from_slice(&bytes[y * stride..][..row]);
                }
                (padded, row + padding)
            })
            .collect();
        Self {
            planes,
            spec: self.spec,
        }
    }
}

/// Bytes of a row and rows of each plane, written down once more on purpose.
fn row_bytes_and_rows(format: PixelFormat, [width, height]: [u32; 2]) -> Vec<(usize, usize)> {
    let (width, height) = (width as usize, height as usize);
    let (half_width, half_height) = (width.div_ceil(2), height.div_ceil(2));
    match format {
        PixelFormat::Yuyv | PixelFormat::Uyvy => vec![(half_width * 4, height)],
        PixelFormat::Nv12 | PixelFormat::Nv21 => {
            vec![(width, height), (half_width * 2, half_height)]
        }
        PixelFormat::Yu12 => vec![
            (width, height),
            (half_width, half_height),
            (half_width, half_height),
        ],
        PixelFormat::Grey => vec![(width, height)],
        PixelFormat::Rgb24 | PixelFormat::Bgr24 => vec![(width * 3, height)],
        PixelFormat::Mjpeg => unreachable!("no pixels"),
    }
}

/// A reproducible byte sequence (Knuth's MMIX generator).
fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..length)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 56) as u8
        })
        .collect()
}

pub(crate) fn source(format: PixelFormat, size: [u32; 2]) -> SourceSpec {
    SourceSpec {
        format,
        colour: Colour::default(),
        size,
    }
}

/// Pixel values as they are.
pub(crate) fn bytes_layout(size: [u32; 2]) -> Layout {
    Layout {
        size,
        channels: 3,
        order: ChannelOrder::Rgb,
        dims: Dims::Nhwc,
        element: TensorType::U8 {
            scale: 1.0,
            zero_point: 0,
        },
        normalise: Normalise::range([0.0, 255.0]),
    }
}

pub(crate) fn run(image: &Image<'_>, crop: Option<[f32; 4]>, fit: Fit, layout: &Layout) -> Vec<u8> {
    let mut preprocessor = Preprocessor::new(image.spec(), crop, fit, layout).unwrap();
    let mut out = vec![0xa5; preprocessor.tensor_bytes()];
    preprocessor.run(image, &mut out).unwrap();
    out
}
