//! A model, ready to look at frames.

use crate::tensors::{MAX_TENSORS, layout, place, specs, window};
use edgeai_camera::Frame;
use edgeai_config::{Model, Track};
use edgeai_decode::{
    Decode, Decoder, Findings, Memory, MemoryError, ModelDescription, ModelInput, Names, Tensors,
    Tracker, recall,
};
use edgeai_engine::{Delegation, Engine, Options, TensorInfo};
use edgeai_preprocess::{Image, PlaneRef, PreprocessError, Preprocessor, SourceSpec, Window};
use edgeai_realtime::monotonic_now;
use edgeai_recording::Sighting;
use std::path::Path;
use std::time::Duration;

/// Engine and decoder of one model directory.
pub struct Inference {
    engine: Box<dyn Engine>,
    decoder: Decoder,
    description: ModelDescription,
}

/// An [`Inference`] for frames of one format and size.
pub struct Sight<'a> {
    inference: &'a mut Inference,
    preprocessor: Preprocessor,
    tracker: Option<Tracker>,
}

/// An [`Inference`] for windows of samples.
pub struct Hearing<'a> {
    inference: &'a mut Inference,
    window: Window,
    rate: f64,
}

/// How long the stages of one frame took.
#[derive(Debug, Clone, Copy, Default)]
pub struct Times {
    /// Frame into tensor.
    pub preprocess: Duration,
    /// The model.
    pub invoke: Duration,
    /// Tensors into findings.
    pub decode: Duration,
    /// Findings into tracks.
    pub track: Duration,
}

/// Why a frame could not be looked at.
#[derive(Debug, thiserror::Error)]
pub enum LookError {
    /// The picture that the camera sent is damaged; the next one may be whole.
    #[error("preprocess: {0}")]
    Damaged(PreprocessError),
    /// A stage failed, and would fail again.
    #[error("{0}")]
    Failed(String),
}

impl Inference {
    /// Loads the model named in the appliance description.
    ///
    /// # Errors
    /// One line saying what is wrong with the model.
    pub fn load(model: &Model) -> Result<Self, String> {
        let (directory, options) = place(model);
        Self::open(&directory, &options)
    }

    /// Loads the model in `directory`.
    ///
    /// # Errors
    /// One line saying what is wrong with the model.
    pub fn open(directory: &Path, options: &Options) -> Result<Self, String> {
        let description = ModelDescription::load(directory).map_err(|error| error.to_string())?;
        let engine = edgeai_engine::load(&directory.join("model.tflite"), options)
            .map_err(|error| error.to_string())?;
        Self::new(engine, description)
    }

    /// Puts an engine and a description together.
    ///
    /// # Errors
    /// One line saying how they do not fit.
    pub fn new(engine: Box<dyn Engine>, description: ModelDescription) -> Result<Self, String> {
        let decoder = decoder(&description, engine.inputs(), engine.outputs())?;
        Ok(Self {
            engine,
            decoder,
            description,
        })
    }

    /// What its numbers are called.
    #[must_use]
    pub fn names(&self) -> &Names {
        self.decoder.names()
    }

    /// What the model directory says.
    #[must_use]
    pub fn description(&self) -> &ModelDescription {
        &self.description
    }

    /// Whether what it says depends on frames or windows before.
    #[must_use]
    pub fn remembers(&self) -> bool {
        matches!(self.description.decode, Decode::Score(_))
    }

    /// Which device runs which operator.
    #[must_use]
    pub fn delegation(&self) -> &Delegation {
        self.engine.delegation()
    }

    /// The tensor that is filled.
    ///
    /// # Errors
    /// One line: a model without input.
    pub fn input(&self) -> Result<&TensorInfo, String> {
        let first = self.engine.inputs().first();
        first.ok_or_else(|| "the model has no input".to_owned())
    }

    /// What runs it, like `LiteRT 2.3.0`.
    #[must_use]
    pub fn runtime(&self) -> &str {
        self.engine.runtime()
    }

    /// Name and runtime, for people.
    #[must_use]
    pub fn title(&self) -> String {
        format!("{}, {}", self.description.model.name, self.engine.runtime())
    }

    /// Prepares for frames as `source` delivers them, of which `crop` is seen (x, y, width, height in
    /// 0 ..= 1 of the frame). What was remembered of frames before is forgotten.
    ///
    /// # Errors
    /// One line saying what does not fit.
    pub fn look_through(
        &mut self,
        source: &SourceSpec,
        crop: Option<[f32; 4]>,
        track: Option<&Track>,
    ) -> Result<Sight<'_>, String> {
        let image = self.description.input.image();
        let image = image.ok_or("the model takes samples of a sensor, not frames")?;
        let (layout, fit) = layout(image, self.input()?)?;
        let preprocessor = Preprocessor::new(source, crop, fit, &layout)
            .map_err(|error| format!("preprocess: {error}"))?;
        self.decoder.reset();
        Ok(Sight {
            inference: self,
            preprocessor,
            tracker: track.map(Tracker::new),
        })
    }

    /// Prepares for windows of samples. What was remembered of windows before is forgotten.
    ///
    /// # Errors
    /// One line saying what does not fit.
    pub fn listen(&mut self) -> Result<Hearing<'_>, String> {
        let ModelInput::Samples(samples) = &self.description.input else {
            return Err("the model takes frames, not samples of a sensor".into());
        };
        let hop = samples.hop.unwrap_or(samples.samples);
        let rate = f64::from(samples.rate_hz) / f64::from(hop.max(1));
        let window = window(samples, self.input()?)?;
        self.decoder.reset();
        Ok(Hearing {
            inference: self,
            window,
            rate,
        })
    }

    /// Runs the engine on its input tensor as it is, and reads what came of it.
    fn run(&mut self, region: [f32; 4]) -> Result<(Findings<'_>, Times), String> {
        let Self {
            engine, decoder, ..
        } = self;
        let start = monotonic_now();
        engine
            .invoke()
            .map_err(|error| format!("engine: {error}"))?;
        let invoked = monotonic_now();
        let mut inputs: [&[u8]; MAX_TENSORS] = [&[]; MAX_TENSORS];
        let mut outputs: [&[u8]; MAX_TENSORS] = [&[]; MAX_TENSORS];
        let (input_count, output_count) = (engine.inputs().len(), engine.outputs().len());
        for (index, input) in inputs.iter_mut().enumerate().take(input_count) {
            *input = engine.input(index);
        }
        for (index, output) in outputs.iter_mut().enumerate().take(output_count) {
            *output = engine.output(index);
        }
        let tensors = Tensors {
            inputs: inputs.get(..input_count).unwrap_or(&inputs),
            outputs: outputs.get(..output_count).unwrap_or(&outputs),
        };
        let findings = decoder
            .decode(&tensors, region)
            .map_err(|error| format!("decode: {error}"))?;
        let times = Times {
            invoke: invoked.saturating_sub(start),
            decode: monotonic_now().saturating_sub(invoked),
            ..Times::default()
        };
        Ok((findings, times))
    }
}

impl<'a> Sight<'a> {
    /// The model, for other frames.
    #[must_use]
    pub fn into_inner(self) -> &'a mut Inference {
        self.inference
    }

    /// What the model's numbers are called.
    #[must_use]
    pub fn names(&self) -> &Names {
        self.inference.names()
    }

    /// What it remembers of the frames before.
    #[must_use]
    pub fn memory(&self) -> Memory<'_> {
        Memory::new(&self.inference.decoder, self.tracker.as_ref())
    }

    /// Remembers what it remembered when that was written down.
    ///
    /// # Errors
    /// Those of [`recall`]; it remembers what it did, then.
    pub fn recall(&mut self, memory: &[u8]) -> Result<(), MemoryError> {
        recall(&mut self.inference.decoder, self.tracker.as_mut(), memory)
    }

    /// Looks at one frame; what is found goes into `into`, which has room for it. Does not allocate
    /// unless it fails or the frame is MJPEG.
    ///
    /// # Errors
    /// One line from the stage that failed.
    pub fn look(&mut self, frame: &Frame<'_>, into: &mut Sighting) -> Result<Times, LookError> {
        let start = monotonic_now();
        let planes = frame.planes.map(|plane| PlaneRef {
            bytes: plane.bytes,
            stride: plane.stride,
        });
        let planes = planes.get(..frame.plane_count).unwrap_or(&planes);
        let (width, height) = (frame.width, frame.height);
        let image = Image::new(planes, frame.format, frame.colour, width, height)
            .map_err(|error| LookError::Failed(format!("camera: {error}")))?;
        self.preprocessor
            .run(&image, self.inference.engine.input_mut(0))
            .map_err(|error| match error {
                PreprocessError::Jpeg(_) => LookError::Damaged(error),
                _ => LookError::Failed(format!("preprocess: {error}")),
            })?;
        let preprocess = monotonic_now().saturating_sub(start);
        let points = self.inference.names().points.len();
        let (findings, times) = self
            .inference
            .run(self.preprocessor.region())
            .map_err(LookError::Failed)?;
        (into.sequence, into.captured) = (frame.sequence, frame.timestamp);
        into.fill(&findings, points);
        let start = monotonic_now();
        if let Some(tracker) = &mut self.tracker {
            tracker.update(frame.timestamp, &mut into.detections);
        }
        Ok(Times {
            preprocess,
            track: monotonic_now().saturating_sub(start),
            ..times
        })
    }
}

impl<'a> Hearing<'a> {
    /// The model, for other windows.
    #[must_use]
    pub fn into_inner(self) -> &'a mut Inference {
        self.inference
    }

    /// What the model's numbers are called.
    #[must_use]
    pub fn names(&self) -> &Names {
        self.inference.names()
    }

    /// What it remembers of the windows before.
    #[must_use]
    pub fn memory(&self) -> Memory<'_> {
        Memory::new(&self.inference.decoder, None)
    }

    /// Remembers what it remembered when that was written down.
    ///
    /// # Errors
    /// Those of [`recall`]; it remembers what it did, then.
    pub fn recall(&mut self, memory: &[u8]) -> Result<(), MemoryError> {
        recall(&mut self.inference.decoder, None, memory)
    }

    /// How many windows come in a second.
    #[must_use]
    pub fn windows_per_second(&self) -> f64 {
        self.rate
    }

    /// Makes of a window of samples (channel beside channel) what the model says of it; sequence and
    /// time of `into` are left alone. Does not allocate unless it fails.
    ///
    /// # Errors
    /// One line from the stage that failed.
    pub fn hear(&mut self, samples: &[f32], into: &mut Sighting) -> Result<Times, String> {
        let start = monotonic_now();
        self.window
            .run(samples, self.inference.engine.input_mut(0))
            .map_err(|error| format!("preprocess: {error}"))?;
        let preprocess = monotonic_now().saturating_sub(start);
        let points = self.inference.names().points.len();
        let (findings, times) = self.inference.run([0.0, 0.0, 1.0, 1.0])?;
        into.fill(&findings, points);
        Ok(Times {
            preprocess,
            ..times
        })
    }
}

/// What the numbers of the model in `directory` are called, without loading it into an engine.
///
/// # Errors
/// One line saying what is wrong with the model.
pub fn names(directory: &Path) -> Result<Names, String> {
    let description = ModelDescription::load(directory).map_err(|error| error.to_string())?;
    let file = directory.join("model.tflite");
    let bytes = std::fs::read(&file).map_err(|error| format!("{}: {error}", file.display()))?;
    let interface =
        edgeai_engine::verify(&bytes).map_err(|error| format!("{}: {error}", file.display()))?;
    let decoder = decoder(&description, &interface.inputs, &interface.outputs)?;
    Ok(decoder.names().clone())
}

fn decoder(
    description: &ModelDescription,
    inputs: &[TensorInfo],
    outputs: &[TensorInfo],
) -> Result<Decoder, String> {
    Decoder::new(description, &specs(inputs)?, &specs(outputs)?).map_err(|error| error.to_string())
}
