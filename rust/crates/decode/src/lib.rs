//! Output tensors into detections.
//!
//! A model directory holds `model.tflite`, `labels.txt` and `model.toml`;
//! [`ModelDescription::load`] reads the latter two, [`SsdDecoder`] turns the tensors of an SSD
//! model into [`Detection`]s.

mod anchors;
mod description;
mod detection;
mod logits;
mod ssd;

pub use anchors::{Anchor, anchors};
pub use description::{
    AnchorOptions, Decode, DecodeKind, ModelDescription, ModelError, ModelInput, Score, Task,
};
pub use detection::Detection;
pub use ssd::{DecodeError, SsdDecoder};

/// Element type of an output tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Element {
    /// 32-bit float, native byte order.
    F32,
    /// Signed 8-bit, quantised.
    I8,
    /// Unsigned 8-bit, quantised.
    U8,
}

/// What is known of an output tensor before the model runs.
#[derive(Debug, Clone, PartialEq)]
pub struct OutputSpec {
    /// Dimensions, batch first.
    pub shape: Vec<usize>,
    /// Element type.
    pub element: Element,
    /// Of quantised elements: real = scale × (integer − `zero_point`). Not read for floats.
    pub scale: f32,
    /// See `scale`.
    pub zero_point: i32,
}

impl Element {
    /// Bytes of one element.
    #[must_use]
    pub const fn bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::I8 | Self::U8 => 1,
        }
    }
}
