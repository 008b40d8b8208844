//! V4L2 capture: always the newest frame, with its capture timestamp; a camera that goes away is
//! an error soon, never a thread that hangs. Single-planar streaming I/O with mapped buffers.

mod buffers;
mod device;
mod ioctl;

use buffers::{Buffers, Dequeued};
use edgeai_config::PixelFormat;
use std::fmt;
use std::time::Duration;

/// Buffers shared with the driver: one in work, one newest, two being filled.
const BUFFERS: u32 = 4;

/// An image in a buffer of the driver; the buffer goes back when the next frame is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a> {
    /// At least `height` lines of `stride` bytes; the last may end after its last pixel.
    pub pixels: &'a [u8],
    /// Pixels in a line.
    pub width: u32,
    /// Lines.
    pub height: u32,
    /// Bytes from one line to the next.
    pub stride: usize,
    /// What the bytes mean.
    pub format: PixelFormat,
    /// The driver's number; counts up by one, lost frames included.
    pub sequence: u32,
    /// Capture on `CLOCK_MONOTONIC`; the time of the dequeue if the driver stamps with another clock.
    pub timestamp: Duration,
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

/// What was asked for, what the driver offers and what it gave.
#[derive(Debug, Clone, PartialEq)]
pub struct Negotiated {
    asked: String,
    offered: String,
    /// Pixel format; always the one asked for.
    pub format: PixelFormat,
    /// Pixels in a line; may differ from what was asked for.
    pub width: u32,
    /// Lines; may differ from what was asked for.
    pub height: u32,
    /// Bytes from one line to the next.
    pub stride: usize,
    /// Frames per second, if the driver says.
    pub fps: Option<f64>,
}

impl Negotiated {
    /// What a source other than a V4L2 device delivers; it has nothing to negotiate.
    #[must_use]
    pub fn new(format: PixelFormat, width: u32, height: u32, stride: usize) -> Self {
        let asked = format!(
            "{} {width}x{height}",
            device::fourcc_name(device::fourcc(format))
        );
        Self {
            offered: asked.clone(),
            asked,
            format,
            width,
            height,
            stride,
            fps: None,
        }
    }
}

impl fmt::Display for Negotiated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            asked,
            offered,
            format,
            width,
            height,
            ..
        } = self;
        let fourcc = device::fourcc_name(device::fourcc(*format));
        write!(
            f,
            "asked {asked}, offered {offered}, taken {fourcc} {width}x{height}@"
        )?;
        match self.fps {
            Some(fps) => write!(f, "{fps:.2}"),
            None => f.write_str("?"),
        }
    }
}

/// A camera that is streaming.
pub struct Camera {
    buffers: Buffers,
    negotiated: Negotiated,
    /// The buffer lent out as the last frame.
    lent: Option<u32>,
    last_sequence: Option<u32>,
    dropped: u64,
}

impl Camera {
    /// Opens the camera, sets format and rate as near to what is asked for as the driver can, and
    /// starts streaming. On a receiver (HDMI and the like) the timings of the signal are taken.
    ///
    /// # Errors
    /// [`CameraError::Missing`] without device or signal, [`CameraError::Unusable`] when the device
    /// is no camera or does not have the pixel format; another size or rate is not an error.
    pub fn open(asked: &edgeai_config::Camera) -> Result<(Self, Negotiated), CameraError> {
        let (device, negotiated) = device::negotiate(asked)?;
        let buffers = Buffers::start(device, BUFFERS).map_err(|error| {
            CameraError::Unusable(format!("{}: streaming: {error}", asked.device.display()))
        })?;
        let camera = Self {
            buffers,
            negotiated: negotiated.clone(),
            lent: None,
            last_sequence: None,
            dropped: 0,
        };
        Ok((camera, negotiated))
    }

    /// The newest frame: older ones that wait are given back and counted as dropped, and so are
    /// damaged ones. A driver that ran out of buffers while the last frame was in work could not
    /// keep what came after; all it has is old then, and the frame returned is the next one. Blocks for at most `timeout` (rounded up to 1 ms). Does not allocate.
    ///
    /// # Errors
    /// [`CameraError::TimedOut`], or [`CameraError::Lost`] when the camera is gone.
    pub fn next(&mut self, timeout: Duration) -> Result<Frame<'_>, CameraError> {
        let end = edgeai_realtime::monotonic_now() + timeout;
        // What the driver could fill since the last call.
        let mut free = self.buffers.count();
        if let Some(index) = self.lent.take() {
            self.buffers.queue(index)?;
            free -= 1;
        }
        let newest = loop {
            let left = end.saturating_sub(edgeai_realtime::monotonic_now());
            if !self.buffers.wait(left)? {
                return Err(CameraError::TimedOut);
            }
            let (newest, taken) = self.newest()?;
            let Some(newest) = newest else { continue };
            if taken < free {
                break newest;
            }
            self.dropped += 1;
            self.buffers.queue(newest.index)?;
            // The driver has buffers now, so whatever comes next is new.
            free = u32::MAX;
        };
        self.lent = Some(newest.index);
        let Negotiated {
            format,
            width,
            height,
            stride,
            ..
        } = self.negotiated;
        let pixels = self.buffers.bytes(newest.index, newest.bytes_used);
        Ok(Frame {
            pixels,
            width,
            height,
            stride,
            format,
            sequence: newest.sequence,
            timestamp: newest.timestamp,
        })
    }

    /// Frames since the start that were captured, or should have been, but were not returned.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Empties the driver's queue down to its newest good frame; how many were in it.
    fn newest(&mut self) -> Result<(Option<Dequeued>, u32), CameraError> {
        let mut newest: Option<Dequeued> = None;
        let mut count = 0;
        // Bounded, so that a driver that fills buffers faster than they are given back cannot hold us.
        for _ in 0..2 * BUFFERS {
            let Some(taken) = self.buffers.dequeue()? else {
                break;
            };
            count += 1;
            self.dropped += sequence_gap(self.last_sequence, taken.sequence);
            self.last_sequence = Some(taken.sequence);
            let whole = taken.bytes_used >= needed_bytes(&self.negotiated);
            let surplus = if taken.damaged || !whole {
                Some(taken)
            } else {
                newest.replace(taken)
            };
            if let Some(surplus) = surplus {
                self.dropped += 1;
                self.buffers.queue(surplus.index)?;
            }
        }
        Ok((newest, count))
    }
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

/// Frames missing between two sequence numbers, which wrap around.
fn sequence_gap(last: Option<u32>, now: u32) -> u64 {
    match last.map(|last| now.wrapping_sub(last)) {
        // A step back is a driver that began anew, not four billion lost frames.
        Some(step) if (1..1 << 31).contains(&step) => u64::from(step) - 1,
        _ => 0,
    }
}

/// Bytes up to and including the last pixel.
fn needed_bytes(negotiated: &Negotiated) -> usize {
    let lines = (negotiated.height as usize).saturating_sub(1);
    lines * negotiated.stride
        + negotiated.width as usize * device::bytes_per_pixel(negotiated.format)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn negotiated() -> Negotiated {
        Negotiated {
            asked: "YUYV 640x480@30".into(),
            offered: "YUYV UYVY".into(),
            format: PixelFormat::Yuyv,
            width: 640,
            height: 360,
            stride: 1536,
            fps: Some(29.97),
        }
    }

    #[test]
    fn gaps_in_the_sequence_are_lost_frames() {
        assert_eq!(sequence_gap(None, 7), 0);
        assert_eq!(sequence_gap(Some(7), 8), 0);
        assert_eq!(sequence_gap(Some(7), 11), 3);
        assert_eq!(sequence_gap(Some(u32::MAX), 1), 1);
        assert_eq!(sequence_gap(Some(100), 0), 0);
        assert_eq!(sequence_gap(Some(7), 7), 0);
    }

    #[test]
    fn a_frame_is_whole_when_its_last_pixel_is_there() {
        assert_eq!(needed_bytes(&negotiated()), 359 * 1536 + 1280);
    }

    #[test]
    fn the_report_names_what_was_asked_offered_and_taken() {
        let mut negotiated = negotiated();
        assert_eq!(
            negotiated.to_string(),
            "asked YUYV 640x480@30, offered YUYV UYVY, taken YUYV 640x360@29.97"
        );
        negotiated.fps = None;
        assert!(negotiated.to_string().ends_with("taken YUYV 640x360@?"));
    }

    #[test]
    fn a_missing_device_is_missing_and_another_file_is_unusable() {
        let asked = |device: &str| edgeai_config::Camera {
            device: device.into(),
            format: PixelFormat::Yuyv,
            size: [640, 480],
            fps: 30,
        };
        let open = |device: &str| Camera::open(&asked(device)).err().unwrap();
        assert!(matches!(open("/dev/video-none"), CameraError::Missing(_)));
        assert!(matches!(open("/dev/null"), CameraError::Unusable(_)));
        assert!(matches!(open("/dev/nul\0"), CameraError::Unusable(_)));
    }
}
