//! `edgeai bench`: how long each stage of the pipeline takes on this machine.

mod frames;

use anyhow::{Context, anyhow, bail};
use edgeai_config::{Appliance, Level, Realtime};
use edgeai_engine::{Accelerator, Options, Runtime, runtime_named};
use edgeai_pipeline::{
    Eye, Handover, Host, Inference, Link, Pace, Paced, Roster, Seen, Signals, Step, lane,
    spawn_signal, step,
};
use edgeai_preprocess::SourceSpec;
use edgeai_signal::simulated::Bench;
use frames::{Loop, made_up, recorded};
use rtrb::RingBuffer;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

/// Frames before the measuring begins.
const WARM_UP: u32 = 5;
/// How often this thread looks whether the signal thread is done.
const LOOK: Duration = Duration::from_micros(100);
/// A signal thread that takes longer stands still.
const STUCK: Duration = Duration::from_secs(10);
/// The line that changes with every frame, so that every frame moves an output.
const TOGGLE: &str = "bench-toggle";

/// Arguments of `edgeai bench`.
#[derive(clap::Args)]
pub struct Arguments {
    /// Model directory; without, the first model of the recording
    #[arg(long, value_name = "DIR", required_unless_present = "recording")]
    model: Option<PathBuf>,
    /// Frames, rules and outputs of this recording
    #[arg(long, value_name = "FILE", conflicts_with = "synthetic")]
    recording: Option<PathBuf>,
    /// Made-up frames, like `NV12 1920x1080`
    #[arg(long, num_args = 2, value_names = ["FORMAT", "WxH"], default_values = ["YUYV", "640x480"])]
    synthetic: Vec<String>,
    /// Frames to measure
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    frames: u32,
    /// CPU threads of the model, 1 to 16
    #[arg(long, value_name = "N", default_value_t = 1)]
    threads: u32,
    /// What runs the model: auto, litert or tflite
    #[arg(long, value_name = "NAME", default_value = "auto", value_parser = runtime_named)]
    runtime: Runtime,
    /// Where operators run: auto, cpu, a delegate's short name or its library
    #[arg(long, value_name = "NAME", default_value = "cpu")]
    accelerator: String,
    /// `SCHED_FIFO` and locked memory, as on a device
    #[arg(long)]
    realtime: bool,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    model: String,
    runtime: String,
    /// What the frames are.
    frames: String,
    count: u32,
    realtime: bool,
    /// Each stage, microseconds.
    stages_us: BTreeMap<&'static str, Percentiles>,
    /// From dequeue to levels on the lines, without preprocess and invoke.
    overhead_us: Percentiles,
    /// From dequeue to levels on the lines.
    total_us: Percentiles,
    /// Processor time of the whole process for each frame.
    cpu_us_per_frame: f64,
    /// Most memory the process ever had.
    peak_memory_kb: Option<u64>,
}

#[derive(Serialize, Clone, Copy)]
struct Percentiles {
    p50: f64,
    p90: f64,
    p99: f64,
    max: f64,
}

pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let (mut appliance, mut source) = match &arguments.recording {
        Some(path) => recorded(path)?,
        None => (None, made_up(&arguments.synthetic)?),
    };
    let directory = match (&arguments.model, &appliance) {
        (Some(directory), _) => directory.clone(),
        (None, Some(appliance)) => {
            let model = appliance.models.first();
            edgeai_config::model_directory(&model.context("the recording has no model")?.file)
        }
        (None, None) => bail!("say which model: --model DIR"),
    };
    let options = Options {
        threads: arguments.threads,
        runtime: arguments.runtime,
        accelerator: Accelerator::from(arguments.accelerator.clone()),
        ..Options::default()
    };
    if arguments.realtime {
        let realtime = appliance.as_ref().map(|appliance| &appliance.realtime);
        be_vision(realtime.unwrap_or(&Realtime::default()), arguments.threads)?;
    }
    let mut inference = Inference::open(&directory, &options).map_err(|error| anyhow!(error))?;
    let appliance = match appliance.take() {
        Some(appliance) => appliance,
        None => plain(&directory, inference.names())?,
    };
    let report = measure(arguments, appliance, &mut inference, &mut source)?;
    if arguments.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        print(&report);
    }
    Ok(())
}

/// Makes this thread what a thread with a model is on a device, before the model is loaded.
fn be_vision(realtime: &Realtime, threads: u32) -> anyhow::Result<()> {
    if let Err(error) = edgeai_realtime::lock_memory() {
        eprintln!("edgeai: memory is not locked: {error}");
    }
    edgeai_realtime::fifo(realtime.vision_priority).context("no SCHED_FIFO")?;
    edgeai_realtime::leave_cpu_0(threads).context("no CPU affinity")?;
    edgeai_realtime::prefault_stack();
    Ok(())
}

/// An appliance with a rule over the model's first class (or value) and a rule that moves a line with
/// every frame.
fn plain(directory: &Path, names: &edgeai_decode::Names) -> anyhow::Result<Appliance> {
    let when = match (names.values.first(), names.labels.get(1)) {
        (Some(value), _) => format!("value = {:?}, above = 0.5", format!("model.{value}")),
        (None, Some(label)) => format!(
            "class = {label:?}, score = 0.5, zone = [[0.2, 0.2], [0.8, 0.2], [0.8, 0.8], [0.2, 0.8]], for_ms = 200"
        ),
        (None, None) => bail!("the model knows no class and no value"),
    };
    let text = format!(
        r#"
        camera = {{ device = "/dev/null", size = [640, 480] }}
        model = {{ file = {:?}, track = {{}} }}
        deadline = {{ frame_to_action_ms = 60000, on_miss = "warn" }}
        input = [{{ name = "toggle", line = "{TOGGLE}" }}]
        output = [
          {{ name = "stop", line = "stop", safe = "high" }},
          {{ name = "lamp", line = "lamp", safe = "low" }},
        ]
        [[rule]]
        name = "seen"
        when = {{ {when} }}
        then = {{ output = "stop", level = "high", hold_ms = 500 }}
        [[rule]]
        name = "toggle"
        when = {{ input = "toggle", level = "high" }}
        then = {{ output = "lamp", level = "high" }}
        "#,
        std::path::absolute(directory)?.display().to_string(),
    );
    Ok(edgeai_config::parse("bench", &text)?)
}

/// Runs frames through this thread and a signal thread as on the device; only the lines are simulated.
fn measure(
    arguments: &Arguments,
    mut appliance: Appliance,
    inference: &mut Inference,
    source: &mut Loop,
) -> anyhow::Result<Report> {
    // One model on one camera is what is measured.
    appliance.models.truncate(1);
    appliance.recording = None;
    let first = source.frames.first().context("no frames")?;
    let spec = SourceSpec {
        format: first.format,
        colour: first.colour,
        size: [first.width, first.height],
    };
    let lines: Vec<_> = appliance
        .inputs
        .iter()
        .map(|input| input.line.clone())
        .chain(appliance.outputs.iter().map(|output| {
            let pwm = output.pwm.as_ref().map(|pwm| pwm.channel.clone());
            output.line.clone().or(pwm).unwrap_or_default()
        }))
        .collect();
    let bench = Bench::new(&lines.iter().map(String::as_str).collect::<Vec<_>>());
    let link = Arc::new(Link::new(&appliance)?);
    let (mut lane, inbox) = lane(0);
    let (events, mut queue) = RingBuffer::new(64);
    let (own_events, _own_queue) = RingBuffer::new(8);
    let signals = Signals::new(
        &appliance,
        || bench.clone(),
        vec![inbox],
        None,
        events,
        Arc::clone(&link),
    );
    let priority = appliance.realtime.signal_priority;
    let signal = spawn_signal(signals, own_events, arguments.realtime.then_some(priority))?;
    let model = appliance.models.first().context("no model")?;
    let (crop, track) = (model.crop, Some(model.track.clone().unwrap_or_default()));
    let rules = Roster::new(Arc::new(appliance.clone())).enter(0, inference.names());
    if let Some(rules) = rules.map_err(|error| anyhow!(error))? {
        lane.insist(Handover::Rules(rules), &link);
    }
    let title = (
        inference.description().model.name.clone(),
        inference.runtime().to_owned(),
    );
    let mut samples = Samples::default();
    let mut cpu = Duration::ZERO;
    {
        let sight = inference.look_through(&spec, crop, track.as_ref());
        let mut eyes = [Eye {
            sight: sight.map_err(|error| anyhow!(error))?,
            lane: &mut lane,
        }];
        let mut host = Host::new(&link.home, arguments.realtime);
        let mut source = Paced {
            source: &mut *source,
            pace: Pace::new(arguments.realtime),
        };
        for number in 0..arguments.frames + WARM_UP {
            if number == WARM_UP {
                samples = Samples::default();
                cpu = processor_time();
            }
            let level = if number % 2 == 0 {
                Level::High
            } else {
                Level::Low
            };
            bench.pull(TOGGLE, level);
            one(&mut source, &mut eyes, &link, &mut samples)?;
            host.worked(source.pace.working());
            // Nobody reads what is told.
            while queue.pop().is_ok() {}
        }
    }
    let cpu = processor_time().saturating_sub(cpu);
    link.stop.store(true, Ordering::Release);
    let _ = link.signal.write(1);
    let _ = signal.join();
    let stages = samples.stages.iter_mut();
    Ok(Report {
        model: title.0,
        runtime: title.1,
        frames: source.title.clone(),
        count: arguments.frames,
        realtime: arguments.realtime,
        stages_us: STAGES
            .into_iter()
            .zip(stages.map(|times| Percentiles::of(times.as_mut_slice())))
            .collect(),
        overhead_us: Percentiles::of(&mut samples.overhead),
        total_us: Percentiles::of(&mut samples.total),
        cpu_us_per_frame: (cpu.as_secs_f64() * 1e7 / f64::from(arguments.frames)).round() / 10.0,
        peak_memory_kb: peak_memory(),
    })
}

/// The stages, in the order of the way.
const STAGES: [&str; 7] = [
    "preprocess",
    "invoke",
    "decode",
    "track",
    "hand_over",
    "rules",
    "actuate",
];

/// Times of all frames.
#[derive(Default)]
struct Samples {
    stages: [Vec<Duration>; STAGES.len()],
    overhead: Vec<Duration>,
    total: Vec<Duration>,
}

/// One frame from the source to the lines.
fn one(
    source: &mut Paced<'_, Loop>,
    eyes: &mut [Eye<'_>],
    link: &Link,
    samples: &mut Samples,
) -> anyhow::Result<()> {
    match step(source, eyes, None, link, STUCK).map_err(|error| anyhow!(error))? {
        Step::Seen => {}
        Step::Damaged(how) => bail!("{how}"),
        Step::Silence => bail!("no frame"),
    }
    let eye = eyes.first_mut().context("no model")?;
    let mut waited = Duration::ZERO;
    let seen = loop {
        if let Some(seen) = eye.lane.returned() {
            break seen;
        }
        if waited > STUCK {
            bail!("the signal thread does not answer");
        }
        thread::sleep(LOOK);
        waited += LOOK;
    };
    samples.add(seen);
    Ok(())
}

impl Samples {
    fn add(&mut self, seen: &Seen) {
        let Some(done) = seen.done else { return };
        let times = [
            seen.times.preprocess,
            seen.times.invoke,
            seen.times.decode,
            seen.times.track,
            done.received.saturating_sub(seen.handed),
            done.decided.saturating_sub(done.received),
            done.acted.saturating_sub(done.decided),
        ];
        for (list, time) in self.stages.iter_mut().zip(times) {
            list.push(time);
        }
        let total = done.acted.saturating_sub(seen.dequeued);
        self.total.push(total);
        self.overhead.push(total.saturating_sub(seen.worked));
    }
}

impl Percentiles {
    fn of(times: &mut [Duration]) -> Self {
        times.sort_unstable();
        let at = |percent: usize| {
            let rank = (times.len() * percent).div_ceil(100).max(1) - 1;
            let time = times.get(rank).copied().unwrap_or_default();
            // A tenth of a microsecond.
            (time.as_secs_f64() * 1e7).round() / 10.0
        };
        Self {
            p50: at(50),
            p90: at(90),
            p99: at(99),
            max: at(100),
        }
    }
}

/// Time that all threads of this process have run.
fn processor_time() -> Duration {
    let clock = nix::time::ClockId::CLOCK_PROCESS_CPUTIME_ID;
    nix::time::clock_gettime(clock).map_or(Duration::ZERO, Duration::from)
}

fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}

fn print(report: &Report) {
    let Report {
        model,
        runtime,
        frames,
        count,
        ..
    } = report;
    println!("{model} on {runtime}; {count} frames: {frames}");
    println!(
        "{:<12}{:>12}{:>12}{:>12}{:>12}",
        "us", "p50", "p90", "p99", "max"
    );
    let line = |name: &str, times: &Percentiles| {
        let Percentiles { p50, p90, p99, max } = times;
        println!("{name:<12}{p50:>12.1}{p90:>12.1}{p99:>12.1}{max:>12.1}");
    };
    for (name, times) in STAGES
        .iter()
        .filter_map(|name| report.stages_us.get_key_value(name))
    {
        line(name, times);
    }
    line("overhead", &report.overhead_us);
    line("total", &report.total_us);
    println!(
        "overhead: from dequeue to the lines without preprocess and invoke; the lines are simulated"
    );
    println!("processor time {:.0} us a frame", report.cpu_us_per_frame);
    if let Some(memory) = report.peak_memory_kb {
        println!("peak memory {memory} kB");
    }
    if !report.realtime {
        println!("without real-time priority; with: --realtime");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_occurred() {
        let mut times: Vec<_> = (1..=200).rev().map(Duration::from_micros).collect();
        let Percentiles { p50, p90, p99, max } = Percentiles::of(&mut times);
        let text = format!("{p50} {p90} {p99} {max}");
        assert_eq!(text, "100 180 198 200");
        assert_eq!(Percentiles::of(&mut []).max.to_bits(), 0.0_f64.to_bits());
    }

    #[test]
    fn the_made_up_appliance_is_valid_for_classes_and_for_values() {
        let classes = edgeai_decode::Names {
            labels: vec!["???".into(), "Coffee \"cup\"".into()],
            ..edgeai_decode::Names::default()
        };
        let values = edgeai_decode::Names {
            values: vec!["anomaly".into()],
            ..classes.clone()
        };
        for names in [classes, values] {
            let appliance = plain(Path::new("/models/x"), &names).unwrap();
            assert!(edgeai_rules::Rules::new(&appliance, &[names]).is_ok());
        }
    }
}
