//! The functions of TFLite's C API that are used (`tensorflow/lite/c/c_api.h`, stable since
//! TFLite 2.12), from a library opened at run time.

use super::xnnpack;
use crate::EngineError;
use crate::delegate::{Delegate, Status};
use libloading::Library;
use std::error::Error;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::sync::OnceLock;

/// Where the library may be, in this order: as TensorFlow's own build names it, as Buildroot's
/// and Yocto's packages do, as Debian's does.
const NAMES: [&str; 3] = [
    "libtensorflowlite_c.so",
    "libtensorflow-lite.so",
    "libtensorflow-lite.so.2.14.1",
];

pub type Handle = *mut c_void;

/// `TfLiteTelemetryProfilerStruct` (`profiling/telemetry/c/profiler.h`).
#[repr(C)]
pub struct TelemetryProfiler {
    pub data: *mut c_void,
    pub event: unsafe extern "C" fn(*mut Self, *const c_char, u64),
    pub operator_event: unsafe extern "C" fn(*mut Self, *const c_char, i64, i64, u64),
    pub settings: unsafe extern "C" fn(*mut Self, *const c_char, *const c_void),
    pub begin: unsafe extern "C" fn(*mut Self, *const c_char, i64, i64) -> u32,
    pub end: unsafe extern "C" fn(*mut Self, u32),
    pub invoked: unsafe extern "C" fn(*mut Self, *const c_char, u64, i64, i64),
}

pub type SetTelemetryProfiler = unsafe extern "C" fn(Handle, *mut TelemetryProfiler);

macro_rules! api {
    ($($field:ident = $symbol:literal: fn($($argument:ty),*) $(-> $result:ty)?;)*) => {
        /// Entry points. The library stays loaded for the life of the process.
        pub struct Api {
            $(pub $field: unsafe extern "C" fn($($argument),*) $(-> $result)?,)*
            /// Experimental, and not in every build.
            pub set_telemetry_profiler: Option<SetTelemetryProfiler>,
            /// Not in builds without XNNPACK.
            pub xnnpack: Option<xnnpack::Api>,
            _library: Library,
        }

        impl Api {
            fn open(name: &str) -> Result<Self, EngineError> {
                let unusable = |reason: String| EngineError::Library { library: name.into(), reason };
                // SAFETY: the library's initialisers run; they are C++ static constructors
                // that touch nothing of ours.
                let library = unsafe { Library::new(name) }.map_err(|error| {
                    // The loader's own words are in the source.
                    let reason = error.source().map_or_else(|| error.to_string(), ToString::to_string);
                    unusable(format!("{reason} (EDGEAI_TFLITE sets the path)"))
                })?;
                let lacks = |symbol: &str| unusable(format!("it has no {symbol}"));
                // SAFETY: the signature is that of telemetry's header.
                let set_telemetry_profiler = unsafe {
                    library.get("TfLiteInterpreterOptionsSetTelemetryProfiler")
                }.ok().map(|symbol| *symbol);
                Ok(Self {
                    // SAFETY: the signatures are those of the C API.
                    $($field: *unsafe { library.get($symbol) }.map_err(|_| lacks($symbol))?,)*
                    set_telemetry_profiler,
                    xnnpack: xnnpack::Api::find(&library),
                    _library: library,
                })
            }
        }
    };
}

api! {
    version = "TfLiteVersion": fn() -> *const c_char;
    create_model = "TfLiteModelCreate": fn(*const c_void, usize) -> Handle;
    delete_model = "TfLiteModelDelete": fn(Handle);
    create_options = "TfLiteInterpreterOptionsCreate": fn() -> Handle;
    delete_options = "TfLiteInterpreterOptionsDelete": fn(Handle);
    set_threads = "TfLiteInterpreterOptionsSetNumThreads": fn(Handle, i32);
    add_delegate = "TfLiteInterpreterOptionsAddDelegate": fn(Handle, *mut Delegate);
    create_interpreter = "TfLiteInterpreterCreate": fn(Handle, Handle) -> Handle;
    delete_interpreter = "TfLiteInterpreterDelete": fn(Handle);
    allocate_tensors = "TfLiteInterpreterAllocateTensors": fn(Handle) -> Status;
    invoke = "TfLiteInterpreterInvoke": fn(Handle) -> Status;
    count_inputs = "TfLiteInterpreterGetInputTensorCount": fn(Handle) -> i32;
    count_outputs = "TfLiteInterpreterGetOutputTensorCount": fn(Handle) -> i32;
    input = "TfLiteInterpreterGetInputTensor": fn(Handle, i32) -> Handle;
    output = "TfLiteInterpreterGetOutputTensor": fn(Handle, i32) -> Handle;
    tensor_bytes = "TfLiteTensorByteSize": fn(Handle) -> usize;
    tensor_data = "TfLiteTensorData": fn(Handle) -> *mut c_void;
}

impl Api {
    /// The library named by the environment variable `EDGEAI_TFLITE`, else the first of
    /// [`NAMES`] on the loader's search path. Loaded once; a failure is tried again at the next
    /// call.
    pub fn get() -> Result<&'static Self, EngineError> {
        static API: OnceLock<Api> = OnceLock::new();
        if let Some(api) = API.get() {
            return Ok(api);
        }
        let api = match std::env::var("EDGEAI_TFLITE") {
            Ok(name) => Self::open(&name)?,
            Err(_) => NAMES
                .iter()
                .find_map(|name| Self::open(name).ok())
                .ok_or_else(|| EngineError::Library {
                    library: NAMES.join(", "),
                    reason: "none can be opened (EDGEAI_TFLITE sets the path)".into(),
                })?,
        };
        Ok(API.get_or_init(|| api))
    }

    /// For people, as `TFLite 2.17.1 with XNNPACK`.
    pub fn runtime(&self) -> String {
        // SAFETY: gives a constant C string.
        let version = unsafe { CStr::from_ptr((self.version)()) };
        let with = self.xnnpack.map_or("", |_| " with XNNPACK");
        format!("TFLite {}{with}", version.to_string_lossy())
    }
}

/// `TfLiteStatus` as a result.
pub fn check(call: &'static str, status: c_int) -> Result<(), EngineError> {
    let reason = match status {
        0 => return Ok(()),
        2 => "delegate",
        3 => "the delegate does not fit the model",
        7 => "unresolved operators",
        8 => "cancelled",
        _ => "error",
    };
    Err(EngineError::Call {
        call,
        reason: format!("{reason} (status {status})"),
    })
}
