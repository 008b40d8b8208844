//! The decoder that `model.toml` asks for.

use crate::anomaly::AnomalyDecoder;
use crate::blazeface::BlazeFaceDecoder;
use crate::classify::{Classifier, StreamingDecoder};
use crate::findings::Buffers;
use crate::pose::PoseDecoder;
use crate::region::Region;
use crate::segment::SegmentDecoder;
use crate::ssd::{PostprocessedDecoder, SsdDecoder};
use crate::yolo::{YoloEnd2EndDecoder, YoloV5Decoder, YoloV8Decoder};
use crate::{
    Decode, DecodeError, Findings, ModelDescription, ModelInput, Names, Scoring, TensorSpec,
    Tensors,
};

/// Turns the tensors of one run of a model into what it found.
pub struct Decoder {
    names: Names,
    kind: Kind,
    buffers: Buffers,
}

enum Kind {
    Classify(Classifier),
    Ssd(SsdDecoder),
    SsdPostprocessed(PostprocessedDecoder),
    YoloV5(YoloV5Decoder),
    YoloV8(YoloV8Decoder),
    YoloEnd2End(YoloEnd2EndDecoder),
    BlazeFace(BlazeFaceDecoder),
    Pose(PoseDecoder),
    Segment(SegmentDecoder),
    Anomaly(AnomalyDecoder),
    Score(StreamingDecoder),
}

impl Decoder {
    /// Builds anchors, tables and buffers for tensors of these shapes and types.
    ///
    /// # Errors
    /// Tensors, labels and `model.toml` that do not fit together.
    pub fn new(
        description: &ModelDescription,
        inputs: &[TensorSpec],
        outputs: &[TensorSpec],
    ) -> Result<Self, DecodeError> {
        let labels = &description.labels[..];
        let size = || match &description.input {
            ModelInput::Image(image) => Ok(image.size),
            ModelInput::Samples(_) => Err(DecodeError::Tensors(
                "this decode.kind is for pictures, but input.kind = \"samples\"".into(),
            )),
        };
        let most = |scoring: &Scoring| scoring.max_detections;
        let mut names = Names {
            labels: labels.to_vec(),
            ..Names::default()
        };
        // Detections there can be at most, before the last are dropped.
        let (kind, detections) = match &description.decode {
            Decode::Classify(scoring, classify) => (
                Kind::Classify(Classifier::new(scoring, classify, labels, outputs)?),
                most(scoring),
            ),
            Decode::Ssd(scoring, suppression, ssd) => {
                let size = size()?;
                let decoder = SsdDecoder::new(scoring, suppression, ssd, labels, size, outputs)?;
                (Kind::Ssd(decoder), most(scoring))
            }
            Decode::SsdPostprocessed(scoring, ssd) => {
                let decoder = PostprocessedDecoder::new(scoring, ssd, labels, outputs)?;
                let count = decoder.count();
                (Kind::SsdPostprocessed(decoder), count)
            }
            Decode::YoloV5(scoring, suppression, yolo) => {
                let size = size()?;
                let decoder =
                    YoloV5Decoder::new(scoring, suppression, yolo, labels, size, outputs)?;
                (Kind::YoloV5(decoder), most(scoring))
            }
            Decode::YoloV8(scoring, suppression, yolo) => {
                let size = size()?;
                names.points.clone_from(&yolo.points);
                let decoder =
                    YoloV8Decoder::new(scoring, suppression, yolo, labels, size, outputs)?;
                (Kind::YoloV8(decoder), most(scoring))
            }
            Decode::YoloEnd2End(scoring, yolo) => {
                let decoder = YoloEnd2EndDecoder::new(scoring, yolo, labels, size()?, outputs)?;
                let count = decoder.count();
                (Kind::YoloEnd2End(decoder), count)
            }
            Decode::BlazeFace(scoring, suppression, face) => {
                let size = size()?;
                names.points.clone_from(&face.points);
                let decoder =
                    BlazeFaceDecoder::new(scoring, suppression, face, labels, size, outputs)?;
                (Kind::BlazeFace(decoder), most(scoring))
            }
            Decode::Pose(scoring, pose) => {
                names.points.clone_from(&pose.points);
                let decoder = PoseDecoder::new(scoring, pose, labels, outputs)?;
                (Kind::Pose(decoder), 1)
            }
            Decode::Segment(segment) => {
                let decoder = SegmentDecoder::new(segment, labels, outputs)?;
                names.values = last(labels, decoder.classes());
                (Kind::Segment(decoder), 0)
            }
            Decode::Anomaly(anomaly) => {
                let decoder = AnomalyDecoder::new(anomaly, labels, inputs, outputs)?;
                names.values = last(labels, 1);
                (Kind::Anomaly(decoder), 0)
            }
            Decode::Score(score) => {
                let decoder = StreamingDecoder::new(score, labels, outputs)?;
                names.values = last(labels, decoder.classes());
                (Kind::Score(decoder), 0)
            }
        };
        Ok(Self {
            buffers: Buffers::new(detections, names.points.len(), names.values.len()),
            names,
            kind,
        })
    }

    /// What the numbers in the findings are called.
    #[must_use]
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// What was found. `region` is the part of the frame that the model's input shows: x, y, width
    /// and height in unit coordinates of the frame, beyond 0 ..= 1 where a letterbox goes beyond.
    /// Boxes are cut at the frame's edges; what lies outside is dropped.
    ///
    /// The same tensors give the same findings, bit for bit, on every machine (and with `score`:
    /// the same tensors since the beginning or [`Self::reset`]). Does not allocate.
    ///
    /// # Errors
    /// A tensor that is missing or has another length, a class without a label.
    pub fn decode(
        &mut self,
        tensors: &Tensors<'_>,
        region: [f32; 4],
    ) -> Result<Findings<'_>, DecodeError> {
        let region = Region::new(region);
        let into = &mut self.buffers;
        into.clear();
        match &mut self.kind {
            Kind::Classify(decoder) => decoder.decode(tensors, into),
            Kind::Ssd(decoder) => decoder.decode(tensors, region, into),
            Kind::SsdPostprocessed(decoder) => decoder.decode(tensors, region, into),
            Kind::YoloV5(decoder) => decoder.decode(tensors, region, into),
            Kind::YoloV8(decoder) => decoder.decode(tensors, region, into),
            Kind::YoloEnd2End(decoder) => decoder.decode(tensors, region, into),
            Kind::BlazeFace(decoder) => decoder.decode(tensors, region, into),
            Kind::Pose(decoder) => decoder.decode(tensors, region, into),
            Kind::Segment(decoder) => decoder.decode(tensors, region, into),
            Kind::Anomaly(decoder) => decoder.decode(tensors, into),
            Kind::Score(decoder) => decoder.decode(tensors, into),
        }?;
        Ok(self.buffers.findings())
    }

    /// Forgets what came before: after a gap in the sensor's samples.
    pub fn reset(&mut self) {
        if let Some(decoder) = self.streaming_mut() {
            decoder.reset();
        }
    }

    /// The only kind that remembers something.
    pub(crate) fn streaming(&self) -> Option<&StreamingDecoder> {
        match &self.kind {
            Kind::Score(decoder) => Some(decoder),
            _ => None,
        }
    }

    pub(crate) fn streaming_mut(&mut self) -> Option<&mut StreamingDecoder> {
        match &mut self.kind {
            Kind::Score(decoder) => Some(decoder),
            _ => None,
        }
    }
}

fn last(labels: &[String], count: usize) -> Vec<String> {
    labels[labels.len().saturating_sub(count)..].to_vec()
}
