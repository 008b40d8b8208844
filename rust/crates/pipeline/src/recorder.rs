//! The recorder: an ordinary thread that writes down what the real-time threads noted, and keeps
//! pictures for rules that ask for one.

use crate::link::Link;
use crate::notes::{Kept, Note, Notebook, Shelf, Shown};
use crate::picture::jpeg;
use crate::thread::Introduction;
use edgeai_config::Appliance;
use edgeai_recording::{Files, Frame, Gap, Header, Model, Record, Sighting};
use edgeai_telemetry::Snapshots;
use sha2::{Digest, Sha256};
use std::collections::VecDeque;
use std::io;
use std::mem;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::Receiver;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Its stack: in a process with locked memory all of it is locked.
const STACK: usize = 512 * 1024;
/// How often it looks.
const EVERY: Duration = Duration::from_millis(20);
/// How often what is written is handed to the system: what a power cut can cost.
const FLUSH: Duration = Duration::from_secs(1);
/// How long a disk that refused is left alone.
const RETRY: Duration = Duration::from_secs(30);
/// How long a full file waits for the rules' state, which comes with their next evaluation.
const STATE_WAIT: Duration = Duration::from_secs(1);
/// Frames of each camera that wait for a rule to ask for them.
const WAITING: usize = 2;
/// Bytes of a MiB.
const MIB: u64 = 1 << 20;

/// All that comes to the recorder.
pub struct Sources {
    /// From the signal thread.
    pub notebook: Notebook,
    /// Frames and windows, of each thread with models.
    pub shelves: Vec<Shelf>,
    /// For each model, the shelf with its frames.
    pub shelf_of: Vec<usize>,
    /// What the models are.
    pub introductions: Receiver<Introduction>,
}

/// The state of the recorder.
pub struct Recorder {
    sources: Sources,
    models: Vec<String>,
    rules: Vec<String>,
    files: Option<Files>,
    /// Frames and windows are recorded too.
    frames: bool,
    not_before: Option<Instant>,
    /// Since when the file has been full.
    full_since: Option<Instant>,
    /// Notes that could not be written since the last that could.
    lost: Gap,
    /// `Metrics::frames_not_kept` as far as it is written.
    frames_not_kept: u64,
    snapshots: Snapshots,
    /// Of each shelf, newest last.
    waiting: Vec<VecDeque<Shelved>>,
    /// The part of the recording that is written.
    part: Option<u32>,
    /// Bit m: what model m remembers is to be recorded before its next sighting.
    due: u32,
    link: Arc<Link>,
}

/// What came from a shelf.
struct Shelved {
    kept: Kept,
    /// The part that it was recorded in last.
    part: Option<u32>,
}

impl Recorder {
    /// Records as `appliance`, whose text is in `header`, says.
    pub fn new(
        appliance: &Appliance,
        header: Header,
        snapshots: &Path,
        sources: Sources,
        link: Arc<Link>,
    ) -> Self {
        let files = appliance.recording.as_ref().map(|asked| {
            let bytes = u64::from(asked.file_mib) * MIB;
            let count = usize::try_from(asked.files).unwrap_or(usize::MAX);
            Files::new(&asked.directory, bytes, count, header)
        });
        Self {
            waiting: sources.shelves.iter().map(|_| VecDeque::new()).collect(),
            sources,
            models: appliance
                .models
                .iter()
                .map(|model| model.file.clone())
                .collect(),
            rules: appliance
                .rules
                .iter()
                .map(|rule| rule.name.clone())
                .collect(),
            files,
            frames: keeps_frames(appliance),
            not_before: None,
            full_since: None,
            lost: Gap::default(),
            frames_not_kept: 0,
            snapshots: Snapshots::new(snapshots),
            part: None,
            due: 0,
            link,
        }
    }

    /// Starts the thread "recorder"; it ends with everybody, after a last look.
    ///
    /// # Errors
    /// No threads left.
    pub fn spawn(mut self) -> io::Result<JoinHandle<()>> {
        thread::Builder::new()
            .name("recorder".into())
            .stack_size(STACK)
            .spawn(move || {
                let mut flush = Instant::now();
                while !self.link.stopping() {
                    self.round();
                    if flush.elapsed() >= FLUSH {
                        flush = Instant::now();
                        self.flush();
                    }
                    thread::sleep(EVERY);
                }
                self.finish();
            })
    }

    /// Once round: everything that is noted by now.
    pub fn round(&mut self) {
        while let Ok(introduction) = self.sources.introductions.try_recv() {
            let record = Record::Model(self.model(introduction));
            self.write(&record);
        }
        while let Ok(note) = self.sources.notebook.notes.pop() {
            match note {
                Note::Record(Record::Sighting(sighting)) => {
                    // Its frame comes before it.
                    let place = self.shelf_of(usize::from(sighting.model));
                    self.shelve(place, sighting.captured);
                    self.remind(place, &sighting);
                    let record = Record::Sighting(sighting);
                    self.write(&record);
                    if let Record::Sighting(sighting) = record {
                        // As many as there is room for are on their way.
                        let _ = self.sources.notebook.spare.push(sighting);
                    }
                }
                Note::Record(Record::State(state)) => {
                    let record = Record::State(state);
                    self.write(&record);
                    if let Record::State(state) = record {
                        let _ = self.sources.notebook.states.push(state);
                    }
                }
                Note::Record(record) => {
                    self.write(&record);
                }
                Note::Snapshot {
                    rules,
                    model,
                    captured,
                } => self.snapshot(rules, model, captured),
            }
        }
        if !self.frames {
            // Nobody else takes what no rule asked for: it waits for the next look, then makes room.
            for place in 0..self.sources.shelves.len() {
                self.shelve(place, Duration::MAX);
            }
        }
        let missing = self.link.metrics.frames_not_kept.load(Relaxed);
        if missing > self.frames_not_kept && self.frames {
            let frames = missing - self.frames_not_kept;
            self.write(&Record::Gap(Gap {
                frames,
                decisions: 0,
            }));
        }
        self.frames_not_kept = missing;
        self.rotate();
    }

    /// The last look, and the end of the recording.
    pub fn finish(mut self) {
        self.round();
        if let Some(files) = self.files.take()
            && let Err(error) = files.finish()
        {
            log::warn!("recording: {error}");
        }
    }

    /// What was introduced, with the hashes of its files.
    fn model(&self, introduction: Introduction) -> Model {
        let Introduction {
            model,
            runtime,
            names,
        } = introduction;
        let file = self.models.get(model).map_or("", String::as_str);
        let directory = edgeai_config::model_directory(file);
        Model {
            index: u8::try_from(model).unwrap_or(u8::MAX),
            runtime,
            weights: hash(&directory.join("model.tflite")),
            description: hash(&directory.join("model.toml")),
            names,
        }
    }

    fn shelf_of(&self, model: usize) -> usize {
        self.sources.shelf_of.get(model).copied().unwrap_or(0)
    }

    /// Takes frames from a shelf up to the one captured then, and records them.
    fn shelve(&mut self, index: usize, captured: Duration) {
        loop {
            let Some(queue) = self.sources.shelves.get_mut(index) else {
                return;
            };
            if !(queue.kept.peek()).is_ok_and(|next| next.of().1 <= captured) {
                return;
            }
            let Ok(mut kept) = queue.kept.pop() else {
                return;
            };
            let part = self.put(&mut kept);
            let Some(waiting) = self.waiting.get_mut(index) else {
                return;
            };
            waiting.push_back(Shelved { kept, part });
            while waiting.len() > WAITING {
                let (Some(old), Some(queue)) =
                    (waiting.pop_front(), self.sources.shelves.get_mut(index))
                else {
                    return;
                };
                let _ = queue.spare.push(old.kept);
            }
        }
    }

    /// Records a frame or window; the part that it stands in.
    fn put(&mut self, kept: &mut Kept) -> Option<u32> {
        if !self.frames || kept.is_empty() {
            return None;
        }
        let record = match &mut kept.shown {
            Shown::Frame(frame) => Record::Frame(mem::replace(frame, Frame::with_room(0))),
            Shown::Window(window) => Record::Window(mem::take(window)),
        };
        let part = self.part();
        let written = self.write(&record);
        match (record, &mut kept.shown) {
            (Record::Frame(frame), Shown::Frame(back)) => *back = frame,
            (Record::Window(window), Shown::Window(back)) => *back = window,
            _ => {}
        }
        part.filter(|_| written)
    }

    /// The part that the next record goes to.
    fn part(&self) -> Option<u32> {
        self.files.as_ref().map(Files::part)
    }

    /// Before a sighting: sees to it that it can be made again without the files before this one. The
    /// first one of a model in a file, or behind a gap, needs what the model remembered.
    fn remind(&mut self, place: usize, sighting: &Sighting) {
        if !self.frames {
            return;
        }
        if self.part != self.part() {
            self.part = self.part();
            self.due = u32::MAX;
        }
        let model = 1_u32.checked_shl(sighting.model.into()).unwrap_or(0);
        let Some(waiting) = self.waiting.get_mut(place) else {
            return;
        };
        let of = (sighting.sequence, sighting.captured);
        let found = |it: &Shelved| it.kept.of() == of && !it.kept.is_empty();
        let Some(index) = waiting.iter().position(found) else {
            // Nobody can look at it again, and who does not see it has nothing to remember.
            self.due |= model;
            return;
        };
        let Some(mut shelved) = waiting.remove(index) else {
            return;
        };
        if shelved.part.is_some_and(|part| Some(part) != self.part) {
            // Another model of the camera saw it before the file began.
            shelved.part = self.put(&mut shelved.kept);
        }
        if shelved.part.is_none() {
            self.due |= model;
        } else if self.due & model != 0 {
            let mut memories = shelved.kept.memories.iter();
            let own = memories.find(|memory| memory.model == sighting.model);
            if own.is_none_or(|own| self.write(&Record::Memory(own.clone()))) {
                self.due &= !model;
            }
        }
        if let Some(waiting) = self.waiting.get_mut(place) {
            waiting.insert(index, shelved);
        }
    }

    /// Keeps the picture of the frame captured then, for each of these rules.
    fn snapshot(&mut self, rules: u64, model: usize, captured: Duration) {
        let index = self.shelf_of(model);
        self.shelve(index, captured);
        let frame = self.waiting.get(index).and_then(|waiting| {
            waiting
                .iter()
                .find_map(|shelved| match &shelved.kept.shown {
                    Shown::Frame(frame) if frame.captured == captured => Some(frame),
                    _ => None,
                })
        });
        let Some(frame) = frame else {
            log::warn!("snapshot: the frame was not kept");
            return;
        };
        let names = self.rules.iter().enumerate();
        let names = names.filter(|(index, _)| *index < 64 && rules >> index & 1 == 1);
        for (_, name) in names {
            let kept = jpeg(frame).and_then(|picture| {
                let kept = self.snapshots.keep(name, &picture);
                kept.map_err(|error| error.to_string())
            });
            match kept {
                Ok(path) => log::info!("snapshot: {}", path.display()),
                Err(error) => log::warn!("snapshot: {error}"),
            }
        }
    }

    /// Asks for the rules' state once the file is full: with it the next one begins.
    fn rotate(&mut self) {
        let Some(files) = self.files.as_mut().filter(|files| files.full()) else {
            self.full_since = None;
            return;
        };
        let since = *self.full_since.get_or_insert_with(Instant::now);
        self.sources.notebook.wanted.store(true, Relaxed);
        // Nothing is decided just now; what follows the next decision can be compared again.
        if since.elapsed() >= STATE_WAIT
            && let Err(error) = files.split()
        {
            log::warn!("recording: {error}");
        }
    }

    /// Whether it is written; counted if not.
    fn write(&mut self, record: &Record) -> bool {
        let Some(files) = &mut self.files else {
            return false;
        };
        let now = Instant::now();
        if self.not_before.is_some_and(|time| now < time) {
            count(&mut self.lost, record);
            return false;
        }
        let mut written = Ok(());
        if self.lost != Gap::default() {
            written = files.write(&Record::Gap(self.lost));
        }
        match written.and_then(|()| files.write(record)) {
            Ok(()) => {
                let noted = match record {
                    Record::Gap(gap) => gap.decisions,
                    _ => 0,
                };
                if self.lost.decisions > 0 {
                    // What the rules remember is not known behind the gap.
                    self.sources.notebook.wanted.store(true, Relaxed);
                }
                if self.lost.decisions + noted > 0 {
                    self.due = u32::MAX;
                }
                self.lost = Gap::default();
                self.not_before = None;
                true
            }
            Err(error) => {
                log::warn!("recording: {error}; what is not recorded is counted");
                count(&mut self.lost, record);
                self.not_before = Some(now + RETRY);
                false
            }
        }
    }

    fn flush(&mut self) {
        if let Some(Err(error)) = self.files.as_mut().map(Files::flush) {
            log::warn!("recording: {error}; what is not recorded is counted");
            self.lost.decisions += 1;
            self.not_before = Some(Instant::now() + RETRY);
        }
    }
}

fn count(lost: &mut Gap, record: &Record) {
    match record {
        Record::Frame(_) | Record::Window(_) => lost.frames += 1,
        Record::Gap(gap) => {
            lost.frames += gap.frames;
            lost.decisions += gap.decisions;
        }
        Record::State(_) | Record::Memory(_) => {}
        _ => lost.decisions += 1,
    }
}

/// Whether frames and windows are to be recorded.
pub fn keeps_frames(appliance: &Appliance) -> bool {
    appliance.recording.as_ref().is_some_and(|it| it.frames)
}

/// SHA-256 of a file; zeros if it cannot be read.
#[must_use]
pub fn hash(path: &Path) -> [u8; 32] {
    std::fs::read(path).map_or([0; 32], |bytes| Sha256::digest(bytes).into())
}

#[cfg(test)]
#[path = "recorder_tests.rs"]
mod tests;
