//! Which part of the frame goes to which part of the tensor.

use crate::{Fit, PreprocessError};

/// A rectangle in whole pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rectangle {
    /// Left and top.
    pub(crate) start: [u32; 2],
    /// Width and height, each 1 or more.
    pub(crate) size: [u32; 2],
}

/// The part of the frame that is seen, and where it stands in the tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Placement {
    pub(crate) source: Rectangle,
    pub(crate) content: Rectangle,
}

impl Placement {
    pub(crate) fn new(
        frame: [u32; 2],
        tensor: [u32; 2],
        crop: Option<[f32; 4]>,
        fit: Fit,
    ) -> Result<Self, PreprocessError> {
        let whole = Rectangle {
            start: [0, 0],
            size: frame,
        };
        let seen = crop.map_or(Ok(whole), |crop| cropped(frame, crop))?;
        let (mut source, mut content) = (
            seen,
            Rectangle {
                start: [0, 0],
                size: tensor,
            },
        );
        match fit {
            Fit::Stretch => {}
            Fit::Letterbox { .. } => {
                content.size = inscribed(seen.size, tensor);
                content.start = centred(content.size, tensor);
            }
            Fit::Crop => {
                source.size = inscribed(tensor, seen.size);
                let [left, top] = centred(source.size, seen.size);
                source.start = [seen.start[0] + left, seen.start[1] + top];
            }
        }
        Ok(Self { source, content })
    }

    /// x, y, width, height in units of the frame of what the whole tensor covers.
    pub(crate) fn region(&self, frame: [u32; 2], tensor: [u32; 2]) -> [f32; 4] {
        let axis = |axis: usize| {
            let per_pixel = f64::from(self.source.size[axis]) / f64::from(self.content.size[axis]);
            let start = f64::from(self.source.start[axis])
                - f64::from(self.content.start[axis]) * per_pixel;
            let frame = f64::from(frame[axis]);
            #[expect(clippy::cast_possible_truncation, reason = "about -100 to 100")]
            let unit = |pixels: f64| (pixels / frame) as f32;
            [unit(start), unit(f64::from(tensor[axis]) * per_pixel)]
        };
        let ([x, width], [y, height]) = (axis(0), axis(1));
        [x, y, width, height]
    }
}

/// The crop in whole pixels of the frame, at least one.
fn cropped(frame: [u32; 2], crop: [f32; 4]) -> Result<Rectangle, PreprocessError> {
    let [x, y, width, height] = crop;
    let part = |start: f32, length: f32| {
        // A little more than 1 is forgiven: 0.1 + 0.9 in floats.
        (0.0..1.0).contains(&start) && length > 0.0 && start + length <= 1.0 + 1e-5
    };
    if !(part(x, width) && part(y, height)) {
        return Err(PreprocessError::Crop(crop));
    }
    let axis = |start: f32, length: f32, side: u32| {
        let edge = |at: f64| nearest(at * f64::from(side)).min(side);
        let start = f64::from(start);
        let first = edge(start).min(side - 1);
        (
            first,
            edge(start + f64::from(length)).max(first + 1) - first,
        )
    };
    let (left, width) = axis(x, width, frame[0]);
    let (top, height) = axis(y, height, frame[1]);
    Ok(Rectangle {
        start: [left, top],
        size: [width, height],
    })
}

/// The largest size of the aspect ratio of `shape` within `bounds`.
fn inscribed(shape: [u32; 2], bounds: [u32; 2]) -> [u32; 2] {
    let ratio = |axis: usize| f64::from(bounds[axis]) / f64::from(shape[axis]);
    let scale = ratio(0).min(ratio(1));
    [0, 1].map(|axis| nearest(f64::from(shape[axis]) * scale).clamp(1, bounds[axis]))
}

fn centred(inner: [u32; 2], outer: [u32; 2]) -> [u32; 2] {
    [0, 1].map(|axis| (outer[axis] - inner[axis]) / 2)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "0 to MAX_SIDE"
)]
fn nearest(pixels: f64) -> u32 {
    (pixels + 0.5).floor() as u32
}
