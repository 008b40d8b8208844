//! A statistic of the last so many milliseconds, in memory that does not depend on the rate of
//! samples.

use crate::state::{Load, Save, StateError};
use edgeai_config::{Samples, Statistic};
use std::time::Duration;

/// Parts of a window; a sample leaves it together with the others of its part.
const SLICES: usize = 64;
const SLICES_U64: u64 = SLICES as u64;

/// The part of time that began last, and the 63 before it. Parts have a 64th of `over_ms` and
/// begin with the first sample.
#[derive(Debug)]
pub(super) struct Window {
    over: Duration,
    statistic: Statistic,
    slices: Box<[Samples; SLICES]>,
    /// Time of the first sample, and of the last.
    samples: Option<(Duration, Duration)>,
    /// Number of the last sample's slice, from the first sample.
    newest: u64,
}

impl Window {
    pub(super) fn new((over_ms, statistic): (u32, Statistic)) -> Self {
        Self {
            over: Duration::from_millis(over_ms.max(1).into()),
            statistic,
            slices: Box::new([Samples::NONE; SLICES]),
            samples: None,
            newest: 0,
        }
    }

    /// The statistic with new samples; `None` until there have been samples for `over_ms`.
    pub(super) fn add(&mut self, now: Duration, samples: Samples) -> Option<f64> {
        let (first, last) = self.samples.unwrap_or((now, now));
        if now.saturating_sub(last) >= self.over {
            self.clear();
            return self.add(now, samples);
        }
        self.samples = Some((first, now));
        let elapsed = now.saturating_sub(first);
        let number = self.number(elapsed);
        for stale in (self.newest + 1..=number).rev().take(SLICES) {
            *self.slice(stale) = Samples::NONE;
        }
        self.newest = number;
        let slice = self.slice(number);
        *slice = slice.merge(samples);
        (elapsed >= self.over).then(|| self.statistic())
    }

    /// Which slice a time after the first sample belongs to.
    fn number(&self, elapsed: Duration) -> u64 {
        let number = elapsed.as_nanos() * u128::from(SLICES_U64) / self.over.as_nanos();
        u64::try_from(number).unwrap_or(u64::MAX)
    }

    fn slice(&mut self, number: u64) -> &mut Samples {
        let index = (number % SLICES_U64) as usize;
        &mut self.slices[index]
    }

    fn statistic(&self) -> f64 {
        let all = self.slices.iter().copied();
        let all = all.fold(Samples::NONE, Samples::merge);
        match self.statistic {
            Statistic::Mean => all.mean,
            Statistic::Min => all.min,
            Statistic::Max => all.max,
            Statistic::Rms => (all.squares / all.count).sqrt(),
            Statistic::PeakToPeak => all.max - all.min,
        }
    }

    pub(super) fn clear(&mut self) {
        if self.samples.take().is_some() {
            self.slices.fill(Samples::NONE);
            self.newest = 0;
        }
    }

    /// Bytes of [`Window::save`], at most.
    pub(super) const ROOM: usize = 1 + 2 * 8 + SLICES * 5 * 8;

    pub(super) fn save(&self, to: &mut Save<'_>) {
        to.option(self.samples, |to, (first, last)| {
            to.time(first);
            to.time(last);
            for slice in self.slices.iter() {
                for field in slice.fields() {
                    to.f64(field);
                }
            }
        });
    }

    pub(super) fn load(&mut self, from: &mut Load<'_>) -> Result<(), StateError> {
        self.clear();
        let samples = from.option(|from| Ok((from.time()?, from.time()?)))?;
        let Some((first, last)) = samples else {
            return Ok(());
        };
        let elapsed = last.checked_sub(first);
        let elapsed = elapsed.ok_or(StateError::Damaged("samples that end before they begin"))?;
        self.newest = self.number(elapsed);
        self.samples = samples;
        for slice in self.slices.iter_mut() {
            let mut fields = [0.0; 5];
            for field in &mut fields {
                *field = from.f64()?;
            }
            *slice = Samples::from_fields(fields);
        }
        Ok(())
    }
}
