//! Against a transform by its definition, in f64.

#![allow(clippy::cast_precision_loss, reason = "small numbers")]

use super::*;
use std::f64::consts::TAU;

fn spec(samples: usize, channels: usize, feature: Feature, element: TensorType) -> WindowSpec {
    WindowSpec {
        samples,
        channels,
        feature,
        mean: vec![0.0],
        std: vec![1.0],
        element,
    }
}

fn floats(spec: WindowSpec, samples: &[f32]) -> Vec<f32> {
    let mut window = Window::new(spec).unwrap();
    let mut out = vec![0; window.tensor_bytes()];
    window.run(samples, &mut out).unwrap();
    let read = |bytes: &[u8]| f32::from_ne_bytes(bytes.try_into().unwrap());
    out.chunks(4).map(read).collect()
}

/// ln(magnitude + 10⁻⁶) by the sum that defines the transform.
fn definition(samples: &[f32]) -> Vec<f64> {
    let length = samples.len() as f64;
    let mean = samples.iter().map(|&s| f64::from(s)).sum::<f64>() / length;
    let hann = |n: usize| 0.5 - 0.5 * (TAU * n as f64 / length).cos();
    let sum: f64 = (0..samples.len()).map(hann).sum();
    (0..=samples.len() / 2)
        .map(|k| {
            let (mut real, mut imaginary) = (0.0, 0.0);
            for (n, &sample) in samples.iter().enumerate() {
                let value = (f64::from(sample) - mean) * hann(n);
                let angle = TAU * (k * n % samples.len()) as f64 / length;
                real += value * angle.cos();
                imaginary -= value * angle.sin();
            }
            (real.hypot(imaginary) * 2.0 / sum + 1e-6).ln()
        })
        .collect()
}

/// A sum of sines with noise from a small generator (Numerical Recipes' constants).
fn signal(samples: usize, seed: u32) -> Vec<f32> {
    let mut state = seed;
    (0..samples)
        .map(|n| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let noise = f64::from(state >> 8) / f64::from(1 << 24) - 0.5;
            let time = n as f64;
            #[expect(clippy::cast_possible_truncation, reason = "a sample")]
            let value =
                (3.0 + (time * 0.3).sin() * 2.0 + (time * 1.1).cos() * 0.5 + noise * 0.2) as f32;
            value
        })
        .collect()
}

#[test]
fn the_spectrum_is_that_of_the_definition() {
    for length in [2, 4, 8, 64, 1024] {
        let samples = signal(length, 7);
        let bins = length / 2 + 1;
        let feature = Feature::LogSpectrum { bins };
        let found = floats(spec(length, 1, feature, TensorType::F32), &samples);
        assert_eq!(found.len(), bins);
        for (bin, (&found, expected)) in found.iter().zip(definition(&samples)).enumerate() {
            let error = (f64::from(found) - expected).abs();
            // Where a magnitude is near nothing, the floor and f32's rounding are what is left.
            let allowed = if expected < -9.0 { 0.5 } else { 2e-3 };
            assert!(error < allowed, "{length}, bin {bin}: {found}, {expected}");
        }
    }
}

#[test]
fn a_sine_on_a_frequency_has_its_amplitude() {
    #[expect(clippy::cast_possible_truncation, reason = "a sample")]
    let samples: Vec<f32> = (0..256)
        .map(|n| ((TAU * 19.0 * f64::from(n) / 256.0).sin() * 2.5) as f32)
        .collect();
    let feature = Feature::LogSpectrum { bins: 64 };
    let found = floats(spec(256, 1, feature, TensorType::F32), &samples);
    assert_eq!(found.len(), 64);
    assert!((found[19].exp() - 2.5).abs() < 1e-3, "{}", found[19].exp());
    assert!(found[40] < -12.0);
}

#[test]
fn channels_are_apart_and_normalised() {
    let (a, b) = (signal(64, 1), signal(64, 2));
    let both: Vec<f32> = a.iter().zip(&b).flat_map(|(&a, &b)| [a, b]).collect();
    let feature = Feature::LogSpectrum { bins: 33 };
    let alone = |samples: &[f32]| floats(spec(64, 1, feature, TensorType::F32), samples);
    let together = floats(
        WindowSpec {
            mean: vec![1.0, -2.0],
            std: vec![2.0, 4.0],
            ..spec(64, 2, feature, TensorType::F32)
        },
        &both,
    );
    let expected: Vec<f32> = (alone(&a).into_iter().zip(alone(&b)))
        .flat_map(|(a, b)| [(a - 1.0) / 2.0, (b + 2.0) / 4.0])
        .collect();
    assert_eq!(together, expected);
}

#[test]
fn raw_samples_are_quantised() {
    let run = |element, samples: &[f32]| {
        let mut window = Window::new(spec(samples.len(), 1, Feature::Raw, element)).unwrap();
        let mut out = vec![0; window.tensor_bytes()];
        window.run(samples, &mut out).unwrap();
        out
    };
    let (scale, zero_point) = (0.5, -3);
    let samples = [0.0, 1.0, -1.26, 1000.0, -1000.0];
    let signed = run(TensorType::I8 { scale, zero_point }, &samples);
    let expected = [-3i8, -1, -6, 127, -128].map(i8::cast_unsigned);
    assert_eq!(signed, expected);
    let zero_point = 10;
    let unsigned = run(TensorType::U8 { scale, zero_point }, &samples);
    assert_eq!(unsigned, [10, 12, 7, 255, 0]);
    assert_eq!(
        floats(spec(5, 1, Feature::Raw, TensorType::F32), &samples),
        samples
    );
}

#[test]
fn what_cannot_be_is_refused() {
    let good = spec(8, 2, Feature::LogSpectrum { bins: 5 }, TensorType::F32);
    let mut window = Window::new(good.clone()).unwrap();
    let mut out = vec![0xa5; 40];
    for (samples, bytes) in [(15, 40), (17, 40), (16, 39)] {
        assert!(window.run(&vec![0.0; samples], &mut out[..bytes]).is_err());
    }
    let mut broken = [0.0; 16];
    broken[5] = f32::NAN;
    assert!(window.run(&broken, &mut out).is_err());
    assert_eq!(out, [0xa5; 40]);
    let change = |change: &dyn Fn(&mut WindowSpec)| {
        let mut spec = good.clone();
        change(&mut spec);
        Window::new(spec).map(drop)
    };
    assert_eq!(change(&|_| {}), Ok(()));
    assert!(change(&|spec| spec.samples = 12).is_err());
    assert!(change(&|spec| spec.samples = 1 << 17).is_err());
    assert!(change(&|spec| spec.channels = 0).is_err());
    assert!(change(&|spec| spec.feature = Feature::LogSpectrum { bins: 6 }).is_err());
    assert!(change(&|spec| spec.mean = vec![0.0; 3]).is_err());
    assert!(change(&|spec| spec.std = vec![0.0]).is_err());
    let element = TensorType::I8 {
        scale: f32::NAN,
        zero_point: 0,
    };
    assert!(change(&|spec| spec.element = element).is_err());
}
