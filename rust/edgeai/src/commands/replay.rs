//! `edgeai replay`: does the same recording give the same decisions?

mod listing;

use anyhow::{Context, anyhow, bail};
use edgeai_config::Appliance;
use edgeai_engine::Options;
use edgeai_pipeline::{Inference, Perception, Replay, Report};
use edgeai_recording::{Header, Model, Reader, Record, RecordingError, parts};
use listing::Listing;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

/// Arguments of `edgeai replay`.
#[derive(clap::Args)]
pub struct Arguments {
    /// A recording, or a directory of them: the parts of its newest run
    recording: PathBuf,
    /// Where to begin: recorded findings, or recorded frames with the model
    #[arg(long, value_enum, default_value_t = From::Findings)]
    from: From,
    /// Directory with the model directories, instead of those of the device
    #[arg(long, value_name = "DIR")]
    models: Option<PathBuf>,
    /// Print JSON instead of text
    #[arg(long)]
    json: bool,
    /// Do not list what was decided when, only whether it is the same
    #[arg(long, conflicts_with = "json")]
    quiet: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum From {
    /// The rules only: the same on every machine, bit for bit
    Findings,
    /// Everything: the same for integer models on the same runtime
    Frames,
}

type Recording = Reader<BufReader<File>>;

pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let files =
        parts(&arguments.recording).with_context(|| arguments.recording.display().to_string())?;
    let mut readers = Vec::new();
    for file in &files {
        readers.push(open(file)?);
    }
    let header = readers.first().context("no recording")?.header().clone();
    let file_name = format!("appliance.toml in {}", arguments.recording.display());
    let appliance = edgeai_config::parse(&file_name, &header.appliance)?;
    let mut inferences = Vec::new();
    if arguments.from == From::Frames {
        for model in &appliance.models {
            inferences.push(load(model, arguments.models.as_deref())?);
        }
    }
    let models = appliance.models.iter().zip(&mut inferences).enumerate();
    let models = models
        .map(|(index, (described, inference))| Perception::new(index, described, inference))
        .collect();
    let mut replay = match arguments.from {
        From::Findings => Replay::of_findings(&appliance),
        From::Frames => Replay::of_frames(&appliance, models),
    };
    let mut listing = (!arguments.json && !arguments.quiet).then(|| Listing::new(&appliance));
    for (file, reader) in files.iter().zip(readers) {
        play(&mut replay, reader, &appliance, listing.as_mut(), arguments)
            .with_context(|| file.display().to_string())?;
    }
    let report = replay.finish();
    if arguments.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        print(&report, &header);
    }
    if report.different > 0 {
        bail!("{} decisions differ", report.different);
    }
    if report.states_different > 0 {
        bail!("{} states differ", report.states_different);
    }
    if report.memories_different > 0 {
        bail!("{} memories differ", report.memories_different);
    }
    if !report.same() {
        bail!("no decision could be compared");
    }
    Ok(())
}

fn open(file: &Path) -> anyhow::Result<Recording> {
    let opened = File::open(file).with_context(|| file.display().to_string())?;
    Reader::new(BufReader::new(opened)).with_context(|| file.display().to_string())
}

fn load(model: &edgeai_config::Model, models: Option<&Path>) -> anyhow::Result<Inference> {
    let directory = directory(model, models);
    Inference::open(&directory, &Options::from(model))
        .map_err(|error| anyhow!("model {}: {error}", model.name))
}

/// Where a model is: the last part of its name under `models`, or where the device has it.
pub fn directory(model: &edgeai_config::Model, models: Option<&Path>) -> PathBuf {
    let name = Path::new(&model.file).file_name();
    match (models, name) {
        (Some(models), Some(name)) => models.join(name),
        _ => edgeai_config::model_directory(&model.file),
    }
}

fn play(
    replay: &mut Replay<'_>,
    mut reader: Recording,
    appliance: &Appliance,
    mut listing: Option<&mut Listing<'_>>,
    arguments: &Arguments,
) -> anyhow::Result<()> {
    replay
        .begin(reader.header())
        .map_err(|error| anyhow!(error))?;
    loop {
        match reader.record() {
            Ok(Some(record)) => {
                if let (Record::Model(model), From::Frames) = (&record, arguments.from) {
                    compare_model(model, appliance, arguments.models.as_deref());
                }
                if let (Record::Evaluation(made), Some(listing)) = (&record, listing.as_deref_mut())
                    && let Some(line) = listing.line(made)
                {
                    println!("{line}");
                }
                let position = reader.position();
                replay
                    .take(record)
                    .map_err(|error| anyhow!("before byte {position}: {error}"))?;
            }
            Ok(None) => return Ok(()),
            // As after a power cut: all before it counts.
            Err(error @ (RecordingError::CutOff { .. } | RecordingError::Damaged { .. })) => {
                replay.cut_off(&error);
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Says if the model here is not the recorded one.
fn compare_model(recorded: &Model, appliance: &Appliance, models: Option<&Path>) {
    let Some(model) = appliance.models.get(usize::from(recorded.index)) else {
        return;
    };
    let directory = directory(model, models);
    for (file, hash) in [
        ("model.tflite", recorded.weights),
        ("model.toml", recorded.description),
    ] {
        let path = directory.join(file);
        if hash != [0; 32] && edgeai_pipeline::hash(&path) != hash {
            eprintln!("edgeai: {} is not the recorded one", path.display());
        }
    }
}

fn print(report: &Report, header: &Header) {
    println!("recorded by {}", header.program);
    if report.sightings + report.without_frame + report.without_memory > 0 {
        println!(
            "{} sightings made again, {} different; {} without frame, {} without what the model remembered",
            report.sightings,
            report.sightings_different,
            report.without_frame,
            report.without_memory
        );
    }
    if let Some(first) = &report.first_sighting_different {
        println!("first: {first}");
    }
    println!(
        "{} evaluations compared, {} decisions different; {} could not be compared",
        report.evaluations, report.different, report.not_compared
    );
    if report.states > 0 {
        println!(
            "{} states of the rules compared, {} different",
            report.states, report.states_different
        );
    }
    if report.memories > 0 {
        println!(
            "{} memories of models compared, {} different",
            report.memories, report.memories_different
        );
    }
    if let Some(first) = &report.first_memory_different {
        println!("first: {first}");
    }
    if let Some(first) = &report.first_difference {
        println!("first: at {} s: {}", first.time, first.what);
    }
    if report.frames_missing + report.decisions_missing > 0 {
        println!(
            "the recorder missed {} frames and {} decisions",
            report.frames_missing, report.decisions_missing
        );
    }
    if let Some(reason) = &report.cut_off {
        println!("{reason}");
    }
}
