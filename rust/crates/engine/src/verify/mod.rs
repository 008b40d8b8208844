//! The parts of TFLite's schema (version 3) that native code trusts, checked.
//!
//! LiteRT verifies a model's structure but indexes tensors, buffers and operator codes with
//! what the file says, and TFLite does not verify structure either; a damaged file must be an
//! error message, not a crash of the process that holds the outputs.

mod field;
mod graph;
mod names;
mod options;
mod signature;
mod sparsity;
mod tensor;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod writer;

use crate::element::TensorInfo;
use crate::error::EngineError;
use crate::flatbuffer::{Malformed, Table};
use serde::Serialize;

/// `file_identifier` of the schema, at byte 4.
const IDENTIFIER: &[u8] = b"TFL3";
const SCHEMA_VERSION: u32 = 3;

/// `BuiltinOperator_CUSTOM`.
const CUSTOM: usize = 32;

/// Most inputs, and most outputs, of a model. LiteRT's buffers, a decoder's tensors and a
/// person's patience end long before.
const MAX_PORTS: usize = 64;

/// More no model for an appliance has; what is kept of each while verifying stays small.
const MAX_SUBGRAPHS: usize = 64;
const MAX_TENSORS: usize = 1 << 14;
const MAX_BUFFERS: usize = 1 << 20;
const MAX_CODES: usize = 1 << 10;

/// Custom operators that the runtimes have: TFLite's own (`kernels/register.cc`), and those of
/// `MediaPipe` that XNNPACK has.
const KNOWN_CUSTOM: [&str; 6] = [
    "AudioSpectrogram",
    "Convolution2DTransposeBias",
    "MaxPoolingWithArgmax2D",
    "MaxUnpooling2D",
    "Mfcc",
    "TFLite_Detection_PostProcess",
];

/// What a model takes, does and gives.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Interface {
    /// In the order of the model file.
    pub inputs: Vec<TensorInfo>,
    /// In the order of the model file.
    pub outputs: Vec<TensorInfo>,
    /// Names of the operators of the first subgraph, in their order: those of TFLite's schema
    /// (`CONV_2D`), or of the custom operator.
    pub operators: Vec<String>,
    /// Names of the custom operators that no runtime here has: only a delegate can take them.
    pub foreign: Vec<String>,
}

/// Why a model is refused.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refusal(pub String);

impl From<Malformed> for Refusal {
    fn from(Malformed(what): Malformed) -> Self {
        Self(format!("damaged: {what}"))
    }
}

fn damaged<T>(what: impl std::fmt::Display) -> Result<T, Refusal> {
    Err(Refusal(format!("damaged: {what}")))
}

/// `list`, if it has no more than `most` elements.
fn at_most<I: ExactSizeIterator>(most: usize, list: I) -> Result<I, Refusal> {
    if list.len() > most {
        return Err(Refusal(format!(
            "a list has {} elements: expected at most {most}",
            list.len()
        )));
    }
    Ok(list)
}

/// Checks a whole `.tflite` file, held in memory, and describes its first subgraph.
///
/// What is checked: docs/engine.md, "What a damaged model can do". Never panics, whatever the
/// bytes are.
///
/// # Errors
/// [`EngineError::Refused`] says in one line what is wrong, with the tensor or operator.
pub fn verify(file: &[u8]) -> Result<Interface, EngineError> {
    checked(file).map_err(|Refusal(reason)| EngineError::Refused { reason })
}

fn checked(file: &[u8]) -> Result<Interface, Refusal> {
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
    model.vector(field::model::METADATA_BUFFER, 4)?;
    for outside in [
        field::model::EXTERNAL_BUFFERS,
        field::model::EXTERNAL_BUFFER_GROUPS,
    ] {
        if model.tables(outside)?.len() != 0 {
            return Err(Refusal(
                "weights in other files are not supported: convert the model to one file".into(),
            ));
        }
    }
    let parts = Parts {
        codes: operator_codes(&model)?,
        buffers: buffers(&model, file)?,
    };
    let mut graphs = Vec::new();
    for subgraph in at_most(MAX_SUBGRAPHS, model.tables(field::model::SUBGRAPHS)?)? {
        graphs.push(graph::Graph::check(&subgraph?, &parts)?);
    }
    let Some(first) = graphs.first() else {
        return damaged("the model has no subgraph");
    };
    graph::check_calls(&graphs)?;
    signature::check(&model, &graphs)?;
    for metadata in model.tables(field::model::METADATA)? {
        let metadata = metadata?;
        metadata.name(field::metadata::NAME)?;
        if metadata.u32(field::metadata::BUFFER)? as usize >= parts.buffers.len() {
            return damaged("metadata refers to a buffer that does not exist");
        }
    }
    interface(first, &parts)
}

/// What subgraphs refer to.
struct Parts<'a> {
    codes: Vec<Code<'a>>,
    /// Bytes of each buffer: 0 if its tensors are computed.
    buffers: Vec<&'a [u8]>,
}

/// An operator's kind.
struct Code<'a> {
    builtin: usize,
    name: &'a str,
}

fn operator_codes<'a>(model: &Table<'a>) -> Result<Vec<Code<'a>>, Refusal> {
    let mut codes = Vec::new();
    for code in at_most(MAX_CODES, model.tables(field::model::OPERATOR_CODES)?)? {
        let code = code?;
        let custom = code.name(field::operator_code::CUSTOM_CODE)?;
        // Converters before 2020 wrote the old field only, later ones write both
        // (`GetBuiltinCode` of schema_utils.cc).
        let old = i32::from(code.i8(field::operator_code::DEPRECATED_CODE)?);
        let builtin = old.max(code.i32(field::operator_code::CODE)?);
        let known = usize::try_from(builtin)
            .ok()
            .and_then(|builtin| Some((builtin, *names::NAMES.get(builtin)?)));
        let Some((builtin, name)) = known else {
            return Err(Refusal(format!(
                "operator code {builtin} is not known: the model is damaged, or newer than this runtime"
            )));
        };
        if builtin == CUSTOM && custom.is_empty() {
            return damaged("a custom operator has no name");
        }
        let name = if builtin == CUSTOM { custom } else { name };
        codes.push(Code { builtin, name });
    }
    Ok(codes)
}

/// The bytes of every buffer; all of them lie inside the file.
fn buffers<'a>(model: &Table<'a>, file: &'a [u8]) -> Result<Vec<&'a [u8]>, Refusal> {
    let mut buffers = Vec::new();
    for buffer in at_most(MAX_BUFFERS, model.tables(field::model::BUFFERS)?)? {
        let buffer = buffer?;
        let (_, inline) = buffer.vector(field::buffer::DATA, 1)?;
        let offset = buffer.u64(field::buffer::OFFSET)?;
        let size = buffer.u64(field::buffer::SIZE)?;
        // 0 and 1 are the schema's marks for "inline".
        if offset <= 1 {
            buffers.push(inline);
            continue;
        }
        let behind = usize::try_from(offset)
            .ok()
            .zip(usize::try_from(size).ok())
            .and_then(|(start, size)| file.get(start..start.checked_add(size)?));
        let Some(behind) = behind else {
            return damaged("a buffer reaches beyond the end of the file");
        };
        buffers.push(behind);
    }
    Ok(buffers)
}

fn interface(graph: &graph::Graph<'_>, parts: &Parts<'_>) -> Result<Interface, Refusal> {
    for (ports, what) in [(&graph.inputs, "inputs"), (&graph.outputs, "outputs")] {
        if ports.is_empty() || ports.len() > MAX_PORTS {
            return Err(Refusal(format!(
                "the model has {} {what}: expected 1 to {MAX_PORTS}",
                ports.len()
            )));
        }
    }
    let describe = |ports: &[usize]| -> Result<Vec<TensorInfo>, Refusal> {
        let tensors = ports.iter().filter_map(|&port| graph.tensors.get(port));
        tensors.map(tensor::Tensor::describe).collect()
    };
    let mut foreign: Vec<String> = parts
        .codes
        .iter()
        .filter(|code| code.builtin == CUSTOM && !KNOWN_CUSTOM.contains(&code.name))
        .map(|code| code.name.to_owned())
        .collect();
    foreign.sort_unstable();
    foreign.dedup();
    Ok(Interface {
        inputs: describe(&graph.inputs)?,
        outputs: describe(&graph.outputs)?,
        operators: graph.operators.clone(),
        foreign,
    })
}
