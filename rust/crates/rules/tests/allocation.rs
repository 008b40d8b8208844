//! A decision does not allocate.

use edgeai_config::Day;
use edgeai_config::Level::{High, Low};
use edgeai_decode::{Detection, Findings, Names, Point};
use edgeai_rules::{Observation, Rules, Wall};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::Duration;

/// Counts what the calling thread allocates; other threads of the test harness do not matter.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: everything is passed on to the system's allocator as it is; counting does not allocate
// (a constant thread-local without destructor).
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller keeps the contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller keeps the contract.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Every kind of condition and action.
const DESCRIPTION: &str = r#"
camera = { device = "/dev/video0", size = [640, 480] }
model = { file = "m", track = {} }
deadline = { frame_to_action_ms = 100 }
input = [{ name = "door", line = "door" }]
sensor = [{ name = "s", kind = "iio", device = "d", rate_hz = 1, channel = [{ name = "x", source = "x" }] }]
output = [{ name = "stop", line = "stop", safe = "high" }]

[[rule]]
name = "stop"
then = { output = "stop", level = "high", latch = true, reset = "door" }
[rule.when]
any = [
    { class = "Person", score = 0.5, point = "foot", zone = [[0, 0], [1, 0], [1, 1]], for_ms = 5 },
    { not = { all = [{ input = "door", level = "high" }, { between = ["22:00", "06:00"] }] } },
]

[[rule]]
name = "passers"
when = { crosses = [[0.5, 0], [0.5, 1]] }
then = { count = "passers", cooldown_ms = 10 }

[[rule]]
name = "rough"
when = { value = "s.x", above = 0.5, over_ms = 100, statistic = "rms" }
then = { output = "stop", level = "high", hold_ms = 10 }

[[rule]]
name = "odd"
when = { value = "model.anomaly", above = 0.5, for_ms = 3 }
then = { telemetry = true }
"#;

#[test]
fn a_decision_does_not_allocate() {
    let appliance = edgeai_config::parse("test", DESCRIPTION).unwrap();
    let names = Names {
        labels: vec!["???".into(), "Person".into()],
        points: vec!["foot".into()],
        values: vec!["anomaly".into()],
    };
    let mut rules = Rules::new(&appliance, &[names]).unwrap();
    let mut state = Vec::with_capacity(rules.state_room());
    let before = ALLOCATIONS.get();
    let mut changes = 0;
    for turn in 0..10_000_u16 {
        let share = f32::from(turn % 100) / 100.0;
        // More objects than are remembered.
        let detections: [Detection; 8] = std::array::from_fn(|index| Detection {
            class: 1,
            score: share,
            x_min: share,
            x_max: share,
            y_min: 0.5,
            y_max: 0.5,
            track: u32::from(turn / 100) * 8 + u32::try_from(index).unwrap(),
            points: 0,
        });
        let points = [Point {
            x: share,
            y: 0.1,
            score: 1.0,
        }; 8];
        let findings = Findings {
            detections: &detections,
            points: &points,
            values: &[share],
        };
        let seen = Observation {
            now: Duration::from_millis(turn.into()),
            wall: (turn % 7 > 0).then_some(Wall {
                day: Day::Mon,
                second: u32::from(turn) * 8,
            }),
            models: &[findings],
            fresh: u32::from(turn % 3 > 0),
            inputs: &[if turn % 50 < 25 { Low } else { High }],
            sensors: &[(turn < 9000).then_some(f64::from(share) * f64::from(turn % 2))],
            sensors_fresh: 1,
            ..Observation::default()
        };
        rules.evaluate(&seen);
        changes += u32::from(rules.started() > 0);
        if turn == 5000 {
            rules.reset();
        }
        rules.save(&mut state);
    }
    assert_eq!(ALLOCATIONS.get(), before);
    assert!(state.len() > 4096, "objects and samples are remembered");
    assert!(changes > 100 && rules.counters()[0].value > 100);
    drop(std::hint::black_box(Box::new(1)));
    assert_eq!(ALLOCATIONS.get(), before + 1, "the counter counts");
}
