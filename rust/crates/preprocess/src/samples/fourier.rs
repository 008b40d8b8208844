//! Magnitudes of a real signal's frequencies.

use std::f64::consts::TAU;

/// A radix-2 transform of one length (Cooley and Tukey 1965, decimation in time), with its Hann
/// window.
pub(super) struct Fourier {
    window: Box<[f32]>,
    /// Magnitude of a bin as the amplitude of a sine: 2 / Σ window.
    scale: f32,
    /// exp(−2πik / length) for k below half the length: real, imaginary.
    turns: Box<[[f32; 2]]>,
    values: Box<[[f32; 2]]>,
}

impl Fourier {
    /// `length` is a power of two, 2 or more.
    pub(super) fn new(length: usize) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "at most 65536")]
        let angle = |k: usize| TAU * k as f64 / length as f64;
        // Computed in f64 by libm and rounded once: the same on every processor.
        #[expect(clippy::cast_possible_truncation, reason = "rounded on purpose")]
        let single = |value: f64| value as f32;
        let window: Box<[f32]> = (0..length)
            .map(|k| single(0.5 - 0.5 * libm::cos(angle(k))))
            .collect();
        let sum: f64 = window.iter().map(|&weight| f64::from(weight)).sum();
        Self {
            window,
            scale: single(2.0 / sum),
            turns: (0..length / 2)
                .map(|k| [libm::cos(angle(k)), -libm::sin(angle(k))].map(single))
                .collect(),
            values: vec![[0.0; 2]; length].into_boxed_slice(),
        }
    }

    /// Magnitudes of frequencies 0 ..= length / 2 of `samples`, as many as the length, less their
    /// mean and under the window.
    pub(super) fn magnitudes(
        &mut self,
        samples: impl Iterator<Item = f32> + Clone,
    ) -> impl Iterator<Item = f32> {
        let length = self.values.len();
        let sum: f64 = samples.clone().map(f64::from).sum();
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            reason = "a length of at most 65536, a mean of f32"
        )]
        let mean = (sum / length as f64) as f32;
        let bits = length.trailing_zeros();
        for ((index, sample), weight) in samples.enumerate().zip(&self.window) {
            let turned = index.reverse_bits() >> (usize::BITS - bits);
            self.values[turned] = [(sample - mean) * weight, 0.0];
        }
        let mut half = 1;
        while half < length {
            let stride = length / (half * 2);
            for block in self.values.chunks_exact_mut(half * 2) {
                let (low, high) = block.split_at_mut(half);
                let turns = self.turns.iter().step_by(stride);
                for ((low, high), &[cosine, sine]) in low.iter_mut().zip(high).zip(turns) {
                    let turned = [
                        high[0] * cosine - high[1] * sine,
                        high[0] * sine + high[1] * cosine,
                    ];
                    *high = [low[0] - turned[0], low[1] - turned[1]];
                    *low = [low[0] + turned[0], low[1] + turned[1]];
                }
            }
            half *= 2;
        }
        let scale = self.scale;
        self.values[..=length / 2]
            .iter()
            .map(move |[real, imaginary]| (real * real + imaginary * imaginary).sqrt() * scale)
    }
}
