//! Raw samples into numbers.

use edgeai_config::SampleType;

/// How a sample lies in memory: as the `_type` of an IIO scan element says
/// (`Documentation/ABI/testing/sysfs-bus-iio`), or as a register's [`SampleType`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// 1 ..= 8
    pub bytes: usize,
    pub big_endian: bool,
    pub signed: bool,
    /// Bits that count, after `shift`; 1 ..= 64.
    pub bits: u32,
    /// Bits shifted out to the right first; `shift + bits` is at most 8 × `bytes`.
    pub shift: u32,
}

impl Layout {
    /// Reads `[be|le]:[s|u]bits/storagebits[Xrepeat][>>shift]`.
    pub fn of_scan_element(text: &str) -> Result<Self, String> {
        parse(text.trim()).ok_or_else(|| format!("unknown sample type {text:?}"))
    }

    /// A register's layout; `shift` is less than its bits.
    pub fn of_register(sample: SampleType, shift: u8) -> Result<Self, String> {
        use SampleType::{
            S8, S16be, S16le, S24be, S32be, S32le, U8, U16be, U16le, U24be, U32be, U32le,
        };
        let bytes = match sample {
            U8 | S8 => 1,
            U16le | U16be | S16le | S16be => 2,
            U24be | S24be => 3,
            U32le | U32be | S32le | S32be => 4,
        };
        let (shift, all) = (u32::from(shift), bytes * 8);
        if shift >= all {
            return Err(format!("shift {shift} leaves none of {all} bits"));
        }
        Ok(Self {
            bytes: bytes as usize,
            big_endian: matches!(sample, U16be | S16be | U24be | S24be | U32be | S32be),
            signed: matches!(sample, S8 | S16le | S16be | S24be | S32le | S32be),
            bits: all - shift,
            shift,
        })
    }

    /// The whole number in the first `bytes` of `from`; `None` if there are fewer. Numbers beyond
    /// ±2^53 lose their last bits.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_wrap,
        reason = "the sign bit is moved to the top, and precision is stated"
    )]
    pub fn decode(&self, from: &[u8]) -> Option<f64> {
        let bytes = from.get(..self.bytes)?;
        let join = |word: u64, byte: &u8| word << 8 | u64::from(*byte);
        let word = if self.big_endian {
            bytes.iter().fold(0, join)
        } else {
            bytes.iter().rev().fold(0, join)
        };
        // The bits that count at the top, so that shifting back fills with zeros or the sign.
        let spare = 64_u32.checked_sub(self.bits)?;
        let top = word.checked_shr(self.shift)?.checked_shl(spare)?;
        Some(if self.signed {
            ((top as i64) >> spare) as f64
        } else {
            (top >> spare) as f64
        })
    }
}

fn parse(text: &str) -> Option<Layout> {
    let (order, rest) = text.split_once(':')?;
    let big_endian = match order {
        "be" => true,
        "le" => false,
        _ => return None,
    };
    let signed = match rest.chars().next()? {
        's' => true,
        'u' => false,
        _ => return None,
    };
    let (bits, rest) = rest.get(1..)?.split_once('/')?;
    let (storage, shift) = rest.split_once(">>").unwrap_or((rest, "0"));
    // A repeat above 1 is a vector (a quaternion); no channel of the description is one.
    let storage: u32 = storage.strip_suffix("X1").unwrap_or(storage).parse().ok()?;
    let (bits, shift): (u32, u32) = (bits.parse().ok()?, shift.parse().ok()?);
    let fits = bits >= 1 && bits.checked_add(shift)? <= storage;
    (matches!(storage, 8 | 16 | 32 | 64) && fits).then_some(Layout {
        bytes: storage as usize / 8,
        big_endian,
        signed,
        bits,
        shift,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(layout: &str, bytes: &[u8]) -> Option<f64> {
        Layout::of_scan_element(layout).unwrap().decode(bytes)
    }

    #[test]
    fn scan_elements_as_the_kernel_describes_them() {
        // The example of the ABI's text: 12 bits in the upper part of 16.
        assert_eq!(decode("le:s12/16>>4", &[0xF0, 0xFF]), Some(-1.0));
        assert_eq!(decode("le:s12/16>>4", &[0x1F, 0x00]), Some(1.0));
        assert_eq!(decode("le:u12/16>>4", &[0xF0, 0xFF]), Some(4095.0));
        assert_eq!(decode("be:s16/16>>0", &[0x80, 0x00]), Some(-32768.0));
        assert_eq!(decode("be:u24/32>>8\n", &[1, 2, 3, 99]), Some(66051.0));
        assert_eq!(
            decode("le:s64/64>>0", &[0xFE; 8]),
            Some(-72_340_172_838_076_674.0)
        );
        assert_eq!(decode("le:u16/16X1>>0", &[2, 1]), Some(258.0));
        assert_eq!(decode("le:s16/16", &[0xFF, 0xFF]), Some(-1.0));
        assert_eq!(decode("le:s16/16", &[0xFF]), None, "cut off");
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in [
            "",
            "le",
            "le:s16",
            "xe:s16/16",
            "le:f32/32",
            "le:s0/16",
            "le:s17/16",
            "le:s12/16>>5",
            "le:s16/24",
            "le:s16/16X4>>0",
            "le:s-1/16",
            "le:s16/16>>-1",
            "le:s4294967295/16>>1",
        ] {
            assert!(Layout::of_scan_element(text).is_err(), "{text}");
        }
    }

    #[test]
    fn registers_of_every_type() {
        let bytes = [0x81, 0x02, 0x03, 0x84];
        for (sample, expected) in [
            (SampleType::U8, 129.0),
            (SampleType::S8, -127.0),
            (SampleType::U16le, 641.0),
            (SampleType::U16be, 33026.0),
            (SampleType::S16le, 641.0),
            (SampleType::S16be, -32510.0),
            (SampleType::U24be, 8_454_659.0),
            (SampleType::S24be, -8_322_557.0),
            (SampleType::U32le, 2_214_789_761.0),
            (SampleType::U32be, 2_164_392_836.0),
            (SampleType::S32le, -2_080_177_535.0),
            (SampleType::S32be, -2_130_574_460.0),
        ] {
            let layout = Layout::of_register(sample, 0).unwrap();
            assert_eq!(layout.decode(&bytes), Some(expected), "{sample:?}");
        }
    }

    #[test]
    fn a_left_justified_register_keeps_its_sign() {
        let layout = Layout::of_register(SampleType::S16be, 4).unwrap();
        assert_eq!(layout.decode(&[0xFF, 0xF0]), Some(-1.0));
        assert!(Layout::of_register(SampleType::U8, 8).is_err());
    }
}
