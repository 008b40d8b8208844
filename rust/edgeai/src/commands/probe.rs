//! `edgeai probe`: what this machine offers an appliance.
//!
//! Everything is optional: a part that is not there, or may not be read, is an empty list or
//! an absent value, never an error.

mod accelerator;
mod camera;
mod model;
mod signal;
mod system;

use edgeai_engine::{Accelerator, OnFallback, Runtime, runtime_named};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Arguments of `edgeai probe`.
#[derive(clap::Args)]
pub struct Arguments {
    /// Print JSON instead of text
    #[arg(long)]
    json: bool,
    /// Report a model instead: its tensors, and which device runs which operator. A model directory
    /// or a .tflite file
    #[arg(long, value_name = "PATH")]
    model: Option<PathBuf>,
    /// Where the model's operators are to run: auto, cpu, a delegate's short name or its library
    #[arg(long, value_name = "NAME", default_value = "auto", requires = "model")]
    accelerator: String,
    /// What runs the model: auto, litert or tflite
    #[arg(long, value_name = "NAME", default_value = "auto", value_parser = runtime_named, requires = "model")]
    runtime: Runtime,
    /// Fail if an operator would run on the CPU although an accelerator was asked for
    #[arg(long, requires = "model")]
    no_fallback: bool,
}

#[derive(Serialize)]
struct Machine {
    system: system::System,
    realtime: system::Realtime,
    accelerators: Vec<accelerator::Accelerator>,
    cameras: Vec<edgeai_camera::Listed>,
    #[serde(flatten)]
    signal: signal::Signal,
}

pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    if let Some(path) = &arguments.model {
        return of_model(arguments, path);
    }
    let root = Path::new("/");
    let machine = Machine {
        system: system::System::read(root),
        realtime: system::Realtime::read(root),
        accelerators: accelerator::find(root),
        cameras: edgeai_camera::list(),
        signal: signal::Signal::find(root),
    };
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&machine)?);
    } else {
        print_text(&machine);
    }
    Ok(())
}

fn print_text(machine: &Machine) {
    let unknown = || "unknown".to_owned();
    let system = &machine.system;
    if let Some(board) = &system.board {
        println!("board       {board}");
    }
    println!(
        "cpu         {}, {} cores",
        system.cpu.clone().unwrap_or_else(unknown),
        system.cores
    );
    println!("            {}", system.cpu_features.join(" "));
    println!(
        "kernel      {}",
        system.kernel.clone().unwrap_or_else(unknown)
    );
    if let (Some(total), Some(available)) = (system.memory_kb, system.memory_available_kb) {
        println!(
            "memory      {} MB, {} MB available",
            total / 1024,
            available / 1024
        );
    }

    let realtime = &machine.realtime;
    let yes = |value| if value { "yes" } else { "no" };
    println!("real time   PREEMPT_RT: {}", yes(realtime.preempt_rt));
    match &realtime.fifo_refused {
        None => println!("            SCHED_FIFO: yes"),
        Some(reason) => println!("            SCHED_FIFO: no ({reason})"),
    }
    println!(
        "            RLIMIT_RTPRIO: {}",
        realtime.rtprio_limit.clone().unwrap_or_else(unknown)
    );
    println!(
        "            RLIMIT_MEMLOCK: {}",
        realtime.memlock_limit.clone().unwrap_or_else(unknown)
    );

    list("accelerator", &machine.accelerators, |accelerator| {
        println!("accelerator {}: {}", accelerator.path, accelerator.what);
    });
    list("camera", &machine.cameras, camera::print);
    signal::print(&machine.signal);
}

fn of_model(arguments: &Arguments, path: &Path) -> anyhow::Result<()> {
    let on_fallback = if arguments.no_fallback {
        OnFallback::Fail
    } else {
        OnFallback::Warn
    };
    let accelerator = Accelerator::from(arguments.accelerator.clone());
    let report = model::probe(path, accelerator, arguments.runtime, on_fallback)?;
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        model::print(&report);
    }
    Ok(())
}

fn list<T>(what: &str, items: &[T], print: impl Fn(&T)) {
    if items.is_empty() {
        println!("{what:<11} none");
    }
    items.iter().for_each(print);
}

/// Text of a file without the newline or zero at its end; `None` if it cannot be read.
fn read_text(path: &Path) -> Option<String> {
    let bytes = std::fs::read(path).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    Some(text.trim_end_matches(['\n', '\0']).to_owned())
}

/// Names in a directory, sorted; empty if it cannot be read.
fn entries(path: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(path)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    // video2 before video10
    names.sort_by_key(|name| {
        let digits = name.trim_start_matches(|c: char| !c.is_ascii_digit());
        (
            name[..name.len() - digits.len()].to_owned(),
            digits.parse().unwrap_or(u64::MAX),
            name.clone(),
        )
    });
    names
}

/// A file tree that goes away with the value, for the tests of the submodules.
#[cfg(test)]
struct Tree(std::path::PathBuf);

#[cfg(test)]
impl Tree {
    fn new(name: &str, files: &[(&str, &[u8])]) -> Self {
        let root = std::env::temp_dir().join(format!("edgeai-probe-{}-{name}", std::process::id()));
        for (path, content) in files {
            let path = root.join(path);
            std::fs::create_dir_all(path.parent().expect("a file has a parent")).expect("scratch");
            std::fs::write(path, content).expect("scratch");
        }
        Self(root)
    }
}

#[cfg(test)]
impl Drop for Tree {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_in_numeric_order() {
        let tree = Tree::new(
            "entries",
            &[("video10", b""), ("video2", b""), ("null", b"")],
        );
        assert_eq!(entries(&tree.0), ["null", "video2", "video10"]);
        assert!(entries(Path::new("/nonexistent")).is_empty());
    }

    #[test]
    fn an_empty_machine_is_reported_without_error() {
        let root = Path::new("/nonexistent");
        assert!(accelerator::find(root).is_empty());
        let system = system::System::read(root);
        assert_eq!(
            (system.cpu, system.kernel, system.memory_kb),
            (None, None, None)
        );
        assert!(!system::Realtime::read(root).preempt_rt);
    }
}
