//! From a frame to a tensor.

use crate::geometry::Placement;
use crate::kernel::{Kernels, Linear, Rows};
use crate::layout::{Fit, Layout};
use crate::split::{CHROMA, LUMA, Split};
use crate::store::Store;
use crate::taps::{self, BLOCK, Columns, Lie, Reach, Row};
use crate::{Image, PixelFormat, PlaneRef, PreprocessError, SourceSpec, colour, image, jpeg};

/// Turns frames of one format and size into tensors of one shape and type.
pub struct Preprocessor {
    source: SourceSpec,
    region: [f32; 4],
    kernels: Kernels,
    /// What is read for each of the elements; those that the tensor needs.
    planes: Vec<Plane>,
    /// Where rows are taken apart first: `planes` are then read from it.
    split: Option<Split>,
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
#[derive(Clone, Copy)]
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

/// The planes of values of a packed format once its rows are taken apart.
fn split_places(format: PixelFormat) -> Option<[Place; 3]> {
    let chroma = |offset| Place {
        memory: CHROMA,
        offset,
        pitch: 2,
        halves_columns: true,
        halves_rows: false,
    };
    let luma = Place {
        memory: LUMA,
        offset: 0,
        pitch: 1,
        halves_columns: false,
        halves_rows: false,
    };
    matches!(format, PixelFormat::Yuyv | PixelFormat::Uyvy).then(|| [luma, chroma(0), chroma(1)])
}

impl Place {
    /// Reads what `placement` needs of it. Rows are read from an even column on: chroma is shared
    /// by pairs of columns.
    fn plane(&self, element: usize, placement: &Placement, reach: Reach) -> Plane {
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
            columns: taps::columns([left, width], content_width, lie, bytes, reach),
        }
    }
}

/// The planes of a format, read from the frame's own rows; or from rows that are taken apart first,
/// where that brings the neighbours of a group of columns closer by a stretch.
fn read(
    format: PixelFormat,
    planes: impl Fn(&[Place]) -> Vec<Plane>,
) -> (Vec<Plane>, Option<Split>) {
    /// The most that any plane needs; without SIMD the very most.
    fn stretches(planes: &[Plane]) -> usize {
        let windows = planes.iter().map(|plane| plane.columns.windows.as_ref());
        let each = windows.map(|windows| windows.map_or(usize::MAX, |windows| windows.stretches));
        each.max().unwrap_or(0)
    }
    let whole = planes(&places(format));
    if let Some(places) = split_places(format)
        && stretches(&whole) > 1
    {
        let apart = planes(&places);
        if stretches(&apart) < stretches(&whole) {
            // All begin at the same pair of pixels.
            let length = whole.iter().map(|plane| plane.bytes[1]).max();
            let bytes = [whole[0].bytes[0], length.unwrap_or(0)];
            return (apart, Some(Split::new(format, bytes)));
        }
    }
    (whole, None)
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
        Self::with_kernels(source, crop, fit, layout, &Kernels::detect())
    }

    /// As `new`, with the first of the kernels given, or the definition, that reaches the neighbours
    /// in most planes.
    pub(crate) fn with_kernels(
        source: &SourceSpec,
        crop: Option<[f32; 4]>,
        fit: Fit,
        layout: &Layout,
        kernels: &[Kernels],
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
        let planes = |places: &[Place], reach| -> Vec<Plane> {
            let used = places.iter().enumerate().filter(|&(plane, _)| used(plane));
            used.map(|(element, place)| place.plane(element, &placement, reach))
                .collect()
        };
        let way = |kernels: &Kernels| {
            let read = read(source.format, |places| planes(places, kernels.reach));
            (*kernels, read)
        };
        let within_reach = |planes: &[Plane]| {
            let windows = planes.iter().map(|plane| &plane.columns.windows);
            windows.filter(|windows| windows.is_some()).count()
        };
        // From the slowest on: the fastest of those that reach as much.
        let (kernels, (planes, split)) =
            kernels
                .iter()
                .rev()
                .map(way)
                .fold(way(&Kernels::SCALAR), |best, next| {
                    if within_reach(&next.1.0) >= within_reach(&best.1.0) {
                        next
                    } else {
                        best
                    }
                });
        let padded = (placement.content.size[0] as usize).next_multiple_of(BLOCK);
        Ok(Self {
            source: *source,
            region: placement.region(source.size, layout.size),
            kernels,
            planes,
            split,
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

    /// Name of the instruction set in use: "avx512", "avx2", "neon" or "scalar".
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
        if let Some(split) = &mut self.split {
            split.forget();
        }
        for y in 0..self.store.content_rows() {
            if let Some(split) = &mut self.split {
                let rows = &self.planes[0].rows;
                split.hold(&self.kernels, planes[0], rows[y]);
                prefetch(planes[0], rows.get(y + 1), split.bytes());
            }
            for plane in &self.planes {
                let Row {
                    upper,
                    lower,
                    weight,
                } = plane.rows[y];
                let [from, length] = plane.bytes;
                let memory = planes[plane.memory];
                let read = |row| match &self.split {
                    Some(split) => split.row(plane.memory, row, length),
                    None => memory.row(row, from, length),
                };
                let rows = Rows {
                    upper: read(upper),
                    lower: read(lower),
                    weight,
                };
                if self.split.is_none() && plane.first_of_memory {
                    prefetch(memory, plane.rows.get(y + 1), plane.bytes);
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

/// Says which bytes of the frame the next target row is made of.
fn prefetch(memory: PlaneRef<'_>, next: Option<&Row>, [from, length]: [usize; 2]) {
    if let Some(next) = next {
        Kernels::prefetch(memory.row(next.upper, from, length));
        if next.weight != 0 {
            Kernels::prefetch(memory.row(next.lower, from, length));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ChannelOrder, Dims, Normalise, TensorType};

    /// Of frames of 16 rows.
    fn stretched(format: PixelFormat, width: u32, target: u32) -> Preprocessor {
        let source = SourceSpec {
            format,
            colour: crate::Colour::default(),
            size: [width, 16],
        };
        let layout = Layout {
            size: [target, 16],
            channels: 3,
            order: ChannelOrder::Rgb,
            dims: Dims::Nhwc,
            element: TensorType::F32,
            normalise: Normalise::range([0.0, 1.0]),
        };
        Preprocessor::new(&source, None, Fit::Stretch, &layout).unwrap()
    }

    #[test]
    fn packed_rows_are_taken_apart_where_that_saves_a_stretch() {
        let apart = |format, width, target| stretched(format, width, target).split.is_some();
        for format in [PixelFormat::Yuyv, PixelFormat::Uyvy] {
            assert!(!apart(format, 640, 640));
            assert!(apart(format, 640, 300));
            assert!(apart(format, 1920, 224), "two stretches in place of none");
            assert!(!apart(format, 1920, 64), "too far apart in either");
        }
        assert!(!apart(PixelFormat::Nv12, 640, 300));
    }

    #[test]
    fn the_fastest_kernels_that_reach_the_neighbours_are_taken() {
        let sets = Kernels::detect();
        let first = |near: bool| {
            let mut sets = sets.iter();
            let found = sets.find(|set| !near || set.reach.stretch == taps::NEAR.stretch);
            found.map_or("scalar", |set| set.name)
        };
        let taken = |width, target| stretched(PixelFormat::Nv12, width, target).instructions();
        assert_eq!(taken(1920, 640), first(false));
        // Sixteen columns lie further apart than 128 bytes, four within 32.
        assert_eq!(taken(1920, 230), first(true));
        assert_eq!(taken(40, 40), first(true), "shorter than 64 bytes");
        assert_eq!(taken(1920, 64), first(false), "out of reach for all");
    }
}
