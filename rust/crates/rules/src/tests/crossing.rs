//! `crosses`

use super::*;

/// A vertical line from the top to the middle of the frame: who looks along it (downwards) has
/// the frame's right half on the left.
const LINE: &str = "crosses = [[0.5, 0], [0.5, 0.5]]";

fn tracked(track: u32, [x, y]: [f32; 2]) -> Detection {
    Detection {
        track,
        // A box without extent has an exact centre.
        x_min: x,
        x_max: x,
        y_min: y,
        y_max: y,
        ..person(0.9)
    }
}

/// How much the counter goes up by a way of one object.
fn count(rules: &mut Rules, track: u32, way: &[[f32; 2]]) -> u64 {
    let before = rules.counters()[0].value;
    for &place in way {
        look(rules, 0, &[tracked(track, place)], &[]);
    }
    rules.counters()[0].value - before
}

fn counting(refined: &str) -> Rules {
    rules(&format!("a | {LINE}{refined} | count = \"n\""))
}

#[test]
fn ways_over_the_line() {
    let (left, right) = ([0.25, 0.25], [0.75, 0.25]);
    for (way, either, to_right, to_left) in [
        (&[left, right][..], 1, 0, 1),
        (&[right, left], 1, 1, 0),
        (&[left, right, left], 2, 1, 1),
        (&[left], 0, 0, 0),
        (&[left, [0.375, 0.25]], 0, 0, 0),
        // On the line, and on from there.
        (&[left, [0.5, 0.25], right], 1, 0, 1),
        (&[right, [0.5, 0.25], left], 1, 1, 0),
        (
            &[left, [0.5, 0.25], [0.5, 0.125], [0.5, 0.25], right],
            1,
            0,
            1,
        ),
        // To the line and back: both or neither, but never one.
        (&[right, [0.5, 0.25], right], 2, 1, 1),
        (&[left, [0.5, 0.25], left], 0, 0, 0),
        // Past its end.
        (&[[0.25, 0.75], [0.75, 0.75]], 0, 0, 0),
        (&[[0.25, 0.25], [0.75, 0.875]], 0, 0, 0),
        (&[[0.25, 0.25], [0.75, 0.625]], 1, 0, 1),
        // Along it.
        (&[[0.5, 0.125], [0.5, 0.375]], 0, 0, 0),
    ] {
        assert_eq!(count(&mut counting(""), 1, way), either, "{way:?}");
        let mut rules = counting(", direction = \"left-to-right\"");
        assert_eq!(count(&mut rules, 1, way), to_right, "{way:?} to the right");
        let mut rules = counting(", direction = \"right-to-left\"");
        assert_eq!(count(&mut rules, 1, way), to_left, "{way:?} to the left");
    }
}

#[test]
fn a_point_between_two_lines_belongs_to_one() {
    let mut rules = rules(
        r#"a | crosses = [[0.5, 0], [0.5, 0.5]] | count = "n"
           b | crosses = [[0.5, 0.5], [0.5, 1]] | count = "n""#,
    );
    let (left, right) = (0.25, 0.75);
    for (track, y) in [(1, 0.25), (2, 0.5), (3, 0.75)] {
        assert_eq!(count(&mut rules, track, &[[left, y], [right, y]]), 1, "{y}");
        assert_eq!(count(&mut rules, track, &[[left, y]]), 1, "{y}");
    }
}

#[test]
fn objects_are_told_apart() {
    let mut rules = counting("");
    let (left, right) = ([0.25, 0.25], [0.75, 0.25]);
    let value = |rules: &Rules| rules.counters()[0].value;
    look(&mut rules, 0, &[tracked(1, left), tracked(2, right)], &[]);
    assert_eq!(value(&rules), 0);
    look(&mut rules, 1, &[tracked(2, left), tracked(1, right)], &[]);
    assert_eq!(
        (value(&rules), rules.active(0), rules.started()),
        (2, true, 1)
    );
    // The next frame: others go on, and the rule does not begin anew.
    look(&mut rules, 2, &[tracked(2, right), tracked(3, right)], &[]);
    assert_eq!(
        (value(&rules), rules.active(0), rules.started()),
        (3, true, 0)
    );
    // An old result counts no more, and the condition lasts until the next one.
    press(&mut rules, 3, [Low, Low]);
    assert!(rules.blind(0), "there is no model in this observation");
    look(&mut rules, 4, &[tracked(2, left)], &[]);
    assert_eq!(
        (value(&rules), rules.active(0)),
        (3, false),
        "forgotten while unknown"
    );
}

#[test]
fn a_crossing_lasts_until_the_next_result() {
    let mut rules = counting("");
    let (left, right) = ([0.25, 0.25], [0.75, 0.25]);
    look(&mut rules, 0, &[tracked(1, left)], &[]);
    look(&mut rules, 1, &[tracked(1, right)], &[]);
    let seen = [tracked(1, right)];
    let models = [Findings {
        detections: &seen,
        ..Findings::default()
    }];
    let seen = Observation {
        now: ms(2),
        models: &models,
        ..Observation::default()
    };
    rules.evaluate(&seen);
    assert_eq!((rules.active(0), rules.counters()[0].value), (true, 1));
    rules.evaluate(&Observation { fresh: 1, ..seen });
    assert_eq!((rules.active(0), rules.counters()[0].value), (false, 1));
}

#[test]
fn what_does_not_count_is_as_if_not_seen() {
    let mut rules = counting(", class = \"Person\", score = 0.5");
    let (left, right) = ([0.25, 0.25], [0.75, 0.25]);
    let value = |rules: &Rules| rules.counters()[0].value;
    look(&mut rules, 0, &[tracked(1, left)], &[]);
    for other in [
        Detection {
            score: 0.4,
            ..tracked(1, right)
        },
        Detection {
            class: CAT,
            ..tracked(1, right)
        },
        Detection {
            track: 0,
            ..tracked(1, right)
        },
        Detection {
            x_min: f32::NAN,
            ..tracked(1, right)
        },
    ] {
        look(&mut rules, 1, &[other], &[]);
        assert_eq!(value(&rules), 0, "{other:?}");
    }
    look(&mut rules, 2, &[tracked(1, right)], &[]);
    assert_eq!(value(&rules), 1);
}

#[test]
fn crossings_count_only_while_the_rule_is_active_and_true() {
    let mut rules = rules(
        r#"a | all = [{ crosses = [[0.5, 0], [0.5, 1]] }, { input = "door", level = "high" }] | count = "n", hold_ms = 100
           b | crosses = [[0.5, 0], [0.5, 1]] | count = "rested", cooldown_ms = 100"#,
    );
    let places = [[0.25, 0.5], [0.75, 0.5]];
    let mut turn = 0;
    let mut cross = |time, door| {
        turn += 1;
        look(
            &mut rules,
            time,
            &[tracked(1, places[turn % 2])],
            &[door, Low],
        );
        [rules.counters()[0].value, rules.counters()[1].value]
    };
    assert_eq!(cross(0, High), [0, 0]);
    assert_eq!(cross(10, High), [1, 1]);
    assert_eq!(cross(20, Low), [1, 2], "held, but not true");
    assert_eq!(cross(30, High), [2, 3]);
    look(&mut rules, 40, &[], &[High, Low]);
    let mut cross = |time, door| {
        turn += 1;
        look(
            &mut rules,
            time,
            &[tracked(1, places[turn % 2])],
            &[door, Low],
        );
        [rules.counters()[0].value, rules.counters()[1].value]
    };
    assert_eq!(cross(139, High), [3, 3], "the second rule rests");
    assert_eq!(cross(140, High), [4, 4]);
}

#[test]
fn of_too_many_objects_the_one_not_seen_for_longest_is_forgotten() {
    let mut rules = counting("");
    let (left, right) = ([0.25, 0.25], [0.75, 0.25]);
    for track in 1..=256 {
        look(&mut rules, 0, &[tracked(track, left)], &[]);
    }
    look(&mut rules, 0, &[tracked(1, left)], &[]);
    look(&mut rules, 0, &[tracked(257, left)], &[]);
    for track in [1, 3, 256, 257] {
        look(&mut rules, 0, &[tracked(track, right)], &[]);
    }
    assert_eq!(rules.counters()[0].value, 4);
    look(&mut rules, 0, &[tracked(2, right)], &[]);
    assert_eq!(rules.counters()[0].value, 4, "track 2 was forgotten");
}
