//! The vision thread: the newest frame, what is in it, and on to the signal thread.

use crate::guard::stuck_after;
use crate::link::{Event, Handover, Link, report, wake};
use crate::model::{Detector, Sight};
use crate::panics::message_of;
use edgeai_camera::{Camera, CameraError, Frame};
use edgeai_config::Appliance;
use edgeai_realtime::{fifo, leave_cpu_0, monotonic_now, prefault_stack};
use edgeai_rules::Rules;
use rtrb::Producer;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How long to wait before what is missing is tried again.
const RETRY: Duration = Duration::from_millis(500);
/// Longest wait for a frame before looking whether to stop.
const FRAME_WAIT: Duration = Duration::from_millis(50);
/// What the thread promises to the watchdog while it loads a model: slow storage, slow processor.
const LOAD_PROMISE: Duration = Duration::from_secs(60);

/// Where frames come from.
pub trait FrameSource {
    /// The newest frame, within `timeout`.
    ///
    /// # Errors
    /// As [`Camera::next`].
    fn next(&mut self, timeout: Duration) -> Result<Frame<'_>, CameraError>;

    /// Frames captured but not returned, since the start.
    fn dropped(&self) -> u64;
}

impl FrameSource for Camera {
    fn next(&mut self, timeout: Duration) -> Result<Frame<'_>, CameraError> {
        Camera::next(self, timeout)
    }

    fn dropped(&self) -> u64 {
        Camera::dropped(self)
    }
}

/// Takes one frame from `source` to the signal thread; false if none came within `timeout`.
///
/// # Errors
/// One line from the camera or the stage that failed.
pub fn step(
    source: &mut impl FrameSource,
    sight: &mut Sight<'_>,
    queue: &mut Producer<Handover>,
    link: &Link,
    timeout: Duration,
) -> Result<bool, String> {
    let before = source.dropped();
    let frame = match source.next(timeout) {
        Ok(frame) => frame,
        Err(CameraError::TimedOut) => return Ok(false),
        Err(error) => return Err(format!("camera lost: {error}")),
    };
    link.arm(frame.sequence, frame.timestamp);
    let captured = frame.timestamp;
    let sighting = sight
        .look(&frame, link)
        .inspect_err(|_| link.disarm(captured))?;
    link.metrics.frames.fetch_add(1, Relaxed);
    // With a full queue the signal thread stands still; the frame stays armed and the miss is told
    // when it runs again.
    let _ = queue.push(Handover::Sighting(sighting));
    wake(&link.signal);
    link.metrics
        .dropped
        .fetch_add(source.dropped().saturating_sub(before), Relaxed);
    Ok(true)
}

struct Vision {
    appliance: Arc<Appliance>,
    queue: Producer<Handover>,
    events: Producer<Event>,
    link: Arc<Link>,
    /// The fault last told; `None` once frames come.
    fault: Option<String>,
}

/// Starts the thread "vision". It ends only when everybody does: whatever is missing or fails is
/// told to the signal thread and tried again.
pub fn spawn(
    appliance: Arc<Appliance>,
    queue: Producer<Handover>,
    events: Producer<Event>,
    link: Arc<Link>,
) -> io::Result<JoinHandle<()>> {
    let mut vision = Vision {
        appliance,
        queue,
        events,
        link,
        fault: None,
    };
    thread::Builder::new()
        .name("vision".into())
        .stack_size(crate::STACK)
        .spawn(move || vision.run())
}

impl Vision {
    fn run(&mut self) {
        let priority = self.appliance.realtime.vision_priority;
        if let Err(error) = fifo(priority) {
            self.say(
                log::Level::Warn,
                format!("vision thread without SCHED_FIFO: {error}"),
            );
        }
        if let Err(error) = leave_cpu_0(self.appliance.model.threads) {
            self.say(
                log::Level::Warn,
                format!("vision thread without CPU affinity: {error}"),
            );
        }
        prefault_stack();
        let mut detector = None;
        while !self.link.stopping() {
            match catch_unwind(AssertUnwindSafe(|| self.session(&mut detector))) {
                Ok(Ok(())) => {}
                Ok(Err(fault)) => self.tell(fault),
                Err(payload) => {
                    // What a panic left behind is not to be trusted.
                    detector = None;
                    self.tell(format!("vision thread panicked: {}", message_of(&*payload)));
                }
            }
            self.link.vision_promises(RETRY * 4);
            if !self.link.stopping() {
                thread::park_timeout(RETRY);
            }
        }
    }

    /// Model, camera, frames; until something fails or everybody stops.
    fn session(&mut self, detector: &mut Option<Detector>) -> Result<(), String> {
        let detector = match detector {
            Some(detector) => detector,
            None => detector.insert(self.load()?),
        };
        self.link.vision_promises(Duration::from_secs(10));
        let (mut camera, negotiated) = Camera::open(&self.appliance.camera)
            .map_err(|error| format!("camera missing: {error}"))?;
        self.say(log::Level::Info, format!("camera: {negotiated}"));
        self.link.set_frame_rate(
            negotiated
                .fps
                .unwrap_or_else(|| self.appliance.camera.fps.into()),
        );
        let mut sight = detector.look_through(&negotiated)?;
        let deadline = Duration::from_millis(self.appliance.deadline.frame_to_action_ms.into());
        let promise = FRAME_WAIT + stuck_after(deadline);
        let mut last_frame = monotonic_now();
        while !self.link.stopping() {
            self.link.vision_promises(promise);
            if step(
                &mut camera,
                &mut sight,
                &mut self.queue,
                &self.link,
                FRAME_WAIT,
            )? {
                self.fault = None;
                last_frame = monotonic_now();
            } else if monotonic_now().saturating_sub(last_frame) > self.link.frame_limit() * 2 {
                // Some drivers stall for good after a disturbance; opening anew helps them.
                return Err("camera lost: it delivers no frames".into());
            }
        }
        Ok(())
    }

    fn load(&mut self) -> Result<Detector, String> {
        self.link.vision_promises(LOAD_PROMISE);
        // Threads that the engine starts inherit the name; only this one is to be "vision".
        name_thread(c"vision-work");
        let loaded = Detector::load(&self.appliance.model);
        name_thread(c"vision");
        let detector = loaded.map_err(|error| format!("model: {error}"))?;
        let rules =
            Rules::new(&self.appliance, detector.labels()).map_err(|error| error.to_string())?;
        self.hand_over(Handover::Rules(Box::new(rules)));
        self.say(log::Level::Info, format!("model: {}", detector.title()));
        Ok(detector)
    }

    /// Tells a fault once, until frames come again.
    fn tell(&mut self, fault: String) {
        if self.fault.as_ref() == Some(&fault) {
            return;
        }
        if let Some(reason) = fault.strip_prefix("camera lost: ") {
            self.say(log::Level::Warn, format!("camera lost: {reason}; retrying"));
        }
        self.fault = Some(fault.clone());
        self.hand_over(Handover::Fault(fault));
    }

    /// Puts into the queue what must not be lost.
    fn hand_over(&mut self, mut handover: Handover) {
        while let Err(rtrb::PushError::Full(back)) = self.queue.push(handover) {
            if self.link.stopping() {
                return;
            }
            handover = back;
            wake(&self.link.signal);
            thread::sleep(Duration::from_millis(1));
        }
        wake(&self.link.signal);
    }

    fn say(&mut self, level: log::Level, line: String) {
        report(&mut self.events, &self.link, Event::Message(level, line));
    }
}

fn name_thread(name: &std::ffi::CStr) {
    // SAFETY: PR_SET_NAME reads a NUL-terminated string of at most 16 bytes.
    unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr()) };
}
