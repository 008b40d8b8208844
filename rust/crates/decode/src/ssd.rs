//! Single-shot detectors: anchors, offsets, class-wise non-maximum suppression.

use crate::logits::{Candidate, Threshold};
use crate::{Anchor, Detection, Element, ModelDescription, OutputSpec, anchors};

/// Candidates that take part in non-maximum suppression, best first. Bounds its time when a
/// broken picture or model lets everything pass.
const MAX_CANDIDATES: usize = 1000;

/// Why a model's outputs cannot be decoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// An output is missing or has another shape.
    #[error("{0}")]
    Outputs(String),
    /// Anchors and boxes differ in number.
    #[error(
        "model.toml: [decode.anchors] and the input size make {anchors} anchors, the model has {boxes} boxes"
    )]
    Anchors {
        /// From the description.
        anchors: usize,
        /// From the tensor.
        boxes: usize,
    },
    /// Labels and logits differ in number.
    #[error("labels.txt: {labels} labels, the model has {classes} classes (background included)")]
    Labels {
        /// Lines of labels.txt.
        labels: usize,
        /// From the tensor.
        classes: usize,
    },
    /// A tensor's bytes are not as many as its shape says.
    #[error("output {index}: {found} bytes, its shape needs {needed}")]
    Length {
        /// Which output.
        index: usize,
        /// Bytes.
        needed: usize,
        /// Bytes.
        found: usize,
    },
}

/// Turns the boxes and logits of one frame into detections.
pub struct SsdDecoder {
    boxes: Tensor,
    logits: Tensor,
    classes: usize,
    anchors: Box<[Anchor]>,
    box_scale: [f32; 4],
    nms_iou: f32,
    max_detections: usize,
    threshold: Threshold,
    candidates: Vec<Candidate>,
    detections: Vec<Detection>,
}

struct Tensor {
    index: usize,
    bytes: usize,
    spec: OutputSpec,
}

impl SsdDecoder {
    /// Builds anchors and tables for outputs of these shapes and types.
    ///
    /// # Errors
    /// No outputs of shape `[1, N, 4]` and `[1, N, C]`; N not the number of anchors; C not the
    /// number of labels; a quantisation whose scale is not above 0.
    pub fn new(
        description: &ModelDescription,
        outputs: &[OutputSpec],
    ) -> Result<Self, DecodeError> {
        let decode = &description.decode;
        let boxes = find(outputs, "boxes", decode.boxes, |_, last| last == 4)?;
        let count = boxes.spec.shape[1];
        let logits = find(outputs, "logits", decode.logits, |index, _| {
            index != boxes.index
        })?;
        let classes = logits.spec.shape[2];
        if logits.spec.shape[1] != count || logits.index == boxes.index {
            return Err(DecodeError::Outputs(format!(
                "boxes {:?} (output {}) and logits {:?} (output {}) do not belong together",
                boxes.spec.shape, boxes.index, logits.spec.shape, logits.index
            )));
        }
        if classes != description.labels.len() {
            return Err(DecodeError::Labels {
                labels: description.labels.len(),
                classes,
            });
        }
        let anchors = anchors(&decode.anchors, description.input.size).into_boxed_slice();
        if anchors.len() != count {
            return Err(DecodeError::Anchors {
                anchors: anchors.len(),
                boxes: count,
            });
        }
        Ok(Self {
            threshold: Threshold::new(&logits.spec, decode.score_threshold),
            candidates: Vec::with_capacity(count * (classes - 1)),
            detections: Vec::with_capacity(decode.max_detections),
            box_scale: decode.box_scale,
            nms_iou: decode.nms_iou,
            max_detections: decode.max_detections,
            boxes,
            logits,
            classes,
            anchors,
        })
    }

    /// The detections of one frame, best score first (then by anchor and class: the order does
    /// not depend on anything but the tensors). `outputs` are all the model's outputs in the
    /// order given to [`Self::new`]. Does not allocate.
    ///
    /// # Errors
    /// An output that is missing or has another length.
    pub fn decode(&mut self, outputs: &[&[u8]]) -> Result<&[Detection], DecodeError> {
        let boxes = self.boxes.bytes(outputs)?;
        let logits = self.logits.bytes(outputs)?;
        self.candidates.clear();
        self.detections.clear();
        self.threshold
            .collect(logits, self.classes, &mut self.candidates);
        let better = |a: &Candidate, b: &Candidate| {
            b.score
                .total_cmp(&a.score)
                .then(a.anchor.cmp(&b.anchor))
                .then(a.class.cmp(&b.class))
        };
        if self.candidates.len() > MAX_CANDIDATES {
            self.candidates
                .select_nth_unstable_by(MAX_CANDIDATES, better);
            self.candidates.truncate(MAX_CANDIDATES);
        }
        self.candidates.sort_unstable_by(better);
        for candidate in &self.candidates {
            if self.detections.len() == self.max_detections {
                break;
            }
            let Some(detection) = self.detection(candidate, boxes) else {
                continue;
            };
            let hidden = self.detections.iter().any(|better| {
                better.class == detection.class
                    && better.intersection_over_union(&detection) > self.nms_iou
            });
            if !hidden {
                self.detections.push(detection);
            }
        }
        Ok(&self.detections)
    }

    /// `None`: outside the frame, or not a number.
    fn detection(&self, candidate: &Candidate, boxes: &[u8]) -> Option<Detection> {
        let index = candidate.anchor as usize;
        let anchor = self.anchors.get(index)?;
        let offset = |field: usize| {
            Some(self.boxes.spec.real(boxes, index * 4 + field)? / self.box_scale[field])
        };
        let y = offset(0)? * anchor.height + anchor.y;
        let x = offset(1)? * anchor.width + anchor.x;
        let half_height = offset(2)?.exp() * anchor.height / 2.0;
        let half_width = offset(3)?.exp() * anchor.width / 2.0;
        let detection = Detection {
            class: candidate.class,
            score: candidate.score,
            x_min: (x - half_width).clamp(0.0, 1.0),
            y_min: (y - half_height).clamp(0.0, 1.0),
            x_max: (x + half_width).clamp(0.0, 1.0),
            y_max: (y + half_height).clamp(0.0, 1.0),
        };
        // NaN compares as false.
        (detection.x_min < detection.x_max && detection.y_min < detection.y_max)
            .then_some(detection)
    }
}

impl Tensor {
    fn bytes<'a>(&self, outputs: &[&'a [u8]]) -> Result<&'a [u8], DecodeError> {
        let bytes = outputs.get(self.index).copied().unwrap_or_default();
        if bytes.len() == self.bytes {
            Ok(bytes)
        } else {
            Err(DecodeError::Length {
                index: self.index,
                needed: self.bytes,
                found: bytes.len(),
            })
        }
    }
}

impl OutputSpec {
    /// The real value of one element; `None` beyond the end.
    #[expect(clippy::cast_precision_loss, reason = "zero points are small")]
    fn real(&self, bytes: &[u8], index: usize) -> Option<f32> {
        let integer = match self.element {
            Element::F32 => {
                return bytes
                    .as_chunks()
                    .0
                    .get(index)
                    .map(|bytes| f32::from_ne_bytes(*bytes));
            }
            Element::I8 => i32::from(bytes.get(index)?.cast_signed()),
            Element::U8 => i32::from(*bytes.get(index)?),
        };
        Some(self.scale * integer.saturating_sub(self.zero_point) as f32)
    }
}

/// The output named by `asked`, or the only one of shape `[1, N, last]` that `fits`.
fn find(
    outputs: &[OutputSpec],
    what: &str,
    asked: Option<usize>,
    fits: impl Fn(usize, usize) -> bool,
) -> Result<Tensor, DecodeError> {
    let shapes = || {
        outputs
            .iter()
            .map(|output| &output.shape)
            .collect::<Vec<_>>()
    };
    let usable = |index: usize| match outputs.get(index)?.shape[..] {
        [1, count, last] if count > 0 && last > 1 && count.checked_mul(last)? <= 1 << 24 => {
            Some((index, last))
        }
        _ => None,
    };
    let index = if let Some(asked) = asked {
        usable(asked).ok_or_else(|| {
            DecodeError::Outputs(format!(
                "model.toml: decode.{what} = {asked}, expected the index of an output of shape [1, N, C]; the model's outputs are {:?}",
                shapes()
            ))
        })?.0
    } else {
        let mut found = (0..outputs.len())
            .filter_map(usable)
            .filter(|&(index, last)| fits(index, last));
        match (found.next(), found.next()) {
            (Some((index, _)), None) => index,
            _ => {
                return Err(DecodeError::Outputs(format!(
                    "cannot tell which output has the {what}: set decode.{what} in model.toml to its index; the model's outputs are {:?}",
                    shapes()
                )));
            }
        }
    };
    let spec = outputs[index].clone();
    if spec.element != Element::F32 && !(spec.scale.is_finite() && spec.scale > 0.0) {
        return Err(DecodeError::Outputs(format!(
            "output {index}: quantisation scale {}, expected a number above 0",
            spec.scale
        )));
    }
    let bytes = spec.shape.iter().product::<usize>() * spec.element.bytes();
    Ok(Tensor { index, bytes, spec })
}

#[cfg(test)]
#[path = "ssd_tests.rs"]
mod tests;
