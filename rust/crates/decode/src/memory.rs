//! What a model remembers of frames or windows before, as bytes: so that a recording can begin in the
//! middle of a run.
//!
//! Little-endian; what each part is, stands where it is written, and in `docs/recording.md`. The bytes
//! fit models of one shape only, and whoever reads them checks what it relies on.

use crate::classify::StreamingDecoder;
use crate::{Decoder, Tracker};

/// First byte; another one is of another version of this program.
const VERSION: u8 = 1;

/// Why bytes are not what a model remembers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MemoryError {
    /// Another version of this program wrote it.
    #[error("a memory of version {0}; this program reads version {VERSION}")]
    Version(u8),
    /// Cut off, of another model, or damaged.
    #[error("not a memory of this model: {0}")]
    Damaged(&'static str),
}

/// What a decoder and a tracker remember, to be written down.
#[derive(Clone, Copy)]
pub struct Memory<'a> {
    decoder: &'a Decoder,
    tracker: Option<&'a Tracker>,
}

impl<'a> Memory<'a> {
    /// Of the two that look at the same frames or windows.
    #[must_use]
    pub const fn new(decoder: &'a Decoder, tracker: Option<&'a Tracker>) -> Self {
        Self { decoder, tracker }
    }

    /// How many bytes [`Memory::save`] writes at most; 0 if nothing is ever remembered.
    #[must_use]
    pub fn room(&self) -> usize {
        let scores = self.decoder.streaming().map(StreamingDecoder::room);
        let objects = self.tracker.map(|_| Tracker::ROOM);
        match (scores, objects) {
            (None, None) => 0,
            // Version, which of the two.
            (scores, objects) => 1 + 1 + scores.unwrap_or(0) + objects.unwrap_or(0),
        }
    }

    /// Writes into `out`, in place of what is there, all that the next findings depend on. Does not
    /// allocate if `out` has room for [`Memory::room`] bytes.
    pub fn save(&self, out: &mut Vec<u8>) {
        out.clear();
        let to = &mut Save(out);
        let scores = self.decoder.streaming();
        to.put([VERSION]);
        to.put([u8::from(scores.is_some()) | u8::from(self.tracker.is_some()) << 1]);
        if let Some(scores) = scores {
            scores.save(to);
        }
        if let Some(tracker) = self.tracker {
            tracker.save(to);
        }
    }
}

/// Makes a decoder and a tracker remember what those of a model of the same shape remembered when it was
/// written down ([`Memory::save`]). From here on equal tensors give equal findings.
///
/// # Errors
/// The bytes are not of such a model; both remember what they did, then.
pub fn recall(
    decoder: &mut Decoder,
    tracker: Option<&mut Tracker>,
    bytes: &[u8],
) -> Result<(), MemoryError> {
    let from = &mut Load(bytes);
    let [version] = from.take()?;
    if version != VERSION {
        return Err(MemoryError::Version(version));
    }
    let mut scores = decoder.streaming_mut();
    let parts = u8::from(scores.is_some()) | u8::from(tracker.is_some()) << 1;
    if from.take()? != [parts] {
        return Err(MemoryError::Damaged("it remembers something else"));
    }
    // Nothing is taken over before all is known to fit.
    let runs = scores.as_ref().map(|own| own.load(from)).transpose()?;
    let objects = tracker.is_some().then(|| Tracker::load(from)).transpose()?;
    if !from.0.is_empty() {
        return Err(MemoryError::Damaged("it is too long"));
    }
    if let (Some(own), Some(runs)) = (&mut scores, runs) {
        own.recall(runs);
    }
    if let (Some(own), Some(objects)) = (tracker, objects) {
        own.recall(objects);
    }
    Ok(())
}

/// Appends numbers.
pub(crate) struct Save<'a>(&'a mut Vec<u8>);

impl Save<'_> {
    pub fn put<const N: usize>(&mut self, bytes: [u8; N]) {
        self.0.extend_from_slice(&bytes);
    }

    /// A number that is small by construction.
    pub fn count(&mut self, count: usize) {
        self.put(u32::try_from(count).unwrap_or(u32::MAX).to_le_bytes());
    }
}

/// Takes numbers.
pub(crate) struct Load<'a>(&'a [u8]);

impl Load<'_> {
    pub fn take<const N: usize>(&mut self) -> Result<[u8; N], MemoryError> {
        let (field, rest) = self
            .0
            .split_first_chunk()
            .ok_or(MemoryError::Damaged("it is too short"))?;
        self.0 = rest;
        Ok(*field)
    }

    pub fn count(&mut self) -> Result<usize, MemoryError> {
        let count = u32::from_le_bytes(self.take()?);
        Ok(usize::try_from(count).unwrap_or(usize::MAX))
    }
}

#[cfg(test)]
#[path = "memory_tests.rs"]
mod tests;
