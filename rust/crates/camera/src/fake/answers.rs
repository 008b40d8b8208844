//! What the driver says of itself, and its controls.

use super::State;
use super::error;
use crate::ioctl::{ENUM_FMT, ENUM_FRAMESIZES, QUERY_EXT_CTRL, QUERYMENU, S_EXT_CTRLS};
use std::ffi::c_void;
use std::io;
use v4l::v4l_sys as sys;
use v4l::v4l2::vidioc::_IOC_TYPE;

impl State {
    pub(super) fn enumerate(&self, number: _IOC_TYPE, argument: *mut c_void) -> io::Result<()> {
        let find = |code: u32| {
            let mut formats = self.formats.iter();
            formats.find(|format| u32::from_le_bytes(format.code) == code)
        };
        // SAFETY: each arm takes the argument as the type that the typed request carries.
        unsafe {
            if number == ENUM_FMT.number() {
                let argument = &mut *argument.cast::<sys::v4l2_fmtdesc>();
                assert_eq!(argument.type_, self.queue.buffer_type());
                let Some(format) = self.formats.get(argument.index as usize) else {
                    return error(libc::EINVAL);
                };
                argument.pixelformat = u32::from_le_bytes(format.code);
            } else if number == ENUM_FRAMESIZES.number() {
                let argument = &mut *argument.cast::<sys::v4l2_frmsizeenum>();
                let sizes = find(argument.pixel_format).map(|format| &format.sizes);
                let Some([width, height]) =
                    sizes.and_then(|sizes| sizes.get(argument.index as usize))
                else {
                    return error(libc::EINVAL);
                };
                argument.type_ = sys::v4l2_frmsizetypes_V4L2_FRMSIZE_TYPE_DISCRETE;
                argument.__bindgen_anon_1.discrete.width = *width;
                argument.__bindgen_anon_1.discrete.height = *height;
            } else {
                let argument = &mut *argument.cast::<sys::v4l2_frmivalenum>();
                let rates = find(argument.pixel_format).map(|format| &format.rates);
                let Some(rate) = rates.and_then(|rates| rates.get(argument.index as usize)) else {
                    return error(libc::EINVAL);
                };
                argument.type_ = sys::v4l2_frmivaltypes_V4L2_FRMIVAL_TYPE_DISCRETE;
                argument.__bindgen_anon_1.discrete.numerator = 1;
                argument.__bindgen_anon_1.discrete.denominator = *rate;
            }
        }
        Ok(())
    }

    pub(super) fn control(&mut self, number: _IOC_TYPE, argument: *mut c_void) -> io::Result<()> {
        // SAFETY: each arm takes the argument as the type that the typed request carries; the list
        // of controls is as long as `count`.
        unsafe {
            if number == QUERY_EXT_CTRL.number() {
                let argument = &mut *argument.cast::<sys::v4l2_query_ext_ctrl>();
                let after = argument.id & !sys::V4L2_CTRL_FLAG_NEXT_CTRL;
                let Some(control) = self.controls.iter().find(|control| control.id > after) else {
                    return error(libc::EINVAL);
                };
                (argument.id, argument.type_) = (control.id, control.kind);
                for (to, from) in argument.name.iter_mut().zip(control.name.bytes()) {
                    *to = std::ffi::c_char::from_ne_bytes([from]);
                }
                [argument.minimum, argument.maximum] = [control.range[0], control.range[1]];
                argument.step = control.range[2].unsigned_abs();
                argument.flags = control.flags;
                return Ok(());
            }
            if number == QUERYMENU.number() {
                let argument = &mut *argument.cast::<sys::v4l2_querymenu>();
                // As webcams do, without item 2.
                let index = argument.index;
                if index == 2 {
                    return error(libc::EINVAL);
                }
                let mut name = [0; 32];
                name[..4].copy_from_slice(format!("mode{index}").get(..4).unwrap().as_bytes());
                argument.__bindgen_anon_1.name = name;
                return Ok(());
            }
            let list = &mut *argument.cast::<sys::v4l2_ext_controls>();
            assert_eq!(list.count, 1);
            let argument = &mut *list.controls;
            let id = argument.id;
            let control = self
                .controls
                .iter_mut()
                .find(|control| control.id == id)
                .unwrap();
            let wide = control.kind == sys::v4l2_ctrl_type_V4L2_CTRL_TYPE_INTEGER64;
            if number == S_EXT_CTRLS.number() {
                if control.flags & sys::V4L2_CTRL_FLAG_INACTIVE != 0 {
                    return error(libc::EACCES);
                }
                control.value = if wide {
                    argument.__bindgen_anon_1.value64
                } else {
                    argument.__bindgen_anon_1.value.into()
                };
                self.set.push((id, control.value));
            } else if wide {
                argument.__bindgen_anon_1.value64 = control.value;
            } else {
                argument.__bindgen_anon_1.value = i32::try_from(control.value).unwrap();
            }
        }
        Ok(())
    }
}
