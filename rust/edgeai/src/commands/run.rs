//! `edgeai run`.

use super::trial;
use anyhow::Context;
use edgeai_config::{Effective, IMAGE_FILE, OWNER_FILE};
use edgeai_pipeline::TrialCommand;
use edgeai_realtime::monotonic_now;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Where the decision log is kept.
const LOG_DIRECTORY: &str = "/data/edgeai/log";
/// Where metrics are written every second.
const METRICS_FILE: &str = "/run/edgeai/metrics.json";
/// Where pictures are kept that rules ask for.
const SNAPSHOT_DIRECTORY: &str = "/data/edgeai/snapshots";
/// Where rules' changes are sent that are meant for telemetry.
const TELEMETRY_SOCKET: &str = "/run/edgeai/telemetry.sock";
/// os-release(5) of the image.
const RELEASE_FILE: &str = "/etc/os-release";

/// Arguments of `edgeai run`.
#[derive(clap::Args)]
pub struct Arguments {
    /// Appliance description of the image [default: /etc/edgeai/appliance.toml]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Appliance description of the owner, which replaces the image's where it is valid
    /// [default: /data/edgeai/appliance.toml; none with --config]
    #[arg(long, value_name = "FILE")]
    owner_config: Option<PathBuf>,
}

pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let started = monotonic_now();
    start_log();
    let Effective {
        appliance, source, ..
    } = description(
        arguments.config.as_deref(),
        arguments.owner_config.as_deref(),
    )?;
    let options = edgeai_pipeline::Options {
        started,
        log_directory: LOG_DIRECTORY.into(),
        metrics_file: METRICS_FILE.into(),
        snapshot_directory: SNAPSHOT_DIRECTORY.into(),
        telemetry_socket: TELEMETRY_SOCKET.into(),
        // What was valid a moment ago; an empty text would spoil recordings only.
        description: edgeai_config::read(&source).unwrap_or_default(),
        trial: Some(TrialCommand {
            description: source,
            command: trial::command,
        }),
        image: release(&std::fs::read_to_string(RELEASE_FILE).unwrap_or_default()),
    };
    edgeai_pipeline::run(&appliance, &options)?;
    Ok(())
}

/// Logs to stderr with the seconds of `CLOCK_MONOTONIC`, as the kernel's own messages have them.
pub fn start_log() {
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("info"))
        .format(|line, record| {
            let now = monotonic_now().as_secs_f64();
            writeln!(line, "[{now:.3}] {} {}", record.level(), record.args())
        })
        .init();
}

/// The description that counts, and in the log where it is from. With a file of one's own for
/// the image's, the owner's file of this machine does not count.
pub fn description(image: Option<&Path>, owner: Option<&Path>) -> anyhow::Result<Effective> {
    let effective = match (image, owner) {
        (Some(image), None) => {
            let appliance = edgeai_config::load(image).context("configuration")?;
            Effective {
                appliance,
                source: image.to_owned(),
                refused: None,
            }
        }
        (image, owner) => {
            let image = image.unwrap_or(Path::new(IMAGE_FILE));
            let owner = owner.unwrap_or(Path::new(OWNER_FILE));
            edgeai_config::effective(image, owner).context("configuration")?
        }
    };
    let source = effective.source.display();
    log::info!("configuration: {source}");
    if let Some(error) = &effective.refused {
        log::warn!("configuration refused: {error}; using {source}");
    }
    Ok(effective)
}

/// Version of the image; empty if it does not say.
fn release(text: &str) -> String {
    let value = |key: &str| {
        let value = text.lines().find_map(|line| line.strip_prefix(key))?;
        Some(value.trim_matches('"').to_owned())
    };
    value("IMAGE_VERSION=")
        .or_else(|| value("VERSION_ID="))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::release;

    #[test]
    fn the_image_says_its_version() {
        let debian = "NAME=\"Debian\"\nVERSION_ID=\"13\"\n";
        assert_eq!(release(debian), "13");
        assert_eq!(
            release(&format!("{debian}IMAGE_VERSION=2026.11\n")),
            "2026.11"
        );
        assert_eq!(release(""), "");
    }
}
