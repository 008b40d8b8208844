//! Single-shot detectors: anchors, offsets, logits; and their post-processed form.

use crate::candidates::MAX_ANCHORS;
use crate::error::first_class;
use crate::exp::exp;
use crate::findings::Buffers;
use crate::region::{Edges, Region};
use crate::scan::{Classes, Grid, Layout, Report, Scan};
use crate::score::{Link, Scores, thresholds};
use crate::suppress::{BLOCK, Selection, detection};
use crate::tensor::Tensor;
use crate::{
    Anchor, DecodeError, Scoring, Ssd, SsdPostprocessed, Suppression, TensorSpec, Tensors, anchors,
};

pub(crate) struct SsdDecoder {
    boxes: Tensor,
    logits: Tensor,
    anchors: Box<[Anchor]>,
    box_scale: [f32; 4],
    scan: Scan,
    selection: Selection,
}

impl SsdDecoder {
    pub fn new(
        scoring: &Scoring,
        suppression: &Suppression,
        ssd: &Ssd,
        labels: &[String],
        size: [u32; 2],
        outputs: &[TensorSpec],
    ) -> Result<Self, DecodeError> {
        let boxes = Tensor::find(outputs, "boxes", ssd.boxes, "[1, N, 4]", |_, shape| {
            matches!(shape, [1, _, 4])
        })?;
        let logits = Tensor::find(
            outputs,
            "logits",
            ssd.logits,
            "[1, N, C]",
            |index, shape| index != boxes.index && matches!(shape, [1, _, _]),
        )?;
        let (&[_, count, _], &[_, scored, classes]) =
            (&boxes.spec.shape[..], &logits.spec.shape[..])
        else {
            return Err(DecodeError::Tensors(
                "boxes and logits need three dimensions".into(),
            ));
        };
        if scored != count || count > MAX_ANCHORS {
            return Err(DecodeError::Tensors(format!(
                "boxes {:?} (output {}) and logits {:?} (output {}) do not belong together, or are more than {MAX_ANCHORS}",
                boxes.spec.shape, boxes.index, logits.spec.shape, logits.index
            )));
        }
        let first = first_class(labels.len(), classes, ssd.background)?;
        let anchors = anchors(&ssd.anchors, size).into_boxed_slice();
        if anchors.len() != count {
            return Err(DecodeError::Anchors {
                anchors: anchors.len(),
                boxes: count,
            });
        }
        let grid = Grid {
            layout: Layout::ChannelsLast,
            anchors: count,
            channels: classes,
        };
        let scan = scan(
            &logits,
            grid,
            Link::new(ssd.score, scoring.calibration),
            &Classes {
                first: 0,
                first_class: u16::from(first == 1),
                thresholds: &thresholds(scoring, labels, first)?,
            },
            Report::Every,
        )?;
        Ok(Self {
            boxes,
            logits,
            anchors,
            box_scale: ssd.box_scale,
            scan,
            selection: Selection::new(scoring, suppression),
        })
    }

    pub fn decode(
        &mut self,
        tensors: &Tensors<'_>,
        region: Region,
        into: &mut Buffers,
    ) -> Result<(), DecodeError> {
        let boxes = self.boxes.bytes(tensors.outputs)?;
        let logits = self.logits.bytes(tensors.outputs)?;
        self.selection.clear();
        self.scan.run(logits, &mut self.selection.candidates);
        let (spec, anchors, scale) = (&self.boxes.spec, &self.anchors, self.box_scale);
        let edges = |indexes: [usize; BLOCK]| {
            // Each number beside its like, so that the compiler makes SIMD of what follows.
            let [mut y, mut x, mut height, mut width] = [[f32::NAN; BLOCK]; 4];
            let [mut far_y, mut far_x, mut tall, mut wide] = [[f32::NAN; BLOCK]; 4];
            for (place, index) in indexes.into_iter().enumerate() {
                if let Some(anchor) = anchors.get(index) {
                    (x[place], y[place]) = (anchor.x, anchor.y);
                    (width[place], height[place]) = (anchor.width, anchor.height);
                }
                let offset = |field| spec.real(boxes, index * 4 + field);
                (far_y[place], far_x[place]) = (offset(0), offset(1));
                (tall[place], wide[place]) = (offset(2), offset(3));
            }
            let tall = exp(tall.map(|offset| offset / scale[2]));
            let wide = exp(wide.map(|offset| offset / scale[3]));
            let mut edges = [[0.0; BLOCK]; 4];
            for place in 0..BLOCK {
                let y = far_y[place] / scale[0] * height[place] + y[place];
                let x = far_x[place] / scale[1] * width[place] + x[place];
                let half_height = tall[place] * height[place] / 2.0;
                let half_width = wide[place] * width[place] / 2.0;
                edges[0][place] = x - half_width;
                edges[1][place] = y - half_height;
                edges[2][place] = x + half_width;
                edges[3][place] = y + half_height;
            }
            std::array::from_fn(|place| edges.map(|edge| edge[place]))
        };
        self.selection.run(region, edges, into);
        Ok(())
    }
}

/// A scan of the tensor; an error where its type holds no scores.
pub(crate) fn scan(
    tensor: &Tensor,
    grid: Grid,
    link: Link,
    classes: &Classes<'_>,
    report: Report,
) -> Result<Scan, DecodeError> {
    let scores = Scores::new(&tensor.spec, link);
    Scan::new(&tensor.spec, grid, scores, classes, report).ok_or_else(|| {
        DecodeError::Tensors(format!(
            "output {} is {:?}, expected f32, i8 or u8",
            tensor.index, tensor.spec.element
        ))
    })
}

/// What `TFLite_Detection_PostProcess` (`tensorflow/lite/kernels/detection_postprocess.cc`)
/// reports.
pub(crate) struct PostprocessedDecoder {
    boxes: Tensor,
    classes: Tensor,
    scores: Tensor,
    count: Tensor,
    link: Link,
    /// By class index, background first.
    thresholds: Vec<Option<f32>>,
    most: usize,
}

impl PostprocessedDecoder {
    pub fn new(
        scoring: &Scoring,
        ssd: &SsdPostprocessed,
        labels: &[String],
        outputs: &[TensorSpec],
    ) -> Result<Self, DecodeError> {
        let boxes = Tensor::find(
            outputs,
            "boxes",
            Some(ssd.boxes),
            "[1, N, 4]",
            |_, shape| matches!(shape, [1, _, 4]),
        )?;
        let most = boxes.len() / 4;
        let row = |key: &str, index: usize| {
            Tensor::find(
                outputs,
                key,
                Some(index),
                &format!("[1, {most}]"),
                |_, shape| shape == [1, most],
            )
        };
        Ok(Self {
            classes: row("classes", ssd.classes)?,
            scores: row("scores", ssd.scores)?,
            count: Tensor::find(outputs, "count", Some(ssd.count), "[1]", |_, shape| {
                shape.iter().product::<usize>() == 1
            })?,
            boxes,
            link: Link::new(crate::Score::None, scoring.calibration),
            thresholds: thresholds(scoring, labels, 0)?,
            most: scoring.max_detections,
        })
    }

    /// Boxes the model reports at most.
    pub fn count(&self) -> usize {
        self.scores.len()
    }

    pub fn decode(
        &mut self,
        tensors: &Tensors<'_>,
        region: Region,
        into: &mut Buffers,
    ) -> Result<(), DecodeError> {
        let boxes = self.boxes.bytes(tensors.outputs)?;
        let classes = self.classes.bytes(tensors.outputs)?;
        let scores = self.scores.bytes(tensors.outputs)?;
        let count = self.count.bytes(tensors.outputs)?;
        let count = whole(self.count.spec.real(count, 0)) as usize;
        for index in 0..count.min(self.count()) {
            let score = self.link.score(self.scores.spec.real(scores, index));
            let class = self.classes.spec.real(classes, index);
            let edge = |field| self.boxes.spec.real(boxes, index * 4 + field);
            let edges = [edge(1), edge(0), edge(3), edge(2)];
            report(score, class, region.edges(edges), &self.thresholds, into)?;
        }
        into.keep_best(self.most);
        Ok(())
    }
}

/// Adds what a model with built-in suppression reports, if it passes. `class` counts from 0 for
/// line 2 of `labels.txt`; `thresholds` are of all lines.
pub(crate) fn report(
    score: f32,
    class: f32,
    edges: Option<Edges>,
    thresholds: &[Option<f32>],
    into: &mut Buffers,
) -> Result<(), DecodeError> {
    let lowest = thresholds.iter().copied().flatten().fold(1.0, f32::min);
    if score < lowest {
        return Ok(());
    }
    let class = whole(class) + 1;
    let threshold =
        thresholds
            .get(class as usize)
            .copied()
            .flatten()
            .ok_or(DecodeError::Class {
                class: class - 1,
                labels: thresholds.len(),
            })?;
    if let Some(edges) = edges
        && score >= threshold
    {
        #[expect(clippy::cast_possible_truncation, reason = "labels are at most 65535")]
        into.detections.push(detection(class as u16, score, edges));
    }
    Ok(())
}

/// The nearest whole number of what may be a quantised one; of what is not a number 0.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "`as` saturates"
)]
fn whole(real: f32) -> u32 {
    ((real + 0.5).floor() as u32).min(u32::from(u16::MAX))
}
