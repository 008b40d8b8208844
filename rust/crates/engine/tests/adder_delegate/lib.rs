//! A delegate with the plugin entry points, for the tests: it takes every ADD of two f32
//! tensors of one size and adds. TFLite's structures are those of `core/c/common.h`.
//!
//! Options: `refuse` (or any other) = text: give no delegate, and say so; `lose_after` = n: fail from the
//! n-th invocation on, as a device that is gone; `kernel` = `broken`: its kernel cannot be made.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

type Status = c_int;
const OK: Status = 0;
const ERROR: Status = 1;

/// `kTfLiteBuiltinAdd`, `kTfLiteBuiltinDelegate`, `kTfLiteFloat32`.
const ADD: i32 = 0;
const DELEGATE: i32 = 51;
const FLOAT32: c_int = 1;

#[repr(C)]
struct IntArray {
    size: c_int,
    data: [c_int; 0],
}

#[repr(C)]
struct Tensor {
    element: c_int,
    data: *mut f32,
    dims: *mut IntArray,
    scale: f32,
    zero_point: i32,
    allocation_type: c_int,
    bytes: usize,
    allocation: *const c_void,
    name: *const c_char,
    delegate: *mut Delegate,
    buffer_handle: c_int,
    data_is_stale: bool,
    is_variable: bool,
    quantization: [usize; 2],
    sparsity: *mut c_void,
    dims_signature: *const IntArray,
}

#[repr(C)]
struct Node {
    inputs: *mut IntArray,
    outputs: *mut IntArray,
    intermediates: *mut IntArray,
    temporaries: *mut IntArray,
    user_data: *mut c_void,
}

#[repr(C)]
#[derive(Clone, Copy)]
struct Registration {
    init: Option<unsafe extern "C" fn(*mut Context, *const Parameters, usize) -> *mut c_void>,
    free: Option<unsafe extern "C" fn(*mut Context, *mut c_void)>,
    prepare: Option<unsafe extern "C" fn(*mut Context, *mut Node) -> Status>,
    invoke: Option<unsafe extern "C" fn(*mut Context, *mut Node) -> Status>,
    profiling_string: *const c_void,
    builtin_code: i32,
    custom_name: *const c_char,
    version: c_int,
    external: *const c_void,
    async_kernel: *const c_void,
    inplace_operator: u64,
}

#[repr(C)]
struct Context {
    tensors_size: usize,
    get_execution_plan: unsafe extern "C" fn(*mut Context, *mut *mut IntArray) -> Status,
    tensors: *mut Tensor,
    implementation: *mut c_void,
    resize_tensor: *const c_void,
    report_error: *const c_void,
    add_tensors: *const c_void,
    get_node_and_registration:
        unsafe extern "C" fn(*mut Context, c_int, *mut *mut Node, *mut *mut Registration) -> Status,
    replace:
        unsafe extern "C" fn(*mut Context, Registration, *const IntArray, *mut Delegate) -> Status,
}

/// `TfLiteDelegate`, and what this one remembers.
#[repr(C)]
pub struct Delegate {
    data: *mut c_void,
    prepare: Option<unsafe extern "C" fn(*mut Context, *mut Delegate) -> Status>,
    copy_from: *const c_void,
    copy_to: *const c_void,
    free_handle: *const c_void,
    flags: i64,
    opaque_builder: *const c_void,
    // Behind what TFLite knows.
    invocations_left: AtomicI64,
    broken: bool,
}

#[repr(C)]
struct Parameters {
    delegate: *mut Delegate,
    nodes: *mut IntArray,
}

/// What a kernel does: indices of two inputs and an output each.
struct Kernel {
    delegate: *mut Delegate,
    sums: Vec<[usize; 3]>,
}

unsafe fn numbers(array: *const IntArray) -> Vec<c_int> {
    // SAFETY: TFLite's arrays have their numbers behind the count.
    unsafe {
        let size = usize::try_from((*array).size).expect("a count");
        let data = (&raw const (*array).data).cast::<c_int>();
        std::slice::from_raw_parts(data, size).to_vec()
    }
}

unsafe fn node(context: *mut Context, index: c_int) -> (*mut Node, i32) {
    let (mut node, mut registration) = (std::ptr::null_mut(), std::ptr::null_mut());
    // SAFETY: TFLite's own function, with an index it gave.
    unsafe {
        let get = (*context).get_node_and_registration;
        assert_eq!(
            get(context, index, &raw mut node, &raw mut registration),
            OK
        );
        (node, (*registration).builtin_code)
    }
}

unsafe fn sum(context: *mut Context, node: *const Node) -> Option<[usize; 3]> {
    // SAFETY: TFLite's own structures.
    unsafe {
        let tensors: Vec<usize> = numbers((*node).inputs)
            .into_iter()
            .chain(numbers((*node).outputs))
            .map(|index| usize::try_from(index).expect("a tensor"))
            .collect();
        let tensors: [usize; 3] = tensors.try_into().ok()?;
        let [a, b, c] = tensors.map(|index| (*context).tensors.add(index));
        let fits = [a, b, c]
            .iter()
            .all(|tensor| (**tensor).element == FLOAT32 && (**tensor).bytes == (*c).bytes);
        fits.then_some(tensors)
    }
}

unsafe extern "C" fn prepare(context: *mut Context, delegate: *mut Delegate) -> Status {
    // SAFETY: called by TFLite with its context and our delegate.
    unsafe {
        let mut plan = std::ptr::null_mut();
        assert_eq!(((*context).get_execution_plan)(context, &raw mut plan), OK);
        let mut taken: Vec<c_int> = numbers(plan)
            .into_iter()
            .filter(|&index| {
                let (node, code) = node(context, index);
                code == ADD && sum(context, node).is_some()
            })
            .collect();
        taken.insert(0, c_int::try_from(taken.len()).expect("few"));
        let registration = Registration {
            init: Some(init),
            free: Some(free),
            prepare: Some(prepare_kernel),
            invoke: Some(invoke),
            profiling_string: std::ptr::null(),
            builtin_code: DELEGATE,
            custom_name: c"Adder".as_ptr(),
            version: 1,
            external: std::ptr::null(),
            async_kernel: std::ptr::null(),
            inplace_operator: 0,
        };
        ((*context).replace)(context, registration, taken.as_ptr().cast(), delegate)
    }
}

unsafe extern "C" fn init(
    context: *mut Context,
    parameters: *const Parameters,
    _: usize,
) -> *mut c_void {
    // SAFETY: TFLite gives a delegate's kernel its TfLiteDelegateParams.
    unsafe {
        let parameters = &*parameters;
        let sums = numbers(parameters.nodes)
            .into_iter()
            .map(|index| sum(context, node(context, index).0).expect("as claimed"))
            .collect();
        let delegate = parameters.delegate;
        Box::into_raw(Box::new(Kernel { delegate, sums })).cast()
    }
}

unsafe extern "C" fn free(_: *mut Context, kernel: *mut c_void) {
    // SAFETY: made by `init`.
    drop(unsafe { Box::from_raw(kernel.cast::<Kernel>()) });
}

unsafe extern "C" fn prepare_kernel(_: *mut Context, node: *mut Node) -> Status {
    // SAFETY: the user data are what `init` made.
    let broken = unsafe { (*(*(*node).user_data.cast::<Kernel>()).delegate).broken };
    if broken { ERROR } else { OK }
}

unsafe extern "C" fn invoke(context: *mut Context, node: *mut Node) -> Status {
    // SAFETY: the user data are what `init` made; the tensors are TFLite's, as large as `sum`
    // has seen.
    unsafe {
        let kernel = &*(*node).user_data.cast::<Kernel>();
        if (*kernel.delegate).invocations_left.fetch_sub(1, Relaxed) <= 0 {
            return ERROR;
        }
        for sum in &kernel.sums {
            let [a, b, c] = sum.map(|index| (*context).tensors.add(index));
            for at in 0..(*c).bytes / size_of::<f32>() {
                *(*c).data.add(at) = *(*a).data.add(at) + *(*b).data.add(at);
            }
        }
        OK
    }
}

/// # Safety
/// As TFLite's `external_delegate_interface.h` has it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tflite_plugin_create_delegate(
    keys: *const *const c_char,
    values: *const *const c_char,
    count: usize,
    report_error: Option<unsafe extern "C" fn(*const c_char)>,
) -> *mut Delegate {
    let mut delegate = Delegate {
        data: std::ptr::null_mut(),
        prepare: Some(prepare),
        copy_from: std::ptr::null(),
        copy_to: std::ptr::null(),
        free_handle: std::ptr::null(),
        flags: 0,
        opaque_builder: std::ptr::null(),
        invocations_left: AtomicI64::new(i64::MAX),
        broken: false,
    };
    for option in 0..count {
        // SAFETY: both arrays have `count` C strings.
        let (key, value) = unsafe {
            let text = |texts: *const *const c_char| CStr::from_ptr(*texts.add(option));
            (text(keys), text(values))
        };
        match (key.to_bytes(), value.to_str().unwrap_or_default()) {
            (b"lose_after", text) => {
                delegate.invocations_left = AtomicI64::new(text.parse().unwrap_or(0));
            }
            (b"kernel", text) => delegate.broken = text == "broken",
            _ => {
                if let Some(report) = report_error {
                    // SAFETY: the caller's function, with a C string.
                    unsafe { report(value.as_ptr()) };
                }
                return std::ptr::null_mut();
            }
        }
    }
    Box::into_raw(Box::new(delegate))
}

/// # Safety
/// `delegate` comes from [`tflite_plugin_create_delegate`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tflite_plugin_destroy_delegate(delegate: *mut Delegate) {
    // SAFETY: as above, and once.
    drop(unsafe { Box::from_raw(delegate) });
}
