//! Properties over all formats, odd sizes, strides, crops, fits and layouts.

use super::reference;
use super::*;
use crate::kernel::Kernels;
use proptest::prelude::*;

pub(super) const FORMATS: [PixelFormat; 8] = [
    PixelFormat::Yuyv,
    PixelFormat::Uyvy,
    PixelFormat::Nv12,
    PixelFormat::Nv21,
    PixelFormat::Yu12,
    PixelFormat::Grey,
    PixelFormat::Rgb24,
    PixelFormat::Bgr24,
];

fn spec() -> impl Strategy<Value = SourceSpec> {
    (
        prop::sample::select(&FORMATS),
        prop::sample::select(vec![Matrix::Bt601, Matrix::Bt709]),
        prop::sample::select(vec![Range::Limited, Range::Full]),
        [1..150u32, 1..60u32],
    )
        .prop_map(|(format, matrix, range, size)| SourceSpec {
            format,
            colour: Colour { matrix, range },
            size,
        })
}

fn layout() -> impl Strategy<Value = Layout> {
    let element = prop_oneof![
        Just(TensorType::F32),
        (0.2..3.0f32, -200..200i32)
            .prop_map(|(scale, zero_point)| TensorType::I8 { scale, zero_point }),
        (0.2..3.0f32, -200..200i32)
            .prop_map(|(scale, zero_point)| TensorType::U8 { scale, zero_point }),
        Just(TensorType::I8 {
            scale: 1.0,
            zero_point: -128
        }),
        Just(TensorType::U8 {
            scale: 1.0,
            zero_point: 0
        }),
    ];
    (
        [1..150u32, 1..60u32],
        prop::sample::select(vec![1u32, 3]),
        prop::sample::select(vec![ChannelOrder::Rgb, ChannelOrder::Bgr]),
        prop::sample::select(vec![Dims::Nhwc, Dims::Nchw]),
        element,
        prop::array::uniform3(0.5..1.5f32),
        prop::array::uniform3(-20.0..20.0f32),
    )
        .prop_map(
            |(size, channels, order, dims, element, scale, offset)| Layout {
                size,
                channels,
                order,
                dims,
                element,
                normalise: Normalise { scale, offset },
            },
        )
}

fn crop() -> impl Strategy<Value = Option<[f32; 4]>> {
    prop::option::of(
        (0.0..0.9f32, 0.0..0.9f32, 0.01..1.0f32, 0.01..1.0f32)
            .prop_map(|(x, y, width, height)| [x, y, width.min(1.0 - x), height.min(1.0 - y)]),
    )
}

fn fit() -> impl Strategy<Value = Fit> {
    prop_oneof![
        Just(Fit::Stretch),
        Just(Fit::Crop),
        any::<[u8; 3]>().prop_map(|fill| Fit::Letterbox { fill }),
    ]
}

/// Element `channel` of pixel x, y, as real value in the tensor's own steps.
fn element(layout: &Layout, tensor: &[u8], [x, y]: [usize; 2], channel: usize) -> f64 {
    let [width, height] = layout.size.map(|side| side as usize);
    let channels = layout.channels as usize;
    let index = match layout.dims {
        Dims::Nhwc => (y * width + x) * channels + channel,
        Dims::Nchw => (channel * height + y) * width + x,
    };
    match layout.element {
        TensorType::F32 => f64::from(f32::from_ne_bytes(
            tensor[index * 4..][..4].try_into().unwrap(),
        )),
        TensorType::I8 { .. } => f64::from(tensor[index].cast_signed()),
        TensorType::U8 { .. } => f64::from(tensor[index]),
    }
}

/// A pixel value 0 ..= 255 in the tensor's steps, unrounded, and how large a step of the pixel is.
fn wanted(layout: &Layout, pixel: f64, channel: usize) -> (f64, f64) {
    let Normalise { scale, offset } = &layout.normalise;
    let (factor, offset) = (f64::from(scale[channel]), f64::from(offset[channel]));
    let real = pixel * factor + offset;
    match layout.element {
        TensorType::F32 => (real, factor),
        TensorType::I8 { scale, zero_point } => {
            let scale = f64::from(scale);
            let steps = real / scale + f64::from(zero_point);
            (steps.clamp(-128.0, 127.0), factor / scale)
        }
        TensorType::U8 { scale, zero_point } => {
            let scale = f64::from(scale);
            let steps = real / scale + f64::from(zero_point);
            (steps.clamp(0.0, 255.0), factor / scale)
        }
    }
}

/// Half a step of rounding, of the tensor where it is integers, of the pixel where it is floats, and
/// a tenth of a pixel's step for weights and factors in fixed point.
fn allowed(layout: &Layout, pixel_step: f64) -> f64 {
    match layout.element {
        TensorType::F32 => 0.6 * pixel_step,
        _ => 0.5 + 0.1 * pixel_step.max(0.1),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// The whole way against floats: the content by `region`, the rest by the fill.
    #[test]
    fn agrees_with_the_float_reference(
        spec in spec(), layout in layout(), crop in crop(), fit in fit(),
        padding in 0..9usize, seed in 0..1000u64,
    ) {
        let frame = OwnedFrame::noise(spec, padding, seed);
        let mut preprocessor = Preprocessor::new(&spec, crop, fit, &layout).unwrap();
        let mut tensor = vec![0xa5; preprocessor.tensor_bytes()];
        preprocessor.run(&frame.image(), &mut tensor).unwrap();

        // Where the content is follows from the region alone: tensor pixels whose source lies within
        // the crop.
        let placement = crate::geometry::Placement::new(spec.size, layout.size, crop, fit).unwrap();
        let (from, to) = (placement.source, placement.content);
        let [x, y, width, height] = preprocessor.region();
        for axis in 0..2 {
            let (start, length) = ([x, y][axis], [width, height][axis]);
            let side = layout.size[axis] as f32;
            let in_frame = |pixel: u32| (start + length * pixel as f32 / side) * spec.size[axis] as f32;
            prop_assert!((in_frame(to.start[axis]) - from.start[axis] as f32).abs() < 0.02);
            let ends = (to.start[axis] + to.size[axis], from.start[axis] + from.size[axis]);
            prop_assert!((in_frame(ends.0) - ends.1 as f32).abs() < 0.02);
        }

        let usize_of = |values: [u32; 2]| values.map(|value| value as usize);
        let ([sx, sy], [sw, sh]) = (usize_of(from.start), usize_of(from.size));
        let ([cx, cy], [cw, ch]) = (usize_of(to.start), usize_of(to.size));
        let content = reference::content(&frame, &layout, [sx, sy, sw, sh], [cw, ch]);
        let fill = match fit {
            Fit::Letterbox { fill } => {
                let fill = fill.map(f64::from);
                match (layout.channels, layout.order) {
                    (1, _) => vec![0.299 * fill[0] + 0.587 * fill[1] + 0.114 * fill[2]],
                    (_, ChannelOrder::Rgb) => fill.to_vec(),
                    (_, ChannelOrder::Bgr) => vec![fill[2], fill[1], fill[0]],
                }
            }
            _ => vec![f64::NAN; 3],
        };
        let channels = layout.channels as usize;
        for ty in 0..layout.size[1] as usize {
            for tx in 0..layout.size[0] as usize {
                let inside = (cx..cx + cw).contains(&tx) && (cy..cy + ch).contains(&ty);
                for channel in 0..channels {
                    let pixel = if inside {
                        content[((ty - cy) * cw + tx - cx) * channels + channel]
                    } else {
                        fill[channel]
                    };
                    let (expected, step) = wanted(&layout, pixel, channel);
                    let found = element(&layout, &tensor, [tx, ty], channel);
                    prop_assert!(
                        (found - expected).abs() <= allowed(&layout, step),
                        "{tx},{ty} channel {channel}: {found} instead of {expected}"
                    );
                }
            }
        }
    }

    /// Whatever the processor has gives the bytes of the definition.
    #[test]
    fn simd_equals_the_definition(
        spec in spec(), layout in layout(), crop in crop(), fit in fit(),
        padding in 0..9usize, seed in 0..1000u64,
    ) {
        let frame = OwnedFrame::noise(spec, padding, seed);
        let run = |kernels: &[Kernels]| {
            let mut preprocessor =
                Preprocessor::with_kernels(&spec, crop, fit, &layout, kernels).unwrap();
            let mut tensor = vec![0xa5; preprocessor.tensor_bytes()];
            preprocessor.run(&frame.image(), &mut tensor).unwrap();
            tensor
        };
        let expected = run(&[]);
        for kernels in Kernels::detect() {
            prop_assert_eq!(&run(&[kernels]), &expected, "{}", kernels.name);
        }
    }

    /// Neither the bytes between rows nor the frame before this one leave a trace.
    #[test]
    fn padding_and_the_past_are_not_seen(
        spec in spec(), layout in layout(), crop in crop(), fit in fit(), seed in 0..1000u64,
    ) {
        let frame = OwnedFrame::noise(spec, 0, seed);
        let expected = run(&frame.image(), crop, fit, &layout);
        let mut preprocessor = Preprocessor::new(&spec, crop, fit, &layout).unwrap();
        let mut tensor = vec![0; preprocessor.tensor_bytes()];
        let other = OwnedFrame::noise(spec, 3, seed + 7);
        preprocessor.run(&other.image(), &mut tensor).unwrap();
        for (padding, filler) in [(5, 0), (16, 255)] {
            let padded = frame.repadded(padding, filler);
            preprocessor.run(&padded.image(), &mut tensor).unwrap();
            prop_assert_eq!(&tensor, &expected);
        }
    }
}
