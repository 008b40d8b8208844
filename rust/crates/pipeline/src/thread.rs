//! What the threads with models have in common: real time, retries, panics, and telling.

use crate::inference::Inference;
use crate::lane::{Lane, Roster};
use crate::link::{Event, Handover, Link, report};
use crate::panics::message_of;
use crate::trial::Trial;
use edgeai_config::{Appliance, Model};
use edgeai_decode::Names;
use edgeai_realtime::{PREFAULT_BYTES, fifo, leave_cpu_0, prefault_stack};
use rtrb::Producer;
use std::ffi::CStr;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::thread::{Builder, JoinHandle, park_timeout};
use std::time::Duration;

/// How long to wait before what is missing is tried again.
pub const RETRY: Duration = Duration::from_millis(500);
/// What a thread promises to the watchdog while it loads a model: slow storage, slow processor.
const LOAD_PROMISE: Duration = Duration::from_secs(60);
/// Stack of the threads with models; all of it is locked in memory. The runtimes prepare models on it: LiteRT touches less than
/// 128 KiB, delegates are left a reserve.
const STACK: usize = 4 * PREFAULT_BYTES;

/// A model for the recorder.
pub struct Introduction {
    /// The model's place in the description.
    pub model: usize,
    /// What runs it; empty: not known yet.
    pub runtime: String,
    /// What its numbers are called.
    pub names: Names,
}

/// A thread with one or more models.
pub struct ModelThread {
    /// The description.
    pub appliance: Arc<Appliance>,
    /// One for each model.
    pub lanes: Vec<Lane>,
    /// All models' names.
    pub roster: Arc<Roster>,
    /// To the reporter.
    pub events: Producer<Event>,
    /// To the recorder, if there is one.
    pub introductions: Option<Sender<Introduction>>,
    /// Before a model is loaded.
    pub trial: Trial,
    /// Shared by all.
    pub link: Arc<Link>,
    /// The fault last told; `None` once frames come.
    pub fault: Option<String>,
    /// The thread has `SCHED_FIFO`.
    pub real_time: bool,
}

/// Starts a thread with a model.
pub fn spawn(
    name: &'static CStr,
    run: impl FnOnce() + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    Builder::new()
        .name(name.to_string_lossy().into_owned())
        .stack_size(STACK)
        .spawn(run)
}

impl ModelThread {
    /// Runs one session after the other until everybody stops; whether the last one panicked is told
    /// to the next.
    pub fn run(
        &mut self,
        name: &CStr,
        mut session: impl FnMut(&mut Self, bool) -> Result<(), String>,
    ) {
        let name = name.to_string_lossy();
        let mut complaints = Vec::new();
        match fifo(self.appliance.realtime.vision_priority) {
            Ok(()) => self.real_time = true,
            Err(error) => complaints.push(format!("{name} thread without SCHED_FIFO: {error}")),
        }
        let models = self.lanes.iter().map(|lane| lane.model);
        let threads = models.filter_map(|model| Some(self.appliance.models.get(model)?.threads));
        if let Err(error) = leave_cpu_0(threads.max().unwrap_or(1)) {
            complaints.push(format!("{name} thread without CPU affinity: {error}"));
        }
        for complaint in complaints {
            self.say(log::Level::Warn, complaint);
        }
        prefault_stack();
        let mut panicked = false;
        while !self.link.stopping() {
            let ended = catch_unwind(AssertUnwindSafe(|| session(self, panicked)));
            panicked = ended.is_err();
            match ended {
                Ok(Ok(())) => {}
                Ok(Err(fault)) => self.tell(&fault),
                Err(payload) => {
                    self.tell(&format!(
                        "{name} thread panicked: {}",
                        message_of(&*payload)
                    ));
                }
            }
            self.promise(RETRY * 4);
            if !self.link.stopping() {
                park_timeout(RETRY);
            }
        }
    }

    /// The thread will come round again within `time`.
    pub fn promise(&self, time: Duration) {
        for lane in &self.lanes {
            if let Some(promise) = self.link.promises.get(lane.model) {
                promise.give(time);
            }
        }
    }

    /// Loads model number `index`; threads that its engine starts are named "vision-work".
    ///
    /// # Errors
    /// What its trial or loading it says.
    pub fn load(&self, index: usize, model: &Model) -> Result<Inference, String> {
        self.promise(LOAD_PROMISE);
        // Threads that the engine starts inherit the name; only this one is to have its own.
        let name = std::thread::current().name().unwrap_or("vision").to_owned();
        name_thread("vision-work");
        let tried = self.trial.run(index, model);
        let loaded = tried.and_then(|()| Inference::load(model));
        name_thread(&name);
        loaded.map_err(|error| format!("model: {error}"))
    }

    /// A model is loaded: tells what it is, and makes rules if it was the last.
    ///
    /// # Errors
    /// One line: a rule names what the models do not know.
    pub fn introduce(&mut self, lane: usize, inference: &Inference) -> Result<(), String> {
        self.enter(lane, inference.runtime(), inference.names())?;
        let title = self.title(lane);
        self.say(log::Level::Info, format!("{title}: {}", inference.title()));
        let delegation = inference.delegation();
        let devices: Vec<_> = delegation
            .devices
            .iter()
            .map(|device| {
                let share = 100.0 * device.share_of_operators;
                format!("{} {} ({share:.0} %)", device.operators, device.name)
            })
            .collect();
        let (level, why) = match &delegation.fallback {
            Some(reason) => (log::Level::Warn, format!("; {reason}")),
            None => (log::Level::Info, String::new()),
        };
        let devices = devices.join(", ");
        self.say(level, format!("{title}: operators on {devices}{why}"));
        Ok(())
    }

    fn title(&self, lane: usize) -> String {
        let models = &self.appliance.models;
        let model = self.lanes.get(lane).and_then(|lane| models.get(lane.model));
        match model {
            Some(model) if models.len() > 1 => format!("model {}", model.name),
            _ => "model".to_owned(),
        }
    }

    /// The model's names are known: makes rules if they were the last.
    ///
    /// # Errors
    /// One line: a rule names what the models do not know.
    pub fn enter(&mut self, lane: usize, runtime: &str, names: &Names) -> Result<(), String> {
        let Some(lane) = self.lanes.get_mut(lane) else {
            return Ok(());
        };
        if let Some(recorder) = &self.introductions {
            // Without recorder there is nobody to know.
            let _ = recorder.send(Introduction {
                model: lane.model,
                runtime: runtime.to_owned(),
                names: names.clone(),
            });
        }
        if let Some(rules) = self.roster.enter(lane.model, names)? {
            report(&mut self.events, &self.link, Event::counters(&rules));
            lane.insist(Handover::Rules(rules), &self.link);
        }
        Ok(())
    }

    /// Tells a fault once, until frames come again: to the models that had one before the fault too, since
    /// they begin anew.
    fn tell(&mut self, fault: &str) {
        let told = self.fault.as_deref() == Some(fault);
        if told && !self.lanes.iter().any(|lane| lane.handed) {
            return;
        }
        if let (Some(reason), false) = (fault.strip_prefix("camera lost: "), told) {
            self.say(log::Level::Warn, format!("camera lost: {reason}; retrying"));
        }
        self.fault = Some(fault.to_owned());
        for lane in &mut self.lanes {
            lane.handed = false;
            lane.insist(Handover::Fault(fault.to_owned()), &self.link);
        }
    }

    /// A line for the log.
    pub fn say(&mut self, level: log::Level, line: String) {
        report(&mut self.events, &self.link, Event::Message(level, line));
    }
}

/// Gives threads that native libraries start the stack of ours, instead of the system's 8 MiB: in a
/// process with locked memory all of it would be locked, for each worker of a model.
///
/// # Errors
/// What the C library says.
pub fn small_native_stacks() -> io::Result<()> {
    unsafe extern "C" {
        /// `pthread_setattr_default_np(3)`: glibc 2.18 and later, musl 1.1.20 and later.
        fn pthread_setattr_default_np(attributes: *const libc::pthread_attr_t) -> libc::c_int;
    }
    let mut attributes = std::mem::MaybeUninit::<libc::pthread_attr_t>::uninit();
    // SAFETY: `attributes` is initialised by the first call before the others read it, and destroyed once.
    let failed = unsafe {
        let attributes = attributes.as_mut_ptr();
        match libc::pthread_attr_init(attributes) {
            0 => {
                let mut failed = libc::pthread_attr_setstacksize(attributes, STACK);
                if failed == 0 {
                    failed = pthread_setattr_default_np(attributes);
                }
                libc::pthread_attr_destroy(attributes);
                failed
            }
            failed => failed,
        }
    };
    match failed {
        0 => Ok(()),
        number => Err(io::Error::from_raw_os_error(number)),
    }
}

fn name_thread(name: &str) {
    let mut bytes = [0_u8; 16];
    for (to, from) in bytes.iter_mut().take(15).zip(name.as_bytes()) {
        *to = *from;
    }
    // SAFETY: PR_SET_NAME reads a NUL-terminated string of at most 16 bytes.
    unsafe { libc::prctl(libc::PR_SET_NAME, bytes.as_ptr()) };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lane::{Inbox, lane};
    use rtrb::RingBuffer;

    /// A camera's thread with two models.
    fn thread() -> (ModelThread, Vec<Inbox>) {
        let text = r#"
            camera = { device = "/dev/null", size = [64, 48] }
            model = [{ name = "a", file = "/a" }, { name = "b", file = "/b" }]
            output = [{ name = "lamp", line = "lamp", safe = "low" }]
            deadline = { frame_to_action_ms = 100 }
            rule = [{ name = "r", when = { model = "a", class = "Person", score = 0.5 }, then = { output = "lamp", level = "low" } }]
        "#;
        let appliance = Arc::new(edgeai_config::parse("test.toml", text).unwrap());
        let (lanes, inboxes) = (0..2).map(lane).unzip();
        let thread = ModelThread {
            lanes,
            roster: Arc::new(Roster::new(Arc::clone(&appliance))),
            events: RingBuffer::new(8).0,
            introductions: None,
            trial: Trial::new(None),
            link: Arc::new(Link::new(&appliance).unwrap()),
            fault: None,
            real_time: false,
            appliance,
        };
        (thread, inboxes)
    }

    /// A letter for each hand-over.
    fn taken(inbox: &mut Inbox) -> String {
        let taken = std::iter::from_fn(|| inbox.queue.pop().ok());
        taken
            .map(|handover| match handover {
                Handover::Rules(_) => 'r',
                Handover::Seen(_) => 's',
                Handover::Fault(_) => 'f',
            })
            .collect()
    }

    #[test]
    fn a_fault_is_told_again_behind_what_a_model_has_seen_before_it() {
        let (mut thread, mut inboxes) = thread();
        thread.tell("engine: broken");
        thread.tell("engine: broken");
        // The first model has looked at the frame at which the second failed.
        let seen = thread.lanes[0].take(&Names::default());
        thread.lanes[0].hand_over(seen, &thread.link);
        thread.tell("engine: broken");
        thread.tell("engine: broken");
        thread.tell("camera missing");
        let taken: Vec<_> = inboxes.iter_mut().map(taken).collect();
        assert_eq!(taken, ["fsff", "fff"]);
    }

    #[test]
    fn what_found_no_room_is_counted_with_the_next_that_does() {
        let (mut thread, mut inboxes) = thread();
        let (lane, link) = (&mut thread.lanes[0], &thread.link);
        let mut missing = Vec::new();
        for turn in 0..13 {
            let seen = lane.take(&Names::default());
            lane.hand_over(seen, link);
            // For a while the signal thread stands still.
            if turn > 9 {
                while let Ok(Handover::Seen(seen)) = inboxes[0].queue.pop() {
                    missing.push(seen.missing);
                }
            }
        }
        assert_eq!(missing, [0, 0, 0, 0, 0, 0, 0, 0, 3, 0]);
    }
}
