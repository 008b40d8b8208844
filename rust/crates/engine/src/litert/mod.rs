//! [`crate::Engine`] on LiteRT's compiled-model API.
//!
//! Input and outputs are host memory that the runtime reads and writes in place. An
//! invocation is one call into the library.

mod api;
mod handle;

use crate::model::ModelFile;
use crate::tensor_memory::TensorMemory;
use crate::{ElementType, Engine, EngineError, Options, TensorInfo};
use api::{Api, RankedTensorType};
use handle::{CompiledModel, Environment, Model, TensorBuffer};
use std::ffi::c_void;

/// The signature that is run: the first, which `schema` has checked to be about the first
/// subgraph. A model without signatures gets a default one with the same number.
const SIGNATURE: usize = 0;

/// A model compiled by LiteRT for the CPU (XNNPACK).
pub struct LiteRt {
    // Dropped in this order: what refers to something goes before it.
    input_buffer: TensorBuffer,
    // Read by the library through `output_handles` only.
    _output_buffers: Vec<TensorBuffer>,
    output_handles: Vec<*mut c_void>,
    compiled: CompiledModel,
    _model: Model,
    _environment: Environment,
    input: TensorMemory,
    outputs: Vec<TensorMemory>,
    // The compiled model refers to the weights in the file's bytes.
    file: ModelFile,
    api: &'static Api,
}

// SAFETY: LiteRT's objects have no thread affinity; they must not be used by two threads at
// once, which `&mut self` in `invoke` and exclusive ownership of every handle ensure.
unsafe impl Send for LiteRt {}

impl LiteRt {
    pub fn load(file: ModelFile, options: &Options) -> Result<Self, EngineError> {
        let api = Api::get()?;
        let environment = Environment::create(api)?;
        let model = Model::from_bytes(api, &environment, file.bytes())?;
        let compiled = CompiledModel::compile(api, &environment, &model, options.threads)?;

        let memory = |info: &TensorInfo| {
            TensorMemory::zeroed(info.bytes).ok_or(EngineError::Call {
                call: "tensor allocation",
                reason: format!("{} bytes", info.bytes),
            })
        };
        let input = memory(&file.interface.input)?;
        let outputs: Vec<_> = file
            .interface
            .outputs
            .iter()
            .map(memory)
            .collect::<Result<_, _>>()?;
        let input_buffer = TensorBuffer::over(api, &tensor_type(&file.interface.input)?, &input)?;
        let output_buffers = file
            .interface
            .outputs
            .iter()
            .zip(&outputs)
            .map(|(info, memory)| TensorBuffer::over(api, &tensor_type(info)?, memory))
            .collect::<Result<Vec<_>, _>>()?;
        let output_handles = output_buffers.iter().map(|buffer| buffer.handle).collect();
        Ok(Self {
            input_buffer,
            _output_buffers: output_buffers,
            output_handles,
            compiled,
            _model: model,
            _environment: environment,
            input,
            outputs,
            file,
            api,
        })
    }
}

impl Engine for LiteRt {
    fn input(&self) -> &TensorInfo {
        &self.file.interface.input
    }

    fn input_mut(&mut self) -> &mut [u8] {
        self.input.as_mut_slice()
    }

    fn invoke(&mut self) -> Result<(), EngineError> {
        let mut input = self.input_buffer.handle;
        // SAFETY: the handles are alive; the two arrays have the lengths given, which are
        // those of the signature (LiteRT compares them); the library does not keep the arrays.
        let status = unsafe {
            (self.api.run_compiled_model)(
                self.compiled.handle,
                SIGNATURE,
                1,
                &raw mut input,
                self.output_handles.len(),
                self.output_handles.as_mut_ptr(),
            )
        };
        api::check("LiteRtRunCompiledModel", status)
    }

    fn output_count(&self) -> usize {
        self.outputs.len()
    }

    fn output_info(&self, index: usize) -> &TensorInfo {
        &self.file.interface.outputs[index]
    }

    fn output(&self, index: usize) -> &[u8] {
        self.outputs[index].as_slice()
    }

    fn runtime(&self) -> &str {
        api::RUNTIME
    }
}

/// LiteRT's description of a tensor.
fn tensor_type(info: &TensorInfo) -> Result<RankedTensorType, EngineError> {
    // LiteRtElementType, which is TfLiteType.
    let element = match info.element {
        ElementType::F32 => 1,
        ElementType::I32 => 2,
        ElementType::U8 => 3,
        ElementType::I64 => 4,
        ElementType::Bool => 6,
        ElementType::I16 => 7,
        ElementType::I8 => 9,
        ElementType::F16 => 10,
    };
    RankedTensorType::new(element, &info.shape).ok_or_else(|| EngineError::Call {
        call: "tensor description",
        reason: format!(
            "tensor `{}` has more than {} dimensions",
            info.name,
            api::MAX_RANK
        ),
    })
}
