//! [`crate::Engine`] on TFLite's C API through the crate `tflitec`.
//!
//! For the comparison with LiteRT, and for products that build TFLite themselves. The input
//! goes through one copy: `tflitec` gives no way to write a tensor in place.

use crate::model::ModelFile;
use crate::tensor_memory::TensorMemory;
use crate::{Engine, EngineError, Options, TensorInfo};
use std::ptr::NonNull;
use tflitec::interpreter::{self, Interpreter};
use tflitec::model::Model;
use tflitec::tensor::Tensor;

/// A model in a TFLite interpreter.
pub struct Tflite {
    // Dropped in this order: what refers to something goes before it.
    input_tensor: Tensor<'static>,
    output_tensors: Vec<Tensor<'static>>,
    interpreter: Borrowed<Interpreter<'static>>,
    _model: Borrowed<Model<'static>>,
    input: TensorMemory,
    // The model refers to its bytes.
    file: ModelFile,
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
    pub fn load(file: ModelFile, options: &Options) -> Result<Self, EngineError> {
        // SAFETY: the bytes do not move when `file` does (TensorMemory), and `file` is dropped
        // after the model (field order; on the early returns: declaration order).
        let bytes: &'static [u8] =
            unsafe { std::slice::from_raw_parts(file.bytes().as_ptr(), file.bytes().len()) };
        let model = Borrowed::new(Model::from_bytes(bytes).map_err(failed("TfLiteModelCreate"))?);
        let settings = interpreter::Options {
            thread_count: i32::try_from(options.threads).unwrap_or(1),
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

        let interface = &file.interface;
        let input_tensor = running
            .input(0)
            .map_err(failed("TfLiteInterpreterGetInputTensor"))?;
        let output_tensors = (0..interface.outputs.len())
            .map(|index| running.output(index))
            .collect::<Result<Vec<_>, _>>()
            .map_err(failed("TfLiteInterpreterGetOutputTensor"))?;
        let infos = std::iter::once(&interface.input).chain(&interface.outputs);
        for (info, tensor) in infos.zip(std::iter::once(&input_tensor).chain(&output_tensors)) {
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
        let input = TensorMemory::zeroed(interface.input.bytes).ok_or(EngineError::Call {
            call: "tensor allocation",
            reason: format!("{} bytes", interface.input.bytes),
        })?;
        Ok(Self {
            input_tensor,
            output_tensors,
            interpreter,
            _model: model,
            input,
            file,
            runtime: format!("TFLite {}", tflitec::tf_lite_version()),
        })
    }
}

fn failed(call: &'static str) -> impl Fn(tflitec::Error) -> EngineError {
    move |error| EngineError::Call {
        call,
        reason: error.to_string(),
    }
}

impl Engine for Tflite {
    fn input(&self) -> &TensorInfo {
        &self.file.interface.input
    }

    fn input_mut(&mut self) -> &mut [u8] {
        self.input.as_mut_slice()
    }

    fn invoke(&mut self) -> Result<(), EngineError> {
        self.input_tensor
            .set_data(self.input.as_slice())
            .map_err(failed("TfLiteTensorCopyFromBuffer"))?;
        // SAFETY: used during this call only.
        unsafe { self.interpreter.get() }
            .invoke()
            .map_err(failed("TfLiteInterpreterInvoke"))
    }

    fn output_count(&self) -> usize {
        self.output_tensors.len()
    }

    fn output_info(&self, index: usize) -> &TensorInfo {
        &self.file.interface.outputs[index]
    }

    fn output(&self, index: usize) -> &[u8] {
        self.output_tensors[index].data()
    }

    fn runtime(&self) -> &str {
        &self.runtime
    }
}
