//! The lines that are read.

use crate::debounce::Debounce;
use crate::{Backend, Cdev, EdgePin, InputLine, SignalError, level, opposite};
use edgeai_config::{Edge, Input, Level};
use embedded_hal::digital::InputPin;
use std::os::fd::RawFd;
use std::time::Duration;

/// The inputs of an appliance, in its order, debounced. `High` is active, whatever that is
/// electrically.
///
/// Every look reads every line, so that a level is right even where only one edge wakes. A pulse
/// that is over before the woken thread looks is known by its edges: see [`Inputs::passing`].
pub struct Inputs<B: Backend = Cdev> {
    backend: B,
    lines: Vec<Line<B::Input>>,
    levels: Vec<Level>,
}

struct Line<P> {
    input: Input,
    /// `None` while the line is missing.
    held: Option<(P, Debounce)>,
    /// Changes of the level that counts which [`Inputs::levels`] does not show yet.
    ahead: u32,
}

impl<B: Backend> Inputs<B> {
    /// Knows the inputs but claims none yet; their levels count as low until then.
    pub fn new(backend: B, inputs: &[Input]) -> Self {
        let lines = inputs
            .iter()
            .map(|input| Line {
                input: input.clone(),
                held: None,
                ahead: 0,
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
            let claimed = self.backend.input(&line.asked()).and_then(|mut pin| {
                let level = level_of(&mut pin)?;
                // Those that led to it.
                pin.take_edges(|_| {});
                Ok((level, pin))
            });
            match claimed {
                Ok((now, pin)) => {
                    let stable_for = Duration::from_millis(line.input.debounce_ms.into());
                    let both = line.input.edge == Edge::Both;
                    line.held = Some((pin, Debounce::new(stable_for, now, both)));
                    *level = now;
                }
                Err(reason) => result = result.and(Err(line.error(reason))),
            }
        }
        result
    }

    /// Reads every held line at `now` (monotonic); whether a level that counts has changed. Of a line
    /// that changed more than once since the last look `levels` then shows the first change.
    ///
    /// # Errors
    /// The first line that could not be read; the others are read all the same. A line that failed
    /// is given up and has to be claimed again; its level stays what it was.
    pub fn read(&mut self, now: Duration) -> Result<bool, SignalError> {
        let mut result = Ok(());
        for line in &mut self.lines {
            let Some((pin, debounce)) = &mut line.held else {
                continue;
            };
            let mut changes = 0;
            pin.take_edges(|edge| changes += debounce.edge(now, edge));
            match level_of(pin) {
                Ok(read) => line.ahead += changes + debounce.look(now, read),
                Err(reason) => {
                    line.held = None;
                    line.ahead = 0;
                    result = result.and(Err(line.error(reason)));
                }
            }
        }
        let changed = self.passing();
        self.pass();
        result.map(|()| changed)
    }

    /// Whether a line has changed more often than `levels` shows: a pulse that is over. Whoever wants
    /// to see it decides with `levels` as they are, and calls [`Inputs::pass`] to go on.
    #[must_use]
    pub fn passing(&self) -> bool {
        self.lines.iter().any(|line| line.ahead > 0)
    }

    /// Shows the next change of each line that has one.
    pub fn pass(&mut self) {
        for (line, level) in self.lines.iter_mut().zip(&mut self.levels) {
            if line.ahead > 0 {
                line.ahead -= 1;
                *level = opposite(*level);
            }
        }
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
    use edgeai_config::Bias;

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
    fn a_pulse_that_is_over_is_shown_before_what_is_now() {
        let bench = Bench::new(&["door", "reset"]);
        let mut inputs = inputs(&bench);
        inputs.claim().unwrap();
        for (at, level) in [(10, High), (11, Low), (12, High), (13, Low)] {
            bench.pull_at("reset", level, ms(at));
            bench.pull_at("door", level, ms(at));
        }
        assert_eq!(inputs.read(ms(30)), Ok(true));
        let mut shown = vec![inputs.levels()[1]];
        while inputs.passing() {
            inputs.pass();
            shown.push(inputs.levels()[1]);
        }
        assert_eq!(shown, [High, Low, High, Low]);
        assert_eq!(inputs.levels(), [Low, Low], "the door's were too short");
        assert_eq!((inputs.read(ms(31)), inputs.passing()), (Ok(false), false));
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
