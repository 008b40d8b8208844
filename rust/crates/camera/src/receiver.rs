//! Inputs that receive a digital video signal (HDMI and the like).

use crate::ioctl::{ENUMINPUT, G_INPUT, QUERY_DV_TIMINGS, S_DV_TIMINGS, Zeroed, ioctl};
use crate::node::Node;
use std::io;
use v4l::v4l_sys::{V4L2_DV_BT_656_1120, V4L2_IN_CAP_DV_TIMINGS, v4l2_dv_timings, v4l2_input};

/// On an input that receives a digital video signal: sets the receiver to the signal's timings,
/// which the driver does not do by itself, and returns its frames per second.
pub fn follow_signal(node: &dyn Node) -> io::Result<Option<f64>> {
    let mut index = 0;
    if ioctl(node, &G_INPUT, &mut index).is_err() {
        return Ok(None); // a driver without inputs
    }
    let mut input = v4l2_input::zeroed();
    input.index = index.cast_unsigned();
    if ioctl(node, &ENUMINPUT, &mut input).is_err()
        || input.capabilities & V4L2_IN_CAP_DV_TIMINGS == 0
    {
        return Ok(None);
    }
    let mut timings = v4l2_dv_timings::zeroed();
    match ioctl(node, &QUERY_DV_TIMINGS, &mut timings) {
        Ok(()) => ioctl(node, &S_DV_TIMINGS, &mut timings)?,
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

#[cfg(test)]
mod tests {
    use super::*;

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
