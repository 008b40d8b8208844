//! From a frame to a tensor.

use crate::geometry::Placement;
use crate::kernel::{Kernels, Linear, Rows};
use crate::layout::{Fit, Layout};
use crate::store::Store;
use crate::taps::{self, BLOCK, Columns, Lie, Row};
use crate::{Image, PixelFormat, PlaneRef, PreprocessError, SourceSpec, colour, image, jpeg};

/// Turns frames of one format and size into tensors of one shape and type.
pub struct Preprocessor {
    source: SourceSpec,
    region: [f32; 4],
    kernels: Kernels,
    /// What is read for each of the elements; those that the tensor needs.
    planes: Vec<Plane>,
    /// A row of each plane at the target's columns, in 1/128 of a byte's step.
    elements: [Box<[i16]>; 3],
    /// Channels of the tensor.
    linears: Vec<Linear>,
    /// A row of each channel.
    bytes: [Box<[u8]>; 3],
    store: Store,
    jpeg: Option<jpeg::Decoder>,
}

/// How one plane of values (Y, U, V, R, G or B) is read.
struct Plane {
    /// Which of the elements it becomes.
    element: usize,
    /// Plane of the frame's memory.
    memory: usize,
    /// Of the planes of values that lie in this memory.
    first_of_memory: bool,
    /// First byte and number of bytes that are read of a row.
    bytes: [usize; 2],
    /// For each row of the content.
    rows: Box<[Row]>,
    columns: Columns,
}

/// Where a plane's values stand in memory.
struct Place {
    memory: usize,
    /// First byte of a row, and bytes from one value to the next.
    offset: u32,
    pitch: u32,
    /// One value for two columns, or rows, of the frame.
    halves_columns: bool,
    halves_rows: bool,
}

/// The planes of values of a format, in the order that `colour` knows (kernel,
/// `Documentation/userspace-api/media/v4l/pixfmt*.rst`).
fn places(format: PixelFormat) -> Vec<Place> {
    let whole = |memory, offset, pitch| Place {
        memory,
        offset,
        pitch,
        halves_columns: false,
        halves_rows: false,
    };
    let half = |memory, offset, pitch| Place {
        halves_columns: true,
        halves_rows: memory > 0,
        ..whole(memory, offset, pitch)
    };
    match format {
        PixelFormat::Grey => vec![whole(0, 0, 1)],
        PixelFormat::Yuyv => vec![whole(0, 0, 2), half(0, 1, 4), half(0, 3, 4)],
        PixelFormat::Uyvy => vec![whole(0, 1, 2), half(0, 0, 4), half(0, 2, 4)],
        PixelFormat::Nv12 => vec![whole(0, 0, 1), half(1, 0, 2), half(1, 1, 2)],
        PixelFormat::Nv21 => vec![whole(0, 0, 1), half(1, 1, 2), half(1, 0, 2)],
        PixelFormat::Yu12 => vec![whole(0, 0, 1), half(1, 0, 1), half(2, 0, 1)],
        PixelFormat::Bgr24 => vec![whole(0, 2, 3), whole(0, 1, 3), whole(0, 0, 3)],
        PixelFormat::Rgb24 | PixelFormat::Mjpeg => {
            vec![whole(0, 0, 3), whole(0, 1, 3), whole(0, 2, 3)]
        }
    }
}

impl Place {
    /// Reads what `placement` needs of it. Rows are read from an even column on: chroma is shared
    /// by pairs of columns.
    fn plane(&self, element: usize, placement: &Placement) -> Plane {
        let [left, top] = placement.source.start;
        let [width, height] = placement.source.size;
        let [content_width, content_height] = placement.content.size;
        let origin = left & !1;
        let halve = u32::from(self.halves_columns);
        let per_pixels = |pixels: u32| (pixels.div_ceil(1 << halve) * self.pitch) as usize;
        // Up to the last value, not to the end of its pitch, which another plane may share.
        let bytes = per_pixels(left + width - origin) - (self.pitch - 1 - self.offset) as usize;
        let lie = Lie {
            origin,
            offset: self.offset,
            pitch: self.pitch,
            halved: self.halves_columns,
        };
        Plane {
            element,
            memory: self.memory,
            first_of_memory: element == 0 || (self.memory > 0 && self.offset == 0),
            bytes: [per_pixels(origin), bytes],
            rows: taps::rows(top, height, content_height, self.halves_rows),
            columns: taps::columns([left, width], content_width, lie, bytes),
        }
    }
}

impl Preprocessor {
    /// Builds the tables for frames as `source` says, of which `crop` is seen: x, y, width, height
    /// in units of the frame, rounded to whole pixels; none: all.
    ///
    /// # Errors
    /// A side that is 0 or above [`crate::MAX_SIDE`], a crop beyond the frame, a number of channels
    /// that is neither 1 nor 3, a normalisation that is not finite, or a quantisation whose scale
    /// is not above 0 or too small.
    pub fn new(
        source: &SourceSpec,
        crop: Option<[f32; 4]>,
        fit: Fit,
        layout: &Layout,
    ) -> Result<Self, PreprocessError> {
        Self::with_kernels(source, crop, fit, layout, Kernels::detect())
    }

    /// As `new`, with the kernels given.
    pub(crate) fn with_kernels(
        source: &SourceSpec,
        crop: Option<[f32; 4]>,
        fit: Fit,
        layout: &Layout,
        kernels: Kernels,
    ) -> Result<Self, PreprocessError> {
        image::check_size("frame", source.size)?;
        layout.check()?;
        let placement = Placement::new(source.size, layout.size, crop, fit)?;
        let linears = colour::linears(source.format, source.colour, layout)?;
        let used = |plane: usize| {
            let counts = |linear: &Linear| {
                let factors = linear.planes.iter().zip(&linear.factors);
                factors
                    .into_iter()
                    .any(|(&of, &factor)| of == plane && factor != 0)
            };
            plane == 0 || linears.iter().any(counts)
        };
        let planes = places(source.format)
            .iter()
            .enumerate()
            .filter(|&(plane, _)| used(plane))
            .map(|(element, place)| place.plane(element, &placement))
            .collect();
        let padded = (placement.content.size[0] as usize).next_multiple_of(BLOCK);
        Ok(Self {
            source: *source,
            region: placement.region(source.size, layout.size),
            kernels,
            planes,
            elements: std::array::from_fn(|_| vec![0; padded].into_boxed_slice()),
            linears,
            bytes: std::array::from_fn(|_| vec![0; padded].into_boxed_slice()),
            store: Store::new(source, fit, layout, placement.content)?,
            jpeg: (source.format == PixelFormat::Mjpeg).then(|| jpeg::Decoder::new(source.size)),
        })
    }

    /// Bytes of the tensor.
    #[must_use]
    pub const fn tensor_bytes(&self) -> usize {
        self.store.tensor_bytes()
    }

    /// x, y, width, height of the part of the frame that the whole tensor covers, in units of the
    /// frame: tensor coordinates u, v in 0 ..= 1 are x + u × width, y + v × height of the frame.
    /// With [`Fit::Letterbox`] it reaches beyond 0 ..= 1.
    #[must_use]
    pub const fn region(&self) -> [f32; 4] {
        self.region
    }

    /// Name of the instruction set in use: "avx2", "neon" or "scalar".
    #[must_use]
    pub const fn instructions(&self) -> &'static str {
        self.kernels.name
    }

    /// Fills the tensor's bytes from `image`. Does not allocate unless it fails or the frame is
    /// MJPEG.
    ///
    /// # Errors
    /// An image of another format, colour or size than the tables were built for; `out` not exactly
    /// [`Self::tensor_bytes`] long; a JPEG that is damaged. `out` is untouched then.
    pub fn run(&mut self, image: &Image<'_>, out: &mut [u8]) -> Result<(), PreprocessError> {
        if *image.spec() != self.source {
            return Err(PreprocessError::OtherFrame {
                expected: describe(&self.source),
                found: describe(image.spec()),
            });
        }
        if out.len() != self.tensor_bytes() {
            return Err(PreprocessError::TensorLength {
                needed: self.tensor_bytes(),
                found: out.len(),
            });
        }
        if let Some(mut decoder) = self.jpeg.take() {
            let decoded = decoder.decode(image.plane(0).bytes).map(|bytes| {
                let stride = self.source.size[0] as usize * 3;
                self.fill([PlaneRef { bytes, stride }; image::MAX_PLANES], out);
            });
            self.jpeg = Some(decoder);
            return decoded;
        }
        self.fill([0, 1, 2].map(|plane| image.plane(plane)), out);
        Ok(())
    }

    fn fill(&mut self, planes: [PlaneRef<'_>; image::MAX_PLANES], out: &mut [u8]) {
        self.store.surround(out);
        for y in 0..self.store.content_rows() {
            for plane in &self.planes {
                let Row {
                    upper,
                    lower,
                    weight,
                } = plane.rows[y];
                let [from, length] = plane.bytes;
                let read = |y| planes[plane.memory].row(y, from, length);
                let rows = Rows {
                    upper: read(upper),
                    lower: read(lower),
                    weight,
                };
                if plane.first_of_memory
                    && let Some(next) = plane.rows.get(y + 1)
                {
                    Kernels::prefetch(read(next.upper));
                    if next.weight != 0 {
                        Kernels::prefetch(read(next.lower));
                    }
                }
                let elements = &mut self.elements[plane.element];
                self.kernels.resample(rows, &plane.columns, elements);
            }
            for (linear, bytes) in self.linears.iter().zip(&mut self.bytes) {
                let elements = [0, 1, 2].map(|plane| &*self.elements[plane]);
                self.kernels.mix(elements, linear, bytes);
            }
            let bytes = [0, 1, 2].map(|channel| &*self.bytes[channel]);
            self.store.row(&self.kernels, bytes, y, out);
        }
    }
}

fn describe(spec: &SourceSpec) -> String {
    let SourceSpec {
        format,
        colour,
        size: [width, height],
    } = spec;
    format!(
        "{} {width}x{height} {:?} {:?}",
        format.name(),
        colour.matrix,
        colour.range
    )
}
