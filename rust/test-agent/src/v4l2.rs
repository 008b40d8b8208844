//! The few V4L2 requests that the loop needs (Documentation/userspace-api/media/v4l).

use anyhow::{Context, ensure};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};
use std::ffi::c_void;
use std::fs::File;
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, AsRawFd};
use std::path::Path;
use std::ptr::NonNull;
use std::time::Duration;
use v4l::v4l_sys as sys;

const OUTPUT: u32 = sys::v4l2_buf_type_V4L2_BUF_TYPE_VIDEO_OUTPUT;
const MMAP: u32 = sys::v4l2_memory_V4L2_MEMORY_MMAP;
const PROGRESSIVE: u32 = sys::v4l2_field_V4L2_FIELD_NONE;
/// Slowest acceptable frame rate of a loop.
const LEAST_RATE: u64 = 15;

nix::ioctl_readwrite!(vidioc_s_fmt, b'V', 5, sys::v4l2_format);
nix::ioctl_readwrite!(vidioc_reqbufs, b'V', 8, sys::v4l2_requestbuffers);
nix::ioctl_readwrite!(vidioc_querybuf, b'V', 9, sys::v4l2_buffer);
nix::ioctl_readwrite!(vidioc_qbuf, b'V', 15, sys::v4l2_buffer);
nix::ioctl_readwrite!(vidioc_dqbuf, b'V', 17, sys::v4l2_buffer);
nix::ioctl_write_ptr!(vidioc_streamon, b'V', 18, libc::c_int);
nix::ioctl_readwrite!(vidioc_g_ctrl, b'V', 27, sys::v4l2_control);
nix::ioctl_readwrite!(vidioc_s_ctrl, b'V', 28, sys::v4l2_control);
nix::ioctl_readwrite!(vidioc_queryctrl, b'V', 36, sys::v4l2_queryctrl);
nix::ioctl_readwrite!(vidioc_querymenu, b'V', 37, sys::v4l2_querymenu);
nix::ioctl_readwrite!(vidioc_s_dv_timings, b'V', 87, sys::v4l2_dv_timings);
nix::ioctl_readwrite!(vidioc_enum_dv_timings, b'V', 98, sys::v4l2_enum_dv_timings);

/// Plain C structures of the kernel interface.
trait Plain {}
impl Plain for sys::v4l2_format {}
impl Plain for sys::v4l2_requestbuffers {}
impl Plain for sys::v4l2_buffer {}
impl Plain for sys::v4l2_queryctrl {}
impl Plain for sys::v4l2_querymenu {}
impl Plain for sys::v4l2_enum_dv_timings {}

fn zeroed<T: Plain>() -> T {
    // SAFETY: every `Plain` is made of integers, arrays and unions of them, and of pointers
    // that may be null.
    unsafe { std::mem::zeroed() }
}

/// An open video node.
pub struct Node(File);

impl Node {
    /// Opens it, non-blocking.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        use std::os::unix::fs::OpenOptionsExt;
        let mut options = File::options();
        options
            .read(true)
            .write(true)
            .custom_flags(libc::O_NONBLOCK);
        Ok(Self(
            options
                .open(path)
                .with_context(|| path.display().to_string())?,
        ))
    }

    /// One request with its argument, by the function that nix made for it.
    fn request<T>(
        &self,
        name: &'static str,
        function: unsafe fn(libc::c_int, *mut T) -> nix::Result<libc::c_int>,
        argument: &mut T,
    ) -> anyhow::Result<()> {
        // SAFETY: the argument is valid for reading and writing, and its type is the one
        // the request is defined with.
        unsafe { function(self.0.as_raw_fd(), argument) }.context(name)?;
        Ok(())
    }

    /// The slowest progressive timings of this size that are fast enough.
    pub fn timings(&self, width: u32, height: u32) -> anyhow::Result<sys::v4l2_dv_timings> {
        let mut best: Option<(u64, sys::v4l2_dv_timings)> = None;
        for index in 0.. {
            let mut entry: sys::v4l2_enum_dv_timings = zeroed();
            entry.index = index;
            if self
                .request("VIDIOC_ENUM_DV_TIMINGS", vidioc_enum_dv_timings, &mut entry)
                .is_err()
            {
                break;
            }
            let timings = entry.timings;
            // SAFETY: BT.656/1120 is the only kind of timings there is, and integers are
            // valid whatever they hold.
            let bt = unsafe { timings.__bindgen_anon_1.bt };
            let (w, h, interlaced) = (bt.width, bt.height, bt.interlaced);
            let rate = frame_rate(&bt);
            if (w, h, interlaced) == (width, height, 0)
                && rate >= LEAST_RATE
                && best.as_ref().is_none_or(|(least, _)| rate < *least)
            {
                best = Some((rate, timings));
            }
        }
        Ok(best
            .with_context(|| format!("no timings for {width}x{height}"))?
            .1)
    }

    /// Sets the timings; fails with `EBUSY` if others are set and somebody has buffers.
    pub fn set_timings(&self, mut timings: sys::v4l2_dv_timings) -> anyhow::Result<()> {
        self.request("VIDIOC_S_DV_TIMINGS", vidioc_s_dv_timings, &mut timings)
    }

    /// The control that the driver calls so.
    fn control(&self, name: &str) -> anyhow::Result<sys::v4l2_queryctrl> {
        let mut query: sys::v4l2_queryctrl = zeroed();
        loop {
            query.id |= sys::V4L2_CTRL_FLAG_NEXT_CTRL;
            self.request("VIDIOC_QUERYCTRL", vidioc_queryctrl, &mut query)
                .with_context(|| format!("no control \"{name}\""))?;
            if text(&query.name) == name {
                return Ok(query);
            }
        }
    }

    /// The value of a control.
    pub fn value(&self, name: &str) -> anyhow::Result<i32> {
        let mut control = sys::v4l2_control {
            id: self.control(name)?.id,
            value: 0,
        };
        self.request("VIDIOC_G_CTRL", vidioc_g_ctrl, &mut control)?;
        Ok(control.value)
    }

    /// Sets a control; a button is pressed by any value.
    pub fn set(&self, name: &str, value: i32) -> anyhow::Result<()> {
        let mut control = sys::v4l2_control {
            id: self.control(name)?.id,
            value,
        };
        self.request("VIDIOC_S_CTRL", vidioc_s_ctrl, &mut control)
    }

    /// Sets a menu control to an item, both by name: numbers differ between kernels.
    pub fn choose(&self, control: &str, item: &str) -> anyhow::Result<()> {
        let query = self.control(control)?;
        for index in query.minimum..=query.maximum {
            let mut entry: sys::v4l2_querymenu = zeroed();
            entry.id = query.id;
            entry.index = u32::try_from(index)?;
            // A menu may have holes.
            let known = self
                .request("VIDIOC_QUERYMENU", vidioc_querymenu, &mut entry)
                .is_ok();
            // SAFETY: of a menu control the name is the member that is set; bytes are valid.
            if known && text(unsafe { &entry.__bindgen_anon_1.name }) == item {
                let mut set = sys::v4l2_control {
                    id: query.id,
                    value: index,
                };
                return self.request("VIDIOC_S_CTRL", vidioc_s_ctrl, &mut set);
            }
        }
        anyhow::bail!("control \"{control}\" has no \"{item}\"")
    }

    /// Sets the output to packed YUYV of this size.
    pub fn set_output_format(&self, width: u32, height: u32) -> anyhow::Result<usize> {
        let mut format: sys::v4l2_format = zeroed();
        format.type_ = OUTPUT;
        format.fmt.pix = sys::v4l2_pix_format {
            width,
            height,
            pixelformat: u32::from_le_bytes(*b"YUYV"),
            field: PROGRESSIVE,
            ..
            // SAFETY: integers only.
            unsafe { std::mem::zeroed() }
        };
        self.request("VIDIOC_S_FMT", vidioc_s_fmt, &mut format)?;
        // SAFETY: the type asked for is a single-planar one, so `pix` is what was filled in.
        let pix = unsafe { format.fmt.pix };
        ensure!(
            (
                pix.width,
                pix.height,
                pix.bytesperline,
                pix.pixelformat.to_le_bytes()
            ) == (width, height, width * 2, *b"YUYV"),
            "the output takes {}x{}, {} bytes a line",
            pix.width,
            pix.height,
            pix.bytesperline
        );
        Ok(usize::try_from(pix.sizeimage)?)
    }

    /// Asks for `count` output buffers and maps them.
    pub fn map_buffers(&self, count: u32) -> anyhow::Result<Vec<Mapping>> {
        let mut request: sys::v4l2_requestbuffers = zeroed();
        (request.count, request.type_, request.memory) = (count, OUTPUT, MMAP);
        self.request("VIDIOC_REQBUFS", vidioc_reqbufs, &mut request)?;
        (0..request.count)
            .map(|index| {
                let mut buffer = output_buffer(index);
                self.request("VIDIOC_QUERYBUF", vidioc_querybuf, &mut buffer)?;
                // SAFETY: the memory is MMAP, so `offset` is the member that is set.
                let offset = unsafe { buffer.m.offset };
                Mapping::new(&self.0, usize::try_from(buffer.length)?, offset)
            })
            .collect()
    }

    /// Hands a filled buffer to the driver.
    pub fn queue(&self, index: u32, bytes: usize) -> anyhow::Result<()> {
        let mut buffer = output_buffer(index);
        buffer.bytesused = u32::try_from(bytes)?;
        self.request("VIDIOC_QBUF", vidioc_qbuf, &mut buffer)
    }

    /// The next buffer that the driver is done with; `None` if none is within `limit`.
    pub fn dequeue(&self, limit: Duration) -> anyhow::Result<Option<u32>> {
        let timeout = PollTimeout::try_from(limit).unwrap_or(PollTimeout::MAX);
        let mut descriptors = [PollFd::new(self.0.as_fd(), PollFlags::POLLOUT)];
        if poll(&mut descriptors, timeout).context("poll")? == 0 {
            return Ok(None);
        }
        let mut buffer = output_buffer(0);
        match self.request("VIDIOC_DQBUF", vidioc_dqbuf, &mut buffer) {
            Ok(()) => Ok(Some(buffer.index)),
            Err(error) if error.downcast_ref() == Some(&Errno::EAGAIN) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Starts the output.
    pub fn stream(&self) -> anyhow::Result<()> {
        let kind = libc::c_int::try_from(OUTPUT)?;
        // SAFETY: the request reads one int.
        unsafe { vidioc_streamon(self.0.as_raw_fd(), &raw const kind) }
            .context("VIDIOC_STREAMON")?;
        Ok(())
    }
}

fn output_buffer(index: u32) -> sys::v4l2_buffer {
    let mut buffer: sys::v4l2_buffer = zeroed();
    (buffer.index, buffer.type_, buffer.memory) = (index, OUTPUT, MMAP);
    buffer.field = PROGRESSIVE;
    buffer
}

/// Frames per second, rounded down.
fn frame_rate(bt: &sys::v4l2_bt_timings) -> u64 {
    let total = |parts: [u32; 4]| parts.iter().map(|part| u64::from(*part)).sum::<u64>();
    let line = total([bt.width, bt.hfrontporch, bt.hsync, bt.hbackporch]);
    let lines = total([bt.height, bt.vfrontporch, bt.vsync, bt.vbackporch]);
    bt.pixelclock.checked_div(line * lines).unwrap_or_default()
}

/// A fixed-size C string.
fn text(bytes: &[u8]) -> String {
    let end = bytes
        .iter()
        .position(|byte| *byte == 0)
        .unwrap_or(bytes.len());
    String::from_utf8_lossy(bytes.get(..end).unwrap_or_default()).into_owned()
}

/// A mapped buffer.
pub struct Mapping {
    start: NonNull<c_void>,
    length: usize,
}

impl Mapping {
    fn new(file: &File, length: usize, offset: u32) -> anyhow::Result<Self> {
        let size = NonZeroUsize::new(length).context("buffer of no length")?;
        let protection = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: a new mapping, at an address that the kernel chooses.
        let start = unsafe {
            mmap(
                None,
                size,
                protection,
                MapFlags::MAP_SHARED,
                file,
                libc::off_t::from(offset),
            )
        };
        Ok(Self {
            start: start.context("mmap")?,
            length,
        })
    }

    /// The bytes, to be filled while the buffer is not queued.
    pub fn bytes(&mut self) -> &mut [u8] {
        // SAFETY: the mapping has this length and lives as long as `self`, which is borrowed
        // mutably; the driver only reads, and only buffers that are queued.
        unsafe { std::slice::from_raw_parts_mut(self.start.cast().as_ptr(), self.length) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: unmaps exactly what `new` has mapped; nothing can refer to it any more.
        let _ = unsafe { munmap(self.start, self.length) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frame_rate_of_vga() {
        // V4L2_DV_BT_CEA_640X480P59_94
        let bt = sys::v4l2_bt_timings {
            width: 640,
            height: 480,
            pixelclock: 25_175_000,
            hfrontporch: 16,
            hsync: 96,
            hbackporch: 48,
            vfrontporch: 10,
            vsync: 2,
            vbackporch: 33,
            ..
            // SAFETY: integers only.
            unsafe { std::mem::zeroed() }
        };
        assert_eq!(frame_rate(&bt), 59);
    }

    #[test]
    fn names_end_at_zero() {
        assert_eq!(text(b"OSD Text Mode\0\0x"), "OSD Text Mode");
        assert_eq!(text(b"abc"), "abc");
    }
}
