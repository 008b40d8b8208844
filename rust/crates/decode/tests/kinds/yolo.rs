//! `yolov5`, `yolov8` and `yolo-end2end`.

use crate::tensors::{
    Tensor, WHOLE, close, decoder, description, edges, floats, found, refused, run, seen, tensor,
};
use edgeai_decode::{Element, Point};

const LABELS: [&str; 4] = ["???", "Person", "Mug", "Cup"];
const NMS: &str = "score_threshold = 0.3\nnms_iou = 0.5\nmax_detections = 20\n";

/// Anchors of four channels, three classes; as `[channels, N]` or `[N, channels]`.
fn v8(element: Element, last: bool, unit: f32) -> Tensor {
    const N: usize = 300;
    let mut values = vec![0.0; 7 * N];
    let at = |anchor: usize, channel: usize| {
        if last {
            anchor * 7 + channel
        } else {
            channel * N + anchor
        }
    };
    for (anchor, values_of) in [
        (2, [0.25, 0.5, 0.2, 0.4, 0.1, 0.8, 0.4]),
        // Hidden by the first, but of another class.
        (3, [0.25, 0.5, 0.2, 0.4, 0.9, 0.1, 0.1]),
        // Hidden by the first.
        (290, [0.26, 0.5, 0.2, 0.4, 0.1, 0.7, 0.1]),
        // Fails.
        (299, [0.75, 0.5, 0.2, 0.4, 0.2, 0.25, 0.1]),
    ] {
        for (channel, value) in values_of.into_iter().enumerate() {
            let unit = if channel < 4 { unit } else { 1.0 };
            values[at(anchor, channel)] = value * unit;
        }
    }
    let shape = if last { [1, N, 7] } else { [1, 7, N] };
    tensor(element, &shape, &values, 0.0085)
}

#[test]
fn yolov8_in_both_layouts_and_every_element_type() {
    let decode = format!("kind = \"yolov8\"\n{NMS}");
    let description = description([640, 640], &decode, &LABELS);
    for (element, tolerance) in [
        (Element::F32, 1e-6),
        (Element::I8, 0.01),
        (Element::U8, 0.01),
    ] {
        for last in [false, true] {
            let tensor = v8(element, last, 1.0);
            let (detections, points) = found(&description, &[&tensor], WHOLE);
            assert_eq!(points, []);
            let classes: Vec<_> = detections.iter().map(|found| found.class).collect();
            assert_eq!(classes, [1, 2], "{element:?} {last}");
            close(&[detections[1].score], &[0.8], tolerance);
            close(&edges(&detections[1]), &[0.15, 0.3, 0.35, 0.7], tolerance);
        }
    }
}

#[test]
fn pixels_are_divided_by_the_inputs_sides() {
    let decode = format!("kind = \"yolov8\"\ncoordinates = \"pixels\"\n{NMS}");
    let description = description([320, 640], &decode, &LABELS);
    let mut tensor = v8(Element::F32, true, 1.0);
    // Anchor 2, in pixels.
    for (channel, value) in [80.0f32, 320.0, 64.0, 256.0].into_iter().enumerate() {
        tensor.bytes[(2 * 7 + channel) * 4..][..4].copy_from_slice(&value.to_ne_bytes());
    }
    let (detections, _) = found(&description, &[&tensor], WHOLE);
    let mug = detections.iter().find(|found| found.class == 2).unwrap();
    close(&edges(mug), &[0.15, 0.3, 0.35, 0.7], 1e-6);
}

#[test]
fn the_best_class_that_passes_its_own_threshold_is_reported() {
    let decode = format!("kind = \"yolov8\"\n{NMS}thresholds = {{ Mug = 0.9 }}");
    let description = description([640, 640], &decode, &LABELS);
    let (detections, _) = found(&description, &[&v8(Element::F32, false, 1.0)], WHOLE);
    // Anchor 2 is a mug by 0.8, and a cup by 0.4.
    assert_eq!(seen(&detections), [(1, 0.9), (3, 0.4)]);
}

#[test]
fn boxes_and_scores_may_be_two_outputs() {
    let both = v8(Element::F32, false, 1.0);
    let (boxes, scores) = both.bytes.split_at(4 * 300 * 4);
    let part = |bytes: &[u8], channels| Tensor {
        spec: edgeai_decode::TensorSpec {
            shape: vec![1, channels, 300],
            ..both.spec.clone()
        },
        bytes: bytes.to_vec(),
    };
    let (boxes, scores) = (part(boxes, 4), part(scores, 3));
    let description = description([640, 640], &format!("kind = \"yolov8\"\n{NMS}"), &LABELS);
    let (one, _) = found(&description, &[&both], WHOLE);
    assert_eq!(found(&description, &[&boxes, &scores], WHOLE).0, one);
    assert_eq!(found(&description, &[&scores, &boxes], WHOLE).0, one);
}

#[test]
fn yolov8_finds_key_points() {
    const N: usize = 2;
    // Four of the box, one class, two points of x, y, score.
    let mut values = vec![0.0; 11 * N];
    let person = [0.5, 0.5, 0.5, 1.0, 0.9, 0.4, 0.3, 0.8, 0.6, 0.7, 0.2];
    for (channel, value) in person.into_iter().enumerate() {
        values[channel * N + 1] = value;
    }
    let decode = format!("kind = \"yolov8\"\n{NMS}points = [\"nose\", \"hand\"]");
    let description = self::description([640, 640], &decode, &["???", "Person"]);
    let tensor = floats(&[1, 11, N], &values);
    let mut decoder = decoder(&description, &[&tensor]).unwrap();
    let names = decoder.names().clone();
    assert_eq!(names.points, ["nose", "hand"]);
    // The lower half of the frame.
    let findings = run(&mut decoder, &[&tensor], [0.0, 0.5, 1.0, 0.5]).unwrap();
    assert_eq!(seen(findings.detections), [(1, 0.9)]);
    let points = findings.points_of(&findings.detections[0], &names);
    let expected = [[0.4, 0.65, 0.8], [0.6, 0.85, 0.2]];
    for (&Point { x, y, score }, expected) in points.iter().zip(expected) {
        close(&[x, y, score], &expected, 1e-6);
    }
    assert_eq!(points.len(), 2);
}

#[test]
fn numbers_that_differ_are_both_named() {
    let tensor = v8(Element::F32, false, 1.0);
    let decode = format!("kind = \"yolov8\"\n{NMS}");
    assert_eq!(
        refused(&description([640, 640], &decode, &LABELS[..2]), &[&tensor]),
        "labels.txt: 2 lines, expected 4: the model has 3 classes, and line 1 stands for none of them"
    );
    let decode = format!("kind = \"yolov5\"\n{NMS}");
    assert_eq!(
        refused(&description([640, 640], &decode, &LABELS[..2]), &[&v5()]),
        "labels.txt: 2 lines, expected 4: the model has 3 classes, and line 1 stands for none of them"
    );
    let flat = floats(&[1, 8], &[0.0; 8]);
    let error = refused(&description([640, 640], &decode, &LABELS), &[&flat]);
    assert!(
        error.contains("expected an output of shape [1, N, 5 + C]"),
        "{error}"
    );
    assert!(error.contains("[[1, 8]]"), "{error}");
}

/// Four of the box, objectness, three classes.
fn v5() -> Tensor {
    let rows = [
        [0.25, 0.5, 0.2, 0.4, 0.9, 0.1, 0.8, 0.2],
        [0.75, 0.5, 0.2, 0.4, 0.5, 0.5, 0.1, 0.2],
        [0.75, 0.5, 0.2, 0.4, 0.5, 0.1, 0.1, 0.7],
        [0.5, 0.5, 0.2, 0.4, 0.1, 1.0, 1.0, 1.0],
    ];
    floats(&[1, 4, 8], rows.as_flattened())
}

#[test]
fn yolov5_multiplies_objectness_and_class() {
    let decode = format!("kind = \"yolov5\"\n{NMS}");
    let description = self::description([640, 640], &decode, &LABELS);
    let (detections, _) = found(&description, &[&v5()], WHOLE);
    assert_eq!(seen(&detections), [(2, 0.72), (3, 0.35)]);
    close(&edges(&detections[0]), &[0.15, 0.3, 0.35, 0.7], 1e-6);
    // A calibrated score can pass where the raw one does not: σ(logit(0.1) + 3) = 0.69.
    let decode = format!("{decode}calibration = {{ a = 1.0, b = 3.0 }}");
    let description = self::description([640, 640], &decode, &LABELS);
    let (detections, _) = found(&description, &[&v5()], WHOLE);
    assert_eq!(
        seen(&detections),
        [(2, 0.98), (3, 0.92), (1, 0.87), (1, 0.69)]
    );
}

#[test]
fn end_to_end_models_need_no_suppression() {
    let rows = [
        [64.0f32, 64.0, 320.0, 320.0, 0.9, 2.0],
        // The same again: the model means it.
        [64.0, 64.0, 320.0, 320.0, 0.8, 2.0],
        [0.0, 0.0, 64.0, 64.0, 0.2, 99.0],
    ];
    let tensor = floats(&[1, 3, 6], rows.as_flattened());
    let decode = "kind = \"yolo-end2end\"\nscore_threshold = 0.3\nmax_detections = 20\ncoordinates = \"pixels\"";
    let description = description([640, 640], decode, &LABELS);
    let (detections, _) = found(&description, &[&tensor], WHOLE);
    assert_eq!(seen(&detections), [(3, 0.9), (3, 0.8)]);
    close(&edges(&detections[0]), &[0.1, 0.1, 0.5, 0.5], 1e-6);
}
