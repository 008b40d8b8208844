//! GPIO lines and PWM channels in memory: a [`Backend`] for tests, here and in the crates above.

use crate::{Backend, EdgePin, InputLine, OutputLine, PinEdge, opposite};
use edgeai_config::{Bias, Level, Pwm};
use embedded_hal::digital::{self, ErrorType, InputPin, OutputPin};
use embedded_hal::pwm::{self, SetDutyCycle};
use std::collections::{BTreeMap, VecDeque};
use std::os::fd::RawFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Edges that a line keeps, as many as the kernel.
const EDGES: usize = 16;

/// A bench with lines that can be unplugged; clones share it. Levels are electrical.
#[derive(Clone, Default)]
pub struct Bench(Arc<Mutex<BTreeMap<String, Wire>>>);

struct Wire {
    unplugged: bool,
    history: Vec<Level>,
    duties: Vec<u16>,
    edges: VecDeque<PinEdge>,
}

impl Default for Wire {
    fn default() -> Self {
        // Room for a test's changes, so that driving a line does not allocate.
        Self {
            unplugged: false,
            history: Vec::with_capacity(1024),
            duties: Vec::with_capacity(1024),
            edges: VecDeque::with_capacity(EDGES),
        }
    }
}

impl Bench {
    /// A bench with these lines (or PWM channels), all low and nobody's.
    #[must_use]
    pub fn new(lines: &[&str]) -> Self {
        let bench = Self::default();
        for line in lines {
            bench.plug(line);
        }
        bench
    }

    fn wires(&self) -> MutexGuard<'_, BTreeMap<String, Wire>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a line, or makes an unplugged one work again.
    pub fn plug(&self, line: &str) {
        self.wires().entry(line.into()).or_default().unplugged = false;
    }

    /// From now on the line fails, whoever has claimed it.
    pub fn unplug(&self, line: &str) {
        if let Some(wire) = self.wires().get_mut(line) {
            wire.unplugged = true;
        }
    }

    /// Moves a line from outside, with an edge whose time is not known.
    pub fn pull(&self, line: &str, level: Level) {
        self.move_to(
            line,
            PinEdge {
                at: None,
                to: level,
            },
        );
    }

    /// Moves a line from outside, with an edge at a time.
    pub fn pull_at(&self, line: &str, level: Level, at: Duration) {
        let at = Some(at);
        self.move_to(line, PinEdge { at, to: level });
    }

    fn move_to(&self, line: &str, edge: PinEdge) {
        if let Some(wire) = self.wires().get_mut(line) {
            let moved = wire.history.last().copied().unwrap_or(Level::Low) != edge.to;
            wire.history.push(edge.to);
            if !moved {
                return;
            }
            if wire.edges.len() == EDGES {
                wire.edges.pop_front();
            }
            wire.edges.push_back(edge);
        }
    }

    /// Every level the line was driven or pulled to, in order.
    #[must_use]
    pub fn history(&self, line: &str) -> Vec<Level> {
        self.wires()
            .get(line)
            .map_or_else(Vec::new, |wire| wire.history.clone())
    }

    /// The level now; low for a line that does not exist.
    #[must_use]
    pub fn level(&self, line: &str) -> Level {
        self.wires()
            .get(line)
            .and_then(|wire| wire.history.last().copied())
            .unwrap_or(Level::Low)
    }

    /// Every duty of 65535 the PWM channel was driven with, in order.
    #[must_use]
    pub fn duties(&self, channel: &str) -> Vec<u16> {
        self.wires()
            .get(channel)
            .map_or_else(Vec::new, |wire| wire.duties.clone())
    }

    fn wire<T>(&self, line: &str, with: impl FnOnce(&mut Wire) -> T) -> Result<T, Unplugged> {
        match self.wires().get_mut(line) {
            Some(wire) if !wire.unplugged => Ok(with(wire)),
            _ => Err(Unplugged),
        }
    }

    fn claim(
        &self,
        line: &str,
        active_low: bool,
        with: impl FnOnce(&mut Wire),
    ) -> Result<Pin, String> {
        self.wire(line, with)
            .map_err(|_| String::from("no such line"))?;
        Ok(Pin {
            bench: self.clone(),
            line: line.into(),
            active_low,
        })
    }
}

/// From active to electrical, and back.
fn electrical(active_low: bool, level: Level) -> Level {
    if active_low { opposite(level) } else { level }
}

impl Backend for Bench {
    type Output = Pin;
    type Input = Pin;
    type Pwm = Pin;

    fn output(&mut self, line: &OutputLine<'_>) -> Result<Pin, String> {
        self.claim(line.line, line.active_low, |wire| {
            wire.history.push(electrical(line.active_low, line.level));
        })
    }

    fn input(&mut self, line: &InputLine<'_>) -> Result<Pin, String> {
        self.claim(line.line, line.active_low, |wire| {
            wire.edges.clear();
            // Whatever moved the line from outside is stronger than a pull resistor.
            if line.bias == Bias::PullUp && wire.history.is_empty() {
                wire.history.push(Level::High);
            }
        })
    }

    fn pwm(&mut self, pwm: &Pwm, duty: u16) -> Result<Pin, String> {
        self.claim(&pwm.channel, false, |wire| wire.duties.push(duty))
    }
}

/// A line of a [`Bench`].
pub struct Pin {
    bench: Bench,
    line: String,
    active_low: bool,
}

impl Pin {
    fn drive(&self, level: Level) -> Result<(), Unplugged> {
        let level = electrical(self.active_low, level);
        self.bench.wire(&self.line, |wire| wire.history.push(level))
    }
}

/// What a line that was unplugged answers.
#[derive(Debug)]
pub struct Unplugged;

impl digital::Error for Unplugged {
    fn kind(&self) -> digital::ErrorKind {
        digital::ErrorKind::Other
    }
}

impl pwm::Error for Unplugged {
    fn kind(&self) -> pwm::ErrorKind {
        pwm::ErrorKind::Other
    }
}

impl ErrorType for Pin {
    type Error = Unplugged;
}

impl pwm::ErrorType for Pin {
    type Error = Unplugged;
}

impl OutputPin for Pin {
    fn set_low(&mut self) -> Result<(), Unplugged> {
        self.drive(Level::Low)
    }

    fn set_high(&mut self) -> Result<(), Unplugged> {
        self.drive(Level::High)
    }
}

impl InputPin for Pin {
    fn is_high(&mut self) -> Result<bool, Unplugged> {
        self.bench.wire(&self.line, |wire| {
            (wire.history.last() == Some(&Level::High)) != self.active_low
        })
    }

    fn is_low(&mut self) -> Result<bool, Unplugged> {
        self.is_high().map(|high| !high)
    }
}

impl EdgePin for Pin {
    fn fd(&self) -> Option<RawFd> {
        None
    }

    fn take_edges(&mut self, mut tell: impl FnMut(PinEdge)) {
        let active_low = self.active_low;
        let _ = self.bench.wire(&self.line, |wire| {
            for edge in wire.edges.drain(..) {
                let to = electrical(active_low, edge.to);
                tell(PinEdge { to, ..edge });
            }
        });
    }
}

impl SetDutyCycle for Pin {
    fn max_duty_cycle(&self) -> u16 {
        u16::MAX
    }

    fn set_duty_cycle(&mut self, duty: u16) -> Result<(), Unplugged> {
        self.bench.wire(&self.line, |wire| wire.duties.push(duty))
    }
}
