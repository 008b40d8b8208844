//! `edgeai infer`.

/// Arguments of `edgeai infer`.
#[derive(clap::Args)]
pub struct Arguments {}

pub fn run(_arguments: &Arguments) -> anyhow::Result<()> {
    anyhow::bail!("not written yet")
}
