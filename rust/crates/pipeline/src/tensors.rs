//! What one room calls a tensor, in the words of the next.

use edgeai_config::Model;
use edgeai_decode::{self as decode, Element, ImageInput, SamplesInput, TensorSpec};
use edgeai_engine::{ElementType, TensorInfo};
use edgeai_preprocess::{
    ChannelOrder, Dims, Feature, Fit, Layout, Normalise, TensorType, Window, WindowSpec,
};

/// Most input tensors, and most output tensors, of a model.
pub const MAX_TENSORS: usize = 64;

/// What the decoder is to know of the tensors.
///
/// # Errors
/// One line naming the tensor that cannot be read.
pub fn specs(tensors: &[TensorInfo]) -> Result<Vec<TensorSpec>, String> {
    if tensors.len() > MAX_TENSORS {
        return Err(format!("{} tensors; at most {MAX_TENSORS}", tensors.len()));
    }
    tensors
        .iter()
        .map(|tensor| {
            let element = match tensor.element {
                ElementType::F32 => Element::F32,
                ElementType::I8 => Element::I8,
                ElementType::U8 => Element::U8,
                ElementType::I32 => Element::I32,
                ElementType::I64 => Element::I64,
                other => {
                    return Err(format!(
                        "tensor {}: elements of type {other:?} cannot be read",
                        tensor.name
                    ));
                }
            };
            Ok(TensorSpec {
                shape: tensor.shape.clone(),
                element,
                scale: tensor.scale,
                zero_point: tensor.zero_point,
            })
        })
        .collect()
}

/// Type and quantisation of an input tensor.
///
/// # Errors
/// One line: elements that nothing fills.
pub fn tensor_type(input: &TensorInfo) -> Result<TensorType, String> {
    let TensorInfo {
        scale, zero_point, ..
    } = *input;
    match input.element {
        ElementType::F32 => Ok(TensorType::F32),
        ElementType::I8 => Ok(TensorType::I8 { scale, zero_point }),
        ElementType::U8 => Ok(TensorType::U8 { scale, zero_point }),
        other => Err(format!("input tensors of type {other:?} cannot be filled")),
    }
}

/// Layout and fit of a picture's tensor.
///
/// # Errors
/// One line saying how the tensor and `model.toml` do not fit.
pub fn layout(image: &ImageInput, input: &TensorInfo) -> Result<(Layout, Fit), String> {
    let [width, height] = image.size.map(|side| side as usize);
    let channels = image.channels as usize;
    let nhwc = [1, height, width, channels];
    let nchw = [1, channels, height, width];
    let dims = if input.shape == nhwc {
        Dims::Nhwc
    } else if input.shape == nchw {
        Dims::Nchw
    } else {
        return Err(format!(
            "model.tflite takes {:?}, but model.toml says {nhwc:?} or {nchw:?}",
            input.shape
        ));
    };
    let (scale, offset) = image.scale_and_offset();
    let layout = Layout {
        size: image.size,
        channels: image.channels,
        order: match image.order {
            decode::ChannelOrder::Rgb => ChannelOrder::Rgb,
            decode::ChannelOrder::Bgr => ChannelOrder::Bgr,
        },
        dims,
        element: tensor_type(input)?,
        normalise: Normalise { scale, offset },
    };
    let fit = match image.fit {
        decode::Fit::Stretch => Fit::Stretch,
        decode::Fit::Letterbox => Fit::Letterbox { fill: image.fill },
        decode::Fit::Crop => Fit::Crop,
    };
    Ok((layout, fit))
}

/// The directory of a model, and the options to load it with.
pub fn place(model: &Model) -> (std::path::PathBuf, edgeai_engine::Options) {
    (
        edgeai_config::model_directory(&model.file),
        edgeai_engine::Options::from(model),
    )
}

/// What makes a tensor of a window of samples.
///
/// # Errors
/// One line saying how the tensor and `model.toml` do not fit.
pub fn window(described: &SamplesInput, input: &TensorInfo) -> Result<Window, String> {
    let elements: usize = input.shape.iter().product();
    let (samples, channels) = (described.samples as usize, described.channels as usize);
    let features = elements / channels.max(1);
    let feature = match described.feature {
        decode::Feature::Raw => Feature::Raw,
        decode::Feature::LogSpectrum => Feature::LogSpectrum { bins: features },
    };
    let expected = match described.feature {
        decode::Feature::Raw => samples,
        decode::Feature::LogSpectrum => features,
    };
    if elements != expected * channels {
        return Err(format!(
            "model.tflite takes {:?}, but model.toml says {samples} samples of {channels} channels",
            input.shape
        ));
    }
    Window::new(WindowSpec {
        samples,
        channels,
        feature,
        mean: described.mean.clone(),
        std: described.std.clone(),
        element: tensor_type(input)?,
    })
    .map_err(|error| format!("preprocess: {error}"))
}
