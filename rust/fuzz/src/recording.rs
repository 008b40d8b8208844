//! Any bytes as a recording: records, then an end or the place where it breaks off. What models remembered
//! is taken up, or refused, and they go on with it.

#![no_main]

use edgeai_config::Track;
use edgeai_decode::{
    Decoder, Detection, Element, Memory, ModelDescription, TensorSpec, Tensors, Tracker, recall,
};
use edgeai_recording::{Reader, Record};
use std::time::Duration;

const MODEL: &str = r#"
model = { name = "scores", task = "classify" }
input = { size = [8, 8], range = [0.0, 1.0] }
decode = { kind = KIND }
"#;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok(mut reader) = Reader::new(data) else {
        return;
    };
    let mut position = reader.position();
    while let Ok(Some(record)) = reader.record() {
        assert!(reader.position() > position, "a record has bytes");
        position = reader.position();
        if let Record::Memory(memory) = record {
            let score = r#""score", mean_of = 3"#;
            go_on(&mut decoder(score), None, &memory.bytes);
            let classify = r#""classify", score_threshold = 0.5, max_detections = 1"#;
            let mut tracker = Tracker::new(&Track::default());
            go_on(&mut decoder(classify), Some(&mut tracker), &memory.bytes);
        }
    }
    assert!(position <= data.len() as u64);
});

/// Of a model with two classes.
fn decoder(kind: &str) -> Decoder {
    let text = MODEL.replace("KIND", kind);
    let mut description = ModelDescription::parse("model.toml", &text).unwrap();
    description.labels = ["???", "yes", "no"].map(String::from).to_vec();
    let output = TensorSpec {
        shape: vec![1, 2],
        element: Element::U8,
        scale: 1.0,
        zero_point: 0,
    };
    Decoder::new(&description, &[], &[output]).unwrap()
}

fn go_on(decoder: &mut Decoder, mut tracker: Option<&mut Tracker>, memory: &[u8]) {
    let recalled = recall(decoder, tracker.as_deref_mut(), memory).is_ok();
    let mut saved = Vec::new();
    Memory::new(decoder, tracker.as_deref()).save(&mut saved);
    assert!(!recalled || saved == memory, "it is remembered as it was");
    let tensors = Tensors {
        inputs: &[],
        outputs: &[&[1, 0]],
    };
    decoder.decode(&tensors, [0.0, 0.0, 1.0, 1.0]).unwrap();
    let seen = Detection {
        class: 1,
        score: 1.0,
        x_min: 0.25,
        y_min: 0.25,
        x_max: 0.5,
        y_max: 0.5,
        track: 0,
        points: 0,
    };
    for seconds in [0, 1, u64::MAX] {
        if let Some(tracker) = &mut tracker {
            tracker.update(Duration::from_secs(seconds), &mut [seen; 3]);
        }
    }
}
