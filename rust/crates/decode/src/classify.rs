//! Classes of the whole picture or window, at once or smoothed over time.

use crate::candidates::{Candidate, Least};
use crate::error::first_class;
use crate::findings::Buffers;
use crate::memory::{Load, MemoryError, Save};
use crate::score::{Link, thresholds};
use crate::suppress::detection;
use crate::tensor::Tensor;
use crate::{Classify, DecodeError, Score, Scoring, StreamingScore, TensorSpec, Tensors};

/// The scores of all classes, from an output that has nothing else.
struct Probabilities {
    output: Tensor,
    score: Score,
    link: Link,
}

impl Probabilities {
    fn new(
        outputs: &[TensorSpec],
        asked: Option<usize>,
        score: Score,
        link: Link,
    ) -> Result<Self, DecodeError> {
        let output = Tensor::find(outputs, "output", asked, "[1, C]", |_, shape| {
            let (last, others) = shape.split_last().unwrap_or((&0, &[]));
            *last > 0 && others.iter().all(|&side| side == 1)
        })?;
        Ok(Self {
            output,
            score,
            link,
        })
    }

    /// Fills `scores`, one for each class.
    fn read(&self, tensors: &Tensors<'_>, scores: &mut [f32]) -> Result<(), DecodeError> {
        let bytes = self.output.bytes(tensors.outputs)?;
        for (class, score) in scores.iter_mut().enumerate() {
            *score = self.output.spec.real(bytes, class);
        }
        if self.score == Score::Softmax {
            // Less the greatest, so that nothing overflows.
            let greatest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let mut sum = 0.0;
            for score in scores.iter_mut() {
                *score = libm::expf(*score - greatest);
                sum += *score;
            }
            for score in scores.iter_mut() {
                *score /= sum;
            }
        }
        for score in scores {
            *score = self.link.score(*score);
        }
        Ok(())
    }
}

pub(crate) struct Classifier {
    probabilities: Probabilities,
    scores: Vec<f32>,
    /// By the model's class.
    thresholds: Vec<Option<f32>>,
    first: usize,
    best: Least<Candidate>,
}

impl Classifier {
    pub fn new(
        scoring: &Scoring,
        classify: &Classify,
        labels: &[String],
        outputs: &[TensorSpec],
    ) -> Result<Self, DecodeError> {
        let link = Link::new(classify.score, scoring.calibration);
        let probabilities = Probabilities::new(outputs, classify.output, classify.score, link)?;
        let classes = probabilities.output.len();
        let first = first_class(labels.len(), classes, classify.background)?;
        Ok(Self {
            probabilities,
            scores: vec![0.0; classes],
            thresholds: thresholds(scoring, labels, first)?,
            first,
            best: Least::new(scoring.max_detections),
        })
    }

    pub fn decode(&mut self, tensors: &Tensors<'_>, into: &mut Buffers) -> Result<(), DecodeError> {
        self.probabilities.read(tensors, &mut self.scores)?;
        self.best.clear();
        for (class, (&score, threshold)) in self.scores.iter().zip(&self.thresholds).enumerate() {
            if threshold.is_some_and(|threshold| score >= threshold) {
                #[expect(clippy::cast_possible_truncation, reason = "at most 65535 labels")]
                let class = (self.first + class) as u16;
                self.best.push(Candidate::new(score, 0, class));
            }
        }
        let whole = [0.0, 0.0, 1.0, 1.0];
        into.detections.extend(
            (self.best.sorted().iter()).map(|best| detection(best.class(), best.score(), whole)),
        );
        Ok(())
    }
}

pub(crate) struct StreamingDecoder {
    probabilities: Probabilities,
    /// The scores of the last runs, run by run.
    runs: Vec<f32>,
    classes: usize,
    /// Run to be overwritten next.
    next: usize,
}

impl StreamingDecoder {
    pub fn new(
        score: &StreamingScore,
        labels: &[String],
        outputs: &[TensorSpec],
    ) -> Result<Self, DecodeError> {
        let link = Link::new(score.score, None);
        let probabilities = Probabilities::new(outputs, score.output, score.score, link)?;
        let classes = probabilities.output.len();
        first_class(labels.len(), classes, false)?;
        Ok(Self {
            probabilities,
            runs: vec![0.0; classes * score.mean_of],
            classes,
            next: 0,
        })
    }

    pub fn classes(&self) -> usize {
        self.classes
    }

    pub fn reset(&mut self) {
        self.runs.fill(0.0);
        self.next = 0;
    }

    /// Bytes of [`Self::save`].
    pub fn room(&self) -> usize {
        4 + 4 + 4 + 4 * self.runs.len()
    }

    /// Classes, runs, the run to be overwritten next, and the scores, run by run.
    pub fn save(&self, to: &mut Save<'_>) {
        to.count(self.classes);
        to.count(self.runs.len() / self.classes);
        to.count(self.next);
        for score in &self.runs {
            to.put(score.to_le_bytes());
        }
    }

    /// The scores and the run to be overwritten next, of a decoder like this one.
    pub fn load(&self, from: &mut Load<'_>) -> Result<(Vec<f32>, usize), MemoryError> {
        let count = self.runs.len() / self.classes;
        if from.count()? != self.classes {
            return Err(MemoryError::Damaged("another number of classes"));
        }
        if from.count()? != count {
            return Err(MemoryError::Damaged("the mean of another number of runs"));
        }
        let next = from.count()?;
        if next >= count {
            return Err(MemoryError::Damaged("a run that there is not"));
        }
        let scores = (0..self.runs.len()).map(|_| from.take().map(f32::from_le_bytes));
        Ok((scores.collect::<Result<_, _>>()?, next))
    }

    pub fn recall(&mut self, (runs, next): (Vec<f32>, usize)) {
        (self.runs, self.next) = (runs, next);
    }

    pub fn decode(&mut self, tensors: &Tensors<'_>, into: &mut Buffers) -> Result<(), DecodeError> {
        let start = self.next * self.classes;
        if let Some(run) = self.runs.get_mut(start..start + self.classes) {
            self.probabilities.read(tensors, run)?;
        }
        let count = self.runs.len() / self.classes;
        self.next = (self.next + 1) % count;
        #[expect(clippy::cast_precision_loss, reason = "at most 1000")]
        let share = 1.0 / count as f32;
        into.values.extend((0..self.classes).map(|class| {
            let scores = self.runs.iter().skip(class).step_by(self.classes);
            scores.sum::<f32>() * share
        }));
        Ok(())
    }
}
