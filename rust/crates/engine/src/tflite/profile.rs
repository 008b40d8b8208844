//! Times of nodes, from TFLite's telemetry.

use super::api::TelemetryProfiler;
use crate::delegation::NodeTime;
use std::ffi::{CStr, c_char, c_void};
use std::ptr::{NonNull, null_mut};
use std::time::{Duration, Instant};

/// What the callbacks collect.
struct Collection {
    callbacks: TelemetryProfiler,
    times: Vec<NodeTime>,
    begun: Option<(NodeTime, Instant)>,
    /// Times are kept only meanwhile.
    on: bool,
}

/// Owner of a [`Collection`] at a fixed address, which TFLite keeps: a pointer, not a `Box`,
/// which may not have a second user.
pub struct Profile(NonNull<Collection>);

impl Profile {
    pub fn new() -> Self {
        let collection = NonNull::from(Box::leak(Box::new(Collection {
            callbacks: TelemetryProfiler {
                data: null_mut(),
                event,
                operator_event,
                settings,
                begin,
                end,
                invoked,
            },
            times: Vec::new(),
            begun: None,
            on: false,
        })));
        // SAFETY: alive, and nobody else has it yet.
        unsafe { (*collection.as_ptr()).callbacks.data = collection.as_ptr().cast() };
        Self(collection)
    }

    /// What TFLite is given.
    pub fn callbacks(&self) -> *mut TelemetryProfiler {
        // SAFETY: alive as long as `self`; only an address is made.
        unsafe { &raw mut (*self.0.as_ptr()).callbacks }
    }

    /// From now on times are kept.
    pub fn start(&mut self) {
        // SAFETY: alive as long as `self`; TFLite calls only while the interpreter runs.
        unsafe { self.0.as_mut() }.on = true;
    }

    pub fn times(&self) -> &[NodeTime] {
        // SAFETY: as for `start`.
        &unsafe { self.0.as_ref() }.times
    }
}

impl Drop for Profile {
    fn drop(&mut self) {
        // SAFETY: leaked from a `Box` in `new`, freed once, here.
        drop(unsafe { Box::from_raw(self.0.as_ptr()) });
    }
}

impl Collection {
    fn keep(&mut self, mut time: NodeTime, elapsed: Duration) {
        time.microseconds = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
        self.times.push(time);
    }
}

/// # Safety
/// `callbacks` are those of a [`Profile`] that is alive and not borrowed.
unsafe fn collection<'a>(callbacks: *mut TelemetryProfiler) -> &'a mut Collection {
    // SAFETY: `data` points to the collection; TFLite calls from the thread that invokes.
    unsafe { &mut *(*callbacks).data.cast::<Collection>() }
}

unsafe fn node_time(name: *const c_char, node: i64) -> NodeTime {
    let kernel = if name.is_null() {
        String::new()
    } else {
        // SAFETY: TFLite gives a C string that lives during the call.
        unsafe { CStr::from_ptr(name) }
            .to_string_lossy()
            .into_owned()
    };
    NodeTime {
        node: usize::try_from(node).unwrap_or(usize::MAX),
        kernel,
        microseconds: 0,
    }
}

unsafe extern "C" fn begin(
    callbacks: *mut TelemetryProfiler,
    name: *const c_char,
    node: i64,
    subgraph: i64,
) -> u32 {
    // SAFETY: TFLite gives back what it was given; see `Profile::new`.
    let profile = unsafe { collection(callbacks) };
    if profile.on && subgraph == 0 {
        // SAFETY: the name is TFLite's.
        profile.begun = Some((unsafe { node_time(name, node) }, Instant::now()));
    }
    0
}

unsafe extern "C" fn end(callbacks: *mut TelemetryProfiler, _event: u32) {
    // SAFETY: as for `begin`.
    let profile = unsafe { collection(callbacks) };
    if let Some((time, start)) = profile.begun.take() {
        profile.keep(time, start.elapsed());
    }
}

/// A step within a delegate that times its own steps (`kTfLiteDelegateFlagsPerOperatorProfiling`:
/// XNNPACK), and whose kernel therefore is not timed as a whole. The index is the delegate's own.
unsafe extern "C" fn invoked(
    callbacks: *mut TelemetryProfiler,
    name: *const c_char,
    microseconds: u64,
    _index: i64,
    _subgraph: i64,
) {
    // SAFETY: as for `begin`.
    let profile = unsafe { collection(callbacks) };
    if profile.on {
        // SAFETY: the name is TFLite's.
        let time = unsafe { node_time(name, -1) };
        profile.keep(time, Duration::from_micros(microseconds));
    }
}
unsafe extern "C" fn event(_: *mut TelemetryProfiler, _: *const c_char, _: u64) {}
unsafe extern "C" fn operator_event(
    _: *mut TelemetryProfiler,
    _: *const c_char,
    _: i64,
    _: i64,
    _: u64,
) {
}
unsafe extern "C" fn settings(_: *mut TelemetryProfiler, _: *const c_char, _: *const c_void) {}
