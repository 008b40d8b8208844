//! Synthetic tensors: all logits far below the threshold but the few that a test sets.

use super::*;
use crate::description::tests::MODEL;

const CLASSES: usize = 3;
const COUNT: usize = 1917;

/// Logit of a score, times 1.
fn logit(score: f32) -> f32 {
    (score / (1.0 - score)).ln()
}

struct Frame {
    element: Element,
    boxes: Vec<f32>,
    logits: Vec<f32>,
}

const BOX_SCALE: f32 = 0.1;
const LOGIT_SCALE: f32 = 0.05;

impl Frame {
    fn new(element: Element) -> Self {
        Self {
            element,
            boxes: vec![0.0; COUNT * 4],
            logits: vec![-5.0; COUNT * CLASSES],
        }
    }

    fn see(mut self, anchor: usize, class: usize, score: f32) -> Self {
        self.logits[anchor * CLASSES + class] = logit(score);
        self
    }

    fn offsets(mut self, anchor: usize, offsets: [f32; 4]) -> Self {
        self.boxes[anchor * 4..][..4].copy_from_slice(&offsets);
        self
    }

    fn bytes(&self, reals: &[f32], scale: f32) -> Vec<u8> {
        #[expect(clippy::cast_possible_truncation, reason = "small")]
        let quantised = |zero: f32| reals.iter().map(move |real| (real / scale + zero) as i32);
        match self.element {
            Element::F32 => reals.iter().flat_map(|real| real.to_ne_bytes()).collect(),
            Element::I8 => quantised(10.0)
                .map(|i| i8::try_from(i).unwrap().cast_unsigned())
                .collect(),
            Element::U8 => quantised(138.0).map(|i| u8::try_from(i).unwrap()).collect(),
        }
    }

    fn specs(&self) -> [OutputSpec; 2] {
        let zero_point = if self.element == Element::I8 { 10 } else { 138 };
        [(4, BOX_SCALE), (CLASSES, LOGIT_SCALE)].map(|(last, scale)| OutputSpec {
            shape: vec![1, COUNT, last],
            element: self.element,
            scale,
            zero_point,
        })
    }

    fn decode(&self) -> Vec<Detection> {
        let mut decoder = SsdDecoder::new(&description(), &self.specs()).unwrap();
        let boxes = self.bytes(&self.boxes, BOX_SCALE);
        let logits = self.bytes(&self.logits, LOGIT_SCALE);
        decoder.decode(&[&boxes, &logits]).unwrap().to_vec()
    }
}

fn description() -> ModelDescription {
    let mut description = ModelDescription::parse("model.toml", MODEL).unwrap();
    description.labels = ["???", "Person", "Mug"].map(str::to_owned).to_vec();
    description
}

fn seen(detections: &[Detection]) -> Vec<(u16, f32)> {
    detections
        .iter()
        .map(|seen| (seen.class, (seen.score * 100.0).round() / 100.0))
        .collect()
}

#[test]
fn a_box_is_decoded_from_every_element_type() {
    // Anchor 1911: centre 0.5, 0.95 square. Half a box to the right, half as high, as wide.
    for (element, tolerance) in [
        (Element::F32, 1e-6),
        (Element::I8, 0.02),
        (Element::U8, 0.02),
    ] {
        let frame = Frame::new(element)
            .see(1911, 1, 0.8)
            .offsets(1911, [0.0, 2.0, 5.0 * 0.5f32.ln(), 5.0 * 0.25f32.ln()]);
        let detections = frame.decode();
        assert_eq!(detections.len(), 1, "{element:?}");
        let found = detections[0];
        assert_eq!(found.class, 1);
        assert!(
            (found.score - 0.8).abs() < 0.01,
            "{element:?}: {}",
            found.score
        );
        let x = 0.5 + 0.2 * 0.95;
        for (found, expected) in [
            (found.x_min, x - 0.95 / 8.0),
            (found.x_max, x + 0.95 / 8.0),
            (found.y_min, 0.5 - 0.95 / 4.0),
            (found.y_max, 0.5 + 0.95 / 4.0),
        ] {
            assert!(
                (found - expected).abs() <= tolerance,
                "{element:?}: {found} not {expected}"
            );
        }
    }
}

#[test]
fn the_threshold_and_the_background_hold() {
    let frame = Frame::new(Element::F32)
        .see(0, 1, 0.29)
        .see(600, 2, 0.31)
        .see(900, 0, 0.99);
    assert_eq!(seen(&frame.decode()), [(2, 0.31)]);
}

#[test]
fn the_better_of_two_overlapping_boxes_of_a_class_stays() {
    // 1911 and 1916 are nearly the same square; 0 is far away.
    let frame = Frame::new(Element::F32)
        .see(1911, 1, 0.6)
        .see(1916, 1, 0.7)
        .see(1911, 2, 0.65)
        .see(0, 1, 0.4);
    assert_eq!(seen(&frame.decode()), [(1, 0.7), (2, 0.65), (1, 0.4)]);
}

#[test]
fn everything_passing_is_bounded_and_sorted() {
    let mut frame = Frame::new(Element::I8);
    frame.logits.fill(2.0);
    frame.logits[1000 * CLASSES + 2] = 3.0;
    let mut decoder = SsdDecoder::new(&description(), &frame.specs()).unwrap();
    let boxes = frame.bytes(&frame.boxes, BOX_SCALE);
    let logits = frame.bytes(&frame.logits, LOGIT_SCALE);
    let detections = decoder.decode(&[&boxes, &logits]).unwrap();
    assert_eq!(detections.len(), 50);
    assert_eq!(detections[0].class, 2);
    assert!(detections.is_sorted_by(|a, b| a.score >= b.score));
    assert_eq!(decoder.candidates.len(), MAX_CANDIDATES);
}

#[test]
fn boxes_that_are_no_boxes_are_dropped() {
    let frame = Frame::new(Element::F32)
        .see(3, 1, 0.9)
        .offsets(3, [f32::NAN, 0.0, 0.0, 0.0])
        .see(600, 1, 0.9)
        .offsets(600, [1e9, 0.0, 0.0, 0.0])
        .see(900, 1, 0.8)
        .offsets(900, [0.0, 0.0, 1e9, 1e9]);
    let detections = frame.decode();
    assert_eq!(seen(&detections), [(1, 0.8)]);
    assert_eq!((detections[0].x_min, detections[0].y_max), (0.0, 1.0));
}

#[test]
fn a_decoder_is_reusable_and_refuses_other_lengths() {
    let frame = Frame::new(Element::F32).see(7, 1, 0.9);
    let mut decoder = SsdDecoder::new(&description(), &frame.specs()).unwrap();
    let (boxes, logits) = (
        frame.bytes(&frame.boxes, 1.0),
        frame.bytes(&frame.logits, 1.0),
    );
    let first = decoder.decode(&[&boxes, &logits]).unwrap().to_vec();
    assert_eq!(decoder.decode(&[&boxes, &logits]).unwrap(), first);
    assert_eq!(
        decoder.decode(&[&boxes, &logits[1..]]),
        Err(DecodeError::Length {
            index: 1,
            needed: COUNT * 12,
            found: COUNT * 12 - 1
        })
    );
    assert!(matches!(
        decoder.decode(&[&boxes]),
        Err(DecodeError::Length { index: 1, .. })
    ));
}

#[test]
fn outputs_are_found_by_shape_or_by_index() {
    let frame = Frame::new(Element::F32);
    let [boxes, logits] = frame.specs();
    let new = |description: &ModelDescription, outputs: &[OutputSpec]| {
        SsdDecoder::new(description, outputs)
            .map(|decoder| (decoder.boxes.index, decoder.logits.index))
    };
    let mut description = description();
    assert_eq!(
        new(&description, &[logits.clone(), boxes.clone()]),
        Ok((1, 0))
    );
    let error = new(&description, std::slice::from_ref(&boxes))
        .unwrap_err()
        .to_string();
    assert!(error.contains("which output has the logits"), "{error}");

    // Three classes and the background: both shapes are alike, only the description can tell.
    description.labels.push("Cup".to_owned());
    let alike = [boxes.clone(), boxes.clone()];
    assert!(
        new(&description, &alike)
            .unwrap_err()
            .to_string()
            .contains("[1, 1917, 4]")
    );
    description.decode.boxes = Some(1);
    assert_eq!(new(&description, &alike), Ok((1, 0)));
    description.decode.logits = Some(1);
    assert!(new(&description, &alike).is_err());
    description.decode.logits = Some(9);
    assert!(
        new(&description, &alike)
            .unwrap_err()
            .to_string()
            .contains("decode.logits = 9")
    );
}

#[test]
fn numbers_that_differ_are_both_named() {
    let [boxes, logits] = Frame::new(Element::F32).specs();
    let outputs = [boxes, logits];
    let mut wrong = description();
    wrong.labels.pop();
    let error = SsdDecoder::new(&wrong, &outputs).err().unwrap().to_string();
    assert_eq!(
        error,
        "labels.txt: 2 labels, the model has 3 classes (background included)"
    );
    let mut wrong = description();
    wrong.decode.anchors.interpolated = false;
    assert_eq!(
        SsdDecoder::new(&wrong, &outputs).err(),
        Some(DecodeError::Anchors {
            anchors: 1917 - 139,
            boxes: 1917
        })
    );
}
