//! When to look again.

use std::time::Duration;

/// The earliest of some times.
#[derive(Debug, Default)]
pub(crate) struct Due(Option<Duration>);

impl Due {
    pub(crate) fn at(&mut self, time: Duration) {
        self.0 = Some(self.0.map_or(time, |earliest| earliest.min(time)));
    }

    pub(crate) const fn earliest(&self) -> Option<Duration> {
        self.0
    }
}
