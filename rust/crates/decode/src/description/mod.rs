//! `model.toml` and `labels.txt`.

mod decode;
mod input;
mod parse;
#[cfg(test)]
#[path = "description_tests.rs"]
mod tests;

pub use decode::{
    AnchorOptions, Anomaly, BlazeFace, Calibration, Classify, Coordinates, Decode, MoveNet, Score,
    Scoring, Segment, Ssd, SsdPostprocessed, StreamingScore, Suppression, YoloEnd2End, YoloV5,
    YoloV8,
};
pub use input::{ChannelOrder, Feature, Fit, ImageInput, ModelInput, SamplesInput};

use edgeai_config::Position;
use serde::Deserialize;
use std::path::Path;

/// What a model directory says of its model.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelDescription {
    /// Who it is.
    pub model: ModelIdentity,
    /// What it takes.
    pub input: ModelInput,
    /// How its outputs are read.
    pub decode: Decode,
    /// A known picture and what must be seen on it; read by the self-test only.
    pub golden: Option<toml::Table>,
    /// Class names, the lines of `labels.txt`; the first stands for the background, or no class.
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
    /// What it does; for people, the decoder follows `decode.kind`.
    pub task: Task,
}

/// Values of `task`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Task {
    /// Boxes, classes and scores.
    Detect,
    /// Classes of the whole picture or window.
    Classify,
    /// Key points.
    Pose,
    /// Areas.
    Segment,
    /// How unlike the normal it is.
    Anomaly,
    /// Whether a word or sound is heard.
    Listen,
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
    /// That there are as many labels as classes is checked by [`crate::Decoder::new`], which
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
        let description = parse::parse(text).map_err(|error| ModelError::Syntax {
            file: file.to_owned(),
            position: Position::of(text, error.at),
            message: error.message,
        })?;
        let objection = (description.input.objection()).or_else(|| description.decode.objection());
        match objection {
            None => Ok(description),
            Some(message) => Err(ModelError::Value {
                file: file.to_owned(),
                message: message.to_owned(),
            }),
        }
    }
}

/// The first rule that does not hold.
fn broken<const N: usize>(rules: [(bool, &'static str); N]) -> Option<&'static str> {
    rules
        .into_iter()
        .find_map(|(holds, message)| (!holds).then_some(message))
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
