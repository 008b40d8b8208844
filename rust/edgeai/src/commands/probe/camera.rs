//! Video devices through V4L2.

use super::entries;
use serde::Serialize;
use std::io;
use std::path::Path;
use v4l::capability::Flags;
use v4l::frameinterval::FrameIntervalEnum;
use v4l::framesize::FrameSizeEnum;
use v4l::video::Capture;
use v4l::{Device, FourCC};

/// A node that can capture, or could not be asked.
#[derive(Serialize, Default)]
pub struct Camera {
    pub path: String,
    pub driver: String,
    pub card: String,
    pub bus: String,
    pub formats: Vec<Format>,
    /// Why the above is not complete.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

#[derive(Serialize)]
pub struct Format {
    pub fourcc: String,
    pub description: String,
    pub sizes: Vec<Size>,
}

#[derive(Serialize)]
pub struct Size {
    /// `640x480`, or a range.
    pub size: String,
    /// Frames per second, or a range.
    pub rates: Vec<String>,
}

pub fn find(root: &Path) -> Vec<Camera> {
    let nodes = entries(&root.join("dev"));
    nodes
        .iter()
        .filter(|name| name.starts_with("video"))
        .filter_map(|name| ask(name))
        .collect()
}

/// `None`: not a capture device (an output, a codec, the metadata node of a USB camera).
fn ask(name: &str) -> Option<Camera> {
    let mut camera = Camera {
        path: format!("/dev/{name}"),
        ..Camera::default()
    };
    match describe(&mut camera) {
        Ok(true) => {}
        Ok(false) => return None,
        Err(error) => camera.error = Some(error.to_string()),
    }
    Some(camera)
}

fn describe(camera: &mut Camera) -> io::Result<bool> {
    let device = Device::with_path(&camera.path)?;
    let capabilities = device.query_caps()?;
    if !capabilities
        .capabilities
        .intersects(Flags::VIDEO_CAPTURE | Flags::VIDEO_CAPTURE_MPLANE)
    {
        return Ok(false);
    }
    camera.driver = capabilities.driver;
    camera.card = capabilities.card;
    camera.bus = capabilities.bus;
    for format in device.enum_formats()? {
        camera.formats.push(Format {
            fourcc: format.fourcc.to_string(),
            description: format.description,
            sizes: sizes(&device, format.fourcc),
        });
    }
    Ok(true)
}

fn sizes(device: &Device, fourcc: FourCC) -> Vec<Size> {
    let listed = device.enum_framesizes(fourcc).unwrap_or_default();
    listed
        .into_iter()
        .map(|listed| match listed.size {
            FrameSizeEnum::Discrete(size) => Size {
                size: format!("{}x{}", size.width, size.height),
                rates: rates(device, fourcc, size.width, size.height),
            },
            FrameSizeEnum::Stepwise(range) => Size {
                size: format!(
                    "{}x{} to {}x{}, step {}x{}",
                    range.min_width,
                    range.min_height,
                    range.max_width,
                    range.max_height,
                    range.step_width,
                    range.step_height
                ),
                rates: rates(device, fourcc, range.max_width, range.max_height),
            },
        })
        .collect()
}

fn rates(device: &Device, fourcc: FourCC, width: u32, height: u32) -> Vec<String> {
    let listed = device
        .enum_frameintervals(fourcc, width, height)
        .unwrap_or_default();
    listed
        .into_iter()
        .map(|listed| match listed.interval {
            FrameIntervalEnum::Discrete(one) => rate(one.numerator, one.denominator),
            // The longest interval is the lowest rate.
            FrameIntervalEnum::Stepwise(range) => format!(
                "{} to {}",
                rate(range.max.numerator, range.max.denominator),
                rate(range.min.numerator, range.min.denominator)
            ),
        })
        .collect()
}

/// Frames per second of an interval in seconds.
fn rate(numerator: u32, denominator: u32) -> String {
    let rate = f64::from(denominator) / f64::from(numerator.max(1));
    let text = format!("{rate:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::rate;

    #[test]
    fn rates_are_short() {
        assert_eq!(rate(1, 30), "30");
        assert_eq!(rate(2, 15), "7.5");
        assert_eq!(rate(1001, 30000), "29.97");
        assert_eq!(
            rate(0, 30),
            "30",
            "a driver's nonsense does not divide by zero"
        );
        assert_eq!(rate(1, 100), "100");
    }
}
