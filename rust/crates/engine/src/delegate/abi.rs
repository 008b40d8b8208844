//! TFLite's delegate interface: what `tensorflow/lite/core/c/common.h` declares, as far as it is
//! used. These structures have only grown at their ends since TFLite 2.12, so that plugins and
//! runtimes of different versions meet.

use std::ffi::{c_char, c_int, c_void};

/// `TfLiteStatus`; 0 is success.
pub type Status = c_int;

/// `kTfLiteError`.
pub const ERROR: Status = 1;

/// `TfLiteIntArray`: a count, and as many numbers behind it.
#[repr(C)]
pub struct IntArray {
    size: c_int,
    data: [c_int; 0],
}

impl IntArray {
    /// # Safety
    /// `array` is null or points to an array as TFLite makes them, alive during the call.
    pub unsafe fn to_vec(array: *const Self) -> Vec<usize> {
        if array.is_null() {
            return Vec::new();
        }
        // SAFETY: the count stands at the start, the numbers behind it; the caller vouches for
        // the array. The pointer to the numbers is made from that of the whole.
        unsafe {
            let size = usize::try_from((*array).size).unwrap_or(0);
            let data = (&raw const (*array).data).cast::<c_int>();
            (0..size)
                .filter_map(|index| usize::try_from(*data.add(index)).ok())
                .collect()
        }
    }
}

/// `TfLiteRegistration`, handed on by value.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Registration {
    init: *const c_void,
    free: *const c_void,
    prepare: *const c_void,
    invoke: *const c_void,
    profiling_string: *const c_void,
    builtin_code: i32,
    /// A C string or null.
    pub custom_name: *const c_char,
    version: c_int,
    external: *const c_void,
    async_kernel: *const c_void,
    inplace_operator: u64,
}

/// `TfLiteContext::ReplaceNodeSubsetsWithDelegateKernels`.
pub type Replace =
    unsafe extern "C" fn(*mut Context, Registration, *const IntArray, *mut Delegate) -> Status;

/// `TfLiteContext`, up to the last member that is used.
#[repr(C)]
pub struct Context {
    tensors_size: usize,
    get_execution_plan: *const c_void,
    tensors: *mut c_void,
    implementation: *mut c_void,
    resize_tensor: *const c_void,
    report_error: *const c_void,
    add_tensors: *const c_void,
    get_node_and_registration: *const c_void,
    pub replace: Option<Replace>,
}

/// `TfLiteDelegate::Prepare`.
pub type Prepare = unsafe extern "C" fn(*mut Context, *mut Delegate) -> Status;

/// `TfLiteDelegate`, up to the last member that is used.
#[repr(C)]
pub struct Delegate {
    data: *mut c_void,
    pub prepare: Option<Prepare>,
    copy_from_buffer_handle: *const c_void,
    copy_to_buffer_handle: *const c_void,
    free_buffer_handle: *const c_void,
    flags: i64,
}

/// `tflite_plugin_create_delegate` of `tensorflow/lite/delegates/external/external_delegate_interface.h`.
pub type Create = unsafe extern "C" fn(
    *const *const c_char,
    *const *const c_char,
    usize,
    Option<unsafe extern "C" fn(*const c_char)>,
) -> *mut Delegate;

/// `tflite_plugin_destroy_delegate`.
pub type Destroy = unsafe extern "C" fn(*mut Delegate);

#[cfg(target_pointer_width = "64")]
const _: () = {
    assert!(size_of::<Registration>() == 88);
    assert!(std::mem::offset_of!(Context, replace) == 64);
    assert!(std::mem::offset_of!(Delegate, prepare) == 8);
};
