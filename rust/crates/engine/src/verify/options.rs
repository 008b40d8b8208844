//! Options of operators: their structure, and the values that kernels divide by or index with.
//!
//! Kernels check most of what they are given, but not all (a stride of zero is a division by
//! zero). What is checked here is what is cheap and well known, not everything.

use super::graph::Operator;
use super::tensor::Tensor;
use super::{Refusal, field};
use crate::flatbuffer::Table;

/// Largest stride, dilation, filter or block: sums of products of them stay in 32 bits.
const MAX_STEP: i32 = 4096;

/// Numbers of operators (`BuiltinOperator`).
mod op {
    pub const CONCATENATION: usize = 2;
    pub const RESHAPE: usize = 22;
    pub const CALL: usize = 31;
    pub const GATHER: usize = 36;
    pub const TRANSPOSE: usize = 39;
    /// MEAN, SUM, and REDUCE_ PROD, MAX, MIN, ANY and ALL.
    pub const REDUCTIONS: [usize; 7] = [40, 74, 81, 82, 89, 91, 140];
    pub const PACK: usize = 83;
    pub const UNPACK: usize = 88;
    pub const IF: usize = 118;
    pub const WHILE: usize = 119;
    pub const CALL_ONCE: usize = 129;
    pub const STABLEHLO: std::ops::RangeInclusive<usize> = 162..=209;
    /// DILATE, `REDUCE_WINDOW`.
    pub const NOT_STABLEHLO: [usize; 2] = [203, 205];
    pub const COMPOSITE: usize = 206;
}

/// Last member of the unions `BuiltinOptions` and `BuiltinOptions2`.
const LAST_OPTIONS: i8 = 126;
const LAST_OPTIONS_2: i8 = 23;
/// `StableHLOCompositeOptions`.
const COMPOSITE_OPTIONS: i8 = 21;

/// Vectors inside options: member of the union, field, bytes of an element.
const VECTORS: [(i8, usize, usize); 5] = [
    (3, 1, 4),   // ConcatEmbeddings: num_columns_per_channel
    (3, 2, 4),   // ConcatEmbeddings: embedding_dim_per_channel
    (17, 0, 4),  // Reshape: new_shape
    (30, 0, 4),  // Squeeze: squeeze_dims
    (115, 0, 4), // Bucketize: boundaries
];
/// `VarHandleOptions`: two strings.
const VARIABLE_OPTIONS: i8 = 111;

/// Numbers that must be 1 ..= [`MAX_STEP`]: operator, member of the union, fields, and of
/// these fields the ones that are 1 when absent.
const STEPS: [(usize, i8, &[usize], &[usize]); 12] = [
    (1, 5, &[1, 2, 3, 4], &[]),     // AVERAGE_POOL_2D: strides, filter
    (3, 1, &[1, 2, 4, 5], &[4, 5]), // CONV_2D: strides, dilations
    (4, 2, &[1, 2, 5, 6], &[5, 6]), // DEPTHWISE_CONV_2D
    (5, 94, &[0], &[]),             // DEPTH_TO_SPACE: block
    (12, 5, &[1, 2, 3, 4], &[]),    // L2_POOL_2D
    (17, 5, &[1, 2, 3, 4], &[]),    // MAX_POOL_2D
    (26, 19, &[0], &[]),            // SPACE_TO_DEPTH: block
    (49, 35, &[0], &[]),            // SPLIT: parts
    (67, 49, &[1, 2], &[]),         // TRANSPOSE_CONV: strides
    (102, 79, &[0], &[]),           // SPLIT_V: parts
    (132, 106, &[1, 2, 3, 5, 6, 7], &[5, 6, 7]), // CONV_3D
    (141, 106, &[1, 2, 3, 5, 6, 7], &[5, 6, 7]), // CONV_3D_TRANSPOSE
];

/// Subgraphs that the operator runs. The refusal is the end of a sentence.
pub fn check(operator: &Operator<'_, '_>) -> Result<Vec<usize>, Refusal> {
    let table = operator.table;
    let kind = table.i8(field::operator::OPTIONS_TYPE)?;
    let options = table.table(field::operator::OPTIONS)?;
    let kind_2 = table.i8(field::operator::OPTIONS_2_TYPE)?;
    let options_2 = table.table(field::operator::OPTIONS_2)?;
    if !(0..=LAST_OPTIONS).contains(&kind) || !(0..=LAST_OPTIONS_2).contains(&kind_2) {
        return refuse("has options of an unknown kind");
    }
    if op::STABLEHLO.contains(&operator.builtin)
        && operator.builtin != op::COMPOSITE
        && !op::NOT_STABLEHLO.contains(&operator.builtin)
    {
        return refuse("is not supported here: convert the model to TFLite's own operators");
    }
    if let Some(options) = &options {
        check_structure(kind, options)?;
    }
    check_steps(operator, kind, options.as_ref())?;
    check_axes(operator, options.as_ref())?;
    calls(operator, kind_2, options.as_ref(), options_2.as_ref())
}

fn refuse<T>(what: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal(what.into()))
}

fn check_structure(kind: i8, options: &Table) -> Result<(), Refusal> {
    for (_, field, element) in VECTORS.iter().filter(|(member, ..)| *member == kind) {
        options.vector(*field, *element)?;
    }
    if kind == VARIABLE_OPTIONS {
        options.string(0)?;
        options.string(1)?;
    }
    Ok(())
}

fn check_steps(
    operator: &Operator<'_, '_>,
    kind: i8,
    options: Option<&Table>,
) -> Result<(), Refusal> {
    let Some((_, member, fields, ones)) = STEPS.iter().find(|(op, ..)| *op == operator.builtin)
    else {
        return Ok(());
    };
    let Some(options) = options.filter(|_| kind == *member) else {
        return refuse("has not the options it needs");
    };
    for &field in *fields {
        let absent = i32::from(ones.contains(&field));
        let value = options.i32_or(field, absent)?;
        if !(1..=MAX_STEP).contains(&value) {
            return refuse(format!("has a stride, size or number {value}"));
        }
    }
    Ok(())
}

fn check_axes(operator: &Operator<'_, '_>, options: Option<&Table>) -> Result<(), Refusal> {
    let option = |field| options.map_or(Ok(0), |options| options.i32(field));
    let input = |at: usize| operator.inputs.get(at).copied().flatten();
    let output = operator.outputs.first().copied();
    let within = |axis: i64, tensor: Option<&Tensor>| match tensor {
        Some(tensor) if !(-tensor.rank()..tensor.rank()).contains(&axis) => refuse(format!(
            "has the axis {axis} of {} dimensions",
            tensor.rank()
        )),
        _ => Ok(()),
    };
    match operator.builtin {
        op::CONCATENATION => within(option(0)?.into(), output),
        op::GATHER => within(option(0)?.into(), input(0)),
        op::PACK => within(option(1)?.into(), output),
        op::UNPACK => within(option(1)?.into(), input(0)),
        reduction if op::REDUCTIONS.contains(&reduction) => {
            let axes = input(1).and_then(Tensor::constant_i32s).unwrap_or_default();
            axes.into_iter().try_for_each(|axis| within(axis, input(0)))
        }
        op::TRANSPOSE => {
            let Some(order) = input(1).and_then(Tensor::constant_i32s) else {
                return Ok(());
            };
            let rank = input(0).map_or(0, Tensor::rank);
            let mut sorted: Vec<i64> = order
                .iter()
                .map(|&axis| if axis < 0 { axis + rank } else { axis })
                .collect();
            sorted.sort_unstable();
            if sorted.into_iter().eq(0..rank) {
                Ok(())
            } else {
                refuse(format!("has the order {order:?} of {rank} dimensions"))
            }
        }
        op::RESHAPE => {
            let before = input(0).and_then(Tensor::elements);
            let after = output.and_then(Tensor::elements);
            match (before, after) {
                (Some(before), Some(after)) if before != after => {
                    refuse(format!("makes {after} elements of {before}"))
                }
                _ => Ok(()),
            }
        }
        _ => Ok(()),
    }
}

fn calls(
    operator: &Operator<'_, '_>,
    kind_2: i8,
    options: Option<&Table>,
    options_2: Option<&Table>,
) -> Result<Vec<usize>, Refusal> {
    let fields: &[usize] = match operator.builtin {
        op::IF | op::WHILE => &[0, 1],
        op::CALL | op::CALL_ONCE => &[0],
        op::COMPOSITE => {
            let Some(options) = options_2.filter(|_| kind_2 == COMPOSITE_OPTIONS) else {
                return refuse("has not the options it needs");
            };
            options.string(0)?;
            options.vector(2, 1)?;
            return Ok(vec![subgraph(options.i32(1)?)]);
        }
        _ => return Ok(Vec::new()),
    };
    let Some(options) = options else {
        return refuse("has not the options it needs");
    };
    fields
        .iter()
        .map(|&field| Ok(subgraph(options.i32(field)?)))
        .collect()
}

/// A number that cannot be one is a subgraph that does not exist.
fn subgraph(index: i32) -> usize {
    usize::try_from(index).unwrap_or(usize::MAX)
}
