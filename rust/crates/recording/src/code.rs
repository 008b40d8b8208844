//! Numbers that stand for formats, colours and days.

use edgeai_config::{Colour, Day, Matrix, PixelFormat, Range};

const FORMATS: [PixelFormat; 9] = [
    PixelFormat::Yuyv,
    PixelFormat::Uyvy,
    PixelFormat::Nv12,
    PixelFormat::Nv21,
    PixelFormat::Yu12,
    PixelFormat::Grey,
    PixelFormat::Rgb24,
    PixelFormat::Bgr24,
    PixelFormat::Mjpeg,
];

const DAYS: [Day; 7] = [
    Day::Mon,
    Day::Tue,
    Day::Wed,
    Day::Thu,
    Day::Fri,
    Day::Sat,
    Day::Sun,
];

fn number_of<T: PartialEq>(all: &[T], one: &T) -> u8 {
    let place = all.iter().position(|other| other == one);
    // The lists are complete and short.
    place
        .and_then(|place| u8::try_from(place).ok())
        .unwrap_or(u8::MAX)
}

pub(crate) fn of_format(format: PixelFormat) -> u8 {
    number_of(&FORMATS, &format)
}

pub(crate) fn format(code: u8) -> Result<PixelFormat, &'static str> {
    let format = FORMATS.get(usize::from(code));
    format.copied().ok_or("no such pixel format")
}

pub(crate) fn of_day(day: Day) -> u8 {
    number_of(&DAYS, &day)
}

pub(crate) fn day(code: u8) -> Result<Day, &'static str> {
    DAYS.get(usize::from(code)).copied().ok_or("no such day")
}

pub(crate) fn of_colour(colour: Colour) -> [u8; 2] {
    [
        u8::from(colour.matrix == Matrix::Bt709),
        u8::from(colour.range == Range::Full),
    ]
}

pub(crate) fn colour(matrix: u8, range: u8) -> Result<Colour, &'static str> {
    Ok(Colour {
        matrix: match matrix {
            0 => Matrix::Bt601,
            1 => Matrix::Bt709,
            _ => return Err("no such matrix"),
        },
        range: match range {
            0 => Range::Limited,
            1 => Range::Full,
            _ => return Err("no such range"),
        },
    })
}
