//! What the model's input tensor is.

use crate::{PreprocessError, image};

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

/// Which channel comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ChannelOrder {
    /// Red, green, blue.
    #[default]
    Rgb,
    /// Blue, green, red.
    Bgr,
}

/// Which dimension varies fastest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Dims {
    /// [1, height, width, channels]: the channels of a pixel side by side.
    #[default]
    Nhwc,
    /// [1, channels, height, width]: a plane for each channel.
    Nchw,
}

/// From pixel values to what the model was trained with: real = pixel × scale + offset, pixel
/// 0 ..= 255, for each channel in the tensor's order.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Normalise {
    /// Finite.
    pub scale: [f32; 3],
    /// Finite.
    pub offset: [f32; 3],
}

impl Normalise {
    /// Pixel 0 becomes `low`, 255 `high`, in all channels.
    #[must_use]
    pub fn range([low, high]: [f32; 2]) -> Self {
        Self {
            scale: [(high - low) / 255.0; 3],
            offset: [low; 3],
        }
    }

    /// (pixel / 255 − mean) / std, as `PyTorch`'s transforms have it.
    #[must_use]
    pub fn mean_std(mean: [f32; 3], std: [f32; 3]) -> Self {
        let channels = [0, 1, 2];
        Self {
            scale: channels.map(|channel| 1.0 / (255.0 * std[channel])),
            offset: channels.map(|channel| -mean[channel] / std[channel]),
        }
    }
}

/// The input tensor.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Layout {
    /// Width and height in pixels.
    pub size: [u32; 2],
    /// 3, or 1: grey (luma; of RGB sources by the weights of BT.601).
    pub channels: u32,
    /// Order of three channels.
    pub order: ChannelOrder,
    /// Order of the dimensions.
    pub dims: Dims,
    /// Type and quantisation.
    pub element: TensorType,
    /// Real values of pixels.
    pub normalise: Normalise,
}

impl Layout {
    pub(crate) fn check(&self) -> Result<(), PreprocessError> {
        image::check_size("tensor", self.size)?;
        if self.channels != 1 && self.channels != 3 {
            return Err(PreprocessError::Values("a tensor has 1 or 3 channels"));
        }
        let Normalise { scale, offset } = &self.normalise;
        if !scale.iter().chain(offset).all(|value| value.is_finite()) {
            return Err(PreprocessError::Values(
                "scale and offset of the normalisation must be finite numbers",
            ));
        }
        Ok(())
    }
}

/// How the frame, or its crop, comes to the tensor's shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fit {
    /// Each side on its own: the aspect ratio is not kept.
    #[default]
    Stretch,
    /// As large as fits whole, in the middle; the rest has one colour.
    Letterbox {
        /// Red, green and blue, 0 ..= 255, normalised and quantised as pixels are; a grey tensor
        /// takes their luma.
        fill: [u8; 3],
    },
    /// As much as fills the tensor, from the middle.
    Crop,
}
