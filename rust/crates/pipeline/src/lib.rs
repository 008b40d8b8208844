//! From a camera frame to a pin: the two real-time threads, their wiring, and the ordinary thread
//! that tells what they do. How it works and what it promises: `docs/pipeline.md`.

mod guard;
mod hold;
mod link;
mod metrics;
mod model;
mod panics;
mod reporter;
mod signal;
mod vision;

pub use hold::hold_safe;
pub use link::{Event, Handover, Link, MAX_DETECTIONS, Reason, Sighting};
pub use metrics::{Metrics, Percentiles, Stages, Summary};
pub use model::{Detector, Sight};
pub use signal::Signals;
pub use vision::{FrameSource, step};

use edgeai_config::Appliance;
use edgeai_realtime::PREFAULT_BYTES;
use edgeai_signal::Cdev;
use reporter::Reporter;
use rtrb::RingBuffer;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Stack of the real-time threads; all of it is locked in memory.
const STACK: usize = 8 * PREFAULT_BYTES;
/// Hand-overs that can wait for the signal thread: it has the higher priority, so hardly ever one.
const HANDOVERS: usize = 8;
/// Events that can wait for the reporter, which an ordinary thread may hold up for long.
const EVENTS: usize = 64;
/// How long a frame in work may delay the end of the process.
const FRAME_GRACE: Duration = Duration::from_millis(100);

/// What [`run`] needs besides the appliance description.
#[derive(Debug, Clone)]
pub struct Options {
    /// When the process started, on `CLOCK_MONOTONIC`.
    pub started: Duration,
    /// Where the decision log is kept.
    pub log_directory: PathBuf,
    /// Where metrics are written every second.
    pub metrics_file: PathBuf,
}

/// Why [`run`] ended by itself.
#[derive(Debug, thiserror::Error)]
pub enum PipelineError {
    /// The system has no descriptors or threads left.
    #[error("start-up: {0}")]
    Start(#[from] io::Error),
    /// The signal thread ended; the outputs are at their safe level.
    #[error("the signal thread has ended")]
    SignalThread,
}

/// Runs the appliance until SIGTERM or SIGINT. A missing camera, model or line does not end it.
///
/// The outputs are claimed at their safe level before anything else is done, and are at their
/// safe level when this returns. Call it from the only thread of the process: the signals are
/// blocked for all threads that come to be afterwards.
///
/// # Errors
/// When the pipeline cannot start or its signal thread ends.
pub fn run(appliance: &Appliance, options: &Options) -> Result<(), PipelineError> {
    let terminate = hold::blocked_terminations()?;
    let link = Arc::new(Link::new()?);
    let (to_signal, handovers) = RingBuffer::new(HANDOVERS);
    let (guard_events, from_guard) = RingBuffer::new(EVENTS);
    let (signal_events, from_signal) = RingBuffer::new(EVENTS);
    let (vision_events, from_vision) = RingBuffer::new(EVENTS);
    let signals = Signals::new(
        appliance,
        || Cdev,
        handovers,
        guard_events,
        Arc::clone(&link),
    );

    if let Err(error) = edgeai_realtime::lock_memory() {
        log::warn!("memory is not locked: {error}");
    }
    let mut reporter = Reporter::new(
        appliance,
        options,
        Arc::clone(&link),
        vec![from_vision, from_guard, from_signal],
    );
    let signal = signal::spawn(signals, signal_events, appliance.realtime.signal_priority)?;
    let vision = vision::spawn(
        Arc::new(appliance.clone()),
        to_signal,
        vision_events,
        Arc::clone(&link),
    );
    let result = match vision {
        Ok(vision) => {
            let result = catch_unwind(AssertUnwindSafe(|| reporter.run(&terminate, &signal)))
                .unwrap_or_else(|panic| {
                    Err(io::Error::other(panics::message_of(&*panic).to_owned()))
                });
            end(&link, signal, Some(&vision));
            reporter.finish();
            if !ended_within(&vision, FRAME_GRACE) {
                // An ordinary exit would tear down libraries under a thread that is inside them.
                // SAFETY: the outputs are safe and everything is written; nothing is left to do.
                unsafe { libc::_exit(i32::from(result.is_err())) };
            }
            result
        }
        Err(error) => {
            end(&link, signal, None);
            Err(error)
        }
    };
    result
        .map_err(PipelineError::from)?
        .then_some(())
        .ok_or(PipelineError::SignalThread)
}

/// Stops both threads; returns when the outputs are safe.
fn end(link: &Link, signal: JoinHandle<()>, vision: Option<&JoinHandle<()>>) {
    link.stop.store(true, Ordering::Release);
    link::wake(&link.signal);
    if let Some(vision) = vision {
        vision.thread().unpark();
    }
    // Its panics end inside the thread.
    let _ = signal.join();
}

fn ended_within(thread: &JoinHandle<()>, limit: Duration) -> bool {
    let end = Instant::now() + limit;
    while !thread.is_finished() && Instant::now() < end {
        thread::sleep(Duration::from_millis(1));
    }
    thread.is_finished()
}
