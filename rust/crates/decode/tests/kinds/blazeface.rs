//! `blazeface`.

use crate::tensors::{
    Tensor, WHOLE, close, decoder, description, edges, floats, found, refused, run, seen,
};

const N: usize = 896;

fn tensors(faces: &[(usize, f32, [f32; 8])]) -> [Tensor; 2] {
    let mut regressors = vec![0.0; N * 8];
    let mut logits = vec![-10.0; N];
    for (anchor, score, numbers) in faces {
        regressors[anchor * 8..][..8].copy_from_slice(numbers);
        logits[*anchor] = (score / (1.0 - score)).ln();
    }
    [floats(&[1, N, 8], &regressors), floats(&[1, N, 1], &logits)]
}

const DECODE: &str = r#"
kind = "blazeface"
score_threshold = 0.5
nms_iou = 0.3
max_detections = 10
points = ["right eye", "left eye"]
"#;

/// Two faces' worth of anchors: 512 and 518 are the first anchors of neighbouring cells, 1/16 of
/// 8 cells apart; see `MediaPipe`'s generator.
fn faces() -> [Tensor; 2] {
    tensors(&[
        // Of the centre at 0.5/8, half the input wide: 128 pixels are the input.
        (512, 0.9, [56.0, 56.0, 64.0, 64.0, 40.0, 40.0, 72.0, 40.0]),
        // One cell to the right, so that 16 pixels less give the same face; 8 pixels lower.
        (518, 0.6, [40.0, 64.0, 64.0, 64.0, 24.0, 48.0, 56.0, 48.0]),
    ])
}

#[test]
fn overlapping_faces_are_averaged() {
    let description = description([128, 128], DECODE, &["???", "Face"]);
    let tensors = faces();
    let mut decoder = decoder(&description, &tensors.each_ref()).unwrap();
    let names = decoder.names().clone();
    let findings = run(&mut decoder, &tensors.each_ref(), WHOLE).unwrap();
    assert_eq!(seen(findings.detections), [(1, 0.9)]);
    // Centre at 0.0625 + 56 / 128 = 0.5; the other lies 8 / 128 lower and weighs 0.6 of 1.5.
    let down = 8.0 / 128.0 * 0.4;
    close(
        &edges(&findings.detections[0]),
        &[0.25, 0.25 + down, 0.75, 0.75 + down],
        1e-6,
    );
    let points = findings.points_of(&findings.detections[0], &names);
    close(&[points[0].x, points[1].x], &[0.375, 0.625], 1e-6);
    close(&[points[0].y, points[1].y], &[0.375 + down; 2], 1e-6);
    close(&[points[0].score], &[0.9], 1e-6);
}

#[test]
fn or_the_best_stays_as_it_is() {
    let decode = format!("{DECODE}weighted = false");
    let description = description([128, 128], &decode, &["???", "Face"]);
    let (detections, points) = found(&description, &faces().each_ref(), WHOLE);
    assert_eq!(seen(&detections), [(1, 0.9)]);
    close(&edges(&detections[0]), &[0.25, 0.25, 0.75, 0.75], 1e-6);
    close(&[points[1].x, points[1].y], &[0.625, 0.375], 1e-6);
}

#[test]
fn faces_apart_keep_their_own_points() {
    let tensors = tensors(&[
        (0, 0.7, [0.0, 0.0, 8.0, 8.0, 1.0, 2.0, 3.0, 4.0]),
        (895, 0.8, [0.0, 0.0, 8.0, 8.0, -1.0, -2.0, -3.0, -4.0]),
    ]);
    for decode in [DECODE.to_owned(), format!("{DECODE}weighted = false")] {
        let description = description([128, 128], &decode, &["???", "Face"]);
        let mut decoder = decoder(&description, &tensors.each_ref()).unwrap();
        let names = decoder.names().clone();
        let findings = run(&mut decoder, &tensors.each_ref(), WHOLE).unwrap();
        assert_eq!(seen(findings.detections), [(1, 0.8), (1, 0.7)]);
        let first = |index: usize| findings.points_of(&findings.detections[index], &names)[0].x;
        close(&[first(0)], &[0.9375 - 1.0 / 128.0], 1e-6);
        close(&[first(1)], &[0.5 / 16.0 + 1.0 / 128.0], 1e-6);
    }
}

#[test]
fn numbers_that_differ_are_both_named() {
    let tensors = faces();
    let one = DECODE.replace(", \"left eye\"", "");
    assert_eq!(
        refused(
            &description([128, 128], &one, &["???", "Face"]),
            &tensors.each_ref()
        ),
        "model.toml: decode.points has 1 names, the model has 2 key points"
    );
    let error = refused(
        &description([96, 96], DECODE, &["???", "Face"]),
        &tensors.each_ref(),
    );
    assert!(error.contains("504 anchors, the model has 896"), "{error}");
    let error = refused(
        &description([128, 128], DECODE, &["???", "a", "b"]),
        &tensors.each_ref(),
    );
    assert!(error.contains("labels.txt: 3 lines, expected 2"), "{error}");
}
