//! `edgeai trial`: what `edgeai run` starts to load a model that is not the image's, before it does so itself.

use anyhow::Context;
use edgeai_pipeline::Inference;
use nix::sys::prctl::set_pdeathsig;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::Signal;
use std::path::{Path, PathBuf};
use std::process::Command;

/// This program, whatever it is called and wherever it lies.
const THIS: &str = "/proc/self/exe";

/// Arguments of `edgeai trial`.
#[derive(clap::Args)]
pub struct Arguments {
    /// The appliance description that is in force
    description: PathBuf,
    /// The place of the model in it
    model: usize,
}

/// What runs a trial.
pub fn command(description: &Path, model: usize) -> Command {
    let mut command = Command::new(THIS);
    command.arg("trial").arg(description).arg(model.to_string());
    command
}

/// Loads the model and ends in order, with or without it: what is wrong with it in an ordinary way `edgeai run`
/// finds and tells itself. What a model can do to a process is not survived here.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    // It was started from a real-time thread, and goes with it. Each is a precaution: none can fail a model.
    let _ = set_pdeathsig(Signal::SIGKILL);
    let _ = edgeai_realtime::ordinary();
    let _ = setrlimit(Resource::RLIMIT_CORE, 0, 0);
    let appliance = edgeai_config::load(&arguments.description)?;
    let model = appliance.models.get(arguments.model);
    let loaded = Inference::load(model.context("no such model")?);
    drop(loaded);
    Ok(())
}
