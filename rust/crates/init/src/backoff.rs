//! How long to wait before a program is started again.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(250);
const MOST: Duration = Duration::from_secs(10);
/// A program that ran this long has proven itself; its next failure counts as the first.
const PROVEN: Duration = Duration::from_secs(60);

/// Delays of 0, 250 ms, 500 ms, 1 s … 10 s.
#[derive(Debug, Default)]
pub struct Backoff {
    next: Duration,
}

impl Backoff {
    /// The delay after a run of this length.
    pub fn after(&mut self, ran: Duration) -> Duration {
        if ran >= PROVEN {
            self.next = Duration::ZERO;
        }
        let delay = self.next;
        self.next = if delay.is_zero() {
            FIRST
        } else {
            (delay * 2).min(MOST)
        };
        delay
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delays(backoff: &mut Backoff, count: usize) -> Vec<u128> {
        (0..count)
            .map(|_| backoff.after(Duration::ZERO).as_millis())
            .collect()
    }

    #[test]
    fn doubles_up_to_ten_seconds() {
        let expected = [0, 250, 500, 1000, 2000, 4000, 8000, 10_000, 10_000];
        assert_eq!(delays(&mut Backoff::default(), 9), expected);
    }

    #[test]
    fn a_minute_of_running_resets() {
        let mut backoff = Backoff::default();
        delays(&mut backoff, 5);
        assert_eq!(
            backoff.after(Duration::from_millis(59_999)).as_millis(),
            4000
        );
        assert_eq!(backoff.after(Duration::from_secs(60)).as_millis(), 0);
        assert_eq!(backoff.after(Duration::ZERO).as_millis(), 250);
    }
}
