//! `classify`, `segment`, `anomaly` and `score`: what is said of the whole frame or window.

use crate::tensors::{
    Tensor, WHOLE, close, decoder, description, edges, floats, found, refused, run, seen, specs,
    tensor,
};
use edgeai_decode::{Decoder, Element, Tensors};

const LABELS: [&str; 4] = ["???", "good", "scratch", "dent"];

#[test]
fn the_best_classes_are_reported() {
    let logits = [1.0, 3.0, 2.5, -1.0];
    let sum: f32 = logits.iter().map(|logit: &f32| logit.exp()).sum();
    let score = |class: usize| (logits[class].exp() / sum * 100.0).round() / 100.0;
    for (element, shape) in [
        (Element::F32, &[1, 4][..]),
        (Element::I8, &[1, 1, 1, 4]),
        (Element::U8, &[4]),
    ] {
        let tensor = tensor(element, shape, &logits, 0.05);
        let decode = "kind = \"classify\"\nscore = \"softmax\"\nbackground = true\nscore_threshold = 0.05\nmax_detections = 2";
        let (detections, _) = found(&description([8, 8], decode, &LABELS), &[&tensor], WHOLE);
        assert_eq!(seen(&detections), [(1, score(1)), (2, score(2))]);
        close(&edges(&detections[0]), &WHOLE, 0.0);
        // The background is none of them.
        let decode = decode.replace("= 2", "= 9");
        let (detections, _) = found(&description([8, 8], &decode, &LABELS), &[&tensor], WHOLE);
        let classes: Vec<_> = detections.iter().map(|found| found.class).collect();
        assert_eq!(classes, [1, 2]);
    }
}

#[test]
fn classes_without_background_begin_at_line_2() {
    let tensor = floats(&[1, 3], &[0.1, 0.7, 0.2]);
    let decode = "kind = \"classify\"\nscore_threshold = 0.15\nmax_detections = 5\nthresholds = { dent = 0.5 }";
    let description = self::description([8, 8], decode, &LABELS);
    assert_eq!(seen(&found(&description, &[&tensor], WHOLE).0), [(2, 0.7)]);
    let three = self::description([8, 8], decode, &LABELS[1..]);
    let error = refused(&three, &[&tensor]);
    assert!(
        error.starts_with("labels.txt: 3 lines, expected 4"),
        "{error}"
    );
}

fn values(decode: &str, labels: &[&str], tensor: &Tensor, region: [f32; 4]) -> Vec<f32> {
    let description = description([8, 8], decode, labels);
    let mut decoder = decoder(&description, &[tensor]).unwrap();
    let names = decoder.names().values.len();
    let values = run(&mut decoder, &[tensor], region)
        .unwrap()
        .values
        .to_vec();
    assert_eq!(values.len(), names);
    values
}

#[test]
fn areas_are_shares_of_the_frame() {
    // Four rows of two cells of three classes; the upper half is class 2, of the rest one cell
    // class 1.
    let class = [2u8, 2, 2, 2, 0, 1, 0, 0];
    let mut scores = vec![0.1; 24];
    for (cell, class) in class.iter().enumerate() {
        scores[cell * 3 + usize::from(*class)] = 0.9;
    }
    let decode = "kind = \"segment\"";
    let labels = &LABELS[..3];
    for element in [Element::F32, Element::I8, Element::U8] {
        let tensor = tensor(element, &[1, 4, 2, 3], &scores, 0.05);
        assert_eq!(values(decode, labels, &tensor, WHOLE), [0.375, 0.125, 0.5]);
        // A letterbox: only the rows in the middle show the frame.
        let letterbox = [0.0, -0.5, 1.0, 2.0];
        assert_eq!(
            values(decode, labels, &tensor, letterbox),
            [0.25, 0.25, 0.5]
        );
    }
    let numbers: Vec<f32> = class.iter().map(|&class| f32::from(class)).collect();
    for element in [Element::I32, Element::I64] {
        for shape in [&[1, 4, 2][..], &[1, 4, 2, 1]] {
            let tensor = tensor(element, shape, &numbers, 0.0);
            assert_eq!(values(decode, labels, &tensor, WHOLE), [0.375, 0.125, 0.5]);
        }
    }
    let foreground = "kind = \"segment\"\nbackground = false";
    let tensor = floats(&[1, 4, 2, 3], &scores);
    assert_eq!(
        values(foreground, &LABELS, &tensor, WHOLE),
        [0.375, 0.125, 0.5]
    );
}

#[test]
fn a_single_class_is_a_probability() {
    let tensor = floats(&[1, 2, 2, 1], &[0.2, 0.5, 0.9, 0.49]);
    assert_eq!(
        values("kind = \"segment\"", &LABELS[..2], &tensor, WHOLE),
        [0.5]
    );
}

#[test]
fn a_class_without_label_is_an_error() {
    for number in [4.0, -1.0] {
        let tensor = tensor(Element::I32, &[1, 1, 2], &[0.0, number], 0.0);
        let description = description([8, 8], "kind = \"segment\"", &LABELS);
        let mut decoder = decoder(&description, &[&tensor]).unwrap();
        let error = run(&mut decoder, &[&tensor], WHOLE)
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("labels.txt: 4 lines, but the model"),
            "{error}"
        );
    }
}

#[test]
fn an_anomaly_is_what_is_not_reproduced() {
    let input = tensor(Element::I8, &[1, 5], &[0.5, 1.0, -0.5, 0.0, 2.0], 0.05);
    let output = floats(&[1, 5, 1], &[0.5, 0.5, -0.5, 0.2, 2.0]);
    let error = (0.25 + 0.04) / 5.0;
    for (keys, expected) in [
        ("", error),
        ("mean = 0.018\nstd = 0.01", (error - 0.018) / 0.01),
    ] {
        let decode = format!("kind = \"anomaly\"\n{keys}");
        let description = description([8, 8], &decode, &["???", "wear"]);
        let mut decoder =
            Decoder::new(&description, &specs(&[&input]), &specs(&[&output])).unwrap();
        assert_eq!(decoder.names().values, ["wear"]);
        let tensors = Tensors {
            inputs: &[&input.bytes],
            outputs: &[&output.bytes],
        };
        close(
            decoder.decode(&tensors, WHOLE).unwrap().values,
            &[expected],
            1e-4,
        );
    }
    let description = description([8, 8], "kind = \"anomaly\"", &["???", "wear"]);
    let short = floats(&[1, 4], &[0.0; 4]);
    let error = Decoder::new(&description, &specs(&[&input]), &specs(&[&short]))
        .err()
        .unwrap()
        .to_string();
    assert!(
        error.contains("[1, 5]") && error.contains("[1, 4]"),
        "{error}"
    );
}

#[test]
fn a_score_is_the_mean_of_the_last() {
    let description = description([8, 8], "kind = \"score\"\nmean_of = 4", &["???", "hello"]);
    let mut decoder = self::decoder(&description, &[&floats(&[1, 1], &[0.0])]).unwrap();
    assert_eq!(decoder.names().values, ["hello"]);
    let mut hear = |score: f32| {
        let tensor = floats(&[1, 1], &[score]);
        run(&mut decoder, &[&tensor], WHOLE).unwrap().values[0]
    };
    let means = [
        hear(1.0),
        hear(1.0),
        hear(0.5),
        hear(0.5),
        hear(0.0),
        hear(0.0),
    ];
    close(&means, &[0.25, 0.5, 0.625, 0.75, 0.5, 0.25], 1e-6);
    decoder.reset();
    let tensor = floats(&[1, 1], &[1.0]);
    close(
        run(&mut decoder, &[&tensor], WHOLE).unwrap().values,
        &[0.25],
        1e-6,
    );
}

#[test]
fn a_classifier_of_states_gives_a_value_for_each() {
    let tensor = floats(&[1, 3], &[1.0, 1.0, 1.0]);
    let found = values(
        "kind = \"score\"\nscore = \"softmax\"",
        &LABELS,
        &tensor,
        WHOLE,
    );
    close(&found, &[1.0 / 3.0; 3], 1e-6);
}
