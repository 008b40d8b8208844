//! The GPIO character device (`/dev/gpiochip*`), version 2 of its interface (Linux 5.10): bias,
//! active-low and drive are the kernel's, edges carry the time of their interrupt.

use crate::pwm::PwmChannel;
use crate::{Backend, EdgePin, InputLine, OutputLine, PinEdge, level};
use edgeai_config::{Bias, Drive, Edge, Level, Line, Pwm};
use embedded_hal::digital::{Error, ErrorKind, ErrorType, InputPin, OutputPin};
use gpiocdev::line::{self, EdgeDetection, EdgeKind, Value};
use gpiocdev::{FoundLine, Request};
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use std::fmt;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Shown by the kernel as the owner of our lines.
const CONSUMER: &str = "edgeai";
/// Edges kept by the kernel between two looks and taken by one read; when more come, the oldest
/// are lost.
const EDGES: usize = 16;
/// `sizeof(struct gpio_v2_line_event)` of `linux/gpio.h`, in 64-bit words.
const EDGE_WORDS: usize = 6;

/// Lines of all GPIO chips of this machine, and its PWM channels.
#[derive(Debug, Clone, Copy, Default)]
pub struct Cdev;

impl Backend for Cdev {
    type Output = CdevOutput;
    type Input = CdevInput;
    type Pwm = PwmChannel;

    fn output(&mut self, line: &OutputLine<'_>) -> Result<CdevOutput, String> {
        let (chip, offset) = find(line.line)?;
        let mut request = Request::builder();
        request
            .on_chip(&chip)
            .with_consumer(CONSUMER)
            .with_line(offset)
            .as_output(value(line.level));
        if line.active_low {
            request.as_active_low();
        }
        match line.drive {
            Drive::PushPull => {}
            Drive::OpenDrain => _ = request.with_drive(line::Drive::OpenDrain),
            Drive::OpenSource => _ = request.with_drive(line::Drive::OpenSource),
        }
        let request = request.request().map_err(|error| reason(&chip, &error))?;
        Ok(CdevOutput(request))
    }

    fn input(&mut self, line: &InputLine<'_>) -> Result<CdevInput, String> {
        let (chip, offset) = find(line.line)?;
        let mut request = Request::builder();
        request
            .on_chip(&chip)
            .with_consumer(CONSUMER)
            .with_line(offset)
            .as_input()
            .with_kernel_event_buffer_size(u32::try_from(EDGES).unwrap_or(0))
            .with_edge_detection(match line.edge {
                Edge::Rising => EdgeDetection::RisingEdge,
                Edge::Falling => EdgeDetection::FallingEdge,
                Edge::Both => EdgeDetection::BothEdges,
            })
            .with_bias(match line.bias {
                Bias::AsIs => None,
                Bias::PullUp => Some(line::Bias::PullUp),
                Bias::PullDown => Some(line::Bias::PullDown),
                Bias::Disabled => Some(line::Bias::Disabled),
            });
        if line.active_low {
            request.as_active_low();
        }
        let request = request.request().map_err(|error| reason(&chip, &error))?;
        // Edges are taken until none is left; that must not block.
        fcntl(request.as_fd(), FcntlArg::F_SETFL(OFlag::O_NONBLOCK))
            .map_err(|error| error.to_string())?;
        Ok(CdevInput(request))
    }

    fn pwm(&mut self, pwm: &Pwm, duty: u16) -> Result<PwmChannel, String> {
        PwmChannel::claim(Path::new("/"), pwm, duty)
    }
}

/// Chip and offset that `chip:offset` or a line's name stands for.
fn find(line: &str) -> Result<(PathBuf, u32), String> {
    match Line::parse(line)? {
        Line::Offset { chip, offset } => {
            let chip = PathBuf::from(format!("/dev/gpiochip{chip}"));
            // The crate's own words for a missing chip do not say why.
            std::fs::metadata(&chip).map_err(|error| format!("{}: {error}", chip.display()))?;
            Ok((chip, offset))
        }
        Line::Name(name) => {
            let lines = gpiocdev::lines().map_err(|error| reason(Path::new("/dev"), &error))?;
            only(name, lines)
        }
    }
}

/// The one line of this name. The kernel does not keep names unique; guessing would drive some
/// other machine part.
fn only(name: &str, lines: impl Iterator<Item = FoundLine>) -> Result<(PathBuf, u32), String> {
    let mut found = lines.filter(|line| line.info.name == name);
    let first = found.next().ok_or("no GPIO chip has a line of this name")?;
    match found.next() {
        None => Ok((first.chip, first.info.offset)),
        Some(second) => Err(format!(
            "two lines have this name: {}:{} and {}:{}",
            first.chip.display(),
            first.info.offset,
            second.chip.display(),
            second.info.offset
        )),
    }
}

fn reason(chip: &Path, error: &gpiocdev::Error) -> String {
    format!("{}: {error}", chip.display())
}

fn value(level: Level) -> Value {
    match level {
        Level::Low => Value::Inactive,
        Level::High => Value::Active,
    }
}

/// What the kernel answered when a claimed line was driven or read.
pub struct PinError(gpiocdev::Error);

impl fmt::Debug for PinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl Error for PinError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Other
    }
}

/// A line that is driven.
pub struct CdevOutput(Request);

impl ErrorType for CdevOutput {
    type Error = PinError;
}

impl OutputPin for CdevOutput {
    fn set_low(&mut self) -> Result<(), PinError> {
        self.0.set_lone_value(Value::Inactive).map_err(PinError)
    }

    fn set_high(&mut self) -> Result<(), PinError> {
        self.0.set_lone_value(Value::Active).map_err(PinError)
    }
}

/// A line that is read, with its queue of edges in the kernel.
pub struct CdevInput(Request);

impl ErrorType for CdevInput {
    type Error = PinError;
}

impl InputPin for CdevInput {
    fn is_high(&mut self) -> Result<bool, PinError> {
        Ok(self.0.lone_value().map_err(PinError)? == Value::Active)
    }

    fn is_low(&mut self) -> Result<bool, PinError> {
        self.is_high().map(|high| !high)
    }
}

impl EdgePin for CdevInput {
    fn fd(&self) -> Option<RawFd> {
        Some(self.0.as_fd().as_raw_fd())
    }

    fn take_edges(&mut self, mut tell: impl FnMut(PinEdge)) {
        let mut words = [0_u64; EDGES * EDGE_WORDS];
        // Bounded: a line that oscillates must not hold the thread.
        for _ in 0..4 {
            let Ok(read) = self.0.read_edge_events_into_slice(&mut words) else {
                break;
            };
            for edge in words.get(..read).unwrap_or(&[]).chunks_exact(EDGE_WORDS) {
                if let Ok(event) = self.0.edge_event_from_slice(edge) {
                    tell(PinEdge {
                        at: Some(Duration::from_nanos(event.timestamp_ns)),
                        to: level(event.kind == EdgeKind::Rising),
                    });
                }
            }
            if read < words.len() {
                break;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(line: &str) -> Result<CdevOutput, String> {
        Cdev.output(&OutputLine {
            line,
            level: Level::Low,
            active_low: false,
            drive: Drive::PushPull,
        })
    }

    #[test]
    fn a_missing_chip_is_a_reason_and_not_a_panic() {
        let reason = output("gpiochip99:0").err().unwrap();
        assert!(reason.starts_with("/dev/gpiochip99: "), "{reason}");
        assert!(output("no such name").is_err());
        assert!(output("gpiochip0:x").is_err());
    }

    #[test]
    fn a_name_stands_for_one_line_only() {
        let line = |chip: &str, offset, name: &str| {
            let mut line = FoundLine {
                chip: chip.into(),
                ..FoundLine::default()
            };
            line.info.offset = offset;
            line.info.name = name.into();
            line
        };
        let lines = [
            line("/dev/gpiochip0", 0, ""),
            line("/dev/gpiochip0", 7, "stop"),
            line("/dev/gpiochip1", 7, "lamp"),
            line("/dev/gpiochip2", 1, "lamp"),
        ];
        let find = |name| only(name, lines.clone().into_iter());
        assert_eq!(find("stop"), Ok(("/dev/gpiochip0".into(), 7)));
        assert_eq!(
            find("lamp").unwrap_err(),
            "two lines have this name: /dev/gpiochip1:7 and /dev/gpiochip2:1"
        );
        assert!(find("door").is_err());
    }

    #[test]
    fn an_edge_takes_as_many_words_as_the_kernel_gives_it() {
        // gpio_v2_line_event: u64, four u32, six u32 of padding.
        assert_eq!(EDGE_WORDS * 8, 8 + 4 * 4 + 6 * 4);
    }
}
