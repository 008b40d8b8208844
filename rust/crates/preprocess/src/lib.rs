//! A camera frame, or a window of sensor samples, into the model's input tensor in one pass.
//!
//! A frame is cropped, fitted, converted to the tensor's colours, resized, normalised and quantised
//! row by row: every byte of the frame that counts is read once from the driver's buffer, and every
//! element of the tensor is written once. Everything that depends on sizes and types only is put
//! into tables by [`Preprocessor::new`]; [`Preprocessor::run`] does not allocate, but for MJPEG.
//!
//! Resizing is bilinear with half-pixel centres and two taps on each axis, without antialiasing, as
//! `OpenCV`'s `INTER_LINEAR`. Chroma that pixels share belongs to each of them, as in `OpenCV`'s
//! conversions. The planes are interpolated as they are, and colour is converted once for each
//! *target* pixel: both are linear, so that only the order of rounding differs.
//!
//! The arithmetic is in integers (see `kernel`); AVX-512, AVX2, NEON and the scalar definition give the
//! same tensor bit for bit, and so do x86-64 and aarch64.

mod colour;
mod error;
mod geometry;
mod image;
mod jpeg;
mod kernel;
mod layout;
mod preprocessor;
pub mod samples;
mod split;
mod store;
mod taps;
#[cfg(test)]
mod tests;

pub use edgeai_config::{Colour, Matrix, PixelFormat, Range};
pub use error::PreprocessError;
pub use image::{Image, MAX_PLANES, PlaneRef, SourceSpec};
pub use layout::{ChannelOrder, Dims, Fit, Layout, Normalise, TensorType};
pub use preprocessor::Preprocessor;
pub use samples::{Feature, Window, WindowSpec};

/// Largest width or height of a source or target, in pixels.
pub const MAX_SIDE: u32 = 16384;
