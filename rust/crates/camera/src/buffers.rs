//! The buffers shared with the driver, and the queue they go round in.

use crate::device::CAPTURE;
use crate::ioctl::{DQBUF, QBUF, QUERYBUF, REQBUFS, STREAMOFF, STREAMON, Zeroed, ioctl};
use edgeai_realtime::monotonic_now;
use std::io;
use std::ptr::{self, NonNull};
use std::slice;
use std::time::Duration;
use v4l::Device;
use v4l::v4l_sys::{
    V4L2_BUF_FLAG_ERROR, V4L2_BUF_FLAG_TIMESTAMP_MASK, V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC,
    v4l2_buffer, v4l2_memory_V4L2_MEMORY_MMAP, v4l2_requestbuffers,
};

/// Mapped buffers of a device that streams until this is dropped.
pub struct Buffers {
    mappings: Vec<Mapping>,
    device: Device,
}

/// A buffer that the driver has filled.
#[derive(Debug, Clone, Copy)]
pub struct Dequeued {
    /// Which buffer.
    pub index: u32,
    /// Bytes the driver wrote.
    pub bytes_used: usize,
    /// The driver's frame number.
    pub sequence: u32,
    /// The driver says that the content may be wrong.
    pub damaged: bool,
    /// Capture, on `CLOCK_MONOTONIC`.
    pub timestamp: Duration,
}

/// One buffer in our address space.
struct Mapping {
    start: NonNull<u8>,
    length: usize,
}

// SAFETY: a mapping belongs to its `Buffers` alone and is not tied to the thread that made it.
unsafe impl Send for Mapping {}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: `start` and `length` are of one mapping, made in `Buffers::map`, that nobody
        // borrows any more. Failing would mean they are not, so there is nothing to report.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.length) };
    }
}

impl Buffers {
    /// Allocates and maps `count` buffers (the driver may take another number, at least two),
    /// queues all and starts streaming.
    pub fn start(device: Device, count: u32) -> io::Result<Self> {
        let fd = device.handle().fd();
        let mut request = v4l2_requestbuffers::zeroed();
        (request.count, request.type_, request.memory) =
            (count, CAPTURE, v4l2_memory_V4L2_MEMORY_MMAP);
        ioctl(fd, &REQBUFS, &mut request)?;
        if request.count < 2 {
            return Err(io::Error::other("the driver has no two buffers"));
        }
        let mut buffers = Self {
            mappings: Vec::new(),
            device,
        };
        for index in 0..request.count {
            let mapping = map(fd, index)?;
            buffers.mappings.push(mapping);
            buffers.queue(index)?;
        }
        ioctl(fd, &STREAMON, &mut CAPTURE.cast_signed())?;
        Ok(buffers)
    }

    /// How many buffers there are.
    pub fn count(&self) -> u32 {
        u32::try_from(self.mappings.len()).unwrap_or(u32::MAX)
    }

    /// Gives a buffer back to the driver.
    pub fn queue(&self, index: u32) -> io::Result<()> {
        ioctl(self.device.handle().fd(), &QBUF, &mut description(index))
    }

    /// Takes the oldest filled buffer; `None` if there is none. Does not block.
    pub fn dequeue(&self) -> io::Result<Option<Dequeued>> {
        let mut buffer = description(0);
        match ioctl(self.device.handle().fd(), &DQBUF, &mut buffer) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(error),
        }
        if buffer.index as usize >= self.mappings.len() {
            return Err(io::Error::other(
                "the driver named a buffer that does not exist",
            ));
        }
        Ok(Some(Dequeued {
            index: buffer.index,
            bytes_used: buffer.bytesused as usize,
            sequence: buffer.sequence,
            damaged: buffer.flags & V4L2_BUF_FLAG_ERROR != 0,
            timestamp: timestamp(&buffer, monotonic_now()),
        }))
    }

    /// Waits for a filled buffer; false if none came within `timeout`, rounded up to 1 ms.
    pub fn wait(&self, timeout: Duration) -> io::Result<bool> {
        let milliseconds = i32::try_from(timeout.as_micros().div_ceil(1000)).unwrap_or(i32::MAX);
        let mut poll = libc::pollfd {
            fd: self.device.handle().fd(),
            events: libc::POLLIN,
            revents: 0,
        };
        // SAFETY: one valid pollfd, for the time of the call.
        match unsafe { libc::poll(&raw mut poll, 1, milliseconds) } {
            0 => Ok(false),
            // POLLERR goes on to the dequeue, which knows the reason; without a buffer it ends there.
            1.. if poll.revents & libc::POLLHUP != 0 => {
                Err(io::Error::from_raw_os_error(libc::ENODEV))
            }
            1.. if poll.revents & libc::POLLIN == 0 => Err(match self.dequeue() {
                Err(error) => error,
                Ok(_) => io::Error::other("the driver reports an error"),
            }),
            1.. => Ok(true),
            _ => match io::Error::last_os_error() {
                error if error.kind() == io::ErrorKind::Interrupted => Ok(false),
                error => Err(error),
            },
        }
    }

    /// The content of a dequeued buffer.
    pub fn bytes(&self, index: u32, bytes_used: usize) -> &[u8] {
        match self.mappings.get(index as usize) {
            // SAFETY: the mapping is `length` bytes long and lives as long as `self`; the driver
            // does not write into it before it is queued again, for which `Camera::next` takes
            // itself mutably, so that no frame is borrowed then.
            Some(mapping) => unsafe {
                slice::from_raw_parts(mapping.start.as_ptr(), bytes_used.min(mapping.length))
            },
            None => &[],
        }
    }
}

impl Drop for Buffers {
    fn drop(&mut self) {
        // A device that is gone does not stream any more; closing frees the buffers in any case.
        let _ = ioctl(
            self.device.handle().fd(),
            &STREAMOFF,
            &mut CAPTURE.cast_signed(),
        );
    }
}

fn description(index: u32) -> v4l2_buffer {
    let mut buffer = v4l2_buffer::zeroed();
    (buffer.index, buffer.type_, buffer.memory) = (index, CAPTURE, v4l2_memory_V4L2_MEMORY_MMAP);
    buffer
}

fn map(fd: i32, index: u32) -> io::Result<Mapping> {
    let mut buffer = description(index);
    ioctl(fd, &QUERYBUF, &mut buffer)?;
    let length = buffer.length as usize;
    // SAFETY: with V4L2_MEMORY_MMAP the driver has filled in `offset`; a new shared mapping of that
    // length disturbs nothing that exists.
    let start = unsafe {
        let offset = libc::off_t::from(buffer.m.offset);
        v4l::v4l2::mmap(
            ptr::null_mut(),
            length,
            libc::PROT_READ,
            libc::MAP_SHARED,
            fd,
            offset,
        )?
    };
    let start =
        NonNull::new(start.cast()).ok_or_else(|| io::Error::other("mapped at address 0"))?;
    Ok(Mapping { start, length })
}

/// When the frame was captured, never later than `now`.
fn timestamp(buffer: &v4l2_buffer, now: Duration) -> Duration {
    if buffer.flags & V4L2_BUF_FLAG_TIMESTAMP_MASK != V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC {
        return now; // some other clock, or a driver that copies what it was given
    }
    let seconds = u64::try_from(buffer.timestamp.tv_sec).unwrap_or(0);
    let micros = u64::try_from(buffer.timestamp.tv_usec).unwrap_or(0);
    (Duration::from_secs(seconds) + Duration::from_micros(micros)).min(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_monotonic_timestamps_count_and_none_lies_in_the_future() {
        let now = Duration::from_secs(100);
        let mut buffer = description(0);
        (buffer.timestamp.tv_sec, buffer.timestamp.tv_usec) = (99, 250_000);
        assert_eq!(timestamp(&buffer, now), now, "unknown clock");
        buffer.flags = V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC;
        assert_eq!(timestamp(&buffer, now), Duration::from_millis(99_250));
        buffer.timestamp.tv_sec = 101;
        assert_eq!(timestamp(&buffer, now), now);
    }
}
