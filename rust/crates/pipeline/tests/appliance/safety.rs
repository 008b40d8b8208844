//! When the outputs are at their safe level, and when they come back.

use crate::rig::{Rig, appliance, names};
use edgeai_config::Level::{self, High, Low};
use edgeai_config::OnFault;
use edgeai_pipeline::{Event, Handover, Reason};
use edgeai_realtime::monotonic_now;
use edgeai_signal::{Measure, Sensors};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

const LINES: [&str; 3] = ["door", "stop", "lamp"];
/// Safe levels of `stop` and `lamp`.
const SAFE: (Level, Level) = (High, Low);
/// What the rules say when nobody is there and the door is shut.
const CLEAR: (Level, Level) = (Low, High);

/// A deadline that no test meets or misses by chance.
const DEADLINE: Duration = Duration::from_secs(60);

fn rig(on_miss: &str) -> Rig {
    Rig::new(&appliance(60_000, on_miss), &LINES)
}

impl Rig {
    /// A frame without detections, captured `age` ago.
    fn empty_frame(&mut self, sequence: u32, age: Duration) {
        self.empty_frame_of(0, sequence, age);
    }

    fn empty_frame_of(&mut self, model: usize, sequence: u32, age: Duration) {
        let mut seen = self.lanes[model].take(&names());
        seen.sighting.sequence = sequence;
        seen.sighting.captured = monotonic_now().saturating_sub(age);
        self.lanes[model].hand_over(seen, &self.link);
        self.signals.round();
    }

    fn fault(&mut self, model: usize, reason: &str) {
        self.lanes[model].insist(Handover::Fault(reason.into()), &self.link);
        self.signals.round();
    }

    fn safe_reasons(&mut self) -> Vec<Reason> {
        let events = std::iter::from_fn(|| self.events.pop().ok());
        events
            .filter_map(|event| {
                if let Event::Safe(reason) = event {
                    Some(reason)
                } else {
                    None
                }
            })
            .collect()
    }

    fn misses(&self) -> u64 {
        self.link.metrics.total.deadline_misses.load(Relaxed)
    }
}

/// Longer ago than the deadline allows. The machine may be up for less than that: then there is
/// no such moment, and a test with it would be about something else.
fn too_old() -> Duration {
    let age = DEADLINE + Duration::from_secs(1);
    assert!(
        monotonic_now() > age,
        "this machine is up for less than a minute; try again"
    );
    age
}

#[test]
fn outputs_are_safe_until_the_first_frame_in_time() {
    let mut rig = rig("safe");
    rig.signals.round();
    assert_eq!(rig.levels(), SAFE);
    rig.empty_frame(1, Duration::ZERO);
    assert_eq!(rig.levels(), CLEAR);
    assert_eq!(rig.safe_reasons(), []);
}

#[test]
fn a_late_frame_makes_safe_and_the_next_in_time_ends_it() {
    let mut rig = rig("safe");
    rig.empty_frame(1, Duration::ZERO);
    rig.empty_frame(2, too_old());
    assert_eq!((rig.levels(), rig.misses()), (SAFE, 1));
    let reasons = rig.safe_reasons();
    assert!(
        matches!(reasons[..], [Reason::DeadlineMissed { sequence: 2, .. }]),
        "{reasons:?}"
    );
    assert!(
        reasons[0].to_string().starts_with("deadline missed by 1"),
        "{}",
        reasons[0]
    );
    rig.empty_frame(3, Duration::ZERO);
    assert_eq!((rig.levels(), rig.misses()), (CLEAR, 1));
}

#[test]
fn a_frame_that_never_ends_makes_safe_without_a_result() {
    let mut rig = rig("safe");
    rig.empty_frame(1, Duration::ZERO);
    rig.link
        .arm(0, 2, monotonic_now().saturating_sub(too_old()));
    rig.signals.round();
    assert_eq!((rig.levels(), rig.misses()), (SAFE, 1));
    rig.signals.round();
    assert_eq!(
        (rig.misses(), rig.safe_reasons().len()),
        (1, 1),
        "it is counted and told once"
    );
}

#[test]
fn the_deadline_of_a_frame_in_work_is_what_is_waited_for() {
    let mut rig = rig("safe");
    rig.empty_frame(1, Duration::ZERO);
    let captured = monotonic_now().saturating_sub(DEADLINE) + Duration::from_millis(100);
    rig.link.arm(0, 2, captured);
    assert!(rig.signals.round() <= captured + DEADLINE + Duration::from_millis(1));
}

#[test]
fn with_warn_a_late_frame_counts_and_acts() {
    let mut rig = rig("warn");
    rig.empty_frame(1, too_old());
    assert_eq!((rig.levels(), rig.misses()), (CLEAR, 1));
    assert_eq!(rig.safe_reasons(), []);
}

#[test]
fn a_fault_makes_safe_is_told_once_and_ends_with_a_frame() {
    let mut rig = rig("safe");
    rig.empty_frame(1, Duration::ZERO);
    for _ in 0..2 {
        rig.fault(0, "camera lost: gone");
    }
    assert_eq!(rig.levels(), SAFE);
    assert_eq!(
        rig.safe_reasons(),
        [Reason::Fault("camera lost: gone".into())]
    );
    rig.empty_frame(2, Duration::ZERO);
    assert_eq!(rig.levels(), CLEAR);
}

#[test]
fn an_input_acts_without_a_new_frame() {
    let mut rig = rig("safe");
    rig.empty_frame(1, Duration::ZERO);
    rig.bench.pull("door", High);
    rig.signals.round();
    assert_eq!(rig.levels(), (Low, Low));
}

#[test]
fn a_pulse_that_is_over_before_the_thread_looks_is_decided_with() {
    let mut rig = rig("safe");
    rig.empty_frame(1, Duration::ZERO);
    let before = rig.bench.history("lamp").len();
    for level in [High, Low, High, Low] {
        rig.bench.pull("door", level);
    }
    rig.signals.round();
    assert_eq!(rig.levels(), CLEAR);
    assert_eq!(rig.bench.history("lamp")[before..], [Low, High, Low, High]);
}

#[test]
fn a_missing_line_keeps_the_others_safe_until_it_is_there() {
    let mut rig = Rig::new(&appliance(60_000, "safe"), &["door", "stop"]);
    rig.empty_frame(1, Duration::ZERO);
    assert_eq!(rig.bench.history("stop").last(), Some(&High));
    let reasons = rig.safe_reasons();
    assert!(
        matches!(&reasons[..], [Reason::Fault(reason)] if reason.starts_with("output lamp ")),
        "{reasons:?}"
    );
    rig.bench.plug("lamp");
    std::thread::sleep(Duration::from_millis(600)); // longer than the time between attempts
    rig.empty_frame(2, Duration::ZERO);
    assert_eq!(rig.levels(), CLEAR);
}

#[test]
fn a_line_that_fails_while_running_makes_the_others_safe() {
    let mut rig = rig("safe");
    rig.empty_frame(1, Duration::ZERO);
    rig.bench.unplug("lamp");
    rig.bench.pull("door", High);
    rig.signals.round();
    assert_eq!(rig.bench.level("stop"), High);
    assert_eq!(rig.safe_reasons().len(), 1);
}

#[test]
fn a_slow_model_is_not_a_camera_without_frames() {
    let mut rig = rig("safe");
    rig.empty_frame(1, Duration::ZERO);
    // In work, and within its deadline, for longer than frames may be away.
    rig.link.arm(0, 2, monotonic_now());
    assert!(rig.link.watches[0].frame_limit() < DEADLINE);
    std::thread::sleep(rig.link.watches[0].frame_limit() + Duration::from_millis(50));
    rig.signals.round();
    assert_eq!(rig.levels(), CLEAR);
}

#[test]
fn frames_that_stop_make_safe() {
    let mut rig = rig("safe");
    rig.empty_frame(1, Duration::ZERO);
    std::thread::sleep(rig.link.watches[0].frame_limit() + Duration::from_millis(50));
    rig.signals.round();
    assert_eq!(rig.levels(), SAFE);
    let reasons = rig.safe_reasons();
    assert!(matches!(reasons[..], [Reason::NoFrame(_)]), "{reasons:?}");
}

/// The appliance of [`rig`] with a second model that looks through a second camera.
fn two_models(on_miss: &str) -> Rig {
    let mut appliance = appliance(60_000, on_miss);
    let mut second = appliance.cameras[0].clone();
    second.name = "second".into();
    appliance.cameras.push(second);
    let mut second = appliance.models[0].clone();
    (second.name, second.camera) = ("second".into(), Some("second".into()));
    appliance.models.push(second);
    for rule in &mut appliance.rules {
        if rule.when.class.is_some() {
            rule.when.model = Some("model".into());
        }
    }
    Rig::new(&appliance, &LINES)
}

#[test]
fn outputs_are_safe_until_every_model_has_seen_a_frame() {
    let mut rig = two_models("safe");
    rig.empty_frame_of(0, 1, Duration::ZERO);
    assert_eq!(rig.levels(), SAFE);
    rig.empty_frame_of(1, 1, Duration::ZERO);
    assert_eq!(rig.levels(), CLEAR);
}

#[test]
fn a_fault_of_any_model_makes_safe_until_that_one_sees_again() {
    let mut rig = two_models("safe");
    rig.empty_frame_of(0, 1, Duration::ZERO);
    rig.empty_frame_of(1, 1, Duration::ZERO);
    rig.fault(1, "camera lost: gone");
    assert_eq!(rig.levels(), SAFE);
    rig.empty_frame_of(0, 2, Duration::ZERO);
    assert_eq!(rig.levels(), SAFE, "the other one is still blind");
    rig.empty_frame_of(1, 2, Duration::ZERO);
    assert_eq!(rig.levels(), CLEAR);
}

#[test]
fn each_model_has_a_deadline_of_its_own() {
    let mut rig = two_models("safe");
    rig.empty_frame_of(0, 1, Duration::ZERO);
    rig.empty_frame_of(1, 1, Duration::ZERO);
    rig.link
        .arm(1, 2, monotonic_now().saturating_sub(too_old()));
    rig.empty_frame_of(0, 2, Duration::ZERO);
    assert_eq!((rig.levels(), rig.misses()), (SAFE, 1));
    rig.empty_frame_of(0, 3, Duration::ZERO);
    assert_eq!(
        rig.levels(),
        SAFE,
        "a frame of the other model does not end it"
    );
    rig.empty_frame_of(1, 3, Duration::ZERO);
    assert_eq!((rig.levels(), rig.misses()), (CLEAR, 1));
    assert_eq!(rig.link.metrics.models[1].deadline_misses.load(Relaxed), 1);
    assert_eq!(rig.link.metrics.models[0].deadline_misses.load(Relaxed), 0);
}

/// A sensor that fails while it is told to.
struct Gauge(Arc<AtomicBool>);

impl Measure for Gauge {
    fn channels(&self) -> usize {
        1
    }

    fn measure(&mut self, out: &mut [f64]) -> Result<(), String> {
        out.fill(1.0);
        let broken = self.0.load(Relaxed);
        (!broken).then_some(()).ok_or("the wire is off".into())
    }
}

/// Goes round until the outputs are so; the limit is for what never comes.
fn becomes(rig: &mut Rig, levels: (Level, Level)) -> bool {
    let end = monotonic_now() + Duration::from_secs(60);
    while rig.levels() != levels && monotonic_now() < end {
        rig.signals.round();
        std::thread::sleep(Duration::from_millis(1));
    }
    rig.levels() == levels
}

#[test]
fn without_a_vital_sensor_all_outputs_are_safe() {
    for on_fault in [OnFault::Safe, OnFault::Unknown] {
        let mut appliance = appliance(60_000, "warn");
        let text = r#"
            deadline = { frame_to_action_ms = 1 }
            sensor = [{ name = "gauge", kind = "i2c", device = "/dev/i2c-1", address = 9, rate_hz = 100, timeout_ms = 60000, channel = [{ name = "x", type = "u8" }] }]
            rule = [{ name = "r", when = { value = "gauge.x", above = 2 }, then = { telemetry = true } }]
        "#;
        let described = edgeai_config::parse("sensor.toml", text).unwrap();
        appliance.sensors = described.sensors;
        appliance.sensors[0].on_fault = on_fault;
        let mut rig = Rig::new(&appliance, &LINES);
        let broken = Arc::new(AtomicBool::new(false));
        let mut sensors = Sensors::new(&appliance.sensors);
        let gauge = Arc::clone(&broken);
        sensors.plug(0, move || Ok(Gauge(Arc::clone(&gauge))));
        let (values, threads) = sensors.start(|_| ()).unwrap();
        rig.signals.set_sensors(values);
        let frames = |rig: &mut Rig| {
            for sequence in 1..50 {
                rig.empty_frame(sequence, Duration::ZERO);
                std::thread::sleep(Duration::from_millis(2));
            }
        };
        let frames_until_clear = |rig: &mut Rig| {
            let end = monotonic_now() + Duration::from_secs(60);
            while rig.levels() != CLEAR && monotonic_now() < end {
                frames(rig);
            }
            assert_eq!(rig.levels(), CLEAR, "{on_fault:?}");
        };
        frames_until_clear(&mut rig);
        rig.safe_reasons();
        broken.store(true, Relaxed);
        if on_fault == OnFault::Unknown {
            // No rule of an output needs it.
            frames(&mut rig);
            assert_eq!((rig.levels(), rig.safe_reasons()), (CLEAR, vec![]));
            continue;
        }
        assert!(becomes(&mut rig, SAFE));
        frames(&mut rig);
        assert_eq!(rig.levels(), SAFE, "frames do not end it");
        let reason = Reason::Fault("sensor gauge is not known".into());
        assert_eq!(rig.safe_reasons(), [reason]);
        broken.store(false, Relaxed);
        frames_until_clear(&mut rig);
        drop(threads);
    }
}
