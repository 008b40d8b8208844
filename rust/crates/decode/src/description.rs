//! `model.toml` and `labels.txt`.

use edgeai_config::Position;
use serde::Deserialize;
use std::path::Path;

/// What a model directory says of its model.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelDescription {
    /// Who it is.
    pub model: ModelIdentity,
    /// What it takes.
    pub input: ModelInput,
    /// How its outputs are read.
    pub decode: Decode,
    /// A known picture and what must be seen on it; read by the self-test only.
    #[serde(default)]
    pub golden: Option<toml::Table>,
    /// Class names; index 0 is the background.
    #[serde(skip)]
    pub labels: Vec<String>,
}

/// `[model]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelIdentity {
    /// Name for the log.
    pub name: String,
    /// One sentence.
    #[serde(default)]
    pub description: String,
    /// SPDX expression.
    #[serde(default)]
    pub licence: String,
    /// What it does.
    pub task: Task,
}

/// Values of `task`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Task {
    /// Boxes, classes and scores.
    Detect,
}

/// `[input]`; element type and quantisation stand in the `.tflite`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelInput {
    /// Width and height in pixels, 1 ..= 4096.
    pub size: [u32; 2],
    /// Real values that pixel values 0 and 255 map to.
    pub range: [f32; 2],
}

/// `[decode]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decode {
    /// Which decoder.
    pub kind: DecodeKind,
    /// Detections below are not reported, 0 ..= 1.
    pub score_threshold: f32,
    /// Of two boxes of one class that overlap by more (intersection over union), only the better
    /// is reported, 0 ..= 1.
    pub nms_iou: f32,
    /// At most this many are reported, 1 ..= 1000.
    pub max_detections: usize,
    /// How a logit becomes a score.
    #[serde(default)]
    pub score: Score,
    /// Index of the output with the boxes; absent: the one of shape `[1, N, 4]`.
    pub boxes: Option<usize>,
    /// Index of the output with the logits; absent: the other one of shape `[1, N, C]`.
    pub logits: Option<usize>,
    /// Divisors of the offsets y, x, height, width; above 0.
    pub box_scale: [f32; 4],
    /// Boxes the offsets are relative to.
    pub anchors: AnchorOptions,
}

/// Values of `kind`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DecodeKind {
    /// Single-shot detector: anchors, offsets, logits, non-maximum suppression.
    Ssd,
}

/// Values of `score`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Score {
    /// 1 / (1 + e^−logit), each class by itself.
    #[default]
    Sigmoid,
}

/// `[decode.anchors]`
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
}

/// Why a model directory is not usable. Every message names the file.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// Not readable.
    #[error("{file}: {error}")]
    Read {
        /// Path.
        file: String,
        /// Reason.
        error: std::io::Error,
    },
    /// `model.toml` is not what is expected.
    #[error("{file}:{position}: {message}")]
    Syntax {
        /// Path.
        file: String,
        /// Line and column.
        position: Position,
        /// What was expected.
        message: String,
    },
    /// A value does not make sense.
    #[error("{file}: {message}")]
    Value {
        /// Path.
        file: String,
        /// What was expected.
        message: String,
    },
}

impl ModelDescription {
    /// Reads `model.toml` and `labels.txt` of `directory`.
    ///
    /// That there are as many labels as classes is checked by [`crate::SsdDecoder::new`], which
    /// knows the tensors.
    ///
    /// # Errors
    /// A file that cannot be read, an unknown or missing key, a value out of its range.
    pub fn load(directory: &Path) -> Result<Self, ModelError> {
        let read = |name: &str| {
            let path = directory.join(name);
            let file = path.display().to_string();
            match std::fs::read_to_string(path) {
                Ok(text) => Ok((file, text)),
                Err(error) => Err(ModelError::Read { file, error }),
            }
        };
        let (file, text) = read("model.toml")?;
        let mut description = Self::parse(&file, &text)?;
        let (file, text) = read("labels.txt")?;
        description.labels = labels(&file, &text)?;
        Ok(description)
    }

    /// Reads the text of a `model.toml`; `file` stands in errors. The labels stay empty.
    ///
    /// # Errors
    /// An unknown or missing key, a value out of its range.
    pub fn parse(file: &str, text: &str) -> Result<Self, ModelError> {
        let description: Self = toml::from_str(text).map_err(|error| ModelError::Syntax {
            file: file.to_owned(),
            position: Position::of(text, error.span().map_or(0, |span| span.start)),
            message: error.message().to_owned(),
        })?;
        match description.objection() {
            None => Ok(description),
            Some(message) => Err(ModelError::Value {
                file: file.to_owned(),
                message: message.to_owned(),
            }),
        }
    }

    fn objection(&self) -> Option<&'static str> {
        let (decode, anchors) = (&self.decode, &self.decode.anchors);
        let share = |value: f32| (0.0..=1.0).contains(&value);
        let positive = |value: f32| value.is_finite() && value > 0.0;
        let [low, high] = self.input.range;
        let rules = [
            (
                self.input.size.iter().all(|side| (1..=4096).contains(side)),
                "input.size: each side must be 1 to 4096",
            ),
            (
                low.is_finite() && high.is_finite() && low < high,
                "input.range: two finite numbers, the smaller one first",
            ),
            (
                share(decode.score_threshold),
                "decode.score_threshold: must be 0.0 to 1.0",
            ),
            (share(decode.nms_iou), "decode.nms_iou: must be 0.0 to 1.0"),
            (
                (1..=1000).contains(&decode.max_detections),
                "decode.max_detections: must be 1 to 1000",
            ),
            (
                decode.box_scale.into_iter().all(positive),
                "decode.box_scale: four numbers above 0",
            ),
            (
                (1..=16).contains(&anchors.layers) && anchors.strides.len() == anchors.layers,
                "decode.anchors: `layers` must be 1 to 16 and `strides` have as many values",
            ),
            (
                anchors
                    .strides
                    .iter()
                    .all(|stride| (1..=4096).contains(stride)),
                "decode.anchors.strides: each must be 1 to 4096",
            ),
            (
                positive(anchors.scale_min) && positive(anchors.scale_max),
                "decode.anchors: scale_min and scale_max must be above 0",
            ),
            (
                (1..=16).contains(&anchors.aspect_ratios.len())
                    && anchors.aspect_ratios.iter().copied().all(positive),
                "decode.anchors.aspect_ratios: 1 to 16 numbers above 0",
            ),
        ];
        rules
            .into_iter()
            .find_map(|(holds, message)| (!holds).then_some(message))
    }
}

/// One label a line; a last line break is not a label.
fn labels(file: &str, text: &str) -> Result<Vec<String>, ModelError> {
    let labels: Vec<String> = text.lines().map(|line| line.trim().to_owned()).collect();
    let value = |message| {
        Err(ModelError::Value {
            file: file.to_owned(),
            message,
        })
    };
    if labels.len() < 2 || labels.len() > usize::from(u16::MAX) {
        return value(format!(
            "{} lines; expected the background class and 1 to 65534 classes, one a line",
            labels.len()
        ));
    }
    match labels.iter().position(String::is_empty) {
        None => Ok(labels),
        Some(line) => value(format!("line {} is empty; expected a class name", line + 1)),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) const MODEL: &str = r#"
[model]
name = "ssd-mobilenet-v2-oidv4"
description = "Finds 23 kinds of objects."
licence = "Apache-2.0"
task = "detect"

[input]
size = [300, 300]
range = [-1.0, 1.0]

[decode]
kind = "ssd"
score_threshold = 0.3
nms_iou = 0.5
max_detections = 50
score = "sigmoid"
box_scale = [10.0, 10.0, 5.0, 5.0]

[decode.anchors]
layers = 6
scale_min = 0.2
scale_max = 0.95
aspect_ratios = [1.0, 2.0, 0.5, 3.0, 0.3333]
strides = [16, 32, 64, 128, 256, 512]
reduce_lowest = true
interpolated = true
"#;

    fn error(text: &str) -> String {
        ModelDescription::parse("model.toml", text)
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn the_sample_is_read() {
        let description = ModelDescription::parse("model.toml", MODEL).unwrap();
        assert_eq!(description.input.size, [300, 300]);
        assert_eq!(description.decode.boxes, None);
        assert_eq!(description.decode.anchors.strides[5], 512);
    }

    #[test]
    fn a_wrong_key_is_named_with_its_place() {
        let text = MODEL.replace("nms_iou = 0.5", "nms_iuo = 0.5");
        assert!(error(&text).starts_with("model.toml:15:1: unknown field `nms_iuo`"));
        let text = MODEL.replace("layers = 6", "layers = \"6\"");
        assert!(error(&text).starts_with("model.toml:21:10: invalid type: string"));
    }

    #[test]
    fn values_out_of_range_are_refused() {
        for (from, to, key) in [
            ("size = [300, 300]", "size = [0, 300]", "input.size"),
            ("range = [-1.0, 1.0]", "range = [1.0, -1.0]", "input.range"),
            (
                "score_threshold = 0.3",
                "score_threshold = nan",
                "decode.score_threshold",
            ),
            ("nms_iou = 0.5", "nms_iou = 1.5", "decode.nms_iou"),
            (
                "max_detections = 50",
                "max_detections = 0",
                "decode.max_detections",
            ),
            (
                "box_scale = [10.0,",
                "box_scale = [0.0,",
                "decode.box_scale",
            ),
            ("layers = 6", "layers = 5", "decode.anchors: `layers`"),
            ("strides = [16,", "strides = [0,", "decode.anchors.strides"),
            (
                "scale_min = 0.2",
                "scale_min = -0.2",
                "decode.anchors: scale_min",
            ),
            ("0.3333]", "inf]", "decode.anchors.aspect_ratios"),
        ] {
            let text = MODEL.replace(from, to);
            assert_ne!(text, MODEL);
            let error = error(&text);
            assert!(error.starts_with(&format!("model.toml: {key}")), "{error}");
        }
    }

    #[test]
    fn labels_are_lines() {
        assert_eq!(
            labels("l", "???\nPerson\r\nCoffee cup\n").unwrap(),
            ["???", "Person", "Coffee cup"]
        );
        assert!(
            labels("l", "???\n\nPerson\n")
                .unwrap_err()
                .to_string()
                .contains("line 2 is empty")
        );
        assert!(labels("l", "").is_err());
    }

    #[test]
    fn a_missing_directory_is_named() {
        let error = ModelDescription::load(Path::new("/nonexistent"))
            .unwrap_err()
            .to_string();
        assert!(error.starts_with("/nonexistent/model.toml: "), "{error}");
    }
}
