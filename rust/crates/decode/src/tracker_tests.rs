#![expect(
    clippy::cast_precision_loss,
    clippy::float_cmp,
    reason = "few frames; boxes that do not meet share exactly nothing"
)]

use super::*;
use proptest::prelude::*;

fn tracker(confirm_frames: u32, lost_ms: u32) -> Tracker {
    Tracker::new(&Track {
        iou: 0.3,
        confirm_frames,
        lost_ms,
    })
}

fn at(x: f32, y: f32, class: u16) -> Detection {
    detection(class, 0.8, [x - 0.1, y - 0.1, x + 0.1, y + 0.1])
}

const FRAME: Duration = Duration::from_millis(33);

fn ids(tracker: &mut Tracker, frame: u32, detections: &[Detection]) -> Vec<u32> {
    let mut detections = detections.to_vec();
    tracker.update(FRAME * frame, &mut detections);
    detections.iter().map(|detection| detection.track).collect()
}

#[test]
fn a_number_comes_with_the_frame_that_confirms() {
    let mut tracker = tracker(3, 500);
    let found: Vec<_> = (0..4)
        .map(|frame| ids(&mut tracker, frame, &[at(0.5, 0.5, 1)]))
        .collect();
    assert_eq!(found, [[0], [0], [1], [1]]);
    assert_eq!(ids(&mut self::tracker(1, 500), 0, &[at(0.5, 0.5, 1)]), [1]);
}

#[test]
fn a_flicker_gets_no_number() {
    let mut tracker = tracker(2, 500);
    for frame in 0..20 {
        let seen: &[_] = if frame % 2 == 0 {
            &[at(0.5, 0.5, 1)]
        } else {
            &[]
        };
        assert!(ids(&mut tracker, frame, seen).iter().all(|&id| id == 0));
    }
}

#[test]
fn an_object_behind_something_is_found_where_it_comes_out() {
    let mut tracker = tracker(2, 500);
    let place = |frame: u32| at(0.1 + 0.03 * frame as f32, 0.5, 1);
    for frame in 0..8 {
        ids(&mut tracker, frame, &[place(frame)]);
    }
    for frame in 8..16 {
        ids(&mut tracker, frame, &[]);
    }
    // It has moved by more than its own width: only its velocity tells where it is.
    assert_eq!(place(15).intersection_over_union(&place(7)), 0.0);
    assert_eq!(ids(&mut tracker, 16, &[place(16)]), [1]);
}

#[test]
fn what_is_lost_for_too_long_is_another_object() {
    for (missing, id) in [(15, 1), (16, 0)] {
        let mut tracker = tracker(2, 500);
        for frame in 0..3 {
            ids(&mut tracker, frame, &[at(0.5, 0.5, 1)]);
        }
        // 33 ms × 15 is not above 500 ms, 33 ms × 16 is.
        for frame in 3..2 + missing {
            ids(&mut tracker, frame, &[]);
        }
        assert_eq!(ids(&mut tracker, 2 + missing, &[at(0.5, 0.5, 1)]), [id]);
    }
}

#[test]
fn classes_do_not_mix() {
    let mut tracker = tracker(1, 500);
    assert_eq!(ids(&mut tracker, 0, &[at(0.5, 0.5, 1)]), [1]);
    assert_eq!(
        ids(&mut tracker, 1, &[at(0.5, 0.5, 2), at(0.5, 0.5, 1)]),
        [2, 1]
    );
}

#[test]
fn the_pair_that_overlaps_most_is_taken_first() {
    let mut tracker = tracker(1, 500);
    assert_eq!(
        ids(&mut tracker, 0, &[at(0.4, 0.5, 1), at(0.5, 0.5, 1)]),
        [1, 2]
    );
    assert_eq!(
        ids(&mut tracker, 1, &[at(0.49, 0.5, 1), at(0.39, 0.5, 1)]),
        [2, 1]
    );
}

#[test]
fn more_than_it_can_hold_get_no_number() {
    let mut tracker = tracker(1, 500);
    let many: Vec<_> = (0..200u16).map(|class| at(0.5, 0.5, class + 1)).collect();
    let found = ids(&mut tracker, 0, &many);
    assert_eq!(found.iter().filter(|&&id| id > 0).count(), MAX_TRACKS);
    assert_eq!(ids(&mut tracker, 1, &many), found);
    let crowd = vec![at(0.5, 0.5, 1); MAX_DETECTIONS + 5];
    ids(&mut tracker, 2, &crowd);
}

#[test]
fn time_that_stands_still_or_goes_back_breaks_nothing() {
    let mut tracker = tracker(1, 500);
    for (frame, x) in [(5, 0.5), (5, 0.52), (3, 0.5), (6, 0.5)] {
        assert_eq!(ids(&mut tracker, frame, &[at(x, 0.5, 1)]), [1]);
    }
}

#[test]
fn after_the_last_number_comes_the_first() {
    let mut tracker = tracker(1, 500);
    tracker.next = u32::MAX;
    let two = [at(0.2, 0.5, 1), at(0.8, 0.5, 2)];
    assert_eq!(ids(&mut tracker, 0, &two), [u32::MAX, 1]);
}

#[test]
fn nothing_is_known_after_a_reset_but_numbers_go_on() {
    let mut tracker = tracker(1, 500);
    assert_eq!(ids(&mut tracker, 0, &[at(0.5, 0.5, 1)]), [1]);
    tracker.reset();
    assert_eq!(ids(&mut tracker, 1, &[at(0.5, 0.5, 1)]), [2]);
}

fn scene() -> impl Strategy<Value = Vec<Detection>> {
    let object =
        (0.0f32..1.0, 0.0f32..1.0, 1u16..3, 0.0f32..1.0).prop_map(|(x, y, class, score)| {
            Detection {
                score,
                ..at(x, y, class)
            }
        });
    prop::collection::vec(object, 0..12)
}

proptest! {
    #[test]
    fn numbers_of_one_frame_differ(frames in prop::collection::vec(scene(), 1..20)) {
        let mut tracker = tracker(2, 100);
        for (frame, detections) in (0..).zip(&frames) {
            let mut found = ids(&mut tracker, frame, detections);
            found.retain(|&id| id != 0);
            let count = found.len();
            found.sort_unstable();
            found.dedup();
            prop_assert_eq!(found.len(), count);
        }
    }

    #[test]
    fn an_object_that_moves_slowly_keeps_its_number(
        start in (0.3f32..0.7, 0.3f32..0.7),
        velocity in (-0.008f32..0.008, -0.008f32..0.008),
        noise in prop::collection::vec((-0.01f32..0.01, -0.01f32..0.01), 30),
    ) {
        let mut tracker = tracker(1, 100);
        for (frame, noise) in (0..).zip(noise) {
            let time = frame as f32;
            let x = start.0 + velocity.0 * time + noise.0;
            let y = start.1 + velocity.1 * time + noise.1;
            prop_assert_eq!(ids(&mut tracker, frame, &[at(x, y, 1)]), [1]);
        }
    }

    #[test]
    fn the_order_of_detections_does_not_matter(
        frames in prop::collection::vec((scene(), any::<prop::sample::Index>()), 1..12),
    ) {
        let [mut straight, mut turned] = [tracker(2, 100), tracker(2, 100)];
        for (frame, (detections, turn)) in (0..).zip(&frames) {
            let found = ids(&mut straight, frame, detections);
            let mut other = detections.clone();
            let by = if other.is_empty() { 0 } else { turn.index(other.len()) };
            other.rotate_left(by);
            other.reverse();
            let mut again = ids(&mut turned, frame, &other);
            again.reverse();
            again.rotate_right(by);
            prop_assert_eq!(again, found);
        }
    }
}
