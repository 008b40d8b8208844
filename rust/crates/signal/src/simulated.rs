//! GPIO lines in memory: a [`Backend`] for tests, here and in the crates above.

use crate::{Backend, EdgePin};
use edgeai_config::{Edge, Level};
use embedded_hal::digital::{Error, ErrorKind, ErrorType, InputPin, OutputPin};
use std::collections::BTreeMap;
use std::os::fd::RawFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A bench with lines that can be unplugged; clones share it.
#[derive(Clone, Default)]
pub struct Bench(Arc<Mutex<BTreeMap<String, Wire>>>);

struct Wire {
    unplugged: bool,
    history: Vec<Level>,
    edges: bool,
}

impl Default for Wire {
    fn default() -> Self {
        // Room for a test's changes, so that driving a line does not allocate.
        Self {
            unplugged: false,
            history: Vec::with_capacity(1024),
            edges: false,
        }
    }
}

impl Bench {
    /// A bench with these lines, all low and nobody's.
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

    /// Moves a line from outside, with an edge.
    pub fn pull(&self, line: &str, level: Level) {
        if let Some(wire) = self.wires().get_mut(line) {
            wire.history.push(level);
            wire.edges = true;
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

    fn wire<T>(&self, line: &str, with: impl FnOnce(&mut Wire) -> T) -> Result<T, Unplugged> {
        match self.wires().get_mut(line) {
            Some(wire) if !wire.unplugged => Ok(with(wire)),
            _ => Err(Unplugged),
        }
    }
}

impl Backend for Bench {
    type Output = Pin;
    type Input = Pin;

    fn output(&mut self, line: &str, level: Level) -> Result<Pin, String> {
        self.wire(line, |wire| wire.history.push(level))
            .map_err(|_| String::from("no such line"))?;
        Ok(Pin {
            bench: self.clone(),
            line: line.into(),
        })
    }

    fn input(&mut self, line: &str, _edge: Edge) -> Result<Pin, String> {
        self.wire(line, |_| ())
            .map_err(|_| String::from("no such line"))?;
        Ok(Pin {
            bench: self.clone(),
            line: line.into(),
        })
    }
}

/// A line of a [`Bench`].
pub struct Pin {
    bench: Bench,
    line: String,
}

/// What a line that was unplugged answers.
#[derive(Debug)]
pub struct Unplugged;

impl Error for Unplugged {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Other
    }
}

impl ErrorType for Pin {
    type Error = Unplugged;
}

impl OutputPin for Pin {
    fn set_low(&mut self) -> Result<(), Unplugged> {
        self.bench
            .wire(&self.line, |wire| wire.history.push(Level::Low))
    }

    fn set_high(&mut self) -> Result<(), Unplugged> {
        self.bench
            .wire(&self.line, |wire| wire.history.push(Level::High))
    }
}

impl InputPin for Pin {
    fn is_high(&mut self) -> Result<bool, Unplugged> {
        self.bench
            .wire(&self.line, |wire| wire.history.last() == Some(&Level::High))
    }

    fn is_low(&mut self) -> Result<bool, Unplugged> {
        self.is_high().map(|high| !high)
    }
}

impl EdgePin for Pin {
    fn fd(&self) -> Option<RawFd> {
        None
    }

    fn take_edges(&mut self) -> bool {
        self.bench
            .wire(&self.line, |wire| std::mem::take(&mut wire.edges))
            .unwrap_or(false)
    }
}
