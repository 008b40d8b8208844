//! `edgeai check`.

use anyhow::bail;
use edgeai_config::{Appliance, check, read};
use std::path::PathBuf;

/// Arguments of `edgeai check`.
#[derive(clap::Args)]
pub struct Arguments {
    /// The appliance description to check
    #[arg(default_value = edgeai_config::IMAGE_FILE)]
    file: PathBuf,
}

/// Prints `FILE: ok` and a summary, or every mistake as `file:line:column: message`, one a line.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let file = arguments.file.display().to_string();
    let errors = match read(&arguments.file).map(|text| check(&file, &text)) {
        Ok(Ok(appliance)) => {
            println!("{file}: ok");
            println!("{}", summary(&appliance));
            return Ok(());
        }
        Ok(Err(errors)) => errors,
        Err(error) => vec![error],
    };
    for error in &errors {
        eprintln!("{error}");
    }
    match errors.len() {
        1 => bail!("{file}: 1 mistake"),
        mistakes => bail!("{file}: {mistakes} mistakes"),
    }
}

fn summary(appliance: &Appliance) -> String {
    let Appliance {
        camera,
        model,
        deadline,
        inputs,
        outputs,
        rules,
        services,
        ..
    } = appliance;
    let [width, height] = camera.size;
    let outputs: Vec<_> = outputs
        .iter()
        .map(|output| format!("{} (safe {:?})", output.name, output.safe).to_lowercase())
        .collect();
    format!(
        "  camera   {} {} {width}x{height} at {} frames per second\n  \
           model    {}, {} threads\n  \
           deadline {} ms from frame to action\n  \
           outputs  {}\n  \
           {} inputs, {} rules, {} services",
        camera.device.display(),
        camera.format.name(),
        camera.fps,
        model.file,
        model.threads,
        deadline.frame_to_action_ms,
        if outputs.is_empty() {
            "none".to_owned()
        } else {
            outputs.join(", ")
        },
        inputs.len(),
        rules.len(),
        services.len(),
    )
}
