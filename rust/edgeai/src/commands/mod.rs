//! One file for each subcommand.

pub mod check;
pub mod infer;
pub mod probe;
pub mod run;
pub mod safe;
