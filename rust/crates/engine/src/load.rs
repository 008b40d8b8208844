//! From a file and wishes to an engine.

use crate::delegate::{self, Choice, Plugin, Taken};
use crate::delegation::NodeTime;
use crate::litert::{self, LiteRt};
use crate::model::ModelFile;
use crate::tflite;
use crate::{Delegation, Engine, EngineError, Options};
use edgeai_config::{OnFallback, Runtime};
use std::path::Path;
use std::sync::Arc;

/// Invocations that are measured for [`Options::measure`]: the profiler counts microseconds,
/// and small operators take few.
pub(crate) const MEASURED_RUNS: u32 = 10;

/// What a runtime is to load.
#[derive(Clone)]
pub(crate) struct Job {
    pub file: Arc<ModelFile>,
    pub threads: u32,
    pub measure: bool,
    /// Why the accelerator asked for is not used.
    fallback: Option<String>,
}

/// A delegate, and its name in the report.
pub(crate) struct Delegated {
    pub name: String,
    pub plugin: Plugin,
}

impl Job {
    pub fn delegation(
        &self,
        device: Option<&str>,
        taken: &Taken,
        times: &[NodeTime],
    ) -> Delegation {
        let delegate = device.map(|name| (name, taken));
        let delegation = Delegation::new(&self.file.interface.operators, delegate, times);
        match &self.fallback {
            Some(reason) => delegation.without_accelerator(reason),
            None => delegation,
        }
    }
}

/// Loads the `.tflite` file `model` and runs it once on zeros, so that every later invocation
/// takes the same time: runtimes plan memory and pack weights in the first one.
///
/// An accelerator that is missing or refuses is replaced by the CPU, and
/// [`Engine::delegation`] says why; with [`OnFallback::Fail`] it is an error.
///
/// # Errors
/// [`EngineError`]: the file is missing, truncated, damaged or has a dynamic shape; the
/// runtime's library is missing or of another version; the runtime refuses the model; the
/// accelerator is unknown, or [`OnFallback::Fail`] and an operator would run on the CPU.
pub fn load(model: &Path, options: &Options) -> Result<Box<dyn Engine>, EngineError> {
    options.check()?;
    let runtime = options.runtime()?;
    let choice = delegate::choose(&options.accelerator, Path::new("/"))
        .map_err(|reason| EngineError::Runtime { reason })?;
    let file = Arc::new(ModelFile::read(model)?);
    let job = Job {
        file,
        threads: options.threads,
        measure: options.measure,
        fallback: None,
    };
    let Some(choice) = choice else {
        return start_on_cpu(model, runtime, job);
    };
    match accelerated(runtime, job.clone(), &choice, options) {
        Ok(engine) if options.on_fallback == OnFallback::Fail => {
            complete(engine.delegation(), &choice.name)?;
            Ok(engine)
        }
        Ok(engine) => Ok(engine),
        Err(reason) if options.on_fallback == OnFallback::Fail => Err(EngineError::Accelerator {
            name: choice.name,
            reason,
        }),
        Err(reason) => {
            let fallback = Some(format!("{}: {reason}", choice.name));
            start_on_cpu(model, runtime, Job { fallback, ..job })
        }
    }
}

fn accelerated(
    runtime: Runtime,
    job: Job,
    choice: &Choice,
    options: &Options,
) -> Result<Box<dyn Engine>, String> {
    let plugin = Plugin::create(&choice.library, &options.options)?;
    let delegated = Delegated {
        name: choice.name.clone(),
        plugin,
    };
    start(runtime, job, Some(delegated)).map_err(|error| error.to_string())
}

fn start_on_cpu(model: &Path, runtime: Runtime, job: Job) -> Result<Box<dyn Engine>, EngineError> {
    if !job.file.interface.foreign.is_empty() {
        let operators = job.file.interface.foreign.join(", ");
        let why = job.fallback.map(|why| format!(" ({why})"));
        return Err(EngineError::Model {
            path: model.to_owned(),
            reason: format!(
                "the custom operators {operators} need an accelerator's delegate{}",
                why.unwrap_or_default()
            ),
        });
    }
    start(runtime, job, None)
}

fn start(
    runtime: Runtime,
    job: Job,
    delegated: Option<Delegated>,
) -> Result<Box<dyn Engine>, EngineError> {
    match runtime {
        Runtime::Tflite => tflite::load(job, delegated),
        // LiteRT is the faster of the two wherever it was measured (docs/engine.md).
        Runtime::Auto if !litert::is_present() && tflite::is_present() => {
            tflite::load(job, delegated)
        }
        Runtime::Auto | Runtime::Litert => Ok(Box::new(LiteRt::load(job, delegated)?)),
    }
}

/// An error that names the operators that are not on `device`.
fn complete(delegation: &Delegation, device: &str) -> Result<(), EngineError> {
    let fallen: Vec<String> = delegation
        .fallen_back()
        .map(|operator| format!("{} {}", operator.index, operator.name))
        .collect();
    if fallen.is_empty() {
        return Ok(());
    }
    Err(EngineError::Fallback {
        name: device.to_owned(),
        count: fallen.len(),
        total: delegation.operators.len(),
        operators: fallen.join(", "),
    })
}
