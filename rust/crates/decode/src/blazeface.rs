//! `MediaPipe`'s detectors: one class, boxes and key points relative to anchors.

use crate::candidates::MAX_ANCHORS;
use crate::error::first_class;
use crate::findings::Buffers;
use crate::region::{Edges, Region};
use crate::scan::{Classes, Grid, Layout, Report, Scan};
use crate::score::{Link, thresholds};
use crate::ssd::scan;
use crate::suppress::{Selection, detection};
use crate::tensor::Tensor;
use crate::{
    Anchor, BlazeFace, DecodeError, Detection, Point, Score, Scoring, Suppression, TensorSpec,
    Tensors, anchors,
};

pub(crate) struct BlazeFaceDecoder {
    regressors: Tensor,
    classifiers: Tensor,
    place: Place,
    scan: Scan,
    selection: Selection,
    weighted: Option<Weighted>,
}

/// Where boxes and points are, relative to which anchors.
struct Place {
    anchors: Box<[Anchor]>,
    /// Width and height of the input: the unit of the numbers.
    size: [f32; 2],
    points: usize,
}

/// Candidates as boxes, and which of them have become part of a detection.
struct Weighted {
    boxes: Vec<(usize, Detection)>,
    taken: Vec<bool>,
    iou: f32,
    most: usize,
}

impl BlazeFaceDecoder {
    pub fn new(
        scoring: &Scoring,
        suppression: &Suppression,
        face: &BlazeFace,
        labels: &[String],
        size: [u32; 2],
        outputs: &[TensorSpec],
    ) -> Result<Self, DecodeError> {
        let classifiers = Tensor::find(
            outputs,
            "classifiers",
            face.classifiers,
            "[1, N, 1]",
            |_, shape| matches!(*shape, [1, count, 1] if count <= MAX_ANCHORS),
        )?;
        let count = classifiers.len();
        let regressors = Tensor::find(
            outputs,
            "regressors",
            face.regressors,
            &format!("[1, {count}, 4 + 2 K]"),
            |_, shape| matches!(*shape, [1, boxes, fields] if boxes == count && fields >= 4),
        )?;
        let fields = regressors.len() / count;
        if fields != 4 + 2 * face.points.len() {
            return Err(DecodeError::Points {
                points: face.points.len(),
                found: (fields - 4) / 2,
            });
        }
        first_class(labels.len(), 1, false)?;
        let anchors = anchors(&face.anchors, size).into_boxed_slice();
        if anchors.len() != count {
            return Err(DecodeError::Anchors {
                anchors: anchors.len(),
                boxes: count,
            });
        }
        let grid = Grid {
            layout: Layout::ChannelsLast,
            anchors: count,
            channels: 1,
        };
        let scan = scan(
            &classifiers,
            grid,
            Link::new(Score::Sigmoid, scoring.calibration),
            &Classes {
                first: 0,
                first_class: 1,
                thresholds: &thresholds(scoring, labels, 1)?,
            },
            Report::Best,
        )?;
        #[expect(clippy::cast_precision_loss, reason = "sides are at most 4096")]
        let size = size.map(|side| side as f32);
        Ok(Self {
            regressors,
            classifiers,
            place: Place {
                anchors,
                size,
                points: face.points.len(),
            },
            scan,
            selection: Selection::new(scoring, suppression),
            weighted: face.weighted.then(|| Weighted {
                boxes: Vec::with_capacity(suppression.max_candidates),
                taken: Vec::with_capacity(suppression.max_candidates),
                iou: suppression.nms_iou,
                most: scoring.max_detections,
            }),
        })
    }

    pub fn decode(
        &mut self,
        tensors: &Tensors<'_>,
        region: Region,
        into: &mut Buffers,
    ) -> Result<(), DecodeError> {
        let regressors = self.regressors.bytes(tensors.outputs)?;
        let classifiers = self.classifiers.bytes(tensors.outputs)?;
        self.selection.clear();
        self.scan.run(classifiers, &mut self.selection.candidates);
        let (place, spec) = (&self.place, &self.regressors.spec);
        if let Some(weighted) = &mut self.weighted {
            let candidates = self.selection.candidates.sorted().iter();
            weighted.boxes.clear();
            weighted.boxes.extend(candidates.filter_map(|candidate| {
                let edges = place.edges(spec, regressors, candidate.anchor());
                let edges = region.edges(edges)?;
                Some((
                    candidate.anchor(),
                    detection(candidate.class(), candidate.score(), edges),
                ))
            }));
            let point = |anchor, point| {
                let [x, y] = place.point(spec, regressors, anchor, point);
                region.place(x, y)
            };
            weighted.run(place.points, point, into);
            return Ok(());
        }
        self.selection.run(
            region,
            |anchors| anchors.map(|anchor| place.edges(spec, regressors, anchor)),
            into,
        );
        for (group, anchor) in self.selection.anchors().enumerate() {
            let Some(detection) = into.detections.get_mut(group) else {
                break;
            };
            #[expect(clippy::cast_possible_truncation, reason = "at most 1000 detections")]
            let group = group as u16;
            detection.points = group;
            let score = detection.score;
            into.points.extend((0..place.points).map(|point| {
                let [x, y] = place.point(spec, regressors, anchor, point);
                let [x, y] = region.place(x, y);
                Point { x, y, score }
            }));
        }
        Ok(())
    }
}

impl Place {
    /// One pair of numbers, relative to the anchor.
    fn pair(&self, spec: &TensorSpec, bytes: &[u8], anchor: usize, pair: usize) -> [f32; 2] {
        let first = anchor * (4 + 2 * self.points) + 2 * pair;
        let [width, height] = self.size;
        match self.anchors.get(anchor) {
            Some(anchor) => [
                spec.real(bytes, first) / width * anchor.width,
                spec.real(bytes, first + 1) / height * anchor.height,
            ],
            None => [f32::NAN; 2],
        }
    }

    fn place(&self, spec: &TensorSpec, bytes: &[u8], anchor: usize, pair: usize) -> [f32; 2] {
        let [x, y] = self.pair(spec, bytes, anchor, pair);
        let centre = self.anchors.get(anchor).map_or([0.0; 2], |at| [at.x, at.y]);
        [x + centre[0], y + centre[1]]
    }

    fn edges(&self, spec: &TensorSpec, bytes: &[u8], anchor: usize) -> Edges {
        let [x, y] = self.place(spec, bytes, anchor, 0);
        let [width, height] = self.pair(spec, bytes, anchor, 1);
        let (half_width, half_height) = (width / 2.0, height / 2.0);
        [
            x - half_width,
            y - half_height,
            x + half_width,
            y + half_height,
        ]
    }

    fn point(&self, spec: &TensorSpec, bytes: &[u8], anchor: usize, point: usize) -> [f32; 2] {
        self.place(spec, bytes, anchor, 2 + point)
    }
}

impl Weighted {
    /// As `MediaPipe`'s `NonMaxSuppressionCalculator` in its algorithm `WEIGHTED`: what overlaps
    /// the best box left joins it; box and points are the means, weighted by score; the score
    /// stays the best one's.
    fn run(&mut self, points: usize, place: impl Fn(usize, usize) -> [f32; 2], into: &mut Buffers) {
        self.taken.clear();
        self.taken.resize(self.boxes.len(), false);
        for first in 0..self.boxes.len() {
            if self.taken[first] {
                continue;
            }
            if into.detections.len() == self.most {
                break;
            }
            let best = self.boxes[first].1;
            #[expect(clippy::cast_possible_truncation, reason = "at most 1000 detections")]
            let group = into.detections.len() as u16;
            let first_point = into.points.len();
            let none = Point {
                x: 0.0,
                y: 0.0,
                score: best.score,
            };
            into.points.extend(std::iter::repeat_n(none, points));
            let (mut total, mut edges) = (0.0, [0.0; 4]);
            for (index, (anchor, other)) in self.boxes.iter().enumerate().skip(first) {
                let joins = index == first || best.intersection_over_union(other) > self.iou;
                if self.taken[index] || !joins {
                    continue;
                }
                self.taken[index] = true;
                total += other.score;
                let corners = [other.x_min, other.y_min, other.x_max, other.y_max];
                for (sum, corner) in edges.iter_mut().zip(corners) {
                    *sum += corner * other.score;
                }
                for (point, sum) in into.points[first_point..].iter_mut().enumerate() {
                    let [x, y] = place(*anchor, point);
                    sum.x += x * other.score;
                    sum.y += y * other.score;
                }
            }
            // Scores of 0 only: nothing to weigh by.
            if total <= 0.0 {
                into.points.truncate(first_point);
                continue;
            }
            for sum in &mut into.points[first_point..] {
                sum.x /= total;
                sum.y /= total;
            }
            into.detections.push(Detection {
                points: group,
                ..detection(best.class, best.score, edges.map(|sum| sum / total))
            });
        }
    }
}
