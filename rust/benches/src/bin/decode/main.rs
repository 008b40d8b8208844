//! Tensors into detections: ours and `EdgeFirst` HAL's decoder.
//!
//! All on one thread (`RAYON_NUM_THREADS=2` gives `EdgeFirst` two), from the same tensors, with the
//! same thresholds; how far the findings agree is printed first, so that nobody wins by doing less.
//!
//! `EdgeFirst` has no decoder for SSD's anchors. Its decoder for `ModelPack`, boxes and scores in two
//! tensors, stands in, twice: once with boxes and probabilities made beforehand (less work than
//! ours: no sigmoid, no e^x, no anchors, no background among the scores), once with the loops that
//! its user has to write to make them. Both report every class of an anchor above the threshold,
//! as ours; a third takes the boxes and only the best class of each anchor, and finds less.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "synthetic scenes are small"
)]

mod scene;

use edgeai_benches::{Contest, Peer, publish};
use edgeai_decode::{
    Decode, Decoder, Detection, Element, ModelDescription, TensorSpec, Tensors, anchors,
};
use edgefirst_decoder::configs::{self, DecoderType, QuantTuple};
use edgefirst_decoder::{DecoderBuilder, DetectBox, Nms};
use edgefirst_tensor::{Tensor, TensorDyn, TensorMapTrait, TensorTrait};
use scene::{anchor_box, objects, ssd, yolo};

const ROUNDS: u32 = 400;
const WHOLE: [f32; 4] = [0.0, 0.0, 1.0, 1.0];

/// The same for both.
const THRESHOLD: f32 = 0.25;
const IOU: f32 = 0.5;
const MOST: usize = 300;
const CANDIDATES: usize = 1000;

const YOLO: &str = r#"
[model]
name = "yolov8"
task = "detect"
[input]
size = [640, 640]
range = [0.0, 1.0]
[decode]
kind = "yolov8"
score_threshold = 0.25
nms_iou = 0.5
max_detections = 300
max_candidates = 1000
"#;

const SSD: &str = r#"
[model]
name = "ssd"
task = "detect"
[input]
size = [300, 300]
range = [-1.0, 1.0]
[decode]
kind = "ssd"
score_threshold = 0.25
nms_iou = 0.5
max_detections = 300
max_candidates = 1000
box_scale = [10.0, 10.0, 5.0, 5.0]
[decode.anchors]
layers = 6
strides = [16, 32, 64, 128, 256, 512]
scale_min = 0.2
scale_max = 0.95
aspect_ratios = [1.0, 2.0, 0.5, 3.0, 0.3333]
reduce_lowest = true
interpolated = true
"#;

/// A tensor for both sides.
struct Both {
    spec: TensorSpec,
    bytes: Vec<u8>,
    peer: TensorDyn,
    quantisation: Option<QuantTuple>,
}

impl Both {
    fn f32(values: &[f32], shape: &[usize]) -> Self {
        Self {
            spec: TensorSpec {
                shape: shape.to_vec(),
                element: Element::F32,
                scale: 0.0,
                zero_point: 0,
            },
            bytes: values
                .iter()
                .flat_map(|value| value.to_ne_bytes())
                .collect(),
            peer: TensorDyn::F32(Tensor::from_slice(values, shape).expect("shape fits")),
            quantisation: None,
        }
    }

    /// Quantised over the values' own range.
    fn i8(values: &[f32], shape: &[usize]) -> Self {
        let low = values.iter().copied().fold(0.0, f32::min);
        let high = values.iter().copied().fold(0.0, f32::max);
        let scale = (high - low) / 255.0;
        let zero_point = (-128.0 - low / scale).round() as i32;
        let integers: Vec<i8> = (values.iter())
            .map(|value| (value / scale).round() as i32 + zero_point)
            .map(|integer| integer.clamp(-128, 127) as i8)
            .collect();
        Self {
            spec: TensorSpec {
                shape: shape.to_vec(),
                element: Element::I8,
                scale,
                zero_point,
            },
            bytes: integers
                .iter()
                .map(|integer| integer.cast_unsigned())
                .collect(),
            peer: TensorDyn::I8(Tensor::from_slice(&integers, shape).expect("shape fits")),
            quantisation: Some(QuantTuple(scale, zero_point)),
        }
    }

    fn real(&self, index: usize) -> f32 {
        if self.spec.element == Element::F32 {
            let number = self.bytes.as_chunks().0.get(index);
            return number.map_or(0.0, |&bytes| f32::from_ne_bytes(bytes));
        }
        let integer = i32::from(self.bytes[index].cast_signed());
        self.spec.scale * (integer - self.spec.zero_point) as f32
    }

    fn new(signed: bool, values: &[f32], shape: &[usize]) -> Self {
        if signed {
            Self::i8(values, shape)
        } else {
            Self::f32(values, shape)
        }
    }
}

fn ours(text: &str, classes: usize, outputs: &[&Both]) -> (Decoder, Vec<Vec<u8>>) {
    let mut description = ModelDescription::parse("model.toml", text).expect("written here");
    description.labels = (0..=classes)
        .map(|class| format!("class {class}"))
        .collect();
    let specs: Vec<_> = outputs.iter().map(|output| output.spec.clone()).collect();
    let decoder = Decoder::new(&description, &[], &specs).expect("written here");
    (
        decoder,
        outputs.iter().map(|output| output.bytes.clone()).collect(),
    )
}

fn builder() -> DecoderBuilder {
    DecoderBuilder::default()
        .with_score_threshold(THRESHOLD)
        .with_iou_threshold(IOU)
        .with_nms(Some(Nms::ClassAware))
        .with_pre_nms_top_k(CANDIDATES)
        .with_max_det(MOST)
}

/// Runs both and says how far they agree; `further` peers take part too.
fn contest(
    case: &str,
    (mut decoder, bytes): (Decoder, Vec<Vec<u8>>),
    name: &'static str,
    peer: &edgefirst_decoder::Decoder,
    peer_tensors: &[&TensorDyn],
    further: Vec<Peer<'_>>,
) -> Contest {
    let outputs: Vec<&[u8]> = bytes.iter().map(|bytes| &bytes[..]).collect();
    let tensors = Tensors {
        inputs: &[],
        outputs: &outputs,
    };
    let found = decoder
        .decode(&tensors, WHOLE)
        .expect("lengths fit")
        .detections
        .to_vec();
    let (mut boxes, mut masks) = (Vec::with_capacity(MOST), Vec::new());
    (peer.decode(peer_tensors, &mut boxes, &mut masks)).expect("tensors fit");
    println!("{case}: {}", agreement(&found, &boxes));
    let mut peers = vec![
        Peer::new("edgeai", || {
            let findings = decoder.decode(&tensors, WHOLE).expect("lengths fit");
            std::hint::black_box(findings.detections.len());
        }),
        Peer::new(name, || {
            (peer.decode(peer_tensors, &mut boxes, &mut masks)).expect("tensors fit");
            std::hint::black_box(boxes.len());
        }),
    ];
    peers.extend(further);
    Contest::run(case, ROUNDS, peers)
}

fn agreement(ours: &[Detection], peers: &[DetectBox]) -> String {
    let matched = (ours.iter())
        .filter(|detection| {
            peers.iter().any(|peer| {
                let edges = [
                    peer.bbox.xmin,
                    peer.bbox.ymin,
                    peer.bbox.xmax,
                    peer.bbox.ymax,
                ];
                let [x_min, y_min, x_max, y_max] = edges.map(|edge| edge.clamp(0.0, 1.0));
                let other = Detection {
                    x_min,
                    y_min,
                    x_max,
                    y_max,
                    ..**detection
                };
                peer.label + 1 == usize::from(detection.class)
                    && (peer.score - detection.score).abs() < 0.02
                    && other.intersection_over_union(detection) > 0.9
            })
        })
        .count();
    format!(
        "edgeai finds {}, edgefirst-decoder {}, {matched} are the same",
        ours.len(),
        peers.len()
    )
}

fn yolo_contest(name: &str, count: usize, signed: bool) -> Contest {
    let output = Both::new(signed, &yolo(&objects(count, 80)), &[1, 84, 8400]);
    let peer = builder()
        .add_output(edgefirst_decoder::ConfigOutput::Detection(
            configs::Detection {
                decoder: DecoderType::Ultralytics,
                quantization: output.quantisation,
                shape: vec![1, 84, 8400],
                dshape: vec![],
                anchors: None,
                normalized: Some(true),
            },
        ))
        .build()
        .expect("written here");
    let ours = ours(YOLO, 80, &[&output]);
    contest(
        name,
        ours,
        "edgefirst-decoder",
        &peer,
        &[&output.peer],
        vec![],
    )
}

fn ssd_contest(name: &str, count: usize, signed: bool) -> Contest {
    const CLASSES: usize = 23;
    let description = ModelDescription::parse("model.toml", SSD).expect("written here");
    let Decode::Ssd(_, _, options) = &description.decode else {
        unreachable!("written here");
    };
    let anchors = anchors(&options.anchors, [300, 300]);
    let n = anchors.len();
    let tensors = ssd(&objects(count, CLASSES), &anchors, CLASSES);
    let offsets = Both::new(signed, &tensors.offsets, &[1, n, 4]);
    let logits = Both::new(signed, &tensors.logits, &[1, n, CLASSES + 1]);
    let boxes = Both::new(signed, &tensors.boxes, &[1, n, 1, 4]);
    let scores = Both::new(signed, &tensors.scores, &[1, n, CLASSES]);
    let peer = modelpack(&boxes, &scores, true);
    let best = modelpack(&boxes, &scores, false);
    // What EdgeFirst's user has to do first: floats for every anchor and class.
    let (whole_boxes, whole_scores) = (
        Both::f32(&tensors.boxes, &[1, n, 1, 4]),
        Both::f32(&tensors.scores, &[1, n, CLASSES]),
    );
    let whole = modelpack(&whole_boxes, &whole_scores, true);
    let (TensorDyn::F32(box_tensor), TensorDyn::F32(score_tensor)) =
        (&whole_boxes.peer, &whole_scores.peer)
    else {
        unreachable!("made of floats");
    };
    let (mut found, mut masks) = (Vec::with_capacity(MOST), Vec::new());
    let (mut fewer, mut no_masks) = (Vec::with_capacity(MOST), Vec::new());
    let best = Peer::new("boxes given, best class only", || {
        (best.decode(&[&boxes.peer, &scores.peer], &mut fewer, &mut no_masks))
            .expect("tensors fit");
        std::hint::black_box(fewer.len());
    });
    let further = Peer::new("the same, boxes and sigmoid too", || {
        let mut map = box_tensor.map().expect("memory");
        for (index, (edges, anchor)) in (map.as_mut_slice().as_chunks_mut::<4>().0.iter_mut())
            .zip(&anchors)
            .enumerate()
        {
            *edges = anchor_box(
                anchor,
                std::array::from_fn(|field| offsets.real(index * 4 + field)),
            );
        }
        drop(map);
        let mut map = score_tensor.map().expect("memory");
        for (index, row) in map.as_mut_slice().chunks_exact_mut(CLASSES).enumerate() {
            for (class, score) in row.iter_mut().enumerate() {
                let logit = logits.real(index * (CLASSES + 1) + class + 1);
                *score = 1.0 / (1.0 + (-logit).exp());
            }
        }
        drop(map);
        whole
            .decode(
                &[&whole_boxes.peer, &whole_scores.peer],
                &mut found,
                &mut masks,
            )
            .expect("tensors fit");
        std::hint::black_box(found.len());
    });
    contest(
        name,
        ours(SSD, CLASSES, &[&offsets, &logits]),
        "edgefirst-decoder, boxes given",
        &peer,
        &[&boxes.peer, &scores.peer],
        vec![further, best],
    )
}

fn modelpack(boxes: &Both, scores: &Both, every_class: bool) -> edgefirst_decoder::Decoder {
    builder()
        .with_multi_label(every_class)
        .with_config_modelpack_det(
            configs::Boxes {
                decoder: DecoderType::ModelPack,
                quantization: boxes.quantisation,
                shape: boxes.spec.shape.clone(),
                dshape: vec![],
                normalized: Some(true),
            },
            configs::Scores {
                decoder: DecoderType::ModelPack,
                quantization: scores.quantisation,
                shape: scores.spec.shape.clone(),
                dshape: vec![],
            },
        )
        .build()
        .expect("written here")
}

fn main() {
    // EdgeFirst spreads quantised tensors over threads; ours needs one.
    if std::env::var_os("RAYON_NUM_THREADS").is_none() {
        // SAFETY: nothing else runs yet.
        unsafe { std::env::set_var("RAYON_NUM_THREADS", "1") };
    }
    let contests = [
        yolo_contest("YOLOv8 80 classes, 8400 x 84, i8, 6 objects", 6, true),
        yolo_contest("YOLOv8 80 classes, 8400 x 84, i8, 100 objects", 100, true),
        yolo_contest("YOLOv8 80 classes, 8400 x 84, f32, 6 objects", 6, false),
        yolo_contest("YOLOv8 80 classes, 8400 x 84, f32, 100 objects", 100, false),
        ssd_contest("SSD 1917 anchors, 24 classes, i8, 6 objects", 6, true),
        ssd_contest("SSD 1917 anchors, 24 classes, i8, 60 objects", 60, true),
        ssd_contest("SSD 1917 anchors, 24 classes, f32, 6 objects", 6, false),
        ssd_contest("SSD 1917 anchors, 24 classes, f32, 60 objects", 60, false),
    ];
    println!();
    publish("decode", &contests);
}
