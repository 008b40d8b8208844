//! The definition, in floats and without a thought for speed.

use super::*;

/// Values of the format's channels at one pixel: Y U V or R G B.
fn sample(frame: &OwnedFrame, x: usize, y: usize) -> [f64; 3] {
    let at = |plane: usize, row: usize, byte: usize| {
        let (bytes, stride) = &frame.planes[plane];
        f64::from(bytes[row * stride + byte])
    };
    let pair = x / 2 * 4;
    match frame.spec.format {
        PixelFormat::Yuyv => [at(0, y, x * 2), at(0, y, pair + 1), at(0, y, pair + 3)],
        PixelFormat::Uyvy => [at(0, y, x * 2 + 1), at(0, y, pair), at(0, y, pair + 2)],
        PixelFormat::Nv12 => [
            at(0, y, x),
            at(1, y / 2, x / 2 * 2),
            at(1, y / 2, x / 2 * 2 + 1),
        ],
        PixelFormat::Nv21 => [
            at(0, y, x),
            at(1, y / 2, x / 2 * 2 + 1),
            at(1, y / 2, x / 2 * 2),
        ],
        PixelFormat::Yu12 => [at(0, y, x), at(1, y / 2, x / 2), at(2, y / 2, x / 2)],
        PixelFormat::Grey => [at(0, y, x); 3],
        PixelFormat::Rgb24 => [at(0, y, x * 3), at(0, y, x * 3 + 1), at(0, y, x * 3 + 2)],
        PixelFormat::Bgr24 => [at(0, y, x * 3 + 2), at(0, y, x * 3 + 1), at(0, y, x * 3)],
        PixelFormat::Mjpeg => unreachable!("no pixels"),
    }
}

#[expect(clippy::many_single_char_names, reason = "colours' own names")]
/// Channels of the tensor, 0 ..= 255, from the format's.
fn colours(spec: &SourceSpec, layout: &Layout, values: [f64; 3]) -> Vec<f64> {
    let rgb_source = matches!(spec.format, PixelFormat::Rgb24 | PixelFormat::Bgr24);
    if rgb_source || spec.format == PixelFormat::Grey {
        return match (layout.channels, layout.order) {
            (1, _) if rgb_source => {
                vec![0.299 * values[0] + 0.587 * values[1] + 0.114 * values[2]]
            }
            (1, _) => vec![values[0]],
            (_, ChannelOrder::Rgb) => values.to_vec(),
            (_, ChannelOrder::Bgr) => values.iter().rev().copied().collect(),
        };
    }
    let (y, u, v) = match spec.colour.range {
        Range::Limited => (
            (values[0] - 16.0) * 255.0 / 219.0,
            (values[1] - 128.0) * 255.0 / 224.0,
            (values[2] - 128.0) * 255.0 / 224.0,
        ),
        Range::Full => (values[0], values[1] - 128.0, values[2] - 128.0),
    };
    // The usual figures, as printed in textbooks, against those computed from the weights.
    let [r, g, b] = match spec.colour.matrix {
        Matrix::Bt601 => [
            y + 1.402 * v,
            y - 0.344_136 * u - 0.714_136 * v,
            y + 1.772 * u,
        ],
        Matrix::Bt709 => [
            y + 1.5748 * v,
            y - 0.187_324 * u - 0.468_124 * v,
            y + 1.8556 * u,
        ],
    };
    let channels = match (layout.channels, layout.order) {
        (1, _) => vec![y],
        (_, ChannelOrder::Rgb) => vec![r, g, b],
        (_, ChannelOrder::Bgr) => vec![b, g, r],
    };
    channels.iter().map(|c| c.clamp(0.0, 255.0)).collect()
}

/// Two neighbours and the share of the second, `start ..` `start + length` being the source.
fn taps(at: f64, start: usize, length: usize) -> (usize, usize, f64) {
    let at = (at - 0.5).clamp(0.0, length as f64 - 1.0);
    let first = at.floor() as usize;
    (
        start + first,
        start + (first + 1).min(length - 1),
        at - at.floor(),
    )
}

/// The channels 0 ..= 255, unrounded, in the order of the tensor's pixels (NHWC) for content of
/// `size` from the rectangle `[x, y, width, height]` of the frame.
pub(crate) fn content(
    frame: &OwnedFrame,
    layout: &Layout,
    [x, y, width, height]: [usize; 4],
    size: [usize; 2],
) -> Vec<f64> {
    let mut all = Vec::new();
    for row in 0..size[1] {
        for column in 0..size[0] {
            let across = (column as f64 + 0.5) * width as f64 / size[0] as f64;
            let down = (row as f64 + 0.5) * height as f64 / size[1] as f64;
            let ((x0, x1, wx), (y0, y1, wy)) = (taps(across, x, width), taps(down, y, height));
            let mut mixed = [0.0; 3];
            for (x, y, weight) in [
                (x0, y0, (1.0 - wx) * (1.0 - wy)),
                (x1, y0, wx * (1.0 - wy)),
                (x0, y1, (1.0 - wx) * wy),
                (x1, y1, wx * wy),
            ] {
                for (mixed, value) in mixed.iter_mut().zip(sample(frame, x, y)) {
                    *mixed += value * weight;
                }
            }
            all.extend(colours(&frame.spec, layout, mixed));
        }
    }
    all
}
