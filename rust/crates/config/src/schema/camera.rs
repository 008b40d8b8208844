//! `[camera]`

use serde::Deserialize;
use std::collections::BTreeMap;

/// `[camera]` or `[[camera]]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Camera {
    /// Name in the log and for `model.camera`.
    #[serde(default = "default_name")]
    pub name: String,
    /// Which camera: a path (`/dev/video0`), or what stays the same when it moves:
    /// `card:HD Webcam C525` (the driver's name of it), `bus:usb-0000:01:00.0-1.2` (where it is
    /// plugged in), `serial:A1B2C3` (of a USB device). `replay:PATH` plays a recording, an image
    /// or a directory of images.
    pub device: String,
    /// Pixel format asked for. Absent: the one offered that costs least.
    pub format: Option<PixelFormat>,
    /// Where the planes of `NV12`, `NV21` and `YU12` lie. Absent: as the camera offers, contiguous if
    /// it has both.
    pub planes: Option<Arrangement>,
    /// Width and height in pixels, each 16 ..= 8192.
    pub size: [u32; 2],
    /// Frames per second asked for, 1 ..= 240.
    #[serde(default = "default_fps")]
    pub fps: u32,
    /// Controls to set, by name as `edgeai probe` shows them (`exposure_time_absolute = 100`).
    #[serde(default)]
    pub controls: BTreeMap<String, i64>,
}

/// Whether the planes of a frame share one buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Arrangement {
    /// One after the other in one buffer (`V4L2_PIX_FMT_NV12`), also with the multi-planar interface.
    Contiguous,
    /// Each in a buffer of its own (`V4L2_PIX_FMT_NV12M`).
    Separate,
}

/// Pixel formats, by their V4L2 names (kernel, `Documentation/userspace-api/media/v4l/pixfmt*.rst`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "UPPERCASE")]
pub enum PixelFormat {
    /// 4:2:2 packed, Y0 U Y1 V (`V4L2_PIX_FMT_YUYV`).
    Yuyv,
    /// 4:2:2 packed, U Y0 V Y1 (`V4L2_PIX_FMT_UYVY`).
    Uyvy,
    /// 4:2:0, a plane of Y and one of U V pairs (`V4L2_PIX_FMT_NV12`, `_NV12M`).
    Nv12,
    /// 4:2:0, a plane of Y and one of V U pairs (`V4L2_PIX_FMT_NV21`, `_NV21M`).
    Nv21,
    /// 4:2:0, planes of Y, U, V (`V4L2_PIX_FMT_YUV420`, `_YUV420M`).
    Yu12,
    /// One byte of luma (`V4L2_PIX_FMT_GREY`).
    Grey,
    /// Three bytes R G B (`V4L2_PIX_FMT_RGB24`).
    Rgb24,
    /// Three bytes B G R (`V4L2_PIX_FMT_BGR24`).
    Bgr24,
    /// A JPEG image for each frame (`V4L2_PIX_FMT_MJPEG`, `_JPEG`).
    Mjpeg,
}

impl PixelFormat {
    /// As it stands in the file.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Yuyv => "YUYV",
            Self::Uyvy => "UYVY",
            Self::Nv12 => "NV12",
            Self::Nv21 => "NV21",
            Self::Yu12 => "YU12",
            Self::Grey => "GREY",
            Self::Rgb24 => "RGB24",
            Self::Bgr24 => "BGR24",
            Self::Mjpeg => "MJPEG",
        }
    }
}

fn default_name() -> String {
    "camera".into()
}

fn default_fps() -> u32 {
    30
}
