//! The lines that are driven.

use crate::{Backend, Cdev, SignalError};
use edgeai_config::{Level, Output};
use embedded_hal::digital::OutputPin;

/// The outputs of an appliance, in its order. Dropping them drives every one to its safe level.
pub struct Outputs<B: Backend = Cdev> {
    backend: B,
    lines: Vec<Line<B::Output>>,
}

struct Line<P> {
    output: Output,
    /// `None` while the line is missing.
    pin: Option<P>,
    /// What was last driven without an error.
    level: Level,
}

impl<B: Backend> Outputs<B> {
    /// Knows the outputs but claims none yet.
    pub fn new(backend: B, outputs: &[Output]) -> Self {
        let lines = outputs
            .iter()
            .map(|output| Line {
                output: output.clone(),
                pin: None,
                level: output.safe,
            })
            .collect();
        Self { backend, lines }
    }

    /// Claims every line that is not held yet, each at its safe level from the first moment.
    ///
    /// # Errors
    /// The first line that cannot be had; the others are claimed all the same. Call again later.
    pub fn claim(&mut self) -> Result<(), SignalError> {
        let mut result = Ok(());
        for line in &mut self.lines {
            if line.pin.is_some() {
                continue;
            }
            match self.backend.output(&line.output.line, line.output.safe) {
                Ok(pin) => {
                    line.pin = Some(pin);
                    line.level = line.output.safe;
                }
                Err(reason) => result = result.and(Err(line.error(reason))),
            }
        }
        result
    }

    /// Drives the lines to `levels`, one for each output in order; lines that have that level
    /// already are left alone.
    ///
    /// # Errors
    /// The first line that failed or is missing; the others are driven all the same. A line that
    /// failed is given up and has to be claimed again.
    pub fn set(&mut self, levels: &[Level]) -> Result<(), SignalError> {
        let mut result = Ok(());
        for (line, &level) in self.lines.iter_mut().zip(levels) {
            if line.pin.is_none() || line.level != level {
                result = result.and(line.drive(level));
            }
        }
        result
    }

    /// Drives every line to its safe level, whatever it is thought to be at.
    ///
    /// # Errors
    /// As for [`Outputs::set`].
    pub fn safe(&mut self) -> Result<(), SignalError> {
        self.lines
            .iter_mut()
            .map(|line| line.drive(line.output.safe))
            .fold(Ok(()), Result::and)
    }

    /// The level of each line: bit i is 1 when output i was last driven high.
    #[must_use]
    pub fn bits(&self) -> u32 {
        self.lines.iter().rev().fold(0, |bits, line| {
            bits << 1 | u32::from(line.level == Level::High)
        })
    }
}

impl<P: OutputPin> Line<P> {
    fn drive(&mut self, level: Level) -> Result<(), SignalError> {
        let Some(pin) = &mut self.pin else {
            return Err(self.error("not claimed".into()));
        };
        let driven = match level {
            Level::Low => pin.set_low(),
            Level::High => pin.set_high(),
        };
        driven.map_err(|error| {
            self.pin = None;
            self.level = self.output.safe;
            self.error(format!("{error:?}"))
        })?;
        self.level = level;
        Ok(())
    }

    fn error(&self, reason: String) -> SignalError {
        SignalError {
            kind: "output",
            name: self.output.name.clone(),
            line: self.output.line.clone(),
            reason,
        }
    }
}

impl<B: Backend> Drop for Outputs<B> {
    fn drop(&mut self) {
        // Nobody is left to hear of a line that fails now.
        let _ = self.safe();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulated::Bench;

    const LOW_HIGH: [(&str, Level); 2] = [("lamp", Level::Low), ("stop", Level::High)];

    fn outputs(bench: &Bench) -> Outputs<Bench> {
        let list = LOW_HIGH.map(|(name, safe)| Output {
            name: name.into(),
            line: name.into(),
            safe,
        });
        Outputs::new(bench.clone(), &list)
    }

    #[test]
    fn lines_are_safe_from_the_moment_they_are_claimed() {
        let bench = Bench::new(&["lamp", "stop"]);
        let mut outputs = outputs(&bench);
        outputs.claim().unwrap();
        assert_eq!(bench.history("lamp"), [Level::Low]);
        assert_eq!(bench.history("stop"), [Level::High]);
        assert_eq!(outputs.bits(), 0b10);
    }

    #[test]
    fn a_missing_line_does_not_stop_the_others_and_comes_later() {
        let bench = Bench::new(&["stop"]);
        let mut outputs = outputs(&bench);
        assert_eq!(outputs.claim().unwrap_err().name, "lamp");
        assert_eq!(bench.level("stop"), Level::High);
        assert!(
            outputs.set(&[Level::High, Level::Low]).is_err(),
            "lamp is missing"
        );
        assert_eq!(bench.level("stop"), Level::Low);
        bench.plug("lamp");
        outputs.claim().unwrap();
        assert_eq!(
            bench.history("stop"),
            [Level::High, Level::Low],
            "a held line is not claimed twice"
        );
        assert_eq!(bench.level("lamp"), Level::Low);
    }

    #[test]
    fn a_failing_line_does_not_stop_the_others_from_going_safe() {
        let bench = Bench::new(&["lamp", "stop"]);
        let mut outputs = outputs(&bench);
        outputs.claim().unwrap();
        outputs.set(&[Level::High, Level::Low]).unwrap();
        bench.unplug("lamp");
        let error = outputs.safe().unwrap_err();
        assert!(
            error.to_string().starts_with("output lamp (line lamp): "),
            "{error}"
        );
        assert_eq!(bench.level("stop"), Level::High);
    }

    #[test]
    fn an_unchanged_level_is_not_driven_again_but_safe_always_is() {
        let bench = Bench::new(&["lamp", "stop"]);
        let mut outputs = outputs(&bench);
        outputs.claim().unwrap();
        outputs.set(&[Level::High, Level::High]).unwrap();
        outputs.set(&[Level::High, Level::High]).unwrap();
        assert_eq!(bench.history("lamp"), [Level::Low, Level::High]);
        outputs.safe().unwrap();
        assert_eq!(bench.history("stop"), [Level::High, Level::High]);
    }

    #[test]
    fn dropping_drives_the_safe_levels() {
        let bench = Bench::new(&["lamp", "stop"]);
        let mut outputs = outputs(&bench);
        outputs.claim().unwrap();
        outputs.set(&[Level::High, Level::Low]).unwrap();
        drop(outputs);
        assert_eq!(
            (bench.level("lamp"), bench.level("stop")),
            (Level::Low, Level::High)
        );
    }
}
