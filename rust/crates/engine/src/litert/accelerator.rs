//! A TFLite delegate as an accelerator of LiteRT.
//!
//! LiteRT has no entry for external delegates, but its accelerators are TFLite delegates
//! inside, applied in the order in which they were registered (`litert/runtime/compiled_model.cc`).
//! The delegate is registered before LiteRT's own for the CPU (XNNPACK), which gets the rest.

use super::api::{ACCELERATOR_CPU, Api, Definition, Handle, Status, check};
use super::handle::Environment;
use crate::EngineError;
use crate::delegate::{Delegate, Plugin};
use std::cell::Cell;
use std::ffi::{c_char, c_int, c_void};
use std::ptr::null_mut;

/// `kLiteRtStatusErrorRuntimeFailure`.
const RUNTIME_FAILURE: Status = 3;

thread_local! {
    /// The delegate of the model that this thread compiles: LiteRT asks for it inside that
    /// call, and gives no way to hand on anything of ours.
    static OFFERED: Cell<*mut Delegate> = const { Cell::new(null_mut()) };
}

/// Runs `compile`, in which LiteRT may ask for the delegate of `plugin`.
pub fn offering<R>(plugin: &Plugin, compile: impl FnOnce() -> R) -> R {
    OFFERED.set(plugin.as_ptr());
    let result = compile();
    OFFERED.set(null_mut());
    result
}

/// Registers the delegate that is [`offering`], then LiteRT's accelerator for the CPU, with an
/// environment that has none.
pub fn register(api: &'static Api, environment: &Environment) -> Result<(), EngineError> {
    let ours = Definition::new(name, version, hardware, on_request, create);
    register_one(api, environment, &ours)?;
    register_one(api, environment, api.cpu_definition())
}

fn register_one(
    api: &'static Api,
    environment: &Environment,
    definition: &Definition,
) -> Result<(), EngineError> {
    let mut accelerator = null_mut();
    // SAFETY: `accelerator` is written on success, is alive until it is registered, and the
    // functions are those that LiteRT expects there.
    unsafe {
        check(
            "LiteRtCreateAccelerator",
            (api.create_accelerator)(&raw mut accelerator),
        )?;
        let set = (api.set_accelerator_name)(accelerator, definition.name)
            | (api.set_accelerator_version)(accelerator, definition.version)
            | (api.set_accelerator_hardware)(accelerator, definition.hardware)
            | (api.set_accelerator_on_request)(accelerator, definition.on_request)
            | (api.set_accelerator_delegate)(accelerator, definition.create);
        if set != 0 {
            (api.destroy_accelerator)(accelerator);
            check("LiteRtSetDelegateFunction", set)?;
        }
        // Takes the accelerator, also when it fails.
        let status = (api.register_accelerator)(environment.handle, accelerator, null_mut(), None);
        check("LiteRtRegisterAccelerator", status)
    }
}

// SAFETY: of this and the following: only LiteRT calls them, as `LiteRtAccelerator`'s functions.
unsafe extern "C" fn name(_: Handle, name: *mut *const c_char) -> Status {
    // SAFETY: LiteRT gives the place.
    unsafe { *name = c"edgeai delegate".as_ptr() };
    0
}

/// `LiteRtApiVersion`: major, minor, patch.
unsafe extern "C" fn version(_: Handle, version: *mut [c_int; 3]) -> Status {
    // SAFETY: LiteRT gives the place.
    unsafe { *version = [1, 0, 0] };
    0
}

/// The compilation asks for the CPU, so this is what is applied: asking for NPUs would make
/// LiteRT look for vendors' compilers.
unsafe extern "C" fn hardware(_: Handle, hardware: *mut c_int) -> Status {
    // SAFETY: LiteRT gives the place.
    unsafe { *hardware = ACCELERATOR_CPU };
    0
}

/// Applied if the compilation asks for its hardware.
unsafe extern "C" fn on_request(_: Handle, on_request: *mut bool) -> Status {
    // SAFETY: LiteRT gives the place.
    unsafe { *on_request = true };
    0
}

unsafe extern "C" fn create(
    _runtime: *const c_void,
    _environment: Handle,
    _accelerator: Handle,
    _options: Handle,
    wrapper: *mut Handle,
) -> Status {
    let offered = OFFERED.get();
    match Api::get() {
        // SAFETY: the delegate is alive: its `Plugin` is borrowed in `offering`, and outlives
        // the compiled model; LiteRT gives the place of the wrapper.
        Ok(api) if !offered.is_null() => unsafe {
            (api.wrap_delegate)(offered.cast(), keep, wrapper)
        },
        _ => RUNTIME_FAILURE,
    }
}

/// The delegate belongs to its `Plugin`.
unsafe extern "C" fn keep(_delegate: *mut c_void) {}
