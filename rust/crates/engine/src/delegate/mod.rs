//! Accelerators: delegates for TFLite's graph, in libraries of their own.
//!
//! A library is opened and its plugin entry points called directly. (TFLite's own
//! `TfLiteExternalDelegateCreate` gives a delegate even for a library that is missing or
//! refuses, and crashes when that delegate is used.)

mod abi;
mod discover;
mod plugin;
mod record;

pub use abi::{Delegate, Status};
pub use discover::{Choice, choose};
pub use plugin::Plugin;
pub use record::{Taken, record};
