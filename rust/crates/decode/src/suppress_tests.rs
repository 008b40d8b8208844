use super::*;
use proptest::prelude::*;

fn selection(iou: f32, class_agnostic: bool, most: usize) -> Selection {
    let scoring = Scoring {
        score_threshold: 0.0,
        thresholds: std::collections::BTreeMap::new(),
        calibration: None,
        max_detections: most,
    };
    let suppression = Suppression {
        nms_iou: iou,
        class_agnostic,
        max_candidates: 200,
    };
    Selection::new(&scoring, &suppression)
}

type Object = (f32, u16, Edges);

fn run(mut selection: Selection, objects: &[Object], order: &[usize]) -> Vec<Detection> {
    let mut buffers = Buffers::new(200, 0, 0);
    for &index in order {
        let (score, class, _) = objects[index];
        selection
            .candidates
            .push(Candidate::new(score, index, class));
    }
    let whole = Region::new([0.0, 0.0, 1.0, 1.0]);
    let edges = |anchors: [usize; BLOCK]| {
        anchors.map(|index| objects.get(index).map_or([0.0; 4], |object| object.2))
    };
    selection.run(whole, edges, &mut buffers);
    buffers.detections
}

fn object() -> impl Strategy<Value = Object> {
    let edge = || 0.0f32..0.8;
    let side = || 0.01f32..0.5;
    (0.0f32..=1.0, 1u16..4, edge(), edge(), side(), side()).prop_map(
        |(score, class, x, y, width, height)| (score, class, [x, y, x + width, y + height]),
    )
}

proptest! {
    #[test]
    fn what_stays_does_not_overlap_and_what_goes_does(
        objects in prop::collection::vec(object(), 0..100),
        iou in 0.0f32..1.0,
        class_agnostic: bool,
    ) {
        let order: Vec<usize> = (0..objects.len()).collect();
        let kept = run(selection(iou, class_agnostic, 200), &objects, &order);
        prop_assert!(kept.is_sorted_by(|a, b| a.score >= b.score));
        let alike = |a: &Detection, b: &Detection| class_agnostic || a.class == b.class;
        for (index, a) in kept.iter().enumerate() {
            for b in &kept[index + 1..] {
                prop_assert!(!alike(a, b) || a.intersection_over_union(b) <= iou + 1e-5);
            }
        }
        let whole = Region::new([0.0, 0.0, 1.0, 1.0]);
        for &(score, class, edges) in &objects {
            let object = detection(class, score, whole.edges(edges).unwrap());
            let hidden = kept.iter().any(|kept| {
                kept.score >= score && alike(kept, &object)
                    && kept.intersection_over_union(&object) >= iou - 1e-5
            });
            prop_assert!(kept.contains(&object) || hidden);
        }
    }

    #[test]
    fn the_order_of_candidates_does_not_matter(
        objects in prop::collection::vec(object(), 1..60),
        shuffled in Just(()).prop_perturb(|(), mut random| random.next_u64()),
    ) {
        let mut order: Vec<usize> = (0..objects.len()).collect();
        let straight = run(selection(0.5, false, 200), &objects, &order);
        let mut state = shuffled;
        for end in (1..order.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            order.swap(end, (state >> 33) as usize % (end + 1));
        }
        prop_assert_eq!(run(selection(0.5, false, 200), &objects, &order), straight);
    }

    #[test]
    fn fewer_are_the_best_of_more(objects in prop::collection::vec(object(), 0..60), most in 1usize..20) {
        let order: Vec<usize> = (0..objects.len()).collect();
        let mut all = run(selection(0.5, false, 200), &objects, &order);
        all.truncate(most);
        prop_assert_eq!(run(selection(0.5, false, most), &objects, &order), all);
    }
}

#[test]
fn boxes_outside_and_no_numbers_are_dropped_and_others_cut() {
    let objects = [
        (0.9, 1, [f32::NAN, 0.1, 0.2, 0.2]),
        (0.8, 1, [1.1, 0.1, 1.2, 0.2]),
        (0.7, 1, [0.5, 0.5, 0.4, 0.6]),
        (0.6, 1, [-f32::INFINITY, 0.1, 0.2, f32::INFINITY]),
    ];
    let kept = run(selection(0.5, false, 9), &objects, &[0, 1, 2, 3]);
    assert_eq!(kept, [detection(1, 0.6, [0.0, 0.1, 0.2, 1.0])]);
}
