//! `edgeai`: as `/sbin/init` it is PID 1; `edgeai run` is the supervised runtime;
//! the other subcommands answer on any Linux machine.

mod commands;

use clap::{Parser, Subcommand};
use nix::sys::signal::{SigHandler, Signal, signal};
use std::process::ExitCode;

/// From a camera frame to a pin, within a deadline.
#[derive(Parser)]
#[command(name = "edgeai", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run as PID 1 (what /sbin/init does)
    Init,
    /// Run the appliance: camera, model, rules, outputs
    Run(commands::run::Arguments),
    /// Hold every output at its safe level until terminated
    Safe(commands::safe::Arguments),
    /// Run a model once on an image file
    Infer(commands::infer::Arguments),
    /// Measure the stages of the pipeline
    Bench(commands::bench::Arguments),
    /// Make a recording from images, without a device
    Record(commands::record::Arguments),
    /// Decide a recording again: the same decisions, bit for bit?
    Replay(commands::replay::Arguments),
    /// Check an appliance description
    Check(commands::check::Arguments),
    /// Load a model and end: what `run` does first with a model that is not the image's
    #[command(hide = true)]
    Trial(commands::trial::Arguments),
    /// Report what this machine offers, or what runs a model's operators
    Probe(commands::probe::Arguments),
}

fn main() -> ExitCode {
    // PID 1 must not depend on how the kernel spelled its command line.
    if std::process::id() == 1 {
        return edgeai_init::main();
    }
    let arguments = Arguments::parse();
    if !matches!(arguments.command, Command::Run(_) | Command::Safe(_)) {
        end_with_the_reader();
    }
    let result = match arguments.command {
        Command::Init => Err(anyhow::anyhow!(
            "init runs as PID 1 only; to run the appliance here, use `edgeai run`"
        )),
        Command::Run(arguments) => commands::run::run(&arguments),
        Command::Safe(arguments) => commands::safe::run(&arguments),
        Command::Infer(arguments) => commands::infer::run(&arguments),
        Command::Bench(arguments) => commands::bench::run(&arguments),
        Command::Record(arguments) => commands::record::run(&arguments),
        Command::Replay(arguments) => commands::replay::run(&arguments),
        Command::Check(arguments) => commands::check::run(&arguments),
        Command::Trial(arguments) => commands::trial::run(&arguments),
        Command::Probe(arguments) => commands::probe::run(&arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("edgeai: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Lets a closed pipe (`edgeai probe | head -1`) end a command that only answers, as it ends any other
/// program. Rust ignores the signal, and `println!` would panic.
fn end_with_the_reader() {
    // SAFETY: the default action is no handler, so there is no code that could run in one.
    let restored = unsafe { signal(Signal::SIGPIPE, SigHandler::SigDfl) };
    debug_assert!(restored.is_ok(), "SIGPIPE can be set");
}
