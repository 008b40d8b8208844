//! The signal path allocates nothing once its lines are claimed and its sensors run.

use edgeai_config::{Bias, Channel, Drive, Edge, Input, Level, Output, Pwm, Sensor, SensorKind};
use edgeai_signal::simulated::Bench;
use edgeai_signal::{Inputs, Measure, Outputs, PwmChannel, Sensors};
use embedded_hal::pwm::SetDutyCycle;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::Duration;

/// Counts the allocations of each thread.
struct Counting;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: everything is the system allocator's; the count is a constant-initialised `Cell` without
// a destructor, which never allocates.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promise is the same as ours.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is the same as ours.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations(of: impl FnOnce()) -> u64 {
    let before = COUNT.get();
    of();
    COUNT.get() - before
}

#[test]
fn the_count_counts() {
    assert!(allocations(|| drop(std::hint::black_box(vec![1]))) > 0);
}

fn output(name: &str, min_interval_ms: u32) -> Output {
    Output {
        name: name.into(),
        line: Some(name.into()),
        pwm: None,
        safe: Level::Low,
        active_low: false,
        drive: Drive::PushPull,
        min_interval_ms,
    }
}

#[test]
fn lines() {
    let bench = Bench::new(&["lamp", "relay", "door"]);
    let mut outputs = Outputs::new(bench.clone(), &[output("lamp", 0), output("relay", 3)]);
    let door = Input {
        name: "door".into(),
        line: "door".into(),
        edge: Edge::Both,
        debounce_ms: 2,
        bias: Bias::PullUp,
        active_low: true,
    };
    let mut inputs = Inputs::new(bench.clone(), &[door]);
    outputs.claim(Duration::ZERO).unwrap();
    inputs.claim().unwrap();
    let count = allocations(|| {
        for round in 0..100 {
            let now = Duration::from_millis(round);
            let level = [Level::Low, Level::High][usize::from(round % 2 == 0)];
            bench.pull("door", level);
            inputs.read(now).unwrap();
            outputs.set(now, &[level; 2]).unwrap();
            std::hint::black_box((outputs.due(), outputs.bits(), inputs.due()));
        }
        outputs.safe(Duration::from_secs(1)).unwrap();
    });
    assert_eq!(count, 0);
}

#[test]
fn a_duty() {
    let root = std::env::temp_dir().join(format!("edgeai-signal-{}-duty", std::process::id()));
    let channel = root.join("sys/class/pwm/pwmchip0/pwm0");
    std::fs::create_dir_all(&channel).unwrap();
    for file in ["period", "duty_cycle", "enable"] {
        std::fs::write(channel.join(file), "0").unwrap();
    }
    let pwm = Pwm {
        channel: "pwmchip0:0".into(),
        frequency_hz: 0.1,
        low: 0.0,
        high: 1.0,
    };
    let mut pwm = PwmChannel::claim(&root, &pwm, 0).unwrap();
    let count = allocations(|| pwm.set_duty_cycle_fully_on().unwrap());
    let duty = std::fs::read_to_string(channel.join("duty_cycle")).unwrap();
    std::fs::remove_dir_all(&root).unwrap();
    assert_eq!((count, duty.as_str()), (0, "10000000000\n"));
}

/// Counts up.
struct Counter(f64);

impl Measure for Counter {
    fn channels(&self) -> usize {
        1
    }

    fn measure(&mut self, out: &mut [f64]) -> Result<(), String> {
        self.0 += 1.0;
        out.fill(self.0);
        Ok(())
    }
}

#[test]
fn sensors() {
    let channel = Channel {
        name: "x".into(),
        source: None,
        register: Vec::new(),
        sample: None,
        shift: 0,
        offset: 0.0,
        scale: 1.0,
        unit: String::new(),
        range: None,
    };
    let sensor = Sensor {
        name: "counter".into(),
        kind: SensorKind::I2c,
        device: String::new(),
        address: None,
        speed_hz: None,
        spi_mode: 0,
        rate_hz: 200.0,
        buffered: false,
        setup: Vec::new(),
        timeout_ms: None,
        on_fault: edgeai_config::OnFault::Unknown,
        channels: vec![channel],
    };
    let mut sensors = Sensors::new(&[sensor]);
    sensors.plug(0, || Ok(Counter(0.0)));
    let mut windows = sensors.window(0, 2, 2).unwrap();
    let (mut values, threads) = sensors.start(|_| ()).unwrap();
    let (mut out, mut fresh) = ([None], 0);
    let mut samples = [edgeai_config::Samples::NONE];
    let count = allocations(|| {
        for _ in 0..3 {
            // The limit is for a window that never comes.
            let window = windows.next(Duration::from_secs(60));
            assert_eq!(window.map(|window| window.samples.len()), Some(2));
            let now = edgeai_realtime::monotonic_now();
            fresh += values.read(now, &mut out, &mut samples);
            std::hint::black_box((values.unknown(), values.due()));
        }
    });
    drop(threads);
    assert!(fresh > 0 && out[0].is_some());
    assert_eq!(count, 0);
}
