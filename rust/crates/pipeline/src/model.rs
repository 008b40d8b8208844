//! A model, ready to look at frames.

use crate::link::{Link, Sighting};
use edgeai_camera::{Frame, Negotiated};
use edgeai_config::{Accelerator, Model};
use edgeai_decode::{Element, ModelDescription, OutputSpec, SsdDecoder};
use edgeai_engine::{ElementType, Engine, Options, TensorInfo};
use edgeai_preprocess::{Image, Preprocessor, TensorType};
use edgeai_realtime::monotonic_now;

/// Most output tensors a model may have.
const MAX_OUTPUTS: usize = 16;

/// Engine and decoder of one model directory.
pub struct Detector {
    engine: Box<dyn Engine>,
    decoder: SsdDecoder,
    description: ModelDescription,
}

/// A [`Detector`] for frames of one format and size.
pub struct Sight<'a> {
    detector: &'a mut Detector,
    preprocessor: Preprocessor,
}

impl Detector {
    /// Loads the model named in the appliance description and runs it once, so that whatever a
    /// runtime puts off to its first run is done before the first frame.
    ///
    /// # Errors
    /// One line saying what is wrong with the model.
    pub fn load(model: &Model) -> Result<Self, String> {
        let directory = edgeai_config::model_directory(&model.file);
        let description = ModelDescription::load(&directory).map_err(|error| error.to_string())?;
        let options = match model.accelerator {
            Accelerator::Auto | Accelerator::Cpu => Options {
                threads: model.threads,
                ..Options::default()
            },
        };
        let engine = edgeai_engine::load(&directory.join("model.tflite"), &options)
            .map_err(|error| error.to_string())?;
        let mut detector = Self::new(engine, description)?;
        detector
            .engine
            .invoke()
            .map_err(|error| error.to_string())?;
        Ok(detector)
    }

    /// Puts an engine and a description together.
    ///
    /// # Errors
    /// One line saying how they do not fit.
    pub fn new(engine: Box<dyn Engine>, description: ModelDescription) -> Result<Self, String> {
        let [width, height] = description.input.size.map(|side| side as usize);
        if engine.input().shape != [1, height, width, 3] {
            return Err(format!(
                "the model's input is {:?}, model.toml says {:?}",
                engine.input().shape,
                [1, height, width, 3]
            ));
        }
        if engine.output_count() > MAX_OUTPUTS {
            return Err(format!(
                "the model has {} outputs, at most {MAX_OUTPUTS} are possible",
                engine.output_count()
            ));
        }
        let outputs: Vec<_> = (0..engine.output_count())
            .map(|index| output_spec(engine.output_info(index)))
            .collect::<Result<_, _>>()?;
        let decoder = SsdDecoder::new(&description, &outputs).map_err(|error| error.to_string())?;
        Ok(Self {
            engine,
            decoder,
            description,
        })
    }

    /// Class names; index 0 is the background.
    #[must_use]
    pub fn labels(&self) -> &[String] {
        &self.description.labels
    }

    /// Name and runtime, for people.
    #[must_use]
    pub fn title(&self) -> String {
        format!("{}, {}", self.description.model.name, self.engine.runtime())
    }

    /// Prepares for frames as `camera` delivers them.
    ///
    /// # Errors
    /// One line saying what does not fit.
    pub fn look_through(&mut self, camera: &Negotiated) -> Result<Sight<'_>, String> {
        let preprocessor = Preprocessor::new(
            camera.format,
            [camera.width, camera.height],
            self.description.input.size,
            tensor_type(self.engine.input())?,
            self.description.input.range,
        )
        .map_err(|error| error.to_string())?;
        Ok(Sight {
            detector: self,
            preprocessor,
        })
    }
}

impl Sight<'_> {
    /// Looks at one frame; the time of each stage goes into the metrics. Does not allocate unless
    /// it fails.
    ///
    /// # Errors
    /// One line from the stage that failed.
    pub fn look(&mut self, frame: &Frame<'_>, link: &Link) -> Result<Sighting, String> {
        let Detector {
            engine, decoder, ..
        } = &mut *self.detector;
        let start = monotonic_now();
        let image = Image::new(
            frame.pixels,
            frame.format,
            frame.width,
            frame.height,
            frame.stride,
        )
        .map_err(|error| format!("camera: {error}"))?;
        self.preprocessor
            .run(&image, engine.input_mut())
            .map_err(|error| format!("preprocess: {error}"))?;
        let preprocessed = monotonic_now();
        engine
            .invoke()
            .map_err(|error| format!("engine: {error}"))?;
        let invoked = monotonic_now();
        let mut outputs: [&[u8]; MAX_OUTPUTS] = [&[]; MAX_OUTPUTS];
        for (index, output) in outputs.iter_mut().enumerate().take(engine.output_count()) {
            *output = engine.output(index);
        }
        let outputs = outputs.get(..engine.output_count()).unwrap_or(&outputs);
        let detections = decoder
            .decode(outputs)
            .map_err(|error| format!("decode: {error}"))?;
        let sighting = Sighting::new(frame.sequence, frame.timestamp, detections);
        let decoded = monotonic_now();
        link.metrics
            .preprocess
            .record(preprocessed.saturating_sub(start));
        link.metrics
            .invoke
            .record(invoked.saturating_sub(preprocessed));
        link.metrics.decode.record(decoded.saturating_sub(invoked));
        Ok(sighting)
    }
}

fn tensor_type(input: &TensorInfo) -> Result<TensorType, String> {
    let TensorInfo {
        scale, zero_point, ..
    } = *input;
    match input.element {
        ElementType::F32 => Ok(TensorType::F32),
        ElementType::I8 => Ok(TensorType::I8 { scale, zero_point }),
        ElementType::U8 => Ok(TensorType::U8 { scale, zero_point }),
        other => Err(format!("input tensors of type {other:?} cannot be filled")),
    }
}

fn output_spec(output: &TensorInfo) -> Result<OutputSpec, String> {
    let element = match output.element {
        ElementType::F32 => Element::F32,
        ElementType::I8 => Element::I8,
        ElementType::U8 => Element::U8,
        other => return Err(format!("output tensors of type {other:?} cannot be read")),
    };
    Ok(OutputSpec {
        shape: output.shape.clone(),
        element,
        scale: output.scale,
        zero_point: output.zero_point,
    })
}
