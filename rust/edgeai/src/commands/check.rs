//! `edgeai check`.

/// Arguments of `edgeai check`.
#[derive(clap::Args)]
pub struct Arguments {}

pub fn run(_arguments: &Arguments) -> anyhow::Result<()> {
    anyhow::bail!("not written yet")
}
