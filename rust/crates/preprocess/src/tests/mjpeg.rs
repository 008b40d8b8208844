//! JPEG frames: whole, without tables, grey, cut and damaged.

use super::*;
use ::image::codecs::jpeg::JpegEncoder;
use ::image::{ExtendedColorType, ImageEncoder};

const SIZE: [u32; 2] = [48, 32];

/// A picture that JPEG keeps well: slow ramps.
fn ramps() -> Vec<u8> {
    (0..SIZE[1])
        .flat_map(|y| (0..SIZE[0]).flat_map(move |x| [x * 5, y * 7, 255 - x * 2 - y * 3]))
        .map(|value| value as u8)
        .collect()
}

fn encoded(pixels: &[u8], colour: ExtendedColorType) -> Vec<u8> {
    let mut jpeg = Vec::new();
    JpegEncoder::new_with_quality(&mut jpeg, 98)
        .write_image(pixels, SIZE[0], SIZE[1], colour)
        .unwrap();
    jpeg
}

/// As cameras send it: without Huffman tables (segments 0xffc4).
fn without_tables(jpeg: &[u8]) -> Vec<u8> {
    let mut out = jpeg[..2].to_vec();
    let mut at = 2;
    while jpeg[at + 1] != 0xda {
        let next = at + 2 + usize::from(u16::from_be_bytes([jpeg[at + 2], jpeg[at + 3]]));
        if jpeg[at + 1] != 0xc4 {
            out.extend_from_slice(&jpeg[at..next]);
        }
        at = next;
    }
    out.extend_from_slice(&jpeg[at..]);
    out
}

fn decode(jpeg: &[u8], tensor: &mut [u8]) -> Result<(), PreprocessError> {
    let spec = source(PixelFormat::Mjpeg, SIZE);
    let plane = PlaneRef {
        bytes: jpeg,
        stride: 0,
    };
    let image = Image::new(&[plane], spec.format, spec.colour, SIZE[0], SIZE[1])?;
    Preprocessor::new(&spec, None, Fit::Stretch, &bytes_layout(SIZE))?.run(&image, tensor)
}

fn tensor() -> Vec<u8> {
    vec![0xa5; (SIZE[0] * SIZE[1] * 3) as usize]
}

#[test]
fn a_jpeg_gives_its_picture() {
    let (pixels, mut out) = (ramps(), tensor());
    decode(&encoded(&pixels, ExtendedColorType::Rgb8), &mut out).unwrap();
    let sum: u32 = pixels
        .iter()
        .zip(&out)
        .map(|(a, b)| u32::from(a.abs_diff(*b)))
        .sum();
    let mean = f64::from(sum) / pixels.len() as f64;
    assert!(mean < 2.0, "off by {mean} on average");
}

#[test]
fn a_jpeg_without_tables_gives_the_same() {
    let jpeg = encoded(&ramps(), ExtendedColorType::Rgb8);
    let bare = without_tables(&jpeg);
    assert!(bare.len() < jpeg.len() - 400);
    let (mut whole, mut completed) = (tensor(), tensor());
    decode(&jpeg, &mut whole).unwrap();
    decode(&bare, &mut completed).unwrap();
    assert_eq!(whole, completed);
}

#[test]
fn what_follows_the_image_does_not_matter() {
    // Drivers round buffers up.
    let mut jpeg = encoded(&ramps(), ExtendedColorType::Rgb8);
    let (mut exact, mut longer) = (tensor(), tensor());
    decode(&jpeg, &mut exact).unwrap();
    jpeg.extend_from_slice(&[0; 100]);
    decode(&jpeg, &mut longer).unwrap();
    assert_eq!(exact, longer);
}

#[test]
fn a_grey_jpeg_is_grey() {
    let pixels: Vec<u8> = ramps().into_iter().step_by(3).collect();
    let mut out = tensor();
    decode(&encoded(&pixels, ExtendedColorType::L8), &mut out).unwrap();
    for (pixel, &expected) in out.chunks(3).zip(&pixels) {
        assert!(pixel.iter().all(|value| value.abs_diff(expected) <= 3));
    }
}

#[test]
fn damaged_jpegs_are_refused_and_nothing_is_written() {
    let jpeg = encoded(&ramps(), ExtendedColorType::Rgb8);
    let refused = |jpeg: &[u8]| {
        let mut out = tensor();
        let result = decode(jpeg, &mut out);
        assert!(
            matches!(result, Err(PreprocessError::Jpeg(_))),
            "{result:?} for {} bytes",
            jpeg.len()
        );
        assert_eq!(out, tensor());
    };
    refused(b"");
    refused(b"\xff\xd8");
    refused(b"not a JPEG at all");
    for part in 1..8 {
        refused(&jpeg[..jpeg.len() * part / 8]);
    }
    let mut other_size = jpeg.clone();
    let frame = other_size
        .windows(2)
        .position(|marker| marker == b"\xff\xc0")
        .unwrap();
    other_size[frame + 6] += 8;
    refused(&other_size);
}

#[test]
fn no_damage_panics() {
    let jpeg = encoded(&ramps(), ExtendedColorType::Rgb8);
    let mut out = tensor();
    for (round, &at) in noise(2000, 3)
        .iter()
        .zip(&noise(2000, 5))
        .collect::<Vec<_>>()
    {
        let mut damaged = jpeg.clone();
        let at = (usize::from(at) * 251 + usize::from(*round)) % damaged.len();
        damaged[at] = *round;
        // Some damage only changes the picture.
        let _ = decode(&damaged, &mut out);
    }
}
