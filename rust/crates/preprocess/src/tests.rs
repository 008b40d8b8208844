//! Against a float reference, and every refusal.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "small, known values"
)]

use super::*;

/// A reproducible byte sequence (Knuth's MMIX generator).
fn noise(length: usize) -> Vec<u8> {
    let mut state = 1u64;
    (0..length)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 56) as u8
        })
        .collect()
}

fn sample(image: &Image<'_>, x: usize, y: usize) -> [f64; 3] {
    let row = image.row(y);
    match image.format() {
        PixelFormat::Rgb24 => [0, 1, 2].map(|channel| f64::from(row[x * 3 + channel])),
        PixelFormat::Yuyv => [row[x * 2], row[x / 2 * 4 + 1], row[x / 2 * 4 + 3]].map(f64::from),
    }
}

/// The definition, in floats and without a thought for speed: RGB 0 ..= 255, unrounded.
fn reference(image: &Image<'_>, target: [u32; 2]) -> Vec<f64> {
    let source = image.size();
    let taps = |i: u32, axis: usize| {
        let (n, m) = (f64::from(source[axis]), f64::from(target[axis]));
        let at = ((f64::from(i) + 0.5) * n / m - 0.5).clamp(0.0, n - 1.0);
        (
            at.floor() as usize,
            (at.floor() + 1.0).min(n - 1.0) as usize,
            at.fract(),
        )
    };
    let mut all = Vec::new();
    for ty in 0..target[1] {
        for tx in 0..target[0] {
            let ((x0, x1, wx), (y0, y1, wy)) = (taps(tx, 0), taps(ty, 1));
            let corners =
                [(x0, y0), (x1, y0), (x0, y1), (x1, y1)].map(|(x, y)| sample(image, x, y));
            let weights = [
                (1.0 - wx) * (1.0 - wy),
                wx * (1.0 - wy),
                (1.0 - wx) * wy,
                wx * wy,
            ];
            let mixed = [0, 1, 2].map(|c| {
                (0..4)
                    .map(|corner| corners[corner][c] * weights[corner])
                    .sum::<f64>()
            });
            all.extend(match image.format() {
                PixelFormat::Rgb24 => mixed,
                PixelFormat::Yuyv => {
                    let (y, u, v) = (mixed[0] - 16.0, mixed[1] - 128.0, mixed[2] - 128.0);
                    let (y, chroma) = (y * 255.0 / 219.0, 255.0 / 224.0);
                    [
                        y + 1.402 * chroma * v,
                        y - (0.344_136 * u + 0.714_136 * v) * chroma,
                        y + 1.772 * chroma * u,
                    ]
                    .map(|value| value.clamp(0.0, 255.0))
                }
            });
        }
    }
    all
}

/// Target in pixel values 0 ..= 255.
fn run(image: &Image<'_>, target: [u32; 2]) -> Vec<u8> {
    let tensor = TensorType::U8 {
        scale: 1.0,
        zero_point: 0,
    };
    let mut preprocessor =
        Preprocessor::new(image.format(), image.size(), target, tensor, [0.0, 255.0]).unwrap();
    let mut out = vec![0; preprocessor.tensor_bytes()];
    preprocessor.run(image, &mut out).unwrap();
    out
}

#[test]
fn agrees_with_the_float_reference() {
    // Largest differences in steps of 255, on noise (the worst case): ½ for rounding, ½ for the
    // 8-bit row weights; for YUYV the colour matrix enlarges the latter.
    for (format, allowed) in [(PixelFormat::Rgb24, 1.01), (PixelFormat::Yuyv, 2.2)] {
        for (source, target, padding) in [
            ([64, 48], [30, 30], 0),
            ([63, 47], [31, 17], 5),
            ([7, 5], [30, 20], 1),
            ([1, 1], [3, 3], 0),
            ([2, 1], [5, 2], 3),
            ([33, 2], [1, 1], 0),
            ([30, 30], [30, 30], 2),
        ] {
            let stride = image::row_bytes(format, source[0]) + padding;
            let pixels = noise(stride * source[1] as usize);
            let image = Image::new(&pixels, format, source[0], source[1], stride).unwrap();
            let worst = run(&image, target)
                .iter()
                .zip(reference(&image, target))
                .map(|(&value, expected)| (f64::from(value) - expected).abs())
                .fold(0.0, f64::max);
            assert!(
                worst <= allowed,
                "{format:?} {source:?} to {target:?}: off by {worst}"
            );
        }
    }
}

#[test]
fn same_size_rgb_is_a_copy() {
    let pixels = noise(20 * 10 * 3);
    let image = Image::new(&pixels, PixelFormat::Rgb24, 20, 10, 60).unwrap();
    assert_eq!(run(&image, [20, 10]), pixels);
}

#[test]
fn yuyv_knows_the_colour_bars() {
    // 100 % bars of BT.601, (Y, U, V) of white, black, red, green, blue.
    for (yuv, rgb) in [
        ([235, 128, 128], [255, 255, 255]),
        ([16, 128, 128], [0, 0, 0]),
        ([81, 90, 240], [254, 0, 0]),
        ([145, 54, 34], [0, 255, 1]),
        ([41, 240, 110], [0, 0, 255]),
    ] {
        let pixels = [yuv[0], yuv[1], yuv[0], yuv[2]];
        let image = Image::new(&pixels, PixelFormat::Yuyv, 2, 1, 4).unwrap();
        for (found, expected) in run(&image, [1, 1]).into_iter().zip(rgb) {
            assert!(
                found.abs_diff(expected) <= 1,
                "{yuv:?}: {found} instead of {expected}"
            );
        }
    }
}

#[test]
fn padding_is_not_read() {
    let row = 9 * 3;
    let (dense, stride) = (noise(row * 4), row + 7);
    for filler in [0, 255] {
        let mut padded = vec![filler; stride * 4 - 7];
        for (to, from) in padded.chunks_mut(stride).zip(dense.chunks(row)) {
            to[..row].copy_from_slice(from);
        }
        let image = Image::new(&padded, PixelFormat::Rgb24, 9, 4, stride).unwrap();
        let plain = Image::new(&dense, PixelFormat::Rgb24, 9, 4, row).unwrap();
        assert_eq!(run(&image, [5, 3]), run(&plain, [5, 3]));
    }
}

#[test]
fn every_tensor_type_gets_its_values() {
    let pixels = [0, 128, 255];
    let image = Image::new(&pixels, PixelFormat::Rgb24, 1, 1, 3).unwrap();
    let tensor = |tensor| {
        let mut preprocessor =
            Preprocessor::new(PixelFormat::Rgb24, [1, 1], [1, 1], tensor, [-1.0, 1.0]).unwrap();
        let mut out = vec![0; preprocessor.tensor_bytes()];
        preprocessor.run(&image, &mut out).unwrap();
        out
    };
    let floats: Vec<u8> = [-1.0f32, 1.0 / 255.0, 1.0]
        .iter()
        .flat_map(|value| value.to_ne_bytes())
        .collect();
    assert_eq!(tensor(TensorType::F32), floats);
    let scale = 1.0 / 128.0;
    assert_eq!(
        tensor(TensorType::I8 {
            scale,
            zero_point: 0
        }),
        [-128i8 as u8, 1, 127]
    );
    assert_eq!(
        tensor(TensorType::U8 {
            scale,
            zero_point: 128
        }),
        [0, 129, 255]
    );
    // Beyond the type's range: clamped, not wrapped.
    assert_eq!(
        tensor(TensorType::I8 {
            scale,
            zero_point: 100
        }),
        [-28i8 as u8, 101, 127]
    );
}

#[test]
fn wrong_lengths_are_refused() {
    let pixels = [0; 100];
    let new = |width, height, stride| {
        Image::new(&pixels, PixelFormat::Rgb24, width, height, stride).map(drop)
    };
    assert_eq!(new(10, 3, 35), Ok(()));
    assert_eq!(
        new(10, 3, 36),
        Err(PreprocessError::FrameTooShort {
            needed: 102,
            found: 100
        })
    );
    assert_eq!(
        new(10, 2, 29),
        Err(PreprocessError::Stride {
            width: 10,
            needed: 30,
            stride: 29
        })
    );
    assert!(matches!(new(0, 3, 30), Err(PreprocessError::Size { .. })));
    assert!(matches!(
        new(1, MAX_SIDE, usize::MAX),
        Err(PreprocessError::FrameTooShort { .. })
    ));

    let image = Image::new(&pixels, PixelFormat::Rgb24, 10, 3, 30).unwrap();
    let mut preprocessor = Preprocessor::new(
        PixelFormat::Rgb24,
        [10, 3],
        [2, 2],
        TensorType::F32,
        [0.0, 1.0],
    )
    .unwrap();
    assert_eq!(
        preprocessor.run(&image, &mut [0; 47]),
        Err(PreprocessError::TensorLength {
            needed: 48,
            found: 47
        })
    );
    let other = Image::new(&pixels, PixelFormat::Rgb24, 3, 10, 9).unwrap();
    assert_eq!(
        preprocessor
            .run(&other, &mut [0; 48])
            .unwrap_err()
            .to_string(),
        "the frame is RGB24 3x10, the tables were built for RGB24 10x3"
    );
}

#[test]
fn unusable_values_are_refused() {
    let new = |tensor, range| {
        Preprocessor::new(PixelFormat::Rgb24, [1, 1], [1, 1], tensor, range).map(drop)
    };
    assert!(new(TensorType::F32, [0.0, f32::NAN]).is_err());
    assert!(
        new(
            TensorType::I8 {
                scale: 0.0,
                zero_point: 0
            },
            [0.0, 1.0]
        )
        .is_err()
    );
    assert!(
        new(
            TensorType::U8 {
                scale: f32::INFINITY,
                zero_point: 0
            },
            [0.0, 1.0]
        )
        .is_err()
    );
}
