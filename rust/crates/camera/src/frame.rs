//! A frame, where it comes from, and why there is none.

use edgeai_config::{Colour, PixelFormat};
use std::time::Duration;

/// One colour plane of a frame.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Plane<'a> {
    /// Lines of `stride` bytes; the last may end after its last pixel.
    pub bytes: &'a [u8],
    /// Bytes from one line to the next; 0 for a JPEG.
    pub stride: usize,
}

/// An image in a buffer of the driver; the buffer goes back when the next frame is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a> {
    /// By format: packed formats and GREY one; NV12, NV21 luma and pairs of chroma; YU12 Y, U, V;
    /// MJPEG one with the whole JPEG. Chroma of 4:2:0 has half the columns and lines, rounded up.
    /// Each has the length its lines need; unused ones are empty.
    pub planes: [Plane<'a>; 3],
    /// How many planes are used, 1 ..= 3.
    pub plane_count: usize,
    /// Pixels in a line.
    pub width: u32,
    /// Lines.
    pub height: u32,
    /// What the bytes mean.
    pub format: PixelFormat,
    /// What YUV values mean.
    pub colour: Colour,
    /// The driver's number; counts up by one, lost frames included.
    pub sequence: u32,
    /// Capture on `CLOCK_MONOTONIC`; the time of the dequeue if the driver stamps with another clock.
    pub timestamp: Duration,
}

impl<'a> From<&'a edgeai_recording::Frame> for Frame<'a> {
    /// A recorded frame as its camera gave it.
    fn from(frame: &'a edgeai_recording::Frame) -> Self {
        let mut planes = [Plane::default(); 3];
        let mut plane_count = 0;
        for (to, (bytes, stride)) in planes.iter_mut().zip(frame.planes()) {
            *to = Plane { bytes, stride };
            plane_count += 1;
        }
        Self {
            planes,
            plane_count,
            width: frame.width,
            height: frame.height,
            format: frame.format,
            colour: frame.colour,
            sequence: frame.sequence,
            timestamp: frame.captured,
        }
    }
}

/// Something that delivers frames.
pub trait FrameSource {
    /// The newest frame. Blocks for at most `timeout`.
    ///
    /// # Errors
    /// [`CameraError::TimedOut`], or [`CameraError::Lost`] when no more will come: open it again.
    fn next(&mut self, timeout: Duration) -> Result<Frame<'_>, CameraError>;

    /// Frames since the start that were captured, or should have been, but were not returned.
    fn dropped(&self) -> u64;
}

/// Why there is no frame.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CameraError {
    /// There is no such camera, or no signal at its connector; it may come.
    #[error("{0}")]
    Missing(String),
    /// The camera cannot give what is asked for.
    #[error("{0}")]
    Unusable(String),
    /// The camera was there and is gone or broken; open it again.
    #[error("{0}")]
    Lost(String),
    /// No frame within the time given; the camera may still be well.
    #[error("no frame in time")]
    TimedOut,
}

impl From<std::io::Error> for CameraError {
    /// An error of a camera that was streaming: it is lost.
    fn from(error: std::io::Error) -> Self {
        Self::Lost(match error.raw_os_error() {
            Some(libc::ENODEV) => "the device is gone".into(),
            _ => error.to_string(),
        })
    }
}
