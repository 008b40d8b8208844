//! The key points of one person.

use crate::findings::Buffers;
use crate::region::Region;
use crate::score::{Link, thresholds};
use crate::suppress::detection;
use crate::tensor::Tensor;
use crate::{DecodeError, MoveNet, Point, Score, Scoring, TensorSpec, Tensors};

pub(crate) struct PoseDecoder {
    output: Tensor,
    points: usize,
    point_threshold: f32,
    link: Link,
    threshold: f32,
}

impl PoseDecoder {
    pub fn new(
        scoring: &Scoring,
        pose: &MoveNet,
        labels: &[String],
        outputs: &[TensorSpec],
    ) -> Result<Self, DecodeError> {
        let output = Tensor::find(
            outputs,
            "output",
            pose.output,
            "[1, 1, K, 3]",
            |_, shape| matches!(shape, [1, 1, _, 3]),
        )?;
        let found = output.len() / 3;
        if found != pose.points.len() {
            return Err(DecodeError::Points {
                points: pose.points.len(),
                found,
            });
        }
        crate::error::first_class(labels.len(), 1, false)?;
        let threshold = thresholds(scoring, labels, 1)?.first().copied().flatten();
        Ok(Self {
            output,
            points: found,
            point_threshold: pose.point_threshold,
            link: Link::new(Score::None, scoring.calibration),
            threshold: threshold.unwrap_or(scoring.score_threshold),
        })
    }

    pub fn decode(
        &self,
        tensors: &Tensors<'_>,
        region: Region,
        into: &mut Buffers,
    ) -> Result<(), DecodeError> {
        let bytes = self.output.bytes(tensors.outputs)?;
        let probability = Link::new(Score::None, None);
        let mut edges = [
            f32::INFINITY,
            f32::INFINITY,
            f32::NEG_INFINITY,
            f32::NEG_INFINITY,
        ];
        let mut sum = 0.0;
        for point in 0..self.points {
            let field = |field| self.output.spec.real(bytes, point * 3 + field);
            let (x, y, score) = (field(1), field(0), probability.score(field(2)));
            sum += score;
            if score >= self.point_threshold {
                edges = [
                    edges[0].min(x),
                    edges[1].min(y),
                    edges[2].max(x),
                    edges[3].max(y),
                ];
            }
            let [x, y] = region.place(x, y);
            into.points.push(Point { x, y, score });
        }
        #[expect(clippy::cast_precision_loss, reason = "at most 64 points")]
        let score = self.link.score(sum / self.points as f32);
        match region.edges(edges) {
            Some(edges) if score >= self.threshold => {
                into.detections.push(detection(1, score, edges));
            }
            _ => into.points.clear(),
        }
        Ok(())
    }
}
