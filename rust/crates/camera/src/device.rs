//! Opening a capture node and agreeing on what it delivers.

use crate::ioctl::{
    ENUM_FMT, ENUMINPUT, G_INPUT, G_PARM, QUERY_DV_TIMINGS, QUERYCAP, S_DV_TIMINGS, S_FMT, S_PARM,
    Zeroed, ioctl,
};
use crate::{CameraError, Negotiated};
use edgeai_config::PixelFormat;
use std::io;
use v4l::Device;
use v4l::v4l_sys::{
    V4L2_CAP_DEVICE_CAPS, V4L2_CAP_STREAMING, V4L2_CAP_TIMEPERFRAME, V4L2_CAP_VIDEO_CAPTURE,
    V4L2_DV_BT_656_1120, V4L2_IN_CAP_DV_TIMINGS, v4l2_buf_type_V4L2_BUF_TYPE_VIDEO_CAPTURE,
    v4l2_capability, v4l2_dv_timings, v4l2_field_V4L2_FIELD_NONE, v4l2_fmtdesc, v4l2_format,
    v4l2_fract, v4l2_input, v4l2_streamparm,
};

/// `V4L2_BUF_TYPE_VIDEO_CAPTURE`.
pub const CAPTURE: u32 = v4l2_buf_type_V4L2_BUF_TYPE_VIDEO_CAPTURE;

/// The V4L2 code of a pixel format.
pub fn fourcc(format: PixelFormat) -> u32 {
    u32::from_le_bytes(match format {
        PixelFormat::Yuyv => *b"YUYV",
        PixelFormat::Rgb24 => *b"RGB3",
    })
}

/// A V4L2 code for people; bit 31 marks big-endian formats.
pub fn fourcc_name(code: u32) -> String {
    let letters = (code & 0x7fff_ffff).to_le_bytes();
    let mut name: String = letters.iter().map(|&byte| char::from(byte)).collect();
    name.truncate(name.trim_end().len());
    if code >> 31 == 1 {
        name.push_str("-BE");
    }
    name
}

/// Bytes of one pixel in memory.
pub fn bytes_per_pixel(format: PixelFormat) -> usize {
    match format {
        PixelFormat::Yuyv => 2,
        PixelFormat::Rgb24 => 3,
    }
}

/// Opens the node and sets it up.
pub fn negotiate(asked: &edgeai_config::Camera) -> Result<(Device, Negotiated), CameraError> {
    let name = asked.device.display();
    if asked.device.as_os_str().as_encoded_bytes().contains(&0) {
        return Err(CameraError::Unusable(format!(
            "{name}: a path cannot contain NUL"
        )));
    }
    // The crate opens without blocking, which is what lets the queue be emptied.
    let device = Device::with_path(&asked.device).map_err(|error| match error.raw_os_error() {
        Some(libc::ENOENT | libc::ENODEV | libc::ENXIO) => {
            CameraError::Missing(format!("{name}: {error}"))
        }
        _ => CameraError::Unusable(format!("{name}: {error}")),
    })?;
    let fd = device.handle().fd();
    let unusable = |what: &str, error: &io::Error| match error.raw_os_error() {
        Some(libc::ENODEV) => CameraError::Missing(format!("{name}: {error}")),
        Some(libc::EBUSY) => {
            CameraError::Unusable(format!("{name}: {what}: used by another program"))
        }
        _ => CameraError::Unusable(format!("{name}: {what}: {error}")),
    };
    if !can_stream(fd).map_err(|error| unusable("no V4L2 device", &error))? {
        return Err(CameraError::Unusable(format!(
            "{name}: not a single-planar capture device"
        )));
    }
    let signal_fps = follow_signal(fd).map_err(|error| match error.raw_os_error() {
        Some(libc::ENOLINK) => CameraError::Missing(format!("{name}: no signal at its input")),
        Some(libc::ENOLCK) => CameraError::Missing(format!("{name}: unstable signal at its input")),
        Some(libc::ERANGE) => CameraError::Unusable(format!("{name}: signal out of its range")),
        _ => unusable("timings of the signal", &error),
    })?;
    let offered = formats(fd);
    let format = set_format(fd, asked).map_err(|error| unusable("pixel format", &error))?;
    if format.code != fourcc(asked.format) {
        return Err(CameraError::Unusable(format!(
            "{name}: no pixel format {}; it offers {offered}",
            fourcc_name(fourcc(asked.format))
        )));
    }
    let [width, height] = asked.size;
    let negotiated = Negotiated {
        asked: format!(
            "{} {width}x{height}@{}",
            fourcc_name(fourcc(asked.format)),
            asked.fps
        ),
        offered,
        format: asked.format,
        width: format.width,
        height: format.height,
        stride: format.stride,
        fps: set_rate(fd, asked.fps).or(signal_fps),
    };
    Ok((device, negotiated))
}

fn can_stream(fd: i32) -> io::Result<bool> {
    let mut capability = v4l2_capability::zeroed();
    ioctl(fd, &QUERYCAP, &mut capability)?;
    // `capabilities` is of the whole hardware; `device_caps`, where present, of this node.
    let node = if capability.capabilities & V4L2_CAP_DEVICE_CAPS == 0 {
        capability.capabilities
    } else {
        capability.device_caps
    };
    let needed = V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING;
    Ok(node & needed == needed)
}

/// On an input that receives a digital video signal: sets the receiver to the signal's timings,
/// which the driver does not do by itself, and returns its frames per second.
fn follow_signal(fd: i32) -> io::Result<Option<f64>> {
    let mut index = 0;
    if ioctl(fd, &G_INPUT, &mut index).is_err() {
        return Ok(None); // a driver without inputs
    }
    let mut input = v4l2_input::zeroed();
    input.index = index.cast_unsigned();
    if ioctl(fd, &ENUMINPUT, &mut input).is_err()
        || input.capabilities & V4L2_IN_CAP_DV_TIMINGS == 0
    {
        return Ok(None);
    }
    let mut timings = v4l2_dv_timings::zeroed();
    match ioctl(fd, &QUERY_DV_TIMINGS, &mut timings) {
        Ok(()) => ioctl(fd, &S_DV_TIMINGS, &mut timings)?,
        // The receiver cannot measure: it stays at the timings somebody else has set.
        Err(error) if matches!(error.raw_os_error(), Some(libc::ENOTTY | libc::ENODATA)) => {
            return Ok(None);
        }
        Err(error) => return Err(error),
    }
    Ok(frames_per_second(&timings))
}

fn frames_per_second(timings: &v4l2_dv_timings) -> Option<f64> {
    if timings.type_ != V4L2_DV_BT_656_1120 {
        return None;
    }
    // SAFETY: `type_` says which member of the union is filled in; all members are integers.
    let bt = unsafe { timings.__bindgen_anon_1.bt };
    let sum = |parts: [u32; 4]| parts.into_iter().map(f64::from).sum::<f64>();
    let line = sum([bt.width, bt.hfrontporch, bt.hsync, bt.hbackporch]);
    let frame = sum([bt.height, bt.vfrontporch, bt.vsync, bt.vbackporch]);
    #[allow(clippy::cast_precision_loss)] // pixel clocks are far below 2^53 Hz
    let clock = bt.pixelclock as f64;
    (clock > 0.0 && line * frame > 0.0).then(|| clock / (line * frame))
}

/// The codes of all formats offered, for people.
fn formats(fd: i32) -> String {
    let mut names = Vec::new();
    // Bounded, for drivers that never say that there is no more.
    for index in 0..64 {
        let mut description = v4l2_fmtdesc::zeroed();
        description.index = index;
        description.type_ = CAPTURE;
        if ioctl(fd, &ENUM_FMT, &mut description).is_err() {
            break;
        }
        names.push(fourcc_name(description.pixelformat));
    }
    if names.is_empty() {
        "nothing".into()
    } else {
        names.join(" ")
    }
}

struct Format {
    code: u32,
    width: u32,
    height: u32,
    stride: usize,
}

fn set_format(fd: i32, asked: &edgeai_config::Camera) -> io::Result<Format> {
    let mut format = v4l2_format::zeroed();
    format.type_ = CAPTURE;
    // Stride and image size stay 0: the driver's own are the ones that count.
    // SAFETY: `type_` makes `pix` the member of the union in use; all members are integers.
    let pix = unsafe { &mut format.fmt.pix };
    [pix.width, pix.height] = asked.size;
    pix.pixelformat = fourcc(asked.format);
    pix.field = v4l2_field_V4L2_FIELD_NONE;
    ioctl(fd, &S_FMT, &mut format)?;
    // SAFETY: as above; the driver filled it in.
    let pix = unsafe { format.fmt.pix };
    Ok(Format {
        code: pix.pixelformat,
        width: pix.width,
        height: pix.height,
        stride: (pix.bytesperline as usize).max(pix.width as usize * bytes_per_pixel(asked.format)),
    })
}

/// Asks for a rate and returns the one in force; `None` where the driver has no say in it.
fn set_rate(fd: i32, fps: u32) -> Option<f64> {
    let mut parameters = v4l2_streamparm::zeroed();
    parameters.type_ = CAPTURE;
    ioctl(fd, &G_PARM, &mut parameters).ok()?;
    // SAFETY: `type_` makes `capture` the member of the union in use; all members are integers.
    let capture = unsafe { &mut parameters.parm.capture };
    if capture.capability & V4L2_CAP_TIMEPERFRAME != 0 {
        capture.timeperframe = v4l2_fract {
            numerator: 1,
            denominator: fps,
        };
        ioctl(fd, &S_PARM, &mut parameters).ok()?;
    }
    // SAFETY: as above.
    let interval = unsafe { parameters.parm.capture.timeperframe };
    let known = interval.numerator > 0 && interval.denominator > 0;
    known.then(|| f64::from(interval.denominator) / f64::from(interval.numerator))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_named_as_v4l2_names_them() {
        assert_eq!(fourcc_name(fourcc(PixelFormat::Yuyv)), "YUYV");
        assert_eq!(
            fourcc_name(u32::from_le_bytes(*b"Y16 ") | 1 << 31),
            "Y16-BE"
        );
    }

    #[test]
    fn the_rate_of_a_signal_comes_from_its_clock_and_blanking() {
        let mut timings = v4l2_dv_timings::zeroed();
        timings.type_ = V4L2_DV_BT_656_1120;
        assert_eq!(frames_per_second(&timings), None);
        // CEA-861 1280x720p60.
        timings.__bindgen_anon_1.bt.width = 1280;
        // SAFETY: the bytes are a zeroed `bt` in which only integers are set.
        let bt = unsafe { &mut timings.__bindgen_anon_1.bt };
        (bt.height, bt.pixelclock) = (720, 74_250_000);
        (bt.hfrontporch, bt.hsync, bt.hbackporch) = (110, 40, 220);
        (bt.vfrontporch, bt.vsync, bt.vbackporch) = (5, 5, 20);
        assert_eq!(frames_per_second(&timings), Some(60.0));
    }
}
