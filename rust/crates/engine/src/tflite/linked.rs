//! [`crate::Engine`] on TFLite's C API linked at build time, through the crate `tflitec`.
//!
//! CPU only: `tflitec` takes no delegates. Inputs go through one copy: it gives no way to write
//! a tensor in place.

use crate::delegate::Taken;
use crate::load::Job;
use crate::tensor_memory::TensorMemory;
use crate::{Delegation, Engine, EngineError, TensorInfo};
use std::ptr::NonNull;
use tflitec::interpreter::{self, Interpreter};
use tflitec::model::Model;
use tflitec::tensor::Tensor;

/// A model in a TFLite interpreter.
pub struct Tflite {
    // Dropped in this order: what refers to something goes before it.
    input_tensors: Vec<Tensor<'static>>,
    output_tensors: Vec<Tensor<'static>>,
    interpreter: Borrowed<Interpreter<'static>>,
    _model: Borrowed<Model<'static>>,
    inputs: Vec<TensorMemory>,
    // The model refers to its bytes.
    job: Job,
    delegation: Delegation,
    runtime: String,
}

/// A value on the heap that others refer to while it is owned here; freed when dropped.
struct Borrowed<T>(NonNull<T>);

impl<T> Borrowed<T> {
    fn new(value: T) -> Self {
        Self(NonNull::from(Box::leak(Box::new(value))))
    }

    /// # Safety
    /// The reference, and everything made from it, must be gone before `self` is dropped.
    unsafe fn get(&self) -> &'static T {
        // SAFETY: the value is alive until `self` is dropped, as the caller promises to heed.
        unsafe { self.0.as_ref() }
    }
}

impl<T> Drop for Borrowed<T> {
    fn drop(&mut self) {
        // SAFETY: leaked from a `Box` in `new`, freed once, here.
        drop(unsafe { Box::from_raw(self.0.as_ptr()) });
    }
}

// SAFETY: TFLite's objects have no thread affinity; every use goes through the exclusive owner.
unsafe impl Send for Tflite {}

impl Tflite {
    /// Loads the model and runs it once on zeros. Times are not measured.
    pub fn load(job: Job) -> Result<Self, EngineError> {
        // SAFETY: the bytes do not move when `job` does (TensorMemory), and `job` is dropped
        // after the model (field order; on the early returns: declaration order).
        let bytes: &'static [u8] = unsafe {
            std::slice::from_raw_parts(job.file.bytes().as_ptr(), job.file.bytes().len())
        };
        let model = Borrowed::new(Model::from_bytes(bytes).map_err(failed("TfLiteModelCreate"))?);
        let settings = interpreter::Options {
            thread_count: i32::try_from(job.threads).unwrap_or(1),
        };
        // SAFETY: the interpreter is dropped before the model: declared later here, and
        // earlier in the struct.
        let interpreter = Interpreter::new(unsafe { model.get() }, Some(settings))
            .map_err(failed("TfLiteInterpreterCreate"))?;
        let interpreter = Borrowed::new(interpreter);
        // SAFETY: the tensors made from it are dropped before it, likewise.
        let running = unsafe { interpreter.get() };
        running
            .allocate_tensors()
            .map_err(failed("TfLiteInterpreterAllocateTensors"))?;

        let interface = &job.file.interface;
        let input_tensors = (0..interface.inputs.len())
            .map(|index| running.input(index))
            .collect::<Result<Vec<_>, _>>()
            .map_err(failed("TfLiteInterpreterGetInputTensor"))?;
        let output_tensors = (0..interface.outputs.len())
            .map(|index| running.output(index))
            .collect::<Result<Vec<_>, _>>()
            .map_err(failed("TfLiteInterpreterGetOutputTensor"))?;
        let infos = interface.inputs.iter().chain(&interface.outputs);
        for (info, tensor) in infos.zip(input_tensors.iter().chain(&output_tensors)) {
            let bytes = tensor.data::<u8>().len();
            if bytes != info.bytes {
                return Err(EngineError::Call {
                    call: "TfLiteTensorByteSize",
                    reason: format!(
                        "tensor `{}` has {bytes} bytes: expected {}",
                        info.name, info.bytes
                    ),
                });
            }
        }
        let inputs = interface
            .inputs
            .iter()
            .map(|info| {
                TensorMemory::zeroed(info.bytes).ok_or(EngineError::Call {
                    call: "tensor allocation",
                    reason: format!("{} bytes", info.bytes),
                })
            })
            .collect::<Result<_, _>>()?;
        let delegation = job.delegation(None, &Taken::default(), &[]);
        let mut loaded = Self {
            input_tensors,
            output_tensors,
            interpreter,
            _model: model,
            inputs,
            job,
            delegation,
            runtime: format!("TFLite {}", tflitec::tf_lite_version()),
        };
        loaded.invoke()?;
        Ok(loaded)
    }
}

fn failed(call: &'static str) -> impl Fn(tflitec::Error) -> EngineError {
    move |error| EngineError::Call {
        call,
        reason: error.to_string(),
    }
}

impl Engine for Tflite {
    fn inputs(&self) -> &[TensorInfo] {
        &self.job.file.interface.inputs
    }

    fn input_mut(&mut self, index: usize) -> &mut [u8] {
        self.inputs[index].as_mut_slice()
    }

    fn input(&self, index: usize) -> &[u8] {
        self.inputs[index].as_slice()
    }

    fn invoke(&mut self) -> Result<(), EngineError> {
        for (tensor, memory) in self.input_tensors.iter().zip(&self.inputs) {
            tensor
                .set_data(memory.as_slice())
                .map_err(failed("TfLiteTensorCopyFromBuffer"))?;
        }
        // SAFETY: used during this call only.
        unsafe { self.interpreter.get() }
            .invoke()
            .map_err(failed("TfLiteInterpreterInvoke"))
    }

    fn outputs(&self) -> &[TensorInfo] {
        &self.job.file.interface.outputs
    }

    fn output(&self, index: usize) -> &[u8] {
        self.output_tensors[index].data()
    }

    fn runtime(&self) -> &str {
        &self.runtime
    }

    fn delegation(&self) -> &Delegation {
        &self.delegation
    }
}
