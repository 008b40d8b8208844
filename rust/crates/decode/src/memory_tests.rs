use super::*;
use crate::suppress::detection;
use crate::{Detection, Element, ModelDescription, TensorSpec, Tensors};
use edgeai_config::Track;
use proptest::prelude::*;
use std::time::Duration;

const CLASSES: usize = 3;
const WHOLE: [f32; 4] = [0.0, 0.0, 1.0, 1.0];

/// Of scores as they are, the mean of so many runs.
fn scores(mean_of: usize) -> Decoder {
    let text = format!(
        "[model]\nname = \"m\"\ntask = \"classify\"\n[input]\nsize = [8, 8]\nrange = [0.0, 1.0]\n\
         [decode]\nkind = \"score\"\nmean_of = {mean_of}\n"
    );
    let mut description = ModelDescription::parse("model.toml", &text).unwrap();
    description.labels = (0..=CLASSES).map(|label| label.to_string()).collect();
    let output = TensorSpec {
        shape: vec![1, CLASSES],
        element: Element::F32,
        scale: 0.0,
        zero_point: 0,
    };
    Decoder::new(&description, &[], &[output]).unwrap()
}

fn tracker() -> Tracker {
    Tracker::new(&Track {
        iou: 0.3,
        confirm_frames: 2,
        lost_ms: 100,
    })
}

/// A model that has both: no real one does, but each is on its own.
struct Model(Decoder, Tracker);

impl Model {
    fn new() -> Self {
        Self(scores(4), tracker())
    }

    fn saved(&self) -> Vec<u8> {
        let memory = Memory::new(&self.0, Some(&self.1));
        let mut bytes = vec![7; 3];
        memory.save(&mut bytes);
        assert!(bytes.len() <= memory.room());
        bytes
    }

    fn recall(&mut self, bytes: &[u8]) -> Result<(), MemoryError> {
        recall(&mut self.0, Some(&mut self.1), bytes)
    }

    /// Values, and what became of the detections.
    fn look(&mut self, ms: u64, seen: &Seen) -> (Vec<u32>, Vec<Detection>) {
        let bytes: Vec<_> = seen
            .0
            .iter()
            .flat_map(|score| score.to_ne_bytes())
            .collect();
        let tensors = Tensors {
            inputs: &[],
            outputs: &[&bytes],
        };
        let found = self.0.decode(&tensors, WHOLE).unwrap();
        let values = found.values.iter().map(|value| value.to_bits()).collect();
        let mut detections = seen.1.clone();
        self.1.update(Duration::from_millis(ms), &mut detections);
        (values, detections)
    }
}

/// What a frame makes of the engine's outputs: scores, and boxes.
type Seen = ([f32; CLASSES], Vec<Detection>);

fn seen() -> impl Strategy<Value = Seen> {
    // Few places, so that objects are found again, and lost.
    let object = (0u8..6, 0u8..3, 1u16..3).prop_map(|(x, y, class)| {
        let (x, y) = (f32::from(x) / 7.0, f32::from(y) / 4.0);
        detection(class, 0.8, [x, y, x + 0.2, y + 0.25])
    });
    let scores = [0.0f32..1.0, 0.0f32..1.0, 0.0f32..1.0];
    (scores, prop::collection::vec(object, 0..6))
}

fn run() -> impl Strategy<Value = Vec<(u64, Seen)>> {
    prop::collection::vec((0u64..90, seen()), 1..40).prop_map(|mut run| {
        let mut now = 0;
        for (time, _) in &mut run {
            now += *time;
            *time = now;
        }
        run
    })
}

/// After these frames.
fn of(run: &[(u64, Seen)]) -> Model {
    let mut model = Model::new();
    for (ms, seen) in run {
        model.look(*ms, seen);
    }
    model
}

proptest! {
    #[test]
    fn what_is_recalled_goes_on_as_if_it_had_seen_all(run in run(), at in any::<prop::sample::Index>()) {
        let (before, after) = run.split_at(at.index(run.len()));
        let mut whole = of(before);
        let bytes = whole.saved();
        // It remembers something else at first.
        let mut half = of(&run);
        prop_assert_eq!(half.recall(&bytes), Ok(()));
        prop_assert_eq!(half.saved(), bytes);
        for (ms, seen) in after {
            prop_assert_eq!(whole.look(*ms, seen), half.look(*ms, seen));
            prop_assert_eq!(whole.saved(), half.saved());
        }
    }

    #[test]
    fn what_does_not_fit_changes_nothing_and_what_does_is_taken_as_it_is(
        run in run(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        length in any::<prop::sample::Index>(),
        more in prop::collection::vec(any::<u8>(), 0..60),
        next in seen(),
    ) {
        let mut bytes = of(&run).saved();
        for (place, byte) in &changes {
            let place = place.index(bytes.len());
            bytes[place] = *byte;
        }
        if changes.len() > 2 {
            bytes.truncate(length.index(bytes.len()));
            bytes.extend(more);
        }
        let mut model = of(&run[..run.len() / 2]);
        let before = model.saved();
        let recalled = model.recall(&bytes);
        let expected = if recalled.is_ok() { bytes } else { before };
        prop_assert_eq!(model.saved(), expected);
        model.look(1 << 20, &next);
        model.look(0, &next);
    }
}

#[test]
fn cut_off_too_long_and_of_another_model_it_is_refused() {
    let frame = (
        [0.5; CLASSES],
        vec![detection(1, 0.8, [0.2, 0.2, 0.4, 0.4]); 2],
    );
    let mut model = of(&[(0, frame.clone()), (30, frame)]);
    let bytes = model.saved();
    assert_eq!(bytes.len(), 2 + 12 + 4 * 4 * CLASSES + 8 + 2 * 43);
    for length in 0..bytes.len() {
        let error = model.recall(&bytes[..length]).unwrap_err();
        assert_eq!(error, MemoryError::Damaged("it is too short"), "{length}");
    }
    let refused = |place: usize, byte: u8| {
        let mut bytes = bytes.clone();
        bytes[place] = byte;
        Model::new().recall(&bytes).unwrap_err().to_string()
    };
    let objects = 2 + 12 + 4 * 4 * CLASSES;
    for (place, byte, reason) in [
        (0, 2, "a memory of version 2"),
        (1, 1, "remembers something else"),
        (2, 4, "another number of classes"),
        (6, 3, "another number of runs"),
        (10, 4, "a run that there is not"),
        (objects, 0, "a number that no object has"),
        (objects + 4, 129, "too many objects"),
        (bytes.len() - 1, 2, "neither seen nor not"),
    ] {
        let error = refused(place, byte);
        assert!(error.contains(reason), "{place}: {error}");
    }
    let longer = [&bytes[..], &[0]].concat();
    let error = model.recall(&longer).unwrap_err();
    assert_eq!(error, MemoryError::Damaged("it is too long"));
    let mut other = scores(5);
    assert!(recall(&mut other, Some(&mut tracker()), &bytes).is_err());
    assert!(recall(&mut scores(4), None, &bytes).is_err());
}

#[test]
fn what_remembers_nothing_needs_no_room_and_a_full_tracker_has_enough() {
    let mut model = Model::new();
    assert_eq!(Memory::new(&model.0, None).room(), 2 + 12 + 4 * 4 * CLASSES);
    let many: Vec<_> = (1..200)
        .map(|class| detection(class, 0.8, [0.2, 0.2, 0.4, 0.4]))
        .collect();
    model.look(0, &([0.0; CLASSES], many));
    let room = Memory::new(&model.0, Some(&model.1)).room();
    assert_eq!(model.saved().len(), room);
    let text = "[model]\nname = \"m\"\ntask = \"classify\"\n[input]\nsize = [8, 8]\nrange = [0.0, 1.0]\n\
                [decode]\nkind = \"classify\"\nscore_threshold = 0.5\nmax_detections = 1\n";
    let mut description = ModelDescription::parse("model.toml", text).unwrap();
    description.labels = vec!["???".into(), "a".into()];
    let output = TensorSpec {
        shape: vec![1, 1],
        element: Element::F32,
        scale: 0.0,
        zero_point: 0,
    };
    let decoder = Decoder::new(&description, &[], &[output]).unwrap();
    assert_eq!(Memory::new(&decoder, None).room(), 0);
    assert!(Memory::new(&decoder, Some(&model.1)).room() > 128 * 43);
}
