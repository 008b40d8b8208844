//! What holds for all rules and all observations.

mod scene;
mod state;

use edgeai_config::{Level, Rule, Then, When};
use edgeai_rules::Rules;
use proptest::prelude::*;
use scene::{Event, Scene, appliance, condition, events, rules_for, stateless};

fn levels() -> impl Strategy<Value = Vec<Rule>> {
    let times = prop_oneof![Just(0_u32), 1_u32..30];
    let rule = (condition(), 0..2_usize, times.clone(), times, any::<bool>()).prop_map(
        |(when, output, hold_ms, cooldown_ms, latch)| {
            let then = Then {
                output: Some(["stop", "lamp"][output].into()),
                level: Some(Level::High),
                hold_ms: if latch { 0 } else { hold_ms },
                cooldown_ms,
                latch,
                reset: latch.then(|| "key".into()),
                count: Some("n".into()),
                ..Then::default()
            };
            (when, then)
        },
    );
    proptest::collection::vec(rule, 1..5).prop_map(|rules| {
        let named = rules
            .into_iter()
            .enumerate()
            .map(|(index, (when, then))| Rule {
                name: format!("rule-{index}"),
                when,
                then,
            });
        named.collect()
    })
}

/// What can be seen of rules from outside.
fn state(rules: &Rules, count: usize) -> (Vec<bool>, Vec<bool>, u64) {
    let active = (0..count).map(|index| rules.active(index)).collect();
    let blind = (0..count).map(|index| rules.blind(index)).collect();
    (
        active,
        blind,
        rules.counters().iter().map(|c| c.value).sum(),
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_look_when_due_sees_what_a_look_at_every_time_sees(rules in levels(), events in events()) {
        let mut always = rules_for(&rules);
        let mut when_due = rules_for(&rules);
        let mut scene = Scene::default();
        let mut last = Vec::new();
        let mut started = [0_u32; 2];
        let mut time = 0;
        for Event { after, change } in &events {
            for _ in 0..*after {
                time += 1;
                let expected = always.evaluate(&scene.unchanged(time)).to_vec();
                started[0] += always.started().count_ones();
                if when_due.due().is_some_and(|due| due <= scene::ms(time)) {
                    prop_assert_eq!(when_due.due(), Some(scene::ms(time)), "not in the past");
                    last = when_due.evaluate(&scene.unchanged(time)).to_vec();
                    started[1] += when_due.started().count_ones();
                }
                if !last.is_empty() {
                    prop_assert_eq!(&last, &expected, "at {} ms", time);
                    prop_assert_eq!(state(&when_due, rules.len()), state(&always, rules.len()));
                }
            }
            scene.change(change);
            last = when_due.evaluate(&scene.changed(time, change)).to_vec();
            let expected = always.evaluate(&scene.changed(time, change));
            prop_assert_eq!(&last, expected);
            started[0] += always.started().count_ones();
            started[1] += when_due.started().count_ones();
            prop_assert_eq!(started[0], started[1]);
        }
    }

    #[test]
    fn the_order_of_rules_has_no_meaning(
        (rules, shuffled) in levels().prop_flat_map(|rules| (Just(rules.clone()), Just(rules).prop_shuffle())),
        events in events(),
    ) {
        let mut one = rules_for(&rules);
        let mut other = rules_for(&shuffled);
        let mut scene = Scene::default();
        let mut time = 0;
        for Event { after, change } in &events {
            time += after;
            scene.change(change);
            let seen = scene.changed(time, change);
            prop_assert_eq!(one.evaluate(&seen), other.evaluate(&seen));
            prop_assert_eq!(one.due(), other.due());
            prop_assert_eq!(one.counters(), other.counters());
        }
    }

    #[test]
    fn safe_wins_then_active_then_the_opposite(rules in levels(), events in events()) {
        let described = appliance(&rules);
        let mut evaluated = rules_for(&rules);
        let mut scene = Scene::default();
        let mut time = 0;
        for Event { after, change } in &events {
            time += after;
            scene.change(change);
            let levels = evaluated.evaluate(&scene.changed(time, change)).to_vec();
            for (output, level) in described.outputs.iter().zip(levels) {
                let owned = rules.iter().enumerate();
                let owned = owned.filter(|(_, rule)| rule.then.output.as_ref() == Some(&output.name));
                let owned: Vec<_> = owned.map(|(index, _)| index).collect();
                let expected = if owned.is_empty() || owned.iter().any(|&rule| evaluated.blind(rule)) {
                    output.safe
                } else if owned.iter().any(|&rule| evaluated.active(rule)) {
                    Level::High
                } else {
                    Level::Low
                };
                prop_assert_eq!(level, expected);
            }
        }
    }

    #[test]
    fn never_active_before_for_ms(when in condition(), for_ms in 1_u32..40, events in events()) {
        let rule = |name: &str, for_ms| Rule {
            name: name.into(),
            when: When { all: Some(vec![when.clone()]), for_ms, ..When::default() },
            then: Then { telemetry: true, ..Then::default() },
        };
        // Without times of its own the second rule is active while the condition is true.
        let mut rules = rules_for(&[rule("late", for_ms), rule("now", 0)]);
        let mut scene = Scene::default();
        let mut time = 0;
        let mut since = None;
        for Event { after, change } in &events {
            for step in 0..=*after {
                let seen = if step == *after {
                    scene.change(change);
                    scene.changed(time, change)
                } else {
                    scene.unchanged(time)
                };
                rules.evaluate(&seen);
                let holds = rules.active(1) && !rules.blind(1);
                since = if holds { since.or(Some(time)) } else { None };
                if rules.started() & 1 == 1 {
                    prop_assert!(since.is_some_and(|since| time - since >= u64::from(for_ms)));
                }
                let late = since.is_some_and(|since| time - since >= u64::from(for_ms));
let active = rules.active(0) && !rules.blind(0);
                // An active rule stays so while its condition is unknown, and goes on after.
                prop_assert!(active || !late);
                prop_assert!(holds || !active);
                time += u64::from(step < *after);
            }
        }
    }

    /// What is known with less is not contradicted with more.
    #[test]
    fn a_decision_with_something_unknown_is_one_for_whatever_it_is(
        when in stateless(),
        inputs in proptest::array::uniform2(any::<bool>()),
        sensors in proptest::array::uniform2(-2.0..2.0),
        unknown in proptest::array::uniform2(any::<bool>()),
        inputs_known in 0..=2_usize,
    ) {
        let rule = Rule {
            name: "a".into(),
            when,
            then: Then { telemetry: true, ..Then::default() },
        };
        let inputs = inputs.map(|high| if high { Level::High } else { Level::Low });
        let truth = |inputs: &[Level], sensors: &[Option<f64>]| {
            let mut rules = rules_for(std::slice::from_ref(&rule));
            rules.evaluate(&edgeai_rules::Observation { inputs, sensors, ..Default::default() });
            (!rules.blind(0)).then(|| rules.active(0))
        };
        let all = truth(&inputs, &sensors.map(Some));
        prop_assert!(all.is_some());
        let [first, second] = [0, 1].map(|index| (!unknown[index]).then_some(sensors[index]));
        let less = truth(&inputs[..inputs_known], &[first, second]);
        prop_assert!(less.is_none() || less == all);
    }
}
