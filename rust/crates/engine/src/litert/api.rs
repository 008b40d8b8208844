//! The functions of `libLiteRt.so` that are used, with the types of LiteRT 2.3.0
//! (`litert/c/*.h`). The library has no version function and its ABI moves between minor
//! versions; [`MARKER`] is the check there can be.

use crate::EngineError;
use libloading::Library;
use std::error::Error;
use std::ffi::{c_char, c_int, c_void};
use std::ptr::NonNull;
use std::sync::OnceLock;

/// What the binding was written for and tested with.
pub const RUNTIME: &str = "LiteRT 2.3.0";

/// New in 2.3: its presence tells that the library is not older.
const MARKER: &str = "LiteRtCompiledModelIsNonCpuFullyAccelerated";

/// Where the library keeps a pointer to its accelerator for the CPU.
const CPU_ACCELERATOR: &str = "LiteRtStaticLinkedAcceleratorCpuDef";

/// `LITERT_TENSOR_MAX_RANK`.
pub const MAX_RANK: usize = 8;

/// `kLiteRtHwAcceleratorCpu`.
pub const ACCELERATOR_CPU: c_int = 1;

/// `kLiteRtEnvOptionTagAutoRegisterAccelerators`, `…MinLoggerSeverity`.
pub const ENVIRONMENT_ACCELERATORS: c_int = 24;
pub const ENVIRONMENT_LOG_SEVERITY: c_int = 25;

/// `LITERT_WARNING` … `LITERT_ERROR` of `LiteRtLogSeverity`.
pub const LOG_ERROR: i64 = 3;

/// `kLiteRtAnyTypeInt`.
pub const ANY_INT: c_int = 2;

pub type Status = c_int;
pub type Handle = *mut c_void;
pub type Deallocator = Option<unsafe extern "C" fn(*mut c_void)>;

/// `LiteRtAcceleratorDef`, version 1, as far as it is used (`litert_accelerator_def.h`).
#[repr(C)]
pub struct Definition {
    /// Size of the structure, and two numbers of its version, 16 bits each.
    header: [u16; 4],
    pub name: GetName,
    pub version: GetVersion,
    pub hardware: GetHardware,
    pub on_request: GetOnRequest,
    pub create: CreateDelegate,
}

pub type GetName = unsafe extern "C" fn(Handle, *mut *const c_char) -> Status;
pub type GetVersion = unsafe extern "C" fn(Handle, *mut [c_int; 3]) -> Status;
pub type GetHardware = unsafe extern "C" fn(Handle, *mut c_int) -> Status;
pub type GetOnRequest = unsafe extern "C" fn(Handle, *mut bool) -> Status;
pub type CreateDelegate =
    unsafe extern "C" fn(*const c_void, Handle, Handle, Handle, *mut Handle) -> Status;
pub type DestroyDelegate = unsafe extern "C" fn(*mut c_void);

impl Definition {
    pub const fn new(
        name: GetName,
        version: GetVersion,
        hardware: GetHardware,
        on_request: GetOnRequest,
        create: CreateDelegate,
    ) -> Self {
        Self {
            header: [0; 4],
            name,
            version,
            hardware,
            on_request,
            create,
        }
    }
}

/// `ProfiledEventData` (`litert_profiler_event.h`).
#[repr(C)]
#[derive(Clone)]
pub struct Event {
    pub tag: *const c_char,
    pub kind: c_int,
    start: u64,
    pub microseconds: u64,
    memory: [usize; 6],
    pub metadata: u64,
    more_metadata: u64,
    source: c_int,
}

impl Default for Event {
    fn default() -> Self {
        Self {
            tag: std::ptr::null(),
            kind: 0,
            start: 0,
            microseconds: 0,
            memory: [0; 6],
            metadata: 0,
            more_metadata: 0,
            source: 0,
        }
    }
}

/// `LiteRtEnvOption` holding an integer.
#[repr(C)]
pub struct EnvironmentOption {
    pub tag: c_int,
    pub value: AnyInt,
}

/// `LiteRtAny` holding an integer.
#[repr(C, align(8))]
pub struct AnyInt {
    pub kind: c_int,
    pub value: i64,
}

/// `LiteRtRankedTensorType`.
#[repr(C)]
pub struct RankedTensorType {
    element: c_int,
    layout: Layout,
}

/// `LiteRtLayout`.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Layout {
    /// Bits 0–6 rank, bit 7 "has strides".
    rank: u32,
    dimensions: [i32; MAX_RANK],
    strides: [u32; MAX_RANK],
}

impl Layout {
    /// Number of elements; `None` if a dimension is open, or there are too many.
    pub fn elements(&self) -> Option<usize> {
        let sizes = self.dimensions.get(..(self.rank & 0x7f) as usize)?;
        sizes.iter().try_fold(1usize, |product, &size| {
            product.checked_mul(usize::try_from(size).ok()?)
        })
    }
}

const _: () = assert!(size_of::<EnvironmentOption>() == 24);
const _: () = assert!(std::mem::offset_of!(EnvironmentOption, value) == 8);
const _: () = assert!(size_of::<RankedTensorType>() == 72);
#[cfg(target_pointer_width = "64")]
const _: () = {
    assert!(std::mem::offset_of!(Definition, create) == 40);
    assert!(size_of::<Event>() == 104);
};

impl RankedTensorType {
    /// `None` if there are more than [`MAX_RANK`] dimensions or one does not fit.
    pub fn new(element: c_int, shape: &[usize]) -> Option<Self> {
        let mut dimensions = [0; MAX_RANK];
        for (index, &size) in shape.iter().enumerate() {
            *dimensions.get_mut(index)? = i32::try_from(size).ok()?;
        }
        let rank = u32::try_from(shape.len()).ok()?;
        Some(Self {
            element,
            layout: Layout {
                rank,
                dimensions,
                strides: [0; MAX_RANK],
            },
        })
    }
}

macro_rules! api {
    ($($field:ident = $symbol:literal: fn($($argument:ty),*) $(-> $result:ty)?;)*) => {
        /// Entry points. The library stays loaded for the life of the process.
        pub struct Api {
            $(pub $field: unsafe extern "C" fn($($argument),*) $(-> $result)?,)*
            cpu: NonNull<Definition>,
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
                    unusable(format!("{reason} (EDGEAI_LITERT sets the path)"))
                })?;
                let version = |symbol: &str| {
                    unusable(format!("it has no {symbol}: expected {RUNTIME}"))
                };
                // SAFETY: only the presence of the symbol is asked for.
                unsafe { library.get::<*const c_void>(MARKER) }.map_err(|_| version(MARKER))?;
                // SAFETY: a variable that points to a constant of the library.
                let cpu = unsafe {
                    let cpu = library.get::<*const *mut Definition>(CPU_ACCELERATOR);
                    **cpu.map_err(|_| version(CPU_ACCELERATOR))?
                };
                Ok(Self {
                    cpu: NonNull::new(cpu).ok_or_else(|| version(CPU_ACCELERATOR))?,
                    // SAFETY: the signatures are those of the headers of the version that
                    // MARKER stands for.
                    $($field: *unsafe { library.get($symbol) }.map_err(|_| version($symbol))?,)*
                    _library: library,
                })
            }
        }
    };
}

api! {
    create_environment = "LiteRtCreateEnvironment":
        fn(c_int, *const EnvironmentOption, *mut Handle) -> Status;
    destroy_environment = "LiteRtDestroyEnvironment": fn(Handle);
    create_model_from_buffer = "LiteRtCreateModelFromBuffer":
        fn(Handle, *const c_void, usize, *mut Handle) -> Status;
    destroy_model = "LiteRtDestroyModel": fn(Handle);
    create_options = "LiteRtCreateOptions": fn(*mut Handle) -> Status;
    destroy_options = "LiteRtDestroyOptions": fn(Handle);
    set_accelerators = "LiteRtSetOptionsHardwareAccelerators": fn(Handle, c_int) -> Status;
    create_opaque_options = "LiteRtCreateOpaqueOptions":
        fn(*const c_char, *mut c_void, Deallocator, *mut Handle) -> Status;
    add_opaque_options = "LiteRtAddOpaqueOptions": fn(Handle, Handle) -> Status;
    destroy_opaque_options = "LiteRtDestroyOpaqueOptions": fn(Handle);
    create_compiled_model = "LiteRtCreateCompiledModel":
        fn(Handle, Handle, Handle, *mut Handle) -> Status;
    destroy_compiled_model = "LiteRtDestroyCompiledModel": fn(Handle);
    output_layouts = "LiteRtGetCompiledModelOutputTensorLayouts":
        fn(Handle, usize, usize, *mut Layout, bool) -> Status;
    run_compiled_model = "LiteRtRunCompiledModel":
        fn(Handle, usize, usize, *mut Handle, usize, *mut Handle) -> Status;
    create_tensor_buffer = "LiteRtCreateTensorBufferFromHostMemory":
        fn(*const RankedTensorType, *mut c_void, usize, Deallocator, *mut Handle) -> Status;
    destroy_tensor_buffer = "LiteRtDestroyTensorBuffer": fn(Handle);
    create_accelerator = "LiteRtCreateAccelerator": fn(*mut Handle) -> Status;
    destroy_accelerator = "LiteRtDestroyAccelerator": fn(Handle) -> Status;
    set_accelerator_name = "LiteRtSetAcceleratorGetName": fn(Handle, GetName) -> Status;
    set_accelerator_version = "LiteRtSetAcceleratorGetVersion": fn(Handle, GetVersion) -> Status;
    set_accelerator_hardware = "LiteRtSetAcceleratorGetHardwareSupport":
        fn(Handle, GetHardware) -> Status;
    set_accelerator_on_request = "LiteRtSetIsAcceleratorDelegateResponsibleForJitCompilation":
        fn(Handle, GetOnRequest) -> Status;
    set_accelerator_delegate = "LiteRtSetDelegateFunction": fn(Handle, CreateDelegate) -> Status;
    register_accelerator = "LiteRtRegisterAccelerator":
        fn(Handle, Handle, *mut c_void, Deallocator) -> Status;
    wrap_delegate = "LiteRtWrapDelegate": fn(*mut c_void, DestroyDelegate, *mut Handle) -> Status;
    get_profiler = "LiteRtCompiledModelGetProfiler": fn(Handle, *mut Handle) -> Status;
    start_profiler = "LiteRtStartProfiler": fn(Handle) -> Status;
    stop_profiler = "LiteRtStopProfiler": fn(Handle) -> Status;
    count_events = "LiteRtGetNumProfilerEvents": fn(Handle, *mut c_int) -> Status;
    get_events = "LiteRtGetProfilerEvents": fn(Handle, c_int, *mut Event) -> Status;
}

// SAFETY: functions, and a pointer to a constant.
unsafe impl Send for Api {}
// SAFETY: as above.
unsafe impl Sync for Api {}

impl Api {
    /// LiteRT's own accelerator for the CPU.
    pub fn cpu_definition(&self) -> &Definition {
        // SAFETY: a constant of the library, which stays loaded; MARKER stands for the layout.
        unsafe { self.cpu.as_ref() }
    }

    /// The library named by the environment variable `EDGEAI_LITERT`, else `libLiteRt.so` of
    /// the loader's search path. Loaded once; a failure is tried again at the next call.
    pub fn get() -> Result<&'static Self, EngineError> {
        static API: OnceLock<Api> = OnceLock::new();
        if let Some(api) = API.get() {
            return Ok(api);
        }
        let name = std::env::var("EDGEAI_LITERT").unwrap_or_else(|_| "libLiteRt.so".into());
        let api = Self::open(&name)?;
        Ok(API.get_or_init(|| api))
    }
}

/// `LiteRtStatus` as a result.
pub fn check(call: &'static str, status: Status) -> Result<(), EngineError> {
    let reason = match status {
        0 => return Ok(()),
        1 => "invalid argument",
        2 => "out of memory",
        3 => "runtime failure",
        4 => "missing input tensor",
        5 => "unsupported",
        6 => "not found",
        8 => "wrong version",
        500 => "file I/O",
        501 => "invalid flatbuffer",
        502 => "dynamic loading",
        504 => "compilation",
        1000 => "index out of range",
        _ => "error",
    };
    Err(EngineError::Call {
        call,
        reason: format!("{reason} (status {status})"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranked_tensor_type_keeps_to_eight_dimensions() {
        let described = RankedTensorType::new(9, &[1, 300, 300, 3]).expect("four dimensions");
        assert_eq!((described.element, described.layout.rank), (9, 4));
        assert_eq!(described.layout.dimensions, [1, 300, 300, 3, 0, 0, 0, 0]);
        assert_eq!(described.layout.elements(), Some(270_000));
        assert!(RankedTensorType::new(9, &[1; 9]).is_none());
        assert!(RankedTensorType::new(9, &[usize::MAX]).is_none());
    }

    #[test]
    fn a_library_that_is_something_else_is_an_error() {
        for name in ["/nonexistent/libLiteRt.so", "/dev/null", "libc.so.6"] {
            let Err(error) = Api::open(name) else {
                panic!("{name} was accepted")
            };
            assert!(error.to_string().contains(name), "{error}");
        }
    }

    #[test]
    fn statuses_are_named() {
        assert!(check("f", 0).is_ok());
        let error = check("LiteRtRunCompiledModel", 501)
            .expect_err("not 0")
            .to_string();
        assert_eq!(
            error,
            "LiteRtRunCompiledModel failed: invalid flatbuffer (status 501)"
        );
    }
}
