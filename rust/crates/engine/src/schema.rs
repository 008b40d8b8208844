//! The parts of TFLite's schema (version 3) that native code trusts, checked.
//!
//! Field numbers are those of `schema.fbs`. LiteRT verifies a model's structure but indexes
//! tensors, buffers and operator codes with what the file says, and TFLite does not verify
//! structure either; a damaged file must be an error message, not a crash of the process that
//! holds the outputs.

use crate::element::{ElementType, TensorInfo};
use crate::flatbuffer::{Malformed, Table};

/// `file_identifier` of the schema, at byte 4.
const IDENTIFIER: &[u8] = b"TFL3";
const SCHEMA_VERSION: u32 = 3;

/// No tensor of a model that fits an appliance is larger; a damaged shape easily is.
const MAX_TENSOR_BYTES: usize = 1 << 30;

/// How an operator writes an optional input that it does not have.
const LEFT_OUT: i32 = -1;

/// Optional inputs (a bias) come after the first two, except in LSTMs, which have 20 inputs
/// or more and only the first is certain. XNNPACK reads the others without looking.
const ALWAYS_PRESENT: usize = 2;
const LSTM_INPUTS: usize = 20;

/// What a model takes and gives.
#[derive(Debug, PartialEq)]
pub struct Interface {
    pub input: TensorInfo,
    pub outputs: Vec<TensorInfo>,
}

/// Why a model is refused.
#[derive(Debug, PartialEq, Eq)]
pub struct Refusal(pub String);

impl From<Malformed> for Refusal {
    fn from(Malformed(what): Malformed) -> Self {
        Self(format!("damaged: {what}"))
    }
}

fn damaged<T>(what: impl std::fmt::Display) -> Result<T, Refusal> {
    Err(Refusal(format!("damaged: {what}")))
}

/// Field numbers, by table.
mod field {
    pub mod model {
        pub const VERSION: usize = 0;
        pub const OPERATOR_CODES: usize = 1;
        pub const SUBGRAPHS: usize = 2;
        pub const DESCRIPTION: usize = 3;
        pub const BUFFERS: usize = 4;
        pub const METADATA: usize = 6;
        pub const SIGNATURES: usize = 7;
    }
    pub mod operator_code {
        pub const CUSTOM_CODE: usize = 1;
    }
    pub mod subgraph {
        pub const TENSORS: usize = 0;
        pub const INPUTS: usize = 1;
        pub const OUTPUTS: usize = 2;
        pub const OPERATORS: usize = 3;
        pub const NAME: usize = 4;
    }
    pub mod tensor {
        pub const SHAPE: usize = 0;
        pub const TYPE: usize = 1;
        pub const BUFFER: usize = 2;
        pub const NAME: usize = 3;
        pub const QUANTIZATION: usize = 4;
        pub const SHAPE_SIGNATURE: usize = 7;
    }
    pub mod quantization {
        pub const MIN: usize = 0;
        pub const MAX: usize = 1;
        pub const SCALE: usize = 2;
        pub const ZERO_POINT: usize = 3;
        pub const DIMENSION: usize = 6;
    }
    pub mod operator {
        pub const CODE: usize = 0;
        pub const INPUTS: usize = 1;
        pub const OUTPUTS: usize = 2;
        pub const OPTIONS: usize = 4;
        pub const CUSTOM_OPTIONS: usize = 5;
        pub const INTERMEDIATES: usize = 8;
        pub const LARGE_CUSTOM_OPTIONS: usize = 9;
        pub const OPTIONS_2: usize = 12;
    }
    pub mod buffer {
        pub const DATA: usize = 0;
        pub const OFFSET: usize = 1;
        pub const SIZE: usize = 2;
    }
    pub mod signature {
        pub const INPUTS: usize = 0;
        pub const OUTPUTS: usize = 1;
        pub const KEY: usize = 2;
        pub const SUBGRAPH: usize = 4;
        pub const MAP_NAME: usize = 0;
        pub const MAP_TENSOR: usize = 1;
    }
    pub mod metadata {
        pub const NAME: usize = 0;
        pub const BUFFER: usize = 1;
    }
}

/// Checks the whole model and describes its first subgraph's input and outputs.
pub fn verify(file: &[u8]) -> Result<Interface, Refusal> {
    if file.is_empty() {
        return Err(Refusal("the file is empty".into()));
    }
    if file.get(4..8) != Some(IDENTIFIER) {
        return Err(Refusal(
            "not a .tflite file: it has no TFL3 at byte 4".into(),
        ));
    }
    let model = Table::root(file)?;
    let version = model.u32(field::model::VERSION)?;
    if version != SCHEMA_VERSION {
        return Err(Refusal(format!(
            "schema version {version}: expected {SCHEMA_VERSION}"
        )));
    }
    model.string(field::model::DESCRIPTION)?;
    let codes = model.tables(field::model::OPERATOR_CODES)?;
    let counts = Counts {
        codes: codes.len(),
        buffers: check_buffers(&model, file.len())?,
    };
    for code in codes {
        code?.string(field::operator_code::CUSTOM_CODE)?;
    }
    let mut first = None;
    let mut tensors = Vec::new();
    for subgraph in model.tables(field::model::SUBGRAPHS)? {
        let subgraph = subgraph?;
        tensors.push(check_subgraph(&subgraph, &counts)?);
        first.get_or_insert(subgraph);
    }
    let Some(first) = first else {
        return damaged("the model has no subgraph");
    };
    check_signatures(&model, &tensors)?;
    for metadata in model.tables(field::model::METADATA)? {
        let metadata = metadata?;
        metadata.string(field::metadata::NAME)?;
        if metadata.u32(field::metadata::BUFFER)? as usize >= counts.buffers {
            return damaged("metadata refers to a buffer that does not exist");
        }
    }
    interface(&first)
}

struct Counts {
    codes: usize,
    buffers: usize,
}

/// Number of buffers; all of them lie inside the file.
fn check_buffers(model: &Table, file_length: usize) -> Result<usize, Refusal> {
    let buffers = model.tables(field::model::BUFFERS)?;
    let count = buffers.len();
    for buffer in buffers {
        let buffer = buffer?;
        buffer.vector(field::buffer::DATA, 1)?;
        let offset = buffer.u64(field::buffer::OFFSET)?;
        let size = buffer.u64(field::buffer::SIZE)?;
        // 0 and 1 are the schema's marks for "inline".
        if offset > 1
            && offset
                .checked_add(size)
                .is_none_or(|end| end > file_length as u64)
        {
            return damaged("a buffer reaches beyond the end of the file");
        }
    }
    Ok(count)
}

/// Number of tensors; every index inside the subgraph is in range.
fn check_subgraph(subgraph: &Table, counts: &Counts) -> Result<usize, Refusal> {
    subgraph.string(field::subgraph::NAME)?;
    let tensors = subgraph.tables(field::subgraph::TENSORS)?;
    let count = tensors.len();
    for tensor in tensors {
        check_tensor(&tensor?, counts)?;
    }
    let exists = |index: i32| usize::try_from(index).is_ok_and(|index| index < count);
    let inputs_exist = subgraph.i32s(field::subgraph::INPUTS)?.all(exists);
    if !inputs_exist || !subgraph.i32s(field::subgraph::OUTPUTS)?.all(exists) {
        return damaged("an input or output of the model does not exist");
    }
    for operator in subgraph.tables(field::subgraph::OPERATORS)? {
        let operator = operator?;
        if operator.u32(field::operator::CODE)? as usize >= counts.codes {
            return damaged("an operator has a code that does not exist");
        }
        let inputs = operator.i32s(field::operator::INPUTS)?;
        let always = if inputs.len() >= LSTM_INPUTS {
            1
        } else {
            ALWAYS_PRESENT
        };
        let inputs_exist = inputs
            .enumerate()
            .all(|(position, index)| exists(index) || (index == LEFT_OUT && position >= always));
        if !inputs_exist
            || !operator.i32s(field::operator::OUTPUTS)?.all(exists)
            || !operator.i32s(field::operator::INTERMEDIATES)?.all(exists)
        {
            return damaged("an operator uses a tensor that does not exist");
        }
        operator.table(field::operator::OPTIONS)?;
        operator.table(field::operator::OPTIONS_2)?;
        operator.vector(field::operator::CUSTOM_OPTIONS, 1)?;
        if operator.u64(field::operator::LARGE_CUSTOM_OPTIONS)? > 1 {
            return Err(Refusal(
                "custom options outside of the flatbuffer are not supported".into(),
            ));
        }
    }
    Ok(count)
}

fn check_tensor(tensor: &Table, counts: &Counts) -> Result<(), Refusal> {
    tensor.string(field::tensor::NAME)?;
    if tensor.u32(field::tensor::BUFFER)? as usize >= counts.buffers {
        return damaged("a tensor refers to a buffer that does not exist");
    }
    let shape = tensor.i32s(field::tensor::SHAPE)?;
    let largest = shape
        .clone()
        .try_fold(1usize, |product, size| {
            product.checked_mul(usize::try_from(size.max(1)).ok()?)
        })
        .filter(|&elements| elements <= MAX_TENSOR_BYTES);
    if largest.is_none() {
        return damaged(format_args!(
            "a tensor is larger than {} MiB",
            MAX_TENSOR_BYTES >> 20
        ));
    }
    let rank = shape.len();
    tensor.vector(field::tensor::SHAPE_SIGNATURE, 4)?;
    if let Some(quantization) = tensor.table(field::tensor::QUANTIZATION)? {
        quantization.vector(field::quantization::MIN, 4)?;
        quantization.vector(field::quantization::MAX, 4)?;
        let scales = quantization.scalars::<4>(field::quantization::SCALE)?.len();
        let zero_points = quantization
            .scalars::<8>(field::quantization::ZERO_POINT)?
            .len();
        let dimension = quantization.i32(field::quantization::DIMENSION)?;
        if zero_points != 0 && zero_points != scales && zero_points != 1 {
            return damaged("a tensor's scales and zero points differ in number");
        }
        if scales > 1 {
            let channels = usize::try_from(dimension)
                .ok()
                .filter(|&d| d < rank)
                .and_then(|d| shape.clone().nth(d));
            if channels.and_then(|n| usize::try_from(n).ok()) != Some(scales) {
                return damaged("a tensor's scales and channels differ in number");
            }
        }
    }
    Ok(())
}

/// Signatures name existing tensors, and the first is about the first subgraph.
fn check_signatures(model: &Table, tensors: &[usize]) -> Result<(), Refusal> {
    for (index, signature) in model.tables(field::model::SIGNATURES)?.enumerate() {
        let signature = signature?;
        signature.string(field::signature::KEY)?;
        let subgraph = signature.u32(field::signature::SUBGRAPH)? as usize;
        let Some(&count) = tensors.get(subgraph) else {
            return damaged("a signature refers to a subgraph that does not exist");
        };
        if index == 0 && subgraph != 0 {
            return Err(Refusal(
                "the first signature is not about the first subgraph".into(),
            ));
        }
        for list in [field::signature::INPUTS, field::signature::OUTPUTS] {
            for map in signature.tables(list)? {
                let map = map?;
                map.string(field::signature::MAP_NAME)?;
                if map.u32(field::signature::MAP_TENSOR)? as usize >= count {
                    return damaged("a signature refers to a tensor that does not exist");
                }
            }
        }
    }
    Ok(())
}

fn interface(subgraph: &Table) -> Result<Interface, Refusal> {
    let tensors = subgraph.tables(field::subgraph::TENSORS)?;
    let describe = |index: i32| -> Result<TensorInfo, Refusal> {
        let tensor = usize::try_from(index)
            .ok()
            .and_then(|index| tensors.clone().nth(index));
        match tensor {
            Some(tensor) => tensor_info(&tensor?),
            None => damaged("an input or output does not exist"),
        }
    };
    let mut inputs = subgraph.i32s(field::subgraph::INPUTS)?;
    let outputs = subgraph.i32s(field::subgraph::OUTPUTS)?;
    let (1, Some(input)) = (inputs.len(), inputs.next()) else {
        let count = subgraph.i32s(field::subgraph::INPUTS)?.len();
        return Err(Refusal(format!(
            "the model has {count} inputs: expected one"
        )));
    };
    if outputs.len() == 0 {
        return Err(Refusal("the model has no output".into()));
    }
    let input = describe(input)?;
    Ok(Interface {
        input,
        outputs: outputs.map(describe).collect::<Result<_, _>>()?,
    })
}

fn tensor_info(tensor: &Table) -> Result<TensorInfo, Refusal> {
    let name = tensor.string(field::tensor::NAME)?.to_owned();
    let shape: Vec<i32> = tensor.i32s(field::tensor::SHAPE)?.collect();
    let signature: Vec<i32> = tensor.i32s(field::tensor::SHAPE_SIGNATURE)?.collect();
    let dynamic = [&shape, &signature]
        .into_iter()
        .find(|sizes| sizes.iter().any(|&size| size < 0));
    if let Some(sizes) = dynamic {
        return Err(Refusal(format!(
            "tensor `{name}` has a dynamic shape {sizes:?}: convert the model with a fixed shape (batch 1)"
        )));
    }
    let shape: Vec<usize> = shape
        .into_iter()
        .filter_map(|size| usize::try_from(size).ok())
        .collect();
    // TensorType of the schema.
    let element = match tensor.i8(field::tensor::TYPE)? {
        0 => ElementType::F32,
        1 => ElementType::F16,
        2 => ElementType::I32,
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
    let bytes = shape
        .iter()
        .try_fold(element.size(), |product, &size| product.checked_mul(size))
        .filter(|bytes| (1..=MAX_TENSOR_BYTES).contains(bytes));
    let Some(bytes) = bytes else {
        return Err(Refusal(format!(
            "tensor `{name}` has the unusable shape {shape:?}"
        )));
    };
    let mut info = TensorInfo {
        name,
        shape,
        element,
        scale: 0.0,
        zero_point: 0,
        bytes,
    };
    if let Some(quantization) = tensor.table(field::tensor::QUANTIZATION)? {
        let mut scales = quantization
            .scalars::<4>(field::quantization::SCALE)?
            .map(f32::from_le_bytes);
        let mut zeros = quantization
            .scalars::<8>(field::quantization::ZERO_POINT)?
            .map(i64::from_le_bytes);
        if scales.len() > 1 {
            return Err(Refusal(format!(
                "tensor `{}` is quantised per channel: inputs and outputs must be per tensor",
                info.name
            )));
        }
        if let Some(scale) = scales.next() {
            let zero = i32::try_from(zeros.next().unwrap_or(0));
            let (true, Ok(zero)) = (scale.is_finite() && scale > 0.0, zero) else {
                return damaged(format_args!(
                    "tensor `{}` has an impossible quantisation",
                    info.name
                ));
            };
            (info.scale, info.zero_point) = (scale, zero);
        }
    }
    Ok(info)
}
