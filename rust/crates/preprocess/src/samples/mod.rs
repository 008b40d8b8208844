//! Windows of a sensor's samples into the input tensor: for models of vibration, sound, current.
//!
//! The Fourier transform is our own: a radix-2 of one screen that does the same operations in the
//! same order everywhere. Crates that choose their algorithm by the processor (`rustfft`,
//! `realfft`) differ in the last bits between architectures, and with them a recording's replay.

mod fourier;
#[cfg(test)]
mod tests;

use crate::{PreprocessError, TensorType};
use fourier::Fourier;

/// Added to magnitudes before the logarithm: silence is ln 10⁻⁶, not minus infinity.
const FLOOR: f32 = 1e-6;

/// What is made of a window's samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Feature {
    /// The samples themselves.
    Raw,
    /// Of each channel, without its mean and under a periodic Hann window: ln(magnitude + 10⁻⁶) of
    /// the first `bins` of its `samples` / 2 + 1 frequencies. The magnitude of a sine on a frequency
    /// is its amplitude.
    LogSpectrum {
        /// Frequencies from 0 on.
        bins: usize,
    },
}

/// A window of samples and the tensor it becomes.
#[derive(Debug, Clone, PartialEq)]
pub struct WindowSpec {
    /// Length of the window; of a spectrum a power of two, 2 ..= 65536.
    pub samples: usize,
    /// Channels of the sensor, 1 or more.
    pub channels: usize,
    /// What is made of the samples.
    pub feature: Feature,
    /// real = (feature − mean) / std; one for all channels or one for each.
    pub mean: Vec<f32>,
    /// Above 0; see `mean`.
    pub std: Vec<f32>,
    /// Type and quantisation.
    pub element: TensorType,
}

/// Turns windows of samples into tensors.
pub struct Window {
    spec: WindowSpec,
    fourier: Option<Fourier>,
    /// A channel's features.
    features: Box<[f32]>,
}

impl Window {
    /// Builds the tables.
    ///
    /// # Errors
    /// A length that is not possible, more bins than there are, or a normalisation or quantisation
    /// that is not usable.
    pub fn new(spec: WindowSpec) -> Result<Self, PreprocessError> {
        let refuse = |what| Err(PreprocessError::Values(what));
        let WindowSpec {
            samples, channels, ..
        } = spec;
        if !(1..=1 << 16).contains(&samples) || !(1..=1 << 8).contains(&channels) {
            return refuse("a window has 1 to 65536 samples of 1 to 256 channels");
        }
        for (values, least) in [(&spec.mean, f32::NEG_INFINITY), (&spec.std, 0.0)] {
            let usable = |value: &f32| value.is_finite() && *value > least;
            if !(values.len() == 1 || values.len() == channels) || !values.iter().all(usable) {
                return refuse(
                    "mean and std: one finite number or one for each channel, std above 0",
                );
            }
        }
        if let TensorType::I8 { scale, .. } | TensorType::U8 { scale, .. } = spec.element
            && !(scale.is_finite() && scale > 0.0)
        {
            return refuse("the quantisation's scale must be finite and above 0");
        }
        let (fourier, features) = match spec.feature {
            Feature::Raw => (None, samples),
            Feature::LogSpectrum { bins } => {
                if !samples.is_power_of_two() || samples < 2 {
                    return refuse(
                        "the window of a spectrum has 2 to 65536 samples, a power of two",
                    );
                }
                if !(1..=samples / 2 + 1).contains(&bins) {
                    return refuse("a spectrum has 1 to samples / 2 + 1 bins");
                }
                (Some(Fourier::new(samples)), bins)
            }
        };
        Ok(Self {
            spec,
            fourier,
            features: vec![0.0; features].into_boxed_slice(),
        })
    }

    /// Samples of all channels that a window has.
    #[must_use]
    pub const fn samples(&self) -> usize {
        self.spec.samples * self.spec.channels
    }

    /// Bytes of the tensor [1, features, channels].
    #[must_use]
    pub const fn tensor_bytes(&self) -> usize {
        self.features.len() * self.spec.channels * self.spec.element.bytes()
    }

    /// Fills the tensor's bytes from `samples`: channels side by side, the oldest first. Does not
    /// allocate.
    ///
    /// # Errors
    /// `samples` or `out` of another length than [`Self::samples`] or [`Self::tensor_bytes`], or a
    /// sample that is not finite. `out` is untouched then.
    pub fn run(&mut self, samples: &[f32], out: &mut [u8]) -> Result<(), PreprocessError> {
        if samples.len() != self.samples() {
            return Err(PreprocessError::WindowLength {
                needed: self.samples(),
                found: samples.len(),
            });
        }
        if out.len() != self.tensor_bytes() {
            return Err(PreprocessError::TensorLength {
                needed: self.tensor_bytes(),
                found: out.len(),
            });
        }
        if !samples.iter().all(|sample| sample.is_finite()) {
            return Err(PreprocessError::Values("a sample is not a finite number"));
        }
        let (channels, element) = (self.spec.channels, self.spec.element);
        let bytes = element.bytes();
        for channel in 0..channels {
            let of_channel = samples.iter().skip(channel).step_by(channels).copied();
            match &mut self.fourier {
                None => {
                    for (feature, sample) in self.features.iter_mut().zip(of_channel) {
                        *feature = sample;
                    }
                }
                Some(fourier) => {
                    let magnitudes = fourier.magnitudes(of_channel);
                    for (feature, magnitude) in self.features.iter_mut().zip(magnitudes) {
                        *feature = libm::logf(magnitude + FLOOR);
                    }
                }
            }
            let of = |values: &[f32]| values[channel % values.len()];
            let (mean, std) = (of(&self.spec.mean), of(&self.spec.std));
            let places = out.chunks_exact_mut(bytes).skip(channel).step_by(channels);
            for (feature, place) in self.features.iter().zip(places) {
                store((feature - mean) / std, element, place);
            }
        }
        Ok(())
    }
}

/// Writes one element.
fn store(real: f32, element: TensorType, place: &mut [u8]) {
    let steps = |scale: f32, zero_point: i32, least: f64, most: f64| {
        let steps = (f64::from(real) / f64::from(scale) + f64::from(zero_point) + 0.5).floor();
        #[expect(clippy::cast_possible_truncation, reason = "clamped")]
        let steps = steps.clamp(least, most) as i16;
        steps.to_le_bytes()[0]
    };
    match element {
        TensorType::F32 => place.copy_from_slice(&real.to_ne_bytes()),
        TensorType::I8 { scale, zero_point } => place[0] = steps(scale, zero_point, -128.0, 127.0),
        TensorType::U8 { scale, zero_point } => place[0] = steps(scale, zero_point, 0.0, 255.0),
    }
}
