//! What the real-time threads write down for the recorder: wait-free, without allocation, and counted
//! where there is no room.

use crate::link::Link;
use edgeai_camera::Frame as CameraFrame;
use edgeai_config::PixelFormat;
use edgeai_decode as decode;
use edgeai_recording::{
    Evaluation, Frame, Gap, MAX_MEMORY, MAX_POINTS, MAX_VALUES, Memory, Record, Sampled, Sighting,
    Window,
};
use edgeai_rules::Rules;
use rtrb::{Consumer, Producer, PushError, RingBuffer};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

/// Notes of the signal thread that can wait for the recorder, which looks every 20 ms.
const NOTES: usize = 64;
/// Sightings on their way to the recorder and back.
const SIGHTINGS: usize = 16;

/// From the signal thread to the recorder.
#[expect(
    clippy::large_enum_variant,
    reason = "a box for each would be an allocation"
)]
pub enum Note {
    /// To be recorded.
    Record(Record),
    /// To be kept as a picture.
    Snapshot {
        /// Bit i: for rule i.
        rules: u64,
        /// The model whose frame it is.
        model: usize,
        /// Capture time of the frame.
        captured: Duration,
    },
}

/// The signal thread's side.
pub struct Notes {
    queue: Producer<Note>,
    spare: Consumer<Sighting>,
    /// Where the rules' state is written, once the recorder has asked for it and given it back.
    states: Consumer<Vec<u8>>,
    /// One of them, ready.
    room: Option<Vec<u8>>,
    /// A sighting that found no room in the queue.
    kept: Option<Sighting>,
    /// The recorder asks for the rules' state.
    wanted: Arc<AtomicBool>,
    /// Everything, or only snapshots.
    recording: bool,
    /// Rules with `snapshot`.
    snapshots: u64,
    /// Notes that found no room since the last that did.
    lost: u64,
}

/// The recorder's side of [`Notes`].
pub struct Notebook {
    /// In order.
    pub notes: Consumer<Note>,
    /// Where sightings go back to.
    pub spare: Producer<Sighting>,
    /// Where states go back to.
    pub states: Producer<Vec<u8>>,
    /// Asks for what the rules remember: it comes after their next evaluation.
    pub wanted: Arc<AtomicBool>,
}

/// Both sides; `recording` everything, or only snapshots for these rules.
#[must_use]
pub fn notes(recording: bool, snapshots: u64) -> (Notes, Notebook) {
    let (queue, from_signal) = RingBuffer::new(NOTES);
    let (mut back, spare) = RingBuffer::new(SIGHTINGS);
    for _ in 0..if recording { SIGHTINGS } else { 0 } {
        // As many as there is room for.
        let _ = back.push(Sighting::with_room(MAX_POINTS, MAX_VALUES));
    }
    let (mut states, room) = RingBuffer::new(1);
    // There is room for this one.
    let _ = states.push(Vec::new());
    let wanted = Arc::new(AtomicBool::new(false));
    let notes = Notes {
        queue,
        spare,
        states: room,
        room: None,
        kept: None,
        wanted: Arc::clone(&wanted),
        recording,
        snapshots,
        lost: 0,
    };
    let notebook = Notebook {
        notes: from_signal,
        spare: back,
        states,
        wanted,
    };
    (notes, notebook)
}

impl Notes {
    /// New rules. Makes room for their state: the only allocation, before they have decided anything.
    pub fn rules(&mut self, rules: &Rules) {
        let state = self.room.take().or_else(|| self.states.pop().ok());
        if let (true, Some(mut state)) = (self.recording, state) {
            state.clear();
            state.reserve_exact(rules.state_room());
            self.room = Some(state);
        }
        self.record(Record::Rules);
    }

    /// The rules were evaluated, and that is noted; if the recorder has asked, what they remember is too.
    pub fn state(&mut self, rules: &Rules) {
        if !self.recording || !self.wanted.load(Relaxed) {
            return;
        }
        let Some(mut state) = self.room.take().or_else(|| self.states.pop().ok()) else {
            return;
        };
        if state.capacity() < rules.state_room() {
            // A state of rules before was on its way when these came to be.
            state.reserve_exact(rules.state_room());
        }
        rules.save(&mut state);
        self.record(Record::State(state));
        // Without room in the queue it is tried again after the next evaluation.
        self.wanted.store(self.room.is_some(), Relaxed);
    }

    /// What a sensor sampled since the last evaluation; before the next one is noted.
    pub fn samples(&mut self, sampled: Sampled) {
        self.record(Record::Samples(sampled));
    }

    /// The rules forget.
    pub fn reset(&mut self, anew: u32) {
        self.record(Record::Reset { anew });
    }

    /// So many sightings of a model did not come here. It remembers what it saw in them.
    pub fn missing(&mut self, sightings: u32) {
        if self.recording && sightings > 0 {
            self.lose(sightings);
        }
    }

    /// A model has seen something.
    pub fn sighting(&mut self, seen: &Sighting) {
        if !self.recording {
            return;
        }
        let kept = self.kept.take().or_else(|| self.spare.pop().ok());
        let Some(mut copy) = kept else {
            self.lose(1);
            return;
        };
        copy.copy_from(seen);
        self.record(Record::Sighting(copy));
    }

    /// The rules were evaluated, with `last` as the newest frame.
    pub fn evaluation(&mut self, made: Evaluation, last: Option<&Sighting>) {
        self.record(Record::Evaluation(made));
        let rules = made.decision.started & self.snapshots;
        if let (true, Some(last)) = (rules != 0, last) {
            self.push(Note::Snapshot {
                rules,
                model: last.model.into(),
                captured: last.captured,
            });
        }
    }

    fn record(&mut self, record: Record) {
        if self.recording {
            self.push(Note::Record(record));
        }
    }

    fn push(&mut self, note: Note) {
        if self.lost > 0 {
            let gap = Gap {
                frames: 0,
                decisions: self.lost,
            };
            if self.queue.push(Note::Record(Record::Gap(gap))).is_ok() {
                self.lost = 0;
            }
        }
        // What comes after a gap must not stand before it.
        let refused = if self.lost > 0 {
            Some(note)
        } else {
            let pushed = self.queue.push(note);
            pushed.err().map(|PushError::Full(note)| note)
        };
        match refused {
            None => return,
            // Their memory is used again.
            Some(Note::Record(Record::Sighting(sighting))) => self.kept = Some(sighting),
            Some(Note::Record(Record::State(state))) => {
                self.room = Some(state);
                // Nothing is missing without it.
                return;
            }
            Some(_) => {}
        }
        self.lose(1);
    }

    /// Counts what is missing. What the rules and models remember is not known behind it.
    fn lose(&mut self, count: u32) {
        self.lost = self.lost.saturating_add(count.into());
        self.wanted.store(true, Relaxed);
    }
}

/// What models looked at, for the recorder.
pub struct Kept {
    /// A frame or window.
    pub shown: Shown,
    /// What each of the models remembered before, but for those that remember nothing.
    pub memories: Vec<Memory>,
}

/// A copy of what a model looks at.
pub enum Shown {
    /// Of a camera.
    Frame(Frame),
    /// Of a sensor.
    Window(Window),
}

/// A vision thread's side: copies of its frames.
pub struct Keeper {
    kept: Producer<Kept>,
    spare: Consumer<Kept>,
    camera: u8,
    /// What the models remember is copied too.
    memories: bool,
    link: Arc<Link>,
}

/// The recorder's side of a [`Keeper`].
pub struct Shelf {
    /// In order of capture.
    pub kept: Consumer<Kept>,
    /// Where they go back to.
    pub spare: Producer<Kept>,
}

impl Keeper {
    /// A keeper of camera `camera` with `slots` empty slots; each gets its memory with its first frame.
    /// `memories`: of what models remember too.
    pub fn new(
        camera: usize,
        slots: usize,
        memories: bool,
        empty: fn() -> Kept,
        link: Arc<Link>,
    ) -> (Self, Shelf) {
        let (kept, from_camera) = RingBuffer::new(slots);
        let (mut back, spare) = RingBuffer::new(slots);
        for _ in 0..slots {
            // As many as there is room for.
            let _ = back.push(empty());
        }
        let keeper = Self {
            kept,
            spare,
            camera: u8::try_from(camera).unwrap_or(u8::MAX),
            memories,
            link,
        };
        let shelf = Shelf {
            kept: from_camera,
            spare: back,
        };
        (keeper, shelf)
    }

    /// Copies a frame that these models will look at into a free slot, or counts it. Allocates only while
    /// slots have not their size yet.
    pub fn keep<'m>(
        &mut self,
        frame: &CameraFrame<'_>,
        models: impl IntoIterator<Item = (usize, decode::Memory<'m>)>,
    ) {
        let Ok(mut slot) = self.spare.pop() else {
            self.lose();
            return;
        };
        if self.memories {
            slot.remember(models);
        }
        if let Shown::Frame(copy) = &mut slot.shown {
            copy.camera = self.camera;
            (copy.format, copy.colour) = (frame.format, frame.colour);
            (copy.width, copy.height) = (frame.width, frame.height);
            (copy.sequence, copy.captured) = (frame.sequence, frame.timestamp);
            let planes = || {
                let planes = frame.planes.iter().take(frame.plane_count);
                planes.map(|plane| (plane.bytes, plane.stride))
            };
            let mut room = planes().map(|(bytes, _)| bytes.len()).sum::<usize>();
            if frame.format == PixelFormat::Mjpeg {
                // Two bytes a pixel is more than a camera makes of any picture.
                room = room.max(frame.width as usize * frame.height as usize * 2);
            }
            copy.bytes.clear();
            copy.bytes.reserve_exact(room);
            if !copy.fill(planes()) {
                self.lose();
            }
        }
        // There are as many slots as the queue has room for.
        let _ = self.kept.push(slot);
    }

    /// Copies a window that this model will listen to into a free slot, or counts it.
    pub fn keep_window(
        &mut self,
        (model, memory): (usize, decode::Memory<'_>),
        sequence: u32,
        captured: Duration,
        samples: &[f32],
    ) {
        let Ok(mut slot) = self.spare.pop() else {
            self.lose();
            return;
        };
        if self.memories {
            slot.remember([(model, memory)]);
        }
        if let Shown::Window(copy) = &mut slot.shown {
            copy.model = number(model);
            (copy.sequence, copy.captured) = (sequence, captured);
            copy.samples.clear();
            copy.samples.extend_from_slice(samples);
        }
        let _ = self.kept.push(slot);
    }

    fn lose(&self) {
        self.link.metrics.frames_not_kept.fetch_add(1, Relaxed);
    }
}

fn number(model: usize) -> u8 {
    u8::try_from(model).unwrap_or(u8::MAX)
}

impl Kept {
    /// A slot for frames.
    #[must_use]
    pub fn frame() -> Self {
        Self {
            shown: Shown::Frame(Frame::with_room(0)),
            memories: Vec::new(),
        }
    }

    /// A slot for windows.
    #[must_use]
    pub fn window() -> Self {
        Self {
            shown: Shown::Window(Window::default()),
            memories: Vec::new(),
        }
    }

    /// Its number, and when it was captured.
    #[must_use]
    pub fn of(&self) -> (u32, Duration) {
        match &self.shown {
            Shown::Frame(frame) => (frame.sequence, frame.captured),
            Shown::Window(window) => (window.sequence, window.captured),
        }
    }

    /// Stands for a frame that had no room.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        matches!(&self.shown, Shown::Frame(frame) if frame.bytes.is_empty())
    }

    /// Writes down what these models remember. Allocates only while there is not the room for it yet.
    fn remember<'m>(&mut self, models: impl IntoIterator<Item = (usize, decode::Memory<'m>)>) {
        let mut count = 0;
        for (model, memory) in models {
            let room = memory.room();
            if room == 0 || room > MAX_MEMORY {
                continue;
            }
            if count == self.memories.len() {
                self.memories.push(Memory::default());
            }
            if let Some(copy) = self.memories.get_mut(count) {
                copy.model = number(model);
                copy.bytes.clear();
                copy.bytes.reserve_exact(room);
                memory.save(&mut copy.bytes);
                count += 1;
            }
        }
        self.memories.truncate(count);
    }
}
