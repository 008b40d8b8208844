//! A recording decided again: the same rules, times and inputs must give the same decisions, bit for
//! bit.

use crate::difference::{compared, difference, of_frame, same_bits, seconds};
use crate::evidence::{Evidence, MAX_MODELS};
use crate::perception::Perception;
use crate::start::camera_of;
use edgeai_config::Appliance;
use edgeai_decode::Names;
use edgeai_recording::{
    Evaluation, Frame, Header, Memory, Model, Record, RecordingError, Sighting, Window,
};
use edgeai_rules::Rules;
use serde::Serialize;
use std::collections::VecDeque;

/// Frames of each camera that wait for the sighting made of them: the recorder puts them just before it.
const WAITING: usize = 16;

/// What came of a replay.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Report {
    /// Evaluations whose decisions were compared.
    pub evaluations: u64,
    /// Evaluations that were not, since what the rules remembered is not known there.
    pub not_compared: u64,
    /// Decisions that differ.
    pub different: u64,
    /// The first of them.
    pub first_difference: Option<Difference>,
    /// Sightings made again from frames.
    pub sightings: u64,
    /// Sightings whose frame is not in the recording; the recorded ones were used.
    pub without_frame: u64,
    /// Sightings of a model that remembers what it saw, behind something it did not see here; the
    /// recorded ones were used.
    pub without_memory: u64,
    /// Sightings that came out different.
    pub sightings_different: u64,
    /// The first of them: model, frame, and what differs.
    pub first_sighting_different: Option<String>,
    /// States of the rules in the recording that were compared with what the rules remember here.
    pub states: u64,
    /// Those that differ.
    pub states_different: u64,
    /// What models remembered, in the recording, that was compared with what they remember here.
    pub memories: u64,
    /// Those that differ.
    pub memories_different: u64,
    /// The first of them, or that could not be taken up: model, frame, and why.
    pub first_memory_different: Option<String>,
    /// What the recorder could not keep.
    pub frames_missing: u64,
    /// See `frames_missing`.
    pub decisions_missing: u64,
    /// Why the recording ends earlier than it should, if it does.
    pub cut_off: Option<String>,
}

/// Two decisions that should be one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The rules' time, seconds on the device's `CLOCK_MONOTONIC`.
    pub time: String,
    /// One line: outputs, rules or counters, recorded and replayed.
    pub what: String,
}

/// A replay under way.
pub struct Replay<'a> {
    appliance: &'a Appliance,
    names: Vec<Option<Names>>,
    rules: Option<Box<Rules>>,
    evidence: Evidence,
    /// What the rules remember is what they remembered on the device.
    known: bool,
    /// Models to look at the frames with; empty: recorded sightings are used.
    models: Vec<Perception<'a>>,
    /// Bit m: model m remembers something else than on the device.
    astray: u32,
    /// Bit m: model m found something else than on the device, so that it may remember something else.
    differing: u32,
    /// What each model remembered before its next sighting.
    memories: Vec<Option<Vec<u8>>>,
    frames: Vec<VecDeque<Frame>>,
    windows: Vec<VecDeque<Window>>,
    last: Option<Header>,
    report: Report,
}

impl<'a> Replay<'a> {
    /// Of an appliance, from recorded findings.
    #[must_use]
    pub fn of_findings(appliance: &'a Appliance) -> Self {
        Self::new(appliance, Vec::new())
    }

    /// Of an appliance, from frames: every model in the description's order.
    #[must_use]
    pub fn of_frames(appliance: &'a Appliance, models: Vec<Perception<'a>>) -> Self {
        Self::new(appliance, models)
    }

    fn new(appliance: &'a Appliance, models: Vec<Perception<'a>>) -> Self {
        let channels = appliance.sensors.iter();
        let channels = channels.map(|sensor| sensor.channels.len()).sum();
        let count = appliance.models.len();
        Self {
            appliance,
            names: vec![None; count.min(MAX_MODELS)],
            rules: None,
            evidence: Evidence::new(count, channels),
            known: false,
            models,
            astray: 0,
            differing: 0,
            memories: vec![None; count],
            frames: appliance.cameras.iter().map(|_| VecDeque::new()).collect(),
            windows: (0..count).map(|_| VecDeque::new()).collect(),
            last: None,
            report: Report::default(),
        }
    }

    /// The next file begins.
    ///
    /// # Errors
    /// One line: it belongs to another run.
    pub fn begin(&mut self, header: &Header) -> Result<(), String> {
        let mut next = 0;
        if let Some(last) = &self.last {
            if last.run != header.run {
                return Err("the files are of different runs".into());
            }
            next = last.part + 1;
        }
        if header.part != next {
            // A part is missing: nobody knows what happened in it.
            self.lose_track();
        }
        self.last = Some(header.clone());
        Ok(())
    }

    /// What was decided and seen here is not known: neither is what rules and models remember behind it.
    fn lose_track(&mut self) {
        self.known = false;
        self.memories.fill(None);
        let models = self.models.iter().enumerate();
        self.astray |= models.fold(0, |bits, (index, model)| {
            bits | u32::from(model.remembers()) << index
        });
    }

    /// The file ends before its end, for this reason.
    pub fn cut_off(&mut self, error: &RecordingError) {
        self.report.cut_off = Some(error.to_string());
    }

    /// Takes the next record.
    ///
    /// # Errors
    /// One line: the recording does not fit its own description, or a model fails.
    pub fn take(&mut self, record: Record) -> Result<(), String> {
        match record {
            Record::Header(_) | Record::End => {}
            Record::Model(Model { index, names, .. }) => {
                let known = self.names.get_mut(usize::from(index));
                *known.ok_or("a model that the description does not have")? = Some(names);
            }
            Record::Rules => {
                self.rules = Some(self.new_rules()?);
                self.known = true;
            }
            Record::State(state) => self.remember(&state)?,
            Record::Memory(Memory { model, bytes }) => {
                let next = self.memories.get_mut(usize::from(model));
                *next.ok_or("a model that the description does not have")? = Some(bytes);
            }
            Record::Samples(sampled) => self.evidence.sample_again(&sampled),
            Record::Reset { anew } => self.reset(anew),
            Record::Frame(frame) => {
                if let Some(waiting) = self.frames.get_mut(usize::from(frame.camera)) {
                    waiting.truncate_front_to(WAITING - 1);
                    waiting.push_back(frame);
                }
            }
            Record::Window(window) => {
                if let Some(waiting) = self.windows.get_mut(usize::from(window.model)) {
                    waiting.truncate_front_to(WAITING - 1);
                    waiting.push_back(window);
                }
            }
            Record::Sighting(sighting) => {
                let sighting = self.look_again(sighting)?;
                self.evidence.see(sighting);
            }
            Record::Evaluation(evaluation) => self.evaluate(&evaluation),
            Record::Gap(gap) => {
                self.report.frames_missing += gap.frames;
                self.report.decisions_missing += gap.decisions;
                if gap.decisions > 0 {
                    self.lose_track();
                }
            }
        }
        Ok(())
    }

    fn new_rules(&self) -> Result<Box<Rules>, String> {
        let names: Option<Vec<_>> = self.names.iter().cloned().collect();
        let names = names.ok_or("rules before the models they are of")?;
        let rules = Rules::new(self.appliance, &names);
        Ok(Box::new(rules.map_err(|error| error.to_string())?))
    }

    /// The rules remember what they remembered on the device. Where that is known already it is the
    /// same, bit for bit.
    fn remember(&mut self, state: &[u8]) -> Result<(), String> {
        let mut rules = match self.rules.take() {
            Some(rules) => rules,
            None => self.new_rules()?,
        };
        let mut same = false;
        if self.known {
            let mut own = Vec::new();
            rules.save(&mut own);
            same = own == state;
            self.report.states += 1;
            self.report.states_different += u64::from(!same);
        }
        if !same {
            rules.restore(state).map_err(|error| error.to_string())?;
        }
        self.rules = Some(rules);
        self.known = true;
        Ok(())
    }

    fn reset(&mut self, anew: u32) {
        self.astray &= !anew;
        self.differing &= !anew;
        for (index, memory) in self.memories.iter_mut().enumerate() {
            if anew >> index & 1 == 1 {
                *memory = None;
            }
        }
        for (index, model) in self.models.iter_mut().enumerate() {
            if anew >> index & 1 == 1 {
                model.begin_anew();
            }
        }
        for model in 0..self.names.len() {
            if anew >> model & 1 == 1 {
                self.evidence.forget(model);
            }
        }
        if let Some(rules) = &mut self.rules {
            rules.reset();
        } else if let Some(names) = self.names.iter().cloned().collect::<Option<Vec<_>>>() {
            // The file before, in which the rules came to be, is not there.
            self.rules = Rules::new(self.appliance, &names).ok().map(Box::new);
        }
        // Latches, cooldowns and counters outlive a reset.
        let forgets_all = self.appliance.rules.iter().all(|rule| {
            !rule.then.latch && rule.then.cooldown_ms == 0 && rule.then.count.is_none()
        });
        self.known |= forgets_all && self.rules.is_some();
    }

    /// The sighting made of the recorded frame or window; the recorded one if there is none.
    fn look_again(&mut self, recorded: Sighting) -> Result<Sighting, String> {
        let index = usize::from(recorded.model);
        let Some(model) = self.models.get_mut(index) else {
            return Ok(recorded);
        };
        let bit = 1 << index;
        let memory = self.memories.get_mut(index).and_then(Option::take);
        if self.astray & bit != 0 && memory.is_none() {
            self.report.without_memory += 1;
            return Ok(recorded);
        }
        let described = self.appliance.models.get(index).ok_or("no such model")?;
        let of = (recorded.sequence, recorded.captured);
        let shown = match camera_of(self.appliance, described) {
            Some(camera) => self.frames.get(camera).and_then(|waiting| {
                let frames = &mut waiting.iter();
                let frame = frames.find(|frame| (frame.sequence, frame.captured) == of);
                frame.map(|frame| Shown::Frame(frame.into()))
            }),
            None => self.windows.get(index).and_then(|waiting| {
                let windows = &mut waiting.iter();
                let window = windows.find(|window| (window.sequence, window.captured) == of);
                window.map(Shown::Window)
            }),
        };
        let Some(shown) = shown else {
            self.report.without_frame += 1;
            self.astray |= u32::from(model.remembers()) << index;
            return Ok(recorded);
        };
        match &shown {
            Shown::Frame(frame) => model.prepare_to_look(frame)?,
            Shown::Window(_) => model.prepare_to_hear()?,
        }
        if let Some(memory) = memory {
            // Where it found the same all the time it remembers the same, bit for bit.
            let known = (self.astray | self.differing) & bit == 0;
            match recall(model, &memory, known, &mut self.report) {
                Ok(()) => {
                    self.astray &= !bit;
                    self.differing &= !bit;
                }
                Err(error) => {
                    let first = &mut self.report.first_memory_different;
                    first.get_or_insert_with(|| of_frame(&described.name, &recorded, &error));
                }
            }
        }
        if self.astray & bit != 0 {
            self.report.without_memory += 1;
            return Ok(recorded);
        }
        let (made, _) = match shown {
            Shown::Frame(frame) => model.look(&frame)?,
            Shown::Window(window) => model.hear(window)?,
        };
        self.report.sightings += 1;
        if !same_bits(&made, &recorded) {
            self.differing |= u32::from(model.remembers()) << index;
            self.report.sightings_different += 1;
            self.report
                .first_sighting_different
                .get_or_insert_with(|| difference(&described.name, &recorded, &made));
        }
        Ok(made)
    }

    fn evaluate(&mut self, recorded: &Evaluation) {
        let Some(rules) = self.rules.as_mut().filter(|_| self.known) else {
            self.report.not_compared += 1;
            return;
        };
        let again = self.evidence.evaluate_again(rules, recorded).decision;
        self.report.evaluations += 1;
        if again != recorded.decision {
            self.report.different += 1;
            let appliance = self.appliance;
            self.report
                .first_difference
                .get_or_insert_with(|| Difference {
                    time: seconds(recorded.now),
                    what: compared(appliance, &recorded.decision, &again),
                });
        }
    }

    /// What came of it so far.
    #[must_use]
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// What came of it.
    #[must_use]
    pub fn finish(self) -> Report {
        self.report
    }
}

/// What a model looks at.
enum Shown<'f> {
    Frame(edgeai_camera::Frame<'f>),
    Window(&'f Window),
}

/// The model remembers what it remembered on the device. Where that is `known` already it is the same.
fn recall(
    model: &mut Perception<'_>,
    memory: &[u8],
    known: bool,
    report: &mut Report,
) -> Result<(), String> {
    if known {
        let mut own = Vec::new();
        model.save(&mut own);
        report.memories += 1;
        if own == memory {
            return Ok(());
        }
        report.memories_different += 1;
        model.recall(memory)?;
        return Err("it remembered something else".into());
    }
    model.recall(memory)
}

trait TruncateFront {
    fn truncate_front_to(&mut self, count: usize);
}

impl<T> TruncateFront for VecDeque<T> {
    fn truncate_front_to(&mut self, count: usize) {
        while self.len() > count {
            self.pop_front();
        }
    }
}

impl Report {
    /// Whether every decision, state and memory that could be compared is the recorded one, and there was
    /// a decision.
    #[must_use]
    pub fn same(&self) -> bool {
        let different = self.different + self.states_different + self.memories_different;
        different == 0 && self.evaluations > 0
    }
}
