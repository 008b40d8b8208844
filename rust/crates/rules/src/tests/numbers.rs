//! `value`

use super::*;

/// What the rule says of a sequence of times, `motor.y`, and whether that is a new sample.
fn follow_sensor(rules: &mut Rules, samples: &[(u64, Option<f64>, bool, Option<bool>)]) {
    for &(time, value, fresh, expected) in samples {
        let seen = Observation {
            now: ms(time),
            sensors: &[Some(99.0), value],
            sensors_fresh: u64::from(fresh) << 1,
            ..Observation::default()
        };
        rules.evaluate(&seen);
        let found = (!rules.blind(0)).then(|| rules.active(0));
        assert_eq!(found, expected, "at {time} ms");
    }
}

#[test]
fn above_with_hysteresis() {
    let mut rules = rules(&format!(
        r#"a | value = "motor.y", above = 10, hysteresis = 2 | {STOP}"#
    ));
    follow_sensor(
        &mut rules,
        &[
            (0, Some(10.0), true, Some(false)),
            (1, Some(10.5), true, Some(true)),
            (2, Some(8.5), true, Some(true)),
            (3, Some(8.0), true, Some(false)),
            (4, Some(9.0), true, Some(false)),
            (5, Some(11.0), false, Some(true)), // without a statistic every value counts
            (6, None, false, None),
            (7, Some(9.0), true, Some(false)), // unknown ends hysteresis
            (8, Some(f64::NAN), true, None),
            (9, Some(f64::INFINITY), true, None),
        ],
    );
    assert_eq!(press(&mut rules, 10, [Low, Low]), [High, Low]);
}

#[test]
fn below_with_hysteresis() {
    let mut rules = rules(&format!(
        r#"a | value = "motor.y", below = -1, hysteresis = 0.5 | {STOP}"#
    ));
    follow_sensor(
        &mut rules,
        &[
            (0, Some(-1.0), true, Some(false)),
            (1, Some(-1.25), true, Some(true)),
            (2, Some(-0.75), true, Some(true)),
            (3, Some(-0.5), true, Some(false)),
        ],
    );
}

#[test]
fn values_of_a_model() {
    let mut rules = rules(&format!(
        r#"a | value = "model.area", above = 0.5 | {STOP}"#
    ));
    let mut see = |values: &[f32], fresh| {
        let findings = Findings {
            values,
            ..Findings::default()
        };
        let seen = Observation {
            models: &[findings],
            fresh,
            ..Observation::default()
        };
        rules.evaluate(&seen);
        (!rules.blind(0)).then(|| rules.active(0))
    };
    assert_eq!(see(&[0.0, 0.6], 0), None);
    assert_eq!(see(&[0.0, 0.6], 1), Some(true));
    assert_eq!(see(&[0.0, 0.4], 0), Some(true));
    assert_eq!(see(&[0.9, 0.4], 1), Some(false));
    assert_eq!(see(&[0.9], 1), None);
    assert_eq!(see(&[0.9, f32::NAN], 1), None);
}

#[test]
fn a_statistic_is_unknown_until_it_is_whole() {
    let mut rules = rules(&format!(
        r#"a | value = "motor.y", above = 5, over_ms = 100, statistic = "max" | {STOP}"#
    ));
    follow_sensor(
        &mut rules,
        &[
            (1000, Some(9.0), true, None),
            (1040, Some(1.0), true, None),
            (1099, Some(1.0), true, None),
            (1099, Some(8.0), false, None),       // not a new sample
            (1100, Some(1.0), true, Some(false)), // the 9 has left
            (1110, Some(6.0), true, Some(true)),
            (1150, Some(1.0), true, Some(true)),
            (1208, Some(1.0), true, Some(true)),
            (1209, Some(1.0), false, Some(true)), // nothing leaves without a new sample
            (1210, Some(1.0), true, Some(false)),
            (1220, None, false, None),
            (1221, Some(9.0), true, None), // it begins anew
            (1320, Some(9.0), true, None),
            (1321, Some(9.0), true, Some(true)),
            (1421, Some(9.0), true, None), // after a gap of over_ms too
            (1470, Some(9.0), true, None),
            (1520, Some(9.0), true, None),
            (1521, Some(9.0), true, Some(true)),
            (1522, Some(f64::NAN), true, None),
            (1523, Some(9.0), true, None),
            (1622, Some(9.0), true, None),
            (1623, Some(9.0), true, Some(true)),
        ],
    );
}

/// The statistic lies between these.
fn statistic(name: &str, samples: impl Iterator<Item = f64>, least: f64, most: f64) {
    let rule = |limit: String| {
        rules(&format!(
            "a | value = \"motor.y\", {limit}, over_ms = 640, statistic = \"{name}\" | {STOP}"
        ))
    };
    let mut above = rule(format!("above = {least:?}"));
    let mut below = rule(format!("below = {most:?}"));
    for (index, sample) in samples.enumerate() {
        for rules in [&mut above, &mut below] {
            let seen = Observation {
                now: ms(10 * index as u64),
                sensors: &[None, Some(sample)],
                sensors_fresh: 0b10,
                ..Observation::default()
            };
            rules.evaluate(&seen);
            let whole = index >= 64;
            assert_eq!(
                (rules.blind(0), rules.active(0)),
                (!whole, whole),
                "{name} {index}"
            );
        }
    }
}

#[test]
fn statistics() {
    // Two values in turn: mean 7, deviation 3.
    let square = || (0..300).map(|index| if index % 2 == 0 { 10.0 } else { 4.0 });
    statistic("mean", square(), 6.999, 7.001);
    statistic("min", square(), 3.999, 4.001);
    statistic("max", square(), 9.999, 10.001);
    statistic("rms", square(), 2.999, 3.001);
    statistic("peak-to-peak", square(), 5.999, 6.001);
    // A great constant does not hide a small vibration.
    let offset = square().map(|value| value + 1e8);
    statistic("rms", offset, 2.999, 3.001);
    // Of a ramp of 1 per sample the window has 64 samples.
    let ramp = || (0..300).map(f64::from);
    statistic("peak-to-peak", ramp(), 62.999, 63.001);
    // √((64² − 1) / 12)
    statistic("rms", ramp(), 18.472, 18.474);
}

#[test]
fn many_samples_need_no_more_memory_and_leave_in_time() {
    let mut rules = rules(&format!(
        r#"a | value = "motor.y", above = 0.5, over_ms = 1000, statistic = "mean" | {STOP}"#
    ));
    let mut see = |micros: u64, value: f64| {
        let seen = Observation {
            now: Duration::from_micros(micros),
            sensors: &[None, Some(value)],
            sensors_fresh: 0b10,
            ..Observation::default()
        };
        rules.evaluate(&seen);
        (!rules.blind(0)).then(|| rules.active(0))
    };
    for micros in (0..2_000_000).step_by(100) {
        assert_eq!(see(micros, 1.0), (micros >= 1_000_000).then_some(true));
    }
    // Half of the window is 0, to a 64th of it.
    let changed = (2_000_000..3_000_000)
        .step_by(100)
        .find(|&micros| see(micros, 0.0) == Some(false));
    let changed = changed.expect("the mean falls");
    assert!((2_484_000..=2_516_000).contains(&changed), "{changed}");
}

#[test]
fn nothing_stays_from_the_lap_before() {
    let mut rules = rules(&format!(
        r#"a | value = "motor.y", above = 5, over_ms = 640, statistic = "max" | {STOP}"#
    ));
    let first = (0..=640).step_by(10).map(|time| {
        let whole = (time == 640).then_some(true);
        (time, Some(9.0), true, whole)
    });
    follow_sensor(&mut rules, &first.collect::<Vec<_>>());
    follow_sensor(
        &mut rules,
        &[
            (940, Some(1.0), true, Some(true)),
            (1240, Some(1.0), true, Some(true)),
            (1290, Some(1.0), true, Some(false)),
        ],
    );
}
