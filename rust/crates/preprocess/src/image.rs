//! A frame in memory.

use crate::{MAX_SIDE, PixelFormat, PreprocessError};

/// A frame whose length fits its size and stride.
#[derive(Debug, Clone, Copy)]
pub struct Image<'a> {
    pixels: &'a [u8],
    format: PixelFormat,
    width: u32,
    height: u32,
    stride: usize,
}

impl<'a> Image<'a> {
    /// `stride` is in bytes from the start of one row to the start of the next; what lies between
    /// the end of a row and the next is never read, and the last row needs no padding.
    ///
    /// # Errors
    /// A side that is 0 or above [`MAX_SIDE`], a stride shorter than a row, or too few pixels.
    pub fn new(
        pixels: &'a [u8],
        format: PixelFormat,
        width: u32,
        height: u32,
        stride: usize,
    ) -> Result<Self, PreprocessError> {
        check_size("frame", [width, height])?;
        let row = row_bytes(format, width);
        if stride < row {
            return Err(PreprocessError::Stride {
                width,
                needed: row,
                stride,
            });
        }
        let needed = stride
            .saturating_mul(height as usize - 1)
            .saturating_add(row);
        if pixels.len() < needed {
            return Err(PreprocessError::FrameTooShort {
                needed,
                found: pixels.len(),
            });
        }
        Ok(Self {
            pixels,
            format,
            width,
            height,
            stride,
        })
    }

    /// Pixel format.
    #[must_use]
    pub const fn format(&self) -> PixelFormat {
        self.format
    }

    /// Width and height in pixels.
    #[must_use]
    pub const fn size(&self) -> [u32; 2] {
        [self.width, self.height]
    }

    /// The bytes of row `y`, without padding. `y` is below the height: `new` has checked that
    /// every such row lies within the pixels.
    pub(crate) fn row(&self, y: usize) -> &'a [u8] {
        let start = y * self.stride;
        &self.pixels[start..start + row_bytes(self.format, self.width)]
    }
}

pub(crate) fn check_size(
    what: &'static str,
    [width, height]: [u32; 2],
) -> Result<(), PreprocessError> {
    let usable = 1..=MAX_SIDE;
    if usable.contains(&width) && usable.contains(&height) {
        Ok(())
    } else {
        Err(PreprocessError::Size {
            what,
            width,
            height,
        })
    }
}

/// Bytes of one row. An odd YUYV row ends in a whole pair.
pub(crate) const fn row_bytes(format: PixelFormat, width: u32) -> usize {
    let width = width as usize;
    match format {
        PixelFormat::Yuyv => width.div_ceil(2) * 4,
        PixelFormat::Rgb24 => width * 3,
    }
}
