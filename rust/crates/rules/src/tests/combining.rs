//! `all`, `any`, `not`, `between`, and several models.

use super::*;

/// The truth of a condition over the two inputs: active, not active, or blind.
fn truth(when: &str, inputs: &[Level]) -> Option<bool> {
    let mut rules = rules(&format!("a | {when} | {STOP}"));
    look(&mut rules, 0, &[], inputs);
    (!rules.blind(0)).then(|| rules.active(0))
}

#[test]
fn three_values() {
    // The key is unknown when there is one input only.
    let door = r#"{ input = "door", level = "high" }"#;
    let key = r#"{ input = "key", level = "high" }"#;
    for (when, high, low) in [
        (format!("all = [{door}, {key}]"), None, Some(false)),
        (format!("all = [{key}, {door}]"), None, Some(false)),
        (format!("any = [{door}, {key}]"), Some(true), None),
        (format!("any = [{key}, {door}]"), Some(true), None),
        (format!("not = {door}"), Some(false), Some(true)),
        (format!("not = {key}"), None, None),
        (
            format!("all = [{{ not = {key} }}, {door}, {key}]"),
            None,
            Some(false),
        ),
        (
            format!("any = [{key}, {door}, {{ not = {key} }}]"),
            Some(true),
            None,
        ),
    ] {
        assert_eq!(truth(&when, &[High]), high, "{when}, high");
        assert_eq!(truth(&when, &[Low]), low, "{when}, low");
    }
    for (door_level, key_level, all, any) in [
        (Low, Low, false, false),
        (Low, High, false, true),
        (High, Low, false, true),
        (High, High, true, true),
    ] {
        let inputs = [door_level, key_level];
        assert_eq!(truth(&format!("all = [{door}, {key}]"), &inputs), Some(all));
        assert_eq!(truth(&format!("any = [{door}, {key}]"), &inputs), Some(any));
    }
}

#[test]
fn every_level_has_its_own_for_ms() {
    let mut rules = rules(&format!(
        r#"a | all = [{{ input = "door", level = "high", for_ms = 100 }}, {{ input = "key", level = "high" }}], for_ms = 50 | {STOP}"#
    ));
    for (time, inputs, active) in [
        (0, [High, Low], false),
        (90, [High, High], false),
        (100, [High, High], false), // the door's 100 ms are over, the 50 ms begin
        (149, [High, High], false),
        (150, [High, High], true),
        (160, [High, Low], false),
        (170, [High, High], false), // the door's go on while the key's do not
        (220, [High, High], true),
    ] {
        press(&mut rules, time, inputs);
        assert_eq!(rules.active(0), active, "at {time} ms");
    }
}

#[test]
fn not_with_for_ms_waits_in_the_other_direction() {
    let mut rules = rules(&format!(
        r#"a | not = {{ input = "door", level = "high", for_ms = 100 }} | {STOP}"#
    ));
    for (time, level, active) in [
        (0, Low, true),
        (10, High, true),
        (109, High, true),
        (110, High, false),
        (111, Low, true),
    ] {
        press(&mut rules, time, [level, Low]);
        assert_eq!(rules.active(0), active, "at {time} ms");
    }
}

fn at(rules: &mut Rules, now: u64, day: Day, second: u32) -> bool {
    let seen = Observation {
        now: ms(now),
        wall: Some(Wall { day, second }),
        ..Observation::default()
    };
    rules.evaluate(&seen);
    assert!(!rules.blind(0));
    rules.active(0)
}

#[test]
fn times_of_day() {
    let hour = 3600;
    let mut day = rules(&format!(r#"a | between = ["06:00", "22:30"] | {STOP}"#));
    for (second, active) in [
        (0, false),
        (6 * hour - 1, false),
        (6 * hour, true),
        (22 * hour + 1799, true),
        (22 * hour + 1800, false),
    ] {
        assert_eq!(at(&mut day, 0, Day::Wed, second), active, "{second}");
    }
    let mut night = rules(&format!(
        r#"a | between = ["22:00", "06:00"], days = ["fri", "sun"] | {STOP}"#
    ));
    for (day, second, active) in [
        (Day::Fri, 5 * hour, false),
        (Day::Fri, 22 * hour, true),
        (Day::Sat, 6 * hour - 1, true),
        (Day::Sat, 6 * hour, false),
        (Day::Sat, 23 * hour, false),
        (Day::Sun, hour, false),
        (Day::Sun, 23 * hour, true),
        (Day::Mon, hour, true),
        (Day::Mon, 22 * hour, false),
    ] {
        assert_eq!(at(&mut night, 0, day, second), active, "{day:?} {second}");
    }
    let mut whole = rules(&format!(
        r#"a | between = ["00:00", "24:00"], days = ["tue"] | {STOP}"#
    ));
    assert!(at(&mut whole, 0, Day::Tue, 86_399) && at(&mut whole, 0, Day::Tue, 0));
    assert!(!at(&mut whole, 0, Day::Wed, 0));
}

#[test]
fn times_of_day_are_due_and_need_a_clock() {
    let mut rules = rules(&format!(r#"a | between = ["06:00", "24:00"] | {STOP}"#));
    at(&mut rules, 500, Day::Mon, 6 * 3600 - 2);
    assert_eq!(rules.due(), Some(ms(2500)));
    at(&mut rules, 500, Day::Mon, 6 * 3600);
    assert_eq!(rules.due(), Some(ms(500 + 18 * 3_600_000)));
    at(&mut rules, 500, Day::Tue, 0);
    assert_eq!(rules.due(), Some(ms(500 + 6 * 3_600_000)));
    assert_eq!(press(&mut rules, 600, [Low, Low]), [High, Low]);
    assert!(rules.blind(0));
    assert_eq!(rules.due(), None);
}

#[test]
fn each_model_is_seen_on_its_own() {
    let mut text = BASE.replace("track = {}", "").replace(
        "[model]",
        "[[model]]\nname = \"other\"\nfile = \"o\"\n[[model]]",
    );
    text += "[[rule]]\nname = \"a\"\nwhen = { class = \"Cat\", score = 0.5, model = \"other\" }\nthen = { output = \"stop\", level = \"high\" }\n";
    text += "[[rule]]\nname = \"b\"\nwhen = { class = \"Cat\", score = 0.5, model = \"model\" }\nthen = { output = \"lamp\", level = \"high\" }\n";
    let appliance = edgeai_config::parse("test", &text).unwrap();
    let mut rules = Rules::new(&appliance, &[names(), names()]).unwrap();
    let cat = [seen_at(CAT, 0.9, [0.5, 0.5])];
    let cat = Findings {
        detections: &cat,
        ..Findings::default()
    };
    let none = Findings::default();
    let mut see = |models: [Findings<'_>; 2], fresh, lost| {
        let seen = Observation {
            models: &models,
            fresh,
            lost,
            ..Observation::default()
        };
        let levels = rules.evaluate(&seen).to_vec();
        (levels, rules.blind(0), rules.blind(1))
    };
    // Nothing is known of a model before its first result.
    assert_eq!(see([cat, cat], 0, 0), (vec![High, Low], true, true));
    assert_eq!(see([none, cat], 0b01, 0), (vec![Low, Low], false, true));
    assert_eq!(see([none, cat], 0b10, 0), (vec![Low, High], false, false));
    // An old result is not looked at again.
    assert_eq!(see([cat, none], 0, 0), (vec![Low, High], false, false));
    assert_eq!(see([cat, none], 0b01, 0), (vec![High, High], false, false));
    // A lost one is unknown until there is a new one.
    assert_eq!(see([cat, cat], 0, 0b10), (vec![High, Low], false, true));
    assert_eq!(see([cat, cat], 0b11, 0b10), (vec![High, Low], false, true));
    assert_eq!(see([cat, cat], 0, 0), (vec![High, Low], false, true));
    assert_eq!(see([cat, cat], 0b10, 0), (vec![High, High], false, false));
}

#[test]
fn names_of_a_model_that_are_missing_are_refused() {
    let appliance = appliance(&format!(r#"a | class = "Cat", score = 0.5 | {STOP}"#));
    assert!(matches!(
        Rules::new(&appliance, &[]),
        Err(RuleError::Description { .. })
    ));
}

#[test]
fn count_is_of_what_counts() {
    let mut rules = rules(&format!(
        r#"a | class = "Person", score = 0.5, hysteresis = 0.25, count = 2 | {STOP}"#
    ));
    let mut see = |scores: &[f32]| {
        let seen: Vec<_> = scores.iter().map(|&score| person(score)).collect();
        look(&mut rules, 0, &seen, &[]);
        rules.active(0)
    };
    assert!(!see(&[0.9]));
    assert!(!see(&[0.9, 0.4, 0.3]));
    assert!(see(&[0.9, 0.5]));
    assert!(see(&[0.25, 0.3]));
    assert!(!see(&[0.9, 0.2]));
    assert!(!see(&[0.9, 0.4]));
}

#[test]
fn a_key_point_lies_in_the_zone_and_is_seen() {
    let mut rules = rules(&format!(
        r#"a | class = "Person", score = 0.5, point = "foot", zone = [[0, 0], [0.5, 0], [0.5, 1], [0, 1]] | {STOP}"#
    ));
    let mut see = |feet: &[[f32; 2]]| {
        let seen: Vec<_> = (0..feet.len())
            .map(|index| Detection {
                points: u16::try_from(index).unwrap(),
                ..person(0.9)
            })
            .collect();
        let point = |x, score| Point { x, y: 0.5, score };
        let points: Vec<_> = feet
            .iter()
            .flat_map(|&[x, score]| [point(0.1, 1.0), point(x, score)])
            .collect();
        let findings = Findings {
            detections: &seen,
            points: &points,
            values: &[],
        };
        let seen = Observation {
            models: &[findings],
            fresh: 1,
            ..Observation::default()
        };
        rules.evaluate(&seen);
        rules.active(0)
    };
    assert!(see(&[[0.25, 0.9]]));
    assert!(!see(&[[0.75, 0.9]]));
    assert!(!see(&[[0.25, 0.4]]), "not seen well enough");
    assert!(see(&[[0.75, 0.9], [0.25, 0.5]]), "the second one's");
}

#[test]
fn a_detection_without_its_points_does_not_count() {
    let mut rules = rules(&format!(
        r#"a | class = "Person", score = 0.5, point = "foot", zone = [[0, 0], [1, 0], [1, 1]] | {STOP}"#
    ));
    look(&mut rules, 0, &[person(0.9)], &[]);
    assert!(!rules.active(0) && !rules.blind(0));
}
