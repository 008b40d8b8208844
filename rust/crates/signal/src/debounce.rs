//! Software debounce of one line; pure, time comes in as a value.

use crate::LastEdge;
use edgeai_config::Level;
use std::time::Duration;

/// A level counts after it has been stable for a time.
pub struct Debounce {
    stable_for: Duration,
    level: Level,
    /// Since when the line has been steadily at the opposite of `level`.
    differs_since: Option<Duration>,
}

impl Debounce {
    /// Starts at `level`, the line's level when it was claimed.
    pub fn new(stable_for: Duration, level: Level) -> Self {
        Self {
            stable_for,
            level,
            differs_since: None,
        }
    }

    /// The level that counts.
    pub fn level(&self) -> Level {
        self.level
    }

    /// When to feed again even if no edge comes; `None` while the line is quiet.
    pub fn due(&self) -> Option<Duration> {
        self.differs_since.map(|since| since + self.stable_for)
    }

    /// Takes the line's level at `now`; `edge`: it has moved since the last call, so a level that
    /// looks steady was not. Returns whether the level that counts has changed.
    ///
    /// A level is steady since the edge that led to it, if its time is known; an edge the other way
    /// only tells that one back must have followed, so the level is steady since `now`.
    pub fn feed(&mut self, now: Duration, line: Level, edge: Option<LastEdge>) -> bool {
        if line == self.level {
            self.differs_since = None;
            return false;
        }
        let since = match (edge, self.differs_since) {
            (None, Some(since)) => since,
            (Some(LastEdge { at: Some(at), to }), _) if to == line => at.min(now),
            _ => now,
        };
        if now.saturating_sub(since) < self.stable_for {
            self.differs_since = Some(since);
            return false;
        }
        self.level = line;
        self.differs_since = None;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Level::{High, Low};

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    /// An edge whose time is not known.
    fn edge(to: Level) -> LastEdge {
        LastEdge { at: None, to }
    }

    fn edge_at(milliseconds: u64, to: Level) -> LastEdge {
        let at = Some(ms(milliseconds));
        LastEdge { at, to }
    }

    #[test]
    fn without_a_debounce_time_a_level_counts_at_once() {
        let mut debounce = Debounce::new(ms(0), Low);
        assert!(debounce.feed(ms(1), High, Some(edge(High))));
        assert_eq!(debounce.level(), High);
        assert_eq!(debounce.due(), None);
    }

    #[test]
    fn a_level_counts_after_it_was_stable_and_not_before() {
        let mut debounce = Debounce::new(ms(5), Low);
        assert!(!debounce.feed(ms(10), High, Some(edge(High))));
        assert_eq!(debounce.due(), Some(ms(15)));
        assert!(!debounce.feed(ms(14), High, None));
        assert!(debounce.feed(ms(15), High, None));
        assert_eq!((debounce.level(), debounce.due()), (High, None));
    }

    #[test]
    fn bouncing_starts_the_time_anew() {
        let mut debounce = Debounce::new(ms(5), Low);
        assert!(!debounce.feed(ms(10), High, Some(edge(High))));
        assert!(!debounce.feed(ms(12), Low, Some(edge(Low))));
        assert_eq!(debounce.due(), None);
        assert!(!debounce.feed(ms(13), High, Some(edge(High))));
        // Low and high again between two looks: only the edges tell.
        assert!(!debounce.feed(ms(16), High, Some(edge(High))));
        assert!(!debounce.feed(ms(20), High, None));
        assert!(debounce.feed(ms(21), High, None));
    }

    #[test]
    fn a_level_is_steady_since_the_time_of_its_edge() {
        let mut debounce = Debounce::new(ms(5), Low);
        assert!(!debounce.feed(ms(12), High, Some(edge_at(10, High))));
        assert_eq!(debounce.due(), Some(ms(15)));
        assert!(debounce.feed(ms(15), High, None));
        // Woken late: it has been steady for long enough already.
        assert!(debounce.feed(ms(40), Low, Some(edge_at(30, Low))));
    }

    #[test]
    fn an_edge_the_other_way_or_from_the_future_proves_nothing() {
        let mut debounce = Debounce::new(ms(5), Low);
        assert!(!debounce.feed(ms(40), High, Some(edge_at(30, Low))));
        assert_eq!(debounce.due(), Some(ms(45)));
        assert!(!debounce.feed(ms(42), High, Some(edge_at(50, High))));
        assert_eq!(debounce.due(), Some(ms(47)));
    }
}
