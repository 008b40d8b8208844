//! The newest record from one thread to another, wait-free on both sides: three slots, of which
//! the writer has one, the reader has one, and the third changes hands (triple buffering).

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

/// In [`Shared::between`]: the slot has not been read yet.
const FRESH: u8 = 4;

struct Shared {
    slots: [Box<[AtomicU64]>; 3],
    /// Index of the slot that nobody has, and `FRESH`.
    between: AtomicU8,
}

/// The writing side.
pub struct Publisher {
    shared: Arc<Shared>,
    own: u8,
}

/// The reading side.
pub struct Viewer {
    shared: Arc<Shared>,
    own: u8,
}

/// A mailbox for records of `words` words, all 0 until the first is published.
pub fn mailbox(words: usize) -> (Publisher, Viewer) {
    let slot = || (0..words).map(|_| AtomicU64::new(0)).collect();
    let shared = Arc::new(Shared {
        slots: [slot(), slot(), slot()],
        between: AtomicU8::new(1),
    });
    let publisher = Publisher {
        shared: Arc::clone(&shared),
        own: 0,
    };
    (publisher, Viewer { shared, own: 2 })
}

impl Shared {
    fn slot(&self, own: u8) -> &[AtomicU64] {
        // Always 0, 1 or 2.
        self.slots.get(usize::from(own)).map_or(&[], |slot| slot)
    }
}

impl Publisher {
    /// Publishes a record; words beyond its end stay as they were. Whether the one before was
    /// never read.
    pub fn publish(&mut self, record: impl Iterator<Item = u64>) -> bool {
        for (word, value) in self.shared.slot(self.own).iter().zip(record) {
            word.store(value, Ordering::Relaxed);
        }
        // Release: who takes the slot sees the words. Acquire: its reader is done with the slot
        // that comes back.
        let mine = self.own | FRESH;
        let between = self.shared.between.swap(mine, Ordering::AcqRel);
        self.own = between & !FRESH;
        between & FRESH != 0
    }
}

impl Viewer {
    /// Takes the newest record, if there is one that was not taken yet.
    pub fn refresh(&mut self) -> bool {
        if self.shared.between.load(Ordering::Relaxed) & FRESH == 0 {
            return false;
        }
        let between = self.shared.between.swap(self.own, Ordering::AcqRel);
        self.own = between & !FRESH;
        true
    }

    /// The record taken last.
    pub fn words(&self) -> impl Iterator<Item = u64> {
        let slot = self.shared.slot(self.own);
        slot.iter().map(|word| word.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_record_is_taken_once() {
        let (mut publisher, mut viewer) = mailbox(2);
        assert!(!viewer.refresh());
        assert!(viewer.words().eq([0, 0]));
        assert!(!publisher.publish([1, 2].into_iter()));
        assert!(publisher.publish([3, 4].into_iter()), "1, 2 was never read");
        assert!(viewer.refresh());
        assert!(viewer.words().eq([3, 4]));
        assert!(!viewer.refresh());
        assert!(viewer.words().eq([3, 4]), "it stays");
        assert!(!publisher.publish([5, 6].into_iter()));
        assert!(viewer.words().eq([3, 4]), "until the next is taken");
    }

    #[test]
    fn a_record_is_whole_and_never_older_than_the_last() {
        const LAST: u64 = 100_000;
        let (mut publisher, mut viewer) = mailbox(16);
        let writer = std::thread::spawn(move || {
            for number in 1..=LAST {
                publisher.publish(std::iter::repeat_n(number, 16));
            }
        });
        let mut before = 0;
        while before < LAST {
            if !viewer.refresh() {
                std::thread::yield_now();
                continue;
            }
            let number = viewer.words().next().unwrap();
            assert!(viewer.words().all(|word| word == number), "torn");
            assert!(number > before, "{number} after {before}");
            before = number;
        }
        writer.join().unwrap();
    }
}
