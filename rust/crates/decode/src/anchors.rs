//! Anchor boxes as `MediaPipe`'s `SsdAnchorsCalculator` makes them.

use crate::AnchorOptions;

/// A box the model's offsets are relative to; 0 ..= 1 of the frame (sizes may exceed 1).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Anchor {
    /// Centre.
    pub x: f32,
    /// Centre.
    pub y: f32,
    /// Width.
    pub width: f32,
    /// Height.
    pub height: f32,
}

/// Scale of the first anchor of a reduced lowest layer (`MediaPipe`, and before it the TF object
/// detection API's `multiple_grid_anchor_generator`).
const REDUCED_SCALE: f32 = 0.1;

/// All anchors for an input of `size` = width, height, in the order of the model's outputs:
/// layer, row, column, then shape.
///
/// Layers of equal stride that follow each other share their grid cells.
#[must_use]
pub fn anchors(options: &AnchorOptions, [width, height]: [u32; 2]) -> Vec<Anchor> {
    let mut anchors = Vec::new();
    let mut layer = 0;
    for same_stride in options.strides.chunk_by(|a, b| a == b) {
        let shapes: Vec<[f32; 2]> = (layer..layer + same_stride.len())
            .flat_map(|layer| shapes(options, layer))
            .collect();
        layer += same_stride.len();
        let cells = |side: u32| side.div_ceil(same_stride[0]);
        for row in 0..cells(height) {
            for column in 0..cells(width) {
                anchors.extend(shapes.iter().map(|&[anchor_width, anchor_height]| Anchor {
                    x: centre(column, cells(width)),
                    y: centre(row, cells(height)),
                    width: anchor_width,
                    height: anchor_height,
                }));
            }
        }
    }
    anchors
}

#[expect(
    clippy::cast_precision_loss,
    reason = "cells of an image's side are few"
)]
fn centre(cell: u32, cells: u32) -> f32 {
    (cell as f32 + 0.5) / cells as f32
}

/// Widths and heights of one layer's anchors.
fn shapes(options: &AnchorOptions, layer: usize) -> Vec<[f32; 2]> {
    let scale = scale(options, layer);
    let shape = |scale: f32, aspect: f32| [scale * aspect.sqrt(), scale / aspect.sqrt()];
    if layer == 0 && options.reduce_lowest {
        return vec![
            shape(REDUCED_SCALE, 1.0),
            shape(scale, 2.0),
            shape(scale, 0.5),
        ];
    }
    let mut shapes: Vec<_> = options
        .aspect_ratios
        .iter()
        .map(|&aspect| shape(scale, aspect))
        .collect();
    if options.interpolated {
        let next = if layer + 1 == options.strides.len() {
            1.0
        } else {
            self::scale(options, layer + 1)
        };
        shapes.push(shape((scale * next).sqrt(), 1.0));
    }
    if options.fixed_size {
        shapes.fill([1.0; 2]);
    }
    shapes
}

/// Layers' scales lie evenly between the least and the greatest; a single layer takes the middle.
#[expect(clippy::cast_precision_loss, reason = "layers are few")]
fn scale(options: &AnchorOptions, layer: usize) -> f32 {
    let (least, most) = (options.scale_min, options.scale_max);
    match options.strides.len() {
        1 => f32::midpoint(least, most),
        layers => least + (most - least) * layer as f32 / (layers - 1) as f32,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> AnchorOptions {
        AnchorOptions {
            layers: 6,
            scale_min: 0.2,
            scale_max: 0.95,
            aspect_ratios: vec![1.0, 2.0, 0.5, 3.0, 0.3333],
            strides: vec![16, 32, 64, 128, 256, 512],
            reduce_lowest: true,
            interpolated: true,
            fixed_size: false,
        }
    }

    fn close(anchor: Anchor, [x, y, width, height]: [f32; 4]) {
        for (found, expected) in [
            (anchor.x, x),
            (anchor.y, y),
            (anchor.width, width),
            (anchor.height, height),
        ] {
            assert!((found - expected).abs() < 1e-4, "{anchor:?}: {expected}");
        }
    }

    #[test]
    fn ssd_mobilenet_300_has_1917() {
        let anchors = anchors(&options(), [300, 300]);
        assert_eq!(
            anchors.len(),
            3 * 19 * 19 + 6 * (10 * 10 + 5 * 5 + 3 * 3 + 2 * 2 + 1)
        );
        assert_eq!(anchors.len(), 1917);
        // Lowest layer: 0.1 square, then 0.2 at 2:1 and 1:2.
        close(anchors[0], [0.5 / 19.0, 0.5 / 19.0, 0.1, 0.1]);
        close(anchors[1], [0.5 / 19.0, 0.5 / 19.0, 0.282_843, 0.141_421]);
        close(anchors[2], [0.5 / 19.0, 0.5 / 19.0, 0.141_421, 0.282_843]);
        close(anchors[3], [1.5 / 19.0, 0.5 / 19.0, 0.1, 0.1]);
        // Second layer: scale 0.35, the last shape sqrt(0.35 × 0.5).
        close(anchors[1083], [0.05, 0.05, 0.35, 0.35]);
        close(anchors[1088], [0.05, 0.05, 0.418_330, 0.418_330]);
        // Last layer: one cell; 0.95, and sqrt(0.95 × 1).
        close(anchors[1911], [0.5, 0.5, 0.95, 0.95]);
        close(anchors[1912], [0.5, 0.5, 1.343_503, 0.671_751]);
        close(anchors[1916], [0.5, 0.5, 0.974_679, 0.974_679]);
    }

    #[test]
    fn layers_of_one_stride_share_cells() {
        let options = AnchorOptions {
            layers: 2,
            aspect_ratios: vec![1.0],
            strides: vec![16, 16],
            reduce_lowest: false,
            interpolated: false,
            ..options()
        };
        let anchors = anchors(&options, [32, 16]);
        assert_eq!(anchors.len(), 4);
        close(anchors[0], [0.25, 0.5, 0.2, 0.2]);
        close(anchors[1], [0.25, 0.5, 0.95, 0.95]);
        close(anchors[2], [0.75, 0.5, 0.2, 0.2]);
    }
}
