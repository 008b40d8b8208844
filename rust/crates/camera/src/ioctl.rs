//! V4L2 requests and the types of their arguments.

use crate::node::Node;
use std::io;
use std::marker::PhantomData;
use std::mem;
use v4l::v4l_sys::{
    v4l2_buf_type_V4L2_BUF_TYPE_VIDEO_CAPTURE, v4l2_buf_type_V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE,
    v4l2_buffer, v4l2_capability, v4l2_dv_timings, v4l2_ext_control, v4l2_ext_controls,
    v4l2_fmtdesc, v4l2_format, v4l2_frmivalenum, v4l2_frmsizeenum, v4l2_input,
    v4l2_memory_V4L2_MEMORY_MMAP, v4l2_plane, v4l2_query_ext_ctrl, v4l2_querymenu,
    v4l2_requestbuffers, v4l2_streamparm,
};
use v4l::v4l2::vidioc::{self, _IOC_TYPE};

/// Most planes the interface knows (`VIDEO_MAX_PLANES`, linux/videodev2.h).
pub const MAX_PLANES: usize = 8;

/// A C structure of the V4L2 interface for which all bytes zero is a value.
pub trait Zeroed: Copy {
    /// All bytes zero, as the interface wants unused and reserved fields.
    fn zeroed() -> Self {
        // SAFETY: implemented below for structures of integers, arrays, unions of those and raw
        // pointers only; all bytes zero is a value of each.
        unsafe { mem::zeroed() }
    }
}

/// A [`Zeroed`] structure without pointers that the driver would follow.
pub trait Plain: Zeroed {}

/// A request number with the type of its argument.
pub struct Request<T>(_IOC_TYPE, PhantomData<T>);

impl<T> Request<T> {
    /// The number that the kernel knows it by.
    #[cfg(test)]
    pub const fn number(&self) -> _IOC_TYPE {
        self.0
    }
}

macro_rules! requests {
    ($($name:ident: $type:ty = $number:expr;)*) => {$(
        pub const $name: Request<$type> = {
            let number: _IOC_TYPE = $number;
            // The number carries the size of the argument (bits 16 ..= 29 of linux/ioctl.h).
            assert!(((number >> 16) & 0x3fff) as usize == mem::size_of::<$type>());
            Request(number, PhantomData)
        };
    )*};
}

requests! {
    QUERYCAP: v4l2_capability = vidioc::VIDIOC_QUERYCAP;
    ENUM_FMT: v4l2_fmtdesc = vidioc::VIDIOC_ENUM_FMT;
    ENUM_FRAMESIZES: v4l2_frmsizeenum = vidioc::VIDIOC_ENUM_FRAMESIZES;
    ENUM_FRAMEINTERVALS: v4l2_frmivalenum = vidioc::VIDIOC_ENUM_FRAMEINTERVALS;
    S_FMT: v4l2_format = vidioc::VIDIOC_S_FMT;
    REQBUFS: v4l2_requestbuffers = vidioc::VIDIOC_REQBUFS;
    QUERYBUF: v4l2_buffer = vidioc::VIDIOC_QUERYBUF;
    QBUF: v4l2_buffer = vidioc::VIDIOC_QBUF;
    DQBUF: v4l2_buffer = vidioc::VIDIOC_DQBUF;
    STREAMON: i32 = vidioc::VIDIOC_STREAMON;
    STREAMOFF: i32 = vidioc::VIDIOC_STREAMOFF;
    G_PARM: v4l2_streamparm = vidioc::VIDIOC_G_PARM;
    S_PARM: v4l2_streamparm = vidioc::VIDIOC_S_PARM;
    QUERY_EXT_CTRL: v4l2_query_ext_ctrl = vidioc::VIDIOC_QUERY_EXT_CTRL;
    QUERYMENU: v4l2_querymenu = vidioc::VIDIOC_QUERYMENU;
    G_EXT_CTRLS: v4l2_ext_controls = vidioc::VIDIOC_G_EXT_CTRLS;
    S_EXT_CTRLS: v4l2_ext_controls = vidioc::VIDIOC_S_EXT_CTRLS;
    G_INPUT: i32 = vidioc::VIDIOC_G_INPUT;
    ENUMINPUT: v4l2_input = vidioc::VIDIOC_ENUMINPUT;
    // linux/videodev2.h: _IOWR('V', 87, struct v4l2_dv_timings), _IOR('V', 99, …).
    S_DV_TIMINGS: v4l2_dv_timings = (3 << 30) | dv_timings_request(87);
    QUERY_DV_TIMINGS: v4l2_dv_timings = (2 << 30) | dv_timings_request(99);
}

/// Size, type and number of a request, without its direction.
const fn dv_timings_request(number: _IOC_TYPE) -> _IOC_TYPE {
    #[allow(clippy::cast_possible_truncation)] // 132 bytes
    let size = mem::size_of::<v4l2_dv_timings>() as _IOC_TYPE;
    (size << 16) | ((b'V' as _IOC_TYPE) << 8) | number
}

macro_rules! implement {
    ($trait:ident for $($type:ty),*) => { $(impl $trait for $type {})* };
}

implement!(Zeroed for v4l2_buffer, v4l2_plane, v4l2_ext_control, v4l2_ext_controls);
implement!(Zeroed for v4l2_capability, v4l2_fmtdesc, v4l2_frmsizeenum, v4l2_frmivalenum, v4l2_format,
    v4l2_requestbuffers, v4l2_streamparm, v4l2_query_ext_ctrl, v4l2_querymenu, v4l2_input,
    v4l2_dv_timings, i32);
// `v4l2_format` has pointers in its overlay member, which no capture type selects.
implement!(Plain for v4l2_capability, v4l2_fmtdesc, v4l2_frmsizeenum, v4l2_frmivalenum, v4l2_format,
    v4l2_requestbuffers, v4l2_streamparm, v4l2_query_ext_ctrl, v4l2_querymenu, v4l2_input,
    v4l2_dv_timings, i32);

/// Makes a request; tries again when a signal interrupts it.
pub fn ioctl<T: Plain>(node: &dyn Node, request: &Request<T>, argument: &mut T) -> io::Result<()> {
    // SAFETY: a `Plain` argument has no pointer that is followed.
    unsafe { ioctl_with_pointers(node, request, argument) }
}

/// # Safety
/// Pointers in the argument that the driver follows point to what the request says of them.
unsafe fn ioctl_with_pointers<T: Zeroed>(
    node: &dyn Node,
    request: &Request<T>,
    argument: &mut T,
) -> io::Result<()> {
    loop {
        // SAFETY: the request's number was checked against the size of `T` where it is defined;
        // the caller answers for pointers inside.
        match unsafe { node.request(request.0, (&raw mut *argument).cast()) } {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// The two kinds of capture queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Queue {
    /// `V4L2_BUF_TYPE_VIDEO_CAPTURE`
    SinglePlanar,
    /// `V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE`
    MultiPlanar,
}

impl Queue {
    /// `enum v4l2_buf_type`
    pub const fn buffer_type(self) -> u32 {
        match self {
            Self::SinglePlanar => v4l2_buf_type_V4L2_BUF_TYPE_VIDEO_CAPTURE,
            Self::MultiPlanar => v4l2_buf_type_V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE,
        }
    }
}

/// A mapped buffer as the driver describes it, with the memory for the description of its planes.
pub struct Description {
    /// Everything but the planes; its pointer to them is set for each request.
    pub buffer: v4l2_buffer,
    planes: [v4l2_plane; MAX_PLANES],
    queue: Queue,
}

/// One memory plane of a buffer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MemoryPlane {
    /// What to map, as the offset of mmap(2).
    pub map_at: u32,
    /// Bytes allocated.
    pub length: usize,
    /// Where in them the image begins.
    pub start: usize,
    /// Where in them the image ends.
    pub end: usize,
}

impl Description {
    /// Of the buffer `index`.
    pub fn new(queue: Queue, index: u32) -> Self {
        let mut buffer = v4l2_buffer::zeroed();
        (buffer.index, buffer.type_) = (index, queue.buffer_type());
        buffer.memory = v4l2_memory_V4L2_MEMORY_MMAP;
        Self {
            buffer,
            planes: [v4l2_plane::zeroed(); MAX_PLANES],
            queue,
        }
    }

    /// QUERYBUF, QBUF or DQBUF.
    pub fn exchange(&mut self, node: &dyn Node, request: &Request<v4l2_buffer>) -> io::Result<()> {
        if self.queue == Queue::MultiPlanar {
            self.buffer.m.planes = self.planes.as_mut_ptr();
            self.buffer.length = 8; // MAX_PLANES
        }
        // SAFETY: the driver follows `m.planes` only for a multi-planar type, for which it points to
        // as many planes as `length` says, alive for the call.
        unsafe { ioctl_with_pointers(node, request, &mut self.buffer) }
    }

    /// Memory planes after QUERYBUF; 1 ..= [`MAX_PLANES`].
    pub fn plane_count(&self) -> usize {
        match self.queue {
            Queue::SinglePlanar => 1,
            Queue::MultiPlanar => (self.buffer.length as usize).clamp(1, MAX_PLANES),
        }
    }

    /// Memory plane `index`, below [`MAX_PLANES`].
    pub fn plane(&self, index: usize) -> MemoryPlane {
        match self.queue {
            Queue::SinglePlanar => MemoryPlane {
                // SAFETY: with V4L2_MEMORY_MMAP this is the member in use; all others hold integers or
                // pointers, whose bytes are an integer too.
                map_at: unsafe { self.buffer.m.offset },
                length: self.buffer.length as usize,
                start: 0,
                end: self.buffer.bytesused as usize,
            },
            Queue::MultiPlanar => {
                let plane = &self.planes[index];
                MemoryPlane {
                    // SAFETY: as above.
                    map_at: unsafe { plane.m.mem_offset },
                    length: plane.length as usize,
                    // `bytesused` includes it (kernel, `buffer.rst`).
                    start: plane.data_offset as usize,
                    end: plane.bytesused as usize,
                }
            }
        }
    }
}

/// Reads (`G_EXT_CTRLS`) or sets (`S_EXT_CTRLS`) one control that is a number and returns what it
/// is afterwards. `wide`: it has 64 bits.
pub fn exchange_control(
    node: &dyn Node,
    request: &Request<v4l2_ext_controls>,
    id: u32,
    value: i64,
    wide: bool,
) -> io::Result<i64> {
    let mut control = v4l2_ext_control::zeroed();
    control.id = id;
    if wide {
        control.__bindgen_anon_1.value64 = value;
    } else {
        #[allow(clippy::cast_possible_truncation)] // bit masks fill all 32 bits
        let value = value as i32;
        control.__bindgen_anon_1.value = value;
    }
    // All zero but this: V4L2_CTRL_WHICH_CUR_VAL.
    let mut controls = v4l2_ext_controls::zeroed();
    (controls.count, controls.controls) = (1, &raw mut control);
    // SAFETY: `controls` points to `count` = 1 control, alive for the call; the types of control
    // this is called for carry no payload behind a pointer.
    unsafe { ioctl_with_pointers(node, request, &mut controls) }?;
    // SAFETY: all members are integers or pointers, of which integers are read; a control has 32 or
    // 64 bits as the caller says, and all 64 were initialised.
    Ok(unsafe {
        if wide {
            control.__bindgen_anon_1.value64
        } else {
            control.__bindgen_anon_1.value.into()
        }
    })
}

/// Text of a fixed-size field that ends at its first zero.
pub fn text(field: &[u8]) -> String {
    let end = field.iter().position(|&byte| byte == 0);
    String::from_utf8_lossy(&field[..end.unwrap_or(field.len())]).into_owned()
}
