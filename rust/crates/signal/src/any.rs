//! The backend that the appliance description asks for.

#[cfg(feature = "rppal")]
use crate::raspberry_pi::{RaspberryPi, RppalInput, RppalOutput};
use crate::{
    Backend, Cdev, CdevInput, CdevOutput, EdgePin, InputLine, OutputLine, PinEdge, PinError,
    PwmChannel,
};
use edgeai_config::{Gpio, GpioBackend, Pwm};
use embedded_hal::digital::{ErrorType, InputPin, OutputPin};
use std::os::fd::RawFd;
use std::path::Path;

/// The backend of `[gpio]`. One that this build is without refuses every line with that reason.
#[must_use]
pub fn backend(gpio: &Gpio) -> AnyBackend {
    match gpio.backend {
        GpioBackend::Cdev => AnyBackend::Cdev(Cdev),
        #[cfg(feature = "rppal")]
        GpioBackend::Rppal => AnyBackend::Rppal(RaspberryPi),
        #[cfg(not(feature = "rppal"))]
        GpioBackend::Rppal => AnyBackend::NotBuilt("rppal"),
    }
}

/// One of the backends.
#[derive(Debug, Clone, Copy)]
pub enum AnyBackend {
    /// The GPIO character device.
    Cdev(Cdev),
    /// A Raspberry Pi's registers.
    #[cfg(feature = "rppal")]
    Rppal(RaspberryPi),
    /// The cargo feature of this name was off.
    NotBuilt(&'static str),
}

fn not_built<T>(feature: &str) -> Result<T, String> {
    Err(format!("this build is without the backend {feature}"))
}

impl Backend for AnyBackend {
    type Output = AnyOutput;
    type Input = AnyInput;
    type Pwm = PwmChannel;

    fn output(&mut self, line: &OutputLine<'_>) -> Result<AnyOutput, String> {
        match self {
            Self::Cdev(cdev) => cdev.output(line).map(AnyOutput::Cdev),
            #[cfg(feature = "rppal")]
            Self::Rppal(rppal) => rppal.output(line).map(AnyOutput::Rppal),
            Self::NotBuilt(feature) => not_built(feature),
        }
    }

    fn input(&mut self, line: &InputLine<'_>) -> Result<AnyInput, String> {
        match self {
            Self::Cdev(cdev) => cdev.input(line).map(AnyInput::Cdev),
            #[cfg(feature = "rppal")]
            Self::Rppal(rppal) => rppal.input(line).map(AnyInput::Rppal),
            Self::NotBuilt(feature) => not_built(feature),
        }
    }

    /// Every backend's PWM is the kernel's.
    fn pwm(&mut self, pwm: &Pwm, duty: u16) -> Result<PwmChannel, String> {
        PwmChannel::claim(Path::new("/"), pwm, duty)
    }
}

/// A driven line of one of the backends.
pub enum AnyOutput {
    /// Of [`Cdev`].
    Cdev(CdevOutput),
    /// Of `RaspberryPi`.
    #[cfg(feature = "rppal")]
    Rppal(RppalOutput),
}

impl ErrorType for AnyOutput {
    type Error = PinError;
}

impl OutputPin for AnyOutput {
    fn set_low(&mut self) -> Result<(), PinError> {
        match self {
            Self::Cdev(pin) => pin.set_low(),
            #[cfg(feature = "rppal")]
            Self::Rppal(pin) => pin.set_low().map_err(|never| match never {}),
        }
    }

    fn set_high(&mut self) -> Result<(), PinError> {
        match self {
            Self::Cdev(pin) => pin.set_high(),
            #[cfg(feature = "rppal")]
            Self::Rppal(pin) => pin.set_high().map_err(|never| match never {}),
        }
    }
}

/// A read line of one of the backends.
pub enum AnyInput {
    /// Of [`Cdev`].
    Cdev(CdevInput),
    /// Of `RaspberryPi`.
    #[cfg(feature = "rppal")]
    Rppal(RppalInput),
}

impl ErrorType for AnyInput {
    type Error = PinError;
}

impl InputPin for AnyInput {
    fn is_high(&mut self) -> Result<bool, PinError> {
        match self {
            Self::Cdev(pin) => pin.is_high(),
            #[cfg(feature = "rppal")]
            Self::Rppal(pin) => pin.is_high().map_err(|never| match never {}),
        }
    }

    fn is_low(&mut self) -> Result<bool, PinError> {
        self.is_high().map(|high| !high)
    }
}

impl EdgePin for AnyInput {
    fn fd(&self) -> Option<RawFd> {
        match self {
            Self::Cdev(pin) => pin.fd(),
            #[cfg(feature = "rppal")]
            Self::Rppal(pin) => pin.fd(),
        }
    }

    fn take_edges(&mut self, tell: impl FnMut(PinEdge)) {
        match self {
            Self::Cdev(pin) => pin.take_edges(tell),
            #[cfg(feature = "rppal")]
            Self::Rppal(pin) => pin.take_edges(tell),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use edgeai_config::{Bias, Drive, Edge, Level};

    fn reasons(backend: GpioBackend) -> [String; 2] {
        let mut backend = super::backend(&Gpio { backend });
        let output = backend.output(&OutputLine {
            line: "gpiochip99:2",
            level: Level::Low,
            active_low: false,
            drive: Drive::PushPull,
        });
        let input = backend.input(&InputLine {
            line: "gpiochip99:3",
            edge: Edge::Both,
            bias: Bias::AsIs,
            active_low: false,
        });
        [output.err().unwrap(), input.err().unwrap()]
    }

    #[test]
    fn the_description_chooses() {
        for reason in reasons(GpioBackend::Cdev) {
            assert!(reason.starts_with("/dev/gpiochip99: "), "{reason}");
        }
        #[cfg(not(feature = "rppal"))]
        for reason in reasons(GpioBackend::Rppal) {
            assert_eq!(reason, "this build is without the backend rppal");
        }
    }

    #[test]
    fn a_backend_and_what_it_claims_may_go_to_the_signal_thread() {
        fn may_go<T: Send + 'static>() {}
        may_go::<AnyBackend>();
        may_go::<AnyOutput>();
        may_go::<AnyInput>();
        may_go::<PwmChannel>();
    }
}
