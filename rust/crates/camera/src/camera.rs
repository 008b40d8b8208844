//! A V4L2 camera that streams.

use crate::buffers::{Buffers, Dequeued};
use crate::format::Wanted;
use crate::frame::{CameraError, Frame, FrameSource};
use crate::identity::Identity;
use crate::negotiate::negotiate;
use crate::node::{Device, Node};
use crate::planes::Layout;
use crate::report::Negotiated;
use edgeai_config::Arrangement;
use edgeai_realtime::monotonic_now;
use std::io;
use std::time::Duration;

/// Buffers shared with the driver: one in work, one newest, two being filled.
const BUFFERS: u32 = 4;
/// Longest time without a frame after which the driver is asked whether the device is still there:
/// not every driver wakes those who wait for a device that is unplugged.
const PRESENCE: Duration = Duration::from_millis(50);
/// So often woken for nothing without a good frame between, and the camera is lost.
const MAX_FAILURES: u32 = BUFFERS;

/// A camera that is streaming.
pub struct Camera {
    buffers: Buffers,
    layout: Layout,
    colour: edgeai_config::Colour,
    /// The buffer lent out as the last frame.
    lent: Option<u32>,
    last_sequence: Option<u32>,
    failures: u32,
    dropped: u64,
}

impl Camera {
    /// Opens the camera, sets format, rate and controls as near to what is asked for as the driver can,
    /// and starts streaming. On a receiver (HDMI and the like) the timings of the signal are taken.
    ///
    /// # Errors
    /// [`CameraError::Missing`] without device or signal, [`CameraError::Unusable`] when the device
    /// is no camera, does not have the pixel format, or has no such control or not with this value;
    /// another size or rate is not an error.
    pub fn open(asked: &edgeai_config::Camera) -> Result<(Self, Negotiated), CameraError> {
        let path = Identity::parse(&asked.device).resolve(Wanted::by(asked))?;
        let name = path.display();
        let device = Device::open(&path).map_err(|error| match error.raw_os_error() {
            Some(libc::ENOENT | libc::ENODEV | libc::ENXIO) => {
                CameraError::Missing(format!("{name}: {error}"))
            }
            _ => CameraError::Unusable(format!("{name}: {error}")),
        })?;
        Self::start(Box::new(device), asked, &name.to_string())
    }

    /// Negotiates and streams; `name` is for messages.
    pub(crate) fn start(
        node: Box<dyn Node>,
        asked: &edgeai_config::Camera,
        name: &str,
    ) -> Result<(Self, Negotiated), CameraError> {
        let (queue, layout, negotiated) = negotiate(&*node, asked, name)?;
        let buffers = Buffers::start(node, queue, BUFFERS)
            .map_err(|error| classify(name, "streaming", &error))?;
        let camera = Self {
            buffers,
            layout,
            colour: negotiated.colour,
            lent: None,
            last_sequence: None,
            failures: 0,
            dropped: 0,
        };
        Ok((camera, negotiated))
    }

    /// Empties the driver's queue down to its newest good frame; how many were in it.
    fn newest(&mut self) -> Result<(Option<Dequeued>, u32), CameraError> {
        let mut newest: Option<Dequeued> = None;
        let mut count = 0;
        // Bounded, so that a driver that fills buffers faster than they are given back cannot hold us.
        for _ in 0..2 * BUFFERS {
            let taken = match self.buffers.dequeue() {
                Ok(Some(taken)) => taken,
                Ok(None) => break,
                // "Can also indicate temporary problems like signal loss" (kernel, `vidioc-qbuf.rst`).
                Err(error) if error.raw_os_error() == Some(libc::EIO) => break,
                Err(error) => return Err(error.into()),
            };
            count += 1;
            self.dropped += sequence_gap(self.last_sequence, taken.sequence);
            self.last_sequence = Some(taken.sequence);
            let surplus = if taken.damaged || !self.is_whole(&taken) {
                Some(taken)
            } else {
                self.failures = 0;
                newest.replace(taken)
            };
            if let Some(surplus) = surplus {
                self.dropped += 1;
                self.buffers.queue(surplus.index)?;
            }
        }
        Ok((newest, count))
    }

    fn is_whole(&self, taken: &Dequeued) -> bool {
        let (bytes, count) = self.buffers.bytes(taken);
        self.layout.split(&bytes[..count]).is_ok()
    }
}

impl FrameSource for Camera {
    /// The newest frame: older ones that wait are given back and counted as dropped, and so are
    /// damaged ones. A driver that ran out of buffers while the last frame was in work could not
    /// keep what came after; all it has is old then, and the frame returned is the next one. Blocks
    /// for at most `timeout` (rounded up to 1 ms). Does not allocate.
    ///
    /// A device that is gone is noticed at once where the driver wakes us, else within 50 ms.
    fn next(&mut self, timeout: Duration) -> Result<Frame<'_>, CameraError> {
        let end = monotonic_now() + timeout;
        // What the driver could fill since the last call.
        let mut free = self.buffers.count();
        if let Some(index) = self.lent.take() {
            self.buffers.queue(index)?;
            free -= 1;
        }
        let newest = loop {
            let left = end.saturating_sub(monotonic_now());
            let woken = self.buffers.wait(left.min(PRESENCE))?;
            // After a silence too: the dequeue fails if the device is gone.
            let (newest, taken) = self.newest()?;
            match newest {
                Some(newest) if taken < free => break newest,
                Some(newest) => {
                    self.dropped += 1;
                    self.buffers.queue(newest.index)?;
                    // The driver has buffers now, so whatever comes next is new.
                    free = u32::MAX;
                }
                None if left.is_zero() => return Err(CameraError::TimedOut),
                None if woken && taken == 0 => {
                    self.failures += 1;
                    if self.failures >= MAX_FAILURES {
                        return Err(CameraError::Lost("the driver reports an error".into()));
                    }
                }
                None => {}
            }
        };
        self.lent = Some(newest.index);
        let (bytes, count) = self.buffers.bytes(&newest);
        self.layout.frame(
            &bytes[..count],
            self.colour,
            newest.sequence,
            newest.timestamp,
        )
    }

    fn dropped(&self) -> u64 {
        self.dropped
    }
}

/// An error of a device that does not stream yet.
pub(crate) fn classify(name: &str, what: &str, error: &io::Error) -> CameraError {
    match error.raw_os_error() {
        Some(libc::ENODEV) => CameraError::Missing(format!("{name}: {error}")),
        Some(libc::EBUSY) => {
            CameraError::Unusable(format!("{name}: {what}: used by another program"))
        }
        _ => CameraError::Unusable(format!("{name}: {what}: {error}")),
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

/// True if the memory planes of the driver are those of the layout.
pub(crate) fn fits(layout: &Layout, memory_planes: usize) -> bool {
    match layout.arrangement {
        Arrangement::Contiguous => memory_planes == 1,
        Arrangement::Separate => memory_planes == layout.plane_count(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_in_the_sequence_are_lost_frames() {
        assert_eq!(sequence_gap(None, 7), 0);
        assert_eq!(sequence_gap(Some(7), 8), 0);
        assert_eq!(sequence_gap(Some(7), 11), 3);
        assert_eq!(sequence_gap(Some(u32::MAX), 1), 1);
        assert_eq!(sequence_gap(Some(100), 0), 0);
        assert_eq!(sequence_gap(Some(7), 7), 0);
    }
}
