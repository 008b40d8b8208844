//! RGB pictures into the formats of cameras, for replay: integer BT.601, the same on every machine.

use edgeai_config::{Colour, Matrix, PixelFormat, Range};
use image::RgbImage;
use image::codecs::jpeg::JpegEncoder;

/// Good enough that what is lost does not matter, as cameras do it.
const JPEG_QUALITY: u8 = 90;

/// What the YUV values made here mean.
pub fn colour(format: PixelFormat) -> Colour {
    Colour {
        matrix: Matrix::Bt601,
        range: match format {
            PixelFormat::Grey | PixelFormat::Mjpeg | PixelFormat::Rgb24 | PixelFormat::Bgr24 => {
                Range::Full
            }
            _ => Range::Limited,
        },
    }
}

/// Writes a picture in `format`, planes packed one after the other, into `out`, which is
/// cleared first.
pub fn convert(picture: &RgbImage, format: PixelFormat, out: &mut Vec<u8>) -> Result<(), String> {
    out.clear();
    let (width, height) = picture.dimensions();
    match format {
        PixelFormat::Rgb24 => out.extend_from_slice(picture.as_raw()),
        PixelFormat::Bgr24 => out.extend(picture.pixels().flat_map(|pixel| {
            let [red, green, blue] = pixel.0;
            [blue, green, red]
        })),
        PixelFormat::Grey => out.extend(picture.pixels().map(|pixel| full_luma(pixel.0))),
        PixelFormat::Mjpeg => JpegEncoder::new_with_quality(out, JPEG_QUALITY)
            .encode_image(picture)
            .map_err(|error| error.to_string())?,
        PixelFormat::Yuyv | PixelFormat::Uyvy => {
            for y in 0..height {
                for x in (0..width).step_by(2) {
                    let right = (x + 1).min(width - 1);
                    let luma = [x, right].map(|x| luma(picture.get_pixel(x, y).0));
                    let [blue, red] = chroma(mean(picture, x, y, 1));
                    out.extend(match format {
                        PixelFormat::Yuyv => [luma[0], blue, luma[1], red],
                        _ => [blue, luma[0], red, luma[1]],
                    });
                }
            }
        }
        PixelFormat::Nv12 | PixelFormat::Nv21 | PixelFormat::Yu12 => {
            out.extend(picture.pixels().map(|pixel| luma(pixel.0)));
            let chroma = || {
                let lines = (0..height).step_by(2);
                lines.flat_map(|y| {
                    let columns = (0..width).step_by(2);
                    columns.map(move |x| chroma(mean(picture, x, y, 2)))
                })
            };
            match format {
                PixelFormat::Nv12 => out.extend(chroma().flatten()),
                PixelFormat::Nv21 => out.extend(chroma().flat_map(|[blue, red]| [red, blue])),
                _ => {
                    out.extend(chroma().map(|[blue, _]| blue));
                    out.extend(chroma().map(|[_, red]| red));
                }
            }
        }
    }
    Ok(())
}

/// Mean of two columns and `lines` lines; columns and lines beyond the edge repeat the last.
fn mean(picture: &RgbImage, x: u32, y: u32, lines: u32) -> [u8; 3] {
    let right = (x + 1).min(picture.width() - 1);
    let bottom = (y + lines - 1).min(picture.height() - 1);
    let corners = [(x, y), (right, y), (x, bottom), (right, bottom)];
    [0, 1, 2].map(|channel| {
        let sum: u32 = corners
            .iter()
            .map(|&(x, y)| u32::from(picture.get_pixel(x, y).0[channel]))
            .sum();
        byte((sum + 2) / 4)
    })
}

/// Y of limited range. The weights, here and in [`chroma`], are those of ITU-R BT.601 times 256 * 219 / 255 and
/// 256 * 224 / 255, rounded such that white is 235 and grey has no chroma.
fn luma([red, green, blue]: [u8; 3]) -> u8 {
    let [red, green, blue] = [red, green, blue].map(u32::from);
    byte(((66 * red + 129 * green + 25 * blue + 128) >> 8) + 16)
}

/// Y of full range.
fn full_luma([red, green, blue]: [u8; 3]) -> u8 {
    let [red, green, blue] = [red, green, blue].map(u32::from);
    byte((77 * red + 150 * green + 29 * blue + 128) >> 8)
}

/// Cb and Cr of limited range.
fn chroma([red, green, blue]: [u8; 3]) -> [u8; 2] {
    let [red, green, blue] = [red, green, blue].map(i32::from);
    let of = |sum: i32| byte(((sum + 128) >> 8).saturating_add(128).unsigned_abs());
    [
        of(112 * blue - 38 * red - 74 * green),
        of(112 * red - 94 * green - 18 * blue),
    ]
}

fn byte(value: u32) -> u8 {
    u8::try_from(value).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::planes::Layout;
    use image::Rgb;

    const BLACK: Rgb<u8> = Rgb([0, 0, 0]);
    const WHITE: Rgb<u8> = Rgb([255, 255, 255]);
    const RED: Rgb<u8> = Rgb([255, 0, 0]);

    /// 3 x 2: red red white, red red black.
    fn picture() -> RgbImage {
        let mut picture = RgbImage::from_pixel(3, 2, RED);
        picture.put_pixel(2, 0, WHITE);
        picture.put_pixel(2, 1, BLACK);
        picture
    }

    fn converted(format: PixelFormat) -> Vec<u8> {
        let mut out = vec![1; 5];
        convert(&picture(), format, &mut out).unwrap();
        out
    }

    #[test]
    fn the_primaries_are_those_of_bt_601() {
        // Limited range: red is Y 81.5, Cb 90.2, Cr 240.
        assert_eq!(
            converted(PixelFormat::Yuyv),
            [
                82, 90, 82, 240, 235, 128, 235, 128, 82, 90, 82, 240, 16, 128, 16, 128
            ]
        );
        assert_eq!(converted(PixelFormat::Uyvy)[..4], [90, 82, 240, 82]);
        // The mean of white and black, the edge repeated.
        assert_eq!(
            converted(PixelFormat::Nv12),
            [82, 82, 235, 82, 82, 16, 90, 240, 128, 128]
        );
        assert_eq!(converted(PixelFormat::Nv21)[6..], [240, 90, 128, 128]);
        assert_eq!(converted(PixelFormat::Yu12)[6..], [90, 128, 240, 128]);
        assert_eq!(converted(PixelFormat::Grey), [77, 77, 255, 77, 77, 0]);
        assert_eq!(converted(PixelFormat::Bgr24)[..3], [0, 0, 255]);
        assert_eq!(converted(PixelFormat::Rgb24)[..3], [255, 0, 0]);
    }

    #[test]
    fn what_is_written_is_a_frame_of_the_layout() {
        for format in [
            PixelFormat::Yuyv,
            PixelFormat::Uyvy,
            PixelFormat::Nv12,
            PixelFormat::Nv21,
            PixelFormat::Yu12,
            PixelFormat::Grey,
            PixelFormat::Rgb24,
            PixelFormat::Bgr24,
            PixelFormat::Mjpeg,
        ] {
            let bytes = converted(format);
            let planes = Layout::packed(format, 3, 2).split(&[&bytes]).unwrap();
            let used: usize = planes.iter().map(|plane| plane.bytes.len()).sum();
            assert_eq!(used, bytes.len(), "{format:?}");
        }
    }
}
