//! V4L2 requests and their types.

use std::io;
use std::marker::PhantomData;
use std::mem;
use v4l::v4l_sys::{
    v4l2_buffer, v4l2_capability, v4l2_dv_timings, v4l2_fmtdesc, v4l2_format, v4l2_input,
    v4l2_requestbuffers, v4l2_streamparm,
};
use v4l::v4l2::vidioc::{self, _IOC_TYPE};

/// A C structure of the V4L2 interface for which all bytes zero is a value.
pub trait Zeroed: Copy {
    /// All bytes zero, as the interface wants unused and reserved fields.
    fn zeroed() -> Self {
        // SAFETY: implemented below for structures of integers, arrays, unions of those and raw
        // pointers only; all bytes zero is a value of each.
        unsafe { mem::zeroed() }
    }
}

/// A request number with the type of its argument.
pub struct Request<T>(_IOC_TYPE, PhantomData<T>);

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
    S_FMT: v4l2_format = vidioc::VIDIOC_S_FMT;
    REQBUFS: v4l2_requestbuffers = vidioc::VIDIOC_REQBUFS;
    QUERYBUF: v4l2_buffer = vidioc::VIDIOC_QUERYBUF;
    QBUF: v4l2_buffer = vidioc::VIDIOC_QBUF;
    DQBUF: v4l2_buffer = vidioc::VIDIOC_DQBUF;
    STREAMON: i32 = vidioc::VIDIOC_STREAMON;
    STREAMOFF: i32 = vidioc::VIDIOC_STREAMOFF;
    G_PARM: v4l2_streamparm = vidioc::VIDIOC_G_PARM;
    S_PARM: v4l2_streamparm = vidioc::VIDIOC_S_PARM;
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

macro_rules! zeroed {
    ($($type:ty),*) => { $(impl Zeroed for $type {})* };
}

zeroed!(
    v4l2_capability,
    v4l2_fmtdesc,
    v4l2_format,
    v4l2_requestbuffers,
    v4l2_buffer,
    v4l2_streamparm,
    v4l2_input,
    v4l2_dv_timings,
    i32
);

/// Makes a request; tries again when a signal interrupts it.
pub fn ioctl<T>(fd: i32, request: &Request<T>, argument: &mut T) -> io::Result<()> {
    loop {
        // SAFETY: the request's number was checked against the size of `T` where it is defined;
        // pointers inside the argument are unused with mapped single-planar buffers.
        match unsafe { v4l::v4l2::ioctl(fd, request.0, (&raw mut *argument).cast()) } {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}
