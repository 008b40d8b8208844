//! What the rules look at, and how it is put before them: the same on the device and in a replay.

use edgeai_config::{Day, Level, Samples};
use edgeai_decode::Findings;
use edgeai_recording::{
    Decision, Evaluation, MAX_CHANNELS, MAX_COUNTERS, MAX_SAMPLED, Sampled, Sighting,
};
use edgeai_rules::{Observation, Rules, Wall};
use std::time::Duration;

/// Most models of an appliance.
pub const MAX_MODELS: usize = 4;
/// Most inputs, and most outputs, of an appliance.
pub const MAX_LINES: usize = 32;

/// The last sighting of each model and the last value of each sensor channel.
pub struct Evidence {
    sightings: Vec<Sighting>,
    /// Bit m: model m has a sighting.
    seen: u32,
    /// Bit m: the sighting was not before the rules yet.
    fresh: u32,
    sensors: [Option<f64>; MAX_CHANNELS],
    channels: usize,
    /// Bit c: the value of channel c was not before the rules yet.
    sensors_fresh: u64,
    /// All samples of a channel since the evaluation before, where there were several; else none.
    samples: [Samples; MAX_CHANNELS],
    /// Bit c: the last evaluation was of several samples of channel c.
    several: u64,
}

impl Evidence {
    /// Of so many models and channels.
    #[must_use]
    pub fn new(models: usize, channels: usize) -> Self {
        Self {
            sightings: (0..models.min(MAX_MODELS))
                .map(|_| Sighting::default())
                .collect(),
            seen: 0,
            fresh: 0,
            sensors: [None; MAX_CHANNELS],
            channels: channels.min(MAX_CHANNELS),
            sensors_fresh: 0,
            samples: [Samples::NONE; MAX_CHANNELS],
            several: 0,
        }
    }

    /// A model has seen something; gives back what it saw before.
    pub fn see(&mut self, sighting: Sighting) -> Sighting {
        let model = usize::from(sighting.model);
        let Some(last) = self.sightings.get_mut(model) else {
            return sighting;
        };
        self.seen |= 1 << model;
        self.fresh |= 1 << model;
        std::mem::replace(last, sighting)
    }

    /// The last sighting of a model, if it counts.
    #[must_use]
    pub fn sighting(&self, model: usize) -> Option<&Sighting> {
        let seen = self.seen >> model & 1 == 1;
        self.sightings.get(model).filter(|_| seen)
    }

    /// What a model saw counts no more.
    pub fn forget(&mut self, model: usize) {
        self.seen &= !(1 << model);
        self.fresh &= !(1 << model);
    }

    /// New rules have not seen anything yet.
    pub fn renew(&mut self) {
        self.fresh = self.seen;
    }

    /// Whether every model has seen something.
    #[must_use]
    pub fn complete(&self) -> bool {
        self.seen.count_ones() as usize == self.sightings.len()
    }

    /// Takes over the sensors' values: `read` fills the channels and their samples since it was last
    /// called, and says which are new. Whether any is, or one has become unknown.
    pub fn measure(
        &mut self,
        read: impl FnOnce(&mut [Option<f64>], &mut [Samples]) -> u64,
    ) -> bool {
        let known = |values: &[Option<f64>]| values.iter().filter(|value| value.is_some()).count();
        let values = self.sensors.get_mut(..self.channels).unwrap_or_default();
        let before = known(values);
        let samples = self.samples.get_mut(..self.channels).unwrap_or_default();
        let fresh = read(values, samples);
        self.sensors_fresh |= fresh;
        fresh != 0 || known(values) != before
    }

    /// Evaluates the rules with all there is. Does not allocate.
    pub fn evaluate(
        &mut self,
        rules: &mut Rules,
        now: Duration,
        wall: Option<(Day, u32)>,
        inputs: &[Level],
    ) -> Evaluation {
        let fresh = std::mem::take(&mut self.fresh);
        let sensors_fresh = std::mem::take(&mut self.sensors_fresh);
        self.several = 0;
        for (channel, samples) in self.samples.iter().take(self.channels).enumerate() {
            let several = sensors_fresh >> channel & 1 == 1 && samples.count > 1.0;
            self.several |= u64::from(several) << channel;
        }
        let mut models = [Findings::default(); MAX_MODELS];
        for (findings, sighting) in models.iter_mut().zip(&self.sightings) {
            *findings = sighting.findings();
        }
        let levels = rules.evaluate(&Observation {
            now,
            wall: wall.map(|(day, second)| Wall { day, second }),
            models: models.get(..self.sightings.len()).unwrap_or_default(),
            inputs,
            sensors: self.sensors.get(..self.channels).unwrap_or_default(),
            fresh,
            lost: 0,
            sensors_fresh,
            samples: self.samples.get(..self.channels).unwrap_or_default(),
        });
        let levels = bits(levels);
        let mut counters = [0; MAX_COUNTERS];
        for (value, counter) in counters.iter_mut().zip(rules.counters()) {
            *value = counter.value;
        }
        Evaluation {
            now,
            wall,
            fresh,
            input_count: u8::try_from(inputs.len().min(MAX_LINES)).unwrap_or(u8::MAX),
            inputs: bits(inputs),
            sensors_fresh,
            sensors: self.sensors,
            decision: Decision {
                levels,
                active: (0..64).fold(0, |bits, rule| bits | u64::from(rules.active(rule)) << rule),
                started: rules.started(),
                counters,
            },
            driven: 0,
            safe: false,
        }
    }

    /// Does again what was recorded: the same inputs, sensor values and times.
    pub fn evaluate_again(&mut self, rules: &mut Rules, recorded: &Evaluation) -> Evaluation {
        self.fresh = recorded.fresh;
        self.sensors = recorded.sensors;
        self.sensors_fresh = recorded.sensors_fresh;
        let mut room = [Level::Low; MAX_LINES];
        let inputs = levels(recorded.inputs, &mut room, recorded.input_count.into());
        let made = self.evaluate(rules, recorded.now, recorded.wall, inputs);
        // The next has its own, or single ones.
        self.samples.fill(Samples::NONE);
        made
    }

    /// What `record` needs of the samples in the last evaluation: those channels of which there were
    /// several, each run of them.
    pub fn sampled(&self, mut record: impl FnMut(Sampled)) {
        let mut rest = self.several;
        while rest != 0 {
            let first = rest.trailing_zeros() as usize;
            let run = (rest >> first).trailing_ones() as usize;
            let run = run.min(MAX_SAMPLED);
            rest &= !((u64::MAX >> (64 - run)) << first);
            if let Some(samples) = self.samples.get(first..first + run) {
                record(Sampled::new(first, samples));
            }
        }
    }

    /// What was sampled before the next evaluation that is done again.
    pub fn sample_again(&mut self, recorded: &Sampled) {
        let first = usize::from(recorded.first);
        let places = self.samples.iter_mut().skip(first);
        for (place, samples) in places.zip(recorded.samples()) {
            *place = *samples;
        }
    }
}

/// Bit i: level i is high.
pub fn bits(levels: &[Level]) -> u32 {
    levels
        .iter()
        .take(MAX_LINES)
        .enumerate()
        .fold(0, |bits, (index, level)| {
            bits | u32::from(*level == Level::High) << index
        })
}

/// The first `count` levels of `bits`, into room for all there can be.
pub fn levels(bits: u32, room: &mut [Level; MAX_LINES], count: usize) -> &[Level] {
    for (index, level) in room.iter_mut().enumerate() {
        *level = if bits >> index & 1 == 1 {
            Level::High
        } else {
            Level::Low
        };
    }
    room.get(..count).unwrap_or(room)
}
