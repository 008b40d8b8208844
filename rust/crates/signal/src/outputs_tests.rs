use super::*;
use crate::simulated::Bench;
use Level::{High, Low};
use edgeai_config::Drive;

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn output(name: &str, safe: Level) -> Output {
    Output {
        name: name.into(),
        line: Some(name.into()),
        pwm: None,
        safe,
        active_low: false,
        drive: Drive::PushPull,
        min_interval_ms: 0,
    }
}

fn outputs(bench: &Bench) -> Outputs<Bench> {
    Outputs::new(bench.clone(), &[output("lamp", Low), output("stop", High)])
}

#[test]
fn lines_are_safe_from_the_moment_they_are_claimed() {
    let bench = Bench::new(&["lamp", "stop"]);
    let mut outputs = outputs(&bench);
    outputs.claim(ms(0)).unwrap();
    assert_eq!(bench.history("lamp"), [Low]);
    assert_eq!(bench.history("stop"), [High]);
    assert_eq!(outputs.bits(), 0b10);
}

#[test]
fn a_missing_line_does_not_stop_the_others_and_comes_later() {
    let bench = Bench::new(&["stop"]);
    let mut outputs = outputs(&bench);
    assert_eq!(outputs.claim(ms(0)).unwrap_err().name, "lamp");
    assert_eq!(bench.level("stop"), High);
    assert!(outputs.set(ms(1), &[High, Low]).is_err(), "lamp is missing");
    assert_eq!(bench.level("stop"), Low);
    bench.plug("lamp");
    outputs.claim(ms(2)).unwrap();
    assert_eq!(
        bench.history("stop"),
        [High, Low],
        "a held line is not claimed twice"
    );
    assert_eq!(bench.level("lamp"), Low);
}

#[test]
fn a_failing_line_does_not_stop_the_others_from_going_safe() {
    let bench = Bench::new(&["lamp", "stop"]);
    let mut outputs = outputs(&bench);
    outputs.claim(ms(0)).unwrap();
    outputs.set(ms(1), &[High, Low]).unwrap();
    bench.unplug("lamp");
    let error = outputs.safe(ms(2)).unwrap_err();
    assert!(
        error.to_string().starts_with("output lamp (line lamp): "),
        "{error}"
    );
    assert_eq!(bench.level("stop"), High);
}

#[test]
fn an_unchanged_level_is_not_driven_again_but_safe_always_is() {
    let bench = Bench::new(&["lamp", "stop"]);
    let mut outputs = outputs(&bench);
    outputs.claim(ms(0)).unwrap();
    outputs.set(ms(1), &[High, High]).unwrap();
    outputs.set(ms(2), &[High, High]).unwrap();
    assert_eq!(bench.history("lamp"), [Low, High]);
    outputs.safe(ms(3)).unwrap();
    assert_eq!(bench.history("stop"), [High, High]);
}

#[test]
fn dropping_drives_the_safe_levels() {
    let bench = Bench::new(&["lamp", "stop"]);
    let mut outputs = outputs(&bench);
    outputs.claim(ms(0)).unwrap();
    outputs.set(ms(1), &[High, Low]).unwrap();
    drop(outputs);
    assert_eq!((bench.level("lamp"), bench.level("stop")), (Low, High));
}

#[test]
fn safe_high_with_active_low_is_electrically_low_from_the_first_moment() {
    let bench = Bench::new(&["stop"]);
    let stop = Output {
        active_low: true,
        ..output("stop", High)
    };
    let mut outputs = Outputs::new(bench.clone(), &[stop]);
    outputs.claim(ms(0)).unwrap();
    assert_eq!((bench.history("stop"), outputs.bits()), (vec![Low], 1));
    outputs.set(ms(1), &[Low]).unwrap();
    outputs.safe(ms(2)).unwrap();
    assert_eq!(bench.history("stop"), [Low, High, Low]);
}

/// A relay whose safe level is low, claimed at 1 s.
fn relay(bench: &Bench) -> Outputs<Bench> {
    let relay = Output {
        min_interval_ms: 500,
        ..output("relay", Low)
    };
    let mut outputs = Outputs::new(bench.clone(), &[relay]);
    outputs.claim(ms(1000)).unwrap();
    outputs
}

#[test]
fn a_relay_leaves_its_safe_level_no_sooner_than_its_interval() {
    let bench = Bench::new(&["relay"]);
    let mut outputs = relay(&bench);
    outputs.set(ms(1100), &[High]).unwrap();
    assert_eq!((outputs.due(), outputs.bits()), (Some(ms(1500)), 0));
    outputs.set(ms(1499), &[High]).unwrap();
    assert_eq!(bench.level("relay"), Low);
    outputs.set(ms(1500), &[High]).unwrap();
    assert_eq!((outputs.due(), outputs.bits()), (None, 1));
    outputs.set(ms(1501), &[Low]).unwrap();
    assert_eq!(bench.level("relay"), Low, "the safe level is never delayed");
    outputs.set(ms(1502), &[High]).unwrap();
    assert_eq!(
        outputs.due(),
        Some(ms(2001)),
        "counted from the last change"
    );
    assert_eq!(bench.history("relay"), [Low, High, Low]);
}

#[test]
fn a_delayed_level_that_is_wanted_no_more_is_forgotten() {
    let bench = Bench::new(&["relay"]);
    let mut outputs = relay(&bench);
    outputs.set(ms(1100), &[High]).unwrap();
    outputs.set(ms(1200), &[Low]).unwrap();
    assert_eq!(outputs.due(), None);
    outputs.set(ms(1300), &[High]).unwrap();
    outputs.safe(ms(1400)).unwrap();
    assert_eq!(outputs.due(), None);
    assert!(!bench.history("relay").contains(&High));
}

#[test]
fn safe_again_does_not_begin_the_interval_anew() {
    let bench = Bench::new(&["relay"]);
    let mut outputs = relay(&bench);
    outputs.safe(ms(1400)).unwrap();
    outputs.set(ms(1500), &[High]).unwrap();
    assert_eq!(outputs.bits(), 1);
}

#[test]
fn a_level_of_a_pwm_is_its_duty() {
    let bench = Bench::new(&["pwmchip0:1"]);
    let fan = Output {
        line: None,
        pwm: Some(Pwm {
            channel: "pwmchip0:1".into(),
            frequency_hz: 25_000.0,
            low: 0.2,
            high: 1.0,
        }),
        ..output("fan", High)
    };
    let mut outputs = Outputs::new(bench.clone(), &[fan]);
    outputs.claim(ms(0)).unwrap();
    outputs.set(ms(1), &[Low]).unwrap();
    assert_eq!(bench.duties("pwmchip0:1"), [65535, 13107]);
    bench.unplug("pwmchip0:1");
    let error = outputs.safe(ms(2)).unwrap_err();
    assert_eq!(error.to_string(), "output fan (pwm pwmchip0:1): Unplugged");
}
