//! `edgeai probe --model`: what a model takes and gives, and where its operators run here.

use anyhow::Context;
use edgeai_engine::{Accelerator, Delegation, OnFallback, Options, Runtime, TensorInfo};
use serde::Serialize;
use std::path::{Path, PathBuf};

#[derive(Serialize)]
pub struct Report {
    pub file: PathBuf,
    pub runtime: String,
    pub inputs: Vec<TensorInfo>,
    pub outputs: Vec<TensorInfo>,
    pub delegation: Delegation,
}

/// Loads a model, from its directory or its file, and measures it.
pub fn probe(
    model: &Path,
    accelerator: Accelerator,
    runtime: Runtime,
    on_fallback: OnFallback,
) -> anyhow::Result<Report> {
    let file = if model.is_dir() {
        model.join("model.tflite")
    } else {
        model.to_owned()
    };
    let options = Options {
        runtime,
        accelerator,
        on_fallback,
        measure: true,
        ..Options::default()
    };
    let engine = edgeai_engine::load(&file, &options)
        .with_context(|| format!("cannot load {}", file.display()))?;
    Ok(Report {
        runtime: engine.runtime().to_owned(),
        inputs: engine.inputs().to_vec(),
        outputs: engine.outputs().to_vec(),
        delegation: engine.delegation().clone(),
        file,
    })
}

pub fn print(report: &Report) {
    println!("model       {}", report.file.display());
    println!("runtime     {}", report.runtime);
    for (what, tensors) in [("input", &report.inputs), ("output", &report.outputs)] {
        for tensor in tensors {
            print!(
                "{what:<11} {} {:?} {:?}",
                tensor.name, tensor.element, tensor.shape
            );
            if tensor.scale > 0.0 {
                print!(
                    ", real = {} x (element - {})",
                    tensor.scale, tensor.zero_point
                );
            }
            println!();
        }
    }
    println!("{}", report.delegation);
}
