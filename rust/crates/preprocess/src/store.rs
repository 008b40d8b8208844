//! From rows of channels to the tensor's bytes.

use crate::geometry::Rectangle;
use crate::kernel::{ELEMENT_BITS, Kernels};
use crate::layout::{Dims, Fit, Layout, TensorType};
use crate::{PixelFormat, PreprocessError, SourceSpec, colour};

/// Elements after which any pattern of 3 channels and of vectors of 4 or 8 begins anew.
const PATTERN: usize = 24;

/// Where and how rows are written.
pub(crate) struct Store {
    /// Parts of the tensor that are pictures of their own: 1, or one for each channel.
    surfaces: Vec<Surface>,
    /// Width and height of the tensor in pixels.
    size: [usize; 2],
    content: Content,
    /// Bytes of a pixel and of a row of a surface.
    pixel: usize,
    row_bytes: usize,
    floats: bool,
    /// Interleaved bytes of a row that become floats.
    turned: Box<[u8]>,
}

struct Surface {
    /// A row outside the content.
    blank: Box<[u8]>,
    /// real = byte × scale + offset, for element i of a row at i modulo [`PATTERN`].
    scale: [f32; PATTERN],
    offset: [f32; PATTERN],
}

/// Where the frame stands in the tensor.
#[derive(Clone, Copy)]
struct Content {
    left: usize,
    top: usize,
    width: usize,
    height: usize,
}

impl Store {
    pub(crate) fn new(
        source: &SourceSpec,
        fit: Fit,
        layout: &Layout,
        content: Rectangle,
    ) -> Result<Self, PreprocessError> {
        let size = layout.size.map(|side| side as usize);
        let content = Content {
            left: content.start[0] as usize,
            top: content.start[1] as usize,
            width: content.size[0] as usize,
            height: content.size[1] as usize,
        };
        let channels = layout.channels as usize;
        let floats = layout.element == TensorType::F32;
        let blank = blank_pixel(source, fit, layout)?;
        let surface = |channels: &[usize]| {
            let pick = |values: &[f32; 3]| {
                std::array::from_fn(|element| values[channels[element % channels.len()]])
            };
            let (scale, offset) = (
                pick(&layout.normalise.scale),
                pick(&layout.normalise.offset),
            );
            let row: Vec<u8> = std::iter::repeat_n(channels, size[0])
                .flatten()
                .map(|&channel| blank[channel])
                .collect();
            let mut surface = Surface {
                blank: vec![0; row.len() * layout.element.bytes()].into_boxed_slice(),
                scale,
                offset,
            };
            if floats {
                normalise(&row, &surface.scale, &surface.offset, &mut surface.blank);
            } else {
                surface.blank.copy_from_slice(&row);
            }
            surface
        };
        let surfaces: Vec<_> = match (layout.dims, channels) {
            (_, 1) => vec![surface(&[0])],
            (Dims::Nhwc, _) => vec![surface(&[0, 1, 2])],
            (Dims::Nchw, _) => vec![surface(&[0]), surface(&[1]), surface(&[2])],
        };
        let pixel = channels / surfaces.len() * layout.element.bytes();
        Ok(Self {
            surfaces,
            size,
            content,
            pixel,
            row_bytes: size[0] * pixel,
            floats,
            turned: vec![0; content.width * channels].into_boxed_slice(),
        })
    }

    pub(crate) const fn tensor_bytes(&self) -> usize {
        self.surfaces.len() * self.surface_bytes()
    }

    /// Rows that `row` is to be called for.
    pub(crate) const fn content_rows(&self) -> usize {
        self.content.height
    }

    const fn surface_bytes(&self) -> usize {
        self.row_bytes * self.size[1]
    }

    /// Fills what is outside the content: the engine may have used the memory meanwhile.
    pub(crate) fn surround(&self, out: &mut [u8]) {
        let Content {
            left,
            top,
            width,
            height,
        } = self.content;
        if [width, height] == self.size {
            return;
        }
        let parts = out.chunks_exact_mut(self.surface_bytes());
        for (surface, part) in self.surfaces.iter().zip(parts) {
            for (y, row) in part.chunks_exact_mut(self.row_bytes).enumerate() {
                if y < top || y >= top + height {
                    row.copy_from_slice(&surface.blank);
                } else {
                    for side in [0..left, left + width..self.size[0]] {
                        let side = side.start * self.pixel..side.end * self.pixel;
                        row[side.clone()].copy_from_slice(&surface.blank[side]);
                    }
                }
            }
        }
    }

    /// Writes row `y` of the content from one row of bytes for each channel.
    pub(crate) fn row(&mut self, kernels: &Kernels, bytes: [&[u8]; 3], y: usize, out: &mut [u8]) {
        let Content {
            left, top, width, ..
        } = self.content;
        let start = (top + y) * self.row_bytes + left * self.pixel;
        let length = width * self.pixel;
        let turns = self.surfaces.len() == 1 && self.turned.len() == 3 * width;
        let parts = out.chunks_exact_mut(self.surface_bytes());
        for ((surface, part), bytes_of) in self.surfaces.iter().zip(parts).zip(bytes) {
            let part = &mut part[start..start + length];
            match (turns, self.floats) {
                (true, false) => kernels.interleave(bytes, part),
                (true, true) => {
                    kernels.interleave(bytes, &mut self.turned);
                    normalise(&self.turned, &surface.scale, &surface.offset, part);
                }
                (false, false) => part.copy_from_slice(&bytes_of[..width]),
                (false, true) => {
                    normalise(&bytes_of[..width], &surface.scale, &surface.offset, part);
                }
            }
        }
    }
}

/// Bytes of a blank pixel, one for each channel.
fn blank_pixel(source: &SourceSpec, fit: Fit, layout: &Layout) -> Result<[u8; 3], PreprocessError> {
    let Fit::Letterbox { fill } = fit else {
        return Ok([0; 3]);
    };
    let fill = fill.map(|value| i16::from(value) << ELEMENT_BITS);
    let mut blank = [0; 3];
    let channels = colour::linears(PixelFormat::Rgb24, source.colour, layout)?;
    for (blank, linear) in blank.iter_mut().zip(&channels) {
        *blank = linear.value(linear.planes.map(|plane| fill[plane]));
    }
    Ok(blank)
}

/// byte × scale + offset as floats: one rounding for each of the two operations, on every
/// processor the same.
fn normalise(bytes: &[u8], scale: &[f32; PATTERN], offset: &[f32; PATTERN], out: &mut [u8]) {
    const FLOAT: usize = size_of::<f32>();
    let (blocks, rest) = bytes.as_chunks::<PATTERN>();
    let (out_blocks, out_rest) = out.as_chunks_mut::<{ PATTERN * FLOAT }>();
    let real = |byte: u8, element: usize| f32::from(byte) * scale[element] + offset[element];
    for (bytes, out) in blocks.iter().zip(out_blocks) {
        let reals: [f32; PATTERN] = std::array::from_fn(|element| real(bytes[element], element));
        for (out, real) in out.as_chunks_mut::<FLOAT>().0.iter_mut().zip(reals) {
            *out = real.to_ne_bytes();
        }
    }
    let rest_out = out_rest.as_chunks_mut::<FLOAT>().0;
    for (element, (&byte, out)) in rest.iter().zip(rest_out).enumerate() {
        *out = real(byte, element).to_ne_bytes();
    }
}
