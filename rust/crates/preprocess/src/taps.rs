//! Which source pixels a target pixel is made of, and how much of each.
//!
//! Half-pixel centres: target centre i + ½ lies at (i + ½) × source / target of the source, and
//! source pixel k has its centre at k + ½. Beyond the outer centres of the source rectangle the
//! edge pixel counts alone.

/// Target columns are done in blocks of so many; tables and rows are padded to whole blocks.
pub(crate) const BLOCK: usize = 32;

/// How far an instruction set's byte shuffle reaches.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reach {
    /// Target columns that are taken from one [`Windows`] entry.
    pub(crate) group: usize,
    /// Bytes of a stretch, the neighbours of a group as 16-bit values.
    pub(crate) stretch: usize,
}

/// Of AVX2 and NEON.
pub(crate) const NEAR: Reach = Reach {
    group: 4,
    stretch: 16,
};

/// Of AVX-512.
#[cfg(all(target_arch = "x86_64", avx512))]
pub(crate) const FAR: Reach = Reach {
    group: 16,
    stretch: 64,
};

/// In a window's turns: no byte, 0.
const NOTHING: u8 = 0x80;

/// Fractional bits of a column's weight.
pub(crate) const COLUMN_BITS: u32 = 14;
const COLUMN_ONE: f64 = (1 << COLUMN_BITS) as f64;

/// Fractional bits of a row's weight.
pub(crate) const ROW_BITS: u32 = 15;
const ROW_ONE: f64 = (1 << ROW_BITS) as f64;

/// The two source rows of a target row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) upper: usize,
    /// The upper one again where the weight is 0.
    pub(crate) lower: usize,
    /// Of the lower, in 1/2¹⁵, below 1.
    pub(crate) weight: i16,
}

/// The two neighbours on a row of each target column.
pub(crate) struct Columns {
    /// Bytes of the left and of the right neighbour on the row.
    pub(crate) at: Box<[[u32; 2]]>,
    /// Weights of the two, in 1/2¹⁴; they add up to 1. In whole blocks; 0 beyond the last column.
    pub(crate) weights: Box<[[i16; 2]]>,
    /// None where the neighbours of a group are too far apart or the row is too short.
    pub(crate) windows: Option<Windows>,
    /// Bytes the row must have.
    pub(crate) row_bytes: usize,
}

/// Where SIMD finds the neighbours of each group of columns: within one stretch of bytes that is
/// loaded whole, or two that follow each other, and from which a byte shuffle picks.
pub(crate) struct Windows {
    /// First byte of each group, in whole blocks.
    pub(crate) at: Box<[u32]>,
    /// Stretches of a group, 1 or 2.
    pub(crate) stretches: usize,
    /// For each group, for each stretch: left and right neighbour of its columns as 16-bit values,
    /// by their bytes in the stretch.
    pub(crate) turns: Box<[u8]>,
}

struct Tap {
    first: u32,
    second: u32,
    /// Of the second, 0 ..< 1.
    share: f64,
}

fn tap(index: u32, start: u32, source: u32, target: u32) -> Tap {
    let last = f64::from(source - 1);
    let scale = f64::from(source) / f64::from(target);
    let centre = ((f64::from(index) + 0.5) * scale - 0.5).clamp(0.0, last);
    let first = centre.floor();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "0 ..= last"
    )]
    let first_index = first as u32;
    Tap {
        first: start + first_index,
        second: start + (first_index + 1).min(source - 1),
        share: centre - first,
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "0 ..= one, at most 2¹⁵ - 1"
)]
fn fixed(share: f64, one: f64) -> i16 {
    (share * one).round().min(32767.0) as i16
}

/// Rows of a plane for `target` rows over rows `start ..` of the frame; `halved`: the plane has one
/// row for two of the frame.
pub(crate) fn rows(start: u32, source: u32, target: u32, halved: bool) -> Box<[Row]> {
    (0..target)
        .map(|index| {
            let Tap {
                first,
                second,
                share,
            } = tap(index, start, source, target);
            let [upper, lower] = [first, second].map(|row| (row >> u32::from(halved)) as usize);
            let weight = if upper == lower {
                0
            } else {
                fixed(share, ROW_ONE)
            };
            Row {
                upper,
                lower: if weight == 0 { upper } else { lower },
                weight,
            }
        })
        .collect()
}

/// How a plane lies on a row that begins at pixel `origin` of the frame.
#[derive(Clone, Copy)]
pub(crate) struct Lie {
    /// Pixel of the frame.
    pub(crate) origin: u32,
    /// Byte of the first element of the plane.
    pub(crate) offset: u32,
    /// Bytes from one element to the next.
    pub(crate) pitch: u32,
    /// There is one element for two columns of the frame.
    pub(crate) halved: bool,
}

/// Columns for `target` columns over columns `start ..` `start + source` of the frame, on rows of
/// `row_bytes`, for an instruction set of such a reach.
pub(crate) fn columns(
    [start, source]: [u32; 2],
    target: u32,
    lie: Lie,
    row_bytes: usize,
    reach: Reach,
) -> Columns {
    let mut at = Vec::with_capacity(target as usize);
    let mut weights = vec![[0; 2]; (target as usize).next_multiple_of(BLOCK)];
    for (index, weights) in (0..target).zip(&mut weights) {
        let Tap {
            first,
            second,
            share,
        } = tap(index, start, source, target);
        let halve = u32::from(lie.halved);
        let byte =
            |column: u32| ((column >> halve) - (lie.origin >> halve)) * lie.pitch + lie.offset;
        let neighbours = [first, second].map(byte);
        let right = if neighbours[0] == neighbours[1] {
            0
        } else {
            fixed(share, COLUMN_ONE)
        };
        at.push(neighbours);
        *weights = [(1 << COLUMN_BITS) - right, right];
    }
    Columns {
        windows: windows(&at, row_bytes, reach),
        at: at.into(),
        weights: weights.into(),
        row_bytes,
    }
}

fn windows(neighbours: &[[u32; 2]], row_bytes: usize, reach: Reach) -> Option<Windows> {
    let Reach { group, stretch } = reach;
    let groups = neighbours.len().next_multiple_of(BLOCK) / group;
    let spread = |group: &[[u32; 2]]| group[group.len() - 1][1] - group[0][0];
    let widest = neighbours.chunks(group).map(spread).max()? as usize + 1;
    let stretches = widest.div_ceil(stretch);
    let last_start = row_bytes.checked_sub(stretches * stretch)?;
    if stretches > 2 {
        return None;
    }
    let mut at = vec![0; groups].into_boxed_slice();
    let mut turns = vec![NOTHING; groups * stretches * stretch].into_boxed_slice();
    let of_groups = turns.chunks_exact_mut(stretches * stretch);
    for ((group, at), turns) in neighbours.chunks(group).zip(&mut at).zip(of_groups) {
        let start = (group[0][0] as usize).min(last_start);
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a neighbour's place, a u32"
        )]
        let first = start as u32;
        *at = first;
        for (value, &byte) in group.iter().flatten().enumerate() {
            let byte = byte as usize - start;
            // The upper half of each 16-bit value stays 0.
            let turn = &mut turns[byte / stretch * stretch + value * 2];
            #[expect(clippy::cast_possible_truncation, reason = "at most 64")]
            let byte = (byte % stretch) as u8;
            *turn = byte;
        }
    }
    Some(Windows {
        at,
        stretches,
        turns,
    })
}

#[cfg(test)]
#[path = "taps_tests.rs"]
mod tests;
