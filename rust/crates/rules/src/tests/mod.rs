//! Sequences of frames and what the lines must do.

mod combining;
mod crossing;
mod numbers;
mod timing;

use super::*;
use Level::{High, Low};
use edgeai_config::Day;
use edgeai_decode::{Detection, Findings, Point};

const BASE: &str = r#"
[camera]
device = "/dev/video0"
size = [640, 480]
[model]
file = "m"
track = {}
[deadline]
frame_to_action_ms = 100
[[input]]
name = "door"
line = "door"
[[input]]
name = "key"
line = "key"
[[sensor]]
name = "motor"
kind = "iio"
device = "d"
rate_hz = 100
channel = [{ name = "x", source = "x" }, { name = "y", source = "y" }]
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

fn names() -> Names {
    let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
    Names {
        labels: words(&["???", "Person", "Cat"]),
        points: words(&["head", "foot"]),
        values: words(&["anomaly", "area"]),
    }
}

fn rules(text: &str) -> Rules {
    Rules::new(&appliance(text), &[names()]).unwrap()
}

/// A new result of the model.
fn look(rules: &mut Rules, time: u64, detections: &[Detection], inputs: &[Level]) -> Vec<Level> {
    let findings = Findings {
        detections,
        ..Findings::default()
    };
    let seen = Observation {
        now: ms(time),
        models: &[findings],
        fresh: 1,
        inputs,
        sensors: &[None; 2],
        ..Observation::default()
    };
    rules.evaluate(&seen).to_vec()
}

/// Levels of the two inputs, and nothing else.
fn press(rules: &mut Rules, time: u64, inputs: [Level; 2]) -> Vec<Level> {
    let seen = Observation {
        now: ms(time),
        inputs: &inputs,
        ..Observation::default()
    };
    rules.evaluate(&seen).to_vec()
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
        track: 0,
        points: 0,
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
        look(rules, time, detections, &[Low]);
        assert_eq!(rules.active(0), active, "at {time} ms");
    }
}

const STOP: &str = r#"output = "stop", level = "high""#;

#[test]
fn an_output_without_a_rule_is_safe() {
    let mut rules = rules("");
    assert_eq!(look(&mut rules, 0, &[person(1.0)], &[High]), [High, Low]);
    assert!(!rules.active(0));
}

#[test]
fn a_rule_drives_its_level_and_the_opposite_otherwise() {
    let mut rules = rules(&format!(
        r#"a | class = "Person", score = 0.5 | {STOP}
           b | class = "Cat", score = 0.5 | output = "lamp", level = "high""#
    ));
    assert_eq!(look(&mut rules, 0, &[], &[Low]), [Low, Low]);
    assert_eq!(look(&mut rules, 1, &[person(0.5)], &[Low]), [High, Low]);
    let cat = seen_at(CAT, 0.9, [0.1, 0.1]);
    assert_eq!(look(&mut rules, 2, &[cat], &[Low]), [Low, High]);
    assert_eq!(
        look(&mut rules, 3, &[cat, person(0.9)], &[Low]),
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
        assert_eq!(look(&mut rules, 0, &[person(0.6)], &[Low]), [High, Low]);
        assert_eq!(look(&mut rules, 1, &[person(0.4)], &[Low]), [Low, Low]);
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
fn the_zone_takes_the_centre_of_the_box() {
    let mut rules = rules(&format!(
        r#"a | class = "Person", score = 0.5, zone = [[0.2, 0.2], [0.8, 0.2], [0.8, 0.8], [0.2, 0.8]] | {STOP}"#
    ));
    let mut active = |detections: &[Detection]| {
        look(&mut rules, 0, detections, &[Low]);
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
fn a_missing_input_makes_its_output_safe() {
    let mut rules = rules(&format!(
        r#"a | input = "door", level = "high" | {STOP}
           b | class = "Cat", score = 0.5 | {STOP}
           c | input = "door", level = "high" | output = "lamp", level = "high""#
    ));
    assert_eq!(look(&mut rules, 0, &[], &[Low]), [Low, Low]);
    assert_eq!(look(&mut rules, 1, &[], &[High]), [High, High]);
    assert_eq!(look(&mut rules, 2, &[], &[]), [High, Low]);
    assert_eq!(look(&mut rules, 3, &[], &[Low]), [Low, Low]);
}

#[test]
fn what_the_model_does_not_know_is_refused_and_the_known_is_named() {
    let zone = "zone = [[0, 0], [1, 0], [1, 1]]";
    for (when, message) in [
        (
            r#"class = "person", score = 0.5"#.to_owned(),
            r#"class "person"; it knows Person, Cat"#,
        ),
        (
            r#"class = "???", score = 0.5"#.to_owned(),
            r#"class "???"; it knows Person, Cat"#,
        ),
        (
            r#"crosses = [[0, 0], [1, 1]], class = "Dog""#.to_owned(),
            r#"class "Dog"; it knows Person, Cat"#,
        ),
        (
            format!(r#"class = "Cat", score = 0.5, point = "tail", {zone}"#),
            r#"key point "tail"; it knows head, foot"#,
        ),
        (
            r#"value = "model.speed", above = 1"#.to_owned(),
            r#"value "speed"; it knows anomaly, area"#,
        ),
    ] {
        let rule = format!("near-press | {when} | {STOP}");
        assert_eq!(
            Rules::new(&appliance(&rule), &[names()])
                .unwrap_err()
                .to_string(),
            format!("rule near-press: the model knows no {message}")
        );
    }
}

#[test]
fn names_that_do_not_exist_are_refused() {
    let mut wrong = appliance(&format!(r#"a | input = "door", level = "low" | {STOP}"#));
    wrong.inputs.clear();
    assert!(matches!(
        Rules::new(&wrong, &[names()]),
        Err(RuleError::Description { .. })
    ));
    let mut wrong = appliance(&format!(r#"a | input = "door", level = "low" | {STOP}"#));
    wrong.outputs.clear();
    assert!(matches!(
        Rules::new(&wrong, &[names()]),
        Err(RuleError::Description { .. })
    ));
}
