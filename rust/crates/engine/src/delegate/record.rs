//! Which operators a delegate takes.
//!
//! A delegate claims operators in its `Prepare` by a call through the context it is given. For
//! the time of loading, both are led through here: exact, and the same for every runtime that
//! has TFLite's graph inside.

use super::abi::{Context, Delegate, ERROR, IntArray, Prepare, Registration, Replace, Status};
use std::cell::RefCell;
use std::ffi::CStr;

/// What a delegate claimed of the model's first subgraph.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Taken {
    /// Indices of operators.
    pub operators: Vec<usize>,
    /// Names of the delegate's kernels, as the profiler's events have them.
    pub kernels: Vec<String>,
}

struct Recording {
    prepare: Prepare,
    replace: Option<Replace>,
    /// Calls of `Prepare`: one for each subgraph, the first subgraph's first.
    prepared: u32,
    taken: Taken,
}

thread_local! {
    /// The delegate being loaded on this thread: both functions are called synchronously.
    static RECORDING: RefCell<Option<Recording>> = const { RefCell::new(None) };
}

/// Runs `load`, which gives `delegate` to an interpreter, and says what it took.
///
/// # Safety
/// `delegate` is alive and nobody else uses it during the call.
pub unsafe fn record<R>(delegate: *mut Delegate, load: impl FnOnce() -> R) -> (R, Taken) {
    // SAFETY: as the caller promises.
    let Some(original) = (unsafe { (*delegate).prepare }) else {
        return (load(), Taken::default());
    };
    RECORDING.set(Some(Recording {
        prepare: original,
        replace: None,
        prepared: 0,
        taken: Taken::default(),
    }));
    // SAFETY: as above; the function has the same signature, and is put back below.
    unsafe { (*delegate).prepare = Some(prepare) };
    let result = load();
    // SAFETY: as above.
    unsafe { (*delegate).prepare = Some(original) };
    let taken = RECORDING.take().map(|recording| recording.taken);
    (result, taken.unwrap_or_default())
}

// SAFETY: only TFLite calls it, in the place of the delegate's own.
unsafe extern "C" fn prepare(context: *mut Context, delegate: *mut Delegate) -> Status {
    // SAFETY: TFLite gives its context; the members used are where abi.rs has them.
    let context_replace = unsafe { (*context).replace };
    let original = RECORDING.with_borrow_mut(|recording| {
        recording.as_mut().map(|recording| {
            recording.replace = context_replace;
            recording.prepared += 1;
            recording.prepare
        })
    });
    let Some(original) = original else {
        return ERROR;
    };
    // SAFETY: the context is TFLite's own, which changes this member itself in the same way.
    unsafe { (*context).replace = Some(replace) };
    // SAFETY: the arguments are passed on.
    let status = unsafe { original(context, delegate) };
    // SAFETY: as above. TFLite may have set the member anew meanwhile.
    unsafe {
        if (*context)
            .replace
            .is_some_and(|now| std::ptr::fn_addr_eq(now, replace as Replace))
        {
            (*context).replace = context_replace;
        }
    }
    status
}

// SAFETY: only a delegate calls it, in the place of TFLite's own.
unsafe extern "C" fn replace(
    context: *mut Context,
    registration: Registration,
    nodes: *const IntArray,
    delegate: *mut Delegate,
) -> Status {
    let original =
        RECORDING.with_borrow(|recording| recording.as_ref().and_then(|kept| kept.replace));
    let Some(original) = original else {
        return ERROR;
    };
    // SAFETY: the delegate's own list, alive during this call.
    let claimed = unsafe { IntArray::to_vec(nodes) };
    // SAFETY: the arguments are passed on.
    let status = unsafe { original(context, registration, nodes, delegate) };
    if status == 0 {
        RECORDING.with_borrow_mut(|recording| {
            let Some(recording) = recording.as_mut().filter(|kept| kept.prepared == 1) else {
                return;
            };
            recording.taken.operators.extend(claimed);
            if !registration.custom_name.is_null() {
                // SAFETY: TFLite takes it for a C string as well.
                let name = unsafe { CStr::from_ptr(registration.custom_name) };
                recording
                    .taken
                    .kernels
                    .push(name.to_string_lossy().into_owned());
            }
        });
    }
    status
}
