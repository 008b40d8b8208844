//! [`crate::Engine`] on LiteRT's compiled-model API.
//!
//! Inputs and outputs are host memory that the runtime reads and writes in place. An
//! invocation is one call into the library.

mod accelerator;
mod api;
mod handle;
mod profile;

use crate::delegate::{Plugin, Taken, record};
use crate::delegation::NodeTime;
use crate::load::{Delegated, Job, MEASURED_RUNS};
use crate::tensor_memory::TensorMemory;
use crate::{Delegation, ElementType, Engine, EngineError, TensorInfo};
use api::{ACCELERATOR_CPU, Api, Handle, Layout, RankedTensorType};
use handle::{CompiledModel, Environment, Model, TensorBuffer};

/// The signature that is run: the first, which `verify` has checked to be about the first
/// subgraph. A model without signatures gets a default one with the same number. LiteRT keeps
/// a signature's tensors in the order of the subgraph (`litert/core/model/model_load.cc`).
const SIGNATURE: usize = 0;

/// A model compiled by LiteRT: XNNPACK on the CPU, a delegate before it.
pub struct LiteRt {
    // Dropped in this order: what refers to something goes before it.
    compiled: CompiledModel,
    inputs: Tensors,
    outputs: Tensors,
    _model: Model,
    _environment: Environment,
    _plugin: Option<Plugin>,
    // The compiled model refers to the weights in the file's bytes.
    job: Job,
    delegation: Delegation,
    api: &'static Api,
}

/// Memory of tensors, and LiteRT's view of it.
struct Tensors {
    handles: Vec<Handle>,
    // Read by the library through `handles` only; dropped before the memory.
    _buffers: Vec<TensorBuffer>,
    memory: Vec<TensorMemory>,
}

// SAFETY: LiteRT's objects have no thread affinity; they must not be used by two threads at
// once, which `&mut self` in `invoke` and exclusive ownership of every handle ensure.
unsafe impl Send for LiteRt {}

impl Tensors {
    fn new(api: &'static Api, infos: &[TensorInfo]) -> Result<Self, EngineError> {
        let memory = infos
            .iter()
            .map(|info| {
                TensorMemory::zeroed(info.bytes).ok_or(EngineError::Call {
                    call: "tensor allocation",
                    reason: format!("{} bytes", info.bytes),
                })
            })
            .collect::<Result<Vec<_>, _>>()?;
        let buffers = infos
            .iter()
            .zip(&memory)
            .map(|(info, memory)| TensorBuffer::over(api, &tensor_type(info)?, memory))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            handles: buffers.iter().map(|buffer| buffer.handle).collect(),
            _buffers: buffers,
            memory,
        })
    }
}

/// Whether LiteRT's library can be opened.
pub fn is_present() -> bool {
    Api::get().is_ok()
}

impl LiteRt {
    /// Compiles the model and runs it once on zeros.
    pub fn load(job: Job, delegated: Option<Delegated>) -> Result<Self, EngineError> {
        let api = Api::get()?;
        let (plugin, device) = match delegated {
            Some(delegated) => (Some(delegated.plugin), Some(delegated.name)),
            None => (None, None),
        };
        let mut inputs = Tensors::new(api, &job.file.interface.inputs)?;
        let mut outputs = Tensors::new(api, &job.file.interface.outputs)?;
        let times = if job.measure {
            let (_environment, _model, compiled, _) = compile(api, &job, plugin.as_ref(), true)?;
            run(api, &compiled, &mut inputs, &mut outputs)?;
            profile::measure(api, &compiled, || {
                (0..MEASURED_RUNS).try_for_each(|_| run(api, &compiled, &mut inputs, &mut outputs))
            })?
        } else {
            Vec::<NodeTime>::new()
        };
        let (environment, model, compiled, taken) = compile(api, &job, plugin.as_ref(), false)?;
        let delegation = job.delegation(device.as_deref(), &taken, &times);
        run(api, &compiled, &mut inputs, &mut outputs)?;
        Ok(Self {
            inputs,
            outputs,
            compiled,
            _model: model,
            _environment: environment,
            _plugin: plugin,
            job,
            delegation,
            api,
        })
    }
}

type Compiled = (Environment, Model, CompiledModel, Taken);

fn compile(
    api: &'static Api,
    job: &Job,
    plugin: Option<&Plugin>,
    profile: bool,
) -> Result<Compiled, EngineError> {
    let environment = if plugin.is_some() {
        let environment = Environment::create(api, 0)?;
        accelerator::register(api, &environment)?;
        environment
    } else {
        Environment::create(api, ACCELERATOR_CPU)?
    };
    let model = Model::from_bytes(api, &environment, job.file.bytes())?;
    let compile = || CompiledModel::compile(api, &environment, &model, job.threads, profile);
    let (compiled, taken) = match plugin {
        None => (compile(), Taken::default()),
        // SAFETY: the plugin's owner waits for this call; no other interpreter has its delegate.
        Some(plugin) => unsafe {
            record(plugin.as_ptr(), || accelerator::offering(plugin, compile))
        },
    };
    let compiled = compiled?;
    check_outputs(api, &compiled, &job.file.interface.outputs)?;
    Ok((environment, model, compiled, taken))
}

/// The outputs are as large as the file says. What a kernel writes follows from its inputs, not
/// from the shape in the file that our memory is made by; LiteRT does not compare them.
fn check_outputs(
    api: &Api,
    compiled: &CompiledModel,
    outputs: &[TensorInfo],
) -> Result<(), EngineError> {
    // LiteRT writes more dimensions than a layout has room for, if there are: hence the spare.
    let mut layouts = vec![Layout::default(); outputs.len() + 1];
    // SAFETY: there is room for as many layouts as outputs; `true` lets it find their shapes.
    let status = unsafe {
        (api.output_layouts)(
            compiled.handle,
            SIGNATURE,
            outputs.len(),
            layouts.as_mut_ptr(),
            true,
        )
    };
    api::check("LiteRtGetCompiledModelOutputTensorLayouts", status)?;
    for (info, layout) in outputs.iter().zip(&layouts) {
        let computed = layout.elements();
        if computed.and_then(|elements| elements.checked_mul(info.element.size()))
            != Some(info.bytes)
        {
            return Err(EngineError::Refused {
                reason: format!(
                    "output `{}` is {:?} in the file, but {computed:?} elements are computed",
                    info.name, info.shape
                ),
            });
        }
    }
    Ok(())
}

fn run(
    api: &Api,
    compiled: &CompiledModel,
    inputs: &mut Tensors,
    outputs: &mut Tensors,
) -> Result<(), EngineError> {
    // SAFETY: the handles are alive; the two arrays have the lengths given, which are those of
    // the signature (LiteRT compares them); the library does not keep the arrays.
    let status = unsafe {
        (api.run_compiled_model)(
            compiled.handle,
            SIGNATURE,
            inputs.handles.len(),
            inputs.handles.as_mut_ptr(),
            outputs.handles.len(),
            outputs.handles.as_mut_ptr(),
        )
    };
    api::check("LiteRtRunCompiledModel", status)
}

impl Engine for LiteRt {
    fn inputs(&self) -> &[TensorInfo] {
        &self.job.file.interface.inputs
    }

    fn input_mut(&mut self, index: usize) -> &mut [u8] {
        self.inputs.memory[index].as_mut_slice()
    }

    fn input(&self, index: usize) -> &[u8] {
        self.inputs.memory[index].as_slice()
    }

    fn invoke(&mut self) -> Result<(), EngineError> {
        run(
            self.api,
            &self.compiled,
            &mut self.inputs,
            &mut self.outputs,
        )
    }

    fn outputs(&self) -> &[TensorInfo] {
        &self.job.file.interface.outputs
    }

    fn output(&self, index: usize) -> &[u8] {
        self.outputs.memory[index].as_slice()
    }

    fn runtime(&self) -> &str {
        api::RUNTIME
    }

    fn delegation(&self) -> &Delegation {
        &self.delegation
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
