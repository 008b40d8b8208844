//! The tables of `model.toml`, each read by the type that its `kind` names.
//!
//! Serde's own tagged enums forget where in the text a key stands; here the tables are parted
//! first and keep their places.

use super::{Decode, ModelDescription, ModelInput, Scoring, Suppression};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

/// What is wrong, and at which byte of the text.
pub(super) struct SyntaxError {
    pub at: usize,
    pub message: String,
}

/// Keys of `[decode]` that several kinds share.
const SCORING: [&str; 4] = [
    "score_threshold",
    "thresholds",
    "calibration",
    "max_detections",
];
const SUPPRESSION: [&str; 3] = ["nms_iou", "class_agnostic", "max_candidates"];

pub(super) fn parse(text: &str) -> Result<ModelDescription, SyntaxError> {
    let mut root = Section::new(DeTable::parse(text)?);
    let description = ModelDescription {
        model: root.table("model")?.read()?,
        input: input(root.table("input")?)?,
        decode: decode(root.table("decode")?)?,
        golden: root.optional("golden")?,
        labels: Vec::new(),
    };
    match root.table.into_iter().next() {
        None => Ok(description),
        Some((key, _)) => Err(SyntaxError {
            at: key.span().start,
            message: format!(
                "unknown field `{}`, expected one of `model`, `input`, `decode`, `golden`",
                key.into_inner()
            ),
        }),
    }
}

fn input(mut table: Section<'_>) -> Result<ModelInput, SyntaxError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "kebab-case")]
    enum Kind {
        Image,
        Samples,
    }
    Ok(match table.optional("kind")?.unwrap_or(Kind::Image) {
        Kind::Image => ModelInput::Image(table.read()?),
        Kind::Samples => ModelInput::Samples(table.read()?),
    })
}

fn decode(mut table: Section<'_>) -> Result<Decode, SyntaxError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "kebab-case")]
    enum Kind {
        Classify,
        Ssd,
        SsdPostprocessed,
        #[serde(rename = "yolov5")]
        YoloV5,
        #[serde(rename = "yolov8")]
        YoloV8,
        #[serde(rename = "yolo-end2end")]
        YoloEnd2End,
        #[serde(rename = "blazeface")]
        BlazeFace,
        Pose,
        Segment,
        Anomaly,
        Score,
    }
    let kind = table.optional("kind")?.ok_or_else(|| SyntaxError {
        at: table.span.start,
        message: "missing field `kind`".into(),
    })?;
    Ok(match kind {
        Kind::Classify => {
            let (scoring, own) = scored(table)?;
            Decode::Classify(scoring, own)
        }
        Kind::Ssd => {
            let (scoring, suppression, own) = suppressed(table)?;
            Decode::Ssd(scoring, suppression, own)
        }
        Kind::SsdPostprocessed => {
            let (scoring, own) = scored(table)?;
            Decode::SsdPostprocessed(scoring, own)
        }
        Kind::YoloV5 => {
            let (scoring, suppression, own) = suppressed(table)?;
            Decode::YoloV5(scoring, suppression, own)
        }
        Kind::YoloV8 => {
            let (scoring, suppression, own) = suppressed(table)?;
            Decode::YoloV8(scoring, suppression, own)
        }
        Kind::YoloEnd2End => {
            let (scoring, own) = scored(table)?;
            Decode::YoloEnd2End(scoring, own)
        }
        Kind::BlazeFace => {
            let (scoring, suppression, own) = suppressed(table)?;
            Decode::BlazeFace(scoring, suppression, own)
        }
        Kind::Pose => {
            let (scoring, own) = scored(table)?;
            Decode::Pose(scoring, own)
        }
        Kind::Segment => Decode::Segment(table.read()?),
        Kind::Anomaly => Decode::Anomaly(table.read()?),
        Kind::Score => Decode::Score(table.read()?),
    })
}

/// The kind's own keys first: a misspelt key is among them, and better named than missed.
fn scored<T: DeserializeOwned>(mut table: Section<'_>) -> Result<(Scoring, T), SyntaxError> {
    let scoring = table.part(&SCORING);
    let own = table.read()?;
    Ok((scoring.read()?, own))
}

fn suppressed<T: DeserializeOwned>(
    mut table: Section<'_>,
) -> Result<(Scoring, Suppression, T), SyntaxError> {
    let suppression = table.part(&SUPPRESSION);
    let (scoring, own) = scored(table)?;
    Ok((scoring, suppression.read()?, own))
}

/// A table and where it stands.
struct Section<'i> {
    table: DeTable<'i>,
    span: Range<usize>,
}

impl<'i> Section<'i> {
    fn new(table: Spanned<DeTable<'i>>) -> Self {
        Self {
            span: table.span(),
            table: table.into_inner(),
        }
    }

    /// Takes out the table `key`.
    fn table(&mut self, key: &str) -> Result<Self, SyntaxError> {
        let value = self.table.remove(key).ok_or_else(|| SyntaxError {
            at: self.span.start,
            message: format!("missing field `{key}`"),
        })?;
        let span = value.span();
        match value.into_inner() {
            DeValue::Table(table) => Ok(Self { table, span }),
            other => Err(SyntaxError {
                at: span.start,
                message: format!("invalid type: {}, expected a table", other.type_str()),
            }),
        }
    }

    /// Takes out the value `key`.
    fn optional<T: DeserializeOwned>(&mut self, key: &str) -> Result<Option<T>, SyntaxError> {
        match self.table.remove(key) {
            None => Ok(None),
            Some(value) => {
                let at = value.span().start;
                T::deserialize(ValueDeserializer::from(value))
                    .map(Some)
                    .map_err(|error| SyntaxError::new(&error, at))
            }
        }
    }

    /// Takes out those of the keys that are there.
    fn part(&mut self, keys: &[&str]) -> Self {
        let mut part = DeTable::new();
        for key in keys {
            if let Some((key, value)) = self.table.remove_entry(*key) {
                part.insert(key, value);
            }
        }
        Self {
            table: part,
            span: self.span.clone(),
        }
    }

    fn read<T: DeserializeOwned>(self) -> Result<T, SyntaxError> {
        let at = self.span.start;
        let table = Spanned::new(self.span, DeValue::Table(self.table));
        T::deserialize(ValueDeserializer::from(table)).map_err(|error| SyntaxError::new(&error, at))
    }
}

impl SyntaxError {
    fn new(error: &toml::de::Error, at: usize) -> Self {
        Self {
            at: error.span().map_or(at, |span| span.start),
            message: error.message().to_owned(),
        }
    }
}

impl From<toml::de::Error> for SyntaxError {
    fn from(error: toml::de::Error) -> Self {
        Self::new(&error, 0)
    }
}
