//! What can be wrong with a frame, a tensor or their description.

use crate::MAX_SIDE;

/// Why a frame, or a window of samples, cannot become a tensor.
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
    /// A frame of another number of planes than its format has.
    #[error("a frame in {format} has {needed} planes, not {found}")]
    Planes {
        /// Name of the format.
        format: &'static str,
        /// Planes of the format.
        needed: usize,
        /// Planes given.
        found: usize,
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
    #[error("the frame's plane {plane} has {found} bytes, its size and stride need {needed}")]
    FrameTooShort {
        /// Which plane, from 0.
        plane: usize,
        /// Bytes.
        needed: usize,
        /// Bytes.
        found: usize,
    },
    /// The frame is not what the tables were built for.
    #[error("the frame is {found}, the tables were built for {expected}")]
    OtherFrame {
        /// Format, size and colour.
        expected: String,
        /// Format, size and colour.
        found: String,
    },
    /// The JPEG cannot be decoded.
    #[error("the JPEG is damaged: {0}")]
    Jpeg(String),
    /// The tensor has another length.
    #[error("the tensor has {found} bytes, its size and type need {needed}")]
    TensorLength {
        /// Bytes.
        needed: usize,
        /// Bytes.
        found: usize,
    },
    /// The samples are not as many as the window has.
    #[error("the window has {found} samples, {needed} are needed")]
    WindowLength {
        /// Samples of all channels.
        needed: usize,
        /// Samples of all channels.
        found: usize,
    },
    /// The crop is not a part of the frame.
    #[error("crop {0:?}: x, y, width and height must be parts of the frame, 0 to 1")]
    Crop([f32; 4]),
    /// Normalisation, quantisation or shape is not usable.
    #[error("{0}")]
    Values(&'static str),
}
