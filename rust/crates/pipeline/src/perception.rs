//! A model that looks at recorded frames or windows, one after the other, without threads.

use crate::inference::{Hearing, Inference, Sight, Times};
use edgeai_camera::Frame;
use edgeai_config::Model;
use edgeai_preprocess::SourceSpec;
use edgeai_recording::{Sighting, Window};

/// A model and what it remembers.
pub struct Perception<'a> {
    model: u8,
    described: &'a Model,
    remembers: bool,
    /// What it is prepared for. `None` only while that changes.
    state: Option<State<'a>>,
}

enum State<'a> {
    Idle(&'a mut Inference),
    Looking(Box<Sight<'a>>, SourceSpec),
    Listening(Box<Hearing<'a>>),
}

impl<'a> Perception<'a> {
    /// Of model number `model`.
    #[must_use]
    pub fn new(model: usize, described: &'a Model, inference: &'a mut Inference) -> Self {
        Self {
            model: u8::try_from(model).unwrap_or(u8::MAX),
            described,
            remembers: described.track.is_some() || inference.remembers(),
            state: Some(State::Idle(inference)),
        }
    }

    /// Whether what it finds depends on frames or windows before.
    #[must_use]
    pub fn remembers(&self) -> bool {
        self.remembers
    }

    /// Forgets what was seen, as when a camera was lost.
    pub fn begin_anew(&mut self) {
        let inference = match self.state.take() {
            Some(State::Idle(inference)) => Some(inference),
            Some(State::Looking(sight, _)) => Some(sight.into_inner()),
            Some(State::Listening(hearing)) => Some(hearing.into_inner()),
            None => None,
        };
        self.state = inference.map(State::Idle);
    }

    fn idle(&mut self) -> Result<&'a mut Inference, String> {
        self.begin_anew();
        match self.state.take() {
            Some(State::Idle(inference)) => Ok(inference),
            _ => Err("the model failed before".into()),
        }
    }

    /// What the model remembers, into `out`; of one that has not been prepared nothing.
    pub fn save(&self, out: &mut Vec<u8>) {
        match &self.state {
            Some(State::Looking(sight, _)) => sight.memory().save(out),
            Some(State::Listening(hearing)) => hearing.memory().save(out),
            Some(State::Idle(_)) | None => out.clear(),
        }
    }

    /// Remembers what the model remembered when that was written down. It has been prepared.
    ///
    /// # Errors
    /// One line: it is not of this model, which remembers what it did, then.
    pub fn recall(&mut self, memory: &[u8]) -> Result<(), String> {
        let recalled = match &mut self.state {
            Some(State::Looking(sight, _)) => sight.recall(memory),
            Some(State::Listening(hearing)) => hearing.recall(memory),
            Some(State::Idle(_)) | None => return Err("the model is not prepared".into()),
        };
        recalled.map_err(|error| error.to_string())
    }

    /// Prepares the model for frames like this one. Those of another kind begin anew.
    ///
    /// # Errors
    /// One line saying what does not fit.
    pub fn prepare_to_look(&mut self, frame: &Frame<'_>) -> Result<(), String> {
        let source = SourceSpec {
            format: frame.format,
            colour: frame.colour,
            size: [frame.width, frame.height],
        };
        if !matches!(&self.state, Some(State::Looking(_, of)) if *of == source) {
            let inference = self.idle()?;
            let track = self.described.track.as_ref();
            let sight = inference.look_through(&source, self.described.crop, track)?;
            self.state = Some(State::Looking(Box::new(sight), source));
        }
        Ok(())
    }

    /// What the model sees in a frame, and how long each stage took.
    ///
    /// # Errors
    /// One line from the stage that failed.
    pub fn look(&mut self, frame: &Frame<'_>) -> Result<(Sighting, Times), String> {
        self.prepare_to_look(frame)?;
        let Some(State::Looking(sight, _)) = &mut self.state else {
            return Err("the model failed before".into());
        };
        let names = sight.names();
        let mut sighting = Sighting::with_room(names.points.len(), names.values.len());
        sighting.model = self.model;
        let times = sight
            .look(frame, &mut sighting)
            .map_err(|error| error.to_string())?;
        Ok((sighting, times))
    }

    /// Prepares the model for windows.
    ///
    /// # Errors
    /// One line saying what does not fit.
    pub fn prepare_to_hear(&mut self) -> Result<(), String> {
        if !matches!(&self.state, Some(State::Listening(_))) {
            let hearing = self.idle()?.listen()?;
            self.state = Some(State::Listening(Box::new(hearing)));
        }
        Ok(())
    }

    /// What the model hears in a window.
    ///
    /// # Errors
    /// One line from the stage that failed.
    pub fn hear(&mut self, window: &Window) -> Result<(Sighting, Times), String> {
        self.prepare_to_hear()?;
        let Some(State::Listening(hearing)) = &mut self.state else {
            return Err("the model failed before".into());
        };
        let names = hearing.names();
        let mut sighting = Sighting::with_room(names.points.len(), names.values.len());
        sighting.model = self.model;
        (sighting.sequence, sighting.captured) = (window.sequence, window.captured);
        let times = hearing.hear(&window.samples, &mut sighting)?;
        Ok((sighting, times))
    }
}
