//! The little that is asked of an open device, so that tests can put a driver of their own in its place.

use crate::ioctl::{QUERYCAP, Queue, Zeroed, ioctl, text};
use std::ffi::c_void;
use std::io;
use std::os::fd::RawFd;
use std::path::Path;
use std::ptr::{self, NonNull};
use std::slice;
use std::time::Duration;
use v4l::v4l_sys::{
    V4L2_CAP_DEVICE_CAPS, V4L2_CAP_STREAMING, V4L2_CAP_VIDEO_CAPTURE,
    V4L2_CAP_VIDEO_CAPTURE_MPLANE, v4l2_capability,
};
use v4l::v4l2::vidioc::_IOC_TYPE;

/// An open device.
pub trait Node: Send {
    /// ioctl(2).
    ///
    /// # Safety
    /// `argument` points to what the request with this number takes, pointers in it included.
    unsafe fn request(&self, number: _IOC_TYPE, argument: *mut c_void) -> io::Result<()>;

    /// poll(2) for something to dequeue; the events, 0 if `timeout` (rounded up to 1 ms) is over.
    fn poll(&self, timeout: Duration) -> io::Result<libc::c_short>;

    /// What to map buffers from.
    fn memory(&self) -> RawFd;
}

/// A character device of V4L2.
pub struct Device(v4l::Device);

impl Device {
    /// Opens it such that nothing blocks but the requests that talk to the camera itself.
    pub fn open(path: &Path) -> io::Result<Self> {
        if path.as_os_str().as_encoded_bytes().contains(&0) {
            // The crate would panic.
            return Err(io::Error::other("a path cannot contain NUL"));
        }
        v4l::Device::with_path(path).map(Self)
    }
}

impl Node for Device {
    // SAFETY: the trait's contract is the system call's.
    unsafe fn request(&self, number: _IOC_TYPE, argument: *mut c_void) -> io::Result<()> {
        // SAFETY: the caller's promise.
        unsafe { v4l::v4l2::ioctl(self.0.handle().fd(), number, argument) }
    }

    fn poll(&self, timeout: Duration) -> io::Result<libc::c_short> {
        let milliseconds = i32::try_from(timeout.as_micros().div_ceil(1000)).unwrap_or(i32::MAX);
        let mut poll = libc::pollfd {
            fd: self.0.handle().fd(),
            events: libc::POLLIN,
            revents: 0,
        };
        // SAFETY: one valid pollfd, for the time of the call.
        match unsafe { libc::poll(&raw mut poll, 1, milliseconds) } {
            0.. => Ok(poll.revents),
            _ => match io::Error::last_os_error() {
                error if error.kind() == io::ErrorKind::Interrupted => Ok(0),
                error => Err(error),
            },
        }
    }

    fn memory(&self) -> RawFd {
        self.0.handle().fd()
    }
}

/// Memory of the driver in our address space.
pub struct Mapping {
    start: NonNull<u8>,
    length: usize,
}

// SAFETY: a mapping belongs to its owner alone and is not tied to the thread that made it.
unsafe impl Send for Mapping {}

impl Mapping {
    /// Maps `length` bytes of `node`'s memory at `offset`, to be read.
    pub fn new(node: &dyn Node, offset: u32, length: usize) -> io::Result<Self> {
        // SAFETY: a new shared mapping disturbs nothing that exists.
        let start = unsafe {
            v4l::v4l2::mmap(
                ptr::null_mut(),
                length,
                libc::PROT_READ,
                libc::MAP_SHARED,
                node.memory(),
                libc::off_t::from(offset),
            )?
        };
        let start =
            NonNull::new(start.cast()).ok_or_else(|| io::Error::other("mapped at address 0"))?;
        Ok(Self { start, length })
    }

    /// The bytes from `start` to `end`, as far as they are mapped.
    pub fn bytes(&self, start: usize, end: usize) -> &[u8] {
        // SAFETY: the mapping is `length` bytes long and lives as long as `self`; the driver does not
        // write into it before the buffer is queued again, for which `Camera::next` takes itself
        // mutably, so that no frame is borrowed then.
        let all = unsafe { slice::from_raw_parts(self.start.as_ptr(), self.length) };
        all.get(start..end.min(self.length)).unwrap_or_default()
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: `start` and `length` are of one mapping that nobody borrows any more. Failing would
        // mean they are not, so there is nothing to report.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.length) };
    }
}

/// What a node says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Capability {
    pub driver: String,
    pub card: String,
    pub bus: String,
    /// How it captures; `None` if it does not, or not into mapped buffers.
    pub queue: Option<Queue>,
}

impl Capability {
    /// Asks the node.
    pub fn of(node: &dyn Node) -> io::Result<Self> {
        let mut capability = v4l2_capability::zeroed();
        ioctl(node, &QUERYCAP, &mut capability)?;
        // `capabilities` is of the whole hardware; `device_caps`, where present, of this node.
        let can = if capability.capabilities & V4L2_CAP_DEVICE_CAPS == 0 {
            capability.capabilities
        } else {
            capability.device_caps
        };
        let queue = if can & V4L2_CAP_STREAMING == 0 {
            None
        } else if can & V4L2_CAP_VIDEO_CAPTURE != 0 {
            Some(Queue::SinglePlanar)
        } else if can & V4L2_CAP_VIDEO_CAPTURE_MPLANE != 0 {
            Some(Queue::MultiPlanar)
        } else {
            None
        };
        Ok(Self {
            driver: text(&capability.driver),
            card: text(&capability.card),
            bus: text(&capability.bus_info),
            queue,
        })
    }
}
