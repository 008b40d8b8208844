//! `ssd` and `ssd-postprocessed`.

use crate::tensors::{
    Tensor, WHOLE, close, decoder, description, edges, floats, found, refused, run, seen, tensor,
};
use edgeai_decode::{DecodeError, Element, ModelDescription};

const CLASSES: usize = 3;
const COUNT: usize = 1917;

const SSD: &str = r#"
kind = "ssd"
score_threshold = 0.3
nms_iou = 0.5
max_detections = 50
box_scale = [10.0, 10.0, 5.0, 5.0]
[decode.anchors]
layers = 6
scale_min = 0.2
scale_max = 0.95
aspect_ratios = [1.0, 2.0, 0.5, 3.0, 0.3333]
strides = [16, 32, 64, 128, 256, 512]
reduce_lowest = true
interpolated = true
"#;

fn ssd() -> ModelDescription {
    description([300, 300], SSD, &["???", "Person", "Mug"])
}

/// All logits far below the threshold but the few that a test sets.
struct Frame {
    element: Element,
    boxes: Vec<f32>,
    logits: Vec<f32>,
}

impl Frame {
    fn new(element: Element) -> Self {
        Self {
            element,
            boxes: vec![0.0; COUNT * 4],
            logits: vec![-5.0; COUNT * CLASSES],
        }
    }

    fn see(mut self, anchor: usize, class: usize, score: f32) -> Self {
        self.logits[anchor * CLASSES + class] = (score / (1.0 - score)).ln();
        self
    }

    fn offsets(mut self, anchor: usize, offsets: [f32; 4]) -> Self {
        self.boxes[anchor * 4..][..4].copy_from_slice(&offsets);
        self
    }

    fn tensors(&self) -> [Tensor; 2] {
        [
            tensor(self.element, &[1, COUNT, 4], &self.boxes, 0.1),
            tensor(self.element, &[1, COUNT, CLASSES], &self.logits, 0.05),
        ]
    }

    fn decode(&self) -> Vec<edgeai_decode::Detection> {
        let [boxes, logits] = self.tensors();
        found(&ssd(), &[&boxes, &logits], WHOLE).0
    }
}

#[test]
fn a_box_is_decoded_from_every_element_type() {
    // Anchor 1911: centre 0.5, 0.95 square. A fifth of it to the right, half as high, a quarter
    // as wide.
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
        assert_eq!(detections[0].class, 1);
        assert!((detections[0].score - 0.8).abs() < 0.01, "{element:?}");
        let x = 0.5 + 0.2 * 0.95;
        let expected = [
            x - 0.95 / 8.0,
            0.5 - 0.95 / 4.0,
            x + 0.95 / 8.0,
            0.5 + 0.95 / 4.0,
        ];
        close(&edges(&detections[0]), &expected, tolerance);
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
fn classes_have_their_own_thresholds_and_scores_are_calibrated() {
    let [boxes, logits] = Frame::new(Element::I8)
        .see(0, 1, 0.6)
        .see(600, 1, 0.8)
        .see(900, 2, 0.6)
        .tensors();
    let run = |keys: &str| {
        let decode = SSD.replace("box_scale", &format!("{keys}\nbox_scale"));
        let description = description([300, 300], &decode, &["???", "Person", "Mug"]);
        seen(&found(&description, &[&boxes, &logits], WHOLE).0)
    };
    assert_eq!(run("thresholds = { Person = 0.7 }"), [(1, 0.8), (2, 0.6)]);
    // logit(0.8) = 1.386, σ(1.386 / 2) = 0.667; logit(0.6) = 0.405, σ(0.405 / 2) = 0.55.
    assert_eq!(
        run("calibration = { a = 0.5 }"),
        [(1, 0.67), (1, 0.55), (2, 0.55)]
    );
    assert_eq!(
        run("calibration = { a = 0.5 }\nthresholds = { Person = 0.66 }"),
        [(1, 0.67), (2, 0.55)]
    );
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
    let agnostic = SSD.replace("box_scale", "class_agnostic = true\nbox_scale");
    let description = description([300, 300], &agnostic, &["???", "Person", "Mug"]);
    let [boxes, logits] = frame.tensors();
    let (detections, _) = found(&description, &[&boxes, &logits], WHOLE);
    assert_eq!(seen(&detections), [(1, 0.7), (1, 0.4)]);
}

#[test]
fn everything_passing_is_bounded_and_sorted() {
    let mut frame = Frame::new(Element::I8);
    frame.logits.fill(2.0);
    frame.logits[1000 * CLASSES + 2] = 3.0;
    let detections = frame.decode();
    assert_eq!(detections.len(), 50);
    assert_eq!(detections[0].class, 2);
    assert!(detections.is_sorted_by(|a, b| a.score >= b.score));
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
    close(&edges(&detections[0]), &WHOLE, 0.0);
}

#[test]
fn boxes_are_of_the_frame_not_of_the_input() {
    let [boxes, logits] = Frame::new(Element::F32)
        .see(1911, 1, 0.8)
        .offsets(1911, [0.0, 0.0, 5.0 * 0.5f32.ln(), 5.0 * 0.5f32.ln()])
        .tensors();
    let at = |region| edges(&found(&ssd(), &[&boxes, &logits], region).0[0]);
    let half = 0.95 / 4.0;
    // The right half of the frame; and a letterbox, the frame's upper and lower edge at 1/4, 3/4.
    close(
        &at([0.5, 0.0, 0.5, 1.0]),
        &[0.75 - half / 2.0, 0.5 - half, 0.75 + half / 2.0, 0.5 + half],
        1e-6,
    );
    close(
        &at([0.0, -0.5, 1.0, 2.0]),
        &[0.5 - half, 0.5 - 2.0 * half, 0.5 + half, 0.5 + 2.0 * half],
        1e-6,
    );
    // Nothing of it lies in the frame.
    let gone = found(&ssd(), &[&boxes, &logits], [0.0, -1.0, 1.0, 1.0]).0;
    assert_eq!(gone, []);
}

#[test]
fn a_decoder_is_reusable_and_refuses_other_lengths() {
    let [boxes, mut logits] = Frame::new(Element::F32).see(7, 1, 0.9).tensors();
    let mut decoder = decoder(&ssd(), &[&boxes, &logits]).unwrap();
    let first = run(&mut decoder, &[&boxes, &logits], WHOLE)
        .unwrap()
        .detections
        .to_vec();
    let again = run(&mut decoder, &[&boxes, &logits], WHOLE).unwrap();
    assert_eq!(again.detections, first);
    logits.bytes.pop();
    assert_eq!(
        run(&mut decoder, &[&boxes, &logits], WHOLE),
        Err(DecodeError::Length {
            index: 1,
            needed: COUNT * 12,
            found: COUNT * 12 - 1
        })
    );
    assert!(matches!(
        run(&mut decoder, &[&boxes], WHOLE),
        Err(DecodeError::Length { index: 1, .. })
    ));
}

#[test]
fn outputs_are_found_by_shape_or_by_index() {
    let [boxes, logits] = Frame::new(Element::F32).tensors();
    assert!(decoder(&ssd(), &[&logits, &boxes]).is_ok());
    let error = refused(&ssd(), &[&boxes]);
    assert!(
        error.contains("decode.logits: expected an output"),
        "{error}"
    );

    // Three classes and the background: both shapes are alike, only the description can tell.
    let labels = ["???", "Person", "Mug", "Cup"];
    let with = |keys: &str| {
        let decode = SSD.replace("box_scale", &format!("{keys}\nbox_scale"));
        description([300, 300], &decode, &labels)
    };
    let alike = [&boxes, &boxes];
    let error = refused(&with(""), &alike);
    assert!(error.contains("which output has the boxes"), "{error}");
    assert!(error.contains("[1, 1917, 4]"), "{error}");
    assert!(decoder(&with("boxes = 1"), &alike).is_ok());
    assert!(decoder(&with("boxes = 1\nlogits = 1"), &alike).is_err());
    let error = refused(&with("boxes = 1\nlogits = 9"), &alike);
    assert!(error.contains("decode.logits = 9"), "{error}");
}

#[test]
fn numbers_that_differ_are_both_named() {
    let [boxes, logits] = Frame::new(Element::F32).tensors();
    let outputs = [&boxes, &logits];
    assert_eq!(
        refused(&description([300, 300], SSD, &["???", "Person"]), &outputs),
        "labels.txt: 2 lines, expected 3: the model has 3 classes (background included)"
    );
    let foreground = SSD.replace("box_scale", "background = false\nbox_scale");
    assert_eq!(
        refused(
            &description([300, 300], &foreground, &["???", "Person", "Mug"]),
            &outputs
        ),
        "labels.txt: 3 lines, expected 4: the model has 3 classes, and line 1 stands for none of them"
    );
    let fewer = SSD.replace("interpolated = true", "interpolated = false");
    assert_eq!(
        refused(
            &description([300, 300], &fewer, &["???", "Person", "Mug"]),
            &outputs
        ),
        "model.toml: [decode.anchors] and the input size make 1778 anchors, the model has 1917 boxes"
    );
    let mut unscaled = logits.clone();
    unscaled.spec.element = Element::I8;
    unscaled.spec.scale = 0.0;
    let error = refused(&ssd(), &[&boxes, &unscaled]);
    assert!(error.contains("quantisation scale 0"), "{error}");
}

const POSTPROCESSED: &str = r#"
kind = "ssd-postprocessed"
score_threshold = 0.5
max_detections = 2
"#;

fn postprocessed(order: [usize; 4]) -> [Tensor; 4] {
    let tensors = [
        // y_min, x_min, y_max, x_max.
        floats(
            &[1, 4, 4],
            &[
                0.1, 0.2, 0.3, 0.4, 0.5, 0.5, 0.9, 0.8, 0.0, 0.0, 1.5, 0.5, 0.1, 0.1, 0.2, 0.2,
            ],
        ),
        floats(&[1, 4], &[1.0, 0.0, 1.0, 0.0]),
        floats(&[1, 4], &[0.6, 0.9, 0.7, 0.99]),
        floats(&[1], &[3.0]),
    ];
    order.map(|index| tensors[index].clone())
}

#[test]
fn the_operators_four_outputs_are_read() {
    let labels = ["???", "Person", "Mug"];
    let tensors = postprocessed([0, 1, 2, 3]);
    let description = self::description([300, 300], POSTPROCESSED, &labels);
    // The fourth is beyond the count; of the three the best two.
    let (detections, _) = found(&description, &tensors.each_ref(), WHOLE);
    assert_eq!(seen(&detections), [(1, 0.9), (2, 0.7)]);
    close(&edges(&detections[0]), &[0.5, 0.5, 0.8, 0.9], 0.0);
    close(&edges(&detections[1]), &[0.0, 0.0, 0.5, 1.0], 0.0);

    // TensorFlow 2 exports them in another order.
    let turned = postprocessed([2, 0, 3, 1]);
    let keys = format!("{POSTPROCESSED}scores = 0\nboxes = 1\ncount = 2\nclasses = 3");
    let described = self::description([300, 300], &keys, &labels);
    assert_eq!(found(&described, &turned.each_ref(), WHOLE).0, detections);
    let error = refused(&description, &turned.each_ref());
    assert!(error.contains("decode.boxes = 0, expected"), "{error}");

    // A class without a label is an error, not a detection.
    let few = self::description([300, 300], POSTPROCESSED, &labels[..2]);
    let mut decoder = decoder(&few, &tensors.each_ref()).unwrap();
    assert_eq!(
        run(&mut decoder, &tensors.each_ref(), WHOLE)
            .unwrap_err()
            .to_string(),
        "labels.txt: 2 lines, but the model reports class 1"
    );
}
