//! Where the planes of a frame lie in the memory that a driver has filled. Pure: any numbers and any
//! bytes give planes inside the bytes or an error.

use crate::frame::{CameraError, Frame, Plane};
use edgeai_config::{Arrangement, Colour, PixelFormat};
use std::time::Duration;

/// How frames lie in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// What the bytes mean.
    pub format: PixelFormat,
    /// Pixels in a line.
    pub width: u32,
    /// Lines.
    pub height: u32,
    /// Bytes from one line to the next, of each plane.
    pub strides: [usize; 3],
    /// One buffer or several.
    pub arrangement: Arrangement,
}

/// Why a buffer does not hold a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SplitError {
    /// There are fewer buffers than planes.
    #[error("no buffer for plane {plane}")]
    NoBuffer {
        /// Index of the plane.
        plane: usize,
    },
    /// The buffer ends before the last pixel.
    #[error("plane {plane} has {has} bytes, needs {needs}")]
    Short {
        /// Index of the plane.
        plane: usize,
        /// Bytes from the start of the plane to the end of the buffer.
        has: usize,
        /// Bytes up to and including the last pixel.
        needs: usize,
    },
    /// The lines overlap, there are none, or they would not fit into any memory.
    #[error("plane {plane} cannot have this size and stride")]
    Impossible {
        /// Index of the plane.
        plane: usize,
    },
    /// What should be a JPEG does not start as one (SOI marker, ITU-T T.81, B.2.1).
    #[error("not a JPEG")]
    NotJpeg,
}

impl Layout {
    /// Frames whose planes follow each other, with lines of `stride` bytes in the first plane; V4L2's
    /// rule gives the others: the same for the chroma of NV12 and NV21, half for that of YU12
    /// (kernel, `pixfmt-yuv-planar.rst`).
    #[must_use]
    pub fn contiguous(format: PixelFormat, width: u32, height: u32, stride: usize) -> Self {
        let strides = match format {
            PixelFormat::Nv12 | PixelFormat::Nv21 => [stride, stride, 0],
            PixelFormat::Yu12 => [stride, stride.div_ceil(2), stride.div_ceil(2)],
            PixelFormat::Mjpeg => [0; 3],
            _ => [stride, 0, 0],
        };
        Self {
            format,
            width,
            height,
            strides,
            arrangement: Arrangement::Contiguous,
        }
    }

    /// Frames without padding.
    #[must_use]
    pub fn packed(format: PixelFormat, width: u32, height: u32) -> Self {
        let mut layout = Self::contiguous(format, width, height, 0);
        for plane in 0..layout.plane_count() {
            layout.strides[plane] = usize::try_from(layout.row_bytes(plane)).unwrap_or(usize::MAX);
        }
        layout
    }

    /// Planes of the format, 1 ..= 3.
    #[must_use]
    pub fn plane_count(&self) -> usize {
        match self.format {
            PixelFormat::Nv12 | PixelFormat::Nv21 => 2,
            PixelFormat::Yu12 => 3,
            _ => 1,
        }
    }

    /// Bytes of the pixels in a line of a plane; 0 for MJPEG.
    #[must_use]
    pub fn row_bytes(&self, plane: usize) -> u64 {
        let width = u64::from(self.width);
        match (self.format, plane) {
            (PixelFormat::Mjpeg, _) => 0,
            (PixelFormat::Yuyv | PixelFormat::Uyvy, _) => width.div_ceil(2) * 4,
            (PixelFormat::Rgb24 | PixelFormat::Bgr24, _) => width * 3,
            (PixelFormat::Nv12 | PixelFormat::Nv21, 1) => width.div_ceil(2) * 2,
            (PixelFormat::Yu12, 1 | 2) => width.div_ceil(2),
            _ => width,
        }
    }

    /// Lines of a plane.
    #[must_use]
    pub fn rows(&self, plane: usize) -> u64 {
        let height = u64::from(self.height);
        if plane == 0 {
            height
        } else {
            height.div_ceil(2)
        }
    }

    /// The frame in what the driver has filled, as [`Self::split`] takes it.
    ///
    /// # Errors
    /// [`CameraError::Lost`] when the frame is not whole.
    pub fn frame<'a>(
        &self,
        buffers: &[&'a [u8]],
        colour: Colour,
        sequence: u32,
        timestamp: Duration,
    ) -> Result<Frame<'a>, CameraError> {
        let planes = self
            .split(buffers)
            .map_err(|error| CameraError::Lost(error.to_string()))?;
        Ok(Frame {
            planes,
            plane_count: self.plane_count(),
            width: self.width,
            height: self.height,
            format: self.format,
            colour,
            sequence,
            timestamp,
        })
    }

    /// The planes in what the driver has filled: one buffer of `bytes_used` bytes if contiguous, one for
    /// each plane if separate. Planes end with their last line, which may lack its padding. A JPEG
    /// goes to the end of its buffer.
    ///
    /// # Errors
    /// [`SplitError`] when the frame is not whole.
    pub fn split<'a>(&self, buffers: &[&'a [u8]]) -> Result<[Plane<'a>; 3], SplitError> {
        let mut planes = [Plane::default(); 3];
        if self.format == PixelFormat::Mjpeg {
            let &bytes = buffers.first().ok_or(SplitError::NoBuffer { plane: 0 })?;
            if !bytes.starts_with(&[0xff, 0xd8]) {
                return Err(SplitError::NotJpeg);
            }
            planes[0] = Plane { bytes, stride: 0 };
            return Ok(planes);
        }
        let mut start = 0_usize;
        for (plane, split) in planes.iter_mut().enumerate().take(self.plane_count()) {
            let stride = self.strides[plane];
            let (needs, full) = self.extent(plane).ok_or(SplitError::Impossible { plane })?;
            let buffer = match self.arrangement {
                Arrangement::Contiguous => buffers.first().and_then(|buffer| buffer.get(start..)),
                Arrangement::Separate => buffers.get(plane).copied(),
            };
            let has = match (self.arrangement, buffer) {
                (Arrangement::Separate, None) => return Err(SplitError::NoBuffer { plane }),
                (_, buffer) => buffer.unwrap_or_default(),
            };
            let bytes = has.get(..full.min(has.len())).unwrap_or_default();
            if bytes.len() < needs {
                return Err(SplitError::Short {
                    plane,
                    has: has.len(),
                    needs,
                });
            }
            *split = Plane { bytes, stride };
            start = start
                .checked_add(full)
                .ok_or(SplitError::Impossible { plane })?;
        }
        Ok(planes)
    }

    /// Bytes of a plane up to its last pixel, and with the padding of its last line.
    fn extent(&self, plane: usize) -> Option<(usize, usize)> {
        let row = usize::try_from(self.row_bytes(plane)).ok()?;
        let rows = usize::try_from(self.rows(plane)).ok()?;
        let stride = self.strides[plane];
        if row == 0 || row > stride {
            return None;
        }
        let before_last = stride.checked_mul(rows.checked_sub(1)?)?;
        Some((
            before_last.checked_add(row)?,
            before_last.checked_add(stride)?,
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lengths(planes: &[Plane<'_>; 3]) -> [usize; 3] {
        planes.map(|plane| plane.bytes.len())
    }

    #[test]
    fn a_frame_is_whole_when_its_last_pixel_is_there() {
        let layout = Layout::contiguous(PixelFormat::Yuyv, 640, 360, 1536);
        let bytes = vec![0; 360 * 1536 + 7];
        let split = |length: usize| layout.split(&[&bytes[..length]]);
        assert_eq!(lengths(&split(bytes.len()).unwrap())[0], 360 * 1536);
        assert!(split(359 * 1536 + 1280).is_ok());
        assert_eq!(
            split(359 * 1536 + 1279),
            Err(SplitError::Short {
                plane: 0,
                has: 359 * 1536 + 1279,
                needs: 359 * 1536 + 1280
            })
        );
    }

    #[test]
    fn chroma_follows_the_padding_of_luma() {
        let bytes: Vec<u8> = (0..=255).cycle().take(4096).collect();
        // 5 x 3 pixels: 3 x 2 chroma.
        let nv12 = Layout::contiguous(PixelFormat::Nv12, 5, 3, 16);
        let planes = nv12.split(&[&bytes]).unwrap();
        assert_eq!(lengths(&planes), [48, 32, 0]);
        assert_eq!(
            planes[1],
            Plane {
                bytes: &bytes[48..80],
                stride: 16
            }
        );
        assert!(nv12.split(&[&bytes[..48 + 16 + 6]]).is_ok());
        assert!(nv12.split(&[&bytes[..48 + 16 + 5]]).is_err());
        assert!(nv12.split(&[&bytes[..20]]).is_err(), "half of the luma");

        let yu12 = Layout::contiguous(PixelFormat::Yu12, 5, 3, 16);
        let planes = yu12.split(&[&bytes]).unwrap();
        assert_eq!(
            planes[1],
            Plane {
                bytes: &bytes[48..64],
                stride: 8
            }
        );
        assert_eq!(
            planes[2],
            Plane {
                bytes: &bytes[64..80],
                stride: 8
            }
        );
        assert!(yu12.split(&[&bytes[..64 + 8 + 2]]).is_err());
    }

    #[test]
    fn separate_planes_have_their_own_buffers_and_strides() {
        let layout = Layout {
            strides: [8, 32, 0],
            arrangement: Arrangement::Separate,
            ..Layout::contiguous(PixelFormat::Nv21, 6, 4, 0)
        };
        let (luma, chroma) = ([1; 40], [2; 38]);
        let planes = layout.split(&[&luma, &chroma]).unwrap();
        assert_eq!(lengths(&planes), [32, 38, 0]);
        assert_eq!(
            layout.split(&[&luma]),
            Err(SplitError::NoBuffer { plane: 1 })
        );
        let short = layout.split(&[&luma, &chroma[..37]]);
        assert!(matches!(short, Err(SplitError::Short { plane: 1, .. })));
    }

    #[test]
    fn a_jpeg_is_everything_that_was_written() {
        let layout = Layout::contiguous(PixelFormat::Mjpeg, 640, 480, 77);
        let bytes = [0xff, 0xd8, 1, 2, 3];
        assert_eq!(lengths(&layout.split(&[&bytes]).unwrap()), [5, 0, 0]);
        assert_eq!(layout.split(&[&bytes[1..]]), Err(SplitError::NotJpeg));
        assert_eq!(layout.split(&[&[]]), Err(SplitError::NotJpeg));
        assert_eq!(layout.split(&[]), Err(SplitError::NoBuffer { plane: 0 }));
    }

    #[test]
    fn no_numbers_overflow() {
        for format in [PixelFormat::Nv12, PixelFormat::Yu12, PixelFormat::Bgr24] {
            for (width, height, stride) in [
                (u32::MAX, u32::MAX, usize::MAX),
                (1, u32::MAX, usize::MAX / 2),
                (2, 2, usize::MAX / 2),
                (0, 4, 16),
                (4, 0, 16),
                (17, 4, 16),
            ] {
                let layout = Layout::contiguous(format, width, height, stride);
                assert!(layout.split(&[&[0; 64]]).is_err(), "{layout:?}");
            }
        }
    }

    #[test]
    fn packed_frames_have_no_padding() {
        let strides = |format| Layout::packed(format, 5, 3).strides;
        assert_eq!(strides(PixelFormat::Uyvy), [12, 0, 0]);
        assert_eq!(strides(PixelFormat::Nv12), [5, 6, 0]);
        assert_eq!(strides(PixelFormat::Yu12), [5, 3, 3]);
        assert_eq!(strides(PixelFormat::Rgb24), [15, 0, 0]);
        assert_eq!(strides(PixelFormat::Mjpeg), [0; 3]);
    }

    fn formats() -> impl Strategy<Value = PixelFormat> {
        proptest::sample::select(vec![
            PixelFormat::Yuyv,
            PixelFormat::Nv12,
            PixelFormat::Yu12,
            PixelFormat::Grey,
            PixelFormat::Rgb24,
            PixelFormat::Mjpeg,
        ])
    }

    proptest! {
        /// Whatever a driver says, planes lie inside the buffer, in order, and hold every pixel.
        #[test]
        fn planes_lie_inside_what_was_written(
            format in formats(),
            (width, height) in (0_u32..40, 0_u32..12),
            stride in 0_usize..130,
            separate in any::<bool>(),
            bytes in proptest::collection::vec(any::<u8>(), 0..2600),
        ) {
            let mut layout = Layout::contiguous(format, width, height, stride);
            if separate {
                layout.arrangement = Arrangement::Separate;
            }
            let Ok(planes) = layout.split(&[&bytes, &bytes, &bytes]) else {
                return Ok(());
            };
            let mut start = 0;
            for (index, plane) in planes.iter().enumerate().take(layout.plane_count()) {
                let at = if separate { 0 } else { start };
                prop_assert_eq!(plane.bytes, &bytes[at..at + plane.bytes.len()]);
                start += plane.bytes.len();
                let (rows, row) = (layout.rows(index), layout.row_bytes(index));
                if format != PixelFormat::Mjpeg {
                    prop_assert!(rows > 0 && row > 0);
                    let last = (rows - 1) * plane.stride as u64;
                    prop_assert!(plane.bytes.len() as u64 >= last + row);
                    prop_assert!(plane.bytes.len() as u64 <= last + plane.stride as u64);
                }
            }
        }

        /// A buffer of exactly the packed frame is a frame, and one byte less is none.
        #[test]
        fn a_packed_frame_needs_every_byte(
            format in formats(),
            (width, height) in (1_u32..70, 1_u32..30),
        ) {
            prop_assume!(format != PixelFormat::Mjpeg);
            let layout = Layout::packed(format, width, height);
            let size: u64 = (0..layout.plane_count())
                .map(|plane| layout.row_bytes(plane) * layout.rows(plane))
                .sum();
            let bytes = vec![0; usize::try_from(size).unwrap()];
            prop_assert!(layout.split(&[&bytes]).is_ok());
            prop_assert!(layout.split(&[&bytes[1..]]).is_err());
        }
    }
}
