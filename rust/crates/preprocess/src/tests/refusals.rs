//! Everything that must be refused, and that nothing is written then.

use super::*;

#[test]
fn frames_that_do_not_fit_are_refused() {
    let bytes = [0; 100];
    let new = |format, planes: &[(usize, usize)], width, height| {
        let planes: Vec<_> = planes
            .iter()
            .map(|&(length, stride)| PlaneRef {
                bytes: &bytes[..length],
                stride,
            })
            .collect();
        Image::new(&planes, format, Colour::default(), width, height).map(drop)
    };
    let rgb = PixelFormat::Rgb24;
    assert_eq!(new(rgb, &[(100, 35)], 10, 3), Ok(()));
    assert_eq!(
        new(rgb, &[(100, 36)], 10, 3),
        Err(PreprocessError::FrameTooShort {
            plane: 0,
            needed: 102,
            found: 100
        })
    );
    assert_eq!(
        new(rgb, &[(100, 29)], 10, 2),
        Err(PreprocessError::Stride {
            width: 10,
            needed: 30,
            stride: 29
        })
    );
    assert_eq!(
        new(PixelFormat::Nv12, &[(100, 10)], 10, 4),
        Err(PreprocessError::Planes {
            format: "NV12",
            needed: 2,
            found: 1
        })
    );
    // Odd sides: subsampled planes are rounded up.
    assert_eq!(new(PixelFormat::Nv12, &[(45, 9), (30, 10)], 9, 5), Ok(()));
    assert_eq!(
        new(PixelFormat::Nv12, &[(45, 9), (29, 10)], 9, 5),
        Err(PreprocessError::FrameTooShort {
            plane: 1,
            needed: 30,
            found: 29
        })
    );
    assert_eq!(
        new(PixelFormat::Yu12, &[(45, 9), (15, 5), (14, 5)], 9, 5),
        Err(PreprocessError::FrameTooShort {
            plane: 2,
            needed: 15,
            found: 14
        })
    );
    assert_eq!(
        new(PixelFormat::Yuyv, &[(19, 20)], 9, 1),
        Err(PreprocessError::FrameTooShort {
            plane: 0,
            needed: 20,
            found: 19
        })
    );
    for (width, height) in [(0, 3), (3, 0), (MAX_SIDE + 1, 1)] {
        assert!(matches!(
            new(rgb, &[(100, 30)], width, height),
            Err(PreprocessError::Size { .. })
        ));
    }
    assert!(matches!(
        new(rgb, &[(100, usize::MAX)], 1, MAX_SIDE),
        Err(PreprocessError::FrameTooShort { .. })
    ));
}

#[test]
fn wrong_frames_and_tensors_are_refused_and_nothing_is_written() {
    let spec = source(PixelFormat::Rgb24, [10, 3]);
    let layout = Layout {
        element: TensorType::F32,
        ..bytes_layout([2, 2])
    };
    let mut preprocessor = Preprocessor::new(&spec, None, Fit::Stretch, &layout).unwrap();
    let frame = OwnedFrame::noise(spec, 0, 1);
    let mut tensor = [0xa5; 49];
    for length in [47, 49] {
        assert_eq!(
            preprocessor.run(&frame.image(), &mut tensor[..length]),
            Err(PreprocessError::TensorLength {
                needed: 48,
                found: length
            })
        );
    }
    let turned = OwnedFrame::noise(source(PixelFormat::Rgb24, [3, 10]), 0, 1);
    let error = preprocessor
        .run(&turned.image(), &mut tensor[..48])
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the frame is RGB24 3x10 Bt601 Limited, the tables were built for RGB24 10x3 Bt601 Limited"
    );
    assert_eq!(tensor, [0xa5; 49]);
}

#[test]
fn unusable_layouts_are_refused() {
    let spec = source(PixelFormat::Nv12, [8, 8]);
    let good = bytes_layout([4, 4]);
    let new = |layout: Layout| Preprocessor::new(&spec, None, Fit::Stretch, &layout).map(drop);
    assert_eq!(new(good), Ok(()));
    let quantised = |scale| Layout {
        element: TensorType::I8 {
            scale,
            zero_point: 0,
        },
        ..good
    };
    for layout in [
        Layout {
            size: [0, 4],
            ..good
        },
        Layout {
            channels: 2,
            ..good
        },
        Layout {
            normalise: Normalise::range([0.0, f32::NAN]),
            ..good
        },
        quantised(0.0),
        quantised(-1.0),
        quantised(f32::INFINITY),
        quantised(f32::NAN),
        quantised(1e-6),
    ] {
        assert!(new(layout).is_err(), "{layout:?}");
    }
}

#[test]
fn crops_beyond_the_frame_are_refused() {
    let spec = source(PixelFormat::Grey, [8, 8]);
    let new =
        |crop| Preprocessor::new(&spec, Some(crop), Fit::Stretch, &bytes_layout([4, 4])).map(drop);
    assert_eq!(new([0.1, 0.2, 0.9, 0.8]), Ok(()));
    for crop in [
        [-0.1, 0.0, 1.0, 1.0],
        [0.0, 0.5, 1.0, 0.6],
        [1.0, 0.0, 0.1, 1.0],
        [0.0, 0.0, 0.0, 1.0],
        [0.0, f32::NAN, 1.0, 1.0],
        [0.0, 0.0, f32::INFINITY, 1.0],
    ] {
        assert!(
            matches!(new(crop), Err(PreprocessError::Crop(_))),
            "{crop:?}"
        );
    }
}
