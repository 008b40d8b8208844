//! Sequences of frames and what the lines must do.

use super::*;
use Level::{High, Low};

const BASE: &str = r#"
[camera]
device = "/dev/video0"
size = [640, 480]
[model]
file = "m"
[deadline]
frame_to_action_ms = 100
[[input]]
name = "door"
line = "door"
[[output]]
name = "stop"
line = "stop"
safe = "high"
[[output]]
name = "lamp"
line = "lamp"
safe = "low"
"#;

const PERSON: u16 = 1;
const CAT: u16 = 2;

/// Rules as `name | when | then`, one a line.
fn appliance(rules: &str) -> Appliance {
    let mut text = BASE.to_owned();
    for rule in rules.lines().map(str::trim).filter(|rule| !rule.is_empty()) {
        let [name, when, then] = rule.split('|').collect::<Vec<_>>()[..] else {
            panic!("{rule}")
        };
        for part in [
            "[[rule]]\nname = \"",
            name.trim(),
            "\"\nwhen = {",
            when,
            "}\nthen = {",
            then,
            "}\n",
        ] {
            text += part;
        }
    }
    edgeai_config::parse("test", &text).unwrap()
}

fn rules(text: &str) -> Rules {
    let labels = ["???", "Person", "Cat"].map(str::to_owned);
    Rules::new(&appliance(text), &labels).unwrap()
}

/// A box of a tenth of the frame about a centre.
fn seen_at(class: u16, score: f32, [x, y]: [f32; 2]) -> Detection {
    let (x_min, x_max, y_min, y_max) = (x - 0.05, x + 0.05, y - 0.05, y + 0.05);
    Detection {
        class,
        score,
        x_min,
        y_min,
        x_max,
        y_max,
    }
}

fn person(score: f32) -> Detection {
    seen_at(PERSON, score, [0.5, 0.5])
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Scores of a person at times in ms (negative: nobody), and whether rule 0 is then active.
fn follow(rules: &mut Rules, frames: &[(u64, f32, bool)]) {
    for &(time, score, active) in frames {
        let detections = [person(score)];
        let detections = if score < 0.0 {
            &[][..]
        } else {
            &detections[..]
        };
        rules.evaluate(ms(time), detections, &[Low]);
        assert_eq!(rules.active(0), active, "at {time} ms");
    }
}

const STOP: &str = r#"output = "stop", level = "high""#;

#[test]
fn an_output_without_a_rule_is_safe() {
    let mut rules = rules("");
    assert_eq!(rules.evaluate(ms(0), &[person(1.0)], &[High]), [High, Low]);
    assert!(!rules.active(0));
}

#[test]
fn a_rule_drives_its_level_and_the_opposite_otherwise() {
    let mut rules = rules(&format!(
        r#"a | class = "Person", score = 0.5 | {STOP}
           b | class = "Cat", score = 0.5 | output = "lamp", level = "high""#
    ));
    assert_eq!(rules.evaluate(ms(0), &[], &[Low]), [Low, Low]);
    assert_eq!(rules.evaluate(ms(1), &[person(0.5)], &[Low]), [High, Low]);
    let cat = seen_at(CAT, 0.9, [0.1, 0.1]);
    assert_eq!(rules.evaluate(ms(2), &[cat], &[Low]), [Low, High]);
    assert_eq!(
        rules.evaluate(ms(3), &[cat, person(0.9)], &[Low]),
        [High, High]
    );
    assert!(rules.active(0) && rules.active(1) && !rules.active(2));
}

#[test]
fn any_active_rule_of_an_output_is_enough_in_any_order() {
    for (a, b) in [("Person", "Cat"), ("Cat", "Person")] {
        let mut rules = rules(&format!(
            "a | class = \"{a}\", score = 0.5 | {STOP}\nb | class = \"{b}\", score = 0.5 | {STOP}"
        ));
        assert_eq!(rules.evaluate(ms(0), &[person(0.6)], &[Low]), [High, Low]);
        assert_eq!(rules.evaluate(ms(1), &[person(0.4)], &[Low]), [Low, Low]);
    }
}

#[test]
fn hysteresis_keeps_a_condition_but_never_starts_one() {
    let mut rules = rules(&format!(
        r#"a | class = "Person", score = 0.5, hysteresis = 0.125 | {STOP}"#
    ));
    follow(
        &mut rules,
        &[
            (0, 0.45, false),
            (1, 0.5, true),
            (2, 0.375, true),
            (3, 0.37, false),
            (4, 0.45, false),
            (5, 0.6, true),
            (6, -1.0, false),
        ],
    );
}

#[test]
fn hysteresis_down_to_zero_still_needs_a_detection() {
    let mut rules = rules(&format!(
        r#"a | class = "Person", score = 0.5, hysteresis = 0.5 | {STOP}"#
    ));
    follow(
        &mut rules,
        &[(0, 0.5, true), (1, 0.0, true), (2, -1.0, false)],
    );
}

#[test]
fn for_ms_needs_the_condition_without_a_break() {
    let mut rules = rules(&format!(
        r#"a | class = "Person", score = 0.5, for_ms = 200 | {STOP}"#
    ));
    follow(
        &mut rules,
        &[
            (1000, 0.9, false),
            (1199, 0.9, false),
            (1200, 0.9, true),
            (1201, 0.1, false),
            (1202, 0.9, false),
            (1300, 0.1, false),
            (1410, 0.9, false),
            (1609, 0.9, false),
            (1610, 0.9, true),
        ],
    );
}

#[test]
fn hold_ms_runs_from_the_first_evaluation_without_the_condition() {
    let mut rules = rules(&format!(
        r#"a | class = "Person", score = 0.5 | {STOP}, hold_ms = 1000"#
    ));
    follow(
        &mut rules,
        &[
            (0, 0.9, true),
            (500, 0.9, true),
            (600, 0.1, true),
            (1599, 0.1, true),
            (1600, 0.1, false),
            (1601, 0.1, false),
        ],
    );
}

#[test]
fn a_condition_that_returns_during_hold_continues_the_rule() {
    // for_ms is not needed again, and the hold starts anew at the next end.
    let mut rules = rules(&format!(
        r#"a | class = "Person", score = 0.5, for_ms = 100 | {STOP}, hold_ms = 300"#
    ));
    follow(
        &mut rules,
        &[
            (0, 0.9, false),
            (100, 0.9, true),
            (200, 0.1, true),
            (499, 0.9, true),
            (510, 0.1, true),
            (809, 0.1, true),
            (810, 0.1, false),
            (820, 0.9, false),
            (920, 0.9, true),
        ],
    );
}

#[test]
fn time_that_runs_backwards_is_no_time() {
    let mut rules = rules(&format!(
        r#"a | class = "Person", score = 0.5, for_ms = 100 | {STOP}"#
    ));
    follow(
        &mut rules,
        &[(1000, 0.9, false), (500, 0.9, false), (1100, 0.9, true)],
    );
}

#[test]
fn the_zone_takes_the_centre_of_the_box() {
    let mut rules = rules(&format!(
        r#"a | class = "Person", score = 0.5, zone = [[0.2, 0.2], [0.8, 0.2], [0.8, 0.8], [0.2, 0.8]] | {STOP}"#
    ));
    let mut active = |detections: &[Detection]| {
        rules.evaluate(ms(0), detections, &[Low]);
        rules.active(0)
    };
    assert!(active(&[seen_at(PERSON, 0.9, [0.25, 0.75])]));
    assert!(
        !active(&[seen_at(PERSON, 0.9, [0.17, 0.5])]),
        "the box reaches in, its centre does not"
    );
    assert!(!active(&[seen_at(CAT, 0.9, [0.5, 0.5])]));
    let outside = seen_at(PERSON, 0.9, [0.1, 0.1]);
    assert!(
        !active(&[outside, seen_at(PERSON, 0.4, [0.5, 0.5])]),
        "two boxes do not add up"
    );
    assert!(active(&[outside, seen_at(PERSON, 0.6, [0.5, 0.5])]));
}

#[test]
fn inputs_are_conditions_with_the_same_timing() {
    let mut rules = rules(&format!(
        r#"a | input = "door", level = "high", for_ms = 50 | {STOP}, hold_ms = 20"#
    ));
    for (time, level, active) in [
        (0, Low, false),
        (10, High, false),
        (59, High, false),
        (60, High, true),
        (70, Low, true),
        (89, Low, true),
        (90, Low, false),
    ] {
        rules.evaluate(ms(time), &[], &[level]);
        assert_eq!(rules.active(0), active, "at {time} ms");
    }
}

#[test]
fn a_missing_input_makes_its_output_safe() {
    let mut rules = rules(&format!(
        r#"a | input = "door", level = "high" | {STOP}
           b | class = "Cat", score = 0.5 | {STOP}
           c | input = "door", level = "high" | output = "lamp", level = "high""#
    ));
    assert_eq!(rules.evaluate(ms(0), &[], &[Low]), [Low, Low]);
    assert_eq!(rules.evaluate(ms(1), &[], &[High]), [High, High]);
    assert_eq!(rules.evaluate(ms(2), &[], &[]), [High, Low]);
    assert_eq!(rules.evaluate(ms(3), &[], &[Low]), [Low, Low]);
}

#[test]
fn reset_forgets_hysteresis_timers_and_activity() {
    let mut rules = rules(&format!(
        r#"a | class = "Person", score = 0.5, hysteresis = 0.2, for_ms = 100 | {STOP}, hold_ms = 900"#
    ));
    follow(&mut rules, &[(0, 0.9, false), (100, 0.9, true)]);
    rules.reset();
    follow(
        &mut rules,
        &[(110, 0.4, false), (300, 0.9, false), (400, 0.9, true)],
    );
}

#[test]
fn an_unknown_class_is_refused_and_the_known_are_named() {
    let labels = ["???", "Person", "Cat"].map(str::to_owned);
    for class in ["person", "???"] {
        let rule = format!(r#"near-press | class = "{class}", score = 0.5 | {STOP}"#);
        assert_eq!(
            Rules::new(&appliance(&rule), &labels)
                .unwrap_err()
                .to_string(),
            format!(r#"rule near-press: the model knows no class "{class}"; it knows Person, Cat"#)
        );
    }
}

#[test]
fn names_that_do_not_exist_are_refused() {
    let mut wrong = appliance(&format!(r#"a | input = "door", level = "low" | {STOP}"#));
    wrong.inputs.clear();
    assert!(matches!(
        Rules::new(&wrong, &[]),
        Err(RuleError::Description { .. })
    ));
    let mut wrong = appliance(&format!(r#"a | input = "door", level = "low" | {STOP}"#));
    wrong.outputs.clear();
    assert!(matches!(
        Rules::new(&wrong, &[]),
        Err(RuleError::Description { .. })
    ));
}

#[test]
fn the_example_of_the_manual() {
    let mut rules = rules(&format!(
        r#"a | class = "Person", score = 0.5, hysteresis = 0.1, for_ms = 100 | {STOP}, hold_ms = 300"#
    ));
    follow(
        &mut rules,
        &[
            (0, 0.6, false),
            (50, 0.45, false),
            (100, 0.45, true),
            (150, 0.3, true),
            (400, 0.55, true),
            (450, -1.0, true),
            (700, 0.45, true),
            (750, -1.0, false),
        ],
    );
}
