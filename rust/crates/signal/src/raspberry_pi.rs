//! Lines of a Raspberry Pi through the `rppal` crate: its registers, mapped into this process.

use crate::pwm::PwmChannel;
use crate::{Backend, EdgePin, InputLine, OutputLine, PinEdge, level};
use edgeai_config::{Bias, Drive, Edge, Level, Line, Pwm};
use embedded_hal::digital::{ErrorType, InputPin, OutputPin};
use nix::sys::eventfd::{EfdFlags, EventFd};
use rppal::gpio::{self, Gpio, Trigger};
use rtrb::{Consumer, RingBuffer};
use std::convert::Infallible;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::path::Path;
use std::sync::Arc;

/// Edges that are kept between two looks.
const EDGES: usize = 16;

/// The header's lines, `gpiochip0:<BCM number>`. On any other machine every claim is refused.
#[derive(Debug, Clone, Copy, Default)]
pub struct RaspberryPi;

impl Backend for RaspberryPi {
    type Output = RppalOutput;
    type Input = RppalInput;
    type Pwm = PwmChannel;

    fn output(&mut self, line: &OutputLine<'_>) -> Result<RppalOutput, String> {
        if line.drive != Drive::PushPull {
            return Err("rppal drives push-pull only; gpio.backend = \"cdev\" can".into());
        }
        let pin = pin(line.line)?;
        // The level is set before the line becomes an output.
        let mut pin = if (line.level == Level::High) == line.active_low {
            pin.into_output_low()
        } else {
            pin.into_output_high()
        };
        // The safe level stays when the process ends.
        pin.set_reset_on_drop(false);
        Ok(RppalOutput {
            pin,
            active_low: line.active_low,
        })
    }

    fn input(&mut self, line: &InputLine<'_>) -> Result<RppalInput, String> {
        let pin = pin(line.line)?;
        let mut pin = match line.bias {
            Bias::PullUp => pin.into_input_pullup(),
            Bias::PullDown => pin.into_input_pulldown(),
            Bias::Disabled => pin.into_input(),
            Bias::AsIs => {
                return Err("rppal sets the bias: choose pull-up, pull-down or disabled".into());
            }
        };
        let wake = EventFd::from_flags(EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC)
            .map_err(|error| error.to_string())?;
        let wake = Arc::new(wake);
        let (mut edges, queue) = RingBuffer::new(EDGES);
        let trigger = match (line.edge, line.active_low) {
            (Edge::Both, _) => Trigger::Both,
            (Edge::Rising, false) | (Edge::Falling, true) => Trigger::RisingEdge,
            (Edge::Falling, false) | (Edge::Rising, true) => Trigger::FallingEdge,
        };
        let (waker, active_low) = (Arc::clone(&wake), line.active_low);
        pin.set_async_interrupt(trigger, None, move |event| {
            // Where there is no room the line oscillates; its level is read all the same.
            let _ = edges.push(PinEdge {
                at: Some(event.timestamp),
                to: level((event.trigger == Trigger::RisingEdge) != active_low),
            });
            // It fails only when it is readable anyway.
            let _ = waker.write(1);
        })
        .map_err(|error| error.to_string())?;
        Ok(RppalInput {
            pin,
            active_low,
            edges: queue,
            wake,
        })
    }

    fn pwm(&mut self, pwm: &Pwm, duty: u16) -> Result<PwmChannel, String> {
        PwmChannel::claim(Path::new("/"), pwm, duty)
    }
}

fn pin(line: &str) -> Result<gpio::Pin, String> {
    let Line::Offset { chip: 0, offset } = Line::parse(line)? else {
        return Err("rppal's lines are \"gpiochip0:<BCM number>\"".into());
    };
    let gpio = Gpio::new().map_err(|error| format!("rppal: {error}"))?;
    let number = u8::try_from(offset).map_err(|_| "no such BCM number")?;
    gpio.get(number).map_err(|error| format!("rppal: {error}"))
}

/// A line that is driven.
pub struct RppalOutput {
    pin: gpio::OutputPin,
    active_low: bool,
}

impl ErrorType for RppalOutput {
    type Error = Infallible;
}

impl RppalOutput {
    fn drive(&mut self, active: bool) {
        if active == self.active_low {
            self.pin.set_low();
        } else {
            self.pin.set_high();
        }
    }
}

impl OutputPin for RppalOutput {
    fn set_low(&mut self) -> Result<(), Infallible> {
        self.drive(false);
        Ok(())
    }

    fn set_high(&mut self) -> Result<(), Infallible> {
        self.drive(true);
        Ok(())
    }
}

/// A line that is read.
pub struct RppalInput {
    pin: gpio::InputPin,
    active_low: bool,
    /// From rppal's thread, which waits for them.
    edges: Consumer<PinEdge>,
    wake: Arc<EventFd>,
}

impl ErrorType for RppalInput {
    type Error = Infallible;
}

impl InputPin for RppalInput {
    fn is_high(&mut self) -> Result<bool, Infallible> {
        Ok(self.pin.is_high() != self.active_low)
    }

    fn is_low(&mut self) -> Result<bool, Infallible> {
        self.is_high().map(|high| !high)
    }
}

impl EdgePin for RppalInput {
    fn fd(&self) -> Option<RawFd> {
        Some(self.wake.as_fd().as_raw_fd())
    }

    fn take_edges(&mut self, mut tell: impl FnMut(PinEdge)) {
        let _ = self.wake.read();
        for _ in 0..EDGES {
            match self.edges.pop() {
                Ok(edge) => tell(edge),
                Err(_) => break,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(line: &str, drive: Drive) -> Result<RppalOutput, String> {
        RaspberryPi.output(&OutputLine {
            line,
            level: Level::Low,
            active_low: false,
            drive,
        })
    }

    #[test]
    fn what_rppal_cannot_is_refused_before_the_registers() {
        let reason = output("stop", Drive::PushPull).err().unwrap();
        assert!(reason.contains("BCM"), "{reason}");
        let reason = output("gpiochip0:17", Drive::OpenDrain).err().unwrap();
        assert!(reason.contains("push-pull"), "{reason}");
    }

    #[test]
    fn on_another_machine_a_claim_is_a_reason() {
        if Gpio::new().is_ok() {
            return; // A Raspberry Pi: the line could be somebody's.
        }
        let reason = output("gpiochip0:17", Drive::PushPull).err().unwrap();
        assert!(reason.starts_with("rppal: "), "{reason}");
    }
}
