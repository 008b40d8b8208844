//! How a model is loaded.

use crate::EngineError;
use edgeai_config::{Accelerator, Model, OnFallback, Runtime};
use std::collections::BTreeMap;

/// Most CPU threads [`Options::threads`] may ask for.
const MAX_THREADS: u32 = 16;

/// How to load a model.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// CPU threads of one invocation, 1 ..= 16. Worker threads inherit the scheduling policy
    /// and priority of the thread that calls [`crate::load`].
    pub threads: u32,
    /// Which runtime. `Auto`: what the environment variable `EDGEAI_RUNTIME` names, else LiteRT
    /// where it is installed, else TFLite.
    pub runtime: Runtime,
    /// Where operators run.
    pub accelerator: Accelerator,
    /// Options of the delegate, passed on as they are.
    pub options: BTreeMap<String, String>,
    /// What to do when operators end on the CPU although an accelerator was asked for, or
    /// `Auto` found one.
    pub on_fallback: OnFallback,
    /// Measure each device's share of the time for the [`crate::Delegation`]. The model is
    /// compiled once more for it, with the runtime's profiler, and run a few times on zeros.
    pub measure: bool,
}

impl Default for Options {
    /// One thread on the CPU.
    fn default() -> Self {
        Self {
            threads: 1,
            runtime: Runtime::Auto,
            accelerator: Accelerator::Cpu,
            options: BTreeMap::new(),
            on_fallback: OnFallback::Warn,
            measure: false,
        }
    }
}

impl From<&Model> for Options {
    fn from(model: &Model) -> Self {
        Self {
            threads: model.threads,
            runtime: model.runtime,
            accelerator: model.accelerator.clone(),
            options: model.options.clone(),
            on_fallback: model.on_fallback,
            measure: false,
        }
    }
}

impl Options {
    /// Refuses what no runtime could be given.
    pub(crate) fn check(&self) -> Result<(), EngineError> {
        if (1..=MAX_THREADS).contains(&self.threads) {
            return Ok(());
        }
        Err(EngineError::Threads {
            asked: self.threads,
            most: MAX_THREADS,
        })
    }

    /// The runtime asked for; `Auto` only if nobody asks for one.
    pub(crate) fn runtime(&self) -> Result<Runtime, EngineError> {
        match (self.runtime, std::env::var("EDGEAI_RUNTIME")) {
            (Runtime::Auto, Ok(name)) => runtime_named(&name),
            (asked, _) => Ok(asked),
        }
    }
}

/// The runtime called `name`: `auto`, `litert` or `tflite`.
///
/// # Errors
/// [`EngineError::Runtime`] for any other name.
pub fn runtime_named(name: &str) -> Result<Runtime, EngineError> {
    match name {
        "auto" => Ok(Runtime::Auto),
        "litert" => Ok(Runtime::Litert),
        "tflite" => Ok(Runtime::Tflite),
        other => Err(EngineError::Runtime {
            reason: format!("unknown runtime `{other}`: expected auto, litert or tflite"),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runtime_names_parse() {
        assert_eq!(runtime_named("litert").ok(), Some(Runtime::Litert));
        assert_eq!(runtime_named("tflite").ok(), Some(Runtime::Tflite));
        assert_eq!(runtime_named("auto").ok(), Some(Runtime::Auto));
        assert!(runtime_named("LiteRT").is_err());
    }

    #[test]
    fn thread_count_is_bounded() {
        for (threads, fits) in [(0, false), (1, true), (MAX_THREADS, true), (17, false)] {
            let options = Options {
                threads,
                ..Options::default()
            };
            assert_eq!(options.check().is_ok(), fits, "{threads}");
        }
    }
}
