//! What is wrong, and where.

use crate::Position;

/// A mistake in an appliance description.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}:{column}: {message}")]
pub struct ConfigError {
    /// Path as given.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// What is wrong, what was expected, what to do.
    pub message: String,
}

impl ConfigError {
    pub(crate) fn new(file: &str, text: &str, offset: usize, message: String) -> Self {
        let Position { line, column } = Position::of(text, offset);
        Self {
            file: file.to_owned(),
            line,
            column,
            message,
        }
    }
}
