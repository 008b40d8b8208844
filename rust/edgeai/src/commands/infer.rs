//! `edgeai infer`: a model on one picture, or on one window of samples.

use super::sampled;
use anyhow::{Context, anyhow, bail};
use edgeai_camera::{Frame, Plane};
use edgeai_config::{Accelerator, Colour, Model, PixelFormat};
use edgeai_decode::{Findings, ModelInput, Names};
use edgeai_engine::{ElementType, Options, Runtime, runtime_named};
use edgeai_pipeline::{Inference, Perception, Times};
use edgeai_recording::{Sighting, Window};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Arguments of `edgeai infer`.
#[derive(clap::Args)]
pub struct Arguments {
    /// Model directory: model.tflite, labels.txt, model.toml
    #[arg(long, value_name = "DIR")]
    model: PathBuf,
    /// JPEG or PNG file
    #[arg(long, value_name = "FILE", required_unless_present = "samples")]
    image: Option<PathBuf>,
    /// CSV file with a sample a line, a channel a column; the first window is taken
    #[arg(long, value_name = "FILE", conflicts_with = "image")]
    samples: Option<PathBuf>,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
    /// CPU threads, 1 to 16
    #[arg(long, value_name = "N", default_value_t = 1)]
    threads: u32,
    /// Times to run; the timing printed is the median
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    repeat: u32,
    /// What runs the model: auto, litert or tflite
    #[arg(long, value_name = "NAME", default_value = "auto", value_parser = runtime_named)]
    runtime: Runtime,
    /// Where operators run: auto, cpu, a delegate's short name or its library
    #[arg(long, value_name = "NAME", default_value = "cpu")]
    accelerator: String,
}

#[derive(Serialize)]
struct Report<'a> {
    model: &'a str,
    runtime: &'a str,
    input: Input,
    detections: Vec<LabelledDetection<'a>>,
    /// Anomaly, areas, scores: by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    values: BTreeMap<&'a str, f32>,
    timing_ms: Timing,
}

/// Of a picture its size, of samples one wide and as long as the window.
#[derive(Serialize)]
struct Input {
    width: u32,
    height: u32,
    element: ElementType,
}

#[derive(Serialize)]
struct LabelledDetection<'a> {
    label: &'a str,
    score: f32,
    /// `x_min`, `y_min`, `x_max`, `y_max`, 0 ..= 1 of the picture.
    r#box: [f32; 4],
    /// x, y, score of each key point.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    points: BTreeMap<&'a str, [f32; 3]>,
}

/// Milliseconds; all but `load` are medians over the repetitions.
#[derive(Serialize)]
struct Timing {
    load: f64,
    preprocess: f64,
    invoke: f64,
    decode: f64,
}

pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let start = Instant::now();
    let options = Options {
        threads: arguments.threads,
        runtime: arguments.runtime,
        accelerator: Accelerator::from(arguments.accelerator.clone()),
        ..Options::default()
    };
    let mut inference =
        Inference::open(&arguments.model, &options).map_err(|error| anyhow!(error))?;
    let load = start.elapsed();
    let (name, runtime) = (
        inference.description().model.name.clone(),
        inference.runtime().to_owned(),
    );
    let names = inference.names().clone();
    let input = input_of(&inference)?;
    let window = match (&arguments.samples, &inference.description().input) {
        (Some(file), ModelInput::Samples(wanted)) => {
            let needed = wanted.samples as usize * wanted.channels as usize;
            let mut samples = sampled::read(file, wanted.channels as usize)?;
            if samples.len() < needed {
                bail!(
                    "{}: {} numbers; a window has {needed}",
                    file.display(),
                    samples.len()
                );
            }
            samples.truncate(needed);
            Some(Window {
                samples,
                ..Window::default()
            })
        }
        (Some(_), ModelInput::Image(_)) => bail!("the model takes a picture: use --image"),
        (None, ModelInput::Samples(_)) => bail!("the model takes samples: use --samples"),
        (None, ModelInput::Image(_)) => None,
    };
    let (pixels, size) = match &arguments.image {
        Some(file) => read_picture(file)?,
        None => (Vec::new(), [0; 2]),
    };
    let described = described(&arguments.model);
    let mut model = Perception::new(0, &described, &mut inference);
    let mut times = [const { Vec::<Duration>::new() }; 3];
    let mut sighting = Sighting::default();
    for _ in 0..arguments.repeat {
        let (seen, spent) = match &window {
            Some(window) => model.hear(window),
            None => model.look(&frame(&pixels, size)),
        }
        .map_err(|error| anyhow!(error))?;
        let Times {
            preprocess,
            invoke,
            decode,
            ..
        } = spent;
        for (list, time) in times.iter_mut().zip([preprocess, invoke, decode]) {
            list.push(time);
        }
        sighting = seen;
    }
    let [preprocess, invoke, decode] = times.map(median);
    let report = Report {
        model: &name,
        runtime: &runtime,
        input,
        detections: labelled(&sighting.findings(), &names),
        values: named(&names.values, &sighting.values),
        timing_ms: Timing {
            load: milliseconds(load),
            preprocess: milliseconds(preprocess),
            invoke: milliseconds(invoke),
            decode: milliseconds(decode),
        },
    };
    if arguments.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        print_table(&report);
    }
    Ok(())
}

/// A model that sees the whole picture and follows nothing.
pub fn described(directory: &Path) -> Model {
    Model {
        name: "model".into(),
        file: directory.display().to_string(),
        camera: None,
        sensor: None,
        crop: None,
        runtime: Runtime::Auto,
        accelerator: Accelerator::Cpu,
        options: BTreeMap::new(),
        on_fallback: edgeai_config::OnFallback::Warn,
        threads: 1,
        track: None,
    }
}

fn input_of(inference: &Inference) -> anyhow::Result<Input> {
    let element = inference.input().map_err(|error| anyhow!(error))?.element;
    let [width, height] = match &inference.description().input {
        ModelInput::Image(image) => image.size,
        ModelInput::Samples(samples) => [1, samples.samples],
    };
    Ok(Input {
        width,
        height,
        element,
    })
}

fn frame(pixels: &[u8], [width, height]: [u32; 2]) -> Frame<'_> {
    let plane = Plane {
        bytes: pixels,
        stride: width as usize * 3,
    };
    Frame {
        planes: [plane, Plane::default(), Plane::default()],
        plane_count: 1,
        width,
        height,
        format: PixelFormat::Rgb24,
        colour: Colour::default(),
        sequence: 0,
        timestamp: Duration::ZERO,
    }
}

/// RGB pixels, width and height of a JPEG or PNG file.
pub fn read_picture(path: &Path) -> anyhow::Result<(Vec<u8>, [u32; 2])> {
    let picture = image::ImageReader::open(path)
        .and_then(image::ImageReader::with_guessed_format)
        .map_err(image::ImageError::from)
        .and_then(image::ImageReader::decode)
        .with_context(|| format!("cannot read picture {}", path.display()))?
        .into_rgb8();
    let size = [picture.width(), picture.height()];
    Ok((picture.into_raw(), size))
}

fn labelled<'a>(findings: &Findings<'_>, names: &'a Names) -> Vec<LabelledDetection<'a>> {
    let labelled = |detection: &edgeai_decode::Detection| LabelledDetection {
        label: names
            .labels
            .get(usize::from(detection.class))
            .map_or("?", String::as_str),
        score: detection.score,
        r#box: [
            detection.x_min,
            detection.y_min,
            detection.x_max,
            detection.y_max,
        ],
        points: names
            .points
            .iter()
            .map(String::as_str)
            .zip(
                findings
                    .points_of(detection, names)
                    .iter()
                    .map(|point| [point.x, point.y, point.score]),
            )
            .collect(),
    };
    findings.detections.iter().map(labelled).collect()
}

fn named<'a>(names: &'a [String], values: &[f32]) -> BTreeMap<&'a str, f32> {
    let names = names.iter().map(String::as_str);
    names.zip(values.iter().copied()).collect()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// Milliseconds with a resolution of 1 µs.
fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

fn print_table(report: &Report) {
    println!("{} on {}", report.model, report.runtime);
    if report.detections.is_empty() && report.values.is_empty() {
        println!("nothing found");
    }
    for LabelledDetection {
        label,
        score,
        r#box: [x_min, y_min, x_max, y_max],
        points,
    } in &report.detections
    {
        println!(
            "{label:<20} {score:.2}   x {x_min:.3} to {x_max:.3}   y {y_min:.3} to {y_max:.3}"
        );
        for (name, [x, y, score]) in points {
            println!("  {name:<18} {score:.2}   x {x:.3}   y {y:.3}");
        }
    }
    for (name, value) in &report.values {
        println!("{name:<20} {value:.4}");
    }
    let Timing {
        load,
        preprocess,
        invoke,
        decode,
    } = report.timing_ms;
    println!(
        "load {load:.1} ms, preprocess {preprocess:.2} ms, invoke {invoke:.2} ms, decode {decode:.2} ms"
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use edgeai_decode::{Detection, Point};

    #[test]
    fn median_of_odd_and_even_counts() {
        let times =
            |list: &[u64]| median(list.iter().copied().map(Duration::from_micros).collect());
        assert_eq!(times(&[9, 1, 5]), Duration::from_micros(5));
        assert_eq!(times(&[4, 1]), Duration::from_micros(4));
        assert_eq!(times(&[]), Duration::ZERO);
    }

    #[test]
    fn a_missing_picture_is_named() {
        let error = read_picture(Path::new("/nonexistent.png")).expect_err("not there");
        assert!(format!("{error:#}").contains("/nonexistent.png"));
    }

    #[test]
    fn detections_have_their_own_points() {
        let names = Names {
            labels: vec!["???".into(), "face".into()],
            points: vec!["eye".into(), "nose".into()],
            values: Vec::new(),
        };
        let face = |points| Detection {
            class: 1,
            score: 0.5,
            x_min: 0.0,
            y_min: 0.0,
            x_max: 1.0,
            y_max: 1.0,
            track: 0,
            points,
        };
        let points: Vec<_> = (0..4_u8)
            .map(|number| Point {
                x: f32::from(number),
                y: 0.0,
                score: 1.0,
            })
            .collect();
        let findings = Findings {
            detections: &[face(1), face(0)],
            points: &points,
            values: &[],
        };
        let found = labelled(&findings, &names);
        let noses: Vec<_> = found.iter().map(|face| face.points["nose"][0]).collect();
        assert_eq!(noses, [3.0, 1.0]);
        assert_eq!(found[0].label, "face");
    }
}
