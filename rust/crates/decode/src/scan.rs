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

/// Elements of one step over anchors whose channels lie beside each other, at least.
const STEP: usize = 256;

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
    /// The thresholds of every channel, repeated for some anchors; see [`Raw::any`].
    repeated: Vec<E>,
    mask: Vec<u8>,
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
        let times = STEP.div_ceil(grid.channels);
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
        match self.grid.layout {
            Layout::ChannelsLast => self.rows(elements, found),
            Layout::ChannelsFirst => self.columns(elements, least, found),
        }
    }

    /// Steps over some anchors at once.
    #[inline(always)]
    fn rows(&self, elements: &[E::Bytes], found: &mut Least<Candidate>) {
        let anchors = self.repeated.len() / self.grid.channels;
        for (step, part) in elements.chunks(self.repeated.len()).enumerate() {
            let (least, mask) = (&self.repeated[..part.len()], &self.mask[..part.len()]);
            if E::any(part, least, mask) {
                for (row, values) in part.chunks_exact(self.grid.channels).enumerate() {
                    let (least, mask) = (&least[..values.len()], &mask[..values.len()]);
                    if E::any(values, least, mask) {
                        let values = &values[self.first..];
                        self.anchor(step * anchors + row, |class| E::of(values[class]), found);
                    }
                }
            }
        }
    }

    /// Steps over the best scores of some anchors at once.
    #[inline(always)]
    fn columns(&self, elements: &[E::Bytes], least: E, found: &mut Least<Candidate>) {
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
                let passes = best
                    .iter()
                    .fold(0, |any, &best| any | u8::from(best >= least));
                if passes == 0 {
                    continue;
                }
                for (column, &best) in best.iter().enumerate() {
                    if best >= least {
                        let column = part * 32 + column;
                        let value = |class| E::of(row(class)[column]);
                        if !self.best(start + column, best, value, found) {
                            self.anchor(start + column, value, found);
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
        found: &mut Least<Candidate>,
    ) -> bool {
        if self.report == Report::Every {
            return false;
        }
        let class = (0..self.classes.len()).find(|&class| value(class) == best);
        let Some(class) = class else { return false };
        let passes = self.classes[class].is_some_and(|limit| best >= limit);
        if passes {
            let score = best.score(&self.scores);
            found.push(Candidate::new(score, anchor, self.class(class)));
        }
        passes
    }

    #[expect(clippy::cast_possible_truncation, reason = "labels are at most 65535")]
    fn class(&self, class: usize) -> u16 {
        self.first_class + class as u16
    }

    /// One anchor of which some class may pass.
    #[inline(always)]
    fn anchor(&self, anchor: usize, value: impl Fn(usize) -> E, found: &mut Least<Candidate>) {
        let mut best: Option<Candidate> = None;
        for (class, limit) in self.classes.iter().enumerate() {
            let value = value(class);
            if !limit.is_some_and(|limit| value >= limit) {
                continue;
            }
            let score = value.score(&self.scores);
            let candidate = Candidate::new(score, anchor, self.class(class));
            if self.report == Report::Every {
                found.push(candidate);
            } else if best.is_none_or(|best| candidate < best) {
                best = Some(candidate);
            }
        }
        if let Some(best) = best {
            found.push(best);
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
