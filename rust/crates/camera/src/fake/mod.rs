//! A V4L2 driver for tests: answers requests as the kernel's documentation says a driver does. Its
//! buffers are in a memory file, so that they are mapped like those of a device.

mod answers;

use crate::ioctl::{
    DQBUF, ENUM_FMT, ENUM_FRAMEINTERVALS, ENUM_FRAMESIZES, G_EXT_CTRLS, G_PARM, QBUF,
    QUERY_EXT_CTRL, QUERYBUF, QUERYCAP, QUERYMENU, Queue, REQBUFS, S_EXT_CTRLS, S_FMT, S_PARM,
    STREAMOFF, STREAMON,
};
use crate::node::Node;
use edgeai_realtime::monotonic_now;
use std::collections::VecDeque;
use std::ffi::c_void;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, RawFd};
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use v4l::v4l_sys as sys;
use v4l::v4l2::vidioc::_IOC_TYPE;

/// Bytes of a memory plane in the memory file; images of the tests are smaller.
const PLANE: u32 = 1 << 20;

/// A handle to the driver's state, shared with the nodes it has opened.
#[derive(Clone)]
pub struct Driver(Arc<Mutex<State>>);

/// What the driver is like and what it does.
pub struct State {
    pub queue: Queue,
    pub formats: Vec<FakeFormat>,
    /// Lines are padded to a multiple of this.
    pub alignment: u32,
    /// The driver takes this size whatever is asked for.
    pub only_size: Option<[u32; 2]>,
    pub colorspace: u32,
    pub field: u32,
    pub controls: Vec<FakeControl>,
    /// Controls in the order they were set.
    pub set: Vec<(u32, i64)>,
    /// Frames per second in force.
    pub fps: u32,
    /// The device was unplugged.
    pub gone: bool,
    /// Drivers should wake who waits for a device that is gone; not all do.
    pub wakes: bool,
    /// Each is the result of one dequeue before any buffer.
    pub errors: VecDeque<i32>,
    pub streaming: bool,
    /// The timeouts of all polls.
    pub polls: Vec<Duration>,
    /// Where images begin in the memory planes after the first.
    pub data_offset: u32,
    strides: [u32; 3],
    memory_planes: u32,
    queued: VecDeque<u32>,
    filled: VecDeque<Filled>,
    sequence: u32,
    memory: File,
}

/// A pixel format of the driver.
#[derive(Clone)]
pub struct FakeFormat {
    pub code: [u8; 4],
    pub sizes: Vec<[u32; 2]>,
    pub rates: Vec<u32>,
    /// Bytes per pixel of each memory plane, times four: NV12M has 4 and, for half the lines, 4.
    pub planes: &'static [u32],
}

/// A control of the driver.
pub struct FakeControl {
    pub id: u32,
    pub name: &'static str,
    pub kind: u32,
    pub range: [i64; 3],
    pub value: i64,
    pub flags: u32,
}

struct Filled {
    index: u32,
    bytes: Vec<u32>,
    sequence: u32,
    flags: u32,
}

impl Default for Driver {
    /// YUYV at 640x480, unpadded, with a mode and a gain.
    fn default() -> Self {
        // SAFETY: the name is a string; a new file of no other owner comes back, or -1.
        let memory = unsafe {
            let fd = libc::memfd_create(c"fake".as_ptr(), libc::MFD_CLOEXEC);
            assert!(fd >= 0);
            File::from_raw_fd(fd)
        };
        memory.set_len(u64::from(PLANE) * 64).unwrap();
        let control = |id, name, kind, range, value| FakeControl {
            id,
            name,
            kind,
            range,
            value,
            flags: 0,
        };
        Self(Arc::new(Mutex::new(State {
            queue: Queue::SinglePlanar,
            formats: vec![FakeFormat {
                code: *b"YUYV",
                sizes: vec![[640, 480]],
                rates: vec![30, 15],
                planes: &[8],
            }],
            alignment: 1,
            only_size: None,
            colorspace: sys::v4l2_colorspace_V4L2_COLORSPACE_SRGB,
            field: sys::v4l2_field_V4L2_FIELD_NONE,
            controls: vec![
                control(
                    10,
                    "Shutter Mode",
                    sys::v4l2_ctrl_type_V4L2_CTRL_TYPE_MENU,
                    [0, 3, 1],
                    3,
                ),
                control(
                    20,
                    "Gain",
                    sys::v4l2_ctrl_type_V4L2_CTRL_TYPE_INTEGER,
                    [0, 100, 5],
                    10,
                ),
                control(
                    30,
                    "Integer 64 Bits",
                    sys::v4l2_ctrl_type_V4L2_CTRL_TYPE_INTEGER64,
                    [i64::MIN, i64::MAX, 1],
                    0,
                ),
                control(
                    40,
                    "Title",
                    sys::v4l2_ctrl_type_V4L2_CTRL_TYPE_STRING,
                    [0, 9, 1],
                    0,
                ),
            ],
            set: Vec::new(),
            fps: 30,
            gone: false,
            wakes: true,
            errors: VecDeque::new(),
            streaming: false,
            polls: Vec::new(),
            data_offset: 0,
            strides: [0; 3],
            memory_planes: 1,
            queued: VecDeque::new(),
            filled: VecDeque::new(),
            sequence: 0,
            memory,
        })))
    }
}

impl Driver {
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn node(&self) -> Box<dyn Node> {
        Box::new(self.clone())
    }

    /// Captures a frame in which every byte of memory plane p is `value` + p; without a free buffer
    /// only the number counts up.
    pub fn capture(&self, value: u8) {
        self.fill(value, 0, None);
    }

    /// As [`Driver::capture`], with buffer flags and another number of bytes in the last plane.
    pub fn fill(&self, value: u8, flags: u32, bytes: Option<u32>) {
        let mut state = self.state();
        let sequence = state.sequence;
        state.sequence += 1;
        let Some(index) = state.queued.pop_front() else {
            return;
        };
        let planes = state.memory_planes;
        let mut used = Vec::new();
        for plane in 0..planes {
            let mut length = state.image_bytes(plane);
            if plane + 1 == planes {
                length = bytes.unwrap_or(length);
            }
            let content = vec![value + u8::try_from(plane).unwrap(); length as usize];
            let skip = if plane > 0 { state.data_offset } else { 0 };
            let at = u64::from(offset(index, plane) + skip);
            state.memory.write_all_at(&content, at).unwrap();
            used.push(length);
        }
        state.filled.push_back(Filled {
            index,
            bytes: used,
            sequence,
            flags,
        });
    }

    /// Writes into the buffer that is filled next.
    pub fn write(&self, at: u64, bytes: &[u8]) {
        let state = self.state();
        let index = *state.queued.front().unwrap();
        let at = u64::from(offset(index, 0)) + at;
        state.memory.write_all_at(bytes, at).unwrap();
    }
}

fn offset(index: u32, plane: u32) -> u32 {
    (index * 4 + plane) * PLANE
}

fn error<T>(number: i32) -> io::Result<T> {
    Err(io::Error::from_raw_os_error(number))
}

impl State {
    /// Of the format in force: lines of the first plane are the height kept in `only_size`.
    fn image_bytes(&self, plane: u32) -> u32 {
        let [_, height] = self.only_size.unwrap_or([640, 480]);
        match (self.memory_planes, plane) {
            (1, _) => self.strides[0] * height * 3 / 2,
            (_, 0) => self.strides[0] * height,
            _ => self.strides[plane as usize] * height / 2,
        }
    }

    /// A driver takes what it has, not what is asked for.
    fn set_format(&mut self, format: &mut sys::v4l2_format) {
        assert_eq!(format.type_, self.queue.buffer_type());
        // SAFETY: `type_` says which member of the union is in use; all are integers.
        let (code, asked) = unsafe {
            match self.queue {
                Queue::SinglePlanar => {
                    let pix = format.fmt.pix;
                    (pix.pixelformat, [pix.width, pix.height])
                }
                Queue::MultiPlanar => {
                    let pix = format.fmt.pix_mp;
                    (pix.pixelformat, [pix.width, pix.height])
                }
            }
        };
        let mut formats = self.formats.iter();
        let taken = formats.find(|format| u32::from_le_bytes(format.code) == code);
        let taken = taken.unwrap_or(&self.formats[0]).clone();
        let [width, height] = *self.only_size.get_or_insert(asked);
        self.memory_planes = u32::try_from(taken.planes.len()).unwrap();
        for (stride, quarters) in self.strides.iter_mut().zip(taken.planes) {
            *stride = (width * quarters / 4).next_multiple_of(self.alignment);
        }
        let code = u32::from_le_bytes(taken.code);
        match self.queue {
            Queue::SinglePlanar => {
                // SAFETY: as above.
                let pix = unsafe { &mut format.fmt.pix };
                (pix.width, pix.height, pix.pixelformat) = (width, height, code);
                (pix.bytesperline, pix.colorspace) = (self.strides[0], self.colorspace);
                pix.field = self.field;
            }
            Queue::MultiPlanar => {
                // SAFETY: as above.
                let pix = unsafe { &mut format.fmt.pix_mp };
                (pix.width, pix.height, pix.pixelformat) = (width, height, code);
                (pix.num_planes, pix.colorspace) =
                    (u8::try_from(taken.planes.len()).unwrap(), self.colorspace);
                pix.field = self.field;
                for (plane, stride) in self.strides.iter().enumerate() {
                    pix.plane_fmt[plane].bytesperline = *stride;
                }
            }
        }
    }

    fn buffer(&mut self, number: _IOC_TYPE, buffer: &mut sys::v4l2_buffer) -> io::Result<()> {
        assert_eq!(buffer.type_, self.queue.buffer_type());
        let multi = self.queue == Queue::MultiPlanar;
        assert!(!multi || buffer.length >= self.memory_planes);
        if number == QBUF.number() {
            assert!(!self.queued.contains(&buffer.index));
            self.queued.push_back(buffer.index);
            return Ok(());
        }
        let mut bytes = vec![0; 3];
        if number == DQBUF.number() {
            if let Some(number) = self.errors.pop_front() {
                return error(number);
            }
            let Some(filled) = self.filled.pop_front() else {
                return error(libc::EAGAIN);
            };
            buffer.index = filled.index;
            buffer.sequence = filled.sequence;
            buffer.flags = filled.flags | sys::V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC;
            buffer.timestamp.tv_sec = i64::try_from(monotonic_now().as_secs()).unwrap();
            bytes = filled.bytes;
        }
        if multi {
            buffer.length = self.memory_planes;
            for plane in 0..self.memory_planes {
                // SAFETY: asserted above to be as long.
                let to = unsafe { &mut *buffer.m.planes.add(plane as usize) };
                to.m.mem_offset = offset(buffer.index, plane);
                (to.length, to.bytesused) = (PLANE, bytes[plane as usize]);
                if plane > 0 {
                    // The payload includes it.
                    to.data_offset = self.data_offset;
                    to.bytesused += self.data_offset;
                }
            }
        } else {
            buffer.m.offset = offset(buffer.index, 0);
            (buffer.length, buffer.bytesused) = (PLANE, bytes[0]);
        }
        Ok(())
    }

    fn answer(&mut self, number: _IOC_TYPE, argument: *mut c_void) -> io::Result<()> {
        if self.gone {
            return error(libc::ENODEV);
        }
        // SAFETY: each arm takes the argument as the type that the typed request carries.
        unsafe {
            if number == QUERYCAP.number() {
                let capability = &mut *argument.cast::<sys::v4l2_capability>();
                capability.card[..4].copy_from_slice(b"fake");
                capability.capabilities = sys::V4L2_CAP_DEVICE_CAPS;
                capability.device_caps = sys::V4L2_CAP_STREAMING
                    | match self.queue {
                        Queue::SinglePlanar => sys::V4L2_CAP_VIDEO_CAPTURE,
                        Queue::MultiPlanar => sys::V4L2_CAP_VIDEO_CAPTURE_MPLANE,
                    };
                Ok(())
            } else if [
                ENUM_FMT.number(),
                ENUM_FRAMESIZES.number(),
                ENUM_FRAMEINTERVALS.number(),
            ]
            .contains(&number)
            {
                self.enumerate(number, argument)
            } else if number == S_FMT.number() {
                self.set_format(&mut *argument.cast());
                Ok(())
            } else if number == G_PARM.number() || number == S_PARM.number() {
                let capture = &mut (*argument.cast::<sys::v4l2_streamparm>()).parm.capture;
                if number == S_PARM.number() {
                    self.fps = capture.timeperframe.denominator.min(30);
                }
                capture.capability = sys::V4L2_CAP_TIMEPERFRAME;
                (
                    capture.timeperframe.numerator,
                    capture.timeperframe.denominator,
                ) = (1, self.fps);
                Ok(())
            } else if [
                QUERY_EXT_CTRL.number(),
                QUERYMENU.number(),
                G_EXT_CTRLS.number(),
                S_EXT_CTRLS.number(),
            ]
            .contains(&number)
            {
                self.control(number, argument)
            } else if [QUERYBUF.number(), QBUF.number(), DQBUF.number()].contains(&number) {
                self.buffer(number, &mut *argument.cast())
            } else if number == REQBUFS.number() {
                Ok(()) // as many as asked for
            } else if number == STREAMON.number() || number == STREAMOFF.number() {
                self.streaming = number == STREAMON.number();
                if !self.streaming {
                    self.queued.clear();
                    self.filled.clear();
                }
                Ok(())
            } else {
                error(libc::ENOTTY)
            }
        }
    }
}

impl Node for Driver {
    // SAFETY: it reads and writes what the trait's caller vouches for, as a driver does.
    unsafe fn request(&self, number: _IOC_TYPE, argument: *mut c_void) -> io::Result<()> {
        self.state().answer(number, argument)
    }

    fn poll(&self, timeout: Duration) -> io::Result<libc::c_short> {
        let mut state = self.state();
        state.polls.push(timeout);
        Ok(if state.gone {
            if state.wakes {
                libc::POLLERR | libc::POLLHUP
            } else {
                0
            }
        } else if !state.errors.is_empty() {
            libc::POLLERR
        } else if state.filled.is_empty() {
            0
        } else {
            libc::POLLIN
        })
    }

    fn memory(&self) -> RawFd {
        self.state().memory.as_raw_fd()
    }
}
