//! What a device has recorded is decided again, bit for bit, and what is not the same is found.

use crate::rig::{Grey, Rig, appliance, inference, names};
use edgeai_config::{Appliance, Level, Recording, Track};
use edgeai_pipeline::{Handover, Note, Perception, Rehearsal, Replay, Report, Scene, Script};
use edgeai_realtime::monotonic_now;
use edgeai_recording::{Gap, Header, Model, Reader, Record, Writer};
use std::time::Duration;

fn model() -> Record {
    Record::Model(Model {
        names: names(),
        ..Model::default()
    })
}

/// A run on the bench: a door that moves, frames with and without a person, a lost camera.
fn recorded(appliance: &mut Appliance) -> Vec<Record> {
    appliance.rules[0].when.for_ms = 1;
    appliance.rules[0].then.hold_ms = 2;
    let mut rig = recording(appliance);
    let mut records = vec![model()];
    for number in 0..40 {
        let level = if number % 3 == 0 {
            Level::High
        } else {
            Level::Low
        };
        rig.bench.pull("door", level);
        if number == 20 {
            let lost = Handover::Fault("camera lost: gone".into());
            rig.lanes[0].insist(lost, &rig.link);
            rig.signals.round();
        }
        let mut seen = rig.lanes[0].take(&names());
        (seen.sighting.sequence, seen.sighting.captured) = (number, monotonic_now());
        seen.sighting.detections.clear();
        if number % 10 < 6 {
            seen.sighting.detections.push(person());
        }
        rig.lanes[0].hand_over(seen, &rig.link);
        rig.signals.round();
        std::thread::sleep(Duration::from_millis(1));
        rig.signals.round();
        records.extend(noted(&mut rig));
    }
    records.push(Record::End);
    records
}

/// A bench whose signal thread takes notes.
fn recording(appliance: &mut Appliance) -> Rig {
    appliance.recording = Some(Recording {
        directory: "/nonexistent".into(),
        file_mib: 1,
        files: 1,
        frames: true,
    });
    Rig::new(appliance, &["door", "stop", "lamp"])
}

/// What it has noted since the last time.
fn noted(rig: &mut Rig) -> Vec<Record> {
    let notebook = rig.notebook.as_mut().unwrap();
    let mut records = Vec::new();
    while let Ok(note) = notebook.notes.pop() {
        if let Note::Record(record) = note {
            if let Record::Sighting(sighting) = &record {
                let _ = notebook.spare.push(sighting.clone());
            }
            records.push(record);
        }
    }
    records
}

fn person() -> edgeai_decode::Detection {
    edgeai_decode::Detection {
        class: 1,
        score: 0.9,
        x_min: 0.25,
        y_min: 0.25,
        x_max: 0.75,
        y_max: 0.75,
        track: 0,
        points: 0,
    }
}

fn replayed(appliance: &Appliance, records: &[Record]) -> Report {
    let mut writer = Writer::new(Vec::new(), &Header::default()).unwrap();
    for record in records {
        writer.write(record).unwrap();
    }
    let bytes = writer.into_inner();
    let mut replay = Replay::of_findings(appliance);
    let reader = Reader::new(bytes.as_slice()).unwrap();
    replay.begin(reader.header()).unwrap();
    for record in reader {
        replay.take(record.unwrap()).unwrap();
    }
    replay.finish()
}

#[test]
fn a_run_on_the_bench_is_decided_again_bit_for_bit() {
    let mut appliance = appliance(60_000, "safe");
    let records = recorded(&mut appliance);
    let report = replayed(&appliance, &records);
    assert!(report.same(), "{report:?}");
    assert!(report.evaluations >= 40, "{report:?}");
    assert_eq!(report.not_compared, 0);
    let active = records.iter().filter(
        |record| matches!(record, Record::Evaluation(made) if made.decision.active & 1 == 1),
    );
    assert!(active.count() > 10, "the rule was active for a while");
}

#[test]
fn another_decision_is_found_with_its_time_and_name() {
    let mut appliance = appliance(60_000, "safe");
    let mut records = recorded(&mut appliance);
    let evaluation = records.iter_mut().rev().find_map(|record| match record {
        Record::Evaluation(made) => Some(made),
        _ => None,
    });
    let made = evaluation.unwrap();
    made.decision.levels ^= 1;
    let time = made.now.as_secs().to_string();
    let report = replayed(&appliance, &records);
    assert_eq!(report.different, 1);
    let first = report.first_difference.unwrap();
    assert!(first.time.starts_with(&time), "{first:?}");
    assert!(
        first.what.starts_with("output stop: recorded "),
        "{first:?}"
    );
}

#[test]
fn other_rules_decide_otherwise() {
    let mut appliance = appliance(60_000, "safe");
    let records = recorded(&mut appliance);
    appliance.rules[0].when.score = Some(0.95);
    let report = replayed(&appliance, &records);
    assert!(report.different > 0 && !report.same(), "{report:?}");
    let first = report.first_difference.unwrap().what;
    assert!(
        first.contains("rule person: recorded active, now inactive"),
        "{first}"
    );
}

#[test]
fn after_a_gap_nothing_is_compared_until_the_rules_have_forgotten() {
    let mut appliance = appliance(60_000, "safe");
    let mut records = recorded(&mut appliance);
    let reset = |record: &Record| matches!(record, Record::Reset { .. });
    let reset = records.iter().position(reset).unwrap();
    // Some decisions in the middle are missing.
    let gap = Record::Gap(Gap {
        frames: 0,
        decisions: 4,
    });
    records.splice(10..14, [gap]);
    let report = replayed(&appliance, &records);
    assert!(report.same(), "{report:?}");
    assert!(
        report.not_compared > 0 && report.not_compared < reset as u64,
        "{report:?}"
    );
    assert_eq!(report.decisions_missing, 4);
    // A counter does not forget: then there is no more to compare at all.
    appliance.rules[1].then.count = Some("openings".into());
    let report = replayed(&appliance, &records);
    assert!(report.evaluations < report.not_compared, "{report:?}");
}

#[test]
fn sightings_that_found_no_room_on_the_way_are_a_gap() {
    let mut rig = recording(&mut appliance(60_000, "safe"));
    let see = |rig: &mut Rig, sequence| {
        let mut seen = rig.lanes[0].take(&names());
        seen.sighting.sequence = sequence;
        rig.lanes[0].hand_over(seen, &rig.link);
    };
    // The signal thread stands still.
    (0..20).for_each(|sequence| see(&mut rig, sequence));
    rig.signals.round();
    let before = noted(&mut rig);
    let seen = before.iter().filter(|it| matches!(it, Record::Sighting(_)));
    let lost = 20 - seen.count() as u64;
    assert!(lost > 0 && !before.iter().any(|it| matches!(it, Record::Gap(_))));
    see(&mut rig, 20);
    rig.signals.round();
    let gap = Gap {
        frames: 0,
        decisions: lost,
    };
    assert!(noted(&mut rig).contains(&Record::Gap(gap)));
}

/// A rehearsal of the appliance with a person in every frame.
fn rehearsed(appliance: &Appliance) -> Vec<Record> {
    let mut inference = inference(true);
    let models = vec![Perception::new(0, &appliance.models[0], &mut inference)];
    let scene = Scene {
        source: Box::new(Grey::new(Duration::ZERO)),
        period: Duration::from_millis(100),
    };
    let script = Script::parse(appliance, "script", "150 door high\n430 door low\n").unwrap();
    let mut records = vec![model()];
    let rehearsal = Rehearsal::new(appliance, models, &[names()]).unwrap();
    let evaluations = rehearsal
        .run(vec![Some(scene)], &[], &script, 10, &mut |record| {
            records.push(record.clone());
            Ok(())
        })
        .unwrap();
    assert!(evaluations >= 12, "ten frames, two edges: {evaluations}");
    records
}

#[test]
fn a_rehearsal_is_the_same_each_time_and_from_its_frames() {
    let mut appliance = appliance(60_000, "safe");
    appliance.models[0].track = Some(Track::default());
    appliance.rules[0].when.for_ms = 250;
    let records = rehearsed(&appliance);
    assert_eq!(records, rehearsed(&appliance));
    let mut inference = inference(true);
    let models = vec![Perception::new(0, &appliance.models[0], &mut inference)];
    let mut replay = Replay::of_frames(&appliance, models);
    for record in records.clone() {
        replay.take(record).unwrap();
    }
    let report = replay.finish();
    assert!(report.same(), "{report:?}");
    assert_eq!((report.sightings, report.sightings_different), (10, 0));
    // for_ms ends between two frames, and there the rules are evaluated.
    let started = records.iter().find_map(|record| match record {
        Record::Evaluation(made) if made.decision.started & 1 == 1 => Some(made.now),
        _ => None,
    });
    assert_eq!(started, Some(Duration::from_millis(1_000_250)));
}

#[test]
fn frames_in_which_another_is_seen_are_told() {
    let appliance = appliance(60_000, "safe");
    let records = rehearsed(&appliance);
    let mut blind = inference(false);
    let models = vec![Perception::new(0, &appliance.models[0], &mut blind)];
    let mut replay = Replay::of_frames(&appliance, models);
    for record in records {
        replay.take(record).unwrap();
    }
    let report = replay.finish();
    assert_eq!((report.sightings, report.sightings_different), (10, 10));
    assert!(report.different > 0);
    let first = report.first_sighting_different.unwrap();
    assert!(
        first.contains("recorded 1 detections") && first.contains("now no detections"),
        "{first}"
    );
}
