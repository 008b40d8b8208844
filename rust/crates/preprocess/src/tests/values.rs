//! Known values, written out.

use super::*;

fn frame(format: PixelFormat, size: [u32; 2], planes: &[(&[u8], usize)]) -> OwnedFrame {
    OwnedFrame {
        planes: planes
            .iter()
            .map(|(bytes, stride)| (bytes.to_vec(), *stride))
            .collect(),
        spec: source(format, size),
    }
}

#[test]
fn same_size_rgb_is_a_copy() {
    let frame = OwnedFrame::noise(source(PixelFormat::Rgb24, [20, 10]), 0, 1);
    let out = run(&frame.image(), None, Fit::Stretch, &bytes_layout([20, 10]));
    assert_eq!(out, frame.planes[0].0);
}

#[test]
fn all_yuv_formats_know_the_colour_bars() {
    // 100 % bars, limited range: (Y, U, V) of white, black, red, green, blue by the weights of each
    // standard, rounded.
    let bars_601 = [
        ([235, 128, 128], [255, 255, 255]),
        ([16, 128, 128], [0, 0, 0]),
        ([81, 90, 240], [254, 0, 0]),
        ([145, 54, 34], [0, 255, 1]),
        ([41, 240, 110], [0, 0, 255]),
    ];
    let bars_709 = [
        ([235, 128, 128], [255, 255, 255]),
        ([63, 102, 240], [255, 1, 0]),
        ([173, 42, 26], [0, 255, 1]),
        ([32, 240, 118], [1, 0, 255]),
    ];
    for (matrix, bars) in [
        (Matrix::Bt601, &bars_601[..]),
        (Matrix::Bt709, &bars_709[..]),
    ] {
        for &([y, u, v], rgb) in bars {
            for (format, planes) in [
                (PixelFormat::Yuyv, vec![vec![y, u, y, v]]),
                (PixelFormat::Uyvy, vec![vec![u, y, v, y]]),
                (PixelFormat::Nv12, vec![vec![y, y], vec![u, v]]),
                (PixelFormat::Nv21, vec![vec![y, y], vec![v, u]]),
                (PixelFormat::Yu12, vec![vec![y, y], vec![u], vec![v]]),
            ] {
                let mut frame = frame(format, [2, 1], &[]);
                frame.spec.colour.matrix = matrix;
                frame.planes = planes
                    .into_iter()
                    .map(|bytes| (bytes.clone(), bytes.len()))
                    .collect();
                let found = run(&frame.image(), None, Fit::Stretch, &bytes_layout([1, 1]));
                for (found, expected) in found.iter().zip(rgb) {
                    assert!(
                        found.abs_diff(expected) <= 1,
                        "{format:?} {matrix:?} {y} {u} {v}: {found} instead of {expected}"
                    );
                }
            }
        }
    }
}

#[test]
fn full_range_and_grey_are_not_stretched() {
    let mut full = frame(PixelFormat::Yuyv, [2, 1], &[(&[16, 128, 235, 128], 4)]);
    full.spec.colour.range = Range::Full;
    let out = run(&full.image(), None, Fit::Stretch, &bytes_layout([2, 1]));
    assert_eq!(out, [16, 16, 16, 235, 235, 235]);
    let grey = frame(PixelFormat::Grey, [2, 1], &[(&[16, 235], 2)]);
    let out = run(&grey.image(), None, Fit::Stretch, &bytes_layout([2, 1]));
    assert_eq!(out, [16, 16, 16, 235, 235, 235]);
}

#[test]
fn every_tensor_type_gets_its_values() {
    let frame = frame(PixelFormat::Rgb24, [1, 1], &[(&[0, 128, 255], 3)]);
    let tensor = |element| {
        let layout = Layout {
            element,
            normalise: Normalise::range([-1.0, 1.0]),
            ..bytes_layout([1, 1])
        };
        run(&frame.image(), None, Fit::Stretch, &layout)
    };
    let floats = tensor(TensorType::F32);
    for (bytes, expected) in floats.chunks(4).zip([-1.0, 1.0 / 255.0, 1.0]) {
        let found = f32::from_ne_bytes(bytes.try_into().unwrap());
        assert!((found - expected).abs() < 1e-6, "{found}");
    }
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
fn channels_stand_where_the_layout_says() {
    let frame = frame(PixelFormat::Rgb24, [2, 1], &[(&[1, 2, 3, 4, 5, 6], 6)]);
    let tensor = |order, dims| {
        let layout = Layout {
            order,
            dims,
            ..bytes_layout([2, 1])
        };
        run(&frame.image(), None, Fit::Stretch, &layout)
    };
    assert_eq!(tensor(ChannelOrder::Rgb, Dims::Nhwc), [1, 2, 3, 4, 5, 6]);
    assert_eq!(tensor(ChannelOrder::Bgr, Dims::Nhwc), [3, 2, 1, 6, 5, 4]);
    assert_eq!(tensor(ChannelOrder::Rgb, Dims::Nchw), [1, 4, 2, 5, 3, 6]);
    assert_eq!(tensor(ChannelOrder::Bgr, Dims::Nchw), [3, 6, 2, 5, 1, 4]);
}

#[test]
fn normalisation_is_of_the_tensors_channels() {
    let frame = frame(PixelFormat::Rgb24, [1, 1], &[(&[255, 0, 51], 3)]);
    let layout = Layout {
        order: ChannelOrder::Bgr,
        element: TensorType::F32,
        normalise: Normalise::mean_std([0.1, 0.5, 0.4], [0.5, 1.0, 2.0]),
        ..bytes_layout([1, 1])
    };
    let out = run(&frame.image(), None, Fit::Stretch, &layout);
    for (bytes, expected) in out.chunks(4).zip([0.2, -0.5, 0.3]) {
        let found = f32::from_ne_bytes(bytes.try_into().unwrap());
        assert!((found - expected).abs() < 1e-6, "{found}");
    }
}

#[test]
fn letterbox_fills_and_says_where_the_frame_is() {
    let frame = frame(PixelFormat::Grey, [4, 2], &[(&[200; 8], 4)]);
    let fit = Fit::Letterbox { fill: [1, 2, 3] };
    let layout = bytes_layout([4, 4]);
    let out = run(&frame.image(), None, fit, &layout);
    let rows: Vec<_> = out.chunks(12).collect();
    assert_eq!(rows[0], [1, 2, 3].repeat(4));
    assert_eq!(rows[1], [200; 12]);
    assert_eq!(rows[2], [200; 12]);
    assert_eq!(rows[3], [1, 2, 3].repeat(4));
    let preprocessor = Preprocessor::new(&frame.spec, None, fit, &layout).unwrap();
    assert_eq!(preprocessor.region(), [0.0, -0.5, 1.0, 2.0]);
}

#[test]
fn regions_of_crops() {
    let region = |crop, fit, target| {
        let spec = source(PixelFormat::Nv12, [200, 100]);
        Preprocessor::new(&spec, crop, fit, &bytes_layout(target))
            .unwrap()
            .region()
    };
    assert_eq!(region(None, Fit::Stretch, [7, 9]), [0.0, 0.0, 1.0, 1.0]);
    assert_eq!(region(None, Fit::Crop, [50, 50]), [0.25, 0.0, 0.5, 1.0]);
    let crop = Some([0.5, 0.25, 0.25, 0.5]);
    assert_eq!(region(crop, Fit::Stretch, [9, 7]), [0.5, 0.25, 0.25, 0.5]);
    // A crop of 50 x 50 in a tensor twice as wide: 25 pixels more on each side.
    let letterbox = Fit::Letterbox { fill: [0; 3] };
    let wide = region(crop, letterbox, [100, 50]);
    assert_eq!(wide, [0.375, 0.25, 0.5, 0.5]);
    // The smallest crop is one pixel.
    let tiny = Some([0.999, 0.999, 0.0001, 0.0001]);
    assert_eq!(
        region(tiny, Fit::Stretch, [3, 3]),
        [0.995, 0.99, 0.005, 0.01]
    );
}

#[test]
fn grey_tensors_take_luma() {
    let colour = frame(PixelFormat::Rgb24, [1, 1], &[(&[255, 0, 0], 3)]);
    let layout = Layout {
        channels: 1,
        ..bytes_layout([1, 1])
    };
    let out = run(&colour.image(), None, Fit::Stretch, &layout);
    assert_eq!(out, [76]);
    let yuv = frame(
        PixelFormat::Nv12,
        [2, 1],
        &[(&[16, 235], 2), (&[9, 200], 2)],
    );
    let layout = Layout {
        channels: 1,
        ..bytes_layout([2, 1])
    };
    let out = run(&yuv.image(), None, Fit::Stretch, &layout);
    assert_eq!(out, [0, 255]);
}
