//! An invocation allocates nothing on the Rust side (the runtime's own memory is C++'s and is
//! not counted). A test program of its own: the counter is process-wide.

use edgeai_engine::{Options, Runtime, load};
use std::alloc::{GlobalAlloc, Layout, System};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

struct Counting;

// SAFETY: everything is handed to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn an_invocation_allocates_nothing() {
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/affine.tflite");
    for (variable, runtime) in [
        ("EDGEAI_LITERT", Runtime::Litert),
        ("EDGEAI_TFLITE", Runtime::Tflite),
    ] {
        if std::env::var_os(variable).is_none() {
            eprintln!("SKIPPED for {runtime:?}: {variable} is not set");
            continue;
        }
        let options = Options {
            runtime,
            ..Options::default()
        };
        let mut engine = load(&model, &options).expect("a good model");
        let before = ALLOCATIONS.load(Relaxed);
        assert!(before > 0, "the counter counts");
        let mut sum = 0u8;
        for round in 0..100 {
            engine.input_mut(0).fill(round);
            engine.invoke().expect("runs");
            sum = sum
                .wrapping_add(engine.output(0)[0])
                .wrapping_add(engine.output(1)[0]);
        }
        std::hint::black_box(sum);
        assert_eq!(ALLOCATIONS.load(Relaxed) - before, 0, "{runtime:?}");
    }
}
