//! Subgraphs: operators, and the order in which their tensors come to be.

use super::tensor::Tensor;
use super::{MAX_TENSORS, Parts, Refusal, at_most, damaged, field, options};
use crate::flatbuffer::Table;

/// How an operator writes an optional input that it does not have.
const LEFT_OUT: i32 = -1;

/// Optional inputs (a bias) come after the first two, except in LSTMs, which have 20 inputs
/// or more and only the first is certain. XNNPACK reads the others without looking.
const ALWAYS_PRESENT: usize = 2;
const LSTM_INPUTS: usize = 20;

/// Most inputs of an operator.
const MAX_OPERANDS: usize = 1 << 10;

/// A subgraph that is sound.
pub struct Graph<'a> {
    pub tensors: Vec<Tensor<'a>>,
    /// Indices of tensors.
    pub inputs: Vec<usize>,
    /// Indices of tensors.
    pub outputs: Vec<usize>,
    /// Names.
    pub operators: Vec<String>,
    /// Subgraphs that its operators run.
    calls: Vec<usize>,
}

/// An operator as its options are checked.
pub struct Operator<'a, 'b> {
    pub builtin: usize,
    pub table: &'b Table<'a>,
    /// `None`: left out.
    pub inputs: Vec<Option<&'b Tensor<'a>>>,
    pub outputs: Vec<&'b Tensor<'a>>,
}

impl<'a> Graph<'a> {
    pub fn check(subgraph: &Table<'a>, parts: &Parts<'a>) -> Result<Self, Refusal> {
        subgraph.name(field::subgraph::NAME)?;
        let tables = at_most(MAX_TENSORS, subgraph.tables(field::subgraph::TENSORS)?)?;
        let count = tables.len();
        let mut graph = Self {
            tensors: tables
                .map(|tensor| Tensor::check(&tensor?, parts, count))
                .collect::<Result<_, _>>()?,
            inputs: Vec::new(),
            outputs: Vec::new(),
            operators: Vec::new(),
            calls: Vec::new(),
        };
        graph.inputs = graph.ports(subgraph, field::subgraph::INPUTS)?;
        graph.outputs = graph.ports(subgraph, field::subgraph::OUTPUTS)?;
        let mut present: Vec<bool> = graph.tensors.iter().map(is_there_from_the_start).collect();
        for &input in &graph.inputs {
            let (Some(present), Some(tensor)) = (present.get_mut(input), graph.tensors.get(input))
            else {
                continue;
            };
            if !tensor.constant.is_empty() {
                return damaged(format_args!("input `{}` is a constant", tensor.name));
            }
            *present = true;
        }
        for operator in at_most(MAX_TENSORS, subgraph.tables(field::subgraph::OPERATORS)?)? {
            graph.add_operator(&operator?, parts, &mut present)?;
        }
        let missing = graph
            .outputs
            .iter()
            .filter(|&&output| present.get(output) == Some(&false))
            .find_map(|&output| graph.tensors.get(output));
        if let Some(missing) = missing {
            return damaged(format_args!("output `{}` is never computed", missing.name));
        }
        Ok(graph)
    }

    /// Inputs or outputs of the subgraph; each tensor once.
    fn ports(&self, subgraph: &Table, list: usize) -> Result<Vec<usize>, Refusal> {
        let mut seen = vec![false; self.tensors.len()];
        let mut ports = Vec::new();
        for index in subgraph.i32s(list)? {
            let port = usize::try_from(index).ok();
            match port.and_then(|port| Some((port, seen.get_mut(port)?))) {
                Some((port, seen @ false)) => {
                    *seen = true;
                    ports.push(port);
                }
                Some(_) => {
                    return Err(Refusal(
                        "a tensor is twice among the model's inputs or outputs".into(),
                    ));
                }
                None => return damaged("an input or output of the model does not exist"),
            }
        }
        Ok(ports)
    }

    fn add_operator(
        &mut self,
        table: &Table<'a>,
        parts: &Parts<'a>,
        present: &mut [bool],
    ) -> Result<(), Refusal> {
        let number = self.operators.len();
        let Some(code) = parts.codes.get(table.u32(field::operator::CODE)? as usize) else {
            return damaged(format_args!(
                "operator {number} has a code that does not exist"
            ));
        };
        let bad = |what: String| damaged(format_args!("operator {number} ({}) {what}", code.name));
        let missing = || bad("uses a tensor that does not exist".into());
        let count = present.len();
        let find = |index: i32| usize::try_from(index).ok().filter(|&at| at < count);
        let inputs = at_most(MAX_OPERANDS, table.i32s(field::operator::INPUTS)?)?;
        let always = if inputs.len() >= LSTM_INPUTS {
            1
        } else {
            ALWAYS_PRESENT
        };
        let mut operator = Operator {
            builtin: code.builtin,
            table,
            inputs: Vec::new(),
            outputs: Vec::new(),
        };
        for (position, index) in inputs.enumerate() {
            let tensor = find(index).and_then(|at| self.tensors.get(at));
            match (tensor, find(index).and_then(|at| present.get(at))) {
                (Some(tensor), Some(true)) => operator.inputs.push(Some(tensor)),
                (Some(tensor), _) => {
                    return bad(format!("reads `{}` before it is computed", tensor.name));
                }
                _ if index == LEFT_OUT && position >= always => operator.inputs.push(None),
                _ => return missing(),
            }
        }
        for index in table.i32s(field::operator::OUTPUTS)? {
            let Some(at) = find(index) else {
                return missing();
            };
            let (Some(tensor), Some(present)) = (self.tensors.get(at), present.get_mut(at)) else {
                return missing();
            };
            // A constant lies in memory that is not to be written.
            if *present {
                return bad(format!("writes `{}`, which is there already", tensor.name));
            }
            *present = true;
            operator.outputs.push(tensor);
        }
        let mut intermediates = table.i32s(field::operator::INTERMEDIATES)?;
        if !intermediates.all(|index| find(index).is_some()) {
            return missing();
        }
        table.vector(field::operator::MUTATING_INPUTS, 1)?;
        table.vector(field::operator::CUSTOM_OPTIONS, 1)?;
        if table.u64(field::operator::LARGE_CUSTOM_OPTIONS)? > 1 {
            return Err(Refusal(
                "custom options outside of the flatbuffer are not supported".into(),
            ));
        }
        match options::check(&operator) {
            Ok(calls) => self.calls.extend(calls),
            Err(Refusal(what)) => return bad(what),
        }
        self.operators.push(code.name.to_owned());
        Ok(())
    }
}

/// Constants, state, and tensors without content.
fn is_there_from_the_start(tensor: &Tensor) -> bool {
    !tensor.constant.is_empty() || tensor.variable || tensor.elements() == Some(0)
}

/// Every subgraph that is called exists, and none calls itself: that would be a recursion
/// without end.
pub fn check_calls(graphs: &[Graph<'_>]) -> Result<(), Refusal> {
    // Each round finishes the subgraphs that call finished ones only.
    let mut finished = vec![false; graphs.len()];
    loop {
        let mut progress = false;
        for (index, graph) in graphs.iter().enumerate() {
            let ready = graph
                .calls
                .iter()
                .all(|&call| finished.get(call) == Some(&true));
            if let Some(done) = finished.get_mut(index).filter(|done| ready && !**done) {
                *done = true;
                progress = true;
            }
        }
        if finished.iter().all(|&done| done) {
            return Ok(());
        }
        if !progress {
            return damaged("a subgraph calls itself, or one that does not exist");
        }
    }
}
