//! Tensors of a subgraph.

use super::{Parts, Refusal, damaged, field, sparsity};
use crate::element::{ElementType, TensorInfo};
use crate::flatbuffer::Table;

/// No tensor of a model that fits an appliance is larger; a damaged shape easily is.
const MAX_TENSOR_BYTES: usize = 1 << 30;

/// More dimensions no kernel takes (`LITERT_TENSOR_MAX_RANK`).
const MAX_RANK: usize = 8;

/// Bits of one element, by `TensorType` of the schema; 0: of no fixed size.
const BITS: [usize; 23] = [
    32, 16, 32, 8, 64, 0, 8, 16, 64, 8, 64, 128, 64, 0, 0, 32, 16, 4, 16, 2, 4, 8, 8,
];

/// `TensorType_INT32`.
pub const INT32: usize = 2;

/// A tensor whose own fields are sound.
pub struct Tensor<'a> {
    pub name: &'a str,
    pub shape: Vec<i32>,
    /// The shape with −1 for what the converter left open, or empty.
    signature: Vec<i32>,
    /// `TensorType` of the schema, an index of [`BITS`].
    pub element: usize,
    /// Content; empty unless the tensor is a constant.
    pub constant: &'a [u8],
    /// State that operators change in place.
    pub variable: bool,
    /// How many there are, and the first.
    scales: (usize, f32),
    zero_point: i64,
}

impl<'a> Tensor<'a> {
    pub fn check(tensor: &Table<'a>, parts: &Parts<'a>, count: usize) -> Result<Self, Refusal> {
        let name = tensor.name(field::tensor::NAME)?;
        let bad = |what: &str| damaged(format_args!("tensor `{name}` {what}"));
        let Some(&constant) = parts
            .buffers
            .get(tensor.u32(field::tensor::BUFFER)? as usize)
        else {
            return bad("refers to a buffer that does not exist");
        };
        let Some(element) = usize::try_from(tensor.i8(field::tensor::TYPE)?)
            .ok()
            .filter(|&element| element < BITS.len())
        else {
            return bad("has an element type that does not exist");
        };
        if tensor.u32(field::tensor::EXTERNAL_BUFFER)? != 0
            || tensor.tables(field::tensor::VARIANT_TENSORS)?.len() != 0
        {
            return Err(Refusal(format!(
                "tensor `{name}` is kept in a way that is not supported"
            )));
        }
        let shape = tensor.i32s(field::tensor::SHAPE)?;
        let signature = tensor.i32s(field::tensor::SHAPE_SIGNATURE)?;
        if signature.len() != 0 && signature.len() != shape.len() {
            return bad("has a shape and a shape signature of different lengths");
        }
        if shape.len() > MAX_RANK {
            return bad("has more than 8 dimensions");
        }
        let mut checked = Self {
            name,
            shape: shape.collect(),
            signature: signature.collect(),
            element,
            constant,
            variable: tensor.i8(field::tensor::IS_VARIABLE)? != 0,
            scales: (0, 0.0),
            zero_point: 0,
        };
        if checked.bytes_of(|size| size.max(1)).is_none() {
            return bad("is larger than 1 GiB");
        }
        if checked.variable && !constant.is_empty() {
            return bad("is both variable and constant");
        }
        checked.check_content(tensor.table(field::tensor::SPARSITY)?)?;
        if let Some(quantization) = tensor.table(field::tensor::QUANTIZATION)? {
            checked.check_quantization(&quantization, count)?;
        }
        Ok(checked)
    }

    /// A constant has as many bytes as its shape, or its encoding, says.
    fn check_content(&self, sparsity: Option<Table>) -> Result<(), Refusal> {
        let expected = match sparsity {
            Some(sparsity) => {
                let stored = sparsity::stored_elements(&sparsity, &self.shape)?;
                stored.checked_mul(self.bits()).map(|bits| bits.div_ceil(8))
            }
            None => self.bytes_of(|size| size),
        };
        let of_fixed_size = self.bits() != 0;
        if self.constant.is_empty() || !of_fixed_size || expected == Some(self.constant.len()) {
            return Ok(());
        }
        damaged(format_args!(
            "tensor `{}` of shape {:?} has {} bytes of content",
            self.name,
            self.shape,
            self.constant.len()
        ))
    }

    fn bits(&self) -> usize {
        BITS.get(self.element).copied().unwrap_or(0)
    }

    /// Size in bytes, `None` above the limit or if a size is negative. Elements of no fixed
    /// size count as one byte.
    fn bytes_of(&self, size: impl Fn(i32) -> i32) -> Option<usize> {
        let elements = self.shape.iter().try_fold(1usize, |product, &extent| {
            product.checked_mul(usize::try_from(size(extent)).ok()?)
        })?;
        let bits = if self.bits() == 0 { 8 } else { self.bits() };
        let bytes = elements.checked_mul(bits)?.div_ceil(8);
        (bytes <= MAX_TENSOR_BYTES).then_some(bytes)
    }

    pub fn rank(&self) -> i64 {
        // At most MAX_RANK.
        i64::try_from(self.shape.len()).unwrap_or(0)
    }

    /// Elements, if no dimension is open.
    pub fn elements(&self) -> Option<i64> {
        let open = self
            .shape
            .iter()
            .chain(&self.signature)
            .any(|&size| size < 0);
        (!open).then(|| self.shape.iter().map(|&size| i64::from(size)).product())
    }

    /// Content of a constant `i32` tensor.
    pub fn constant_i32s(&self) -> Option<Vec<i64>> {
        let (numbers, _) = self.constant.as_chunks::<4>();
        (self.element == INT32 && !self.constant.is_empty()).then(|| {
            let numbers = numbers.iter().copied();
            numbers.map(|n| i64::from(i32::from_le_bytes(n))).collect()
        })
    }

    fn check_quantization(&mut self, table: &Table, count: usize) -> Result<(), Refusal> {
        let name = self.name;
        let bad = |what: &str| damaged(format_args!("tensor `{name}` {what}"));
        table.vector(field::quantization::MIN, 4)?;
        table.vector(field::quantization::MAX, 4)?;
        let scales = table.scalars::<4>(field::quantization::SCALE)?;
        let zero_points = table.scalars::<8>(field::quantization::ZERO_POINT)?;
        if zero_points.len() != 0 && zero_points.len() != scales.len() && zero_points.len() != 1 {
            return bad("has scales and zero points that differ in number");
        }
        let dimension = table.i32(field::quantization::DIMENSION)?;
        if scales.len() > 1 {
            let channels = usize::try_from(dimension)
                .ok()
                .and_then(|dimension| self.shape.get(dimension).copied());
            if channels.and_then(|n| usize::try_from(n).ok()) != Some(scales.len()) {
                return bad("has scales and channels that differ in number");
            }
        }
        self.zero_point = zero_points.clone().next().map_or(0, i64::from_le_bytes);
        self.scales = (
            scales.len(),
            scales.clone().next().map_or(0.0, f32::from_le_bytes),
        );
        let Some(details) = table.table(field::quantization::DETAILS)? else {
            return Ok(());
        };
        match table.i8(field::quantization::DETAILS_TYPE)? {
            // CustomQuantization
            1 => details.vector(0, 1).map(drop)?,
            // BlockwiseQuantization, MultiAxisQuantization
            kind @ (2 | 3) => {
                if kind == 3 {
                    details.vector(field::quantization::DETAILS_DIMENSIONS, 4)?;
                }
                let scales = details.i32(field::quantization::DETAILS_SCALES)?;
                let zeros = details.i32(field::quantization::DETAILS_ZERO_POINTS)?;
                let exists = |index| usize::try_from(index).is_ok_and(|index: usize| index < count);
                if !exists(scales) || !(zeros == -1 || exists(zeros)) {
                    return bad("has its scales in a tensor that does not exist");
                }
            }
            _ => return bad("has an unknown kind of quantisation"),
        }
        Ok(())
    }

    /// An input or output of the model for the outside.
    pub fn describe(&self) -> Result<TensorInfo, Refusal> {
        let name = self.name;
        let dynamic = [&self.shape, &self.signature]
            .into_iter()
            .find(|sizes| sizes.iter().any(|&size| size < 0));
        if let Some(sizes) = dynamic {
            return Err(Refusal(format!(
                "tensor `{name}` has a dynamic shape {sizes:?}: convert the model with a fixed shape (batch 1)"
            )));
        }
        let element = match self.element {
            0 => ElementType::F32,
            1 => ElementType::F16,
            INT32 => ElementType::I32,
            3 => ElementType::U8,
            4 => ElementType::I64,
            6 => ElementType::Bool,
            7 => ElementType::I16,
            9 => ElementType::I8,
            other => {
                return Err(Refusal(format!(
                    "tensor `{name}` has the unsupported element type {other}"
                )));
            }
        };
        let shape: Vec<usize> = self
            .shape
            .iter()
            .filter_map(|&size| usize::try_from(size).ok())
            .collect();
        let Some(bytes) = self.bytes_of(|size| size).filter(|&bytes| bytes > 0) else {
            return Err(Refusal(format!(
                "tensor `{name}` has the unusable shape {shape:?}"
            )));
        };
        let mut info = TensorInfo {
            name: name.to_owned(),
            shape,
            element,
            scale: 0.0,
            zero_point: 0,
            bytes,
        };
        match self.scales {
            (0, _) => {}
            (1, scale) => {
                let zero = i32::try_from(self.zero_point);
                let (true, Ok(zero)) = (scale.is_finite() && scale > 0.0, zero) else {
                    return damaged(format_args!(
                        "tensor `{name}` has an impossible quantisation"
                    ));
                };
                (info.scale, info.zero_point) = (scale, zero);
            }
            _ => {
                return Err(Refusal(format!(
                    "tensor `{name}` is quantised per channel: inputs and outputs must be per tensor"
                )));
            }
        }
        Ok(info)
    }
}
