//! The way of a model's results to the signal thread and back, and how the rules come to be.

use crate::link::{Handover, Link, Seen, wake};
use edgeai_config::Appliance;
use edgeai_decode::Names;
use edgeai_realtime::monotonic_now;
use edgeai_rules::Rules;
use rtrb::{Consumer, Producer, PushError, RingBuffer};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// Hand-overs that can wait for the signal thread: it has the higher priority, so hardly ever one.
const HANDOVERS: usize = 8;

/// The side of the thread that has the model.
pub struct Lane {
    /// The model's place in the description.
    pub model: usize,
    queue: Producer<Handover>,
    spare: Consumer<Seen>,
    /// One that found no room.
    kept: Option<Seen>,
    /// How many found none since the last that did.
    missing: u32,
    /// Something was handed over since the last fault.
    pub handed: bool,
}

/// The signal thread's side.
pub struct Inbox {
    /// In order.
    pub queue: Consumer<Handover>,
    /// Where sightings go back to.
    pub spare: Producer<Seen>,
}

/// The way of model `model`.
#[must_use]
pub fn lane(model: usize) -> (Lane, Inbox) {
    let (queue, from_model) = RingBuffer::new(HANDOVERS);
    let (back, spare) = RingBuffer::new(HANDOVERS);
    let lane = Lane {
        model,
        queue,
        spare,
        kept: None,
        missing: 0,
        handed: false,
    };
    let inbox = Inbox {
        queue: from_model,
        spare: back,
    };
    (lane, inbox)
}

impl Lane {
    /// A sighting to fill, with room for what a model with these names can see. Allocates only while
    /// there are not as many as are on their way at once.
    pub fn take(&mut self, names: &Names) -> Seen {
        let mut seen = match self.kept.take() {
            Some(kept) => kept,
            None => self.spare.pop().unwrap_or_default(),
        };
        seen.sighting.model = u8::try_from(self.model).unwrap_or(u8::MAX);
        seen.sighting
            .make_room(names.points.len(), names.values.len());
        seen.done = None;
        seen
    }

    /// The next sighting that the signal thread is done with, if there is one; it can be taken again.
    pub fn returned(&mut self) -> Option<&Seen> {
        if self.kept.is_none() {
            self.kept = self.spare.pop().ok();
        }
        self.kept.as_ref()
    }

    /// Hands over what was seen. With a full queue the signal thread stands still; the frame stays
    /// armed and the miss is told when it runs again.
    pub fn hand_over(&mut self, mut seen: Seen, link: &Link) {
        self.handed = true;
        seen.missing = self.missing;
        seen.handed = monotonic_now();
        if let Err(PushError::Full(Handover::Seen(seen))) = self.queue.push(Handover::Seen(seen)) {
            self.kept = Some(seen);
            self.missing = self.missing.saturating_add(1);
        } else {
            self.missing = 0;
        }
        wake(&link.signal);
    }

    /// Puts into the queue what must not be lost; waits, but not when everybody stops.
    pub fn insist(&mut self, mut handover: Handover, link: &Link) {
        while let Err(PushError::Full(back)) = self.queue.push(handover) {
            if link.stopping() {
                return;
            }
            handover = back;
            wake(&link.signal);
            thread::sleep(Duration::from_millis(1));
        }
        wake(&link.signal);
    }
}

/// The models' names, as far as they are known. Rules come to be when all are.
pub struct Roster {
    appliance: Arc<Appliance>,
    state: Mutex<State>,
}

struct State {
    names: Vec<Option<Names>>,
    /// There are rules for these names.
    made: bool,
}

impl Roster {
    /// Of an appliance none of whose models is known yet.
    #[must_use]
    pub fn new(appliance: Arc<Appliance>) -> Self {
        let names = vec![None; appliance.models.len()];
        Self {
            appliance,
            state: Mutex::new(State { names, made: false }),
        }
    }

    /// Model `model` has these names. New rules, if they are needed now.
    ///
    /// # Errors
    /// One line: a rule names what the models do not know.
    pub fn enter(&self, model: usize, names: &Names) -> Result<Option<Box<Rules>>, String> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = state.names.get_mut(model)
            && known.as_ref() != Some(names)
        {
            *known = Some(names.clone());
            state.made = false;
        }
        if state.made {
            return Ok(None);
        }
        let Some(all) = state.names.iter().cloned().collect::<Option<Vec<_>>>() else {
            return Ok(None);
        };
        let rules = Rules::new(&self.appliance, &all).map_err(|error| error.to_string())?;
        state.made = true;
        Ok(Some(Box::new(rules)))
    }
}
