//! What differs between what was recorded and what a replay makes of it.

use edgeai_config::Appliance;
use edgeai_recording::{Decision, Sighting};
use std::time::Duration;

/// Equal as IEEE 754 bits: a NaN equals itself, 0 is not −0.
pub fn same_bits(a: &Sighting, b: &Sighting) -> bool {
    let numbers = |sighting: &Sighting| {
        let detections = sighting.detections.iter().flat_map(|it| {
            let floats = [it.score, it.x_min, it.y_min, it.x_max, it.y_max].map(f32::to_bits);
            let whole = [it.class.into(), it.track, it.points.into()];
            floats.into_iter().chain(whole)
        });
        let points = sighting.points.iter();
        let points = points.flat_map(|point| [point.x, point.y, point.score].map(f32::to_bits));
        let values = sighting.values.iter().map(|value| value.to_bits());
        detections.chain(points).chain(values).collect::<Vec<_>>()
    };
    a.detections.len() == b.detections.len()
        && a.points.len() == b.points.len()
        && numbers(a) == numbers(b)
}

/// What two sightings of one frame differ in, at first sight.
pub fn difference(model: &str, recorded: &Sighting, made: &Sighting) -> String {
    let brief = |sighting: &Sighting| match sighting.detections.first() {
        Some(best) => format!(
            "{} detections, the best of class {} with score {}",
            sighting.detections.len(),
            best.class,
            best.score
        ),
        None => format!("no detections, values {:?}", sighting.values),
    };
    let what = format!("recorded {}; now {}", brief(recorded), brief(made));
    of_frame(model, recorded, &what)
}

/// A line about a frame.
pub fn of_frame(model: &str, recorded: &Sighting, what: &str) -> String {
    let (number, time) = (recorded.sequence, seconds(recorded.captured));
    format!("model {model}, frame {number} at {time} s: {what}")
}

/// The parts of two decisions that differ, by name.
pub fn compared(appliance: &Appliance, recorded: &Decision, again: &Decision) -> String {
    let mut parts = Vec::new();
    let outputs = appliance.outputs.iter().take(32).enumerate();
    for (index, output) in outputs {
        let level = |bits: u32| {
            if bits >> index & 1 == 1 {
                "high"
            } else {
                "low"
            }
        };
        let (was, is) = (level(recorded.levels), level(again.levels));
        if was != is {
            parts.push(format!("output {}: recorded {was}, now {is}", output.name));
        }
    }
    for (index, rule) in appliance.rules.iter().take(64).enumerate() {
        let state = |bits: u64, yes, no| if bits >> index & 1 == 1 { yes } else { no };
        for (was, is) in [
            (
                state(recorded.active, "active", "inactive"),
                state(again.active, "active", "inactive"),
            ),
            (
                state(recorded.started, "started", "not started"),
                state(again.started, "started", "not started"),
            ),
        ] {
            if was != is {
                parts.push(format!("rule {}: recorded {was}, now {is}", rule.name));
            }
        }
    }
    if recorded.counters != again.counters {
        parts.push("counters".into());
    }
    parts.join("; ")
}

/// To the nanosecond.
pub fn seconds(time: Duration) -> String {
    format!("{}.{:09}", time.as_secs(), time.subsec_nanos())
}
