//! Finding the few scores that pass among hundreds of thousands.
//!
//! The elements are compared as they lie in the tensor; only what passes becomes a score. The
//! loops have no branches inside, so that the compiler makes SIMD of them; on x86-64 with AVX2
//! the same loops, compiled for it, are chosen at run time. Comparisons and maxima are exact:
//! every machine finds the same.

#![expect(
    clippy::inline_always,
    reason = "they become part of loops that are compiled for several instruction sets"
)]

use crate::candidates::{Candidate, Least};
use crate::score::{Raw, Scores};
use crate::{Element, TensorSpec};

/// How the scores of N anchors lie in a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    /// `[1, channels, N]`: each channel's numbers beside each other.
    ChannelsFirst,
    /// `[1, N, channels]`: each anchor's numbers beside each other.
    ChannelsLast,
}

/// Which of an anchor's classes that pass are reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Report {
    /// The one with the best score; of equals the first.
    Best,
    /// Each.
    Every,
}

/// The numbers of N anchors in one tensor.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Grid {
    pub layout: Layout,
    pub anchors: usize,
    /// Numbers of each anchor.
    pub channels: usize,
}

impl Grid {
    /// Index of an element.
    pub fn at(&self, anchor: usize, channel: usize) -> usize {
        match self.layout {
            Layout::ChannelsFirst => channel * self.anchors + anchor,
            Layout::ChannelsLast => anchor * self.channels + channel,
        }
    }
}

/// Finds the classes that pass in one tensor.
pub(crate) enum Scan {
    F32(Pattern<f32>),
    I8(Pattern<i8>),
    U8(Pattern<u8>),
}

/// Elements compared at once of anchors whose channels lie beside each other.
const STEP: usize = 32;

/// Elements, at least, before looking whether any of them passes.
const ROUND: usize = 256;

/// Numbers that become scores at once.
const BATCH: usize = 16;

/// Anchors of one step over channels that lie beside each other. 80 classes of so many bytes
/// stay in the first cache.
const BLOCK: usize = 256;

pub(crate) struct Pattern<E> {
    grid: Grid,
    report: Report,
    scores: Scores,
    /// First channel that is a class, and the class index of that channel.
    first: usize,
    first_class: u16,
    /// The least element that passes, of each class; `None`: none.
    classes: Vec<Option<E>>,
    /// The least of them all.
    least: Option<E>,
    /// The thresholds of every channel, repeated for so many anchors that they are whole steps;
    /// see [`Raw::passing`].
    repeated: Vec<E>,
    mask: Vec<u8>,
}

/// What passes, on its way to become candidates; of one anchor after the other.
struct Passing<'a, E> {
    values: [E; BATCH],
    /// Anchor and class.
    places: [(usize, u16); BATCH],
    count: usize,
    /// Of the last anchor, where only the best of each is reported.
    best: Option<Candidate>,
    pattern: &'a Pattern<E>,
    found: &'a mut Least<Candidate>,
}

/// Where the classes are among the channels.
pub(crate) struct Classes<'a> {
    /// First channel that is a class.
    pub first: usize,
    /// Class index of that channel.
    pub first_class: u16,
    /// Thresholds of the scores; `None`: never reported.
    pub thresholds: &'a [Option<f32>],
}

impl Scan {
    /// `None`: the tensor's type cannot hold scores.
    pub fn new(
        spec: &TensorSpec,
        grid: Grid,
        scores: Scores,
        classes: &Classes<'_>,
        report: Report,
    ) -> Option<Self> {
        Some(match spec.element {
            Element::F32 => Self::F32(Pattern::new(grid, scores, classes, report)),
            Element::I8 => Self::I8(Pattern::new(grid, scores, classes, report)),
            Element::U8 => Self::U8(Pattern::new(grid, scores, classes, report)),
            Element::I32 | Element::I64 => return None,
        })
    }

    /// Puts what passes into `found`. `bytes` are those of the whole tensor.
    pub fn run(&self, bytes: &[u8], found: &mut Least<Candidate>) {
        match self {
            Self::F32(pattern) => pattern.run(bytes, found),
            Self::I8(pattern) => pattern.run(bytes, found),
            Self::U8(pattern) => pattern.run(bytes, found),
        }
    }
}

impl<E: Raw> Pattern<E> {
    fn new(grid: Grid, scores: Scores, classes: &Classes<'_>, report: Report) -> Self {
        let limits: Vec<Option<E>> = (classes.thresholds.iter())
            .map(|threshold| E::least(&scores, (*threshold)?))
            .collect();
        let lower = |a: E, b: E| if b < a { b } else { a };
        let mut row = vec![E::NEVER; grid.channels];
        let mut mask = vec![0; grid.channels];
        for (class, limit) in limits.iter().enumerate() {
            if let (Some(limit), Some(place)) = (*limit, row.get_mut(classes.first + class)) {
                *place = limit;
                mask[classes.first + class] = 0xff;
            }
        }
        // 32 by its greatest common divisor with the channels, and then enough.
        let whole = STEP >> grid.channels.trailing_zeros().min(STEP.trailing_zeros());
        let times = whole * ROUND.div_ceil(whole * grid.channels);
        Self {
            least: limits.iter().copied().flatten().reduce(lower),
            repeated: row.repeat(times),
            mask: mask.repeat(times),
            first: classes.first,
            first_class: classes.first_class,
            classes: limits,
            grid,
            report,
            scores,
        }
    }

    fn run(&self, bytes: &[u8], found: &mut Least<Candidate>) {
        let Some(least) = self.least else { return };
        let elements = E::elements(bytes);
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has AVX2.
            return unsafe { self.run_avx2(elements, least, found) };
        }
        self.run_with(elements, least, found);
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    fn run_avx2(&self, elements: &[E::Bytes], least: E, found: &mut Least<Candidate>) {
        self.run_with(elements, least, found);
    }

    #[inline(always)]
    fn run_with(&self, elements: &[E::Bytes], least: E, found: &mut Least<Candidate>) {
        let mut passing = Passing {
            values: [least; BATCH],
            places: [(0, 0); BATCH],
            count: 0,
            best: None,
            pattern: self,
            found,
        };
        match self.grid.layout {
            Layout::ChannelsLast => self.rows(elements, &mut passing),
            Layout::ChannelsFirst => self.columns(elements, least, &mut passing),
        }
        passing.finish();
    }

    /// Steps over some elements at once.
    #[inline(always)]
    fn rows(&self, elements: &[E::Bytes], passing: &mut Passing<'_, E>) {
        let channels = self.grid.channels;
        let (least, mask) = (self.repeated.as_chunks().0, self.mask.as_chunks().0);
        let (steps, rest) = elements.as_chunks::<STEP>();
        for (round, steps) in steps.chunks(least.len()).enumerate() {
            let (least, mask) = (&least[..steps.len()], &mask[..steps.len()]);
            if !E::any(steps.as_flattened(), least.as_flattened()) {
                continue;
            }
            let first = round * self.repeated.len();
            for (step, ((part, least), mask)) in steps.iter().zip(least).zip(mask).enumerate() {
                let mut bits = E::passing(part, least, mask);
                while bits != 0 {
                    let place = bits.trailing_zeros() as usize;
                    bits &= bits - 1;
                    let index = first + step * STEP + place;
                    let class = index % channels - self.first;
                    passing.push(E::of(part[place]), index / channels, class);
                }
            }
        }
        for (index, &bytes) in (elements.len() - rest.len()..).zip(rest) {
            let (anchor, channel) = (index / channels, index % channels);
            let class = channel.wrapping_sub(self.first);
            let limit = self.classes.get(class).copied().flatten();
            if limit.is_some_and(|limit| E::of(bytes) >= limit) {
                passing.push(E::of(bytes), anchor, class);
            }
        }
    }

    /// Steps over the best scores of some anchors at once.
    #[inline(always)]
    fn columns(&self, elements: &[E::Bytes], least: E, passing: &mut Passing<'_, E>) {
        let anchors = self.grid.anchors;
        for start in (0..anchors).step_by(BLOCK) {
            let length = BLOCK.min(anchors - start);
            let row = |class: usize| {
                let place = (self.first + class) * anchors + start;
                &elements[place..place + length]
            };
            let mut best = [E::LOWEST; BLOCK];
            let best = &mut best[..length];
            let mut class = 0;
            // Four at a time, so that `best` is read and written less often.
            while class + 4 <= self.classes.len() {
                let (a, b, c, d) = (row(class), row(class + 1), row(class + 2), row(class + 3));
                for ((((best, &a), &b), &c), &d) in best.iter_mut().zip(a).zip(b).zip(c).zip(d) {
                    let ab = higher(E::of(b), higher(E::of(a), *best));
                    *best = higher(E::of(d), higher(E::of(c), ab));
                }
                class += 4;
            }
            while class < self.classes.len() {
                for (best, &a) in best.iter_mut().zip(row(class)) {
                    *best = higher(E::of(a), *best);
                }
                class += 1;
            }
            for (part, best) in best.chunks(32).enumerate() {
                let any = best
                    .iter()
                    .fold(0, |any, &best| any | u8::from(best >= least));
                if any == 0 {
                    continue;
                }
                for (column, &best) in best.iter().enumerate() {
                    if best >= least {
                        let column = part * 32 + column;
                        let value = |class| E::of(row(class)[column]);
                        if !self.best(start + column, best, value, passing) {
                            self.anchor(start + column, value, passing);
                        }
                    }
                }
            }
        }
    }

    /// One anchor whose best value is known: the first class that has it, if it passes, is all
    /// there is to report.
    #[inline(always)]
    fn best(
        &self,
        anchor: usize,
        best: E,
        value: impl Fn(usize) -> E,
        passing: &mut Passing<'_, E>,
    ) -> bool {
        if self.report == Report::Every {
            return false;
        }
        let class = (0..self.classes.len()).find(|&class| value(class) == best);
        let Some(class) = class else { return false };
        let passes = self.classes[class].is_some_and(|limit| best >= limit);
        if passes {
            passing.push(best, anchor, class);
        }
        passes
    }

    /// One anchor of which some class may pass.
    #[inline(always)]
    fn anchor(&self, anchor: usize, value: impl Fn(usize) -> E, passing: &mut Passing<'_, E>) {
        for (class, limit) in self.classes.iter().enumerate() {
            let value = value(class);
            if limit.is_some_and(|limit| value >= limit) {
                passing.push(value, anchor, class);
            }
        }
    }
}

impl<E: Raw> Passing<'_, E> {
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "labels are at most 65535")]
    fn push(&mut self, value: E, anchor: usize, class: usize) {
        if self.count == BATCH {
            self.score();
        }
        self.values[self.count] = value;
        self.places[self.count] = (anchor, self.pattern.first_class + class as u16);
        self.count += 1;
    }

    #[inline(always)]
    fn score(&mut self) {
        let scores = E::scores(self.values, &self.pattern.scores);
        for (&(anchor, class), score) in self.places[..self.count].iter().zip(scores) {
            let candidate = Candidate::new(score, anchor, class);
            if self.pattern.report == Report::Every {
                self.found.push(candidate);
                continue;
            }
            match self.best {
                Some(best) if best.anchor() == anchor => self.best = Some(best.min(candidate)),
                best => {
                    self.best = Some(candidate);
                    if let Some(best) = best {
                        self.found.push(best);
                    }
                }
            }
        }
        self.count = 0;
    }

    #[inline(always)]
    fn finish(mut self) {
        self.score();
        if let Some(best) = self.best {
            self.found.push(best);
        }
    }
}

/// The higher of the two; `b` where `a` is not a number.
#[inline(always)]
fn higher<E: Raw>(a: E, b: E) -> E {
    if a > b { a } else { b }
}

#[cfg(test)]
#[path = "scan_tests.rs"]
mod tests;
