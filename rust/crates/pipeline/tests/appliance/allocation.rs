//! In steady state nothing on the way from a frame to a line allocates.

use crate::rig::{GREY, Grey, Rig, appliance, inference};
use edgeai_config::{Level, Recording, Track};
use edgeai_pipeline::{Eye, Inference, Note, Step, step};
use edgeai_recording::Record;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

/// Counts what the calling thread allocates; other threads of the test harness do not matter.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: everything is passed on to the system's allocator as it is; counting does not allocate
// (a constant thread-local without destructor).
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller keeps the contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller keeps the contract.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn the_counter_counts() {
    let before = ALLOCATIONS.get();
    drop(std::hint::black_box(Box::new(1)));
    assert_eq!(ALLOCATIONS.get() - before, 1);
}

#[test]
fn a_frame_becomes_an_action_without_an_allocation() {
    let mut appliance = appliance(60_000, "safe");
    appliance.models[0].track = Some(Track::default());
    let mut rig = Rig::new(&appliance, &["door", "stop", "lamp"]);
    frames_without_allocation(&mut rig, &mut inference(true));
}

#[test]
fn neither_does_the_recording_of_it_allocate() {
    let mut appliance = appliance(60_000, "safe");
    appliance.recording = Some(Recording {
        directory: "/nonexistent".into(),
        file_mib: 1,
        files: 1,
        frames: true,
    });
    let mut rig = Rig::new(&appliance, &["door", "stop", "lamp"]);
    frames_without_allocation(&mut rig, &mut inference(true));
}

/// The same with the real engine: `EDGEAI_MODEL` is a model directory and `EDGEAI_LITERT` the
/// library (scripts/test sets both).
#[test]
fn neither_does_the_real_engine_allocate() {
    let (Some(model), Some(_)) = (
        std::env::var_os("EDGEAI_MODEL"),
        std::env::var_os("EDGEAI_LITERT"),
    ) else {
        eprintln!("skipped: EDGEAI_MODEL and EDGEAI_LITERT are not set");
        return;
    };
    let mut appliance = appliance(60_000, "safe");
    appliance.models[0].file = model.into_string().unwrap();
    let mut inference = Inference::load(&appliance.models[0]).unwrap();
    let names = [inference.names().clone()];
    let mut rig = Rig::with_names(&appliance, &["door", "stop", "lamp"], &names);
    frames_without_allocation(&mut rig, &mut inference);
}

fn frames_without_allocation(rig: &mut Rig, inference: &mut Inference) {
    let mut camera = Grey::new(Duration::ZERO);
    let (mut keeper, mut shelf) = rig.keeper();
    let mut lane = rig.lanes.remove(0);
    let mut eyes = [Eye {
        sight: inference
            .look_through(&GREY, None, Some(&Track::default()))
            .unwrap(),
        lane: &mut lane,
    }];
    let mut frame = |door: Level| {
        rig.bench.pull("door", door);
        let seen = step(
            &mut camera,
            &mut eyes,
            Some(&mut keeper),
            &rig.link,
            Duration::from_secs(1),
        );
        assert_eq!(seen, Ok(Step::Seen));
        rig.signals.round();
        // The recorder's part, as far as it gives back what it got.
        while let Ok(kept) = shelf.kept.pop() {
            let remembered = kept.memories.first().map_or(0, |memory| memory.bytes.len());
            assert!(
                remembered >= 10,
                "what the tracker remembers is written down"
            );
            assert!(shelf.spare.push(kept).is_ok());
        }
        if let Some(notebook) = &mut rig.notebook {
            while let Ok(note) = notebook.notes.pop() {
                if let Note::Record(Record::Sighting(sighting)) = note {
                    assert!(notebook.spare.push(sighting).is_ok());
                }
            }
        }
    };
    // As many as there are slots and sightings on their way.
    for _ in 0..8 {
        frame(Level::Low);
    }
    let before = ALLOCATIONS.get();
    for number in 0..100 {
        // Inputs, rules, outputs and events change on the way.
        frame(if number % 2 == 0 {
            Level::High
        } else {
            Level::Low
        });
    }
    assert_eq!(ALLOCATIONS.get() - before, 0);
    assert_eq!(
        rig.bench.history("lamp").len(),
        102,
        "the lamp follows the door"
    );
    assert_eq!(rig.link.metrics.frames_not_kept.load(Relaxed), 0);
}
