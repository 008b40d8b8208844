//! Output tensors into what a model found.
//!
//! A model directory holds `model.tflite`, `labels.txt` and `model.toml`;
//! [`ModelDescription::load`] reads the latter two, [`Decoder`] turns the tensors of each run into
//! [`Findings`], [`Tracker`] says which object of this frame is which of the last. What the two remember
//! from one frame to the next can be written down ([`Memory`]) and taken up again ([`recall`]).
//!
//! The results are the same, bit for bit, on every machine: floats are only added, multiplied,
//! divided and compared, as IEEE 754 says, and e^x and ln x are those of `libm`.

mod anchors;
mod anomaly;
mod blazeface;
mod candidates;
mod classify;
mod decoder;
mod description;
mod error;
mod exp;
mod findings;
mod memory;
mod pose;
mod region;
mod scan;
mod score;
mod segment;
mod ssd;
mod suppress;
mod tensor;
mod tracker;
mod yolo;

pub use anchors::{Anchor, anchors};
pub use decoder::Decoder;
pub use description::{
    AnchorOptions, Anomaly, BlazeFace, Calibration, ChannelOrder, Classify, Coordinates, Decode,
    Feature, Fit, ImageInput, ModelDescription, ModelError, ModelIdentity, ModelInput, MoveNet,
    SamplesInput, Score, Scoring, Segment, Ssd, SsdPostprocessed, StreamingScore, Suppression,
    Task, YoloEnd2End, YoloV5, YoloV8,
};
pub use error::DecodeError;
pub use findings::{Detection, Findings, Names, Point};
pub use memory::{Memory, MemoryError, recall};
pub use tensor::{Element, TensorSpec, Tensors};
pub use tracker::Tracker;
