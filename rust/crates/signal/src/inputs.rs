//! The lines that are read.

use crate::debounce::Debounce;
use crate::{Backend, Cdev, EdgePin, InputLine, SignalError, level};
use edgeai_config::{Input, Level};
use embedded_hal::digital::InputPin;
use std::os::fd::RawFd;
use std::time::Duration;

/// The inputs of an appliance, in its order, debounced. `High` is active, whatever that is
/// electrically.
///
/// Every look reads every line, so that a level is right even where only one edge wakes. A pulse
/// that is over before the woken thread looks does not count, with or without debounce.
pub struct Inputs<B: Backend = Cdev> {
    backend: B,
    lines: Vec<Line<B::Input>>,
    levels: Vec<Level>,
}

struct Line<P> {
    input: Input,
    /// `None` while the line is missing.
    held: Option<(P, Debounce)>,
}

impl<B: Backend> Inputs<B> {
    /// Knows the inputs but claims none yet; their levels count as low until then.
    pub fn new(backend: B, inputs: &[Input]) -> Self {
        let lines = inputs
            .iter()
            .map(|input| Line {
                input: input.clone(),
                held: None,
            })
            .collect();
        Self {
            backend,
            lines,
            levels: vec![Level::Low; inputs.len()],
        }
    }

    /// Claims every line that is not held yet; the level it has then counts at once.
    ///
    /// # Errors
    /// The first line that cannot be had; the others are claimed all the same. Call again later.
    pub fn claim(&mut self) -> Result<(), SignalError> {
        let mut result = Ok(());
        for (line, level) in self.lines.iter_mut().zip(&mut self.levels) {
            if line.held.is_some() {
                continue;
            }
            let claimed = self
                .backend
                .input(&line.asked())
                .and_then(|mut pin| Ok((level_of(&mut pin)?, pin)));
            match claimed {
                Ok((now, pin)) => {
                    let stable_for = Duration::from_millis(line.input.debounce_ms.into());
                    line.held = Some((pin, Debounce::new(stable_for, now)));
                    *level = now;
                }
                Err(reason) => result = result.and(Err(line.error(reason))),
            }
        }
        result
    }

    /// Reads every held line at `now` (monotonic); whether a level that counts has changed.
    ///
    /// # Errors
    /// The first line that could not be read; the others are read all the same. A line that failed
    /// is given up and has to be claimed again; its level stays what it was.
    pub fn read(&mut self, now: Duration) -> Result<bool, SignalError> {
        let mut changed = false;
        let mut result = Ok(());
        for (line, level) in self.lines.iter_mut().zip(&mut self.levels) {
            let Some((pin, debounce)) = &mut line.held else {
                continue;
            };
            let edge = pin.take_edges();
            match level_of(pin) {
                Ok(read) => {
                    changed |= debounce.feed(now, read, edge);
                    *level = debounce.level();
                }
                Err(reason) => {
                    line.held = None;
                    result = result.and(Err(line.error(reason)));
                }
            }
        }
        result.map(|()| changed)
    }

    /// The debounced level of each input, in order.
    #[must_use]
    pub fn levels(&self) -> &[Level] {
        &self.levels
    }

    /// When to read next even if no edge comes (monotonic): the end of the earliest debounce time.
    #[must_use]
    pub fn due(&self) -> Option<Duration> {
        self.lines
            .iter()
            .filter_map(|line| line.held.as_ref()?.1.due())
            .min()
    }

    /// Descriptors that become readable at edges; they change only in [`Inputs::claim`] and when a
    /// line is given up.
    pub fn fds(&self) -> impl Iterator<Item = RawFd> {
        self.lines
            .iter()
            .filter_map(|line| line.held.as_ref()?.0.fd())
    }
}

impl<P> Line<P> {
    fn asked(&self) -> InputLine<'_> {
        InputLine {
            line: &self.input.line,
            edge: self.input.edge,
            bias: self.input.bias,
            active_low: self.input.active_low,
        }
    }

    fn error(&self, reason: String) -> SignalError {
        SignalError {
            kind: "input",
            name: self.input.name.clone(),
            place: format!("line {}", self.input.line),
            reason,
        }
    }
}

fn level_of<P: EdgePin>(pin: &mut P) -> Result<Level, String> {
    InputPin::is_high(pin)
        .map(level)
        .map_err(|error| format!("{error:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulated::Bench;
    use Level::{High, Low};
    use edgeai_config::{Bias, Edge};

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    fn inputs(bench: &Bench) -> Inputs<Bench> {
        let list = [("door", 5), ("reset", 0)].map(|(name, debounce_ms)| Input {
            name: name.into(),
            line: name.into(),
            edge: Edge::Both,
            debounce_ms,
            bias: Bias::AsIs,
            active_low: false,
        });
        Inputs::new(bench.clone(), &list)
    }

    #[test]
    fn the_level_found_at_the_claim_counts_at_once() {
        let bench = Bench::new(&["door", "reset"]);
        bench.pull("door", High);
        let mut inputs = inputs(&bench);
        inputs.claim().unwrap();
        assert_eq!(inputs.levels(), [High, Low]);
    }

    #[test]
    fn each_line_has_its_own_debounce_time() {
        let bench = Bench::new(&["door", "reset"]);
        let mut inputs = inputs(&bench);
        inputs.claim().unwrap();
        bench.pull("door", High);
        bench.pull("reset", High);
        assert_eq!(inputs.read(ms(100)), Ok(true));
        assert_eq!(inputs.levels(), [Low, High]);
        assert_eq!(inputs.due(), Some(ms(105)));
        assert_eq!(inputs.read(ms(105)), Ok(true));
        assert_eq!(inputs.levels(), [High, High]);
        assert_eq!((inputs.due(), inputs.read(ms(106))), (None, Ok(false)));
    }

    #[test]
    fn a_lost_line_is_an_error_once_and_can_be_claimed_again() {
        let bench = Bench::new(&["door", "reset"]);
        let mut inputs = inputs(&bench);
        inputs.claim().unwrap();
        bench.unplug("door");
        bench.pull("reset", High);
        assert_eq!(inputs.read(ms(1)).unwrap_err().name, "door");
        assert_eq!(inputs.levels(), [Low, High], "the other line was read");
        assert!(inputs.claim().is_err());
        bench.plug("door");
        bench.pull("door", High);
        inputs.claim().unwrap();
        assert_eq!(inputs.levels(), [High, High]);
    }

    #[test]
    fn a_button_to_ground_is_active_while_pressed() {
        let bench = Bench::new(&["button"]);
        let button = Input {
            name: "button".into(),
            line: "button".into(),
            edge: Edge::Both,
            debounce_ms: 5,
            bias: Bias::PullUp,
            active_low: true,
        };
        let mut inputs = Inputs::new(bench.clone(), &[button]);
        inputs.claim().unwrap();
        assert_eq!(bench.level("button"), High, "the pull-up");
        assert_eq!(inputs.levels(), [Low]);
        // Its edge is steady for long enough: a falling edge that leads to active.
        bench.pull_at("button", Low, ms(10));
        assert_eq!(inputs.read(ms(15)), Ok(true));
        assert_eq!(inputs.levels(), [High]);
    }

    #[test]
    fn debounce_counts_from_the_edge_and_not_from_the_look() {
        let bench = Bench::new(&["door", "reset"]);
        let mut inputs = inputs(&bench);
        inputs.claim().unwrap();
        bench.pull_at("door", High, ms(100));
        assert_eq!(inputs.read(ms(103)), Ok(false));
        assert_eq!(inputs.due(), Some(ms(105)));
        assert_eq!(inputs.read(ms(105)), Ok(true));
    }
}
