//! The lines and PWM channels that are driven.

use crate::{Backend, Cdev, OutputLine, SignalError};
use edgeai_config::{Level, Output, Pwm};
use embedded_hal::digital::OutputPin;
use embedded_hal::pwm::SetDutyCycle;
use std::time::Duration;

/// The outputs of an appliance, in its order. Dropping them drives every one to its safe level.
///
/// `High` is active, whatever that is electrically. No call but [`Outputs::claim`] allocates,
/// unless something fails; each line that changes is one system call.
pub struct Outputs<B: Backend = Cdev> {
    backend: B,
    lines: Vec<Line<B>>,
}

struct Line<B: Backend> {
    output: Output,
    /// `None` while the line is missing.
    actuator: Option<Actuator<B>>,
    /// What was last driven without an error.
    level: Level,
    /// When that changed; claiming counts, since nobody knows what was before.
    changed: Duration,
    /// The other level is wanted and waits for [`Line::earliest`].
    delayed: bool,
}

enum Actuator<B: Backend> {
    Pin(B::Output),
    Pwm(B::Pwm, Duties),
}

#[derive(Clone, Copy)]
struct Duties {
    low: u16,
    high: u16,
}

impl<B: Backend> Outputs<B> {
    /// Knows the outputs but claims none yet.
    pub fn new(backend: B, outputs: &[Output]) -> Self {
        let lines = outputs
            .iter()
            .map(|output| Line {
                output: output.clone(),
                actuator: None,
                level: output.safe,
                changed: Duration::ZERO,
                delayed: false,
            })
            .collect();
        Self { backend, lines }
    }

    /// Claims every line that is not held yet, each at its safe level from the first moment;
    /// `now` is monotonic, as everywhere here.
    ///
    /// # Errors
    /// The first line that cannot be had; the others are claimed all the same. Call again later.
    pub fn claim(&mut self, now: Duration) -> Result<(), SignalError> {
        let mut result = Ok(());
        for line in &mut self.lines {
            if line.actuator.is_some() {
                continue;
            }
            match Actuator::claim(&mut self.backend, &line.output) {
                Ok(actuator) => {
                    line.actuator = Some(actuator);
                    line.level = line.output.safe;
                    line.changed = now;
                }
                Err(reason) => result = result.and(Err(line.error(reason))),
            }
        }
        result
    }

    /// Drives the lines to `levels`, one for each output in order; lines that have that level
    /// already are left alone. A level that is not the safe one waits until `min_interval_ms` after
    /// the line's last change: call again at [`Outputs::due`] with the levels of then.
    ///
    /// # Errors
    /// The first line that failed or is missing; the others are driven all the same. A line that
    /// failed is given up and has to be claimed again.
    pub fn set(&mut self, now: Duration, levels: &[Level]) -> Result<(), SignalError> {
        let mut result = Ok(());
        for (line, &level) in self.lines.iter_mut().zip(levels) {
            let held = line.actuator.is_some();
            let settled = held && line.level == level;
            line.delayed = held && !settled && level != line.output.safe && now < line.earliest();
            if !settled && !line.delayed {
                result = result.and(line.drive(now, level));
            }
        }
        result
    }

    /// Drives every line to its safe level, whatever it is thought to be at, without any delay.
    ///
    /// # Errors
    /// As for [`Outputs::set`].
    pub fn safe(&mut self, now: Duration) -> Result<(), SignalError> {
        self.lines
            .iter_mut()
            .map(|line| {
                line.delayed = false;
                line.drive(now, line.output.safe)
            })
            .fold(Ok(()), Result::and)
    }

    /// When the earliest delayed level may be driven (monotonic); `None`: none waits.
    #[must_use]
    pub fn due(&self) -> Option<Duration> {
        self.lines
            .iter()
            .filter(|line| line.delayed)
            .map(Line::earliest)
            .min()
    }

    /// The level of each line: bit i is 1 when output i was last driven high.
    #[must_use]
    pub fn bits(&self) -> u32 {
        self.lines.iter().rev().fold(0, |bits, line| {
            bits << 1 | u32::from(line.level == Level::High)
        })
    }
}

impl<B: Backend> Actuator<B> {
    fn claim(backend: &mut B, output: &Output) -> Result<Self, String> {
        if let Some(line) = &output.line {
            let line = OutputLine {
                line,
                level: output.safe,
                active_low: output.active_low,
                drive: output.drive,
            };
            return backend.output(&line).map(Self::Pin);
        }
        let pwm = output.pwm.as_ref().ok_or("neither a line nor a pwm")?;
        let duties = Duties::of(pwm);
        let channel = backend.pwm(pwm, duties.at(output.safe))?;
        Ok(Self::Pwm(channel, duties))
    }

    fn drive(&mut self, level: Level) -> Result<(), String> {
        match self {
            Self::Pin(pin) => match level {
                Level::Low => pin.set_low(),
                Level::High => pin.set_high(),
            }
            .map_err(|error| format!("{error:?}")),
            Self::Pwm(channel, duties) => {
                let most = u32::from(channel.max_duty_cycle());
                let duty = u32::from(duties.at(level)) * most / u32::from(u16::MAX);
                // Not above `most`, which is a u16.
                let duty = u16::try_from(duty).unwrap_or(u16::MAX);
                channel
                    .set_duty_cycle(duty)
                    .map_err(|error| format!("{error:?}"))
            }
        }
    }
}

impl Duties {
    fn of(pwm: &Pwm) -> Self {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the cast saturates, and a share of 0 to 1 is 0 to 65535"
        )]
        let duty = |share: f64| (share * f64::from(u16::MAX)).round() as u16;
        Self {
            low: duty(pwm.low),
            high: duty(pwm.high),
        }
    }

    fn at(self, level: Level) -> u16 {
        match level {
            Level::Low => self.low,
            Level::High => self.high,
        }
    }
}

impl<B: Backend> Line<B> {
    /// From when on the line may leave its safe level.
    fn earliest(&self) -> Duration {
        self.changed + Duration::from_millis(self.output.min_interval_ms.into())
    }

    fn drive(&mut self, now: Duration, level: Level) -> Result<(), SignalError> {
        let Some(actuator) = &mut self.actuator else {
            return Err(self.error("not claimed".into()));
        };
        actuator.drive(level).map_err(|reason| {
            self.actuator = None;
            self.level = self.output.safe;
            self.error(reason)
        })?;
        if self.level != level {
            self.level = level;
            self.changed = now;
        }
        Ok(())
    }

    fn error(&self, reason: String) -> SignalError {
        let place = match (&self.output.line, &self.output.pwm) {
            (Some(line), _) => format!("line {line}"),
            (None, Some(pwm)) => format!("pwm {}", pwm.channel),
            (None, None) => String::from("nowhere"),
        };
        SignalError {
            kind: "output",
            name: self.output.name.clone(),
            place,
            reason,
        }
    }
}

impl<B: Backend> Drop for Outputs<B> {
    fn drop(&mut self) {
        // Nobody is left to hear of a line that fails now, or to count intervals.
        let _ = self.safe(Duration::ZERO);
    }
}

#[cfg(test)]
#[path = "outputs_tests.rs"]
mod tests;
