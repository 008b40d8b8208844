//! `edgeai safe`.

use super::run;
use std::path::PathBuf;

/// Arguments of `edgeai safe`.
#[derive(clap::Args)]
pub struct Arguments {
    /// Appliance description [default: what `edgeai run` would use]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    run::start_log();
    let effective = run::description(arguments.config.as_deref(), None)?;
    edgeai_pipeline::hold_safe(&effective.appliance)?;
    Ok(())
}
