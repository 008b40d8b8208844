//! Any size, stride and bytes a driver may give: planes inside the bytes, and a tensor of them, or
//! an error.

#![no_main]

use edgeai_camera::Layout as FrameLayout;
use edgeai_config::{Arrangement, Colour, PixelFormat};
use edgeai_preprocess::{
    ChannelOrder, Dims, Fit, Image, Layout, Normalise, PlaneRef, Preprocessor, SourceSpec,
    TensorType,
};
use libfuzzer_sys::arbitrary::{self, Arbitrary};

/// Largest side tried: larger ones need only more time.
const SIDE: u32 = 300;

#[derive(Debug, Arbitrary)]
struct Delivered<'a> {
    format: u8,
    width: u32,
    height: u32,
    strides: [u16; 3],
    separate: bool,
    crop: Option<[f32; 4]>,
    fit: u8,
    target: [u8; 2],
    buffers: [&'a [u8]; 3],
}

libfuzzer_sys::fuzz_target!(|delivered: Delivered<'_>| {
    let formats = [
        PixelFormat::Yuyv,
        PixelFormat::Uyvy,
        PixelFormat::Nv12,
        PixelFormat::Nv21,
        PixelFormat::Yu12,
        PixelFormat::Grey,
        PixelFormat::Rgb24,
        PixelFormat::Bgr24,
    ];
    let format = formats[usize::from(delivered.format) % formats.len()];
    let (width, height) = (delivered.width % SIDE, delivered.height % SIDE);
    let frame = FrameLayout {
        format,
        width,
        height,
        strides: delivered.strides.map(usize::from),
        arrangement: if delivered.separate {
            Arrangement::Separate
        } else {
            Arrangement::Contiguous
        },
    };
    let Ok(planes) = frame.split(&delivered.buffers) else {
        return;
    };
    let planes = planes.map(|plane| PlaneRef {
        bytes: plane.bytes,
        stride: plane.stride,
    });
    let source = SourceSpec {
        format,
        colour: Colour::default(),
        size: [width, height],
    };
    let layout = Layout {
        size: delivered.target.map(u32::from),
        channels: 3,
        order: ChannelOrder::Rgb,
        dims: Dims::Nhwc,
        element: TensorType::U8 {
            scale: 1.0,
            zero_point: 0,
        },
        normalise: Normalise::range([0.0, 255.0]),
    };
    let fit = match delivered.fit % 3 {
        0 => Fit::Stretch,
        1 => Fit::Letterbox { fill: [114; 3] },
        _ => Fit::Crop,
    };
    let Ok(mut preprocessor) = Preprocessor::new(&source, delivered.crop, fit, &layout) else {
        return;
    };
    let image = Image::new(
        &planes[..frame.plane_count()],
        format,
        source.colour,
        width,
        height,
    )
    .expect("planes that the camera split are planes of a frame");
    let mut tensor = vec![0; preprocessor.tensor_bytes()];
    preprocessor
        .run(&image, &mut tensor)
        .expect("a frame as announced");
});
