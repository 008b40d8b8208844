//! The thread of a model that listens to a sensor: the newest window of samples, what the model makes
//! of it, and on to the signal thread.

use crate::guard::stuck_after;
use crate::home::Host;
use crate::inference::Inference;
use crate::notes::Keeper;
use crate::pace::Pace;
use crate::thread::ModelThread;
use crate::vision::measure;
use edgeai_config::Appliance;
use edgeai_decode::ModelInput;
use edgeai_realtime::monotonic_now;
use edgeai_signal::{Sensors, WindowMaker, WindowSource};
use std::ffi::CStr;
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

/// Longest wait for a window before looking whether to stop.
const WINDOW_WAIT: Duration = Duration::from_millis(50);

/// What makes the windows of each model on a sensor.
pub struct Windows(Vec<(usize, WindowMaker)>);

impl Windows {
    /// Those of one model; `None`: it listens to no sensor.
    pub fn of(&self, model: usize) -> Option<WindowMaker> {
        let found = self.0.iter().find(|(of, _)| *of == model);
        found.map(|(_, windows)| windows.clone())
    }
}

/// Those of the models that listen to a sensor.
pub fn windows(appliance: &Appliance, sensors: &Sensors) -> Windows {
    let models = appliance.models.iter().enumerate();
    let listening = models.filter_map(|(index, model)| {
        let name = model.sensor.as_ref()?;
        let mut all = appliance.sensors.iter();
        let sensor = all.position(|sensor| sensor.name == *name)?;
        Some((index, sensors.windows(sensor)?))
    });
    Windows(listening.collect())
}

/// Windows as long as the loaded model wants them: that stands in its directory.
fn open(maker: &WindowMaker, inference: &Inference) -> Result<WindowSource, String> {
    let ModelInput::Samples(input) = &inference.description().input else {
        return Err("model: it takes frames, not samples of a sensor".into());
    };
    let samples = input.samples as usize;
    let hop = input.hop.unwrap_or(input.samples) as usize;
    maker
        .open(samples, hop)
        .map_err(|error| format!("model: {error}"))
}

/// Starts the thread of the model in `thread`'s one lane.
pub fn spawn(
    name: &'static CStr,
    mut thread: ModelThread,
    maker: Option<WindowMaker>,
    mut keeper: Option<Keeper>,
) -> io::Result<JoinHandle<()>> {
    crate::thread::spawn(name, move || {
        let (mut inference, mut source) = (None, None);
        thread.run(name, |thread, panicked| {
            if panicked {
                // What a panic left behind is not to be trusted.
                inference = None;
            }
            let maker = maker.as_ref().ok_or("model: no such sensor")?;
            session(thread, maker, &mut source, &mut inference, keeper.as_mut())
        });
    })
}

fn session(
    thread: &mut ModelThread,
    maker: &WindowMaker,
    source: &mut Option<WindowSource>,
    inference: &mut Option<Inference>,
    mut keeper: Option<&mut Keeper>,
) -> Result<(), String> {
    let appliance = Arc::clone(&thread.appliance);
    let model = thread.lanes.first().ok_or("no model")?.model;
    let described = appliance.models.get(model).ok_or("no such model")?;
    if inference.is_none() {
        let loaded = thread.load(model, described)?;
        thread.introduce(0, &loaded)?;
        *inference = Some(loaded);
        // It may be another model than before a panic.
        *source = None;
    }
    let inference = inference.as_mut().ok_or("no model")?;
    let source = match source {
        Some(source) => source,
        None => source.insert(open(maker, inference)?),
    };
    let link = Arc::clone(&thread.link);
    let mut hearing = inference.listen()?;
    let mut host = Host::new(&link.home, thread.real_time);
    let mut pace = Pace::new(thread.real_time);
    if let Some(watch) = link.watches.get(model) {
        watch.set_frame_rate(hearing.windows_per_second());
    }
    let lane = thread.lanes.first_mut().ok_or("no model")?;
    let promise = WINDOW_WAIT + stuck_after(link.deadline);
    while !link.stopping() {
        if let Some(kept) = link.promises.get(model) {
            kept.give(promise);
        }
        let overruns = source.overruns();
        let Some(window) = pace.wait(|| source.next(WINDOW_WAIT)) else {
            continue;
        };
        let dequeued = monotonic_now();
        // Frame numbers are 32 bits everywhere; they may begin anew.
        let sequence = u32::try_from(window.number % (1 << 32)).unwrap_or(0);
        link.arm(model, sequence, window.taken);
        if let Some(keeper) = keeper.as_deref_mut() {
            let model = (model, hearing.memory());
            keeper.keep_window(model, sequence, window.taken, window.samples);
        }
        let mut seen = lane.take(hearing.names());
        (seen.sighting.sequence, seen.sighting.captured) = (sequence, window.taken);
        let heard = hearing.hear(window.samples, &mut seen.sighting);
        let times = heard.inspect_err(|_| {
            if let Some(watch) = link.watches.get(model) {
                watch.disarm(window.taken);
            }
        })?;
        (seen.dequeued, seen.worked) = (dequeued, times.preprocess + times.invoke);
        seen.times = times;
        lane.hand_over(seen, &link);
        // The lines first.
        measure(&link, model, &times);
        host.worked(pace.working());
        thread.fault = None;
        let overrun = source.overruns().saturating_sub(overruns);
        link.metrics.count(model, |of| &of.dropped, overrun);
    }
    Ok(())
}
