//! One file for each subcommand.

pub mod bench;
pub mod check;
pub mod infer;
pub mod probe;
pub mod record;
pub mod replay;
pub mod run;
pub mod safe;
mod sampled;
mod synthetic;
pub mod trial;
