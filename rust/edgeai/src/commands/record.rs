//! `edgeai record`: what an appliance would see and decide, from files, on a clock of its own.

use super::{replay, sampled};
use anyhow::{Context, anyhow, bail};
use edgeai_config::Appliance;
use edgeai_decode::{ModelInput, Names};
use edgeai_engine::Options;
use edgeai_pipeline::{Inference, Perception, Rehearsal, Scene, Script, Track, hash};
use edgeai_recording::{Header, Model, Record, Writer};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Images are played as fast as they can be decoded: the clock is the recording's own.
const REPLAY_FPS: u32 = 240;

/// Arguments of `edgeai record`.
#[derive(clap::Args)]
pub struct Arguments {
    /// Appliance description; the device of its cameras is `replay:PATH`, relative to this file
    #[arg(long, value_name = "FILE")]
    appliance: PathBuf,
    /// The recording to write
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
    /// Frames of each camera
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    frames: u32,
    /// What happens at inputs and sensors: lines of `<ms> <input> high|low`, `<ms> <sensor>.<channel>
    /// <number>|none`, `<ms> wall mon-08:00:00`
    #[arg(long, value_name = "FILE")]
    script: Option<PathBuf>,
    /// Samples of a sensor with a model, a CSV file with a channel a column
    #[arg(long, value_name = "SENSOR=FILE")]
    samples: Vec<String>,
    /// Directory with the model directories, instead of those of the device
    #[arg(long, value_name = "DIR")]
    models: Option<PathBuf>,
}

pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let file = arguments.appliance.display().to_string();
    let text = edgeai_config::read(&arguments.appliance)?;
    let appliance = edgeai_config::parse(&file, &text)?;
    let mut inferences = Vec::new();
    for model in &appliance.models {
        let directory = replay::directory(model, arguments.models.as_deref());
        let inference = Inference::open(&directory, &Options::from(model));
        inferences.push(inference.map_err(|error| anyhow!("model {}: {error}", model.name))?);
    }
    let names: Vec<Names> = inferences.iter().map(|it| it.names().clone()).collect();
    let tracks = tracks(&appliance, &inferences, &arguments.samples)?;
    let scenes = scenes(&appliance, &arguments.appliance)?;
    let script = match &arguments.script {
        Some(path) => {
            let text = edgeai_config::read(path)?;
            Script::parse(&appliance, &path.display().to_string(), &text)
                .map_err(|error| anyhow!(error))?
        }
        None => Script::default(),
    };
    let records = introductions(&appliance, &inferences, arguments.models.as_deref());
    let header = Header {
        program: concat!("edgeai ", env!("CARGO_PKG_VERSION")).into(),
        appliance: text,
        ..Header::default()
    };
    let output = || arguments.output.display().to_string();
    let out = File::create(&arguments.output).with_context(output)?;
    let mut writer = Writer::new(BufWriter::new(out), &header).with_context(output)?;
    for record in &records {
        writer.write(record).with_context(output)?;
    }
    let perceptions = appliance.models.iter().zip(&mut inferences).enumerate();
    let perceptions = perceptions
        .map(|(index, (described, inference))| Perception::new(index, described, inference))
        .collect();
    let evaluations = Rehearsal::new(&appliance, perceptions, &names)
        .and_then(|rehearsal| {
            rehearsal.run(scenes, &tracks, &script, arguments.frames, &mut |record| {
                writer.write(record).map_err(|error| error.to_string())
            })
        })
        .map_err(|error| anyhow!(error))?;
    let bytes = writer.written();
    writer.into_inner().flush().with_context(output)?;
    println!("{}: {evaluations} evaluations, {bytes} bytes", output());
    Ok(())
}

fn introductions(
    appliance: &Appliance,
    inferences: &[Inference],
    models: Option<&Path>,
) -> Vec<Record> {
    let all = appliance.models.iter().zip(inferences).enumerate();
    all.map(|(index, (model, inference))| {
        let directory = replay::directory(model, models);
        Record::Model(Model {
            index: u8::try_from(index).unwrap_or(u8::MAX),
            runtime: inference.runtime().to_owned(),
            weights: hash(&directory.join("model.tflite")),
            description: hash(&directory.join("model.toml")),
            names: inference.names().clone(),
        })
    })
    .collect()
}

/// The cameras that models look through.
fn scenes(appliance: &Appliance, file: &Path) -> anyhow::Result<Vec<Option<Scene>>> {
    let mut scenes = Vec::new();
    for (index, camera) in appliance.cameras.iter().enumerate() {
        let mut models = appliance.models.iter();
        if !models.any(|model| edgeai_pipeline::camera_of(appliance, model) == Some(index)) {
            scenes.push(None);
            continue;
        }
        let Some(path) = camera.device.strip_prefix("replay:") else {
            bail!(
                "camera {}: {} is not replay:PATH",
                camera.name,
                camera.device
            );
        };
        let path = file.parent().unwrap_or(Path::new(".")).join(path);
        let mut asked = camera.clone();
        asked.device = format!("replay:{}", path.display());
        asked.fps = REPLAY_FPS;
        let (source, _) = edgeai_camera::open(&asked)
            .with_context(|| format!("camera {}: {}", camera.name, path.display()))?;
        scenes.push(Some(Scene {
            source,
            period: Duration::from_secs(1) / camera.fps.max(1),
        }));
    }
    Ok(scenes)
}

/// The sensors that models listen to.
fn tracks(
    appliance: &Appliance,
    inferences: &[Inference],
    files: &[String],
) -> anyhow::Result<Vec<Track>> {
    let mut tracks = Vec::new();
    for (index, (model, inference)) in appliance.models.iter().zip(inferences).enumerate() {
        let Some(name) = &model.sensor else { continue };
        let place = appliance.sensors.iter().position(|it| it.name == *name);
        let place = place.with_context(|| format!("there is no sensor {name}"))?;
        let sensor = appliance.sensors.get(place).context("no such sensor")?;
        let file = files
            .iter()
            .find_map(|it| it.strip_prefix(&format!("{name}=")));
        let file =
            file.with_context(|| format!("say what {name} measures: --samples {name}=FILE"))?;
        let ModelInput::Samples(wanted) = &inference.description().input else {
            bail!("model {}: it takes frames, not samples", model.name);
        };
        let before = appliance.sensors.iter().take(place);
        tracks.push(Track {
            model: index,
            first_channel: before.map(|sensor| sensor.channels.len()).sum(),
            channels: sensor.channels.len(),
            window: [wanted.samples, wanted.hop.unwrap_or(wanted.samples)].map(|it| it as usize),
            period: Duration::try_from_secs_f64(1.0 / sensor.rate_hz)?,
            samples: sampled::read(Path::new(file), sensor.channels.len())?,
        });
    }
    Ok(tracks)
}
