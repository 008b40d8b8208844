//! Model inference behind one trait.
//!
//! [`load`] reads a `.tflite` file, verifies it before native code sees it, and gives an
//! [`Engine`]: write the input tensor's bytes, [`Engine::invoke`], read the output tensors'
//! bytes. An engine allocates nothing of its own after `load`.
//!
//! LiteRT (`libLiteRt.so`, opened at run time) is always part of the build; TFLite's C API
//! is behind the cargo feature `tflite`.

mod element;
mod error;
mod flatbuffer;
mod litert;
mod model;
mod schema;
mod tensor_memory;
#[cfg(feature = "tflite")]
mod tflite;

pub use element::{ElementType, TensorInfo};
pub use error::EngineError;

use model::ModelFile;
use std::path::Path;
use std::str::FromStr;

/// A loaded model, ready to run.
pub trait Engine: Send {
    /// The input tensor.
    fn input(&self) -> &TensorInfo;

    /// The input tensor's bytes (`input().bytes` of them, native endian): what
    /// [`Engine::invoke`] reads. The content survives an invocation.
    fn input_mut(&mut self) -> &mut [u8];

    /// Runs the model once.
    ///
    /// # Errors
    /// [`EngineError::Call`] when the runtime reports a failure; the outputs are then undefined.
    fn invoke(&mut self) -> Result<(), EngineError>;

    /// How many output tensors there are.
    fn output_count(&self) -> usize;

    /// Output tensor `index` of `0..output_count()`, in the order of the model file.
    ///
    /// # Panics
    /// If `index` is not below [`Engine::output_count`].
    fn output_info(&self, index: usize) -> &TensorInfo;

    /// Bytes of output tensor `index`, native endian, as the last invocation left them.
    ///
    /// # Panics
    /// If `index` is not below [`Engine::output_count`].
    fn output(&self, index: usize) -> &[u8];

    /// Name and version of what runs the model, for example `LiteRT 2.3.0`.
    fn runtime(&self) -> &str;
}

/// How to load a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// CPU threads of one invocation, 1 ..= 16. Worker threads inherit the scheduling policy
    /// and priority of the thread that calls [`load`].
    pub threads: u32,
    /// Which runtime.
    pub runtime: Runtime,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            threads: 1,
            runtime: Runtime::Auto,
        }
    }
}

/// The runtimes an engine can use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Runtime {
    /// What the environment variable `EDGEAI_RUNTIME` names (`litert`, `tflite`); without it
    /// LiteRT, which is the faster of the two wherever it was measured (docs/engine.md).
    #[default]
    Auto,
    /// LiteRT through `libLiteRt.so`: the path in the environment variable `EDGEAI_LITERT`,
    /// else the dynamic loader's search path.
    LiteRt,
    /// TFLite's C API; only in builds with the cargo feature `tflite`.
    Tflite,
}

impl FromStr for Runtime {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "auto" => Ok(Self::Auto),
            "litert" => Ok(Self::LiteRt),
            "tflite" => Ok(Self::Tflite),
            other => Err(format!(
                "unknown runtime `{other}`: expected auto, litert or tflite"
            )),
        }
    }
}

/// Most CPU threads [`Options::threads`] may ask for.
const MAX_THREADS: u32 = 16;

/// Loads the `.tflite` file `model` and runs it once on zeros, so that every later invocation
/// takes the same time.
///
/// # Errors
/// [`EngineError`]: the file is missing, truncated, damaged, has a dynamic shape or more than
/// one input; the runtime's library is missing or of another version; the runtime refuses
/// the model.
pub fn load(model: &Path, options: &Options) -> Result<Box<dyn Engine>, EngineError> {
    if !(1..=MAX_THREADS).contains(&options.threads) {
        return Err(EngineError::Threads {
            asked: options.threads,
            most: MAX_THREADS,
        });
    }
    let runtime = match options.runtime {
        Runtime::Auto => match std::env::var("EDGEAI_RUNTIME") {
            Ok(name) => name
                .parse()
                .map_err(|reason| EngineError::Runtime { reason })?,
            Err(_) => Runtime::LiteRt,
        },
        chosen => chosen,
    };
    let file = ModelFile::read(model)?;
    let mut engine: Box<dyn Engine> = match runtime {
        Runtime::Auto | Runtime::LiteRt => Box::new(litert::LiteRt::load(file, options)?),
        #[cfg(feature = "tflite")]
        Runtime::Tflite => Box::new(tflite::Tflite::load(file, options)?),
        #[cfg(not(feature = "tflite"))]
        Runtime::Tflite => {
            return Err(EngineError::Runtime {
                reason: "this build has no TFLite runtime (cargo feature `tflite`)".into(),
            });
        }
    };
    // The runtimes plan memory and pack weights in the first invocation: several times the
    // duration of the others, which a deadline must not see. Some models fail only here.
    engine.invoke()?;
    Ok(engine)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runtime_names_parse() {
        assert_eq!("litert".parse(), Ok(Runtime::LiteRt));
        assert_eq!("tflite".parse(), Ok(Runtime::Tflite));
        assert_eq!("auto".parse(), Ok(Runtime::Auto));
        assert!("LiteRT".parse::<Runtime>().is_err());
    }

    #[test]
    fn thread_count_is_bounded() {
        for threads in [0, MAX_THREADS + 1] {
            let options = Options {
                threads,
                ..Options::default()
            };
            let refused = load(Path::new("/nonexistent"), &options);
            assert!(matches!(refused, Err(EngineError::Threads { .. })));
        }
    }

    #[test]
    fn missing_model_names_the_file() {
        let Err(error) = load(Path::new("/nonexistent/model.tflite"), &Options::default()) else {
            panic!("loaded a missing file");
        };
        assert!(
            error.to_string().contains("/nonexistent/model.tflite"),
            "{error}"
        );
    }
}
