//! Sparse constants: an encoding that kernels unpack by the indices in it.
//!
//! `SparsityParameters` of `schema.fbs`: the tensor's dimensions, some cut into blocks, are
//! stored level by level, each dense or compressed (segments and indices, as in CSR).

use super::{Refusal, damaged};
use crate::flatbuffer::Table;

mod field {
    pub const TRAVERSAL_ORDER: usize = 0;
    pub const BLOCK_MAP: usize = 1;
    pub const LEVELS: usize = 2;
    pub const LEVEL_FORMAT: usize = 0;
    pub const LEVEL_DENSE_SIZE: usize = 1;
    pub const LEVEL_SEGMENTS_TYPE: usize = 2;
    pub const LEVEL_SEGMENTS: usize = 3;
    pub const LEVEL_INDICES_TYPE: usize = 4;
    pub const LEVEL_INDICES: usize = 5;
    pub const VALUES: usize = 0;
}

/// `DimensionType_DENSE`.
const DENSE: i8 = 0;

/// More levels than dimensions and as many blocks there are none.
const MAX_LEVELS: usize = 16;

/// Number of elements that a tensor of `shape` stores.
pub fn stored_elements(sparsity: &Table, shape: &[i32]) -> Result<usize, Refusal> {
    let bad = || damaged("a sparse tensor's encoding does not fit its shape");
    let order = sparsity.i32s(field::TRAVERSAL_ORDER)?;
    let block_map = sparsity.i32s(field::BLOCK_MAP)?;
    let levels = sparsity.tables(field::LEVELS)?;
    let rank = shape.len();
    if order.len() > MAX_LEVELS
        || order.len() != levels.len()
        || order.len() != rank + block_map.len()
    {
        return bad();
    }
    let order: Vec<usize> = order.filter_map(|d| usize::try_from(d).ok()).collect();
    let mut sorted = order.clone();
    sorted.sort_unstable();
    if !sorted.into_iter().eq(0..levels.len()) {
        return bad();
    }
    // Sizes of the dimensions, cut into blocks, and of the blocks behind them.
    let mut sizes: Vec<usize> = shape
        .iter()
        .filter_map(|&size| usize::try_from(size).ok())
        .collect();
    if sizes.len() != rank {
        return bad();
    }
    for (block, dimension) in block_map.enumerate() {
        let level = order.iter().position(|&d| d == rank + block);
        let size = level
            .and_then(|level| levels.clone().nth(level))
            .transpose()?
            .map_or(Ok(0), |level| level.i32(field::LEVEL_DENSE_SIZE))?;
        let (Some(whole), Ok(size @ 1..)) = (
            usize::try_from(dimension)
                .ok()
                .and_then(|d| sizes.get_mut(d)),
            usize::try_from(size),
        ) else {
            return bad();
        };
        if *whole % size != 0 {
            return bad();
        }
        *whole /= size;
        sizes.push(size);
    }
    let mut stored = 1usize;
    for (level, &dimension) in levels.zip(&order) {
        let level = level?;
        let size = sizes.get(dimension).copied().unwrap_or(0);
        stored = if level.i8(field::LEVEL_FORMAT)? == DENSE {
            if usize::try_from(level.i32(field::LEVEL_DENSE_SIZE)?) != Ok(size) {
                return bad();
            }
            stored.saturating_mul(size)
        } else if dimension >= rank {
            return bad();
        } else {
            let segments = index_vector(&level, field::LEVEL_SEGMENTS_TYPE, field::LEVEL_SEGMENTS)?;
            let indices = index_vector(&level, field::LEVEL_INDICES_TYPE, field::LEVEL_INDICES)?;
            if segments.len().checked_sub(1) != Some(stored)
                || segments.first() != Some(&0)
                || segments.last() != Some(&indices.len())
                || !segments.is_sorted()
                || indices.iter().any(|&index| index >= size)
            {
                return bad();
            }
            indices.len()
        };
    }
    Ok(stored)
}

/// `SparseIndexVector`: numbers of 32, 16 or 8 bits.
fn index_vector(level: &Table, kind: usize, vector: usize) -> Result<Vec<usize>, Refusal> {
    let Some(table) = level.table(vector)? else {
        return damaged("a sparse tensor has no indices");
    };
    match level.i8(kind)? {
        1 => Ok(table
            .i32s(field::VALUES)?
            .map(|index| usize::try_from(index).unwrap_or(usize::MAX))
            .collect()),
        2 => Ok(table
            .scalars::<2>(field::VALUES)?
            .map(|index| u16::from_le_bytes(index).into())
            .collect()),
        3 => Ok(table
            .scalars::<1>(field::VALUES)?
            .map(|[index]| index.into())
            .collect()),
        _ => damaged("a sparse tensor has indices of an unknown kind"),
    }
}
