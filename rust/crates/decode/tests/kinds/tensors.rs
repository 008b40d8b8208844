//! Tensors made by hand.

#![expect(
    clippy::cast_possible_truncation,
    reason = "whole numbers, written by hand"
)]

use edgeai_decode::{
    DecodeError, Decoder, Detection, Element, Findings, ModelDescription, Point, TensorSpec,
    Tensors,
};

pub const WHOLE: [f32; 4] = [0.0, 0.0, 1.0, 1.0];

/// A tensor of these real numbers.
#[derive(Clone)]
pub struct Tensor {
    pub spec: TensorSpec,
    pub bytes: Vec<u8>,
}

pub fn tensor(element: Element, shape: &[usize], values: &[f32], scale: f32) -> Tensor {
    let zero_point = match element {
        Element::I8 => 10,
        Element::U8 => 138,
        _ => 0,
    };
    let integers = values
        .iter()
        .map(|value| (value / scale).round() as i32 + zero_point);
    let bytes = match element {
        Element::F32 => values
            .iter()
            .flat_map(|value| value.to_ne_bytes())
            .collect(),
        Element::I8 => integers
            .map(|integer| i8::try_from(integer).unwrap().cast_unsigned())
            .collect(),
        Element::U8 => integers
            .map(|integer| u8::try_from(integer).unwrap())
            .collect(),
        Element::I32 => values
            .iter()
            .flat_map(|&value| (value as i32).to_ne_bytes())
            .collect(),
        Element::I64 => values
            .iter()
            .flat_map(|&value| (value as i64).to_ne_bytes())
            .collect(),
    };
    assert_eq!(shape.iter().product::<usize>(), values.len());
    Tensor {
        spec: TensorSpec {
            shape: shape.to_vec(),
            element,
            scale,
            zero_point,
        },
        bytes,
    }
}

pub fn floats(shape: &[usize], values: &[f32]) -> Tensor {
    tensor(Element::F32, shape, values, 0.0)
}

/// A description of an input of `size` with this `[decode]`.
pub fn description(size: [u32; 2], decode: &str, labels: &[&str]) -> ModelDescription {
    let text = format!(
        "[model]\nname = \"n\"\ntask = \"detect\"\n[input]\nsize = {size:?}\nrange = [0.0, 1.0]\n[decode]\n{decode}"
    );
    let mut description = ModelDescription::parse("model.toml", &text).unwrap();
    description.labels = labels.iter().map(|&label| label.to_owned()).collect();
    description
}

pub fn decoder(
    description: &ModelDescription,
    outputs: &[&Tensor],
) -> Result<Decoder, DecodeError> {
    Decoder::new(description, &[], &specs(outputs))
}

pub fn specs(tensors: &[&Tensor]) -> Vec<TensorSpec> {
    tensors.iter().map(|tensor| tensor.spec.clone()).collect()
}

/// What the decoder cannot be made of.
pub fn refused(description: &ModelDescription, outputs: &[&Tensor]) -> String {
    match decoder(description, outputs) {
        Ok(_) => panic!("{:?} are taken", specs(outputs)),
        Err(error) => error.to_string(),
    }
}

pub fn run<'a>(
    decoder: &'a mut Decoder,
    outputs: &[&Tensor],
    region: [f32; 4],
) -> Result<Findings<'a>, DecodeError> {
    let outputs: Vec<&[u8]> = outputs.iter().map(|tensor| &tensor.bytes[..]).collect();
    let tensors = Tensors {
        inputs: &[],
        outputs: &outputs,
    };
    decoder.decode(&tensors, region)
}

/// Detections and points of one run of a new decoder.
pub fn found(
    description: &ModelDescription,
    outputs: &[&Tensor],
    region: [f32; 4],
) -> (Vec<Detection>, Vec<Point>) {
    let mut decoder = decoder(description, outputs).unwrap();
    let findings = run(&mut decoder, outputs, region).unwrap();
    (findings.detections.to_vec(), findings.points.to_vec())
}

/// Classes and scores in hundredths.
pub fn seen(detections: &[Detection]) -> Vec<(u16, f32)> {
    detections
        .iter()
        .map(|seen| (seen.class, (seen.score * 100.0).round() / 100.0))
        .collect()
}

pub fn edges(detection: &Detection) -> [f32; 4] {
    [
        detection.x_min,
        detection.y_min,
        detection.x_max,
        detection.y_max,
    ]
}

#[track_caller]
pub fn close(found: &[f32], expected: &[f32], tolerance: f32) {
    assert_eq!(found.len(), expected.len());
    for (a, b) in found.iter().zip(expected) {
        assert!((a - b).abs() <= tolerance, "{found:?} not {expected:?}");
    }
}
