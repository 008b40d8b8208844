//! Why a model's outputs cannot be decoded.

use crate::TensorSpec;

/// Why a model's outputs cannot be decoded. A message names the file to look at, and both
/// numbers where two do not fit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// A tensor is missing, has another shape or type.
    #[error("model.toml: {0}")]
    Tensors(String),
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
    /// Labels and classes differ in number.
    #[error(
        "labels.txt: {labels} lines, expected {expected}: the model has {classes} classes{}",
        if expected == classes { " (background included)" } else { ", and line 1 stands for none of them" }
    )]
    Labels {
        /// Lines of labels.txt.
        labels: usize,
        /// Lines there should be.
        expected: usize,
        /// From the tensor.
        classes: usize,
    },
    /// Key points differ in number.
    #[error("model.toml: decode.points has {points} names, the model has {found} key points")]
    Points {
        /// From the description.
        points: usize,
        /// From the tensor.
        found: usize,
    },
    /// A threshold for a class that there is not.
    #[error("model.toml: decode.thresholds: labels.txt has no class \"{0}\"")]
    Threshold(String),
    /// A tensor's bytes are not as many as its shape says.
    #[error("tensor {index}: {found} bytes, its shape needs {needed}")]
    Length {
        /// Which output (of `anomaly`: or the input).
        index: usize,
        /// Bytes.
        needed: usize,
        /// Bytes.
        found: usize,
    },
    /// The model reports a class that has no label.
    #[error("labels.txt: {labels} lines, but the model reports class {class}")]
    Class {
        /// From the tensor.
        class: u32,
        /// Lines of labels.txt.
        labels: usize,
    },
}

/// Class index (line of `labels.txt` less one) of a model's class 0.
pub(crate) fn first_class(
    labels: usize,
    classes: usize,
    background: bool,
) -> Result<usize, DecodeError> {
    let first = usize::from(!background);
    let expected = classes + first;
    if labels == expected {
        Ok(first)
    } else {
        Err(DecodeError::Labels {
            labels,
            expected,
            classes,
        })
    }
}

pub(crate) fn shapes(specs: &[TensorSpec]) -> Vec<&[usize]> {
    specs.iter().map(|spec| &spec.shape[..]).collect()
}
