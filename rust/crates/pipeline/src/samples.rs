//! The thread of a model that listens to a sensor: the newest window of samples, what the model makes
//! of it, and on to the signal thread.

use crate::guard::stuck_after;
use crate::inference::Inference;
use crate::notes::Keeper;
use crate::thread::ModelThread;
use crate::vision::measure;
use edgeai_config::{Appliance, Model};
use edgeai_decode::{ModelDescription, ModelInput};
use edgeai_realtime::monotonic_now;
use edgeai_signal::{Sensors, WindowSource};
use std::ffi::CStr;
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

/// Longest wait for a window before looking whether to stop.
const WINDOW_WAIT: Duration = Duration::from_millis(50);

/// Where the windows of each model on a sensor come from.
pub struct Windows(Vec<(usize, Result<WindowSource, String>)>);

impl Windows {
    /// Those of one model.
    ///
    /// # Errors
    /// One line saying why there are none.
    pub fn of(&mut self, model: usize) -> Result<WindowSource, String> {
        let place = self.0.iter().position(|(of, _)| *of == model);
        let (_, windows) = self.0.swap_remove(place.ok_or("it listens to no sensor")?);
        windows
    }
}

/// Asks the sensors, before they start, for the windows that models want.
pub fn windows(appliance: &Appliance, sensors: &mut Sensors) -> Windows {
    let models = appliance.models.iter().enumerate();
    let listening = models.filter(|(_, model)| model.sensor.is_some());
    Windows(
        listening
            .map(|(index, model)| (index, window(appliance, model, sensors)))
            .collect(),
    )
}

fn window(
    appliance: &Appliance,
    model: &Model,
    sensors: &mut Sensors,
) -> Result<WindowSource, String> {
    let named = model.sensor.as_ref();
    let sensor = appliance
        .sensors
        .iter()
        .position(|sensor| Some(&sensor.name) == named);
    let sensor = sensor.ok_or("no such sensor")?;
    let directory = edgeai_config::model_directory(&model.file);
    let description = ModelDescription::load(&directory).map_err(|error| error.to_string())?;
    let ModelInput::Samples(input) = &description.input else {
        return Err("the model takes frames, not samples of a sensor".into());
    };
    let hop = input.hop.unwrap_or(input.samples);
    sensors
        .window(sensor, input.samples as usize, hop as usize)
        .map_err(|error| error.to_string())
}

/// Starts the thread of the model in `thread`'s one lane.
pub fn spawn(
    name: &'static CStr,
    mut thread: ModelThread,
    mut source: Result<WindowSource, String>,
    mut keeper: Option<Keeper>,
) -> io::Result<JoinHandle<()>> {
    crate::thread::spawn(name, move || {
        let mut inference = None;
        thread.run(name, |thread, panicked| {
            if panicked {
                // What a panic left behind is not to be trusted.
                inference = None;
            }
            match &mut source {
                Ok(source) => session(thread, source, &mut inference, keeper.as_mut()),
                // How long a window is stood in the model's directory, and that is read at start.
                Err(error) => Err(format!("model: {error}; a restart is needed")),
            }
        });
    })
}

fn session(
    thread: &mut ModelThread,
    source: &mut WindowSource,
    inference: &mut Option<Inference>,
    mut keeper: Option<&mut Keeper>,
) -> Result<(), String> {
    let appliance = Arc::clone(&thread.appliance);
    let model = thread.lanes.first().ok_or("no model")?.model;
    let described = appliance.models.get(model).ok_or("no such model")?;
    if inference.is_none() {
        let loaded = thread.load(|| Inference::load(described))?;
        thread.introduce(0, &loaded)?;
        *inference = Some(loaded);
    }
    let inference = inference.as_mut().ok_or("no model")?;
    let link = Arc::clone(&thread.link);
    let mut hearing = inference.listen()?;
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
        let Some(window) = source.next(WINDOW_WAIT) else {
            continue;
        };
        let dequeued = monotonic_now();
        // Frame numbers are 32 bits everywhere; they may begin anew.
        let sequence = u32::try_from(window.number % (1 << 32)).unwrap_or(0);
        link.arm(model, sequence, window.taken);
        if let Some(keeper) = keeper.as_deref_mut() {
            let number = u8::try_from(model).unwrap_or(u8::MAX);
            keeper.keep_window(number, sequence, window.taken, window.samples);
        }
        let mut seen = lane.take(hearing.names());
        (seen.sighting.sequence, seen.sighting.captured) = (sequence, window.taken);
        let heard = hearing.hear(window.samples, &mut seen.sighting);
        let times = heard.inspect_err(|_| {
            if let Some(watch) = link.watches.get(model) {
                watch.disarm(window.taken);
            }
        })?;
        measure(&link, model, &times);
        (seen.dequeued, seen.worked) = (dequeued, times.preprocess + times.invoke);
        seen.times = times;
        lane.hand_over(seen, &link);
        thread.fault = None;
        let overrun = source.overruns().saturating_sub(overruns);
        link.metrics.count(model, |of| &of.dropped, overrun);
    }
    Ok(())
}
