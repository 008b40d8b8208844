//! `pose`.

use crate::tensors::{WHOLE, close, description, edges, floats, found, refused, seen};

const DECODE: &str = "kind = \"pose\"\nscore_threshold = 0.4\nmax_detections = 1\npoints = [\"nose\", \"hand\", \"foot\"]";

#[test]
fn a_person_is_what_its_points_make() {
    // y, x, score.
    let points = [0.2, 0.5, 0.9, 0.4, 0.3, 0.6, 0.9, 0.9, 0.1f32];
    let tensor = floats(&[1, 1, 3, 3], &points);
    let description = description([192, 192], DECODE, &["???", "Person"]);
    let (detections, found_points) = found(&description, &[&tensor], [0.0, 0.0, 1.0, 0.5]);
    assert_eq!(seen(&detections), [(1, 0.53)]);
    // The foot is not seen well enough to count for the box.
    close(&edges(&detections[0]), &[0.3, 0.1, 0.5, 0.2], 1e-6);
    close(&[found_points[2].x, found_points[2].y], &[0.9, 0.45], 1e-6);
    assert_eq!(found_points.len(), 3);
}

#[test]
fn nobody_has_no_points() {
    let tensor = floats(&[1, 1, 3, 3], &[0.2; 9]);
    let description = description([192, 192], DECODE, &["???", "Person"]);
    assert_eq!(found(&description, &[&tensor], WHOLE), (vec![], vec![]));
}

#[test]
fn numbers_that_differ_are_both_named() {
    let tensor = floats(&[1, 1, 17, 3], &[0.2; 51]);
    let description = description([192, 192], DECODE, &["???", "Person"]);
    assert_eq!(
        refused(&description, &[&tensor]),
        "model.toml: decode.points has 3 names, the model has 17 key points"
    );
}
