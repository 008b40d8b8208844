//! Results of a numpy reference; `reference/make.py` makes them.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the reference's numbers are of the types they are cast to"
)]

use edgeai_decode::{Decoder, Element, ModelDescription, TensorSpec, Tensors};
use serde_json::Value;
use std::path::Path;

/// Of scores and of edges: the reference reckons in 64 bits.
const TOLERANCE: f64 = 2e-5;

fn numbers(value: &Value) -> Vec<f64> {
    let list = value.as_array().expect("a list");
    list.iter()
        .map(|number| number.as_f64().expect("a number"))
        .collect()
}

fn tensor(value: &Value) -> (TensorSpec, Vec<u8>) {
    let data = numbers(&value["data"]).into_iter();
    let (element, bytes) = match value["element"].as_str() {
        Some("f32") => (
            Element::F32,
            data.flat_map(|number| (number as f32).to_ne_bytes())
                .collect(),
        ),
        Some("i8") => (
            Element::I8,
            data.map(|number| (number as i8).cast_unsigned()).collect(),
        ),
        Some("u8") => (Element::U8, data.map(|number| number as u8).collect()),
        other => panic!("element {other:?}"),
    };
    let spec = TensorSpec {
        shape: numbers(&value["shape"])
            .into_iter()
            .map(|side| side as usize)
            .collect(),
        element,
        scale: value["scale"].as_f64().unwrap_or_default() as f32,
        zero_point: value["zero_point"].as_i64().unwrap_or_default() as i32,
    };
    (spec, bytes)
}

fn compare(name: &str, case: &Value) {
    let text = format!(
        "[model]\nname = \"n\"\ntask = \"detect\"\n[input]\nsize = {}\nrange = [0.0, 1.0]\n[decode]\n{}",
        case["size"],
        case["decode"].as_str().expect("text")
    );
    let mut description = ModelDescription::parse(name, &text).unwrap();
    let labels = case["labels"].as_array().expect("a list").iter();
    description.labels = labels
        .map(|label| label.as_str().expect("text").to_owned())
        .collect();
    let (specs, bytes): (Vec<_>, Vec<_>) = case["outputs"]
        .as_array()
        .expect("a list")
        .iter()
        .map(tensor)
        .unzip();
    let mut decoder = Decoder::new(&description, &[], &specs).unwrap();
    let names = decoder.names().clone();
    let outputs: Vec<&[u8]> = bytes.iter().map(|bytes| &bytes[..]).collect();
    let tensors = Tensors {
        inputs: &[],
        outputs: &outputs,
    };
    let region: Vec<_> = numbers(&case["region"])
        .into_iter()
        .map(|n| n as f32)
        .collect();
    let region = region.try_into().expect("four numbers");
    let findings = decoder.decode(&tensors, region).unwrap();

    let expected = case["detections"].as_array().expect("a list");
    assert_eq!(findings.detections.len(), expected.len(), "{name}");
    let close = |found: &[f32], expected: &[f64]| {
        assert_eq!(found.len(), expected.len(), "{name}");
        for (&found, expected) in found.iter().zip(expected) {
            let apart = (f64::from(found) - expected).abs();
            assert!(apart < TOLERANCE, "{name}: {found} not {expected}");
        }
    };
    for (found, expected) in findings.detections.iter().zip(expected) {
        assert_eq!(
            u64::from(found.class),
            expected["class"].as_u64().unwrap(),
            "{name}"
        );
        close(&[found.score], &[expected["score"].as_f64().unwrap()]);
        let edges = [found.x_min, found.y_min, found.x_max, found.y_max];
        close(&edges, &numbers(&expected["box"]));
        let points = expected["points"].as_array().expect("a list");
        let found = findings.points_of(found, &names);
        assert_eq!(found.len(), points.len(), "{name}");
        for (found, expected) in found.iter().zip(points) {
            close(&[found.x, found.y, found.score], &numbers(expected));
        }
    }
}

#[test]
fn the_reference_finds_the_same() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference");
    let mut cases = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path
            .extension()
            .is_some_and(|extension| extension == "json")
        {
            let text = std::fs::read_to_string(&path).unwrap();
            let case = serde_json::from_str(&text).expect("JSON");
            compare(&path.display().to_string(), &case);
            cases += 1;
        }
    }
    assert_eq!(cases, 13);
}

#[test]
fn the_descriptions_of_our_models_are_read() {
    let folder =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../meta-edgeai/recipes-ml/edgeai-models");
    let mut models = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path().join("model.toml");
        if let Ok(text) = std::fs::read_to_string(&path) {
            ModelDescription::parse(&path.display().to_string(), &text).unwrap();
            models += 1;
        }
    }
    assert!(models > 0);
}
