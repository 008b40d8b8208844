//! A camera frame into the model's input tensor in one pass: colour, resize, normalise, quantise.
//!
//! The frame is stretched to the tensor's size (aspect ratio is not kept: that is what SSD models
//! are trained with) by bilinear interpolation with half-pixel centres and no antialiasing, as
//! `OpenCV`'s `INTER_LINEAR` does. Source bytes are interpolated as they are; colour conversion
//! happens once for each *target* pixel, after interpolation.
//!
//! Everything that depends on sizes and types only is put into tables by [`Preprocessor::new`];
//! [`Preprocessor::run`] does not allocate.

mod image;
mod kernel;
mod tables;

pub use edgeai_config::PixelFormat;
pub use image::Image;

use kernel::{Rgb24, Source, Yuyv};
use tables::{Column, Row};

/// Largest width or height of a source or target, in pixels.
pub const MAX_SIDE: u32 = 16384;

/// Element type of the input tensor and, for integers, its quantisation:
/// real = scale × (integer − `zero_point`).
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum TensorType {
    /// 32-bit float, native byte order.
    F32,
    /// Signed 8-bit.
    I8 {
        /// Step, finite and above 0.
        scale: f32,
        /// Integer that stands for real 0.
        zero_point: i32,
    },
    /// Unsigned 8-bit.
    U8 {
        /// Step, finite and above 0.
        scale: f32,
        /// Integer that stands for real 0.
        zero_point: i32,
    },
}

impl TensorType {
    /// Bytes of one element.
    #[must_use]
    pub const fn bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::I8 { .. } | Self::U8 { .. } => 1,
        }
    }
}

/// Why a frame cannot become a tensor.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PreprocessError {
    /// A side is 0 or above [`MAX_SIDE`].
    #[error("{what} {width}x{height}: each side must be 1 to {MAX_SIDE} pixels")]
    Size {
        /// Which size.
        what: &'static str,
        /// Pixels.
        width: u32,
        /// Pixels.
        height: u32,
    },
    /// Rows overlap.
    #[error("a row of {width} pixels takes {needed} bytes, but the stride is {stride}")]
    Stride {
        /// Pixels.
        width: u32,
        /// Bytes.
        needed: usize,
        /// Bytes.
        stride: usize,
    },
    /// The frame is cut short.
    #[error("the frame has {found} bytes, its size and stride need {needed}")]
    FrameTooShort {
        /// Bytes.
        needed: usize,
        /// Bytes.
        found: usize,
    },
    /// The frame is not what the tables were built for.
    #[error("the frame is {found}, the tables were built for {expected}")]
    OtherFrame {
        /// Format and size.
        expected: String,
        /// Format and size.
        found: String,
    },
    /// The tensor has another length.
    #[error("the tensor has {found} bytes, its size and type need {needed}")]
    TensorLength {
        /// Bytes.
        needed: usize,
        /// Bytes.
        found: usize,
    },
    /// The range or the quantisation is not usable.
    #[error("{0}")]
    Values(&'static str),
}

/// The tensor element's bytes for each pixel value 0 ..= 255.
enum Values {
    Four(Box<[[u8; 4]; 256]>),
    One(Box<[[u8; 1]; 256]>),
}

/// Turns frames of one format and size into tensors of one size and type.
pub struct Preprocessor {
    format: PixelFormat,
    source: [u32; 2],
    tensor_bytes: usize,
    rows: Box<[Row]>,
    columns: Box<[Column]>,
    values: Values,
    /// One source row, blended from two, in 1/256 of a byte's step.
    blended: Box<[u16]>,
}

impl Preprocessor {
    /// Builds the tables for frames of `format` and `source` = width, height, and an NHWC RGB
    /// tensor of `target` = width, height; pixel values 0 ..= 255 map linearly to `range`.
    ///
    /// YUYV is taken as BT.601, limited range (what UVC cameras deliver).
    ///
    /// # Errors
    /// A side that is 0 or above [`MAX_SIDE`]; a range or quantisation that is not finite, or a
    /// scale that is not above 0.
    pub fn new(
        format: PixelFormat,
        source: [u32; 2],
        target: [u32; 2],
        tensor: TensorType,
        range: [f32; 2],
    ) -> Result<Self, PreprocessError> {
        image::check_size("frame", source)?;
        image::check_size("tensor", target)?;
        let row_bytes = image::row_bytes(format, source[0]);
        let elements = target[0] as usize * target[1] as usize * 3;
        Ok(Self {
            format,
            source,
            tensor_bytes: elements * tensor.bytes(),
            rows: tables::rows(source[1], target[1]),
            columns: tables::columns(format, source[0], target[0]),
            values: tables::values(tensor, range)?,
            blended: vec![0; row_bytes].into_boxed_slice(),
        })
    }

    /// Bytes of the tensor.
    #[must_use]
    pub const fn tensor_bytes(&self) -> usize {
        self.tensor_bytes
    }

    /// Fills the tensor's bytes from `image`. Does not allocate unless it fails.
    ///
    /// # Errors
    /// An image of another format or size than the tables were built for; `out` not exactly
    /// [`Self::tensor_bytes`] long. `out` is untouched then.
    pub fn run(&mut self, image: &Image<'_>, out: &mut [u8]) -> Result<(), PreprocessError> {
        if image.format() != self.format || image.size() != self.source {
            return Err(PreprocessError::OtherFrame {
                expected: describe(self.format, self.source),
                found: describe(image.format(), image.size()),
            });
        }
        if out.len() != self.tensor_bytes {
            return Err(PreprocessError::TensorLength {
                needed: self.tensor_bytes,
                found: out.len(),
            });
        }
        // One monomorphic loop for each pair: nothing is decided within a row.
        match (self.format, &self.values) {
            (PixelFormat::Yuyv, Values::Four(values)) => {
                fill::<Yuyv, 4>(
                    self.rows.iter(),
                    &self.columns,
                    values,
                    &mut self.blended,
                    image,
                    out,
                );
            }
            (PixelFormat::Yuyv, Values::One(values)) => {
                fill::<Yuyv, 1>(
                    self.rows.iter(),
                    &self.columns,
                    values,
                    &mut self.blended,
                    image,
                    out,
                );
            }
            (PixelFormat::Rgb24, Values::Four(values)) => {
                fill::<Rgb24, 4>(
                    self.rows.iter(),
                    &self.columns,
                    values,
                    &mut self.blended,
                    image,
                    out,
                );
            }
            (PixelFormat::Rgb24, Values::One(values)) => {
                fill::<Rgb24, 1>(
                    self.rows.iter(),
                    &self.columns,
                    values,
                    &mut self.blended,
                    image,
                    out,
                );
            }
        }
        Ok(())
    }
}

/// All rows: blend two source rows, then pick, convert and store each target pixel.
fn fill<S: Source, const BYTES: usize>(
    rows: std::slice::Iter<'_, Row>,
    columns: &[Column],
    values: &[[u8; BYTES]; 256],
    blended: &mut [u16],
    image: &Image<'_>,
    out: &mut [u8],
) {
    for (row, out) in rows.zip(out.chunks_exact_mut(columns.len() * 3 * BYTES)) {
        kernel::blend(
            image.row(row.upper),
            image.row(row.lower),
            row.weight,
            blended,
        );
        kernel::pick::<S, BYTES>(blended, columns, values, out);
    }
}

fn describe(format: PixelFormat, [width, height]: [u32; 2]) -> String {
    format!("{} {width}x{height}", format.name())
}

#[cfg(test)]
mod tests;
