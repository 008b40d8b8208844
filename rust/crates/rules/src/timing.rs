//! `for_ms` and `hold_ms`.

use std::time::Duration;

/// Follows a condition: becomes active when it has held without a break for `rise`, inactive when
/// it has been absent without a break for `fall`.
#[derive(Debug)]
pub(crate) struct Timing {
    rise: Duration,
    fall: Duration,
    active: bool,
    /// Since when the condition has contradicted `active`.
    contradicted: Option<Duration>,
}

impl Timing {
    pub(crate) fn new(for_ms: u32, hold_ms: u32) -> Self {
        Self {
            rise: Duration::from_millis(for_ms.into()),
            fall: Duration::from_millis(hold_ms.into()),
            active: false,
            contradicted: None,
        }
    }

    pub(crate) fn evaluate(&mut self, now: Duration, holds: bool) {
        if holds == self.active {
            self.contradicted = None;
            return;
        }
        let since = *self.contradicted.get_or_insert(now);
        let delay = if self.active { self.fall } else { self.rise };
        if now.saturating_sub(since) >= delay {
            self.active = holds;
            self.contradicted = None;
        }
    }

    pub(crate) const fn active(&self) -> bool {
        self.active
    }

    pub(crate) fn reset(&mut self) {
        self.active = false;
        self.contradicted = None;
    }
}
