//! `for_ms`, `hold_ms`, `cooldown_ms`, `latch`, and when to look again.

use super::*;

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
        &[
            (1000, 0.1, false),
            (500, 0.9, false),
            (1050, 0.9, false),
            (700, 0.9, false),
            (1099, 0.9, false),
            (1100, 0.9, true),
        ],
    );
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
        look(&mut rules, time, &[], &[level]);
        assert_eq!(rules.active(0), active, "at {time} ms");
    }
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

#[test]
fn cooldown_runs_from_the_end_and_for_ms_runs_beside_it() {
    let mut rules = rules(&format!(
        r#"a | class = "Person", score = 0.5, for_ms = 20 | {STOP}, hold_ms = 10, cooldown_ms = 100"#
    ));
    follow(
        &mut rules,
        &[
            (0, 0.9, false),
            (20, 0.9, true),
            (30, 0.1, true),
            (40, 0.1, false),
            (50, 0.9, false),
            (139, 0.9, false),
            (140, 0.9, true),
            (150, 0.1, true),
            (160, 0.1, false),
            (250, 0.9, false),
            (260, 0.9, false),
            (270, 0.9, true),
        ],
    );
}

#[test]
fn a_latched_rule_waits_for_its_reset() {
    let mut rules = rules(&format!(
        r#"a | input = "door", level = "high" | {STOP}, latch = true, reset = "key""#
    ));
    for (time, door, key, active) in [
        (0, High, High, true),
        (1, Low, High, true), // the key was high before: it has not risen
        (2, High, Low, true),
        (3, High, High, true), // it rises, but the condition is true
        (4, Low, High, true),
        (5, Low, Low, true),
        (6, Low, High, false),
        (7, Low, Low, false),
        (8, High, High, true), // a rising key does not hinder a rule that begins
        (9, High, Low, true),
        (10, Low, High, false),
    ] {
        press(&mut rules, time, [door, key]);
        assert_eq!(rules.active(0), active, "at {time} ms");
    }
}

#[test]
fn a_latch_whose_reset_is_not_known_is_blind() {
    let mut rules = rules(
        r#"a | input = "door", level = "high" | output = "lamp", level = "high", latch = true, reset = "key""#,
    );
    assert_eq!(press(&mut rules, 0, [High, Low]), [High, High]);
    assert_eq!(look(&mut rules, 1, &[], &[High]), [High, Low]);
    assert!(rules.active(0) && rules.blind(0));
    // Unknown, then high, is not a rise.
    assert_eq!(press(&mut rules, 2, [Low, High]), [High, High]);
    assert_eq!(press(&mut rules, 3, [Low, Low]), [High, High]);
    assert_eq!(press(&mut rules, 4, [Low, High]), [High, Low]);
}

#[test]
fn reset_keeps_latches_cooldowns_and_counters() {
    let mut rules = rules(&format!(
        r#"a | input = "door", level = "high" | {STOP}, latch = true, reset = "key"
           b | input = "door", level = "high" | count = "opened", cooldown_ms = 100"#
    ));
    press(&mut rules, 0, [High, Low]);
    assert_eq!(
        (rules.active(0), rules.active(1), rules.started()),
        (true, true, 3)
    );
    rules.reset();
    assert_eq!(
        (rules.active(0), rules.active(1), rules.started()),
        (true, false, 0)
    );
    press(&mut rules, 99, [High, Low]);
    assert_eq!((rules.active(1), rules.counters()[0].value), (false, 1));
    press(&mut rules, 100, [High, Low]);
    assert_eq!((rules.active(1), rules.counters()[0].value), (true, 2));
    assert!(rules.active(0));
}

#[test]
fn reset_is_safe_and_ends_with_the_next_evaluation() {
    let mut rules = rules(&format!(r#"a | input = "door", level = "high" | {STOP}"#));
    assert_eq!(press(&mut rules, 0, [Low, Low]), [Low, Low]);
    rules.reset();
    assert_eq!(*rules.levels, [High, Low]);
    assert_eq!(press(&mut rules, 1, [Low, Low]), [Low, Low]);
}

#[test]
fn unknown_breaks_for_ms_and_hold_ms() {
    let mut rules = rules(&format!(
        r#"a | input = "door", level = "high", for_ms = 100 | {STOP}, hold_ms = 100"#
    ));
    let mut see = |time, inputs: &[Level], active, blind| {
        look(&mut rules, time, &[], inputs);
        assert_eq!(
            (rules.active(0), rules.blind(0)),
            (active, blind),
            "at {time}"
        );
    };
    see(0, &[High], false, false);
    see(50, &[], false, true);
    see(60, &[High], false, false);
    see(159, &[High], false, false);
    see(160, &[High], true, false);
    see(170, &[Low], true, false);
    see(180, &[], true, true);
    see(280, &[Low], true, false);
    see(379, &[Low], true, false);
    see(380, &[Low], false, false);
}

#[test]
fn due_is_the_next_end_of_a_time() {
    let mut rules = rules(&format!(
        r#"a | input = "door", level = "high", for_ms = 100 | {STOP}, hold_ms = 50, cooldown_ms = 400
           b | not = {{ input = "key", level = "high", for_ms = 30 }} | output = "lamp", level = "high""#
    ));
    for (time, inputs, due) in [
        (0, [Low, Low], None),
        (10, [High, Low], Some(110)),
        (20, [High, High], Some(50)), // the key's 30 ms
        (50, [High, High], Some(110)),
        (110, [High, Low], None),     // active
        (120, [Low, Low], Some(170)), // hold
        (130, [High, Low], None),
        (140, [Low, Low], Some(190)),
        (190, [Low, Low], None),       // inactive
        (200, [High, Low], Some(590)), // the later of for_ms and cooldown
        (589, [High, Low], Some(590)),
        (590, [High, Low], None),
    ] {
        press(&mut rules, time, inputs);
        assert_eq!(rules.due(), due.map(ms), "at {time} ms");
    }
}

#[test]
fn started_and_counters_tell_each_beginning_once() {
    let mut rules = rules(
        r#"a | input = "door", level = "high" | count = "opened"
           b | input = "key", level = "high" | count = "other", log = "key"
           c | input = "key", level = "high" | count = "opened""#,
    );
    let mut values = |time, inputs, started| {
        press(&mut rules, time, inputs);
        assert_eq!(rules.started(), started, "at {time} ms");
        let counters = rules.counters().iter();
        counters
            .map(|counter| (counter.name.clone(), counter.value))
            .collect::<Vec<_>>()
    };
    let expected = |opened, other| vec![("opened".to_owned(), opened), ("other".to_owned(), other)];
    assert_eq!(values(0, [Low, Low], 0), expected(0, 0));
    assert_eq!(values(1, [High, Low], 0b001), expected(1, 0));
    assert_eq!(values(2, [High, High], 0b110), expected(2, 1));
    assert_eq!(values(3, [High, High], 0), expected(2, 1));
    assert_eq!(values(4, [Low, High], 0), expected(2, 1));
    assert_eq!(values(5, [High, High], 0b001), expected(3, 1));
}
