//! `edgeai infer`: a model on one picture.

use anyhow::{Context, bail};
use edgeai_decode::{Element, ModelDescription, OutputSpec, SsdDecoder};
use edgeai_engine::{ElementType, Engine, Options, Runtime, TensorInfo};
use edgeai_preprocess::{Image, PixelFormat, Preprocessor, TensorType};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Arguments of `edgeai infer`.
#[derive(clap::Args)]
pub struct Arguments {
    /// Model directory: model.tflite, labels.txt, model.toml
    #[arg(long, value_name = "DIR")]
    model: PathBuf,
    /// JPEG or PNG file
    #[arg(long, value_name = "FILE")]
    image: PathBuf,
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
    #[arg(long, value_name = "NAME", default_value = "auto")]
    runtime: Runtime,
}

#[derive(Serialize)]
struct Report<'a> {
    model: &'a str,
    runtime: &'a str,
    input: Input,
    detections: Vec<LabelledDetection<'a>>,
    timing_ms: Timing,
}

#[derive(Serialize)]
struct Input {
    width: u32,
    height: u32,
    element: &'static str,
}

#[derive(Serialize)]
struct LabelledDetection<'a> {
    label: &'a str,
    score: f32,
    /// `x_min`, `y_min`, `x_max`, `y_max`, 0 ..= 1 of the picture.
    r#box: [f32; 4],
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
    let description = ModelDescription::load(&arguments.model)?;
    let options = Options {
        threads: arguments.threads,
        runtime: arguments.runtime,
    };
    let mut engine = edgeai_engine::load(&arguments.model.join("model.tflite"), &options)?;
    let mut decoder = SsdDecoder::new(&description, &output_specs(&*engine)?)?;
    let load = start.elapsed();

    let (pixels, size) = read_picture(&arguments.image)?;
    let tensor = tensor_type(engine.input(), description.input.size)?;
    let mut preprocessor = Preprocessor::new(
        PixelFormat::Rgb24,
        size,
        description.input.size,
        tensor,
        description.input.range,
    )?;
    let picture = Image::new(
        &pixels,
        PixelFormat::Rgb24,
        size[0],
        size[1],
        size[0] as usize * 3,
    )?;

    let mut times = [const { Vec::<Duration>::new() }; 3];
    let mut detections = Vec::new();
    for _ in 0..arguments.repeat {
        let begin = Instant::now();
        preprocessor.run(&picture, engine.input_mut())?;
        let preprocessed = Instant::now();
        engine.invoke()?;
        let invoked = Instant::now();
        let outputs: Vec<&[u8]> = (0..engine.output_count())
            .map(|i| engine.output(i))
            .collect();
        let found = decoder.decode(&outputs)?;
        let finished = Instant::now();
        times[0].push(preprocessed - begin);
        times[1].push(invoked - preprocessed);
        times[2].push(finished - invoked);
        detections.clear();
        detections.extend_from_slice(found);
    }
    let [preprocess, invoke, decode] = times.map(median);

    let report = Report {
        model: &description.model.name,
        runtime: engine.runtime(),
        input: Input {
            width: description.input.size[0],
            height: description.input.size[1],
            element: element_name(engine.input().element),
        },
        detections: detections
            .iter()
            .map(|detection| LabelledDetection {
                label: description
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
            })
            .collect(),
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

/// RGB pixels, width and height of a JPEG or PNG file.
fn read_picture(path: &Path) -> anyhow::Result<(Vec<u8>, [u32; 2])> {
    let picture = image::ImageReader::open(path)
        .and_then(image::ImageReader::with_guessed_format)
        .map_err(image::ImageError::from)
        .and_then(image::ImageReader::decode)
        .with_context(|| format!("cannot read picture {}", path.display()))?
        .into_rgb8();
    let size = [picture.width(), picture.height()];
    Ok((picture.into_raw(), size))
}

/// The model's input as `preprocess` sees it; it must be `size` = width, height in NHWC RGB.
fn tensor_type(input: &TensorInfo, size: [u32; 2]) -> anyhow::Result<TensorType> {
    let expected = [1, size[1] as usize, size[0] as usize, 3];
    if input.shape != expected {
        bail!(
            "model.tflite takes {:?}, but model.toml's [input] size gives {expected:?}",
            input.shape
        );
    }
    let (scale, zero_point) = (input.scale, input.zero_point);
    match input.element {
        ElementType::F32 => Ok(TensorType::F32),
        ElementType::I8 => Ok(TensorType::I8 { scale, zero_point }),
        ElementType::U8 => Ok(TensorType::U8 { scale, zero_point }),
        other => bail!(
            "model.tflite takes {}: expected f32, i8 or u8",
            element_name(other)
        ),
    }
}

fn output_specs(engine: &dyn Engine) -> anyhow::Result<Vec<OutputSpec>> {
    (0..engine.output_count())
        .map(|index| {
            let info = engine.output_info(index);
            let element = match info.element {
                ElementType::F32 => Element::F32,
                ElementType::I8 => Element::I8,
                ElementType::U8 => Element::U8,
                other => bail!(
                    "output {index} is {}: expected f32, i8 or u8",
                    element_name(other)
                ),
            };
            Ok(OutputSpec {
                shape: info.shape.clone(),
                element,
                scale: info.scale,
                zero_point: info.zero_point,
            })
        })
        .collect()
}

fn element_name(element: ElementType) -> &'static str {
    match element {
        ElementType::F32 => "f32",
        ElementType::F16 => "f16",
        ElementType::I8 => "i8",
        ElementType::U8 => "u8",
        ElementType::I16 => "i16",
        ElementType::I32 => "i32",
        ElementType::I64 => "i64",
        ElementType::Bool => "bool",
    }
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
    if report.detections.is_empty() {
        println!("nothing found");
    }
    for LabelledDetection {
        label,
        score,
        r#box: [x_min, y_min, x_max, y_max],
    } in &report.detections
    {
        println!(
            "{label:<20} {score:.2}   x {x_min:.3} to {x_max:.3}   y {y_min:.3} to {y_max:.3}"
        );
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

    #[test]
    fn median_of_odd_and_even_counts() {
        let times =
            |list: &[u64]| median(list.iter().copied().map(Duration::from_micros).collect());
        assert_eq!(times(&[9, 1, 5]), Duration::from_micros(5));
        assert_eq!(times(&[4, 1]), Duration::from_micros(4));
        assert_eq!(times(&[]), Duration::ZERO);
    }

    #[test]
    fn input_must_match_the_description() {
        let info = |shape: &[usize], element| TensorInfo {
            name: "in".into(),
            shape: shape.to_vec(),
            element,
            scale: 0.5,
            zero_point: -1,
            bytes: 0,
        };
        let wide = info(&[1, 240, 320, 3], ElementType::I8);
        assert_eq!(
            tensor_type(&wide, [320, 240]).expect("matches"),
            TensorType::I8 {
                scale: 0.5,
                zero_point: -1
            }
        );
        assert!(tensor_type(&wide, [240, 320]).is_err());
        assert!(tensor_type(&info(&[1, 4, 4, 3], ElementType::I64), [4, 4]).is_err());
    }

    #[test]
    fn a_missing_picture_is_named() {
        let error = read_picture(Path::new("/nonexistent.png")).expect_err("not there");
        assert!(format!("{error:#}").contains("/nonexistent.png"));
    }
}
