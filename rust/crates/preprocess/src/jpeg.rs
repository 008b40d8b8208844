//! MJPEG frames to pixels.
//!
//! `zune-jpeg`: fuzzed by its project, SIMD on both architectures, and able to stop at Y Cb Cr, so
//! that colour is converted for target pixels only. It allocates for each frame; nothing else in
//! this crate does.

use crate::PreprocessError;
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

/// Start of image, and an application segment that says: Motion JPEG, whose Huffman tables are
/// those of the standard where a frame has none (USB Video Class, Payload MJPEG 1.1, 2.1; ITU-T
/// T.81, K.3.3).
const MOTION_START: [u8; 12] = *b"\xff\xd8\xff\xe0\x00\x08AVI1\0\0";

/// Decodes frames of one size, one after another.
pub(crate) struct Decoder {
    size: [u32; 2],
    /// A frame without Huffman tables, after [`MOTION_START`].
    completed: Vec<u8>,
    /// Y, Cb, Cr of each pixel in turn.
    pixels: Box<[u8]>,
}

impl Decoder {
    pub(crate) fn new(size: [u32; 2]) -> Self {
        let pixels = size[0] as usize * size[1] as usize;
        Self {
            size,
            completed: Vec::new(),
            pixels: vec![0; pixels * 3].into_boxed_slice(),
        }
    }

    /// Pixels of `jpeg`: Y, Cb, Cr of each in turn, rows without padding.
    ///
    /// # Errors
    /// A JPEG that is damaged, of another size, or neither grey nor Y Cb Cr.
    pub(crate) fn decode(&mut self, jpeg: &[u8]) -> Result<&[u8], PreprocessError> {
        if lacks_tables(jpeg) {
            self.completed.clear();
            self.completed.extend_from_slice(&MOTION_START);
            self.completed.extend_from_slice(&jpeg[2..]);
            decode(&self.completed, self.size, &mut self.pixels)?;
        } else {
            decode(jpeg, self.size, &mut self.pixels)?;
        }
        Ok(&self.pixels)
    }
}

fn decode(jpeg: &[u8], size: [u32; 2], pixels: &mut [u8]) -> Result<(), PreprocessError> {
    let damaged = |error: &dyn std::fmt::Display| PreprocessError::Jpeg(error.to_string());
    let options = DecoderOptions::default()
        .set_strict_mode(true)
        .set_max_width(size[0] as usize)
        .set_max_height(size[1] as usize);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(jpeg), options);
    decoder.decode_headers().map_err(|error| damaged(&error))?;
    let found = decoder
        .info()
        .map(|info| [u32::from(info.width), u32::from(info.height)]);
    if found != Some(size) {
        let [width, height] = found.unwrap_or_default();
        return Err(damaged(&format_args!(
            "it has {width}x{height} pixels, not {}x{}",
            size[0], size[1]
        )));
    }
    let space = match decoder.input_colorspace() {
        Some(ColorSpace::Luma) => ColorSpace::Luma,
        Some(ColorSpace::YCbCr) => ColorSpace::YCbCr,
        other => {
            return Err(damaged(&format_args!(
                "its colours are {other:?}, expected grey or YCbCr"
            )));
        }
    };
    decoder.set_options(options.jpeg_set_out_colorspace(space));
    if space == ColorSpace::YCbCr {
        return decoder.decode_into(pixels).map_err(|error| damaged(&error));
    }
    let count = pixels.len() / 3;
    decoder
        .decode_into(&mut pixels[..count])
        .map_err(|error| damaged(&error))?;
    // From the end, so that no value is overwritten before it is moved.
    for pixel in (0..count).rev() {
        let luma = pixels[pixel];
        pixels[pixel * 3..pixel * 3 + 3].copy_from_slice(&[luma, 128, 128]);
    }
    Ok(())
}

/// Whether the segments before the first scan are whole and none of them defines Huffman tables.
fn lacks_tables(jpeg: &[u8]) -> bool {
    const DEFINE_HUFFMAN_TABLES: u8 = 0xc4;
    const START_OF_SCAN: u8 = 0xda;
    let Some(mut rest) = jpeg.strip_prefix(b"\xff\xd8") else {
        return false;
    };
    loop {
        match rest {
            [0xff, START_OF_SCAN, ..] => return true,
            [0xff, DEFINE_HUFFMAN_TABLES, ..] => return false,
            // A marker may be preceded by any number of fill bytes.
            [0xff, 0xff, ..] => rest = &rest[1..],
            [0xff, _, high, low, ..] => {
                let length = usize::from(u16::from_be_bytes([*high, *low]));
                match rest.get(2 + length.max(2)..) {
                    Some(next) => rest = next,
                    None => return false,
                }
            }
            _ => return false,
        }
    }
}
