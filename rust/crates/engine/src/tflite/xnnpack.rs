//! XNNPACK, TFLite's fast kernels for the CPU, from the library that has the C API.
//!
//! Interpreters that the C API makes are without it unless they are given its delegate
//! (`tensorflow/lite/core/create_op_resolver_with_builtin_ops.cc`). The functions are those of
//! `tensorflow/lite/delegates/xnnpack/xnnpack_delegate.h`.

use crate::EngineError;
use crate::delegate::Delegate;
use libloading::Library;
use std::mem::MaybeUninit;
use std::ptr::NonNull;

/// `TfLiteXNNPackDelegateOptions`: begins with the number of threads in every release; what follows is
/// handed on as it came. There is room for more than any release has (64 bytes in LiteRT 2.2).
#[repr(C)]
pub struct Options {
    threads: i32,
    rest: [MaybeUninit<u32>; 127],
}

/// Entry points.
#[derive(Clone, Copy)]
pub struct Api {
    default_options: unsafe extern "C" fn() -> Options,
    create: unsafe extern "C" fn(*const Options) -> *mut Delegate,
    delete: unsafe extern "C" fn(*mut Delegate),
}

impl Api {
    /// Those of `library`; `None` where it was built without XNNPACK, or with one that is too old.
    pub fn find(library: &Library) -> Option<Self> {
        // SAFETY: the signatures are those of the header. A function may return more than its library
        // writes if both are returned in memory, as what has more than 16 bytes is on x86-64 and
        // aarch64: releases whose options had no more are without `…GetOptions`.
        unsafe {
            let _newer = library
                .get::<*const ()>("TfLiteXNNPackDelegateGetOptions")
                .ok()?;
            Some(Self {
                default_options: *library.get("TfLiteXNNPackDelegateOptionsDefault").ok()?,
                create: *library.get("TfLiteXNNPackDelegateCreate").ok()?,
                delete: *library.get("TfLiteXNNPackDelegateDelete").ok()?,
            })
        }
    }

    /// A delegate for one interpreter.
    ///
    /// # Errors
    /// [`EngineError::Call`]: it gives none.
    pub fn create(self, threads: u32) -> Result<Xnnpack, EngineError> {
        // SAFETY: the options are filled by the library, which reads no more than it wrote.
        let delegate = unsafe {
            let mut options = (self.default_options)();
            options.threads = i32::try_from(threads).unwrap_or(1);
            (self.create)(&raw const options)
        };
        let delegate = NonNull::new(delegate).ok_or(EngineError::Call {
            call: "TfLiteXNNPackDelegateCreate",
            reason: "it gave nothing (the reason is on stderr)".into(),
        })?;
        Ok(Xnnpack {
            delegate,
            delete: self.delete,
        })
    }
}

/// A delegate, deleted when dropped: after the interpreter that has it.
pub struct Xnnpack {
    delegate: NonNull<Delegate>,
    delete: unsafe extern "C" fn(*mut Delegate),
}

impl Xnnpack {
    /// For the options of one interpreter.
    pub fn as_ptr(&self) -> *mut Delegate {
        self.delegate.as_ptr()
    }
}

impl Drop for Xnnpack {
    fn drop(&mut self) {
        // SAFETY: made by the same library, deleted once, here.
        unsafe { (self.delete)(self.delegate.as_ptr()) };
    }
}
