//! The GPIO character device (`/dev/gpiochip*`).

use crate::{Backend, EdgePin};
use edgeai_config::{Edge, Level};
use embedded_hal::digital::{ErrorType, InputPin};
use linux_embedded_hal::gpio_cdev::{
    Chip, EventRequestFlags, Line, LineEventHandle, LineRequestFlags, chips,
};
use linux_embedded_hal::{CdevPin, CdevPinError};
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use std::os::fd::{AsFd, AsRawFd, RawFd};

/// Shown by the kernel as the owner of our lines.
const CONSUMER: &str = "edgeai";

/// Lines of all GPIO chips of this machine. Needs a kernel with `CONFIG_GPIO_CDEV_V1`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Cdev;

impl Backend for Cdev {
    type Output = CdevPin;
    type Input = EventPin;

    fn output(&mut self, line: &str, level: Level) -> Result<CdevPin, String> {
        let value = u8::from(level == Level::High);
        let handle = find(line)?
            .request(LineRequestFlags::OUTPUT, value, CONSUMER)
            .map_err(|error| error.to_string())?;
        CdevPin::new(handle).map_err(|error| error.to_string())
    }

    fn input(&mut self, line: &str, edge: Edge) -> Result<EventPin, String> {
        let edges = match edge {
            Edge::Rising => EventRequestFlags::RISING_EDGE,
            Edge::Falling => EventRequestFlags::FALLING_EDGE,
            Edge::Both => EventRequestFlags::BOTH_EDGES,
        };
        let handle = find(line)?
            .events(LineRequestFlags::INPUT, edges, CONSUMER)
            .map_err(|error| error.to_string())?;
        // Edges are taken until none is left; that must not block.
        fcntl(handle.as_fd(), FcntlArg::F_SETFL(OFlag::O_NONBLOCK))
            .map_err(|error| error.to_string())?;
        Ok(EventPin(handle))
    }
}

/// The line that `chip:offset` or a line's name stands for.
fn find(line: &str) -> Result<Line, String> {
    if let Some((chip, offset)) = chip_and_offset(line) {
        let mut chip =
            Chip::new(format!("/dev/{chip}")).map_err(|error| format!("/dev/{chip}: {error}"))?;
        return chip.get_line(offset).map_err(|error| error.to_string());
    }
    let chips = chips().map_err(|error| format!("/dev: {error}"))?;
    let mut found = chips
        .flatten()
        .flat_map(|chip| chip.lines())
        .filter(|candidate| candidate.info().is_ok_and(|info| info.name() == Some(line)));
    let first = found.next().ok_or("no GPIO chip has a line of this name")?;
    match found.next() {
        None => Ok(first),
        // The kernel does not keep names unique; guessing would drive some other machine part.
        Some(second) => Err(format!(
            "two lines have this name: {}:{} and {}:{}",
            first.chip().name(),
            first.offset(),
            second.chip().name(),
            second.offset()
        )),
    }
}

/// `gpiochip0:17` into its parts; anything else is a line's name.
fn chip_and_offset(line: &str) -> Option<(&str, u32)> {
    let (chip, offset) = line.rsplit_once(':')?;
    let number = chip.strip_prefix("gpiochip")?;
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    (digits(number) && digits(offset)).then(|| Some((chip, offset.parse().ok()?)))?
}

/// An input line with its queue of edges in the kernel (16 deep; when it overflows, the newest is
/// lost, which does no harm because the level is read as well).
pub struct EventPin(LineEventHandle);

impl ErrorType for EventPin {
    type Error = CdevPinError;
}

impl InputPin for EventPin {
    fn is_high(&mut self) -> Result<bool, CdevPinError> {
        Ok(self.0.get_value()? != 0)
    }

    fn is_low(&mut self) -> Result<bool, CdevPinError> {
        self.is_high().map(|high| !high)
    }
}

impl EdgePin for EventPin {
    fn fd(&self) -> Option<RawFd> {
        Some(self.0.as_raw_fd())
    }

    fn take_edges(&mut self) -> bool {
        let mut any = false;
        // Bounded: a line that oscillates must not hold the thread.
        for _ in 0..64 {
            match self.0.get_event() {
                Ok(_) => any = true,
                Err(_) => break,
            }
        }
        any
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_chip_and_offset_or_a_name() {
        assert_eq!(chip_and_offset("gpiochip0:17"), Some(("gpiochip0", 17)));
        assert_eq!(chip_and_offset("gpiochip12:0"), Some(("gpiochip12", 0)));
        for name in [
            "GPIO17",
            "PA:3",
            "gpiochip:1",
            "gpiochip0:",
            "gpiochip0:x",
            "gpiochip0/../x:1",
        ] {
            assert_eq!(chip_and_offset(name), None, "{name}");
        }
        assert_eq!(chip_and_offset("gpiochip0:99999999999"), None);
    }

    #[test]
    fn a_missing_chip_is_a_reason_and_not_a_panic() {
        let reason = Cdev.output("gpiochip99:0", Level::Low).err().unwrap();
        assert!(reason.starts_with("/dev/gpiochip99: "), "{reason}");
        assert!(Cdev.input("no such name", Edge::Both).is_err());
    }
}
