//! The samples between two looks of the deciding thread, summed up, through a mailbox of which only the
//! newest record is taken: none is lost and none counts twice, and nobody waits.
//!
//! Publishing a record tells whether the one before it was taken. So while record n is made, it is known
//! which of those up to n − 2 was taken last, and only of n − 1 it is not. Hence record n has two sums: of
//! what is new since n − 1, and of what is new since the one before that was taken. Its reader knows
//! whether it has n − 1.

use super::latest::Publisher;
use edgeai_config::Samples;
use std::time::Duration;

/// Words before the channels: when the newest sample was taken, number of the record.
const HEAD: usize = 2;
/// Numbers of a [`Samples`].
const FIELDS: usize = 5;

/// Words of a record of so many channels.
pub const fn words(channels: usize) -> usize {
    HEAD + channels * (1 + 2 * FIELDS)
}

/// The sensor's side.
pub struct Batch {
    publisher: Publisher,
    number: u64,
    /// Of each channel, since the last record.
    new: Box<[Samples]>,
    /// Of each channel up to the last record, since the newest before it that is known to be taken.
    missed: Box<[Samples]>,
}

/// The deciding thread's side: which record it took last.
#[derive(Default)]
pub struct Taken(u64);

impl Batch {
    /// Of so many channels; `publisher` is of a mailbox for as many [`words`].
    pub fn new(publisher: Publisher, channels: usize) -> Self {
        Self {
            publisher,
            number: 0,
            new: vec![Samples::NONE; channels].into(),
            missed: vec![Samples::NONE; channels].into(),
        }
    }

    /// A sample of all channels.
    pub fn add(&mut self, sample: &[f64]) {
        for (sum, value) in self.new.iter_mut().zip(sample) {
            *sum = sum.merge(Samples::of(*value));
        }
    }

    /// Nothing of what was sampled so far is to be believed.
    pub fn discard(&mut self) {
        self.new.fill(Samples::NONE);
        self.missed.fill(Samples::NONE);
    }

    /// Publishes the samples, with the newest value of each channel; NaN: not known.
    pub fn publish(&mut self, taken: Duration, values: &[f64]) {
        self.number += 1;
        for (missed, new) in self.missed.iter_mut().zip(&self.new) {
            *missed = missed.merge(*new);
        }
        let taken = u64::try_from(taken.as_nanos()).unwrap_or(u64::MAX);
        let sums = self
            .new
            .iter()
            .chain(&self.missed)
            .flat_map(Samples::fields);
        let numbers = values.iter().copied().chain(sums).map(f64::to_bits);
        let lost = self
            .publisher
            .publish([taken, self.number].into_iter().chain(numbers));
        if !lost {
            self.missed.copy_from_slice(&self.new);
        }
        self.new.fill(Samples::NONE);
    }
}

/// What stands in front of a record.
pub struct Head {
    /// When the newest sample was taken.
    pub taken: Duration,
    number: u64,
}

impl Head {
    pub fn of(words: &mut impl Iterator<Item = u64>) -> Self {
        let mut next = || words.next().unwrap_or(0);
        let (taken, number) = (next(), next());
        Self {
            taken: Duration::from_nanos(taken),
            number,
        }
    }
}

impl Taken {
    /// Takes a record over: fills `sums` with what was sampled since the one taken before. `words` are
    /// those behind the values.
    pub fn take(&mut self, head: &Head, words: impl Iterator<Item = u64>, sums: &mut [Samples]) {
        let skip = if self.0 + 1 == head.number {
            0
        } else {
            sums.len() * FIELDS
        };
        let mut words = words.skip(skip).map(f64::from_bits);
        for sum in sums {
            let mut fields = [0.0; FIELDS];
            for (field, word) in fields.iter_mut().zip(&mut words) {
                *field = word;
            }
            *sum = Samples::from_fields(fields);
        }
        self.0 = head.number;
    }
}

#[cfg(test)]
mod tests {
    use super::super::latest::{Viewer, mailbox};
    use super::*;

    const NOW: Duration = Duration::ZERO;

    struct Rig {
        batch: Batch,
        viewer: Viewer,
        taken: Taken,
    }

    fn rig() -> Rig {
        let (publisher, viewer) = mailbox(words(1));
        Rig {
            batch: Batch::new(publisher, 1),
            viewer,
            taken: Taken::default(),
        }
    }

    /// Takes what there is; the samples' count and sum.
    fn look(viewer: &mut Viewer, taken: &mut Taken) -> Option<(f64, f64)> {
        if !viewer.refresh() {
            return None;
        }
        let mut words = viewer.words();
        let head = Head::of(&mut words);
        let mut sums = [Samples::NONE];
        taken.take(&head, words.skip(1), &mut sums);
        let [sum] = sums;
        Some((sum.count, sum.count * sum.mean))
    }

    #[test]
    fn no_sample_is_lost_and_none_counts_twice() {
        let mut rig = rig();
        // Records before each look.
        let mut value = 0.0;
        for records in [1, 3, 0, 1, 2, 2, 5] {
            let (mut count, mut sum) = (0.0, 0.0);
            for _ in 0..records {
                for _ in 0..4 {
                    value += 1.0;
                    count += 1.0;
                    sum += value;
                    rig.batch.add(&[value]);
                }
                rig.batch.publish(NOW, &[value]);
            }
            let found = look(&mut rig.viewer, &mut rig.taken);
            assert_eq!(
                found.map(|(count, _)| count),
                (records > 0).then_some(count)
            );
            assert!(found.is_none_or(|(_, found)| (found - sum).abs() < 1e-9));
        }
    }

    #[test]
    fn two_threads_lose_nothing() {
        const LAST: u32 = 100_000;
        let Rig {
            mut batch,
            mut viewer,
            mut taken,
        } = rig();
        let writer = std::thread::spawn(move || {
            for number in 1..=LAST {
                batch.add(&[number.into()]);
                batch.publish(NOW, &[number.into()]);
            }
        });
        let mut count = 0.0;
        while count < f64::from(LAST) {
            match look(&mut viewer, &mut taken) {
                Some((more, _)) => count += more,
                None => std::thread::yield_now(),
            }
        }
        writer.join().unwrap();
        assert_eq!(count.to_bits(), f64::from(LAST).to_bits());
        assert_eq!(look(&mut viewer, &mut taken), None);
    }

    #[test]
    fn what_was_before_a_fault_does_not_count() {
        let mut rig = rig();
        rig.batch.add(&[100.0]);
        rig.batch.publish(NOW, &[100.0]);
        rig.batch.discard();
        rig.batch.publish(NOW, &[f64::NAN]);
        rig.batch.add(&[1.0]);
        rig.batch.publish(NOW, &[1.0]);
        assert_eq!(look(&mut rig.viewer, &mut rig.taken), Some((1.0, 1.0)));
    }
}
