//! `[decode]`

use super::broken;
use serde::Deserialize;
use std::collections::BTreeMap;

/// `[decode]`, told apart by `kind`. Every kind takes the keys of the structures it is listed
/// with here, and no others. Keys of type `Option<usize>` are indexes of the model's outputs,
/// needed only where the shapes do not tell them apart.
#[derive(Debug, Clone, PartialEq)]
pub enum Decode {
    /// `classify`: scores of the whole picture or window.
    Classify(Scoring, Classify),
    /// `ssd`: anchors, offsets, logits, non-maximum suppression.
    Ssd(Scoring, Suppression, Ssd),
    /// `ssd-postprocessed`: the four outputs of `TFLite_Detection_PostProcess`.
    SsdPostprocessed(Scoring, SsdPostprocessed),
    /// `yolov5`: boxes, objectness and classes, the grid already applied.
    YoloV5(Scoring, Suppression, YoloV5),
    /// `yolov8`: boxes and classes without objectness (`YOLOv8`, v9, v11, v12), or with key points.
    YoloV8(Scoring, Suppression, YoloV8),
    /// `yolo-end2end`: boxes that need no suppression (`YOLOv10`, YOLO26).
    YoloEnd2End(Scoring, YoloEnd2End),
    /// `blazeface`: `MediaPipe`'s detectors of faces, palms and persons, with key points.
    BlazeFace(Scoring, Suppression, BlazeFace),
    /// `pose`: the key points of one person (`MoveNet` single pose).
    Pose(Scoring, MoveNet),
    /// `segment`: the share of the frame that each class covers.
    Segment(Segment),
    /// `anomaly`: how badly an autoencoder reproduces its input.
    Anomaly(Anomaly),
    /// `score`: the probability of each class, smoothed over time (wake words, classifiers of
    /// states).
    Score(StreamingScore),
}

/// What is reported.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scoring {
    /// Detections below are not reported, 0 ..= 1.
    pub score_threshold: f32,
    /// Other thresholds for some classes, by label.
    #[serde(default)]
    pub thresholds: BTreeMap<String, f32>,
    /// Turns the model's scores into probabilities, before any threshold.
    pub calibration: Option<Calibration>,
    /// At most this many are reported, 1 ..= 1000.
    pub max_detections: usize,
}

/// `calibration = { a, b }`, Platt scaling (Platt 1999): score' = σ(a · logit(score) + b) with
/// σ(x) = 1 / (1 + e^−x) and logit(p) = ln(p / (1 − p)). Temperature scaling is a = 1 / T, b = 0.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// Above 0, so that the order of scores stays.
    pub a: f32,
    /// Finite.
    #[serde(default)]
    pub b: f32,
}

/// Which of overlapping boxes are reported.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Suppression {
    /// Of two boxes of one class that overlap by more (intersection over union), only the better
    /// is reported, 0 ..= 1.
    pub nms_iou: f32,
    /// Boxes of different classes suppress each other too.
    #[serde(default)]
    pub class_agnostic: bool,
    /// So many of the best boxes above the threshold are compared, the rest dropped; bounds the
    /// time a broken picture can take. 1 ..= 10000.
    #[serde(default = "default_candidates")]
    pub max_candidates: usize,
}

/// Values of `score`: what makes a probability of the model's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Score {
    /// It is one already.
    None,
    /// 1 / (1 + e^−x), each class by itself.
    Sigmoid,
    /// e^x over the sum of all classes' e^x. Of `classify` and `score` only.
    Softmax,
}

/// Values of `coordinates`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Coordinates {
    /// 0 ..= 1 of the input's width and height (TFLite exports of Ultralytics).
    #[default]
    Normalised,
    /// Pixels of the input (ONNX exports).
    Pixels,
}

/// `kind = "classify"`: an output `[1, C]` (or C numbers with more dimensions of 1).
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Classify {
    /// Default `none`.
    #[serde(default = "none")]
    pub score: Score,
    /// The model's class 0 is line 1 of `labels.txt`, the background; else it is line 2.
    #[serde(default)]
    pub background: bool,
    /// Index of the output.
    pub output: Option<usize>,
}

/// `kind = "ssd"`: outputs `[1, N, 4]` and `[1, N, C]`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ssd {
    /// Default `sigmoid`.
    #[serde(default = "sigmoid")]
    pub score: Score,
    /// The model's class 0 is line 1 of `labels.txt`, the background; else it is line 2.
    #[serde(default = "yes")]
    pub background: bool,
    /// Index of the output with the boxes; absent: the one of shape `[1, N, 4]`.
    pub boxes: Option<usize>,
    /// Index of the output with the logits; absent: the other one of shape `[1, N, C]`.
    pub logits: Option<usize>,
    /// Divisors of the offsets y, x, height, width; above 0.
    pub box_scale: [f32; 4],
    /// Boxes the offsets are relative to.
    pub anchors: AnchorOptions,
}

/// `[decode.anchors]`, as `MediaPipe`'s `SsdAnchorsCalculatorOptions`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnchorOptions {
    /// Number of feature maps, 1 ..= 16; the length of `strides`.
    pub layers: usize,
    /// Side of the lowest layer's anchors, of the frame's, above 0.
    pub scale_min: f32,
    /// Side of the last layer's anchors.
    pub scale_max: f32,
    /// Width / height, 1 ..= 16 values above 0.
    pub aspect_ratios: Vec<f32>,
    /// Pixels of the input for one cell of each feature map.
    pub strides: Vec<u32>,
    /// The lowest layer has three anchors only: 0.1 square, and `scale_min` at 2:1 and 1:2.
    #[serde(default)]
    pub reduce_lowest: bool,
    /// Each layer has one more square, of the geometric mean of its scale and the next.
    #[serde(default)]
    pub interpolated: bool,
    /// All anchors are as wide and high as the frame; only their centres differ.
    #[serde(default)]
    pub fixed_size: bool,
}

/// `kind = "ssd-postprocessed"`: boxes `[1, N, 4]` (`y_min`, `x_min`, `y_max`, `x_max`, 0 ..= 1),
/// classes `[1, N]` (0 is line 2 of `labels.txt`), scores `[1, N]` and count `[1]`. The indexes
/// may be left out where they are 0, 1, 2, 3, the order of the operator itself.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SsdPostprocessed {
    /// Index of the output.
    #[serde(default)]
    pub boxes: usize,
    /// Index of the output.
    #[serde(default = "index_1")]
    pub classes: usize,
    /// Index of the output.
    #[serde(default = "index_2")]
    pub scores: usize,
    /// Index of the output.
    #[serde(default = "index_3")]
    pub count: usize,
}

/// `kind = "yolov5"`: an output `[1, N, 5 + C]` of centre x, y, width, height, objectness, C
/// classes.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct YoloV5 {
    /// Unit of the boxes.
    #[serde(default)]
    pub coordinates: Coordinates,
    /// Index of the output.
    pub output: Option<usize>,
}

/// `kind = "yolov8"`: an output `[1, 4 + C + 3 K, N]` or `[1, N, 4 + C + 3 K]` of centre x, y,
/// width, height, C classes and x, y, score of K key points; or two outputs, the boxes by
/// themselves: `[1, 4, N]` and `[1, C + 3 K, N]`, or both the other way round.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct YoloV8 {
    /// Unit of the boxes and key points.
    #[serde(default)]
    pub coordinates: Coordinates,
    /// Default `none`: exports apply the sigmoid.
    #[serde(default = "none")]
    pub score: Score,
    /// Names of the key points, at most 64.
    #[serde(default)]
    pub points: Vec<String>,
    /// Index of the output, or of that with the scores.
    pub output: Option<usize>,
    /// Index of the output with the boxes, where it is not the same.
    pub boxes: Option<usize>,
}

/// `kind = "yolo-end2end"`: an output `[1, N, 6]` of `x_min`, `y_min`, `x_max`, `y_max`, score,
/// class (0 is line 2 of `labels.txt`).
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct YoloEnd2End {
    /// Unit of the boxes.
    #[serde(default)]
    pub coordinates: Coordinates,
    /// Index of the output.
    pub output: Option<usize>,
}

/// `kind = "blazeface"`: outputs `[1, N, 4 + 2 K]` (centre x, y, width, height, then x, y of K key
/// points, in pixels of the input from the anchor) and `[1, N, 1]` (logits).
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BlazeFace {
    /// Names of the key points, at most 64.
    #[serde(default)]
    pub points: Vec<String>,
    /// Overlapping boxes and their points are averaged, weighted by score, instead of all but the
    /// best dropped.
    #[serde(default = "yes")]
    pub weighted: bool,
    /// Boxes the offsets are relative to; absent: those of the short-range face detector.
    #[serde(default = "short_range")]
    pub anchors: AnchorOptions,
    /// Index of the output with boxes and points.
    pub regressors: Option<usize>,
    /// Index of the output with logits.
    pub classifiers: Option<usize>,
}

/// `kind = "pose"`: an output `[1, 1, K, 3]` of y, x, score, 0 ..= 1. The person's score is the
/// mean of its points', its box the smallest around the points that pass `point_threshold`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MoveNet {
    /// Names of the key points, 1 ..= 64.
    pub points: Vec<String>,
    /// Points below do not count for the box, 0 ..= 1.
    #[serde(default = "default_point_threshold")]
    pub point_threshold: f32,
    /// Index of the output.
    pub output: Option<usize>,
}

/// `kind = "segment"`: an output `[1, H, W, C]` of C classes' scores, `[1, H, W]` or
/// `[1, H, W, 1]` of class numbers (integers), or `[1, H, W, 1]` of one class's probability. The
/// values are the classes' shares of the frame, 0 ..= 1.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Segment {
    /// The model's class 0 is line 1 of `labels.txt`, the background; else it is line 2.
    #[serde(default = "yes")]
    pub background: bool,
    /// Index of the output.
    pub output: Option<usize>,
}

/// `kind = "anomaly"`: an output as long as the input. The value, named by line 2 of
/// `labels.txt`, is (e − mean) / std, with e the mean of the squares of output − input (real
/// values).
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Anomaly {
    /// Mean of e over normal windows or pictures.
    #[serde(default)]
    pub mean: f32,
    /// Standard deviation of e over them, above 0.
    #[serde(default = "unit")]
    pub std: f32,
    /// Index of the output.
    pub output: Option<usize>,
}

/// `kind = "score"`: an output of C numbers, `[1, C]`. The values, named by `labels.txt` from line
/// 2 on, are their scores, each the mean over the last `mean_of` runs (those before the first
/// count as 0).
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StreamingScore {
    /// Default `none`.
    #[serde(default = "none")]
    pub score: Score,
    /// 1 ..= 1000.
    #[serde(default = "index_1")]
    pub mean_of: usize,
    /// Index of the output.
    pub output: Option<usize>,
}

impl Decode {
    pub(super) fn objection(&self) -> Option<&'static str> {
        let no_softmax = |score| {
            broken([(
                score != Score::Softmax,
                "decode.score: must be \"none\" or \"sigmoid\"",
            )])
        };
        match self {
            Self::Classify(scoring, _)
            | Self::SsdPostprocessed(scoring, _)
            | Self::YoloEnd2End(scoring, _) => scoring.objection(),
            Self::YoloV5(scoring, suppression, _) => {
                scoring.objection().or_else(|| suppression.objection())
            }
            Self::Ssd(scoring, suppression, ssd) => scoring
                .objection()
                .or_else(|| suppression.objection())
                .or_else(|| no_softmax(ssd.score))
                .or_else(|| {
                    broken([(
                        ssd.box_scale.into_iter().all(positive),
                        "decode.box_scale: four numbers above 0",
                    )])
                })
                .or_else(|| ssd.anchors.objection()),
            Self::YoloV8(scoring, suppression, yolo) => scoring
                .objection()
                .or_else(|| suppression.objection())
                .or_else(|| no_softmax(yolo.score))
                .or_else(|| points(&yolo.points)),
            Self::BlazeFace(scoring, suppression, face) => scoring
                .objection()
                .or_else(|| suppression.objection())
                .or_else(|| points(&face.points))
                .or_else(|| face.anchors.objection()),
            Self::Pose(scoring, pose) => scoring.objection().or_else(|| {
                broken([
                    (
                        !pose.points.is_empty(),
                        "decode.points: must have 1 to 64 names",
                    ),
                    (
                        share(pose.point_threshold),
                        "decode.point_threshold: must be 0.0 to 1.0",
                    ),
                ])
                .or_else(|| points(&pose.points))
            }),
            Self::Segment(_) => None,
            Self::Anomaly(anomaly) => broken([
                (anomaly.mean.is_finite(), "decode.mean: must be finite"),
                (positive(anomaly.std), "decode.std: must be above 0"),
            ]),
            Self::Score(score) => broken([(
                (1..=1000).contains(&score.mean_of),
                "decode.mean_of: must be 1 to 1000",
            )]),
        }
    }
}

impl Scoring {
    fn objection(&self) -> Option<&'static str> {
        broken([
            (
                share(self.score_threshold),
                "decode.score_threshold: must be 0.0 to 1.0",
            ),
            (
                self.thresholds.values().copied().all(share),
                "decode.thresholds: each must be 0.0 to 1.0",
            ),
            (
                self.calibration
                    .is_none_or(|calibration| positive(calibration.a) && calibration.b.is_finite()),
                "decode.calibration: `a` must be above 0, `b` finite",
            ),
            (
                (1..=1000).contains(&self.max_detections),
                "decode.max_detections: must be 1 to 1000",
            ),
        ])
    }
}

impl Suppression {
    fn objection(&self) -> Option<&'static str> {
        broken([
            (share(self.nms_iou), "decode.nms_iou: must be 0.0 to 1.0"),
            (
                (1..=10000).contains(&self.max_candidates),
                "decode.max_candidates: must be 1 to 10000",
            ),
        ])
    }
}

impl AnchorOptions {
    fn objection(&self) -> Option<&'static str> {
        broken([
            (
                (1..=16).contains(&self.layers) && self.strides.len() == self.layers,
                "decode.anchors: `layers` must be 1 to 16 and `strides` have as many values",
            ),
            (
                self.strides
                    .iter()
                    .all(|stride| (1..=4096).contains(stride)),
                "decode.anchors.strides: each must be 1 to 4096",
            ),
            (
                positive(self.scale_min) && positive(self.scale_max),
                "decode.anchors: scale_min and scale_max must be above 0",
            ),
            (
                (1..=16).contains(&self.aspect_ratios.len())
                    && self.aspect_ratios.iter().copied().all(positive),
                "decode.anchors.aspect_ratios: 1 to 16 numbers above 0",
            ),
        ])
    }
}

fn share(value: f32) -> bool {
    (0.0..=1.0).contains(&value)
}

fn positive(value: f32) -> bool {
    value.is_finite() && value > 0.0
}

fn points(names: &[String]) -> Option<&'static str> {
    broken([(
        names.len() <= 64 && names.iter().all(|name| !name.is_empty()),
        "decode.points: at most 64 names, none empty",
    )])
}

/// `mediapipe/modules/face_detection/face_detection_short_range.pbtxt`: 896 anchors for an input
/// of 128 × 128.
fn short_range() -> AnchorOptions {
    AnchorOptions {
        layers: 4,
        scale_min: 0.148_437_5,
        scale_max: 0.75,
        aspect_ratios: vec![1.0],
        strides: vec![8, 16, 16, 16],
        reduce_lowest: false,
        interpolated: true,
        fixed_size: true,
    }
}

const fn default_candidates() -> usize {
    1000
}

/// The threshold of TensorFlow's own `MoveNet` example.
const fn default_point_threshold() -> f32 {
    0.3
}

const fn none() -> Score {
    Score::None
}

const fn sigmoid() -> Score {
    Score::Sigmoid
}

const fn yes() -> bool {
    true
}

const fn unit() -> f32 {
    1.0
}

const fn index_1() -> usize {
    1
}

const fn index_2() -> usize {
    2
}

const fn index_3() -> usize {
    3
}
