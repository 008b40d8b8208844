//! Decoding and tracking do not allocate, however much is found.

use edgeai_config::Track;
use edgeai_decode::{Decoder, Element, ModelDescription, TensorSpec, Tensors, Tracker};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::Duration;

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u32> = const { Cell::new(0) };
}

// SAFETY: passes everything on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    // SAFETY: the trait's contract is handed on.
    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const NMS: &str =
    "score_threshold = 0.2\nmax_detections = 200\nnms_iou = 0.5\nmax_candidates = 300";
const SCORING: &str = "score_threshold = 0.2\nmax_detections = 3";
const ANCHORS: &str = "box_scale = [10.0, 10.0, 5.0, 5.0]\n[decode.anchors]\nlayers = 1\nscale_min = 0.2\nscale_max = 0.4\naspect_ratios = [1.0]\nstrides = [4]";

/// Kind, keys, labels, shapes of the outputs.
fn kinds() -> Vec<(&'static str, String, usize, Vec<Vec<usize>>)> {
    vec![
        ("classify", SCORING.into(), 11, vec![vec![1, 10]]),
        (
            "ssd",
            format!("{NMS}\n{ANCHORS}"),
            5,
            vec![vec![1, 256, 4], vec![1, 256, 5]],
        ),
        (
            "ssd-postprocessed",
            SCORING.into(),
            2,
            vec![vec![1, 20, 4], vec![1, 20], vec![1, 20], vec![1]],
        ),
        ("yolov5", NMS.into(), 4, vec![vec![1, 500, 8]]),
        (
            "yolov8",
            format!("{NMS}\npoints = [\"a\", \"b\"]"),
            4,
            vec![vec![1, 13, 500]],
        ),
        ("yolo-end2end", SCORING.into(), 2, vec![vec![1, 50, 6]]),
        (
            "blazeface",
            format!("{NMS}\npoints = [\"a\"]\n{}", &ANCHORS[35..]),
            2,
            vec![vec![1, 256, 6], vec![1, 256, 1]],
        ),
        (
            "pose",
            format!("{SCORING}\npoints = [\"a\", \"b\"]"),
            2,
            vec![vec![1, 1, 2, 3]],
        ),
        ("segment", String::new(), 3, vec![vec![1, 8, 8, 3]]),
        ("anomaly", String::new(), 2, vec![vec![1, 100]]),
        ("score", "mean_of = 3".into(), 4, vec![vec![1, 3]]),
    ]
}

#[test]
fn nothing_is_allocated() {
    let mut tracker = Tracker::new(&Track::default());
    for (kind, keys, labels, shapes) in kinds() {
        let text = format!(
            "[model]\nname = \"n\"\ntask = \"detect\"\n[input]\nsize = [64, 64]\nrange = [0.0, 1.0]\n[decode]\nkind = \"{kind}\"\n{keys}\n"
        );
        let mut description = ModelDescription::parse("model.toml", &text).unwrap();
        description.labels = (0..labels).map(|label| label.to_string()).collect();
        let specs: Vec<_> = (shapes.iter())
            .map(|shape| TensorSpec {
                shape: shape.clone(),
                element: Element::F32,
                scale: 0.0,
                zero_point: 0,
            })
            .collect();
        let mut decoder = Decoder::new(&description, &specs[..1], &specs).unwrap();
        // Everything passes; the only class, where the model names it.
        let tensors: Vec<Vec<u8>> = (shapes.iter())
            .map(|shape| {
                let count = shape.iter().product::<usize>();
                let value = |place: usize| match (kind, shape.len(), place % 12) {
                    // Boxes, then classes and scores, then the count.
                    ("ssd-postprocessed", 3, _) if place % 4 < 2 => 0.1,
                    ("ssd-postprocessed", 1, _) => 20.0,
                    ("ssd-postprocessed", ..) => 0.4,
                    ("yolo-end2end", _, 0 | 1 | 6 | 7) => 0.1,
                    ("yolo-end2end", _, 5 | 11) => 0.0,
                    ("yolo-end2end", ..) => 0.6,
                    _ => 0.3 + f32::from(u8::try_from(place * 37 % 101).unwrap()) / 200.0,
                };
                (0..count)
                    .flat_map(|place| value(place).to_ne_bytes())
                    .collect()
            })
            .collect();
        let outputs: Vec<&[u8]> = tensors.iter().map(|tensor| &tensor[..]).collect();
        let tensors = Tensors {
            inputs: &outputs[..1],
            outputs: &outputs,
        };
        let mut followed = [None; 64];
        let before = ALLOCATIONS.get();
        for frame in 0..3 {
            let findings = decoder.decode(&tensors, [0.0, 0.0, 1.0, 1.0]).unwrap();
            for (place, found) in followed.iter_mut().zip(findings.detections) {
                *place = Some(*found);
            }
            let mut detections = followed.map(|found| {
                found.unwrap_or(edgeai_decode::Detection {
                    class: 1,
                    score: 0.5,
                    x_min: 0.1,
                    y_min: 0.1,
                    x_max: 0.2,
                    y_max: 0.2,
                    track: 0,
                    points: 0,
                })
            });
            tracker.update(Duration::from_millis(frame * 30), &mut detections);
        }
        let allocated = ALLOCATIONS.get() - before;
        assert_eq!(allocated, 0, "{kind}");
        let findings = decoder.decode(&tensors, [0.0, 0.0, 1.0, 1.0]).unwrap();
        let found = findings.detections.len() + findings.values.len();
        assert!(found > 0, "{kind}");
    }
}
