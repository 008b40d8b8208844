//! Any bytes where a JPEG should be: a tensor, or an error that leaves the tensor alone.

#![no_main]

use edgeai_config::{Colour, PixelFormat};
use edgeai_preprocess::{
    ChannelOrder, Dims, Fit, Image, Layout, Normalise, PlaneRef, Preprocessor, SourceSpec,
    TensorType,
};

const SIZE: [u32; 2] = [64, 48];

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let source = SourceSpec {
        format: PixelFormat::Mjpeg,
        colour: Colour::default(),
        size: SIZE,
    };
    let layout = Layout {
        size: [32, 32],
        channels: 3,
        order: ChannelOrder::Rgb,
        dims: Dims::Nhwc,
        element: TensorType::U8 {
            scale: 1.0,
            zero_point: 0,
        },
        normalise: Normalise::range([0.0, 255.0]),
    };
    let mut preprocessor =
        Preprocessor::new(&source, None, Fit::Stretch, &layout).expect("constant arguments");
    let plane = PlaneRef {
        bytes: data,
        stride: 0,
    };
    let Ok(image) = Image::new(&[plane], source.format, source.colour, SIZE[0], SIZE[1]) else {
        return;
    };
    let mut tensor = vec![0xa5; preprocessor.tensor_bytes()];
    if preprocessor.run(&image, &mut tensor).is_err() {
        assert!(tensor.iter().all(|&byte| byte == 0xa5));
    }
});
