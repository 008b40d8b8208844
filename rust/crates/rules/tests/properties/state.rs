//! What rules remember is all that counts, and bytes that are not that do no harm.

use crate::levels;
use crate::scene::{Change, Event, Scene, events, rules_for};
use edgeai_config::Samples;
use edgeai_rules::{Observation, Rules, StateError};
use proptest::prelude::*;

fn saved(rules: &Rules) -> Vec<u8> {
    let mut state = Vec::new();
    rules.save(&mut state);
    assert!(state.len() <= rules.state_room());
    state
}

/// Shows the changes to each of the rules; of a sample also others between it and the one before.
fn play(rules: &mut [Rules], scene: &mut Scene, time: &mut u64, events: &[Event]) {
    for Event { after, change } in events {
        *time += after;
        scene.change(change);
        let mut samples = [Samples::NONE; 2];
        if let Change::Sample(channel, Some(value)) = change {
            samples[*channel] = Samples::of(1.0 - value).merge(Samples::of(*value));
        }
        let seen = Observation {
            samples: &samples,
            ..scene.changed(*time, change)
        };
        let mut decided = Vec::new();
        for rules in &mut *rules {
            let levels = rules.evaluate(&seen).to_vec();
            let (due, started) = (rules.due(), rules.started());
            let counters = rules.counters().to_vec();
            decided.push((levels, due, started, counters, saved(rules)));
        }
        decided.dedup();
        assert!(decided.len() <= 1, "{decided:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn restored_rules_decide_as_the_saved_ones(rules in levels(), events in events(), part in 0.0..1.0_f64) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a place in a short list")]
        let (before, after) = events.split_at((part * events.len() as f64) as usize);
        let (mut scene, mut time) = (Scene::default(), 0);
        let mut first = [rules_for(&rules)];
        play(&mut first, &mut scene, &mut time, before);
        let [first] = first;
        let mut second = rules_for(&rules);
        second.restore(&saved(&first)).unwrap();
        play(&mut [first, second], &mut scene, &mut time, after);
    }

    #[test]
    fn damaged_bytes_are_refused_or_harmless(
        rules in levels(),
        events in events(),
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        length in any::<prop::sample::Index>(),
        cut in any::<bool>(),
    ) {
        let (mut scene, mut time) = (Scene::default(), 0);
        let mut played = [rules_for(&rules)];
        play(&mut played, &mut scene, &mut time, &events);
        let mut state = saved(&played[0]);
        for (place, byte) in damage {
            let place = place.index(state.len());
            state[place] = byte;
        }
        if cut {
            state.truncate(length.index(state.len()));
        }
        let mut restored = rules_for(&rules);
        if restored.restore(&state).is_err() {
            prop_assert_eq!(saved(&restored), saved(&rules_for(&rules)), "nothing is remembered");
        }
        play(&mut [restored], &mut scene, &mut time, &events);
    }
}

#[test]
fn another_version_and_other_rules_are_told() {
    let none = rules_for(&[]);
    let mut state = saved(&none);
    let mut rules = rules_for(&[]);
    assert_eq!(rules.restore(&state), Ok(()));
    state.push(0);
    let error = rules.restore(&state).unwrap_err().to_string();
    assert_eq!(error, "not a state of these rules: it is too long");
    state[0] = 9;
    assert_eq!(rules.restore(&state), Err(StateError::Version(9)));
    assert!(rules.restore(&[]).is_err());
}
