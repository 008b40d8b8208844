//! LiteRT's objects as owners: each destroys its handle when dropped.

use super::api::{self, AnyInt, Api, EnvironmentOption, Handle, RankedTensorType, check};
use crate::EngineError;
use crate::tensor_memory::TensorMemory;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ptr::null_mut;

macro_rules! owner {
    ($(#[$doc:meta])* $name:ident, $destroy:ident) => {
        $(#[$doc])*
        pub struct $name {
            pub(super) handle: Handle,
            api: &'static Api,
        }

        impl Drop for $name {
            fn drop(&mut self) {
                // SAFETY: the handle came from the library and is destroyed once, here; the
                // field order of `LiteRt` drops what refers to it first.
                unsafe { (self.api.$destroy)(self.handle) };
            }
        }
    };
}

owner!(
    /// Registered accelerators and logging.
    Environment, destroy_environment
);
owner!(
    /// A parsed model; refers to the bytes it was made from.
    Model, destroy_model
);
owner!(
    /// How to compile.
    CompilationOptions, destroy_options
);
owner!(
    /// An interpreter with its delegates; refers to model and environment.
    CompiledModel, destroy_compiled_model
);
owner!(
    /// Refers to a [`TensorMemory`].
    TensorBuffer, destroy_tensor_buffer
);

impl Environment {
    /// Registers `accelerators` by itself. Never more than the CPU's: the search for GPU and
    /// NPU libraries costs start-up time.
    pub fn create(api: &'static Api, accelerators: c_int) -> Result<Self, EngineError> {
        let option = |tag, value| EnvironmentOption {
            tag,
            value: AnyInt {
                kind: api::ANY_INT,
                value,
            },
        };
        let options = [
            option(api::ENVIRONMENT_ACCELERATORS, i64::from(accelerators)),
            option(api::ENVIRONMENT_LOG_SEVERITY, api::LOG_ERROR),
        ];
        let mut handle = null_mut();
        // SAFETY: the array has two elements, which the library copies; `handle` is written
        // on success.
        let status = unsafe { (api.create_environment)(2, options.as_ptr(), &raw mut handle) };
        check("LiteRtCreateEnvironment", status)?;
        Ok(Self { handle, api })
    }
}

impl Model {
    /// LiteRT verifies the structure of a model given as bytes, not of one given as a file.
    /// `bytes` must outlive the model and all that is made from it.
    pub fn from_bytes(
        api: &'static Api,
        environment: &Environment,
        bytes: &[u8],
    ) -> Result<Self, EngineError> {
        let mut handle = null_mut();
        // SAFETY: pointer and length are those of `bytes`, which the caller keeps alive.
        let status = unsafe {
            (api.create_model_from_buffer)(
                environment.handle,
                bytes.as_ptr().cast(),
                bytes.len(),
                &raw mut handle,
            )
        };
        check("LiteRtCreateModelFromBuffer", status)?;
        Ok(Self { handle, api })
    }
}

/// Frees the text given to `LiteRtCreateOpaqueOptions`.
unsafe extern "C" fn free_text(text: *mut c_void) {
    // SAFETY: called once by the library, with the pointer that `CString::into_raw` gave.
    drop(unsafe { CString::from_raw(text.cast::<c_char>()) });
}

impl CompilationOptions {
    fn cpu(api: &'static Api, threads: u32, profile: bool) -> Result<Self, EngineError> {
        let mut handle = null_mut();
        // SAFETY: `handle` is written on success.
        check("LiteRtCreateOptions", unsafe {
            (api.create_options)(&raw mut handle)
        })?;
        let options = Self { handle, api };
        // SAFETY: `handle` is alive.
        let status = unsafe { (api.set_accelerators)(handle, api::ACCELERATOR_CPU) };
        check("LiteRtSetOptionsHardwareAccelerators", status)?;
        // The library keeps these options as TOML under names of its own
        // (litert/c/options/litert_{cpu,runtime}_options.cc); the functions that write them
        // are not exported.
        options.add(c"xnnpack", format!("num_threads = {threads}\n"))?;
        if profile {
            options.add(
                c"runtime_options_string",
                "enable_profiling = true\n".into(),
            )?;
        }
        Ok(options)
    }

    fn add(&self, name: &CStr, text: String) -> Result<(), EngineError> {
        let api = self.api;
        let text = CString::new(text).unwrap_or_default().into_raw();
        let mut opaque = null_mut();
        // SAFETY: the name is a C string; the library owns `text` on success and gives it to
        // `free_text` when done.
        let status = unsafe {
            (api.create_opaque_options)(
                name.as_ptr(),
                text.cast(),
                Some(free_text),
                &raw mut opaque,
            )
        };
        if let Err(error) = check("LiteRtCreateOpaqueOptions", status) {
            // SAFETY: on failure the text is still ours.
            unsafe { free_text(text.cast()) };
            return Err(error);
        }
        // SAFETY: both handles are alive; on success the options own `opaque`.
        let status = unsafe { (api.add_opaque_options)(self.handle, opaque) };
        if let Err(error) = check("LiteRtAddOpaqueOptions", status) {
            // SAFETY: on failure `opaque` is still ours.
            unsafe { (api.destroy_opaque_options)(opaque) };
            return Err(error);
        }
        Ok(())
    }
}

impl CompiledModel {
    pub fn compile(
        api: &'static Api,
        environment: &Environment,
        model: &Model,
        threads: u32,
        profile: bool,
    ) -> Result<Self, EngineError> {
        let options = CompilationOptions::cpu(api, threads, profile)?;
        let mut handle = null_mut();
        // SAFETY: the three handles are alive; the options are needed during the call only.
        let status = unsafe {
            (api.create_compiled_model)(
                environment.handle,
                model.handle,
                options.handle,
                &raw mut handle,
            )
        };
        check("LiteRtCreateCompiledModel", status)?;
        Ok(Self { handle, api })
    }
}

impl TensorBuffer {
    /// A buffer that is `memory` itself, which must outlive it.
    pub fn over(
        api: &'static Api,
        tensor_type: &RankedTensorType,
        memory: &TensorMemory,
    ) -> Result<Self, EngineError> {
        let mut handle = null_mut();
        // SAFETY: address and size are those of `memory`; without a deallocator the library
        // does not free it; the type is copied.
        let status = unsafe {
            (api.create_tensor_buffer)(
                tensor_type,
                memory.as_ptr().cast(),
                memory.as_slice().len(),
                None,
                &raw mut handle,
            )
        };
        check("LiteRtCreateTensorBufferFromHostMemory", status)?;
        Ok(Self { handle, api })
    }
}
