//! A frame as a picture for people.

use edgeai_config::PixelFormat;
use edgeai_preprocess::{
    ChannelOrder, Dims, Fit, Image, Layout, Normalise, PlaneRef, Preprocessor, SourceSpec,
    TensorType,
};
use edgeai_recording::Frame;
use image::ExtendedColorType;
use image::codecs::jpeg::JpegEncoder;

/// Good enough to see why a rule acted, small enough to keep many.
const QUALITY: u8 = 85;

/// The frame as a JPEG file.
///
/// # Errors
/// One line: a frame that is not what it says.
pub fn jpeg(frame: &Frame) -> Result<Vec<u8>, String> {
    if frame.format == PixelFormat::Mjpeg {
        return Ok(frame.bytes.clone());
    }
    let rgb = rgb(frame)?;
    let mut picture = Vec::new();
    JpegEncoder::new_with_quality(&mut picture, QUALITY)
        .encode(&rgb, frame.width, frame.height, ExtendedColorType::Rgb8)
        .map_err(|error| error.to_string())?;
    Ok(picture)
}

/// Three bytes a pixel.
fn rgb(frame: &Frame) -> Result<Vec<u8>, String> {
    let size = [frame.width, frame.height];
    let source = SourceSpec {
        format: frame.format,
        colour: frame.colour,
        size,
    };
    // A tensor whose numbers are the pixels themselves.
    let layout = Layout {
        size,
        channels: 3,
        order: ChannelOrder::Rgb,
        dims: Dims::Nhwc,
        element: TensorType::U8 {
            scale: 1.0,
            zero_point: 0,
        },
        normalise: Normalise::range([0.0, 255.0]),
    };
    let planes: Vec<_> = frame
        .planes()
        .map(|(bytes, stride)| PlaneRef { bytes, stride })
        .collect();
    let image = Image::new(&planes, frame.format, frame.colour, size[0], size[1])
        .map_err(|error| error.to_string())?;
    let mut converter = Preprocessor::new(&source, None, Fit::Stretch, &layout)
        .map_err(|error| error.to_string())?;
    let mut out = vec![0; converter.tensor_bytes()];
    converter
        .run(&image, &mut out)
        .map_err(|error| error.to_string())?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use edgeai_config::Colour;

    fn grey(format: PixelFormat, planes: &[(&[u8], usize)]) -> Frame {
        let mut frame = Frame::with_room(1 << 10);
        frame.format = format;
        frame.colour = Colour::default();
        (frame.width, frame.height) = (16, 8);
        assert!(frame.fill(planes.iter().copied()));
        frame
    }

    #[test]
    fn a_frame_becomes_a_picture_of_its_size_and_colour() {
        // Luma 126 of 16 to 235 without colour is the middle of grey.
        for frame in [
            grey(PixelFormat::Yuyv, &[(&[126, 128].repeat(128), 32)]),
            grey(PixelFormat::Nv12, &[(&[126; 128], 16), (&[128; 64], 16)]),
            grey(PixelFormat::Rgb24, &[(&[128; 384], 48)]),
        ] {
            let file = jpeg(&frame).unwrap();
            let picture = image::load_from_memory(&file).unwrap().into_rgb8();
            assert_eq!(picture.dimensions(), (16, 8));
            for value in picture.as_raw() {
                assert!(value.abs_diff(128) <= 3, "{:?}: {value}", frame.format);
            }
        }
    }

    #[test]
    fn a_frame_that_is_too_short_is_an_error() {
        let frame = grey(PixelFormat::Yuyv, &[(&[0; 100], 32)]);
        assert!(jpeg(&frame).is_err());
    }
}
