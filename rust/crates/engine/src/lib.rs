//! Model inference behind one trait.
//!
//! [`load`] reads a `.tflite` file, verifies it before native code sees it, and gives an
//! [`Engine`]: write the input tensors' bytes, [`Engine::invoke`], read the output tensors'
//! bytes. An engine allocates nothing of its own after `load`.
//!
//! Two runtimes, both opened at run time: LiteRT (`libLiteRt.so`) and TFLite's C API. Either
//! takes an accelerator's delegate; [`Engine::delegation`] says which operators run where.

mod delegate;
mod delegation;
mod element;
mod error;
mod flatbuffer;
mod litert;
mod load;
mod model;
mod options;
mod rehearsal;
mod tensor_memory;
mod tflite;
mod verify;

pub use delegation::{CPU, Delegation, Device, Operator};
pub use edgeai_config::{Accelerator, OnFallback, Runtime};
pub use element::{ElementType, TensorInfo};
pub use error::EngineError;
pub use load::load;
pub use options::{Options, runtime_named};
pub use rehearsal::rehearse;
pub use verify::{Interface, verify};

/// A loaded model, ready to run.
pub trait Engine: Send {
    /// The input tensors, in the order of the model file: at least one.
    fn inputs(&self) -> &[TensorInfo];

    /// Bytes of input tensor `index` (`inputs()[index].bytes` of them, native endian): what
    /// [`Engine::invoke`] reads. The content survives an invocation.
    ///
    /// # Panics
    /// If there is no such input.
    fn input_mut(&mut self, index: usize) -> &mut [u8];

    /// The same bytes, to read.
    ///
    /// # Panics
    /// If there is no such input.
    fn input(&self, index: usize) -> &[u8];

    /// Runs the model once.
    ///
    /// # Errors
    /// [`EngineError::Call`] when the runtime reports a failure, such as an accelerator that is
    /// gone; the outputs are then undefined, and the model is best loaded anew.
    fn invoke(&mut self) -> Result<(), EngineError>;

    /// The output tensors, in the order of the model file: at least one.
    fn outputs(&self) -> &[TensorInfo];

    /// Bytes of output tensor `index`, native endian, as the last invocation left them.
    ///
    /// # Panics
    /// If there is no such output.
    fn output(&self, index: usize) -> &[u8];

    /// Name and version of what runs the model, for example `LiteRT 2.3.0`.
    fn runtime(&self) -> &str;

    /// Which device runs which operator.
    fn delegation(&self) -> &Delegation;
}
