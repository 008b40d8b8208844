//! Made-up frames for measuring.

use anyhow::{Context, bail};
use edgeai_config::PixelFormat;
use edgeai_recording::Frame;
use image::ExtendedColorType;
use image::codecs::jpeg::JpegEncoder;
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::Error;

/// A frame of `format` (by its name) and `size` (`1920x1080`) with a picture of slopes and noise, always
/// the same.
pub fn frame(format: &str, size: &str) -> anyhow::Result<Frame> {
    let format: Result<PixelFormat, Error> = PixelFormat::deserialize(format.into_deserializer());
    let format = format.context("format")?;
    let sides = size.split_once('x').and_then(|(width, height)| {
        let pixels = |text: &str| text.parse().ok().filter(|it| (2..=8192).contains(it));
        Some([pixels(width)?, pixels(height)?])
    });
    let Some([width, height]) = sides else {
        bail!("expected a size like 640x480, each side 2 to 8192");
    };
    let [w, h] = [width as usize, height as usize];
    let (half_w, half_h) = (w.div_ceil(2), h.div_ceil(2));
    // Stride and lines of each plane.
    let shapes: &[(usize, usize)] = match format {
        PixelFormat::Yuyv | PixelFormat::Uyvy => &[(half_w * 4, h)],
        PixelFormat::Nv12 | PixelFormat::Nv21 => &[(w, h), (half_w * 2, half_h)],
        PixelFormat::Yu12 => &[(w, h), (half_w, half_h), (half_w, half_h)],
        PixelFormat::Grey => &[(w, h)],
        PixelFormat::Rgb24 | PixelFormat::Bgr24 | PixelFormat::Mjpeg => &[(w * 3, h)],
    };
    let mut planes: Vec<(Vec<u8>, usize)> = shapes
        .iter()
        .map(|(stride, lines)| (picture(*stride, *lines), *stride))
        .collect();
    if format == PixelFormat::Mjpeg {
        let rgb = planes.pop().context("no picture")?.0;
        let mut jpeg = Vec::new();
        JpegEncoder::new_with_quality(&mut jpeg, 85).encode(
            &rgb,
            width,
            height,
            ExtendedColorType::Rgb8,
        )?;
        planes.push((jpeg, 0));
    }
    let mut frame = Frame::with_room(planes.iter().map(|(bytes, _)| bytes.len()).sum());
    frame.format = format;
    (frame.width, frame.height) = (width, height);
    frame.fill(planes.iter().map(|(bytes, stride)| (&**bytes, *stride)));
    Ok(frame)
}

fn picture(stride: usize, lines: usize) -> Vec<u8> {
    // xorshift32 (Marsaglia, 2003): no model is to see the same everywhere.
    let mut noise = 0x9E37_79B9_u32;
    let mut bytes = Vec::with_capacity(stride * lines);
    for y in 0..lines {
        for x in 0..stride {
            noise ^= noise << 13;
            noise ^= noise >> 17;
            noise ^= noise << 5;
            let slope = x * 160 / stride + y * 60 / lines.max(1);
            let [grain, ..] = noise.to_le_bytes();
            // 16 + 219 + 15 at most.
            let slope = u8::try_from(16 + slope).unwrap_or(u8::MAX);
            bytes.push(slope.saturating_add(grain % 16));
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::frame;

    #[test]
    fn frames_have_the_planes_of_their_format() {
        for (format, lengths) in [
            ("YUYV", vec![24]),
            ("NV12", vec![15, 12]),
            ("YU12", vec![15, 6, 6]),
            ("GREY", vec![15]),
            ("RGB24", vec![45]),
        ] {
            let size = if format == "YUYV" { "4x3" } else { "5x3" };
            let frame = frame(format, size).unwrap();
            let found: Vec<_> = frame.planes().map(|(bytes, _)| bytes.len()).collect();
            assert_eq!(found, lengths, "{format}");
        }
        let jpeg = frame("MJPEG", "16x8").unwrap();
        assert!(jpeg.bytes.starts_with(&[0xff, 0xd8]));
    }

    #[test]
    fn what_is_no_format_or_size_is_refused() {
        for (format, size) in [("yuyv", "4x4"), ("YUYV", "4"), ("YUYV", "4x9000")] {
            assert!(frame(format, size).is_err(), "{format} {size}");
        }
    }
}
