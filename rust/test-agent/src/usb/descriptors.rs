//! What the camera says of itself (USB 2.0, chapter 9; Video Class 1.1, chapter 3). All numbers
//! are little-endian.

/// Sizes that it has, for each format.
pub const SIZES: [(u16, u16); 2] = [(640, 480), (320, 180)];
/// Frames per second that it has, for each size.
pub const RATES: [u32; 4] = [30, 15, 10, 5];
/// Ticks per second of its clock, from which time stamps are.
pub const CLOCK: u32 = 1_000_000;
/// Units of an interval in a second.
pub const INTERVALS: u32 = 10_000_000;
/// Most bytes of one payload, header included: as many as Linux takes in one transfer.
pub const PAYLOAD: u32 = 32 * PACKET as u32;
/// Address of the endpoint that the frames come from.
pub const STREAM: u8 = 0x81;
/// What controls are addressed by: the camera's sensor and its processing.
pub const SENSOR: u8 = 1;
pub const PROCESSING: u8 = 2;
/// The streaming interface; the other one, 0, is for controls.
pub const STREAMING: u8 = 1;

/// Formats, by their number in `PROBE` and `COMMIT`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Mjpeg = 1,
    Yuyv = 2,
}

/// Bytes of a packet on a high-speed bulk endpoint.
const PACKET: u16 = 512;
const OUTPUT: u8 = 3;
const VIDEO: u8 = 14;
/// Descriptor types: interface of the class.
const CLASS_INTERFACE: u8 = 0x24;
/// The product number that pid.codes sets aside for tests.
const VENDOR: u16 = 0x1209;
const PRODUCT: u16 = 0x0001;
const NAMES: [&str; 2] = ["edgeai", "UVC camera"];
const ENGLISH: u16 = 0x0409;

/// A descriptor; its first byte is its length.
fn descriptor(body: &[&[u8]]) -> Vec<u8> {
    let mut bytes = vec![0];
    bytes.extend(body.concat());
    bytes[0] = u8::try_from(bytes.len()).unwrap_or(u8::MAX);
    bytes
}

/// The descriptor of a type and number, if there is one; `serial` is the camera's serial number.
pub fn find(kind: u8, number: u8, serial: &str) -> Option<Vec<u8>> {
    const DEVICE: u8 = 1;
    const CONFIGURATION: u8 = 2;
    const STRING: u8 = 3;
    match (kind, number) {
        (DEVICE, _) => Some(device()),
        (CONFIGURATION, 0) => Some(configuration()),
        (STRING, 0) => Some(descriptor(&[&[STRING], &ENGLISH.to_le_bytes()])),
        (STRING, _) => {
            let [vendor, product] = NAMES;
            let names = [vendor, product, serial];
            let name = names.get(usize::from(number) - 1)?;
            let letters = name.encode_utf16().flat_map(u16::to_le_bytes);
            Some(descriptor(&[&[STRING], &letters.collect::<Vec<_>>()]))
        }
        _ => None,
    }
}

fn device() -> Vec<u8> {
    descriptor(&[
        // USB 2.0; several interfaces belong together; 64 bytes in a control packet.
        &[1, 0x00, 0x02, 0xef, 2, 1, 64],
        &VENDOR.to_le_bytes(),
        &PRODUCT.to_le_bytes(),
        // Version 1.0; vendor, product and serial number are strings 1, 2 and 3; one configuration.
        &[0x00, 0x01, 1, 2, 3, 1],
    ])
}

fn configuration() -> Vec<u8> {
    let body = [
        // Interfaces 0 and 1 are one function.
        descriptor(&[&[11, 0, 2, VIDEO, 3, 0, 0]]),
        descriptor(&[&[4, 0, 0, 0, VIDEO, 1, 0, 0]]),
        control(),
        descriptor(&[&[4, STREAMING, 0, 1, VIDEO, 2, 0, 0]]),
        streaming(),
        // Bulk.
        descriptor(&[&[5, STREAM, 2], &PACKET.to_le_bytes(), &[0]]),
    ]
    .concat();
    let total = length(9 + body.len());
    // Two interfaces, configuration 1, powered by the bus, 500 mA.
    let mut bytes = descriptor(&[&[2], &total, &[2, 1, 0, 0x80, 250]]);
    bytes.extend(body);
    bytes
}

/// Of the control interface: sensor, processing, output, in a row.
fn control() -> Vec<u8> {
    let units = [
        // A camera's sensor, with exposure mode (bit 1) and exposure time (bit 3).
        descriptor(&[
            &[CLASS_INTERFACE, 2, SENSOR, 0x01, 0x02, 0, 0],
            &[0; 6],
            &[3, 0x0a, 0, 0],
        ]),
        // With brightness (bit 0).
        descriptor(&[&[CLASS_INTERFACE, 5, PROCESSING, SENSOR, 0, 0, 2, 1, 0, 0, 0]]),
        descriptor(&[&[CLASS_INTERFACE, 3, OUTPUT, 0x01, 0x01, 0, PROCESSING, 0]]),
    ]
    .concat();
    let total = length(13 + units.len());
    let mut bytes = descriptor(&[
        // Version 1.1.
        &[CLASS_INTERFACE, 1, 0x10, 0x01],
        &total,
        &CLOCK.to_le_bytes(),
        &[1, STREAMING],
    ]);
    bytes.extend(units);
    bytes
}

/// Of the streaming interface: formats and sizes.
fn streaming() -> Vec<u8> {
    // 'YUY2' and what follows in all such names (Video Class 1.1, Uncompressed Payload, 2.1).
    const YUY2: [u8; 16] = [
        0x59, 0x55, 0x59, 0x32, 0, 0, 0x10, 0, 0x80, 0, 0, 0xaa, 0, 0x38, 0x9b, 0x71,
    ];
    let [count, _] = length(SIZES.len());
    let formats = [
        descriptor(&[&[
            CLASS_INTERFACE,
            6,
            Format::Mjpeg as u8,
            count,
            0,
            1,
            0,
            0,
            0,
            0,
        ]]),
        sizes(7),
        colours(),
        descriptor(&[
            &[CLASS_INTERFACE, 4, Format::Yuyv as u8, count],
            &YUY2,
            &[16, 1, 0, 0, 0, 0],
        ]),
        sizes(5),
        colours(),
    ]
    .concat();
    let total = length(15 + formats.len());
    let mut bytes = descriptor(&[
        &[CLASS_INTERFACE, 1, 2],
        &total,
        &[STREAM, 0, OUTPUT, 0, 0, 0, 1, 0, 0],
    ]);
    bytes.extend(formats);
    bytes
}

/// The sizes of a format, each with the same rates.
fn sizes(kind: u8) -> Vec<u8> {
    let intervals = RATES.map(|rate| (INTERVALS / rate).to_le_bytes()).concat();
    let mut bytes = Vec::new();
    for (number, (width, height)) in (1..).zip(SIZES) {
        let frame = frame_bytes(width, height);
        let rate = |rate: u32| (frame * 8 * rate).to_le_bytes();
        bytes.extend(descriptor(&[
            &[CLASS_INTERFACE, kind, number, 0],
            &width.to_le_bytes(),
            &height.to_le_bytes(),
            &rate(RATES[RATES.len() - 1]),
            &rate(RATES[0]),
            &frame.to_le_bytes(),
            &intervals[..4],
            &length(RATES.len())[..1],
            &intervals,
        ]));
    }
    bytes
}

/// BT.601 luma and chroma from BT.709 primaries, as UVC has it where nothing is said.
fn colours() -> Vec<u8> {
    descriptor(&[&[CLASS_INTERFACE, 13, 1, 1, 4]])
}

/// Bytes of the largest frame.
pub fn frame_bytes(width: u16, height: u16) -> u32 {
    u32::from(width) * u32::from(height) * 2
}

fn length(bytes: usize) -> [u8; 2] {
    u16::try_from(bytes).unwrap_or(u16::MAX).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Walks through descriptors; each begins with its length and type.
    fn walk(mut bytes: &[u8]) -> Vec<&[u8]> {
        let mut found = Vec::new();
        while let [length, ..] = bytes {
            let (one, rest) = bytes.split_at(usize::from(*length));
            found.push(one);
            bytes = rest;
        }
        found
    }

    #[test]
    fn lengths_and_totals_agree() {
        assert_eq!(find(1, 0, "").unwrap().len(), 18);
        let all = find(2, 0, "").unwrap();
        let total =
            |part: &[u8], at: usize| usize::from(u16::from_le_bytes([part[at], part[at + 1]]));
        assert_eq!(total(&all, 2), all.len());
        let parts = walk(&all);
        // Lengths that the specifications name.
        let expected = [
            9, 8, 9, 13, 18, 12, 9, 9, 15, 11, 42, 42, 6, 27, 42, 42, 6, 7,
        ];
        assert_eq!(
            parts.iter().map(|part| part.len()).collect::<Vec<_>>(),
            expected
        );
        let sum = |range: std::ops::Range<usize>| {
            parts[range].iter().map(|part| part.len()).sum::<usize>()
        };
        assert_eq!(total(parts[3], 5), sum(3..7), "control");
        assert_eq!(total(parts[8], 4), sum(8..17), "streaming");
    }

    #[test]
    fn strings_are_utf_16() {
        assert_eq!(find(3, 3, "A1").unwrap(), [6, 3, b'A', 0, b'1', 0]);
        assert_eq!(find(3, 4, "A1"), None);
        assert_eq!(find(6, 0, ""), None, "no other speed");
    }
}
