//! What a tensor is made of.

use serde::Serialize;

/// Element types an input or output tensor can have here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the names say it")]
pub enum ElementType {
    F32,
    F16,
    I8,
    U8,
    I16,
    I32,
    I64,
    Bool,
}

impl ElementType {
    /// Size of one element in bytes.
    #[must_use]
    pub const fn size(self) -> usize {
        match self {
            Self::I8 | Self::U8 | Self::Bool => 1,
            Self::F16 | Self::I16 => 2,
            Self::F32 | Self::I32 => 4,
            Self::I64 => 8,
        }
    }
}

/// An input or output tensor.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TensorInfo {
    /// Name in the model file; may be empty.
    pub name: String,
    /// Size of every dimension, outermost first.
    pub shape: Vec<usize>,
    /// Type of the elements.
    pub element: ElementType,
    /// real value = `scale` × (element − `zero_point`); 0.0 when the tensor is not quantised.
    pub scale: f32,
    /// See [`TensorInfo::scale`].
    pub zero_point: i32,
    /// Size in bytes, 1 ..= 2³⁰.
    pub bytes: usize,
}
