//! Inputs and outputs of the appliance, each output with its safe level.
//!
//! [`Outputs`] and [`Inputs`] know nothing of a particular GPIO driver: they drive whatever a
//! [`Backend`] hands out through the `embedded-hal` traits. [`Cdev`] is the Linux GPIO character
//! device. Lines that are missing do not stop the others; they can be claimed later.

mod cdev;
mod debounce;
mod inputs;
mod outputs;
pub mod simulated;

pub use cdev::{Cdev, EventPin};
pub use inputs::Inputs;
pub use outputs::Outputs;

use edgeai_config::{Edge, Level};
use embedded_hal::digital::{InputPin, OutputPin};
use std::os::fd::RawFd;

/// Something that has GPIO lines.
pub trait Backend {
    /// A claimed line that is driven.
    type Output: OutputPin;
    /// A claimed line that is read.
    type Input: EdgePin;

    /// Claims `line` (`chip:offset` or a line's name) and drives it at `level` from the first moment.
    ///
    /// # Errors
    /// One line saying why the line cannot be had.
    fn output(&mut self, line: &str, level: Level) -> Result<Self::Output, String>;

    /// Claims `line` (`chip:offset` or a line's name) for reading, with events for `edge`.
    ///
    /// # Errors
    /// One line saying why the line cannot be had.
    fn input(&mut self, line: &str, edge: Edge) -> Result<Self::Input, String>;
}

/// An input that can wake a waiting thread at its edges.
pub trait EdgePin: InputPin {
    /// Readable (`POLLIN`) while edges wait; `None` if the line has to be polled by time.
    fn fd(&self) -> Option<RawFd>;

    /// Takes the waiting edges without blocking; whether there were any.
    fn take_edges(&mut self) -> bool;
}

/// A line that could not be claimed, driven or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind} {name} (line {line}): {reason}")]
pub struct SignalError {
    /// `input` or `output`.
    pub kind: &'static str,
    /// Its name in the appliance description.
    pub name: String,
    /// Its line there.
    pub line: String,
    /// One line.
    pub reason: String,
}

/// The other level.
#[must_use]
pub fn opposite(level: Level) -> Level {
    match level {
        Level::Low => Level::High,
        Level::High => Level::Low,
    }
}
