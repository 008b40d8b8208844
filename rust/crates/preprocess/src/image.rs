//! A frame in memory.

use crate::{Colour, MAX_SIDE, PixelFormat, PreprocessError};

/// Most planes a format has.
pub const MAX_PLANES: usize = 3;

/// Bytes of one plane of a frame.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PlaneRef<'a> {
    /// From the first byte of the first row.
    pub bytes: &'a [u8],
    /// Bytes from the start of one row to the start of the next.
    pub stride: usize,
}

/// What frames a source delivers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceSpec {
    /// Pixel format.
    pub format: PixelFormat,
    /// Matrix and range of YUV formats; without meaning for RGB24, BGR24, GREY (as it is: 0 is
    /// black, 255 white) and MJPEG (JFIF: always BT.601, full range).
    pub colour: Colour,
    /// Width and height in pixels.
    pub size: [u32; 2],
}

/// A frame whose planes fit its format and size.
#[derive(Debug, Clone, Copy)]
pub struct Image<'a> {
    planes: [PlaneRef<'a>; MAX_PLANES],
    spec: SourceSpec,
}

impl<'a> Image<'a> {
    /// Looks whether `planes` hold a frame of `width` × `height` pixels.
    ///
    /// What lies between the end of a row and the next is never read, and the last row needs no
    /// padding. NV12 and NV21 have two planes (Y, chroma pairs), YU12 three (Y, U, V), all others
    /// one. Sides of subsampled planes are rounded up. MJPEG: one plane, the JPEG as it is; its
    /// stride is not looked at.
    ///
    /// # Errors
    /// A side that is 0 or above [`MAX_SIDE`], too few or too many planes, a stride shorter than a
    /// row, or a plane with too few bytes.
    pub fn new(
        planes: &[PlaneRef<'a>],
        format: PixelFormat,
        colour: Colour,
        width: u32,
        height: u32,
    ) -> Result<Self, PreprocessError> {
        check_size("frame", [width, height])?;
        let (shapes, count) = plane_shapes(format, [width, height]);
        if planes.len() != count {
            return Err(PreprocessError::Planes {
                format: format.name(),
                needed: count,
                found: planes.len(),
            });
        }
        let mut kept = [PlaneRef::default(); MAX_PLANES];
        for (index, ((kept, given), shape)) in kept.iter_mut().zip(planes).zip(shapes).enumerate() {
            if format != PixelFormat::Mjpeg {
                shape.check(index, given, width)?;
            }
            *kept = *given;
        }
        Ok(Self {
            planes: kept,
            spec: SourceSpec {
                format,
                colour,
                size: [width, height],
            },
        })
    }

    /// What the frame is.
    #[must_use]
    pub const fn spec(&self) -> &SourceSpec {
        &self.spec
    }

    /// A plane of the format; `new` has checked that it is as long as its size and stride need.
    pub(crate) const fn plane(&self, index: usize) -> PlaneRef<'a> {
        self.planes[index]
    }
}

impl<'a> PlaneRef<'a> {
    /// `length` bytes of row `y` from byte `from` on, within what `check` has found to be there.
    pub(crate) fn row(&self, y: usize, from: usize, length: usize) -> &'a [u8] {
        let start = y * self.stride + from;
        &self.bytes[start..start + length]
    }
}

/// Rows of a plane and the bytes of each.
#[derive(Clone, Copy)]
struct PlaneShape {
    row_bytes: usize,
    rows: usize,
}

impl PlaneShape {
    fn check(self, plane: usize, given: &PlaneRef<'_>, width: u32) -> Result<(), PreprocessError> {
        if given.stride < self.row_bytes {
            return Err(PreprocessError::Stride {
                width,
                needed: self.row_bytes,
                stride: given.stride,
            });
        }
        let needed = given
            .stride
            .saturating_mul(self.rows - 1)
            .saturating_add(self.row_bytes);
        if given.bytes.len() < needed {
            return Err(PreprocessError::FrameTooShort {
                plane,
                needed,
                found: given.bytes.len(),
            });
        }
        Ok(())
    }
}

/// The planes of a format (kernel, `Documentation/userspace-api/media/v4l/pixfmt*.rst`); MJPEG has
/// one without shape.
fn plane_shapes(
    format: PixelFormat,
    [width, height]: [u32; 2],
) -> ([PlaneShape; MAX_PLANES], usize) {
    let (width, height) = (width as usize, height as usize);
    let (half_width, half_height) = (width.div_ceil(2), height.div_ceil(2));
    let shape = |row_bytes, rows| PlaneShape { row_bytes, rows };
    let whole = |row_bytes| shape(row_bytes, height);
    let none = shape(0, 1);
    match format {
        // An odd row ends in a whole pair.
        PixelFormat::Yuyv | PixelFormat::Uyvy => ([whole(half_width * 4), none, none], 1),
        PixelFormat::Nv12 | PixelFormat::Nv21 => {
            ([whole(width), shape(half_width * 2, half_height), none], 2)
        }
        PixelFormat::Yu12 => {
            let chroma = shape(half_width, half_height);
            ([whole(width), chroma, chroma], 3)
        }
        PixelFormat::Grey => ([whole(width), none, none], 1),
        PixelFormat::Rgb24 | PixelFormat::Bgr24 => ([whole(width * 3), none, none], 1),
        PixelFormat::Mjpeg => ([none; MAX_PLANES], 1),
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
