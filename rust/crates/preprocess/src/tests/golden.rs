//! The same bytes on every architecture: hashes that were computed once. Whoever changes the
//! arithmetic on purpose writes the new ones down, and says in the change log that recordings made
//! before replay differently.

use super::properties::FORMATS;
use super::*;
use crate::samples::{Feature, Window, WindowSpec};

/// FNV-1a, 64 bits.
fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[test]
fn tensors_are_the_same_everywhere() {
    let mut all = Vec::new();
    for (index, format) in FORMATS.into_iter().enumerate() {
        for (size, target, element) in [
            ([131, 77], [96, 96], TensorType::F32),
            (
                [640, 48],
                [150, 75],
                TensorType::I8 {
                    scale: 0.0186,
                    zero_point: -14,
                },
            ),
            (
                [33, 21],
                [70, 50],
                TensorType::U8 {
                    scale: 1.0 / 255.0,
                    zero_point: 0,
                },
            ),
        ] {
            let frame = OwnedFrame::noise(source(format, size), index, 11);
            let layout = Layout {
                element,
                normalise: Normalise::mean_std([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
                ..bytes_layout(target)
            };
            let fit = Fit::Letterbox {
                fill: [114, 115, 116],
            };
            let tensor = run(&frame.image(), Some([0.1, 0.0, 0.85, 1.0]), fit, &layout);
            all.extend(match element {
                // Native byte order: hashed as numbers.
                TensorType::F32 => tensor
                    .as_chunks::<4>()
                    .0
                    .iter()
                    .flat_map(|bytes| u32::from_ne_bytes(*bytes).to_le_bytes())
                    .collect(),
                _ => tensor,
            });
        }
    }
    assert_eq!(hash(&all), 775_085_025_248_458_774);
}

#[test]
fn spectra_are_the_same_everywhere() {
    let samples: Vec<f32> = noise(512, 5)
        .into_iter()
        .map(|value| f32::from(value) / 16.0)
        .collect();
    let mut window = Window::new(WindowSpec {
        samples: 512,
        channels: 1,
        feature: Feature::LogSpectrum { bins: 257 },
        mean: vec![-3.0],
        std: vec![1.7],
        element: TensorType::F32,
    })
    .unwrap();
    let mut tensor = vec![0; window.tensor_bytes()];
    window.run(&samples, &mut tensor).unwrap();
    let bits: Vec<u8> = tensor
        .as_chunks::<4>()
        .0
        .iter()
        .flat_map(|bytes| u32::from_ne_bytes(*bytes).to_le_bytes())
        .collect();
    assert_eq!(hash(&bits), 12_462_970_127_387_945_266);
}
