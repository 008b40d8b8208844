//! A frame, kept.

use crate::bytes::{Content, Fields};
use crate::code;
use edgeai_config::{Colour, PixelFormat};
use std::time::Duration;

/// Most planes of a frame.
pub const MAX_PLANES: usize = 3;
/// Width and height of a frame, at most.
const MAX_SIDE: u32 = 8192;

/// Where a plane lies in [`Frame::bytes`]: the planes follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PlaneLayout {
    /// Bytes from a line to the next; 0 for MJPEG.
    pub stride: u32,
    /// Bytes of the plane.
    pub length: u32,
}

/// A copy of a frame that can be filled again and again without an allocation.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    /// The camera's place in the description.
    pub camera: u8,
    /// Of the bytes.
    pub format: PixelFormat,
    /// What YUV values mean.
    pub colour: Colour,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// The driver's frame number.
    pub sequence: u32,
    /// Capture on `CLOCK_MONOTONIC`.
    pub captured: Duration,
    /// Unused ones are zero.
    pub planes: [PlaneLayout; MAX_PLANES],
    /// All planes, as the driver gave them.
    pub bytes: Vec<u8>,
}

impl Frame {
    /// An empty one with room for so many bytes.
    #[must_use]
    pub fn with_room(bytes: usize) -> Self {
        Self {
            camera: 0,
            format: PixelFormat::Grey,
            colour: Colour::default(),
            width: 0,
            height: 0,
            sequence: 0,
            captured: Duration::ZERO,
            planes: [PlaneLayout::default(); MAX_PLANES],
            bytes: Vec::with_capacity(bytes),
        }
    }

    /// Takes over planes (bytes and stride of each, at most [`MAX_PLANES`]); does not allocate. False,
    /// and empty, if there is no room.
    pub fn fill<'a>(&mut self, planes: impl Iterator<Item = (&'a [u8], usize)>) -> bool {
        self.bytes.clear();
        self.planes = [PlaneLayout::default(); MAX_PLANES];
        for (number, (bytes, stride)) in planes.enumerate() {
            let layout = self.planes.get_mut(number).zip(
                u32::try_from(stride)
                    .ok()
                    .zip(u32::try_from(bytes.len()).ok()),
            );
            let room = self.bytes.capacity() - self.bytes.len();
            let (Some((layout, (stride, length))), true) = (layout, bytes.len() <= room) else {
                self.bytes.clear();
                self.planes = [PlaneLayout::default(); MAX_PLANES];
                return false;
            };
            *layout = PlaneLayout { stride, length };
            self.bytes.extend_from_slice(bytes);
        }
        true
    }

    /// Bytes and stride of each plane.
    pub fn planes(&self) -> impl Iterator<Item = (&[u8], usize)> {
        let mut rest = self.bytes.as_slice();
        self.planes
            .iter()
            .take_while(|plane| plane.length > 0)
            .map_while(move |plane| {
                let (bytes, behind) = rest.split_at_checked(plane.length as usize)?;
                rest = behind;
                Some((bytes, plane.stride as usize))
            })
    }

    pub(crate) fn encode(&self, fields: &mut Fields<'_>) {
        fields.u8(self.camera);
        fields.u8(code::of_format(self.format));
        fields.raw(&code::of_colour(self.colour));
        fields.u32(self.width);
        fields.u32(self.height);
        fields.u32(self.sequence);
        fields.time(self.captured);
        for plane in self.planes {
            fields.u32(plane.stride);
            fields.u32(plane.length);
        }
        fields.raw(&self.bytes);
    }

    pub(crate) fn decode(content: &mut Content<'_>) -> Result<Self, &'static str> {
        let camera = content.u8()?;
        let format = code::format(content.u8()?)?;
        let colour = code::colour(content.u8()?, content.u8()?)?;
        let side = |value| match value {
            1..=MAX_SIDE => Ok(value),
            _ => Err("no such frame size"),
        };
        let width = side(content.u32()?)?;
        let height = side(content.u32()?)?;
        let sequence = content.u32()?;
        let captured = content.time()?;
        let mut planes = [PlaneLayout::default(); MAX_PLANES];
        let mut length = 0;
        for plane in &mut planes {
            *plane = PlaneLayout {
                stride: content.u32()?,
                length: content.u32()?,
            };
            length += u64::from(plane.length);
        }
        if u64::try_from(content.0.len()) != Ok(length) {
            return Err("its planes do not make up its bytes");
        }
        let bytes = content.raw(content.0.len())?.to_vec();
        Ok(Self {
            camera,
            format,
            colour,
            width,
            height,
            sequence,
            captured,
            planes,
            bytes,
        })
    }
}
