//! PID 1: mounts, the data partition, the watchdog, supervision and orderly power-off.
//!
//! One thread, one loop. Nothing in here may end the process: the kernel panics when
//! PID 1 does, so every step is fenced and an internal error is only a line on the console.

mod backoff;
mod block;
mod console;
mod data;
mod ext4;
mod gpt;
mod input;
mod main_loop;
mod mounts;
mod network;
mod notify;
mod process;
mod shutdown;
mod supervisor;
mod watchdog;

use log::{error, info, warn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use supervisor::Unit;
use watchdog::Watchdog;

/// The program PID 1 supervises; it is also what runs as PID 1.
const EDGEAI: &str = "/usr/bin/edgeai";

/// Runs as PID 1. Does not return while the machine is up.
#[must_use]
pub fn main() -> ExitCode {
    let mut steps = Steps::new();
    console::install();
    fenced("mounts", mounts::mount_all);
    fenced("console", console::open);
    steps.done("mounts");

    let mut watchdog = fenced("watchdog", Watchdog::open).unwrap_or_else(Watchdog::absent);
    fenced("loopback", network::loopback_up);
    let signals = main_loop::Signals::block();
    steps.done("watchdog and network");

    let mut keep_alive = || watchdog.keep_alive(console::monotonic());
    let data = match catch_unwind(AssertUnwindSafe(|| data::provide(&mut keep_alive))) {
        Ok(Ok(())) => "ready".to_owned(),
        Ok(Err(reason)) => format!("unavailable: {reason:#}"),
        Err(_) => "unavailable: internal error".to_owned(),
    };
    steps.done("data");

    let notify = fenced("notify", notify::Socket::bind).unwrap_or_else(notify::Socket::absent);
    let units = fenced("services", units).unwrap_or_else(|| vec![Unit::edgeai_run()]);
    steps.done("description");

    let mut state = main_loop::MainLoop::new(signals, notify, watchdog, units);
    fenced("start", || state.start());
    steps.done("start");
    info!("ready in {} ms (data {data})", steps.total().as_millis());
    info!("steps: {}", steps.report.join(", "));

    loop {
        // A turn that panics has still been a turn: the next one polls the same state again.
        if fenced("main loop", || state.turn()).is_none() {
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

/// What PID 1 keeps running: the services of the image's own description, then `edgeai run`.
fn units() -> Vec<Unit> {
    let mut units = Vec::new();
    match edgeai_config::load(Path::new(edgeai_config::IMAGE_FILE)) {
        Ok(appliance) => {
            units.extend(
                appliance
                    .services
                    .into_iter()
                    .map(|s| Unit::service(s.name, s.exec)),
            );
        }
        Err(error) => warn!("no services: {error}"),
    }
    units.push(Unit::edgeai_run());
    units
}

/// Runs one step; a panic in it is reported and answered with `None`.
fn fenced<T>(step: &str, body: impl FnOnce() -> T) -> Option<T> {
    // Unwind safety: what a step leaves half done is only read by later steps, which
    // check what they find (mount points, descriptors, process ids) instead of trusting it.
    catch_unwind(AssertUnwindSafe(body))
        .map_err(|_| error!("{step}: internal error"))
        .ok()
}

/// How long each step of the start took.
struct Steps {
    start: Instant,
    last: Instant,
    report: Vec<String>,
}

impl Steps {
    fn new() -> Self {
        let now = Instant::now();
        Self {
            start: now,
            last: now,
            report: Vec::new(),
        }
    }

    fn done(&mut self, name: &str) {
        let now = Instant::now();
        self.report
            .push(format!("{name} {} ms", (now - self.last).as_millis()));
        self.last = now;
    }

    fn total(&self) -> Duration {
        self.last - self.start
    }
}
