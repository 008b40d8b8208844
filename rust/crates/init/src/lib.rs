//! PID 1: mounts, the data partition, the watchdog, supervision and orderly power-off.
use std::process::ExitCode;
/// Runs as PID 1 and does not return while the machine is up.
pub fn main() -> ExitCode { ExitCode::FAILURE }
