//! Rules and what they observe, at random.

use edgeai_config::{Appliance, Level, Rule, Statistic, When};
use edgeai_decode::{Detection, Findings, Names};
use edgeai_rules::{Observation, Rules};
use proptest::prelude::*;
use std::time::Duration;

const BASE: &str = r#"
camera = { device = "/dev/video0", size = [640, 480] }
model = { file = "m", track = {} }
deadline = { frame_to_action_ms = 100 }
input = [{ name = "door", line = "door" }, { name = "key", line = "key" }]
sensor = [{ name = "s", kind = "iio", device = "d", rate_hz = 1, channel = [{ name = "x", source = "x" }, { name = "y", source = "y" }] }]
output = [{ name = "stop", line = "stop", safe = "high" }, { name = "lamp", line = "lamp", safe = "low" }]
"#;

pub fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

pub fn appliance(rules: &[Rule]) -> Appliance {
    let mut appliance = edgeai_config::parse("base", BASE).unwrap();
    appliance.rules = rules.to_vec();
    appliance
}

pub fn rules_for(rules: &[Rule]) -> Rules {
    let names = Names {
        labels: ["???", "Person", "Cat"].map(str::to_owned).to_vec(),
        points: Vec::new(),
        values: vec!["anomaly".into()],
    };
    Rules::new(&appliance(rules), &[names]).unwrap()
}

fn class() -> impl Strategy<Value = String> {
    prop_oneof![Just("Person".to_owned()), Just("Cat".to_owned())]
}

fn input() -> impl Strategy<Value = When> {
    (any::<bool>(), any::<bool>()).prop_map(|(key, high)| When {
        input: Some(if key { "key" } else { "door" }.into()),
        level: Some(if high { Level::High } else { Level::Low }),
        ..When::default()
    })
}

fn sensor() -> impl Strategy<Value = When> {
    (any::<bool>(), any::<bool>(), -1.0..1.0).prop_map(|(y, above, limit)| When {
        value: Some(if y { "s.y" } else { "s.x" }.into()),
        above: above.then_some(limit),
        below: (!above).then_some(limit),
        ..When::default()
    })
}

fn leaf() -> impl Strategy<Value = When> {
    let zone = proptest::option::of(Just(vec![[0.0, 0.0], [0.5, 0.0], [0.5, 1.0], [0.0, 1.0]]));
    let detection = (class(), 1..4_u32, zone).prop_map(|(class, count, zone)| When {
        class: Some(class),
        score: Some(0.5),
        hysteresis: 0.2,
        zone,
        count: Some(count),
        ..When::default()
    });
    let crossing = proptest::option::of(class()).prop_map(|class| When {
        class,
        crosses: Some([[0.5, 0.0], [0.5, 0.7]]),
        ..When::default()
    });
    let window = (sensor(), 5..50_u32).prop_map(|(when, over)| When {
        over_ms: Some(over),
        statistic: Some(Statistic::Mean),
        hysteresis: 0.25,
        ..when
    });
    let value = any::<bool>().prop_map(|above| When {
        value: Some("model.anomaly".into()),
        above: above.then_some(0.5),
        below: (!above).then_some(0.5),
        hysteresis: 0.1,
        ..When::default()
    });
    prop_oneof![detection, crossing, window, value, input(), sensor()]
}

fn combined(
    leaf: impl Strategy<Value = When> + 'static,
    for_ms: impl Strategy<Value = u32> + Clone + 'static,
) -> impl Strategy<Value = When> {
    leaf.prop_recursive(3, 12, 3, move |inner| {
        let many = proptest::collection::vec(inner.clone(), 1..4);
        let all = many.clone().prop_map(|all| When {
            all: Some(all),
            ..When::default()
        });
        let any = many.prop_map(|any| When {
            any: Some(any),
            ..When::default()
        });
        let not = inner.prop_map(|not| When {
            not: Some(Box::new(not)),
            ..When::default()
        });
        (prop_oneof![all, any, not], for_ms.clone())
            .prop_map(|(when, for_ms)| When { for_ms, ..when })
    })
}

/// Any condition but times of day.
pub fn condition() -> impl Strategy<Value = When> {
    let for_ms = prop_oneof![Just(0), 1..30_u32];
    let leaf = (leaf(), for_ms.clone()).prop_map(|(when, for_ms)| When { for_ms, ..when });
    combined(leaf, for_ms)
}

/// A condition that remembers nothing.
pub fn stateless() -> impl Strategy<Value = When> {
    combined(prop_oneof![input(), sensor()], Just(0))
}

/// A change, and how many ms it happens after the one before.
#[derive(Debug, Clone)]
pub struct Event {
    pub after: u64,
    pub change: Change,
}

#[derive(Debug, Clone)]
pub enum Change {
    Result(Vec<Detection>, f32),
    Lost,
    Inputs(Vec<Level>),
    Sample(usize, Option<f64>),
}

fn detection() -> impl Strategy<Value = Detection> {
    (1..3_u16, 0.2_f32..0.9, 0..9_u8, 0..9_u8, 0..4_u32).prop_map(|(class, score, x, y, track)| {
        let [x, y] = [x, y].map(|eighth| f32::from(eighth) / 8.0);
        Detection {
            class,
            score,
            x_min: x,
            x_max: x,
            y_min: y,
            y_max: y,
            track,
            points: 0,
        }
    })
}

pub fn events() -> impl Strategy<Value = Vec<Event>> {
    let level = prop_oneof![Just(Level::High), Just(Level::Low)];
    let detections = proptest::collection::vec(detection(), 0..5);
    let sample = proptest::option::weighted(0.9, -2.0..2.0);
    let change = prop_oneof![
        8 => (detections, 0.0_f32..1.0).prop_map(|(seen, value)| Change::Result(seen, value)),
        1 => Just(Change::Lost),
        3 => proptest::collection::vec(level, 0..=2).prop_map(Change::Inputs),
        6 => (0..2_usize, sample).prop_map(|(channel, value)| Change::Sample(channel, value)),
    ];
    let event = (0..25_u64, change).prop_map(|(after, change)| Event { after, change });
    proptest::collection::vec(event, 1..40)
}

/// What is to be seen.
#[derive(Debug, Default)]
pub struct Scene {
    findings: [Findings<'static>; 1],
    lost: u32,
    inputs: Vec<Level>,
    sensors: [Option<f64>; 2],
}

impl Scene {
    pub fn change(&mut self, change: &Change) {
        match change {
            Change::Result(detections, value) => {
                // Leaked, so that a scene need not borrow from itself.
                self.findings[0].detections = detections.clone().leak();
                self.findings[0].values = vec![*value].leak();
                self.lost = 0;
            }
            Change::Lost => self.lost = 1,
            Change::Inputs(levels) => self.inputs.clone_from(levels),
            Change::Sample(channel, value) => self.sensors[*channel] = *value,
        }
    }

    /// At a time at which nothing happens.
    pub fn unchanged(&self, time: u64) -> Observation<'_> {
        Observation {
            now: ms(time),
            models: &self.findings,
            lost: self.lost,
            inputs: &self.inputs,
            sensors: &self.sensors,
            ..Observation::default()
        }
    }

    /// At the time of a change.
    pub fn changed(&self, time: u64, change: &Change) -> Observation<'_> {
        Observation {
            fresh: u32::from(matches!(change, Change::Result(..))),
            sensors_fresh: match change {
                Change::Sample(channel, _) => 1 << channel,
                _ => 0,
            },
            ..self.unchanged(time)
        }
    }
}
