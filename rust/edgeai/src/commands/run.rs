//! `edgeai run`.

/// Arguments of `edgeai run`.
#[derive(clap::Args)]
pub struct Arguments {}

pub fn run(_arguments: &Arguments) -> anyhow::Result<()> {
    anyhow::bail!("not written yet")
}
