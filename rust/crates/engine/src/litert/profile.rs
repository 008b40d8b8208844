//! Times of the nodes of a compiled model, from LiteRT's profiler.

use super::api::{Api, Event, check};
use super::handle::CompiledModel;
use crate::EngineError;
use crate::delegation::NodeTime;
use std::ffi::CStr;
use std::ptr::null_mut;

/// `OPERATOR_INVOKE_EVENT` of `LiteRtProfilerEventType`: the metadata is the node's index.
/// Other events are parts of these, or of no operator, but for the next.
const OPERATOR_INVOKED: i32 = 1 << 1;

/// `DELEGATE_PROFILED_OPERATOR_INVOKE_EVENT`: a step within a delegate that times its own steps
/// (XNNPACK), and whose kernel therefore is not timed as a whole. The metadata is the delegate's own.
const STEP_INVOKED: i32 = 1 << 3;

/// More events cannot come of the few invocations that are measured.
const MAX_EVENTS: i32 = 1 << 19;

/// The times of all invocations that `run` does. `compiled` has been compiled for profiling.
pub fn measure(
    api: &'static Api,
    compiled: &CompiledModel,
    run: impl FnOnce() -> Result<(), EngineError>,
) -> Result<Vec<NodeTime>, EngineError> {
    let mut profiler = null_mut();
    // SAFETY: `compiled` is alive and owns the profiler, which is written on success.
    unsafe {
        let status = (api.get_profiler)(compiled.handle, &raw mut profiler);
        check("LiteRtCompiledModelGetProfiler", status)?;
        check("LiteRtStartProfiler", (api.start_profiler)(profiler))?;
    }
    let result = run();
    let mut count = 0;
    // SAFETY: the profiler is alive; `count` is written on success.
    unsafe {
        check("LiteRtStopProfiler", (api.stop_profiler)(profiler))?;
        let status = (api.count_events)(profiler, &raw mut count);
        check("LiteRtGetNumProfilerEvents", status)?;
    }
    result?;
    let count = count.clamp(0, MAX_EVENTS);
    let mut events = vec![Event::default(); usize::try_from(count).unwrap_or(0)];
    // SAFETY: there is room for `count` events. Their tags belong to the profiler, which is
    // alive until `compiled` is dropped.
    let status = unsafe { (api.get_events)(profiler, count, events.as_mut_ptr()) };
    check("LiteRtGetProfilerEvents", status)?;
    Ok(events
        .iter()
        .filter(|event| {
            matches!(event.kind, OPERATOR_INVOKED | STEP_INVOKED) && !event.tag.is_null()
        })
        .map(|event| NodeTime {
            node: match event.kind {
                OPERATOR_INVOKED => usize::try_from(event.metadata).unwrap_or(usize::MAX),
                _ => usize::MAX,
            },
            // SAFETY: as above; a tag is a C string.
            kernel: unsafe { CStr::from_ptr(event.tag) }
                .to_string_lossy()
                .into_owned(),
            microseconds: event.microseconds,
        })
        .collect())
}
