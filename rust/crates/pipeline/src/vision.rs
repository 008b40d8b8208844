//! A vision thread: the newest frame of a camera, what its models see in it, and on to the signal
//! thread.

use crate::guard::stuck_after;
use crate::home::Host;
use crate::inference::{Inference, LookError, Sight, Times, names};
use crate::lane::Lane;
use crate::link::Link;
use crate::notes::Keeper;
use crate::pace::{Pace, Paced};
use crate::thread::{ModelThread, RETRY};
use edgeai_camera::{CameraError, FrameSource};
use edgeai_config::Appliance;
use edgeai_preprocess::SourceSpec;
use edgeai_realtime::monotonic_now;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::thread::JoinHandle;
use std::time::Duration;

/// Longest wait for a frame before looking whether to stop.
const FRAME_WAIT: Duration = Duration::from_millis(50);
/// What the thread promises to the watchdog while it opens a camera.
const OPEN_PROMISE: Duration = Duration::from_secs(10);

/// A model that looks through a camera, and its way to the signal thread.
pub struct Eye<'a> {
    /// The model.
    pub sight: Sight<'a>,
    /// The way.
    pub lane: &'a mut Lane,
}

/// What became of one turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Every eye has seen a frame.
    Seen,
    /// A frame came, but its picture is damaged, in this way; it counts as dropped.
    Damaged(String),
    /// None came in time.
    Silence,
}

/// Takes one frame from `source`, if one comes within `timeout`, through every eye to the signal thread.
///
/// # Errors
/// One line from the camera or the stage that failed.
pub fn step(
    source: &mut (impl FrameSource + ?Sized),
    eyes: &mut [Eye<'_>],
    keeper: Option<&mut Keeper>,
    link: &Link,
    timeout: Duration,
) -> Result<Step, String> {
    let before = source.dropped();
    let frame = match source.next(timeout) {
        Ok(frame) => frame,
        Err(CameraError::TimedOut) => {
            // Damaged ones may have come.
            count_dropped(source.dropped().saturating_sub(before), eyes, link);
            return Ok(Step::Silence);
        }
        Err(error) => return Err(format!("camera lost: {error}")),
    };
    let dequeued = monotonic_now();
    for eye in &*eyes {
        link.arm(eye.lane.model, frame.sequence, frame.timestamp);
    }
    if let Some(keeper) = keeper {
        let models = eyes.iter();
        keeper.keep(
            &frame,
            models.map(|eye| (eye.lane.model, eye.sight.memory())),
        );
    }
    let mut worked = Duration::ZERO;
    let mut result = Ok(Step::Seen);
    for eye in &mut *eyes {
        let model = eye.lane.model;
        let mut seen = eye.lane.take(eye.sight.names());
        if result == Ok(Step::Seen) {
            match eye.sight.look(&frame, &mut seen.sighting) {
                Ok(times) => {
                    worked += times.preprocess + times.invoke;
                    seen.times = times;
                }
                Err(LookError::Damaged(error)) => {
                    result = Ok(Step::Damaged(error.to_string().trim().to_owned()));
                }
                Err(LookError::Failed(error)) => result = Err(error),
            }
        }
        if result == Ok(Step::Seen) {
            let times = seen.times;
            (seen.dequeued, seen.worked) = (dequeued, worked);
            eye.lane.hand_over(seen, link);
            // The lines first.
            measure(link, model, &times);
        } else if let Some(watch) = link.watches.get(model) {
            // This frame will never be done.
            watch.disarm(frame.timestamp);
        }
    }
    let damaged = matches!(result, Ok(Step::Damaged(_)));
    let dropped = source.dropped().saturating_sub(before) + u64::from(damaged);
    count_dropped(dropped, eyes, link);
    result
}

/// Counts frames that no eye of a camera has seen.
fn count_dropped(dropped: u64, eyes: &[Eye<'_>], link: &Link) {
    link.metrics.total.dropped.fetch_add(dropped, Relaxed);
    for eye in eyes {
        if let Some(measured) = link.metrics.models.get(eye.lane.model) {
            measured.dropped.fetch_add(dropped, Relaxed);
        }
    }
}

/// Counts a frame of `model` and the time of its stages.
pub fn measure(link: &Link, model: usize, times: &Times) {
    let metrics = &link.metrics;
    metrics.count(model, |of| &of.frames, 1);
    metrics.record(model, |of| &of.preprocess, times.preprocess);
    metrics.record(model, |of| &of.invoke, times.invoke);
    metrics.record(model, |of| &of.decode, times.decode + times.track);
}

/// Starts the thread of camera `camera` with its models' lanes. It ends only when everybody does:
/// whatever is missing or fails is told to the signal thread and tried again.
pub fn spawn(
    camera: usize,
    name: &'static std::ffi::CStr,
    mut thread: ModelThread,
    mut keeper: Option<Keeper>,
) -> io::Result<JoinHandle<()>> {
    let models = thread.lanes.len();
    crate::thread::spawn(name, move || {
        let mut inferences: Vec<Option<Inference>> = (0..models).map(|_| None).collect();
        thread.run(name, |thread, panicked| {
            if panicked {
                // What a panic left behind is not to be trusted.
                inferences.fill_with(|| None);
            }
            session(thread, camera, &mut inferences, keeper.as_mut())
        });
    })
}

/// Models, camera, frames; until something fails or everybody stops.
fn session(
    thread: &mut ModelThread,
    camera: usize,
    inferences: &mut [Option<Inference>],
    mut keeper: Option<&mut Keeper>,
) -> Result<(), String> {
    let appliance = Arc::clone(&thread.appliance);
    load(thread, &appliance, inferences)?;
    thread.promise(OPEN_PROMISE);
    let asked = appliance.cameras.get(camera).ok_or("no such camera")?;
    let (mut source, negotiated) =
        edgeai_camera::open(asked).map_err(|error| format!("camera missing: {error}"))?;
    let title = match appliance.cameras.len() {
        1 => "camera".to_owned(),
        _ => format!("camera {}", asked.name),
    };
    thread.say(log::Level::Info, format!("{title}: {negotiated}"));
    let spec = SourceSpec {
        format: negotiated.format,
        colour: negotiated.colour,
        size: [negotiated.width, negotiated.height],
    };
    let fps = negotiated.fps.unwrap_or_else(|| asked.fps.into());
    let link = Arc::clone(&thread.link);
    let promise = FRAME_WAIT + stuck_after(link.deadline);
    let models: Vec<_> = thread.lanes.iter().map(|lane| lane.model).collect();
    let mut eyes = Vec::with_capacity(inferences.len());
    for (lane, inference) in thread.lanes.iter_mut().zip(inferences) {
        let inference = inference.as_mut().ok_or("no model")?;
        let model = appliance.models.get(lane.model).ok_or("no such model")?;
        let sight = inference.look_through(&spec, model.crop, model.track.as_ref())?;
        if let Some(watch) = link.watches.get(lane.model) {
            watch.set_frame_rate(fps);
        }
        eyes.push(Eye { sight, lane });
    }
    let mut host = Host::new(&link.home, thread.real_time);
    let mut source = Paced {
        source: &mut *source,
        pace: Pace::new(thread.real_time),
    };
    let mut last_frame = monotonic_now();
    let mut damage = None;
    let limit = frame_limit(&link, &models);
    while !link.stopping() {
        for model in &models {
            if let Some(kept) = link.promises.get(*model) {
                kept.give(promise);
            }
        }
        let stepped = step(
            &mut source,
            &mut eyes,
            keeper.as_deref_mut(),
            &link,
            FRAME_WAIT,
        )?;
        match stepped {
            Step::Seen => {
                host.worked(source.pace.working());
                thread.fault = None;
                damage = None;
                last_frame = monotonic_now();
                continue;
            }
            Step::Damaged(how) => damage = Some(how),
            Step::Silence => {}
        }
        if monotonic_now().saturating_sub(last_frame) > limit * 2 {
            // Some drivers stall for good after a disturbance; opening anew helps them.
            return Err(match damage {
                Some(how) => format!("camera lost: it delivers no whole frame: {how}"),
                None => "camera lost: it delivers no frames".into(),
            });
        }
    }
    Ok(())
}

fn frame_limit(link: &Link, models: &[usize]) -> Duration {
    let limits = models.iter().filter_map(|model| link.watches.get(*model));
    limits
        .map(crate::watch::Watch::frame_limit)
        .max()
        .unwrap_or(RETRY)
}

/// Loads what is not loaded. Names are known first, so that the rules do not wait for the engines.
fn load(
    thread: &mut ModelThread,
    appliance: &Appliance,
    inferences: &mut [Option<Inference>],
) -> Result<(), String> {
    let models: Vec<_> = thread.lanes.iter().map(|lane| lane.model).collect();
    let missing = |inference: &Option<Inference>| inference.is_none();
    if appliance.models.len() > 1 && inferences.iter().any(missing) {
        for (lane, model) in models.iter().enumerate() {
            let described = appliance.models.get(*model).ok_or("no such model")?;
            let directory = edgeai_config::model_directory(&described.file);
            let names = names(&directory).map_err(|error| format!("model: {error}"))?;
            thread.enter(lane, "", &names)?;
        }
    }
    for (lane, (model, inference)) in models.iter().zip(inferences).enumerate() {
        if inference.is_none() {
            let described = appliance.models.get(*model).ok_or("no such model")?;
            let loaded = thread.load(*model, described)?;
            thread.introduce(lane, &loaded)?;
            *inference = Some(loaded);
        }
    }
    Ok(())
}
