//! What can go wrong.

use std::path::PathBuf;

/// Why a model could not be loaded or run.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The model file cannot be read.
    #[error("cannot read model {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The model file is damaged, or needs something an engine does not have.
    #[error("model {path}: {reason}")]
    Model {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// [`crate::verify`]: the bytes are no model, damaged, or need something an engine does not
    /// have.
    #[error("{reason}")]
    Refused {
        /// What is wrong.
        reason: String,
    },
    /// The accelerator asked for does not exist, or cannot be used and `on_fallback` is `fail`.
    #[error("accelerator {name}: {reason}")]
    Accelerator {
        /// Its name.
        name: String,
        /// What its library or the runtime said.
        reason: String,
    },
    /// Operators would run on the CPU, and `on_fallback` is `fail`.
    #[error("{count} of {total} operators do not run on {name}: {operators}")]
    Fallback {
        /// Name of the accelerator.
        name: String,
        /// How many fell back.
        count: usize,
        /// How many there are.
        total: usize,
        /// Index and name of each, separated by commas.
        operators: String,
    },
    /// The runtime asked for does not exist or is not part of this build.
    #[error("{reason}")]
    Runtime {
        /// Which, and what was expected.
        reason: String,
    },
    /// The runtime's shared library cannot be used.
    #[error("cannot use {library}: {reason}")]
    Library {
        /// Path or name of the library.
        library: String,
        /// What the loader said, or which symbol is missing.
        reason: String,
    },
    /// A call into the runtime failed.
    #[error("{call} failed: {reason}")]
    Call {
        /// The runtime's function.
        call: &'static str,
        /// Its status.
        reason: String,
    },
    /// [`crate::Options::threads`] is out of range.
    #[error("{asked} threads asked for: expected 1 to {most}")]
    Threads {
        /// What was asked for.
        asked: u32,
        /// The most there can be.
        most: u32,
    },
}
