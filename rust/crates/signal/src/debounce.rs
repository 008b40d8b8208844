//! Software debounce of one line; pure, time comes in as a value.

use crate::{PinEdge, opposite};
use edgeai_config::Level;
use std::time::Duration;

/// An edge is told this long after it at the latest. A level that no edge led to by then is believed.
const TOLD: Duration = Duration::from_millis(5);

/// A level counts after it has been stable for a time.
pub struct Debounce {
    stable_for: Duration,
    /// Every edge is told, not those of one direction.
    both: bool,
    /// The level that counts.
    level: Level,
    /// The line's level, by its edges.
    line: Level,
    /// Since when the line has been steadily at the opposite of `level`.
    differs_since: Option<Duration>,
    /// The line had moved on when its last edge was told: it is not steady since then.
    moved_on: bool,
    /// Since when the line is found at another level than its edges say.
    doubted_since: Option<Duration>,
    /// When the line's level was believed without an edge, if that was its last change.
    believed_at: Option<Duration>,
    /// Of lines that tell edges of one direction: the line was found at its level before the edge that
    /// led there was told.
    untold: bool,
}

impl Debounce {
    /// Starts at `level`, the line's level when it was claimed; `both` edges are told, or those of one
    /// direction.
    pub fn new(stable_for: Duration, level: Level, both: bool) -> Self {
        Self {
            stable_for,
            both,
            level,
            line: level,
            differs_since: None,
            moved_on: false,
            doubted_since: None,
            believed_at: None,
            untold: false,
        }
    }

    /// When to look again even if no edge comes; `None` while the line is quiet.
    pub fn due(&self) -> Option<Duration> {
        let steady = self.differs_since.map(|since| since + self.stable_for);
        let told = self.doubted_since.map(|since| since + TOLD);
        steady.into_iter().chain(told).min()
    }

    /// The line has moved: its edges, oldest first, before the [`look`](Self::look) at `now` (which
    /// is the time of an edge without one). Returns how often the level that counts has changed.
    ///
    /// Where edges of both directions are told, the kernel says by the level which one it was, and reads
    /// that in a thread (`edge_irq_thread` of `gpiolib-cdev.c`): of a short pulse it tells two edges to
    /// where the line is, or one for both. Either is a change there and back; only pulses less than
    /// [`TOLD`] apart, each told by one edge, may count as one. An edge that is told still later, but was
    /// before its level was believed, led to it. Where edges of one direction are told, there was one back
    /// before each, when nobody knows.
    pub fn edge(&mut self, now: Duration, edge: PinEdge) -> u32 {
        let at = edge.at.map_or(now, |at| at.min(now));
        self.doubted_since = None;
        let expected = std::mem::take(&mut self.untold);
        if edge.to != self.line {
            return self.move_to(edge.to, at);
        }
        let believed = self.believed_at.take();
        if expected || edge.at.is_some() && edge.at <= believed {
            return 0;
        }
        if self.both {
            let changes = self.move_to(opposite(edge.to), at);
            self.moved_on = true;
            return changes;
        }
        if self.stable_for.is_zero() {
            return self.move_to(opposite(edge.to), at) + self.move_to(edge.to, at);
        }
        if self.differs_since.is_some() {
            self.differs_since = Some(at);
        }
        0
    }

    /// The line's level at `now`, after its edges. Returns how often the level that counts has changed.
    pub fn look(&mut self, now: Duration, line: Level) -> u32 {
        if line == self.line {
            self.doubted_since = None;
            if std::mem::take(&mut self.moved_on) && self.differs_since.is_some() {
                self.differs_since = Some(now);
            }
            return self.settle(now);
        }
        if !self.both {
            // When it moved is not known: what was before is not taken for steady until now.
            self.untold = true;
            self.differs_since = None;
            return self.move_to(line, now);
        }
        if self.moved_on {
            self.differs_since = None;
        }
        let since = *self.doubted_since.get_or_insert(now);
        if now.saturating_sub(since) < TOLD {
            return self.settle(since);
        }
        self.doubted_since = None;
        let changes = self.move_to(line, since);
        self.believed_at = Some(now);
        changes
    }

    /// The line is at `to` since `at`.
    fn move_to(&mut self, to: Level, at: Duration) -> u32 {
        let changes = self.settle(at);
        self.line = to;
        self.moved_on = false;
        self.believed_at = None;
        self.differs_since = (to != self.level).then_some(at);
        changes + self.settle(at)
    }

    /// A level that was steady until `at` for long enough counts.
    fn settle(&mut self, at: Duration) -> u32 {
        let steady = |since| at.saturating_sub(since) >= self.stable_for;
        if !self.differs_since.is_some_and(steady) {
            return 0;
        }
        self.level = self.line;
        self.differs_since = None;
        1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Level::{High, Low};

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    /// A line that is debounced for so many milliseconds.
    struct Line(Debounce);

    impl Line {
        fn new(stable_for: u64) -> Self {
            Self::telling(stable_for, true)
        }

        fn telling(stable_for: u64, both: bool) -> Self {
            Self(Debounce::new(ms(stable_for), Low, both))
        }

        /// Edges by time (0: not known) and level, then a look; the changes of the level that counts.
        fn feed(&mut self, now: u64, edges: &[(u64, Level)], line: Level) -> u32 {
            let edges = edges.iter().map(|&(at, to)| PinEdge {
                at: (at > 0).then(|| ms(at)),
                to,
            });
            let changes: u32 = edges.map(|edge| self.0.edge(ms(now), edge)).sum();
            changes + self.0.look(ms(now), line)
        }

        fn due(&self) -> Option<Duration> {
            self.0.due()
        }
    }

    #[test]
    fn without_a_debounce_time_a_level_counts_at_once() {
        let mut line = Line::new(0);
        assert_eq!(line.feed(1, &[(0, High)], High), 1);
        assert_eq!((line.0.level, line.due()), (High, None));
    }

    #[test]
    fn a_level_counts_after_it_was_stable_and_not_before() {
        let mut line = Line::new(5);
        assert_eq!(line.feed(10, &[(0, High)], High), 0);
        assert_eq!(line.due(), Some(ms(15)));
        assert_eq!(line.feed(14, &[], High), 0);
        assert_eq!(line.feed(15, &[], High), 1);
        assert_eq!((line.0.level, line.due()), (High, None));
    }

    #[test]
    fn bouncing_starts_the_time_anew() {
        for both in [true, false] {
            let mut line = Line::telling(5, both);
            assert_eq!(line.feed(10, &[(0, High)], High), 0);
            assert_eq!(line.feed(12, &[(0, Low)], Low), 0);
            assert_eq!(line.due(), None);
            assert_eq!(line.feed(13, &[(0, High)], High), 0);
            // Low and high again between two looks.
            let edges = [(15, Low), (16, High)];
            assert_eq!(line.feed(16, &edges[usize::from(!both)..], High), 0);
            assert_eq!(line.due(), Some(ms(21)));
            assert_eq!(line.feed(20, &[], High), 0);
            assert_eq!(line.feed(21, &[], High), 1);
        }
    }

    #[test]
    fn a_level_is_steady_since_the_time_of_its_edge() {
        let mut line = Line::new(5);
        assert_eq!(line.feed(12, &[(10, High)], High), 0);
        assert_eq!(line.due(), Some(ms(15)));
        assert_eq!(line.feed(15, &[], High), 1);
        // Woken late: it has been steady for long enough already.
        assert_eq!(line.feed(40, &[(30, Low)], Low), 1);
    }

    #[test]
    fn an_edge_the_other_way_or_from_the_future_proves_nothing() {
        let mut line = Line::new(5);
        assert_eq!(line.feed(40, &[(30, Low)], High), 0);
        assert_eq!(line.due(), Some(ms(45)));
        let mut line = Line::new(5);
        assert_eq!(line.feed(42, &[(50, High)], High), 0);
        assert_eq!(line.due(), Some(ms(47)));
    }

    #[test]
    fn a_pulse_between_two_looks_counts_if_it_was_long_enough() {
        let mut line = Line::new(0);
        assert_eq!(line.feed(9, &[(7, High), (8, Low)], Low), 2);
        let twice = [(11, High), (12, Low), (13, High), (14, Low)];
        assert_eq!(line.feed(19, &twice, Low), 4);
        let mut line = Line::new(5);
        let first_too_short = [(10, High), (14, Low), (20, High), (30, Low)];
        assert_eq!(line.feed(40, &first_too_short, Low), 2);
        let too_late_to_tell = [(50, High), (55, Low)];
        assert_eq!(line.feed(58, &too_late_to_tell, Low), 1);
        assert_eq!((line.0.level, line.due()), (High, Some(ms(60))));
        assert_eq!(line.feed(60, &[], Low), 1);
    }

    #[test]
    fn a_line_that_moves_while_it_is_looked_at_was_steady_until_then() {
        for (both, changes) in [(true, 2), (false, 0)] {
            let mut line = Line::telling(5, both);
            assert_eq!(line.feed(10, &[(10, High)], High), 0);
            let found = line.feed(16, &[], Low) + line.feed(21, &[], Low);
            assert_eq!(found + line.feed(26, &[], Low), changes);
        }
    }

    #[test]
    fn a_pulse_counts_once_when_the_kernel_read_the_level_too_late() {
        let mut line = Line::new(0);
        assert_eq!(
            line.feed(9, &[(7, Low), (8, Low)], Low),
            2,
            "two interrupts"
        );
        for start in [20, 40] {
            // One for both edges: the end is believed when no other comes.
            assert_eq!(line.feed(start, &[(start, Low)], Low), 1);
            assert_eq!(line.due(), Some(ms(start + 5)));
            assert_eq!(line.feed(start + 4, &[], Low), 0);
            assert_eq!(line.feed(start + 5, &[], Low), 1);
            assert_eq!(line.due(), None);
        }
        // The second one is told later than the first.
        assert_eq!(line.feed(60, &[(60, Low)], Low), 1);
        assert_eq!(line.feed(61, &[(61, Low)], Low), 1);
        assert_eq!(line.feed(79, &[(77, High), (78, Low)], Low), 2);
        // The fall between two rises came with the second.
        let edges = [(81, High), (82, High), (83, Low)];
        assert_eq!(line.feed(89, &edges, Low), 3);
        assert_eq!(line.feed(94, &[], Low), 1);
    }

    #[test]
    fn rising_edges_alone_tell_of_the_falls_between() {
        let mut line = Line::telling(0, false);
        assert_eq!(line.feed(9, &[(7, High), (8, High)], High), 3);
        assert_eq!(line.feed(19, &[], Low), 1);
        assert_eq!(line.feed(29, &[(28, High)], Low), 2);
    }

    #[test]
    fn an_edge_that_is_told_after_the_level_was_seen_is_no_pulse() {
        let mut line = Line::new(0);
        assert_eq!(line.feed(10, &[], High), 0);
        assert_eq!(line.feed(11, &[(11, High)], High), 1);
        assert_eq!(line.feed(30, &[], High), 0);
        let mut line = Line::telling(0, false);
        assert_eq!(line.feed(10, &[], High), 1);
        assert_eq!(line.feed(11, &[(9, High)], High), 0);
        assert_eq!(line.feed(12, &[(12, High)], High), 2, "but the next one is");
    }

    #[test]
    fn an_edge_from_before_its_level_was_believed_is_no_pulse() {
        let mut line = Line::new(0);
        assert_eq!(line.feed(10, &[(10, Low)], Low), 1);
        assert_eq!(line.feed(15, &[], Low), 1, "the end is believed");
        assert_eq!(line.feed(19, &[(11, Low)], Low), 0, "and told at last");
        assert_eq!(line.feed(21, &[(20, Low)], Low), 1, "a second pulse");
        assert_eq!(line.feed(26, &[], Low), 1);
        assert_eq!(line.feed(28, &[(27, Low)], Low), 1, "a third at once");
        assert_eq!(line.feed(33, &[], Low), 1);
        // An edge whose time nobody knows is new.
        assert_eq!(line.feed(34, &[(0, Low)], Low), 1);
    }

    #[test]
    fn a_level_that_no_edge_led_to_is_believed_after_a_while() {
        let mut line = Line::new(0);
        assert_eq!(line.feed(10, &[], High), 0);
        assert_eq!(line.feed(14, &[], High), 0);
        assert_eq!(line.feed(15, &[], High), 1);
        assert_eq!(line.feed(20, &[], Low), 0);
        assert_eq!(line.feed(22, &[], High), 0);
        assert_eq!(line.due(), None, "it was there for a moment only");
    }
}
