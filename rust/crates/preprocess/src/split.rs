//! Rows of YUYV and UYVY as a row of luma and one of chroma pairs.
//!
//! Side by side, the neighbours of a group of columns are twice as far apart, or four times, as in a
//! plane: soon too far for one window. Where that is so, rows are taken apart first.

use crate::kernel::Kernels;
use crate::taps::Row;
use crate::{PixelFormat, PlaneRef};

/// "Planes" of a row that was taken apart.
pub(crate) const LUMA: usize = 0;
/// U and V in turn.
pub(crate) const CHROMA: usize = 1;

/// The source rows that a target row is made of, taken apart.
pub(crate) struct Split {
    /// First byte and number of bytes of a row of the frame.
    bytes: [usize; 2],
    luma_first: bool,
    held: [Held; 2],
}

struct Held {
    row: Option<usize>,
    /// By [`LUMA`] and [`CHROMA`].
    parts: [Box<[u8]>; 2],
}

impl Split {
    /// For `bytes` (first and number) of each row, from a luma or chroma byte of an even column on.
    pub(crate) fn new(format: PixelFormat, bytes: [usize; 2]) -> Self {
        let luma_first = format == PixelFormat::Yuyv;
        let [even, odd] = [bytes[1].div_ceil(2), bytes[1] / 2];
        let lengths = if luma_first { [even, odd] } else { [odd, even] };
        let held = || Held {
            row: None,
            parts: lengths.map(|length| vec![0; length].into_boxed_slice()),
        };
        Self {
            bytes,
            luma_first,
            held: [held(), held()],
        }
    }

    /// A new frame: what is held is of another.
    pub(crate) fn forget(&mut self) {
        self.held.iter_mut().for_each(|held| held.row = None);
    }

    /// First byte and number of bytes that are read of a row of the frame.
    pub(crate) const fn bytes(&self) -> [usize; 2] {
        self.bytes
    }

    /// Takes the two source rows apart, unless the target row before has left them.
    pub(crate) fn hold(&mut self, kernels: &Kernels, frame: PlaneRef<'_>, rows: Row) {
        let wanted = [rows.upper, rows.lower];
        for row in wanted {
            if self.held.iter().any(|held| held.row == Some(row)) {
                continue;
            }
            // Of two places one has no row, or none that is wanted.
            let spare = |held: &Held| held.row.is_none_or(|row| !wanted.contains(&row));
            let place = usize::from(!spare(&self.held[0]));
            let held = &mut self.held[place];
            let [luma, chroma] = &mut held.parts;
            let (even, odd) = if self.luma_first {
                (luma, chroma)
            } else {
                (chroma, luma)
            };
            let [from, length] = self.bytes;
            kernels.split(frame.row(row, from, length), even, odd);
            held.row = Some(row);
        }
    }

    /// The first `length` bytes of a part of a row that is held.
    pub(crate) fn row(&self, part: usize, row: usize, length: usize) -> &[u8] {
        let second = self.held[1].row == Some(row);
        &self.held[usize::from(second)].parts[part][..length]
    }
}
