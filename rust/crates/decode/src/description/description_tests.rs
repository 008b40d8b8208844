use super::*;

const MODEL: &str = r#"
[model]
name = "ssd-mobilenet-v2-oidv4"
description = "Finds 23 kinds of objects."
licence = "Apache-2.0"
task = "detect"

[input]
size = [300, 300]
range = [-1.0, 1.0]

[decode]
kind = "ssd"
score_threshold = 0.3
nms_iou = 0.5
max_detections = 50
score = "sigmoid"
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

fn parse(text: &str) -> Result<ModelDescription, ModelError> {
    ModelDescription::parse("model.toml", text)
}

fn error(text: &str) -> String {
    parse(text).unwrap_err().to_string()
}

/// A description with this `[input]` or `[decode]`.
fn with(input: &str, decode: &str) -> String {
    format!("[model]\nname = \"n\"\ntask = \"detect\"\n[input]\n{input}\n[decode]\n{decode}\n")
}

const INPUT: &str = "size = [8, 8]\nrange = [0.0, 1.0]";
const SCORING: &str = "score_threshold = 0.3\nmax_detections = 5\n";

#[test]
fn the_sample_is_read() {
    let description = parse(MODEL).unwrap();
    let image = description.input.image().unwrap();
    assert_eq!((image.size, image.channels), ([300, 300], 3));
    assert_eq!((image.fit, image.order), (Fit::Stretch, ChannelOrder::Rgb));
    let Decode::Ssd(scoring, suppression, ssd) = description.decode else {
        panic!("kind = \"ssd\"");
    };
    assert_eq!((scoring.max_detections, suppression.nms_iou), (50, 0.5));
    assert_eq!((ssd.boxes, ssd.background), (None, true));
    assert_eq!(ssd.anchors.strides[5], 512);
}

#[test]
fn a_wrong_key_is_named_with_its_place() {
    for (from, to, expected) in [
        (
            "nms_iou = 0.5",
            "nms_iuo = 0.5",
            "15:1: unknown field `nms_iuo`",
        ),
        (
            "layers = 6",
            "layers = \"6\"",
            "21:10: invalid type: string",
        ),
        (
            "max_detections = 50",
            "max_detections = -1",
            "16:18: invalid value",
        ),
        (
            "kind = \"ssd\"",
            "kind = \"sdd\"",
            "13:8: unknown variant `sdd`",
        ),
        ("size =", "sise =", "9:1: unknown field `sise`"),
        ("[decode]", "[decoder]", "20:2: missing field `kind`"),
        ("[model]", "[mudel]", "1:1: missing field `model`"),
        (
            "[input]",
            "speed = 1\n[input]",
            "8:1: unknown field `speed`",
        ),
        (
            "[input]",
            "[[input]]",
            "8:1: invalid type: array, expected a table",
        ),
        (
            "[decode]\n",
            "[decode]\npoints = []\n",
            "13:1: unknown field `points`",
        ),
        ("name = \"", "name = ", "3:8"),
    ] {
        let text = MODEL.replace(from, to);
        assert_ne!(text, MODEL);
        let error = error(&text);
        assert!(
            error.starts_with(&format!("model.toml:{expected}")),
            "{error}"
        );
    }
    let error = error(&format!("{MODEL}[gilded]\n"));
    assert!(
        error.starts_with("model.toml:28:2: unknown field `gilded`"),
        "{error}"
    );
}

#[test]
fn values_out_of_range_are_refused() {
    for (from, to, key) in [
        ("size = [300, 300]", "size = [0, 300]", "input.size"),
        ("range = [-1.0, 1.0]", "range = [1.0, -1.0]", "input.range"),
        ("range = [-1.0, 1.0]", "", "input: either"),
        ("range = [-1.0, 1.0]", "mean = [0.5]", "input: either"),
        (
            "range = [-1.0, 1.0]",
            "mean = [0.5, 0.5]\nstd = [0.5]",
            "input.mean",
        ),
        (
            "range = [-1.0, 1.0]",
            "mean = [0.5]\nstd = [0.5, 0.0, 0.5]",
            "input.std",
        ),
        ("[300, 300]", "[300, 300]\nchannels = 2", "input.channels"),
        ("= 0.3\n", "= nan\n", "decode.score_threshold"),
        (
            "= 0.3\n",
            "= 0.3\nthresholds = { A = 2.0 }\n",
            "decode.thresholds",
        ),
        (
            "= 0.3\n",
            "= 0.3\ncalibration = { a = 0.0 }\n",
            "decode.calibration",
        ),
        ("nms_iou = 0.5", "nms_iou = 1.5", "decode.nms_iou"),
        (
            "nms_iou = 0.5",
            "nms_iou = 0.5\nmax_candidates = 0",
            "decode.max_candidates",
        ),
        (
            "max_detections = 50",
            "max_detections = 0",
            "decode.max_detections",
        ),
        ("\"sigmoid\"", "\"softmax\"", "decode.score"),
        (
            "box_scale = [10.0,",
            "box_scale = [0.0,",
            "decode.box_scale",
        ),
        ("layers = 6", "layers = 5", "decode.anchors: `layers`"),
        ("strides = [16,", "strides = [0,", "decode.anchors.strides"),
        (
            "scale_min = 0.2",
            "scale_min = -0.2",
            "decode.anchors: scale_min",
        ),
        ("0.3333]", "inf]", "decode.anchors.aspect_ratios"),
    ] {
        let text = MODEL.replace(from, to);
        assert_ne!(text, MODEL);
        let error = error(&text);
        assert!(error.starts_with(&format!("model.toml: {key}")), "{error}");
    }
}

#[test]
fn every_kind_is_read() {
    let nms = format!("{SCORING}nms_iou = 0.5");
    for (kind, keys) in [
        ("classify", format!("{SCORING}score = \"softmax\"")),
        ("ssd-postprocessed", format!("{SCORING}count = 2")),
        ("yolov5", format!("{nms}\ncoordinates = \"pixels\"")),
        ("yolov8", format!("{nms}\npoints = [\"nose\"]")),
        ("yolo-end2end", SCORING.to_owned()),
        ("blazeface", format!("{nms}\nweighted = false")),
        ("pose", format!("{SCORING}points = [\"nose\"]")),
        ("segment", "background = false".to_owned()),
        ("anomaly", "mean = 0.1\nstd = 0.2".to_owned()),
        ("score", "mean_of = 5".to_owned()),
    ] {
        let text = with(INPUT, &format!("kind = \"{kind}\"\n{keys}"));
        let description = parse(&text).unwrap_or_else(|error| panic!("{kind}: {error}"));
        let name = format!("{:?}", description.decode).to_lowercase();
        assert!(name.starts_with(&kind.replace('-', "")), "{name}");
    }
    let text = with(INPUT, "score_threshold = 0.1");
    assert!(error(&text).starts_with("model.toml:7:1: missing field `kind`"));
}

#[test]
fn keys_of_other_kinds_are_refused() {
    for (kind, keys, unknown) in [
        ("classify", "nms_iou = 0.5", "nms_iou"),
        ("segment", "score_threshold = 0.5", "score_threshold"),
        ("yolov5", "nms_iou = 0.5\npoints = []", "points"),
        ("anomaly", "mean_of = 1", "mean_of"),
    ] {
        let scoring = if matches!(kind, "classify" | "yolov5") {
            SCORING
        } else {
            ""
        };
        let text = with(INPUT, &format!("kind = \"{kind}\"\n{scoring}{keys}"));
        let error = error(&text);
        assert!(
            error.contains(&format!("unknown field `{unknown}`")),
            "{error}"
        );
    }
}

#[test]
fn values_of_other_kinds_out_of_range_are_refused() {
    for (kind, keys, key) in [
        ("pose", format!("{SCORING}points = []"), "decode.points"),
        (
            "pose",
            format!("{SCORING}points = [\"a\"]\npoint_threshold = 2.0"),
            "decode.point_threshold",
        ),
        (
            "yolov8",
            format!("{SCORING}nms_iou = 0.5\npoints = [\"\"]"),
            "decode.points",
        ),
        ("anomaly", "std = 0.0".into(), "decode.std"),
        ("score", "mean_of = 0".into(), "decode.mean_of"),
    ] {
        let error = error(&with(INPUT, &format!("kind = \"{kind}\"\n{keys}")));
        assert!(error.starts_with(&format!("model.toml: {key}")), "{error}");
    }
}

#[test]
fn pixels_become_real_numbers() {
    let image = |keys: &str| {
        let text = with(&format!("size = [8, 8]\n{keys}"), "kind = \"segment\"");
        parse(&text)
            .unwrap()
            .input
            .image()
            .unwrap()
            .scale_and_offset()
    };
    let close = |found: [f32; 3], expected: [f32; 3]| {
        for (found, expected) in found.into_iter().zip(expected) {
            assert!((found - expected).abs() < 1e-6, "{found} {expected}");
        }
    };
    let (scale, offset) = image("range = [-1.0, 1.0]");
    close(scale, [2.0 / 255.0; 3]);
    close(offset, [-1.0; 3]);
    let (scale, offset) = image("mean = [0.5, 0.25, 0.0]\nstd = [0.5]");
    close(scale, [2.0 / 255.0; 3]);
    close(offset, [-1.0, -0.5, 0.0]);
}

#[test]
fn samples_are_an_input_too() {
    let samples = "kind = \"samples\"\nsamples = 256\nrate_hz = 1600.0\n";
    let text = with(
        &format!("{samples}feature = \"log-spectrum\""),
        "kind = \"anomaly\"",
    );
    let ModelInput::Samples(input) = parse(&text).unwrap().input else {
        panic!("kind = \"samples\"");
    };
    assert_eq!((input.samples, input.channels, input.hop), (256, 1, None));
    assert_eq!((input.mean, input.std), (vec![0.0], vec![1.0]));
    for (keys, key) in [
        ("hop = 257", "input.hop"),
        ("hop = 0", "input.hop"),
        ("channels = 17", "input.channels"),
        ("std = [-1.0]", "input.std"),
        ("channels = 3\nmean = [1.0, 1.0]", "input.mean"),
    ] {
        let error = error(&with(&format!("{samples}{keys}"), "kind = \"anomaly\""));
        assert!(error.starts_with(&format!("model.toml: {key}")), "{error}");
    }
    let odd = "kind = \"samples\"\nsamples = 250\nrate_hz = 9.0\nfeature = \"log-spectrum\"";
    assert!(error(&with(odd, "kind = \"anomaly\"")).contains("power of two"));
    let image = error(&with(
        &format!("{samples}size = [1, 1]"),
        "kind = \"anomaly\"",
    ));
    assert!(image.contains("unknown field `size`"), "{image}");
}

#[test]
fn labels_are_lines() {
    assert_eq!(
        labels("l", "???\nPerson\r\nCoffee cup\n").unwrap(),
        ["???", "Person", "Coffee cup"]
    );
    assert!(
        labels("l", "???\n\nPerson\n")
            .unwrap_err()
            .to_string()
            .contains("line 2 is empty")
    );
    assert!(labels("l", "").is_err());
}

#[test]
fn a_missing_directory_is_named() {
    let error = ModelDescription::load(Path::new("/nonexistent"))
        .unwrap_err()
        .to_string();
    assert!(error.starts_with("/nonexistent/model.toml: "), "{error}");
}
