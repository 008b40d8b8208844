//! `[input]`; element type and quantisation stand in the `.tflite`.

use super::broken;
use serde::Deserialize;

/// `[input]`, told apart by `kind`; absent: `image`.
#[derive(Debug, Clone, PartialEq)]
pub enum ModelInput {
    /// A picture, `[1, height, width, channels]` or `[1, channels, height, width]`.
    Image(ImageInput),
    /// A window of a sensor's samples.
    Samples(SamplesInput),
}

/// `kind = "image"`.
///
/// The tensor holds real numbers that come from pixel values 0 ..= 255 by `range`, or by `mean`
/// and `std`; exactly one of the two must be given. See [`ImageInput::scale_and_offset`].
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageInput {
    /// Width and height in pixels, 1 ..= 4096.
    pub size: [u32; 2],
    /// 3, or 1 for grey (then `order` is not read).
    #[serde(default = "default_channels")]
    pub channels: u32,
    /// Which colour the tensor's first channel holds.
    #[serde(default)]
    pub order: ChannelOrder,
    /// Real values that pixel values 0 and 255 map to, the same for all channels.
    pub range: Option<[f32; 2]>,
    /// real = (pixel / 255 − mean) / std, for each of the tensor's channels in the tensor's own
    /// order; one number for all channels or one for each.
    pub mean: Option<Vec<f32>>,
    /// See `mean`; above 0.
    pub std: Option<Vec<f32>>,
    /// What is done where the frame's aspect ratio is not the input's.
    #[serde(default)]
    pub fit: Fit,
    /// Red, green, blue beside a letterboxed picture.
    #[serde(default = "default_fill")]
    pub fill: [u8; 3],
}

/// Values of `order`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChannelOrder {
    /// Red first.
    #[default]
    Rgb,
    /// Blue first.
    Bgr,
}

/// Values of `fit`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fit {
    /// Width and height are scaled each by itself.
    #[default]
    Stretch,
    /// The whole frame, in the middle, `fill` beside it.
    Letterbox,
    /// The greatest middle part of the frame that has the input's aspect ratio.
    Crop,
}

/// `kind = "samples"`: the tensor holds `samples` × `channels` real numbers (of `log-spectrum`:
/// half the samples and one, for each channel), channels beside each other.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SamplesInput {
    /// Length of a window, 2 ..= 65536; of `log-spectrum` a power of two.
    pub samples: u32,
    /// Channels of the sensor, 1 ..= 16.
    #[serde(default = "one")]
    pub channels: u32,
    /// What is made of the samples.
    #[serde(default)]
    pub feature: Feature,
    /// A window begins every so many samples, 1 ..= `samples`. Absent: windows do not overlap.
    pub hop: Option<u32>,
    /// Samples a second that the model was trained with, above 0; the sensor must deliver them.
    pub rate_hz: f32,
    /// real = (feature − mean) / std; one number for all channels or one for each.
    #[serde(default = "zero")]
    pub mean: Vec<f32>,
    /// See `mean`; above 0.
    #[serde(default = "unit")]
    pub std: Vec<f32>,
}

/// Values of `feature`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Feature {
    /// The samples themselves.
    #[default]
    Raw,
    /// Logarithm of the magnitude spectrum.
    LogSpectrum,
}

impl ModelInput {
    /// The picture's settings; `None` for samples.
    #[must_use]
    pub const fn image(&self) -> Option<&ImageInput> {
        match self {
            Self::Image(image) => Some(image),
            Self::Samples(_) => None,
        }
    }

    pub(super) fn objection(&self) -> Option<&'static str> {
        match self {
            Self::Image(image) => image.objection(),
            Self::Samples(samples) => samples.objection(),
        }
    }
}

impl ImageInput {
    /// For each of the tensor's channels in its own order: real = pixel × scale + offset, pixel
    /// 0 ..= 255. Grey uses the first only.
    #[must_use]
    pub fn scale_and_offset(&self) -> ([f32; 3], [f32; 3]) {
        if let Some([low, high]) = self.range {
            return ([(high - low) / 255.0; 3], [low; 3]);
        }
        let mean = each(self.mean.as_deref(), 0.0);
        let std = each(self.std.as_deref(), 1.0);
        (
            std.map(|std| 1.0 / (255.0 * std)),
            std::array::from_fn(|channel| -mean[channel] / std[channel]),
        )
    }

    fn objection(&self) -> Option<&'static str> {
        let fits = |values: &Option<Vec<f32>>| {
            values.as_ref().is_none_or(|values| {
                (values.len() == 1 || values.len() == self.channels as usize)
                    && values.iter().all(|value| value.is_finite())
            })
        };
        broken([
            (
                self.size.iter().all(|side| (1..=4096).contains(side)),
                "input.size: each side must be 1 to 4096",
            ),
            (
                matches!(self.channels, 1 | 3),
                "input.channels: must be 1 or 3",
            ),
            (
                matches!(
                    (&self.range, &self.mean, &self.std),
                    (Some(_), None, None) | (None, Some(_), Some(_))
                ),
                "input: either `range`, or `mean` and `std`",
            ),
            (
                self.range
                    .is_none_or(|[low, high]| low.is_finite() && high.is_finite() && low < high),
                "input.range: two finite numbers, the smaller one first",
            ),
            (
                fits(&self.mean),
                "input.mean: one finite number, or one for each channel",
            ),
            (
                fits(&self.std) && positive(self.std.as_deref()),
                "input.std: one number above 0, or one for each channel",
            ),
        ])
    }
}

impl SamplesInput {
    fn objection(&self) -> Option<&'static str> {
        let fits = |values: &[f32]| {
            (values.len() == 1 || values.len() == self.channels as usize)
                && values.iter().all(|value| value.is_finite())
        };
        broken([
            (
                (2..=65536).contains(&self.samples),
                "input.samples: must be 2 to 65536",
            ),
            (
                self.feature == Feature::Raw || self.samples.is_power_of_two(),
                "input.samples: must be a power of two for a log-spectrum",
            ),
            (
                (1..=16).contains(&self.channels),
                "input.channels: must be 1 to 16",
            ),
            (
                self.hop.is_none_or(|hop| (1..=self.samples).contains(&hop)),
                "input.hop: must be 1 to `samples`",
            ),
            (
                self.rate_hz.is_finite() && self.rate_hz > 0.0,
                "input.rate_hz: must be above 0",
            ),
            (
                fits(&self.mean),
                "input.mean: one finite number, or one for each channel",
            ),
            (
                fits(&self.std) && positive(Some(&self.std)),
                "input.std: one number above 0, or one for each channel",
            ),
        ])
    }
}

fn positive(values: Option<&[f32]>) -> bool {
    values.is_none_or(|values| values.iter().all(|&value| value > 0.0))
}

/// One number for each of three channels, from one or three.
fn each(values: Option<&[f32]>, absent: f32) -> [f32; 3] {
    match *values.unwrap_or_default() {
        [all] => [all; 3],
        [first, second, third] => [first, second, third],
        _ => [absent; 3],
    }
}

const fn default_channels() -> u32 {
    3
}

/// What Ultralytics' models are trained with.
const fn default_fill() -> [u8; 3] {
    [114; 3]
}

const fn one() -> u32 {
    1
}

fn zero() -> Vec<f32> {
    vec![0.0]
}

fn unit() -> Vec<f32> {
    vec![1.0]
}
