//! Recordings: what an appliance saw, when it decided, and what, in a file that survives being cut off.
//!
//! [`Writer`] writes [`Record`]s, [`Reader`] reads them from anything, damaged or hostile too, and
//! [`Files`] keeps a directory of recordings within its limits. The format, byte by byte, is
//! `docs/recording.md`.

mod bytes;
mod code;
mod evaluation;
mod files;
mod frame;
mod header;
mod memory;
mod reader;
mod sampled;
mod sighting;
#[cfg(test)]
mod tests;
mod writer;

pub use evaluation::{Decision, Evaluation, MAX_CHANNELS, MAX_COUNTERS};
pub use files::{EXTENSION, Files, parts};
pub use frame::{Frame, MAX_PLANES, PlaneLayout};
pub use header::{Header, Model};
pub use memory::{MAX_MEMORY, Memory};
pub use reader::{Reader, RecordingError};
pub use sampled::{MAX_SAMPLED, Sampled};
pub use sighting::{MAX_DETECTIONS, MAX_POINTS, MAX_VALUES, Sighting};
pub use writer::Writer;

/// The first bytes of a recording.
pub const MAGIC: [u8; 8] = *b"edgerec\n";
/// The version of the format that this crate writes; it reads all from 1 on.
pub const VERSION: u32 = 3;
/// Most bytes of a record's content: a frame of 8192 × 8192 pixels of three bytes, and its head.
pub const MAX_RECORD: u32 = 3 * 8192 * 8192 + 4096;

/// One thing that happened; the order in the file is the order in which it happened.
#[derive(Debug, Clone, PartialEq)]
#[expect(
    clippy::large_enum_variant,
    reason = "one at a time is in memory, and most are evaluations"
)]
pub enum Record {
    /// Where the recording comes from; always the first record, and only that.
    Header(Header),
    /// A model was loaded; replaces what was said of it before.
    Model(Model),
    /// The rules were made from the description and the models so far: nothing is remembered.
    Rules,
    /// The rules forgot what they remembered, after a fault.
    Reset {
        /// Bit m: camera or model m begin anew; its tracker has forgotten everything too.
        anew: u32,
    },
    /// What the rules remember after the evaluation before it (`Rules::save`): from here on the same
    /// can be decided again, whatever stood before. Since version 2.
    State(Vec<u8>),
    /// What a model remembered when it looked at what its next sighting is of: that can be made again,
    /// whatever stood before. Since version 3.
    Memory(Memory),
    /// What a camera gave to its models.
    Frame(Frame),
    /// What a sensor gave to its model.
    Window(Window),
    /// What a model made of it.
    Sighting(Sighting),
    /// What a sensor sampled since the last evaluation; belongs to the evaluation that follows. Since
    /// version 2.
    Samples(Sampled),
    /// The rules were evaluated.
    Evaluation(Evaluation),
    /// Something is missing here, because the disk or the recorder was too slow.
    Gap(Gap),
    /// The recording was ended in order.
    End,
}

/// A window of samples, as the model's input is made from it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Window {
    /// The model's place in the description.
    pub model: u8,
    /// Counts the windows.
    pub sequence: u32,
    /// Time of the last sample on `CLOCK_MONOTONIC`.
    pub captured: std::time::Duration,
    /// Channel after channel of one moment, moment after moment, in the channel's unit.
    pub samples: Vec<f32>,
}

/// What was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Gap {
    /// Frames and windows that were not kept. Decisions can be replayed all the same.
    pub frames: u64,
    /// Sightings, evaluations and resets that were not kept. What the rules remember is unknown from here to
    /// the next [`Record::Rules`], [`Record::State`] or [`Record::Reset`], and what a model does to its next
    /// [`Record::Memory`] or [`Record::Reset`].
    pub decisions: u64,
}
