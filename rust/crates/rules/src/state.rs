//! What rules remember, as bytes: so that a recording can begin in the middle of a run.
//!
//! Little-endian, in the order of the description; what each part is, stands where it is written.
//! The bytes fit the rules of one description only, and whoever reads them checks what it relies on.

use edgeai_config::Level;
use std::time::Duration;

/// First byte of a state; another one is of another version of this program.
pub(crate) const VERSION: u8 = 1;

/// Why bytes are not the state of these rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// Another version of this program wrote it.
    #[error("a state of version {0}; this program reads version {VERSION}")]
    Version(u8),
    /// Cut off, of other rules, or damaged.
    #[error("not a state of these rules: {0}")]
    Damaged(&'static str),
}

/// Writes a state.
pub(crate) struct Save<'a>(pub &'a mut Vec<u8>);

impl Save<'_> {
    pub fn u8(&mut self, value: u8) {
        self.0.push(value);
    }

    pub fn u32(&mut self, value: u32) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub fn u64(&mut self, value: u64) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub fn f64(&mut self, value: f64) {
        self.u64(value.to_bits());
    }

    /// Nanoseconds; longer than 584 years is that.
    pub fn time(&mut self, value: Duration) {
        self.u64(u64::try_from(value.as_nanos()).unwrap_or(u64::MAX));
    }

    /// 0: there is none.
    pub fn option<T>(&mut self, value: Option<T>, save: impl FnOnce(&mut Self, T)) {
        self.u8(value.is_some().into());
        if let Some(value) = value {
            save(self, value);
        }
    }

    pub fn bool(&mut self, value: bool) {
        self.u8(value.into());
    }

    pub fn level(&mut self, level: Level) {
        self.bool(level == Level::High);
    }
}

/// Reads a state.
pub(crate) struct Load<'a>(pub &'a [u8]);

type Result<T> = std::result::Result<T, StateError>;

impl Load<'_> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (field, rest) = self
            .0
            .split_first_chunk()
            .ok_or(StateError::Damaged("it is too short"))?;
        self.0 = rest;
        Ok(*field)
    }

    pub fn u8(&mut self) -> Result<u8> {
        self.array().map(u8::from_le_bytes)
    }

    pub fn u32(&mut self) -> Result<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub fn u64(&mut self) -> Result<u64> {
        self.array().map(u64::from_le_bytes)
    }

    pub fn f64(&mut self) -> Result<f64> {
        self.u64().map(f64::from_bits)
    }

    pub fn time(&mut self) -> Result<Duration> {
        self.u64().map(Duration::from_nanos)
    }

    pub fn option<T>(&mut self, load: impl FnOnce(&mut Self) -> Result<T>) -> Result<Option<T>> {
        self.bool()?.then(|| load(self)).transpose()
    }

    pub fn bool(&mut self) -> Result<bool> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(StateError::Damaged("neither yes nor no")),
        }
    }

    pub fn level(&mut self) -> Result<Level> {
        let high = self.bool()?;
        Ok(if high { Level::High } else { Level::Low })
    }

    /// The next byte is this one.
    pub fn expect(&mut self, tag: u8, otherwise: &'static str) -> Result<()> {
        if self.u8()? == tag {
            Ok(())
        } else {
            Err(StateError::Damaged(otherwise))
        }
    }
}
