//! Signatures.

use super::graph::Graph;
use super::{Refusal, damaged, field};
use crate::flatbuffer::Table;

/// Signatures name the inputs and outputs of existing subgraphs, each once, and the first is
/// about the first subgraph.
pub fn check(model: &Table, graphs: &[Graph<'_>]) -> Result<(), Refusal> {
    for (index, signature) in model.tables(field::model::SIGNATURES)?.enumerate() {
        let signature = signature?;
        signature.name(field::signature::KEY)?;
        let subgraph = signature.u32(field::signature::SUBGRAPH)? as usize;
        let Some(graph) = graphs.get(subgraph) else {
            return damaged("a signature refers to a subgraph that does not exist");
        };
        if index == 0 && subgraph != 0 {
            return Err(Refusal(
                "the first signature is not about the first subgraph".into(),
            ));
        }
        for (list, ports) in [
            (field::signature::INPUTS, &graph.inputs),
            (field::signature::OUTPUTS, &graph.outputs),
        ] {
            let mut named = Vec::new();
            for map in signature.tables(list)? {
                let map = map?;
                map.name(field::signature::MAP_NAME)?;
                named.push(map.u32(field::signature::MAP_TENSOR)? as usize);
            }
            named.sort_unstable();
            let mut ports = ports.clone();
            ports.sort_unstable();
            // LiteRT finds the buffers of a run by these names.
            if named != ports {
                return damaged("a signature does not name the inputs and outputs of its subgraph");
            }
        }
    }
    Ok(())
}
