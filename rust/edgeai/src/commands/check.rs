//! `edgeai check`.

use anyhow::bail;
use edgeai_config::{Appliance, Camera, Model, PixelFormat, check, read};
use std::fmt::{self, Display};
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
            print!("{}", Summary(&appliance));
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

/// What an appliance is, a line for each part.
struct Summary<'a>(&'a Appliance);

impl Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let appliance = self.0;
        for camera in &appliance.cameras {
            writeln!(f, "  camera   {}", described(camera))?;
        }
        for model in &appliance.models {
            writeln!(f, "  model    {}", looking(model, appliance))?;
        }
        for sensor in &appliance.sensors {
            let channels: Vec<_> = sensor.channels.iter().map(|c| &*c.name).collect();
            let (name, rate) = (&sensor.name, sensor.rate_hz);
            writeln!(
                f,
                "  sensor   {name}: {} at {rate} samples per second",
                channels.join(", ")
            )?;
        }
        let deadline = appliance.deadline.frame_to_action_ms;
        writeln!(f, "  deadline {deadline} ms from frame to action")?;
        for output in &appliance.outputs {
            let (name, safe) = (&output.name, format!("{:?}", output.safe).to_lowercase());
            writeln!(f, "  output   {name}: safe {safe}")?;
        }
        writeln!(
            f,
            "  {} inputs, {} rules, {} services",
            appliance.inputs.len(),
            appliance.rules.len(),
            appliance.services.len()
        )
    }
}

fn described(camera: &Camera) -> String {
    let [width, height] = camera.size;
    let format = camera.format.map_or("any format", PixelFormat::name);
    format!(
        "{}: {} {format} {width}x{height} at {} frames per second",
        camera.name, camera.device, camera.fps
    )
}

fn looking(model: &Model, appliance: &Appliance) -> String {
    let only = appliance.cameras.first().map(|camera| &camera.name);
    let source = model.sensor.as_ref().or(model.camera.as_ref()).or(only);
    format!(
        "{}: {} on {}, {} threads",
        model.name,
        model.file,
        source.map_or("nothing", |name| name),
        model.threads
    )
}
