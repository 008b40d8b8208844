//! What the camera does when it is asked: standard requests (USB 2.0, 9.4), its controls, and
//! what is agreed on the stream (Video Class 1.1, chapter 4). Pure.

use super::descriptors::{
    CLOCK, Format, INTERVALS, PAYLOAD, PROCESSING, RATES, SENSOR, SIZES, STREAM, STREAMING, find,
    frame_bytes,
};
use serde_json::{Value, json};

const SET_CUR: u8 = 0x01;
const GET_CUR: u8 = 0x81;
const GET_MIN: u8 = 0x82;
const GET_MAX: u8 = 0x83;
const GET_RES: u8 = 0x84;
const GET_LEN: u8 = 0x85;
const GET_INFO: u8 = 0x86;
const GET_DEF: u8 = 0x87;
/// Bits of the exposure mode: by hand, and by itself at a given aperture.
const MANUAL: u8 = 1;
const APERTURE_PRIORITY: u8 = 8;
/// Reasons for a refusal: not in this state, out of range, no such control, no such request.
const WRONG_STATE: u8 = 2;
const OUT_OF_RANGE: u8 = 4;
const NO_CONTROL: u8 = 6;
const NO_REQUEST: u8 = 7;

/// What the host has chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stream {
    pub format: Format,
    /// Place in `SIZES`.
    size: usize,
    /// Between frames, in 100 ns.
    pub interval: u32,
}

/// The camera, as its host can change it.
pub struct Functions {
    serial: String,
    probed: Stream,
    /// The stream that runs.
    pub stream: Option<Stream>,
    brightness: i16,
    mode: u8,
    exposure: u32,
    /// Why the last request was refused.
    refusal: u8,
}

impl Functions {
    pub fn new(serial: &str) -> Self {
        Self {
            serial: serial.to_owned(),
            probed: Stream {
                format: Format::Mjpeg,
                size: 0,
                interval: INTERVALS / RATES[0],
            },
            stream: None,
            brightness: 0,
            mode: APERTURE_PRIORITY,
            exposure: 156,
            refusal: 0,
        }
    }

    /// What the camera has been told.
    pub fn describe(&self) -> Value {
        json!({
            "serial": self.serial,
            "streaming": self.stream.map(|stream| format!("{:?}", stream.format)),
            "brightness": self.brightness,
            "auto_exposure": self.mode,
            "exposure": self.exposure,
        })
    }

    /// Answers a control request; `None`: refused.
    pub fn answer(&mut self, setup: [u8; 8], data: &[u8]) -> Option<Vec<u8>> {
        let [kind, request, low, high, interface, entity, length, more] = setup;
        let mut reply = match (kind, request) {
            // GET_STATUS, of the device, an interface or an endpoint.
            (0x80..=0x82, 0) => vec![0, 0],
            (0x80, 6) => find(high, low, &self.serial)?,
            // SET_CONFIGURATION, SET_INTERFACE
            (0, 9) | (1, 11) => Vec::new(),
            // CLEAR_FEATURE of the endpoint: how a host ends a stream that has no other setting.
            (2, 1) => {
                if interface == STREAM {
                    self.stream = None;
                }
                Vec::new()
            }
            (0x21, SET_CUR) | (0xa1, _) => {
                let done = self.class_request(request, interface, entity, high, data);
                // Asking why says nothing new.
                if (interface, entity, high) != (0, 0, 2) {
                    self.refusal = done.as_ref().err().copied().unwrap_or_default();
                }
                done.ok()?
            }
            _ => return None,
        };
        reply.truncate(usize::from(u16::from_le_bytes([length, more])));
        Some(reply)
    }

    fn class_request(
        &mut self,
        request: u8,
        interface: u8,
        entity: u8,
        control: u8,
        data: &[u8],
    ) -> Result<Vec<u8>, u8> {
        match (interface, entity, control) {
            (0, 0, 2) if request == GET_CUR => Ok(vec![self.refusal]),
            (0, SENSOR, 2) => self.exposure_mode(request, data),
            (0, SENSOR, 4) => {
                if request == SET_CUR && self.mode != MANUAL {
                    return Err(WRONG_STATE);
                }
                let mut value = self.exposure.into();
                let reply = number::<4>(request, data, &mut value, [1, 10_000, 1, 156])?;
                self.exposure = u32::try_from(value).map_err(|_| OUT_OF_RANGE)?;
                Ok(reply)
            }
            (0, PROCESSING, 2) => {
                let mut value = self.brightness.into();
                let reply = number::<2>(request, data, &mut value, [-64, 64, 1, 0])?;
                self.brightness = i16::try_from(value).map_err(|_| OUT_OF_RANGE)?;
                Ok(reply)
            }
            (STREAMING, 0, 1 | 2) => self.negotiate(request, control == 2, data),
            _ => Err(NO_CONTROL),
        }
    }

    fn exposure_mode(&mut self, request: u8, data: &[u8]) -> Result<Vec<u8>, u8> {
        match request {
            SET_CUR => match data {
                &[mode @ (MANUAL | APERTURE_PRIORITY)] => {
                    self.mode = mode;
                    Ok(Vec::new())
                }
                _ => Err(OUT_OF_RANGE),
            },
            GET_CUR => Ok(vec![self.mode]),
            GET_DEF => Ok(vec![APERTURE_PRIORITY]),
            // The modes that there are.
            GET_RES => Ok(vec![MANUAL | APERTURE_PRIORITY]),
            GET_INFO => Ok(vec![3]),
            GET_LEN => Ok(vec![1]),
            _ => Err(NO_REQUEST),
        }
    }

    /// Agrees on a stream; committing to it starts it.
    fn negotiate(&mut self, request: u8, commit: bool, data: &[u8]) -> Result<Vec<u8>, u8> {
        match request {
            SET_CUR => {
                let asked = Stream::nearest(data).ok_or(OUT_OF_RANGE)?;
                self.probed = asked;
                if commit {
                    self.stream = Some(asked);
                }
                Ok(Vec::new())
            }
            GET_CUR | GET_MIN | GET_MAX | GET_DEF => Ok(self.probed.bytes()),
            GET_INFO => Ok(vec![3]),
            GET_LEN => Ok(vec![34, 0]),
            _ => Err(NO_REQUEST),
        }
    }
}

impl Stream {
    /// What comes nearest to what a host asks for.
    fn nearest(asked: &[u8]) -> Option<Self> {
        let &[_, _, format, size, a, b, c, d, ..] = asked else {
            return None;
        };
        let asked = u32::from_le_bytes([a, b, c, d]);
        let intervals = RATES.map(|rate| INTERVALS / rate).into_iter();
        Some(Self {
            format: if format == Format::Yuyv as u8 {
                Format::Yuyv
            } else {
                Format::Mjpeg
            },
            size: usize::from(size).clamp(1, SIZES.len()) - 1,
            interval: intervals.min_by_key(|interval| interval.abs_diff(asked))?,
        })
    }

    /// As `PROBE` and `COMMIT` have it (Video Class 1.1, 4.3.1.1).
    fn bytes(self) -> Vec<u8> {
        let (width, height) = SIZES.get(self.size).copied().unwrap_or(SIZES[0]);
        let mut bytes = vec![1, 0, self.format as u8];
        bytes.extend((1..=u8::MAX).nth(self.size));
        bytes.extend(self.interval.to_le_bytes());
        bytes.extend([0; 10]);
        bytes.extend(frame_bytes(width, height).to_le_bytes());
        bytes.extend(PAYLOAD.to_le_bytes());
        bytes.extend(CLOCK.to_le_bytes());
        // Frames are told apart by both bits of the payload header.
        bytes.extend([3, 0, 0, 0]);
        bytes
    }
}

/// A control that is a number of `BYTES` bytes; `limits` are its least, greatest, step and default.
fn number<const BYTES: usize>(
    request: u8,
    data: &[u8],
    value: &mut i64,
    limits: [i64; 4],
) -> Result<Vec<u8>, u8> {
    let [min, max, step, default] = limits;
    let bytes = |value: i64| Ok(value.to_le_bytes()[..BYTES].to_vec());
    match request {
        SET_CUR => {
            let wanted: [u8; BYTES] = data.try_into().map_err(|_| OUT_OF_RANGE)?;
            // Its sign goes on to the left.
            let last = wanted.last().copied().unwrap_or_default();
            let mut wide = [if last & 0x80 == 0 { 0 } else { 0xff }; 8];
            wide[..BYTES].copy_from_slice(&wanted);
            let wanted = i64::from_le_bytes(wide);
            if !(min..=max).contains(&wanted) {
                return Err(OUT_OF_RANGE);
            }
            *value = wanted;
            Ok(Vec::new())
        }
        GET_CUR => bytes(*value),
        GET_MIN => bytes(min),
        GET_MAX => bytes(max),
        GET_RES => bytes(step),
        GET_DEF => bytes(default),
        GET_INFO => Ok(vec![3]),
        GET_LEN => Ok((BYTES as u64).to_le_bytes()[..2].to_vec()),
        _ => Err(NO_REQUEST),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROBE: u8 = 1;
    const COMMIT: u8 = 2;

    fn get(
        camera: &mut Functions,
        request: u8,
        control: u8,
        interface: u8,
        entity: u8,
    ) -> Option<Vec<u8>> {
        camera.answer([0xa1, request, 0, control, interface, entity, 64, 0], &[])
    }

    fn set(camera: &mut Functions, control: u8, interface: u8, entity: u8, data: &[u8]) -> bool {
        let setup = [0x21, SET_CUR, 0, control, interface, entity, 64, 0];
        camera.answer(setup, data).is_some()
    }

    #[test]
    fn the_host_s_wish_is_taken_as_near_as_possible() {
        let mut camera = Functions::new("A1");
        let mut wish = get(&mut camera, GET_DEF, PROBE, 1, 0).unwrap();
        assert_eq!(wish.len(), 34);
        assert_eq!((wish[2], wish[3]), (Format::Mjpeg as u8, 1));
        (wish[2], wish[3]) = (Format::Yuyv as u8, 2);
        wish[4..8].copy_from_slice(&(INTERVALS / 11).to_le_bytes());
        assert!(set(&mut camera, PROBE, 1, 0, &wish));
        let agreed = get(&mut camera, GET_CUR, PROBE, 1, 0).unwrap();
        assert_eq!(
            agreed[..8],
            [&[1, 0, 2, 2][..], &(INTERVALS / 10).to_le_bytes()].concat()
        );
        assert_eq!(agreed[18..22], (320_u32 * 180 * 2).to_le_bytes());
        assert_eq!(camera.stream, None);
        assert!(set(&mut camera, COMMIT, 1, 0, &agreed));
        assert_eq!(camera.stream.unwrap().format, Format::Yuyv);
        assert!(!set(&mut camera, COMMIT, 1, 0, &agreed[..7]));
        assert!(camera.answer([2, 1, 0, 0, STREAM, 0, 0, 0], &[]).is_some());
        assert_eq!(camera.stream, None);
    }

    #[test]
    fn controls_keep_to_their_range_and_state_and_say_why() {
        let mut camera = Functions::new("A1");
        let why = |camera: &mut Functions| get(camera, GET_CUR, 2, 0, 0).unwrap()[0];
        assert!(set(&mut camera, 2, 0, PROCESSING, &(-20_i16).to_le_bytes()));
        assert_eq!(
            get(&mut camera, GET_CUR, 2, 0, PROCESSING).unwrap(),
            (-20_i16).to_le_bytes()
        );
        assert!(!set(&mut camera, 2, 0, PROCESSING, &65_i16.to_le_bytes()));
        assert_eq!(why(&mut camera), OUT_OF_RANGE);
        assert_eq!(camera.describe()["brightness"], -20);

        let time = 100_u32.to_le_bytes();
        assert!(!set(&mut camera, 4, 0, SENSOR, &time));
        assert_eq!(why(&mut camera), WRONG_STATE);
        assert_eq!(why(&mut camera), WRONG_STATE, "asking changes nothing");
        assert!(set(&mut camera, 2, 0, SENSOR, &[MANUAL]));
        assert!(set(&mut camera, 4, 0, SENSOR, &time));
        assert_eq!(camera.describe()["exposure"], 100);
        assert_eq!(get(&mut camera, GET_CUR, 9, 0, SENSOR), None);
        assert_eq!(why(&mut camera), NO_CONTROL);
    }

    #[test]
    fn replies_are_as_long_as_the_host_has_room() {
        let mut camera = Functions::new("A1");
        let mut device = |length| {
            camera
                .answer([0x80, 6, 0, 1, 0, 0, length, 0], &[])
                .unwrap()
        };
        assert_eq!(device(8).len(), 8);
        assert_eq!(device(64).len(), 18);
        assert_eq!(camera.answer([0xc0, 1, 0, 0, 0, 0, 1, 0], &[]), None);
    }
}
