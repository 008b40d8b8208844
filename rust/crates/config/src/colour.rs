//! How luma and chroma stand for colours.

use serde::{Deserialize, Serialize};

/// What a driver says of the YUV values of its frames (kernel,
/// `Documentation/userspace-api/media/v4l/colorspaces-defs.rst`). Without meaning for RGB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Colour {
    /// Weights of red, green and blue in luma.
    pub matrix: Matrix,
    /// Values that stand for black and white.
    pub range: Range,
}

/// Which standard's weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Matrix {
    /// ITU-R BT.601: standard definition, webcams, JPEG.
    #[default]
    Bt601,
    /// ITU-R BT.709: high definition.
    Bt709,
}

/// Values of luma.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Range {
    /// 16 to 235; chroma 16 to 240.
    #[default]
    Limited,
    /// 0 to 255.
    Full,
}
