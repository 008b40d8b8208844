//! The buffers shared with the driver, and the queue they go round in.

use crate::ioctl::{
    DQBUF, Description, QBUF, QUERYBUF, Queue, REQBUFS, STREAMOFF, STREAMON, Zeroed, ioctl,
};
use crate::node::{Mapping, Node};
use edgeai_realtime::monotonic_now;
use std::io;
use std::time::Duration;
use v4l::v4l_sys::{
    V4L2_BUF_FLAG_ERROR, V4L2_BUF_FLAG_TIMESTAMP_MASK, V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC,
    v4l2_buffer, v4l2_memory_V4L2_MEMORY_MMAP, v4l2_requestbuffers,
};

/// Most memory planes of the formats that are taken.
const PLANES: usize = 3;

/// Mapped buffers of a device that streams until this is dropped.
pub struct Buffers {
    /// The memory planes of each buffer.
    mappings: Vec<Vec<Mapping>>,
    queue: Queue,
    node: Box<dyn Node>,
}

/// A buffer that the driver has filled.
#[derive(Debug, Clone, Copy)]
pub struct Dequeued {
    /// Which buffer.
    pub index: u32,
    /// Where in each memory plane the image begins and ends.
    filled: [(usize, usize); PLANES],
    /// The driver's frame number.
    pub sequence: u32,
    /// The driver says that the content may be wrong.
    pub damaged: bool,
    /// Capture, on `CLOCK_MONOTONIC`.
    pub timestamp: Duration,
}

impl Buffers {
    /// Allocates and maps `count` buffers (the driver may take another number, at least two),
    /// queues all and starts streaming.
    pub fn start(node: Box<dyn Node>, queue: Queue, count: u32) -> io::Result<Self> {
        let mut request = v4l2_requestbuffers::zeroed();
        (request.count, request.type_) = (count, queue.buffer_type());
        request.memory = v4l2_memory_V4L2_MEMORY_MMAP;
        ioctl(&*node, &REQBUFS, &mut request)?;
        if request.count < 2 {
            return Err(io::Error::other("the driver has no two buffers"));
        }
        let mut buffers = Self {
            mappings: Vec::new(),
            queue,
            node,
        };
        for index in 0..request.count {
            let planes = buffers.map(index)?;
            buffers.mappings.push(planes);
            buffers.queue(index)?;
        }
        let mut buffer_type = queue.buffer_type().cast_signed();
        ioctl(&*buffers.node, &STREAMON, &mut buffer_type)?;
        Ok(buffers)
    }

    fn map(&self, index: u32) -> io::Result<Vec<Mapping>> {
        let mut description = Description::new(self.queue, index);
        description.exchange(&*self.node, &QUERYBUF)?;
        (0..description.plane_count().min(PLANES))
            .map(|plane| {
                let plane = description.plane(plane);
                Mapping::new(&*self.node, plane.map_at, plane.length)
            })
            .collect()
    }

    /// How many buffers there are.
    pub fn count(&self) -> u32 {
        u32::try_from(self.mappings.len()).unwrap_or(u32::MAX)
    }

    /// Gives a buffer back to the driver.
    pub fn queue(&self, index: u32) -> io::Result<()> {
        Description::new(self.queue, index).exchange(&*self.node, &QBUF)
    }

    /// Takes the oldest filled buffer; `None` if there is none. Does not block.
    pub fn dequeue(&self) -> io::Result<Option<Dequeued>> {
        let mut description = Description::new(self.queue, 0);
        match description.exchange(&*self.node, &DQBUF) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(error),
        }
        let buffer = &description.buffer;
        let Some(planes) = self.mappings.get(buffer.index as usize) else {
            return Err(io::Error::other(
                "the driver named a buffer that does not exist",
            ));
        };
        let mut filled = [(0, 0); PLANES];
        for (index, filled) in filled.iter_mut().enumerate().take(planes.len()) {
            let plane = description.plane(index);
            *filled = (plane.start, plane.end);
        }
        Ok(Some(Dequeued {
            index: buffer.index,
            filled,
            sequence: buffer.sequence,
            damaged: buffer.flags & V4L2_BUF_FLAG_ERROR != 0,
            timestamp: timestamp(buffer, monotonic_now()),
        }))
    }

    /// Waits until the driver has something to say, at most `timeout`, rounded up to 1 ms; false if
    /// it was silent. What it says, errors too, is for [`Buffers::dequeue`] to find out.
    pub fn wait(&self, timeout: Duration) -> io::Result<bool> {
        Ok(self.node.poll(timeout)? != 0)
    }

    /// The content of a dequeued buffer: its memory planes, and how many there are.
    pub fn bytes(&self, dequeued: &Dequeued) -> ([&[u8]; PLANES], usize) {
        let mut bytes: [&[u8]; PLANES] = [&[]; PLANES];
        let Some(planes) = self.mappings.get(dequeued.index as usize) else {
            return (bytes, 0);
        };
        for ((bytes, mapping), (start, end)) in bytes.iter_mut().zip(planes).zip(dequeued.filled) {
            *bytes = mapping.bytes(start, end);
        }
        (bytes, planes.len())
    }
}

impl Drop for Buffers {
    fn drop(&mut self) {
        // A device that is gone does not stream any more; closing frees the buffers in any case.
        let mut buffer_type = self.queue.buffer_type().cast_signed();
        let _ = ioctl(&*self.node, &STREAMOFF, &mut buffer_type);
    }
}

/// When the frame was captured, never later than `now`.
fn timestamp(buffer: &v4l2_buffer, now: Duration) -> Duration {
    if buffer.flags & V4L2_BUF_FLAG_TIMESTAMP_MASK != V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC {
        return now; // some other clock, or a driver that copies what it was given
    }
    let seconds = u64::try_from(buffer.timestamp.tv_sec).unwrap_or(0);
    let micros = u64::try_from(buffer.timestamp.tv_usec).unwrap_or(0);
    let captured = Duration::from_secs(seconds).saturating_add(Duration::from_micros(micros));
    captured.min(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_monotonic_timestamps_count_and_none_lies_in_the_future() {
        let now = Duration::from_secs(100);
        let mut buffer = Description::new(Queue::SinglePlanar, 0).buffer;
        (buffer.timestamp.tv_sec, buffer.timestamp.tv_usec) = (99, 250_000);
        assert_eq!(timestamp(&buffer, now), now, "unknown clock");
        buffer.flags = V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC;
        assert_eq!(timestamp(&buffer, now), Duration::from_millis(99_250));
        buffer.timestamp.tv_sec = 101;
        assert_eq!(timestamp(&buffer, now), now);
    }
}
