//! In steady state nothing on the way from a frame to a line allocates.

use crate::rig::{Grey, Rig, appliance, detector};
use edgeai_camera::Negotiated;
use edgeai_config::{Level, PixelFormat};
use edgeai_pipeline::{Detector, step};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
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
    let appliance = appliance(60_000, "safe");
    let mut rig = Rig::new(&appliance, &["door", "stop", "lamp"]);
    let mut detector = detector(true);
    frames_without_allocation(&mut rig, &mut detector);
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
    appliance.model.file = model.into_string().unwrap();
    let mut rig = Rig::new(&appliance, &["door", "stop", "lamp"]);
    let mut detector = Detector::load(&appliance.model).unwrap();
    frames_without_allocation(&mut rig, &mut detector);
}

fn frames_without_allocation(rig: &mut Rig, detector: &mut Detector) {
    let mut camera = Grey::new(Duration::ZERO);
    let negotiated = Negotiated::new(PixelFormat::Yuyv, 64, 48, 128);
    let mut sight = detector.look_through(&negotiated).unwrap();
    let mut frame = |door: Level| {
        rig.bench.pull("door", door);
        let seen = step(
            &mut camera,
            &mut sight,
            &mut rig.queue,
            &rig.link,
            Duration::from_secs(1),
        );
        assert_eq!(seen, Ok(true));
        rig.signals.round();
    };
    frame(Level::Low);
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
}
