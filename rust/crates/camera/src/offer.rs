//! What a device says it can deliver, and which of it comes nearest to what is asked for.

use crate::format;
use crate::ioctl::{ENUM_FMT, ENUM_FRAMEINTERVALS, ENUM_FRAMESIZES, Queue, Zeroed, ioctl, text};
use crate::node::Node;
use edgeai_config::PixelFormat;
use std::cmp::Reverse;
use std::fmt;
use v4l::v4l_sys::{
    v4l2_fmtdesc, v4l2_fract, v4l2_frmivalenum,
    v4l2_frmivaltypes_V4L2_FRMIVAL_TYPE_DISCRETE as INTERVAL_DISCRETE, v4l2_frmsizeenum,
    v4l2_frmsizetypes_V4L2_FRMSIZE_TYPE_DISCRETE as SIZE_DISCRETE,
};

/// Bounds for drivers that never say that there is no more.
const MAX_FORMATS: u32 = 256;
const MAX_SIZES: u32 = 256;
const MAX_RATES: u32 = 64;

/// A pixel format that is offered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    pub code: u32,
    pub description: String,
}

/// Frame sizes: one, if `min` is `max`, or a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SizeRange {
    pub min: [u32; 2],
    pub max: [u32; 2],
    pub step: [u32; 2],
}

/// Frame rates in thousandths of a frame per second: one, if both are the same, or a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateRange {
    pub slowest: u64,
    pub fastest: u64,
}

/// The formats of a capture queue, in the driver's order; empty if it does not say.
pub fn formats(node: &dyn Node, queue: Queue) -> Vec<Offer> {
    let ask = |index| {
        let mut format = v4l2_fmtdesc::zeroed();
        (format.index, format.type_) = (index, queue.buffer_type());
        ioctl(node, &ENUM_FMT, &mut format).ok()?;
        Some(Offer {
            code: format.pixelformat,
            description: text(&format.description),
        })
    };
    (0..MAX_FORMATS).map_while(ask).collect()
}

/// The sizes of a format; empty if the driver does not say.
pub fn sizes(node: &dyn Node, code: u32) -> Vec<SizeRange> {
    let ask = |index| {
        let mut size = v4l2_frmsizeenum::zeroed();
        (size.index, size.pixel_format) = (index, code);
        ioctl(node, &ENUM_FRAMESIZES, &mut size).ok()?;
        // SAFETY: all members of the union are integers; `type_` says which is filled in.
        Some(unsafe {
            if size.type_ == SIZE_DISCRETE {
                let one = size.__bindgen_anon_1.discrete;
                SizeRange {
                    min: [one.width, one.height],
                    max: [one.width, one.height],
                    step: [1, 1],
                }
            } else {
                let range = size.__bindgen_anon_1.stepwise;
                SizeRange {
                    min: [range.min_width, range.min_height],
                    max: [range.max_width, range.max_height],
                    step: [range.step_width, range.step_height],
                }
            }
        })
    };
    (0..MAX_SIZES).map_while(ask).collect()
}

/// The rates of a format at a size; empty if the driver does not say.
pub fn rates(node: &dyn Node, code: u32, [width, height]: [u32; 2]) -> Vec<RateRange> {
    let ask = |index| {
        let mut interval = v4l2_frmivalenum::zeroed();
        (interval.index, interval.pixel_format) = (index, code);
        (interval.width, interval.height) = (width, height);
        ioctl(node, &ENUM_FRAMEINTERVALS, &mut interval).ok()?;
        // SAFETY: all members of the union are integers; `type_` says which is filled in.
        let (longest, shortest) = unsafe {
            if interval.type_ == INTERVAL_DISCRETE {
                let one = interval.__bindgen_anon_1.discrete;
                (one, one)
            } else {
                let range = interval.__bindgen_anon_1.stepwise;
                (range.max, range.min)
            }
        };
        Some(RateRange {
            slowest: millihertz(longest),
            fastest: millihertz(shortest),
        })
    };
    (0..MAX_RATES).map_while(ask).collect()
}

/// The rate of an interval in seconds.
fn millihertz(interval: v4l2_fract) -> u64 {
    u64::from(interval.denominator) * 1000 / u64::from(interval.numerator.max(1))
}

impl SizeRange {
    /// The size in the range that is nearest to `asked`.
    fn nearest(&self, asked: [u32; 2]) -> [u32; 2] {
        [0, 1].map(|side| {
            let (min, max) = (self.min[side], self.max[side].max(self.min[side]));
            let inside = asked[side].clamp(min, max);
            inside - (inside - min) % self.step[side].max(1)
        })
    }
}

impl fmt::Display for SizeRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { min, max, step } = self;
        write!(f, "{}x{}", min[0], min[1])?;
        if min != max {
            write!(f, " to {}x{}, step {}x{}", max[0], max[1], step[0], step[1])?;
        }
        Ok(())
    }
}

impl fmt::Display for RateRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&rate_text(self.slowest))?;
        if self.slowest != self.fastest {
            write!(f, " to {}", rate_text(self.fastest))?;
        }
        Ok(())
    }
}

/// `30`, `29.97`, `7.5`
fn rate_text(millihertz: u64) -> String {
    let hundredths = (millihertz + 5) / 10;
    let text = format!("{}.{:02}", hundredths / 100, hundredths % 100);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The nearest that a format comes to a size and rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reach {
    code: u32,
    /// `None`: the driver does not say.
    size: Option<[u32; 2]>,
    /// Thousandths of a frame per second. `None`: the driver does not say.
    rate: Option<u64>,
}

impl Reach {
    /// Asks the driver what `code` can do.
    pub fn of(node: &dyn Node, code: u32, asked: [u32; 2], fps: u32) -> Self {
        let size = sizes(node, code)
            .iter()
            .map(|range| range.nearest(asked))
            .min_by_key(|&size| distance(size, asked));
        let asked_rate = u64::from(fps) * 1000;
        let rate = rates(node, code, size.unwrap_or(asked))
            .iter()
            .map(|range| asked_rate.clamp(range.slowest, range.fastest.max(range.slowest)))
            .min_by_key(|rate| (rate.abs_diff(asked_rate), Reverse(*rate)));
        Self { code, size, rate }
    }

    /// Smaller is better: colour before grey, then the size, then the rate, then what is
    /// cheap to preprocess. What the driver does not say is taken to be as asked.
    pub fn order(&self, asked: [u32; 2], fps: u32) -> impl Ord + use<> {
        let grey = format::known(self.code).is_some_and(|(known, _)| known == PixelFormat::Grey);
        let off = self.size.map_or(0, |size| distance(size, asked));
        let asked_rate = u64::from(fps) * 1000;
        let short = match self.rate {
            // 29.97 is 30.
            Some(rate) if rate * 100 < asked_rate * 99 => asked_rate - rate,
            _ => 0,
        };
        (grey, off, short, format::rank(self.code))
    }
}

/// `YUYV 640x480@30`
impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&format::name(self.code))?;
        if let Some([width, height]) = self.size {
            write!(f, " {width}x{height}")?;
        }
        if let Some(rate) = self.rate {
            write!(f, "@{}", rate_text(rate))?;
        }
        Ok(())
    }
}

/// How far apart two sizes are.
fn distance(size: [u32; 2], asked: [u32; 2]) -> u64 {
    u64::from(size[0].abs_diff(asked[0])) + u64::from(size[1].abs_diff(asked[1]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reach(code: [u8; 4], size: Option<[u32; 2]>, rate: Option<u64>) -> Reach {
        Reach {
            code: u32::from_le_bytes(code),
            size,
            rate,
        }
    }

    fn best(offers: &[Reach], size: [u32; 2], fps: u32) -> String {
        let best = offers.iter().min_by_key(|reach| reach.order(size, fps));
        best.unwrap().to_string()
    }

    #[test]
    fn the_cheapest_that_reaches_size_and_rate_is_taken() {
        // A USB 2 webcam: what is not compressed is slow at large sizes.
        let offers = [
            reach(*b"MJPG", Some([1280, 720]), Some(30_000)),
            reach(*b"YUYV", Some([1280, 720]), Some(10_000)),
        ];
        assert_eq!(best(&offers, [1280, 720], 30), "MJPG 1280x720@30");
        assert_eq!(best(&offers, [1280, 720], 10), "YUYV 1280x720@10");
        // None reaches it: the nearer one.
        assert_eq!(best(&offers, [1280, 720], 60), "MJPG 1280x720@30");
        // The size counts before the rate.
        let small = [offers[0], reach(*b"NV12", Some([640, 480]), Some(60_000))];
        assert_eq!(best(&small, [1280, 720], 60), "MJPG 1280x720@30");
    }

    #[test]
    fn colour_is_taken_before_grey_and_silence_for_consent() {
        let grey = reach(*b"GREY", Some([640, 480]), Some(30_000));
        assert_eq!(
            best(&[grey, reach(*b"MJPG", None, None)], [640, 480], 30),
            "MJPG"
        );
        assert_eq!(best(&[grey], [640, 480], 30), "GREY 640x480@30");
        let ntsc = reach(*b"NV12", None, Some(29_970));
        assert_eq!(
            best(&[reach(*b"YUYV", None, None), ntsc], [640, 480], 30),
            "NV12@29.97"
        );
    }

    #[test]
    fn the_nearest_size_of_a_range_keeps_its_steps() {
        let range = SizeRange {
            min: [320, 180],
            max: [1920, 1080],
            step: [16, 2],
        };
        assert_eq!(range.nearest([645, 481]), [640, 480]);
        assert_eq!(range.nearest([16, 4000]), [320, 1080]);
        let nonsense = SizeRange {
            min: [8, 8],
            max: [4, 4],
            step: [0, 0],
        };
        assert_eq!(nonsense.nearest([640, 480]), [8, 8]);
    }

    #[test]
    fn rates_are_short() {
        let rate = |numerator, denominator| {
            rate_text(millihertz(v4l2_fract {
                numerator,
                denominator,
            }))
        };
        assert_eq!(rate(1, 30), "30");
        assert_eq!(rate(2, 15), "7.5");
        assert_eq!(rate(1001, 30000), "29.97");
        assert_eq!(rate(1, 100), "100");
        assert_eq!(rate(0, 30), "30", "nonsense does not divide by zero");
    }
}
