//! The same tensors give the same findings and tracks, bit for bit, on every machine: the sums
//! here were made on x86-64 and hold on aarch64.

use edgeai_config::Track;
use edgeai_decode::{Decoder, Element, Findings, ModelDescription, TensorSpec, Tensors, Tracker};
use std::time::Duration;

const NMS: &str = "score_threshold = 0.3\nmax_detections = 50\nnms_iou = 0.4\n";
const ANCHORS: &str = "[decode.anchors]\nlayers = 2\nscale_min = 0.2\nscale_max = 0.9\naspect_ratios = [1.0, 2.0, 0.3333]\nstrides = [8, 16]\ninterpolated = true\n";

/// FNV-1a.
struct Sum(u64);

impl Sum {
    fn add(&mut self, bits: u32) {
        for byte in bits.to_le_bytes() {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn findings(&mut self, findings: &Findings<'_>) {
        for found in findings.detections {
            self.add(u32::from(found.class));
            for number in [
                found.score,
                found.x_min,
                found.y_min,
                found.x_max,
                found.y_max,
            ] {
                self.add(number.to_bits());
            }
        }
        for point in findings.points {
            for number in [point.x, point.y, point.score] {
                self.add(number.to_bits());
            }
        }
        for value in findings.values {
            self.add(value.to_bits());
        }
    }
}

/// Kind, keys, labels, shapes of the outputs.
fn kinds() -> Vec<(&'static str, String, usize, Vec<Vec<usize>>)> {
    let scoring = "score_threshold = 0.05\nmax_detections = 9\n";
    vec![
        (
            "classify",
            format!("{scoring}score = \"softmax\"\ncalibration = {{ a = 0.8, b = 1.0 }}"),
            41,
            vec![vec![1, 40]],
        ),
        (
            "ssd",
            format!("{NMS}box_scale = [10.0, 10.0, 5.0, 5.0]\n{ANCHORS}"),
            6,
            vec![vec![1, 320, 4], vec![1, 320, 6]],
        ),
        (
            "yolov8",
            format!("{NMS}score = \"sigmoid\"\npoints = [\"a\"]"),
            4,
            vec![vec![1, 10, 400]],
        ),
        ("yolov5", NMS.into(), 5, vec![vec![1, 400, 9]]),
        (
            "blazeface",
            format!("{NMS}points = [\"a\"]\n{ANCHORS}"),
            2,
            vec![vec![1, 320, 6], vec![1, 320, 1]],
        ),
        ("anomaly", "std = 0.3".into(), 2, vec![vec![1, 333]]),
        (
            "score",
            "score = \"softmax\"\nmean_of = 3".into(),
            8,
            vec![vec![1, 7]],
        ),
    ]
}

fn sum(kind: &str, keys: &str, labels: usize, shapes: &[Vec<usize>], element: Element) -> u64 {
    let text = format!(
        "[model]\nname = \"n\"\ntask = \"detect\"\n[input]\nsize = [64, 64]\nrange = [0.0, 1.0]\n[decode]\nkind = \"{kind}\"\n{keys}\n"
    );
    let mut description = ModelDescription::parse("model.toml", &text).unwrap();
    description.labels = (0..labels).map(|label| label.to_string()).collect();
    let specs: Vec<_> = (shapes.iter())
        .map(|shape| TensorSpec {
            shape: shape.clone(),
            element,
            scale: 0.021,
            zero_point: 40,
        })
        .collect();
    let inputs = [TensorSpec {
        element: Element::I8,
        ..specs[0].clone()
    }];
    let mut decoder = Decoder::new(&description, &inputs, &specs).unwrap();
    let mut tracker = Tracker::new(&Track {
        confirm_frames: 1,
        ..Track::default()
    });
    let mut state = 1u64;
    let mut random = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33).to_le_bytes()
    };
    let mut found = 0;
    let mut sum = Sum(0xcbf2_9ce4_8422_2325);
    for frame in 0..5 {
        let tensors: Vec<Vec<u8>> = (shapes.iter())
            .map(|shape| {
                let count = shape.iter().product::<usize>();
                match element {
                    // −1 to 3.
                    Element::F32 => (0..count)
                        .flat_map(|_| {
                            let [a, b, ..] = random();
                            (f32::from(u16::from_le_bytes([a, b])) / 16384.0 - 1.0).to_ne_bytes()
                        })
                        .collect(),
                    _ => (0..count).map(|_| random()[0]).collect(),
                }
            })
            .collect();
        let input = vec![30; shapes[0].iter().product()];
        let outputs: Vec<&[u8]> = tensors.iter().map(|tensor| &tensor[..]).collect();
        let tensors = Tensors {
            inputs: &[&input],
            outputs: &outputs,
        };
        let findings = decoder.decode(&tensors, [0.1, -0.2, 0.8, 1.4]).unwrap();
        let mut detections = findings.detections.to_vec();
        found += detections.len() + findings.values.len();
        sum.findings(&findings);
        tracker.update(Duration::from_millis(33 * frame), &mut detections);
        for found in &detections {
            sum.add(found.track);
        }
    }
    assert!(found > 4, "{kind}: {found}");
    sum.0
}

#[test]
fn the_sums_are_those_of_every_machine() {
    let mut sums = Vec::new();
    for (kind, keys, labels, shapes) in kinds() {
        for element in [Element::F32, Element::I8] {
            let sum = sum(kind, &keys, labels, &shapes, element);
            sums.push(format!("{kind} {element:?} {sum:016x}"));
        }
    }
    assert_eq!(sums, EXPECTED);
}

const EXPECTED: [&str; 14] = [
    "classify F32 78c22c91fa3d7159",
    "classify I8 71cb0922e3d7b2e3",
    "ssd F32 be8757f2a5ebdbd0",
    "ssd I8 58970558bb7428e9",
    "yolov8 F32 d9c7d941a67cebd7",
    "yolov8 I8 9d67a9d9b9892c18",
    "yolov5 F32 205ce4fb9c2358b1",
    "yolov5 I8 2714f8c41e8acdbf",
    "blazeface F32 2fc1dfcc8a810366",
    "blazeface I8 4b338e3795a24719",
    "anomaly F32 ffb963ff848bea49",
    "anomaly I8 a563f401a0eea3ed",
    "score F32 59706e9e248d1ec2",
    "score I8 56ccb18bbc3070e9",
];
