//! What a model remembered of frames or windows before.

use crate::bytes::{Content, Fields};

/// Most bytes of it: scores of [`crate::MAX_VALUES`] classes, the mean of as many runs as there can be, and
/// all objects that a tracker follows.
pub const MAX_MEMORY: usize = 1 << 20;

/// What a model remembered before it looked at the frame or window of its next sighting.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Memory {
    /// The model's place in the description.
    pub model: u8,
    /// As `edgeai_decode::Memory::save` writes it, at most [`MAX_MEMORY`].
    pub bytes: Vec<u8>,
}

impl Memory {
    pub(crate) fn encode(&self, fields: &mut Fields<'_>) {
        fields.u8(self.model);
        fields.raw(&self.bytes);
    }

    pub(crate) fn decode(content: &mut Content<'_>) -> Result<Self, &'static str> {
        let model = content.u8()?;
        let length = content.0.len();
        if length > MAX_MEMORY {
            return Err("more than a model remembers");
        }
        let bytes = content.raw(length)?.to_vec();
        Ok(Self { model, bytes })
    }
}
