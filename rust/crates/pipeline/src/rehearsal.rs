//! An appliance without threads and lines, on a clock of its own: what it sees comes from files, and
//! what it decides goes into a recording.

use crate::evidence::Evidence;
use crate::perception::Perception;
use crate::script::{Script, What, later};
use crate::start::camera_of;
use edgeai_camera::FrameSource;
use edgeai_config::{Appliance, Day, Level, Samples};
use edgeai_decode::Names;
use edgeai_recording::{Frame, Record, Sighting, Window};
use edgeai_rules::Rules;
use std::time::Duration;

/// The clock begins here: as if the device had been on for a while.
const START: Duration = Duration::from_secs(1000);
/// Longest wait for a frame from a file.
const FRAME_WAIT: Duration = Duration::from_secs(10);

/// A camera that plays images, and its pace in the rehearsal.
pub struct Scene {
    /// The images.
    pub source: Box<dyn FrameSource + Send>,
    /// Time from a frame to the next.
    pub period: Duration,
}

/// What a sensor measures in the rehearsal.
pub struct Track {
    /// The model that listens.
    pub model: usize,
    /// First of the sensor's channels, flat.
    pub first_channel: usize,
    /// How many it has.
    pub channels: usize,
    /// Samples of a window, and from one to the next.
    pub window: [usize; 2],
    /// Time from a sample to the next.
    pub period: Duration,
    /// Channel beside channel.
    pub samples: Vec<f32>,
}

/// A rehearsal.
pub struct Rehearsal<'a> {
    appliance: &'a Appliance,
    models: Vec<Perception<'a>>,
    rules: Rules,
    evidence: Evidence,
    inputs: Vec<Level>,
    wall: Option<(Duration, (Day, u32))>,
    /// When the rules may change by themselves.
    due: Option<Duration>,
    evaluations: u64,
}

/// The next thing that happens; of several at one time the first of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Next {
    Script,
    Window(usize),
    Frame(usize),
    Due,
}

type Put<'p> = &'p mut dyn FnMut(&Record) -> Result<(), String>;

impl<'a> Rehearsal<'a> {
    /// Of an appliance whose models have these names.
    ///
    /// # Errors
    /// One line: a rule names what the models do not know.
    pub fn new(
        appliance: &'a Appliance,
        models: Vec<Perception<'a>>,
        names: &[Names],
    ) -> Result<Self, String> {
        let channels = appliance.sensors.iter();
        let channels = channels.map(|sensor| sensor.channels.len()).sum();
        Ok(Self {
            appliance,
            evidence: Evidence::new(models.len(), channels),
            models,
            rules: Rules::new(appliance, names).map_err(|error| error.to_string())?,
            inputs: vec![Level::Low; appliance.inputs.len()],
            wall: None,
            due: None,
            evaluations: 0,
        })
    }

    /// Plays until a camera has given `frames` frames (a sensor: all its samples; neither: the end of the
    /// script), and puts into `put` all that a device would have recorded after its models. Returns how
    /// often the rules were evaluated.
    ///
    /// # Errors
    /// One line from a camera, a model or `put`.
    pub fn run(
        mut self,
        mut scenes: Vec<Option<Scene>>,
        tracks: &[Track],
        script: &Script,
        frames: u32,
        put: Put<'_>,
    ) -> Result<u64, String> {
        put(&Record::Rules)?;
        let mut shown = vec![0_u32; scenes.len()];
        let mut heard = vec![0_usize; tracks.len()];
        let mut script = script.0.iter().peekable();
        loop {
            let of_script = script.peek().map(|(at, _)| (START + *at, Next::Script));
            let of_scenes = scenes.iter().enumerate().filter_map(|(index, scene)| {
                let number = shown
                    .get(index)
                    .copied()
                    .filter(|number| *number < frames)?;
                Some((START + scene.as_ref()?.period * number, Next::Frame(index)))
            });
            let of_tracks = tracks.iter().enumerate().filter_map(|(index, track)| {
                let end = track.window_end(*heard.get(index)?)?;
                let samples = u32::try_from(end).unwrap_or(u32::MAX);
                Some((START + track.period * samples, Next::Window(index)))
            });
            let next = of_script
                .into_iter()
                .chain(of_scenes)
                .chain(of_tracks)
                .min();
            // What only waits goes on for as long as something else is to come.
            let Some(next) = next else { break };
            let due = self.due.map(|due| (due, Next::Due));
            let (now, what) = due.map_or(next, |due| due.min(next));
            match what {
                Next::Script => {
                    if let Some((_, what)) = script.next() {
                        self.happen(now, *what);
                    }
                }
                Next::Frame(camera) => {
                    let number = shown.get_mut(camera).ok_or("no such camera")?;
                    let scene = scenes.get_mut(camera).and_then(Option::as_mut);
                    self.show(camera, scene.ok_or("no such camera")?, *number, now, put)?;
                    *number += 1;
                }
                Next::Window(index) => {
                    let (track, number) = tracks
                        .get(index)
                        .zip(heard.get_mut(index))
                        .ok_or("no such sensor")?;
                    self.play(track, *number, now, put)?;
                    *number += 1;
                }
                Next::Due => {}
            }
            self.evaluate(now, put)?;
        }
        put(&Record::End)?;
        Ok(self.evaluations)
    }

    fn happen(&mut self, now: Duration, what: What) {
        match what {
            What::Input(index, level) => {
                if let Some(input) = self.inputs.get_mut(index) {
                    *input = level;
                }
            }
            What::Channel(channel, value) => self.measure(channel, value, Samples::NONE),
            What::Wall(day, second) => self.wall = Some((now, (day, second))),
        }
    }

    /// The newest value of a channel, and all samples since the one before if there were several.
    fn measure(&mut self, channel: usize, value: Option<f64>, several: Samples) {
        self.evidence.measure(|values, samples| {
            if let (Some(known), Some(sum)) = (values.get_mut(channel), samples.get_mut(channel)) {
                (*known, *sum) = (value, several);
            }
            u64::from(value.is_some()) << channel.min(63)
        });
    }

    /// A frame, and what every model of its camera sees in it.
    fn show(
        &mut self,
        camera: usize,
        scene: &mut Scene,
        number: u32,
        now: Duration,
        put: Put<'_>,
    ) -> Result<(), String> {
        let frame = scene.source.next(FRAME_WAIT);
        let frame = frame.map_err(|error| format!("camera: {error}"))?;
        let planes = || {
            let planes = frame.planes.iter().take(frame.plane_count);
            planes.map(|plane| (plane.bytes, plane.stride))
        };
        let mut kept = Frame::with_room(planes().map(|(bytes, _)| bytes.len()).sum());
        kept.camera = u8::try_from(camera).unwrap_or(u8::MAX);
        (kept.format, kept.colour) = (frame.format, frame.colour);
        (kept.width, kept.height) = (frame.width, frame.height);
        (kept.sequence, kept.captured) = (number, now);
        if !kept.fill(planes()) {
            return Err("camera: a frame of more than three planes".into());
        }
        let record = Record::Frame(kept);
        put(&record)?;
        let Record::Frame(kept) = record else {
            return Ok(());
        };
        for (described, model) in self.appliance.models.iter().zip(&mut self.models) {
            if camera_of(self.appliance, described) == Some(camera) {
                let (sighting, _) = model.look(&(&kept).into())?;
                Self::see(&mut self.evidence, sighting, put)?;
            }
        }
        Ok(())
    }

    /// A window, and what the model makes of it.
    fn play(
        &mut self,
        track: &Track,
        number: usize,
        now: Duration,
        put: Put<'_>,
    ) -> Result<(), String> {
        let [length, hop] = track.window;
        let samples = track.samples.get(number * hop * track.channels..);
        let samples = samples.and_then(|rest| rest.get(..length * track.channels));
        let samples = samples.ok_or("the samples have ended")?;
        for channel in 0..track.channels {
            let all = track.since_last_window(number, channel);
            let (sum, newest) = all.fold((Samples::NONE, None), |(sum, _), value| {
                (sum.merge(Samples::of(value)), Some(value))
            });
            self.measure(track.first_channel + channel, newest, sum);
        }
        let record = Record::Window(Window {
            model: u8::try_from(track.model).unwrap_or(u8::MAX),
            sequence: u32::try_from(number + 1).unwrap_or(u32::MAX),
            captured: now,
            samples: samples.to_vec(),
        });
        put(&record)?;
        if let (Record::Window(window), Some(model)) = (record, self.models.get_mut(track.model)) {
            let (sighting, _) = model.hear(&window)?;
            Self::see(&mut self.evidence, sighting, put)?;
        }
        Ok(())
    }

    fn see(evidence: &mut Evidence, sighting: Sighting, put: Put<'_>) -> Result<(), String> {
        let record = Record::Sighting(sighting);
        put(&record)?;
        if let Record::Sighting(sighting) = record {
            evidence.see(sighting);
        }
        Ok(())
    }

    fn evaluate(&mut self, now: Duration, put: Put<'_>) -> Result<(), String> {
        if !self.evidence.complete() {
            return Ok(());
        }
        let wall = self
            .wall
            .map(|(since, wall)| later(wall, now.saturating_sub(since)));
        let mut made = self
            .evidence
            .evaluate(&mut self.rules, now, wall, &self.inputs);
        made.driven = made.decision.levels;
        let mut sampled = Vec::new();
        self.evidence.sampled(|of_sensor| sampled.push(of_sensor));
        for of_sensor in sampled {
            put(&Record::Samples(of_sensor))?;
        }
        self.due = self
            .rules
            .due()
            .map(|due| due.max(now + Duration::from_nanos(1)));
        self.evaluations += 1;
        put(&Record::Evaluation(made))
    }
}

impl Track {
    /// Samples up to the end of window `number`; none beyond the last.
    fn window_end(&self, number: usize) -> Option<usize> {
        let [length, hop] = self.window;
        let end = number * hop + length;
        (end * self.channels <= self.samples.len()).then_some(end)
    }

    /// What a channel measured from the end of the window before to the end of window `number`.
    fn since_last_window(&self, number: usize, channel: usize) -> impl Iterator<Item = f64> {
        let end = |number| self.window_end(number).unwrap_or(0);
        let start = number.checked_sub(1).map_or(0, end);
        let moments = self.samples.chunks_exact(self.channels.max(1));
        let moments = moments.take(end(number)).skip(start);
        moments.filter_map(move |moment| moment.get(channel).map(|value| f64::from(*value)))
    }
}
