//! Start and end of the appliance.

use crate::lane::{Inbox, Lane, Roster, lane};
use crate::link::{Event, Link, wake};
use crate::notes::{Keeper, Kept, Notes, Shelf, notes};
use crate::recorder::{Recorder, Sources, keeps_frames};
use crate::reporter::Reporter;
use crate::signal::{self, Signals};
use crate::thread::{Introduction, ModelThread};
use crate::trial::{Trial, TrialCommand};
use crate::{hold, panics, samples, vision};
use edgeai_config::Appliance;
use edgeai_recording::Header;
use edgeai_rules::Rules;
use edgeai_signal::{Notice, Sensors, backend};
use rtrb::{Consumer, Producer, RingBuffer};
use std::ffi::CStr;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Events that can wait for the reporter, which an ordinary thread may hold up for long.
const EVENTS: usize = 64;
/// How long a frame in work may delay the end of the process.
const FRAME_GRACE: Duration = Duration::from_millis(100);
/// How long the end waits for the recorder.
const RECORDER_GRACE: Duration = Duration::from_millis(500);
/// Frames of a camera that are kept at once: waiting for the recorder, or for a rule to ask.
const SLOTS: usize = 6;
/// The same while everything is recorded.
const RECORDING_SLOTS: usize = 12;

/// Names of the threads, as many as there can be models.
const VISION: [&CStr; 4] = [c"vision", c"vision-2", c"vision-3", c"vision-4"];
const SAMPLES: [&CStr; 4] = [c"samples", c"samples-2", c"samples-3", c"samples-4"];

/// What [`run`] needs besides the appliance description.
#[derive(Debug, Clone)]
pub struct Options {
    /// When the process started, on `CLOCK_MONOTONIC`.
    pub started: Duration,
    /// Where the decision log is kept.
    pub log_directory: PathBuf,
    /// Where metrics are written every second.
    pub metrics_file: PathBuf,
    /// Where pictures are kept that rules ask for.
    pub snapshot_directory: PathBuf,
    /// Where rules' changes are sent that are meant for telemetry.
    pub telemetry_socket: PathBuf,
    /// The text of the description, for recordings.
    pub description: String,
    /// Version of the image, for recordings; empty: not known.
    pub image: String,
    /// Loads models that are not the image's in a process of their own first; absent: all are trusted.
    pub trial: Option<TrialCommand>,
}

/// Why [`run`] ended by itself.
#[derive(Debug, thiserror::Error)]
pub enum PipelineError {
    /// The system has no descriptors or threads left.
    #[error("start-up: {0}")]
    Start(#[from] io::Error),
    /// A rule of an appliance without models is wrong.
    #[error("{0}")]
    Rules(String),
    /// The signal thread ended; the outputs are at their safe level.
    #[error("the signal thread has ended")]
    SignalThread,
}

/// Runs the appliance until SIGTERM or SIGINT. A missing camera, model, sensor or line does not end it.
///
/// The outputs are claimed at their safe level before anything else is done, and are at their
/// safe level when this returns. Call it from the only thread of the process: the signals are
/// blocked for all threads that come to be afterwards.
///
/// # Errors
/// When the pipeline cannot start or its signal thread ends.
pub fn run(appliance: &Appliance, options: &Options) -> Result<(), PipelineError> {
    let terminate = hold::blocked_terminations()?;
    let appliance = Arc::new(appliance.clone());
    let link = Arc::new(Link::new(&appliance)?);
    let (guard_events, from_guard) = RingBuffer::new(EVENTS);
    let (mut signal_events, from_signal) = RingBuffer::new(EVENTS);
    let (lanes, inboxes): (Vec<Lane>, Vec<Inbox>) = (0..appliance.models.len()).map(lane).unzip();
    let mut kept = Keeping::new(&appliance);
    let mut signals = Signals::new(
        &appliance,
        || backend(&appliance.gpio),
        inboxes,
        kept.notes.take(),
        guard_events,
        Arc::clone(&link),
    );
    if appliance.models.is_empty() {
        let rules = Rules::new(&appliance, &[]);
        let rules = rules.map_err(|error| PipelineError::Rules(error.to_string()))?;
        crate::link::report(&mut signal_events, &link, Event::counters(&rules));
        signals.set_rules(Box::new(rules));
    }
    if let Err(error) = crate::thread::small_native_stacks() {
        log::warn!("stacks of model runtimes are large: {error}");
    }
    if let Err(error) = edgeai_realtime::lock_memory() {
        log::warn!("memory is not locked: {error}");
    }
    let mut queues = vec![from_guard, from_signal];
    let trial = options.trial.as_ref();
    let plan = Plan::new(&appliance, lanes, &link, trial, &mut kept, &mut queues);
    let sensors = Sensors::new(&appliance.sensors);
    let windows = samples::windows(&appliance, &sensors);
    if !appliance.sensors.is_empty() {
        let (values, threads) = sensors.start(notice(&link, &mut queues))?;
        signals.set_sensors(values);
        // They end with the process: one that hangs in a driver must not hold up the end.
        std::mem::forget(threads);
    }
    let mut reporter = Reporter::new(&appliance, options, Arc::clone(&link), queues);
    let recorder = kept.start(&appliance, options, &link)?;
    let priority = appliance.realtime.signal_priority;
    let signal = signal::spawn(signals, signal_events, Some(priority))?;
    let (models, result) = match plan.start(&windows) {
        Ok(models) => {
            let result = catch_unwind(AssertUnwindSafe(|| reporter.run(&terminate, &signal)));
            let result = result.unwrap_or_else(|panic| {
                Err(io::Error::other(panics::message_of(&*panic).to_owned()))
            });
            (models, result)
        }
        Err(error) => (Vec::new(), Err(error)),
    };
    end(&link, signal, &models);
    reporter.finish();
    let written = recorder.is_none_or(|recorder| ended_within(&recorder, RECORDER_GRACE));
    if !written || !models.iter().all(|model| ended_within(model, FRAME_GRACE)) {
        // An ordinary exit would tear down libraries under a thread that is inside them.
        // SAFETY: the outputs are safe and everything is written; nothing is left to do.
        unsafe { libc::_exit(i32::from(result.is_err())) };
    }
    result
        .map_err(PipelineError::from)?
        .then_some(())
        .ok_or(PipelineError::SignalThread)
}

/// What is needed to record, and to keep pictures.
struct Keeping {
    notes: Option<Notes>,
    sources: Option<Sources>,
    introductions: Option<Sender<Introduction>>,
    slots: usize,
    /// Frames and windows are recorded, and what models remember.
    frames: bool,
}

impl Keeping {
    fn new(appliance: &Appliance) -> Self {
        let recording = appliance.recording.is_some();
        let rules = appliance.rules.iter().take(64).enumerate();
        let snapshots = rules.fold(0, |bits, (index, rule)| {
            bits | u64::from(rule.then.snapshot) << index
        });
        if !recording && snapshots == 0 {
            return Self {
                notes: None,
                sources: None,
                introductions: None,
                slots: 0,
                frames: false,
            };
        }
        let (notes, notebook) = notes(recording, snapshots);
        let (introductions, receiver): (_, Receiver<Introduction>) = channel();
        Self {
            notes: Some(notes),
            sources: Some(Sources {
                notebook,
                shelves: Vec::new(),
                shelf_of: vec![0; appliance.models.len()],
                introductions: receiver,
            }),
            introductions: Some(introductions),
            slots: match (keeps_frames(appliance), snapshots) {
                (true, _) => RECORDING_SLOTS,
                (false, 0) => 0,
                (false, _) => SLOTS,
            },
            frames: keeps_frames(appliance),
        }
    }

    /// A keeper of what the thread with these models gets.
    fn keeper(
        &mut self,
        camera: usize,
        models: &[Lane],
        empty: fn() -> Kept,
        link: &Arc<Link>,
    ) -> Option<Keeper> {
        let sources = self.sources.as_mut().filter(|_| self.slots > 0)?;
        let (keeper, frames): (Keeper, Shelf) =
            Keeper::new(camera, self.slots, self.frames, empty, Arc::clone(link));
        for lane in models {
            if let Some(shelf_of) = sources.shelf_of.get_mut(lane.model) {
                *shelf_of = sources.shelves.len();
            }
        }
        sources.shelves.push(frames);
        Some(keeper)
    }

    fn start(
        self,
        appliance: &Appliance,
        options: &Options,
        link: &Arc<Link>,
    ) -> io::Result<Option<JoinHandle<()>>> {
        let Some(sources) = self.sources else {
            return Ok(None);
        };
        let header = Header {
            // Two runs within a nanosecond of uptime are not of one device.
            run: u64::try_from(options.started.as_nanos()).unwrap_or(0) ^ wall_nanos(),
            program: concat!("edgeai ", env!("CARGO_PKG_VERSION")).into(),
            image: options.image.clone(),
            appliance: options.description.clone(),
            ..Header::default()
        };
        let snapshots = &options.snapshot_directory;
        let recorder = Recorder::new(appliance, header, snapshots, sources, Arc::clone(link));
        recorder.spawn().map(Some)
    }
}

fn wall_nanos() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    // Until 2554.
    now.map_or(0, |now| u64::try_from(now.as_nanos()).unwrap_or(u64::MAX))
}

/// The threads with models, before they run.
struct Plan {
    /// Camera, thread and keeper.
    cameras: Vec<(usize, ModelThread, Option<Keeper>)>,
    /// Of models on sensors.
    listeners: Vec<(ModelThread, Option<Keeper>)>,
}

impl Plan {
    fn new(
        appliance: &Arc<Appliance>,
        lanes: Vec<Lane>,
        link: &Arc<Link>,
        trial: Option<&TrialCommand>,
        kept: &mut Keeping,
        queues: &mut Vec<Consumer<Event>>,
    ) -> Self {
        let roster = Arc::new(Roster::new(Arc::clone(appliance)));
        let mut thread = |lanes, kept: &Keeping| {
            let (events, queue) = RingBuffer::new(EVENTS);
            queues.push(queue);
            ModelThread {
                appliance: Arc::clone(appliance),
                lanes,
                roster: Arc::clone(&roster),
                events,
                introductions: kept.introductions.clone(),
                trial: Trial::new(trial.cloned()),
                link: Arc::clone(link),
                fault: None,
                real_time: false,
            }
        };
        let mut plan = Self {
            cameras: Vec::new(),
            listeners: Vec::new(),
        };
        let mut of_camera: Vec<Vec<Lane>> = appliance.cameras.iter().map(|_| Vec::new()).collect();
        for lane in lanes {
            let camera = appliance
                .models
                .get(lane.model)
                .and_then(|model| camera_of(appliance, model));
            if let Some(lanes) = camera.and_then(|camera| of_camera.get_mut(camera)) {
                lanes.push(lane);
            } else {
                let lanes = vec![lane];
                let keeper = kept.keeper(0, &lanes, Kept::window, link);
                plan.listeners.push((thread(lanes, kept), keeper));
            }
        }
        for (camera, lanes) in of_camera.into_iter().enumerate() {
            if !lanes.is_empty() {
                let keeper = kept.keeper(camera, &lanes, Kept::frame, link);
                plan.cameras.push((camera, thread(lanes, kept), keeper));
            }
        }
        plan
    }

    fn start(self, windows: &samples::Windows) -> io::Result<Vec<JoinHandle<()>>> {
        let mut threads = Vec::new();
        for ((camera, thread, keeper), name) in self.cameras.into_iter().zip(VISION) {
            threads.push(vision::spawn(camera, name, thread, keeper)?);
        }
        for ((thread, keeper), name) in self.listeners.into_iter().zip(SAMPLES) {
            let model = thread.lanes.first().map_or(0, |lane| lane.model);
            let source = windows.of(model);
            threads.push(samples::spawn(name, thread, source, keeper)?);
        }
        Ok(threads)
    }
}

/// The camera that a model looks through; none if it listens to a sensor.
#[must_use]
pub fn camera_of(appliance: &Appliance, model: &edgeai_config::Model) -> Option<usize> {
    if model.sensor.is_some() {
        return None;
    }
    let named = model.camera.as_ref();
    let cameras = &appliance.cameras;
    // Without a name there is only one.
    named.map_or(Some(0), |name| {
        cameras.iter().position(|camera| camera.name == *name)
    })
}

/// What the sensors' threads say: samples wake the signal thread, the rest is told.
fn notice(
    link: &Arc<Link>,
    queues: &mut Vec<Consumer<Event>>,
) -> impl Fn(Notice<'_>) + Send + Sync + use<> {
    let (events, queue) = RingBuffer::new(EVENTS);
    queues.push(queue);
    let events: Mutex<Producer<Event>> = Mutex::new(events);
    let link = Arc::clone(link);
    move |notice| {
        let event = match notice {
            Notice::Started(_) => return,
            Notice::Sample(_) => return wake(&link.signal),
            Notice::Fault(sensor, error) => Event::SensorFault(sensor, Some(error.to_string())),
            Notice::Recovered(sensor) => Event::SensorFault(sensor, None),
        };
        wake(&link.signal);
        if let Ok(mut events) = events.lock() {
            crate::link::report(&mut events, &link, event);
        }
    }
}

/// Stops all threads; returns when the outputs are safe.
fn end(link: &Link, signal: JoinHandle<()>, models: &[JoinHandle<()>]) {
    link.stop.store(true, Ordering::Release);
    wake(&link.signal);
    for model in models {
        model.thread().unpark();
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
