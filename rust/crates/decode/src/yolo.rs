//! YOLO heads: boxes by centre and size, the grid and strides already applied by the export.

use crate::candidates::{Candidate, MAX_ANCHORS};
use crate::error::first_class;
use crate::findings::Buffers;
use crate::region::{Edges, Region};
use crate::scan::{Classes, Grid, Layout, Report, Scan};
use crate::score::{Link, probability, thresholds};
use crate::ssd::{report, scan};
use crate::suppress::Selection;
use crate::tensor::Tensor;
use crate::{
    Coordinates, DecodeError, Point, Score, Scoring, Suppression, TensorSpec, Tensors, YoloEnd2End,
    YoloV5, YoloV8,
};

/// What coordinates are multiplied with to become 0 ..= 1 of the input.
fn unit(coordinates: Coordinates, [width, height]: [u32; 2]) -> [f32; 2] {
    #[expect(clippy::cast_precision_loss, reason = "sides are at most 4096")]
    match coordinates {
        Coordinates::Normalised => [1.0; 2],
        Coordinates::Pixels => [1.0 / width as f32, 1.0 / height as f32],
    }
}

/// Where a tensor's centre x, y, width and height lie.
struct CentreBoxes {
    grid: Grid,
    unit: [f32; 2],
}

impl CentreBoxes {
    fn edges<const N: usize>(
        &self,
        spec: &TensorSpec,
        bytes: &[u8],
        anchors: [usize; N],
    ) -> [Edges; N] {
        let [across, down] = self.unit;
        anchors.map(|anchor| {
            let field = |channel| spec.real(bytes, self.grid.at(anchor, channel));
            let (x, y) = (field(0) * across, field(1) * down);
            let (half_width, half_height) = (field(2) * across / 2.0, field(3) * down / 2.0);
            [
                x - half_width,
                y - half_height,
                x + half_width,
                y + half_height,
            ]
        })
    }
}

/// `YOLOv8` and its successors: no objectness.
pub(crate) struct YoloV8Decoder {
    boxes: Tensor,
    scores: Tensor,
    place: CentreBoxes,
    scan: Scan,
    selection: Selection,
    /// Where the scores and points lie; the channel of the first point; the number of points.
    grid: Grid,
    first_point: usize,
    points: usize,
    point_score: Link,
}

impl YoloV8Decoder {
    pub fn new(
        scoring: &Scoring,
        suppression: &Suppression,
        yolo: &YoloV8,
        labels: &[String],
        size: [u32; 2],
        outputs: &[TensorSpec],
    ) -> Result<Self, DecodeError> {
        let classes = labels.len().saturating_sub(1);
        let after_boxes = classes + 3 * yolo.points.len();
        let apart = yolo.boxes.is_some() || (outputs.len() > 1 && yolo.output.is_none());
        let channels = if apart { after_boxes } else { after_boxes + 4 };
        let scores = Tensor::find(
            outputs,
            "output",
            yolo.output,
            &format!("[1, {channels}, N] or [1, N, {channels}] ({classes} classes)"),
            |index, shape| Some(index) != yolo.boxes && grid(shape, channels).is_some(),
        )
        .map_err(|error| mismatch(error, outputs, yolo, labels))?;
        let Some(found) = grid(&scores.spec.shape, channels) else {
            return Err(DecodeError::Tensors(
                "decode.output has another shape".into(),
            ));
        };
        let (boxes, box_grid) = if apart {
            let boxes = Tensor::find(
                outputs,
                "boxes",
                yolo.boxes,
                &format!("[1, 4, {0}] or [1, {0}, 4]", found.anchors),
                |index, shape| {
                    index != scores.index
                        && grid(shape, 4).is_some_and(|boxes| boxes.anchors == found.anchors)
                },
            )?;
            let box_grid = grid(&boxes.spec.shape, 4).unwrap_or(found);
            (boxes, box_grid)
        } else {
            (Tensor::new(outputs, scores.index)?, found)
        };
        let first = if apart { 0 } else { 4 };
        let scan = scan(
            &scores,
            found,
            Link::new(yolo.score, scoring.calibration),
            &Classes {
                first,
                first_class: 1,
                thresholds: &thresholds(scoring, labels, 1)?,
            },
            Report::Best,
        )?;
        Ok(Self {
            place: CentreBoxes {
                grid: box_grid,
                unit: unit(yolo.coordinates, size),
            },
            boxes,
            scores,
            scan,
            selection: Selection::new(scoring, suppression),
            grid: found,
            first_point: first + classes,
            points: yolo.points.len(),
            point_score: Link::new(yolo.score, None),
        })
    }

    pub fn decode(
        &mut self,
        tensors: &Tensors<'_>,
        region: Region,
        into: &mut Buffers,
    ) -> Result<(), DecodeError> {
        let boxes = self.boxes.bytes(tensors.outputs)?;
        let scores = self.scores.bytes(tensors.outputs)?;
        self.selection.clear();
        self.scan.run(scores, &mut self.selection.candidates);
        let (place, spec) = (&self.place, &self.boxes.spec);
        self.selection
            .run(region, |anchors| place.edges(spec, boxes, anchors), into);
        if self.points > 0 {
            self.points(scores, region, into);
        }
        Ok(())
    }

    fn points(&self, scores: &[u8], region: Region, into: &mut Buffers) {
        let anchors = self.selection.anchors();
        for (group, (anchor, detection)) in anchors.zip(&mut into.detections).enumerate() {
            #[expect(clippy::cast_possible_truncation, reason = "at most 1000 detections")]
            let group = group as u16;
            detection.points = group;
            for point in 0..self.points {
                let field = |field| {
                    let channel = self.first_point + 3 * point + field;
                    self.scores.spec.real(scores, self.grid.at(anchor, channel))
                };
                let [across, down] = self.place.unit;
                let [x, y] = region.place(field(0) * across, field(1) * down);
                into.points.push(Point {
                    x,
                    y,
                    score: self.point_score.score(field(2)),
                });
            }
        }
    }
}

/// `[1, channels, N]`, or `[1, N, channels]`; the former where both are possible.
fn grid(shape: &[usize], channels: usize) -> Option<Grid> {
    let (layout, anchors) = match *shape {
        [1, first, last] if first == channels => (Layout::ChannelsFirst, last),
        [1, first, last] if last == channels => (Layout::ChannelsLast, first),
        _ => return None,
    };
    (1..=MAX_ANCHORS).contains(&anchors).then_some(Grid {
        layout,
        anchors,
        channels,
    })
}

/// Says how many labels there should be where that is all that is wrong.
fn mismatch(
    error: DecodeError,
    outputs: &[TensorSpec],
    yolo: &YoloV8,
    labels: &[String],
) -> DecodeError {
    let others = 4 + 3 * yolo.points.len();
    let [only] = outputs else { return error };
    match only.shape[..] {
        // There are more anchors than channels in every model worth the name.
        [1, a, b] if a.min(b) > others => DecodeError::Labels {
            labels: labels.len(),
            expected: a.min(b) - others + 1,
            classes: a.min(b) - others,
        },
        _ => error,
    }
}

/// `YOLOv5`: objectness and classes, whose product is the score.
pub(crate) struct YoloV5Decoder {
    output: Tensor,
    place: CentreBoxes,
    link: Link,
    thresholds: Vec<Option<f32>>,
    /// The least objectness that can pass with a class of 1.
    least: f32,
    selection: Selection,
}

impl YoloV5Decoder {
    pub fn new(
        scoring: &Scoring,
        suppression: &Suppression,
        yolo: &YoloV5,
        labels: &[String],
        size: [u32; 2],
        outputs: &[TensorSpec],
    ) -> Result<Self, DecodeError> {
        let output = Tensor::find(
            outputs,
            "output",
            yolo.output,
            "[1, N, 5 + C]",
            |_, shape| matches!(*shape, [1, anchors, channels] if anchors <= MAX_ANCHORS && channels > 5),
        )?;
        let &[_, anchors, channels] = &output.spec.shape[..] else {
            return Err(DecodeError::Tensors(
                "decode.output has another shape".into(),
            ));
        };
        first_class(labels.len(), channels - 5, false)?;
        let thresholds = thresholds(scoring, labels, 1)?;
        let lowest = thresholds.iter().copied().flatten().fold(1.0, f32::min);
        let link = Link::new(Score::None, scoring.calibration);
        Ok(Self {
            place: CentreBoxes {
                grid: Grid {
                    layout: Layout::ChannelsLast,
                    anchors,
                    channels,
                },
                unit: unit(yolo.coordinates, size),
            },
            least: link.least(lowest).unwrap_or(f32::INFINITY),
            link,
            thresholds,
            selection: Selection::new(scoring, suppression),
            output,
        })
    }

    pub fn decode(
        &mut self,
        tensors: &Tensors<'_>,
        region: Region,
        into: &mut Buffers,
    ) -> Result<(), DecodeError> {
        let bytes = self.output.bytes(tensors.outputs)?;
        self.selection.clear();
        let (place, spec) = (&self.place, &self.output.spec);
        // No class scores above 1, so that what fails by its objectness alone need not be read.
        let at = |anchor, channel| probability(spec.real(bytes, place.grid.at(anchor, channel)));
        for anchor in 0..place.grid.anchors {
            let objectness = at(anchor, 4);
            if objectness < self.least {
                continue;
            }
            let best = (self.thresholds.iter().enumerate())
                .filter_map(|(class, threshold)| {
                    let score = (self.link).score(objectness * at(anchor, 5 + class));
                    #[expect(clippy::cast_possible_truncation, reason = "at most 65535 labels")]
                    let class = class as u16 + 1;
                    (score >= (*threshold)?).then(|| Candidate::new(score, anchor, class))
                })
                .min();
            if let Some(best) = best {
                self.selection.candidates.push(best);
            }
        }
        self.selection
            .run(region, |anchors| place.edges(spec, bytes, anchors), into);
        Ok(())
    }
}

/// `YOLOv10` and YOLO26: the model itself leaves one box for each object.
pub(crate) struct YoloEnd2EndDecoder {
    output: Tensor,
    unit: [f32; 2],
    link: Link,
    /// By class index, background first.
    thresholds: Vec<Option<f32>>,
    most: usize,
}

impl YoloEnd2EndDecoder {
    pub fn new(
        scoring: &Scoring,
        yolo: &YoloEnd2End,
        labels: &[String],
        size: [u32; 2],
        outputs: &[TensorSpec],
    ) -> Result<Self, DecodeError> {
        Ok(Self {
            output: Tensor::find(outputs, "output", yolo.output, "[1, N, 6]", |_, shape| {
                matches!(shape, [1, _, 6])
            })?,
            unit: unit(yolo.coordinates, size),
            link: Link::new(Score::None, scoring.calibration),
            thresholds: thresholds(scoring, labels, 0)?,
            most: scoring.max_detections,
        })
    }

    /// Boxes the model reports at most.
    pub fn count(&self) -> usize {
        self.output.len() / 6
    }

    pub fn decode(
        &mut self,
        tensors: &Tensors<'_>,
        region: Region,
        into: &mut Buffers,
    ) -> Result<(), DecodeError> {
        let bytes = self.output.bytes(tensors.outputs)?;
        let [across, down] = self.unit;
        for index in 0..self.count() {
            let field = |field| self.output.spec.real(bytes, index * 6 + field);
            let edges = region.edges([
                field(0) * across,
                field(1) * down,
                field(2) * across,
                field(3) * down,
            ]);
            let score = self.link.score(field(4));
            report(score, field(5), edges, &self.thresholds, into)?;
        }
        into.keep_best(self.most);
        Ok(())
    }
}
