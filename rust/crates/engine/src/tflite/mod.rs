//! [`crate::Engine`] on TFLite's C API, from a library opened at run time.
//!
//! For products whose distribution has TFLite, and for the comparison with LiteRT. Tensors are
//! read and written where the interpreter has them.

mod api;
#[cfg(feature = "tflite")]
mod linked;
mod profile;
mod xnnpack;

use crate::delegate::{Plugin, Taken, record};
use crate::delegation::NodeTime;
use crate::load::{Delegated, Job, MEASURED_RUNS};
use crate::{Delegation, Engine, EngineError, TensorInfo};
use api::{Api, Handle, check};
use profile::Profile;
use xnnpack::Xnnpack;

/// Loads with the linked library where this build has one and no delegate is asked for
/// (`tflitec` takes none), else with one opened now.
pub fn load(job: Job, delegated: Option<Delegated>) -> Result<Box<dyn Engine>, EngineError> {
    #[cfg(feature = "tflite")]
    if delegated.is_none() {
        return Ok(Box::new(linked::Tflite::load(job)?));
    }
    Ok(Box::new(Tflite::load(job, delegated)?))
}

/// Whether there is a TFLite.
pub fn is_present() -> bool {
    cfg!(feature = "tflite") || Api::get().is_ok()
}

/// A model in a TFLite interpreter.
struct Tflite {
    // Dropped in this order: what refers to something goes before it.
    interpreter: Interpreter,
    _plugin: Option<Plugin>,
    job: Job,
    runtime: String,
    delegation: Delegation,
}

/// Model and interpreter; refers to the bytes of the model file and to the delegate.
struct Interpreter {
    handle: Handle,
    model: Handle,
    // TFLite keeps the address of what it collects into; dropped after the interpreter.
    profile: Option<Profile>,
    // Dropped after the interpreter, too.
    xnnpack: Option<Xnnpack>,
    api: &'static Api,
}

// SAFETY: TFLite's objects have no thread affinity; every use goes through the exclusive owner.
unsafe impl Send for Interpreter {}

impl Drop for Interpreter {
    fn drop(&mut self) {
        // SAFETY: both came from the library (or are null, which it takes), and are deleted
        // once, here, the user first.
        unsafe {
            (self.api.delete_interpreter)(self.handle);
            (self.api.delete_model)(self.model);
        }
    }
}

impl Tflite {
    fn load(job: Job, delegated: Option<Delegated>) -> Result<Self, EngineError> {
        let api = Api::get()?;
        let (plugin, device) = match delegated {
            Some(delegated) => (Some(delegated.plugin), Some(delegated.name)),
            None => (None, None),
        };
        let times = if job.measure {
            measure(api, &job, plugin.as_ref())?
        } else {
            Vec::new()
        };
        let (mut interpreter, taken) = Interpreter::new(api, &job, plugin.as_ref(), None)?;
        interpreter.invoke()?;
        let delegation = job.delegation(device.as_deref(), &taken, &times);
        Ok(Self {
            interpreter,
            _plugin: plugin,
            job,
            runtime: api.runtime(),
            delegation,
        })
    }
}

/// Times of a few invocations in an interpreter of their own; none where the library cannot.
fn measure(
    api: &'static Api,
    job: &Job,
    plugin: Option<&Plugin>,
) -> Result<Vec<NodeTime>, EngineError> {
    if api.set_telemetry_profiler.is_none() {
        return Ok(Vec::new());
    }
    let (mut measured, _) = Interpreter::new(api, job, plugin, Some(Profile::new()))?;
    for round in 0..=MEASURED_RUNS {
        measured.invoke()?;
        if let Some(profile) = measured.profile.as_mut().filter(|_| round == 0) {
            profile.start();
        }
    }
    let times = measured.profile.as_ref().map(|p| p.times().to_vec());
    Ok(times.unwrap_or_default())
}

impl Interpreter {
    fn new(
        api: &'static Api,
        job: &Job,
        plugin: Option<&Plugin>,
        profile: Option<Profile>,
    ) -> Result<(Self, Taken), EngineError> {
        let null = |call| EngineError::Call {
            call,
            reason: "it gave nothing (the reason is on stderr)".into(),
        };
        let bytes = job.file.bytes();
        let mut made = Self {
            handle: std::ptr::null_mut(),
            // SAFETY: the bytes are alive as long as the job, which outlives the interpreter.
            model: unsafe { (api.create_model)(bytes.as_ptr().cast(), bytes.len()) },
            profile,
            xnnpack: api
                .xnnpack
                .map(|xnnpack| xnnpack.create(job.threads))
                .transpose()?,
            api,
        };
        if made.model.is_null() {
            return Err(null("TfLiteModelCreate"));
        }
        let mut create = || {
            // SAFETY: the options are alive until they are deleted here; the interpreter needs
            // them during its creation only. Delegates, model and profile outlive it.
            unsafe {
                let options = (api.create_options)();
                (api.set_threads)(options, i32::try_from(job.threads).unwrap_or(1));
                if let Some(plugin) = plugin {
                    (api.add_delegate)(options, plugin.as_ptr());
                }
                // It runs what the delegate before it has left.
                if let Some(xnnpack) = &made.xnnpack {
                    (api.add_delegate)(options, xnnpack.as_ptr());
                }
                if let (Some(set), Some(profile)) =
                    (api.set_telemetry_profiler, made.profile.as_ref())
                {
                    set(options, profile.callbacks());
                }
                made.handle = (api.create_interpreter)(made.model, options);
                (api.delete_options)(options);
                if made.handle.is_null() {
                    return Err(null("TfLiteInterpreterCreate"));
                }
                let status = (api.allocate_tensors)(made.handle);
                check("TfLiteInterpreterAllocateTensors", status)
            }
        };
        let (result, taken) = match plugin {
            None => (create(), Taken::default()),
            // SAFETY: the plugin's owner waits for this call; nobody else has its delegate.
            Some(plugin) => unsafe { record(plugin.as_ptr(), create) },
        };
        result?;
        made.check_tensors(&job.file.interface.inputs, &job.file.interface.outputs)?;
        Ok((made, taken))
    }

    /// The interpreter's tensors are as large as `verify` found.
    fn check_tensors(
        &self,
        inputs: &[TensorInfo],
        outputs: &[TensorInfo],
    ) -> Result<(), EngineError> {
        let api = self.api;
        let differs = |what: String| EngineError::Call {
            call: "TfLiteTensorByteSize",
            reason: what,
        };
        // SAFETY: the interpreter is alive.
        let counts = unsafe {
            [
                (api.count_inputs)(self.handle),
                (api.count_outputs)(self.handle),
            ]
        };
        if counts.map(usize::try_from) != [Ok(inputs.len()), Ok(outputs.len())] {
            return Err(differs(format!("{counts:?} inputs and outputs")));
        }
        let tensors = (0..inputs.len())
            .map(|index| self.input(index))
            .chain((0..outputs.len()).map(|index| self.output(index)));
        for (info, tensor) in inputs.iter().chain(outputs).zip(tensors) {
            // SAFETY: the tensor belongs to the interpreter.
            let bytes = unsafe { (api.tensor_bytes)(tensor) };
            // SAFETY: as above.
            let data = unsafe { (api.tensor_data)(tensor) };
            let name = &info.name;
            if data.is_null() {
                return Err(differs(format!(
                    "tensor `{name}` gets its size in each invocation anew, which is not supported"
                )));
            }
            if bytes != info.bytes {
                return Err(differs(format!(
                    "tensor `{name}` has {bytes} bytes: expected {}",
                    info.bytes
                )));
            }
        }
        Ok(())
    }

    fn invoke(&mut self) -> Result<(), EngineError> {
        // SAFETY: the interpreter is alive, and borrowed exclusively.
        let status = unsafe { (self.api.invoke)(self.handle) };
        check("TfLiteInterpreterInvoke", status)
    }

    fn input(&self, index: usize) -> Handle {
        // SAFETY: the interpreter is alive; an index that does not exist gives null.
        unsafe { (self.api.input)(self.handle, i32::try_from(index).unwrap_or(-1)) }
    }

    fn output(&self, index: usize) -> Handle {
        // SAFETY: as for `input`.
        unsafe { (self.api.output)(self.handle, i32::try_from(index).unwrap_or(-1)) }
    }

    /// Address of a tensor's content, which an invocation may move.
    fn data(&self, tensor: Handle) -> *mut u8 {
        // SAFETY: the tensor belongs to the interpreter.
        unsafe { (self.api.tensor_data)(tensor).cast() }
    }
}

impl Engine for Tflite {
    fn inputs(&self) -> &[TensorInfo] {
        &self.job.file.interface.inputs
    }

    fn input_mut(&mut self, index: usize) -> &mut [u8] {
        let bytes = self.inputs()[index].bytes;
        let start = self.interpreter.data(self.interpreter.input(index));
        // SAFETY: the tensor has so many bytes (`check_tensors`), not null, and the interpreter
        // is borrowed exclusively with `self`.
        unsafe { std::slice::from_raw_parts_mut(start, bytes) }
    }

    fn input(&self, index: usize) -> &[u8] {
        let bytes = self.inputs()[index].bytes;
        let start = self.interpreter.data(self.interpreter.input(index));
        // SAFETY: as for `input_mut`; nobody writes while `self` is borrowed.
        unsafe { std::slice::from_raw_parts(start, bytes) }
    }

    fn invoke(&mut self) -> Result<(), EngineError> {
        self.interpreter.invoke()
    }

    fn outputs(&self) -> &[TensorInfo] {
        &self.job.file.interface.outputs
    }

    fn output(&self, index: usize) -> &[u8] {
        let bytes = self.outputs()[index].bytes;
        let start = self.interpreter.data(self.interpreter.output(index));
        // SAFETY: as for `input`.
        unsafe { std::slice::from_raw_parts(start, bytes) }
    }

    fn runtime(&self) -> &str {
        &self.runtime
    }

    fn delegation(&self) -> &Delegation {
        &self.delegation
    }
}
