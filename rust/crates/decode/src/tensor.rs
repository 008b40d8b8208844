//! Tensors as the engine hands them out.

use crate::DecodeError;
use crate::error::shapes;

/// Element type of a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Element {
    /// 32-bit float, native byte order.
    F32,
    /// Signed 8-bit, quantised.
    I8,
    /// Unsigned 8-bit, quantised.
    U8,
    /// 32-bit integer, native byte order: class numbers, counts.
    I32,
    /// 64-bit integer, native byte order: class numbers.
    I64,
}

/// What is known of a tensor before the model runs.
#[derive(Debug, Clone, PartialEq)]
pub struct TensorSpec {
    /// Dimensions, batch first.
    pub shape: Vec<usize>,
    /// Element type.
    pub element: Element,
    /// Of quantised elements: real = scale × (integer − `zero_point`). Not read for others.
    pub scale: f32,
    /// See `scale`.
    pub zero_point: i32,
}

/// The bytes of one run of a model, in the order of the specs given to [`crate::Decoder::new`].
#[derive(Debug, Clone, Copy, Default)]
pub struct Tensors<'a> {
    /// What the model was given; only the decoder `anomaly` reads it.
    pub inputs: &'a [&'a [u8]],
    /// What it answered.
    pub outputs: &'a [&'a [u8]],
}

impl Element {
    /// Bytes of one element.
    #[must_use]
    pub const fn bytes(self) -> usize {
        match self {
            Self::I64 => 8,
            Self::F32 | Self::I32 => 4,
            Self::I8 | Self::U8 => 1,
        }
    }
}

impl TensorSpec {
    /// The real value of one element; not a number beyond the end.
    #[expect(
        clippy::cast_precision_loss,
        reason = "zero points are small, class numbers too"
    )]
    pub(crate) fn real(&self, bytes: &[u8], index: usize) -> f32 {
        match self.element {
            Element::F32 => element(bytes, index).map(f32::from_ne_bytes),
            Element::I32 => element(bytes, index).map(|bytes| i32::from_ne_bytes(bytes) as f32),
            Element::I64 => element(bytes, index).map(|bytes| i64::from_ne_bytes(bytes) as f32),
            Element::I8 => bytes
                .get(index)
                .map(|byte| self.dequantised(i32::from(byte.cast_signed()))),
            Element::U8 => bytes
                .get(index)
                .map(|&byte| self.dequantised(i32::from(byte))),
        }
        .unwrap_or(f32::NAN)
    }

    #[expect(clippy::cast_precision_loss, reason = "zero points are small")]
    pub(crate) fn dequantised(&self, integer: i32) -> f32 {
        self.scale * integer.saturating_sub(self.zero_point) as f32
    }
}

fn element<const N: usize>(bytes: &[u8], index: usize) -> Option<[u8; N]> {
    bytes.as_chunks().0.get(index).copied()
}

/// A tensor that a decoder reads.
pub(crate) struct Tensor {
    pub index: usize,
    pub spec: TensorSpec,
    bytes: usize,
}

/// Elements a tensor may have, so that products of dimensions stay far from overflow.
const MAX_ELEMENTS: usize = 1 << 26;

impl Tensor {
    /// The tensor with this index.
    pub fn new(specs: &[TensorSpec], index: usize) -> Result<Self, DecodeError> {
        let spec = specs.get(index).ok_or_else(|| {
            DecodeError::Tensors(format!(
                "no tensor {index}; the model's are {:?}",
                shapes(specs)
            ))
        })?;
        let elements = (spec.shape.iter())
            .try_fold(1usize, |product, &side| product.checked_mul(side))
            .filter(|elements| (1..=MAX_ELEMENTS).contains(elements))
            .ok_or_else(|| {
                DecodeError::Tensors(format!(
                    "tensor {index} of shape {:?}: expected 1 to {MAX_ELEMENTS} elements",
                    spec.shape
                ))
            })?;
        let quantised = matches!(spec.element, Element::I8 | Element::U8);
        if quantised && !(spec.scale.is_finite() && spec.scale > 0.0) {
            return Err(DecodeError::Tensors(format!(
                "tensor {index}: quantisation scale {}, expected a number above 0",
                spec.scale
            )));
        }
        Ok(Self {
            index,
            spec: spec.clone(),
            bytes: elements * spec.element.bytes(),
        })
    }

    /// The tensor that `model.toml` names by `decode.{key}`, or the only one whose shape fits.
    pub fn find(
        specs: &[TensorSpec],
        key: &str,
        asked: Option<usize>,
        expected: &str,
        fits: impl Fn(usize, &[usize]) -> bool,
    ) -> Result<Self, DecodeError> {
        if let Some(index) = asked {
            return match specs.get(index) {
                Some(spec) if fits(index, &spec.shape) => Self::new(specs, index),
                _ => Err(DecodeError::Tensors(format!(
                    "decode.{key} = {index}, expected the index of an output of shape {expected}; the model's outputs are {:?}",
                    shapes(specs)
                ))),
            };
        }
        let mut found = (specs.iter().enumerate())
            .filter(|(index, spec)| fits(*index, &spec.shape))
            .map(|(index, _)| index);
        match (found.next(), found.next()) {
            (Some(index), None) => Self::new(specs, index),
            (Some(_), Some(_)) => Err(DecodeError::Tensors(format!(
                "cannot tell which output has the {key}: set decode.{key} to its index; the model's outputs are {:?}",
                shapes(specs)
            ))),
            (None, _) => Err(DecodeError::Tensors(format!(
                "decode.{key}: expected an output of shape {expected}; the model's outputs are {:?}",
                shapes(specs)
            ))),
        }
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        self.bytes / self.spec.element.bytes()
    }

    /// Its bytes among those of all outputs (or inputs).
    pub fn bytes<'a>(&self, all: &[&'a [u8]]) -> Result<&'a [u8], DecodeError> {
        let bytes = all.get(self.index).copied().unwrap_or_default();
        if bytes.len() == self.bytes {
            Ok(bytes)
        } else {
            Err(DecodeError::Length {
                index: self.index,
                needed: self.bytes,
                found: bytes.len(),
            })
        }
    }
}
