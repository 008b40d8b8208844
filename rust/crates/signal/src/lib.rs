//! Inputs, outputs and sensors of the appliance; each output with its safe level.
//!
//! [`Outputs`] and [`Inputs`] know nothing of a particular driver: they drive whatever a
//! [`Backend`] hands out through the `embedded-hal` traits. [`Cdev`] is the Linux GPIO character
//! device; [`backend`] chooses as the appliance description says. Lines that are missing do not
//! stop the others; they can be claimed later.
//!
//! [`Sensors`] reads measuring devices on threads of its own; [`SensorValues`] takes what they
//! measured without waiting, [`WindowSource`] takes windows of samples for a model.

mod any;
mod cdev;
mod debounce;
mod inputs;
pub mod list;
mod outputs;
mod pwm;
#[cfg(feature = "rppal")]
mod raspberry_pi;
mod sensors;
pub mod simulated;
mod sysfs;

pub use any::{AnyBackend, AnyInput, AnyOutput, backend};
pub use cdev::{Cdev, CdevInput, CdevOutput, PinError};
pub use inputs::Inputs;
pub use outputs::Outputs;
pub use pwm::PwmChannel;
#[cfg(feature = "rppal")]
pub use raspberry_pi::{RaspberryPi, RppalInput, RppalOutput};
pub use sensors::{
    I2cRegisters, Measure, Notice, RETRY, SensorThreads, SensorValues, Sensors, SpiRegisters,
    Window, WindowMaker, WindowSource,
};

use edgeai_config::{Bias, Drive, Edge, Level, Pwm};
use embedded_hal::digital::{InputPin, OutputPin};
use embedded_hal::pwm::SetDutyCycle;
use std::os::fd::RawFd;
use std::time::Duration;

/// Something that has GPIO lines and PWM channels.
pub trait Backend {
    /// A claimed line that is driven.
    type Output: OutputPin;
    /// A claimed line that is read.
    type Input: EdgePin;
    /// A claimed PWM channel.
    type Pwm: SetDutyCycle;

    /// Claims a line and drives it at its level from the first moment.
    ///
    /// # Errors
    /// One line saying why the line cannot be had.
    fn output(&mut self, line: &OutputLine<'_>) -> Result<Self::Output, String>;

    /// Claims a line for reading, with events at its edges.
    ///
    /// # Errors
    /// One line saying why the line cannot be had.
    fn input(&mut self, line: &InputLine<'_>) -> Result<Self::Input, String>;

    /// Claims a PWM channel and runs it with `duty` of 65535 from the first moment.
    ///
    /// # Errors
    /// One line saying why the channel cannot be had.
    fn pwm(&mut self, pwm: &Pwm, duty: u16) -> Result<Self::Pwm, String>;
}

/// What a driven line is asked for with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutputLine<'a> {
    /// `chip:offset` or the line's name.
    pub line: &'a str,
    /// First level, as the appliance description means it: `High` is active.
    pub level: Level,
    /// Active is electrically low.
    pub active_low: bool,
    /// How the line is driven.
    pub drive: Drive,
}

/// What a read line is asked for with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InputLine<'a> {
    /// `chip:offset` or the line's name.
    pub line: &'a str,
    /// Edges that wake; `Rising` is from inactive to active.
    pub edge: Edge,
    /// The pull resistor.
    pub bias: Bias,
    /// Active is electrically low.
    pub active_low: bool,
}

/// An input that can wake a waiting thread at its edges.
pub trait EdgePin: InputPin {
    /// Readable (`POLLIN`) while edges wait; `None` if the line has to be polled by time.
    fn fd(&self) -> Option<RawFd>;

    /// Takes the waiting edges without blocking and tells them, oldest first. If more came than were
    /// kept, some are missing.
    fn take_edges(&mut self, tell: impl FnMut(PinEdge));
}

/// An edge of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PinEdge {
    /// When it came, `CLOCK_MONOTONIC`, where the backend knows.
    pub at: Option<Duration>,
    /// The level after it.
    pub to: Level,
}

/// A line, channel or sensor that could not be claimed, driven or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind} {name} ({place}): {reason}")]
pub struct SignalError {
    /// `input`, `output` or `sensor`.
    pub kind: &'static str,
    /// Its name in the appliance description.
    pub name: String,
    /// Where it is: `line gpiochip0:17`, `pwm pwmchip0:1`, `/dev/i2c-1`.
    pub place: String,
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

/// `High` for true.
pub(crate) fn level(high: bool) -> Level {
    if high { Level::High } else { Level::Low }
}
