//! Delegates by the plugin entry points, with a delegate of our own (`adder_delegate`), under
//! both runtimes. Needs `EDGEAI_LITERT` for LiteRT and `EDGEAI_TFLITE` (a library with TFLite's
//! C API and XNNPACK) for TFLite, and a model directory in `EDGEAI_MODEL`; what is not set is skipped.

use edgeai_engine::{Accelerator, CPU, Engine, EngineError, OnFallback, Options, Runtime, load};
use std::path::{Path, PathBuf};

fn model(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(name)
}

/// The example library, which cargo builds beside the tests.
fn delegate() -> PathBuf {
    let program = std::env::current_exe().expect("this program");
    let target = program.ancestors().nth(2).expect("target/debug");
    let library = target.join("examples/libadder_delegate.so");
    assert!(
        library.exists(),
        "{} is missing: build it with `cargo test -p edgeai-engine` or `cargo build --examples`",
        library.display()
    );
    library
}

fn options(runtime: Runtime, delegate_options: &[(&str, &str)]) -> Options {
    Options {
        runtime,
        accelerator: Accelerator::Library(delegate()),
        options: delegate_options
            .iter()
            .map(|&(key, value)| (key.to_owned(), value.to_owned()))
            .collect(),
        ..Options::default()
    }
}

/// Runs `test` for every runtime that is there.
fn each_runtime(test: impl Fn(Runtime)) {
    for (variable, runtime) in [
        ("EDGEAI_LITERT", Runtime::Litert),
        ("EDGEAI_TFLITE", Runtime::Tflite),
    ] {
        if std::env::var_os(variable).is_some() {
            test(runtime);
        } else {
            eprintln!("SKIPPED for {runtime:?}: {variable} is not set");
        }
    }
}

fn write(engine: &mut dyn Engine, values: [f32; 4]) {
    let bytes: Vec<u8> = values
        .iter()
        .flat_map(|value| value.to_ne_bytes())
        .collect();
    engine.input_mut(0).copy_from_slice(&bytes);
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    let (floats, _) = bytes.as_chunks();
    floats.iter().copied().map(f32::from_ne_bytes).collect()
}

#[test]
fn the_delegate_computes_its_operators_and_the_report_says_so() {
    each_runtime(|runtime| {
        let mut engine = load(&model("affine.tflite"), &options(runtime, &[])).expect("loads");
        write(&mut *engine, [1.0, 2.0, 0.0, -1.0]);
        engine.invoke().expect("runs");
        assert_eq!(floats(engine.output(0)), [2.0, 4.0, 3.0, 3.0]);
        assert_eq!(floats(engine.output(1)), [2.0, 4.0, 0.0, -2.0]);
        let report = engine.delegation();
        let rows: Vec<_> = report
            .operators
            .iter()
            .map(|o| (o.index, &*o.name, &*o.device, o.reason.as_deref()))
            .collect();
        assert_eq!(
            rows,
            [
                (0, "ADD", "adder_delegate", None),
                (1, "MUL", CPU, Some("not taken by adder_delegate")),
            ]
        );
        assert!((report.share_on("adder_delegate") - 0.5).abs() < 1e-6);
        assert_eq!(report.fallback, None);
        assert_eq!(report.devices[0].share_of_time, None, "not measured");
    });
}

#[test]
fn shares_of_time_are_measured_on_request() {
    each_runtime(|runtime| {
        let asked = Options {
            measure: true,
            ..options(runtime, &[])
        };
        let engine = load(&model("chain.tflite"), &asked).expect("loads");
        let devices = &engine.delegation().devices;
        let shares: Vec<f32> = devices
            .iter()
            .map(|device| device.share_of_time.expect("measured"))
            .collect();
        assert!(
            (shares.iter().sum::<f32>() - 1.0).abs() < 1e-3,
            "{devices:?}"
        );
        assert!(shares[0] > 0.0, "the delegate has work to do: {devices:?}");
    });
}

#[test]
fn xnnpack_runs_most_of_a_quantised_model() {
    let Some(folder) = std::env::var_os("EDGEAI_MODEL") else {
        eprintln!("SKIPPED: EDGEAI_MODEL is not set");
        return;
    };
    each_runtime(|runtime| {
        let asked = Options {
            accelerator: Accelerator::Cpu,
            measure: true,
            ..options(runtime, &[])
        };
        let engine = load(&Path::new(&folder).join("model.tflite"), &asked).expect("loads");
        let report = engine.delegation();
        let share = report.devices[0].share_of_time;
        assert_eq!(share, Some(1.0), "{}", engine.runtime());
        // What is not a part of a larger kernel has a time of its own; the kernel's own is in no operator.
        let operators = report.operators.iter();
        let alone: Vec<_> = operators.filter_map(|o| o.share_of_time).collect();
        let (count, all) = (alone.len(), report.operators.len());
        assert!(
            10 * count < all && alone.iter().sum::<f32>() < 1.0,
            "{count} of {all} by themselves, with shares {alone:?} of the time: {}",
            engine.runtime()
        );
    });
}

#[test]
fn the_delegate_is_the_one_that_adds() {
    // Fails from its third invocation on: the second of ours, after that of `load`.
    each_runtime(|runtime| {
        let asked = options(runtime, &[("lose_after", "2")]);
        let mut engine = load(&model("affine.tflite"), &asked).expect("loads");
        engine.invoke().expect("the device is still there");
        for _ in 0..2 {
            let error = engine.invoke().expect_err("the device is gone");
            assert!(matches!(error, EngineError::Call { .. }), "{error}");
        }
        drop(engine);
        let mut again = load(&model("affine.tflite"), &options(runtime, &[])).expect("loads");
        again.invoke().expect("the device is back");
    });
}

#[test]
fn what_cannot_be_used_falls_back_to_the_cpu_and_says_why() {
    each_runtime(|runtime| {
        let missing = Options {
            accelerator: Accelerator::Library("/nonexistent/libnpu.so".into()),
            ..options(runtime, &[])
        };
        for (asked, reason) in [
            (missing, "npu: /nonexistent/libnpu.so: cannot open"),
            (
                options(runtime, &[("refuse", "no such device")]),
                "refused: no such device",
            ),
            (options(runtime, &[("lose_after", "0")]), "adder_delegate: "),
        ] {
            let mut engine = load(&model("affine.tflite"), &asked).expect("runs on the CPU");
            engine.invoke().expect("runs on the CPU");
            let report = engine.delegation();
            let why = report.fallback.clone().expect("a reason");
            assert!(why.contains(reason), "{why}");
            assert_eq!(report.fallen_back().count(), 2);
            assert!((report.share_on(CPU) - 1.0).abs() < 1e-6);

            let strict = Options {
                on_fallback: OnFallback::Fail,
                ..asked
            };
            let Err(error) = load(&model("affine.tflite"), &strict) else {
                panic!("on_fallback = fail was not heeded")
            };
            assert!(matches!(error, EngineError::Accelerator { .. }), "{error}");
        }
    });
}

#[test]
fn a_kernel_that_cannot_be_made_ends_on_the_cpu() {
    each_runtime(|runtime| {
        let asked = options(runtime, &[("kernel", "broken")]);
        let mut engine = load(&model("affine.tflite"), &asked).expect("runs on the CPU");
        write(&mut *engine, [1.0; 4]);
        engine.invoke().expect("runs on the CPU");
        assert_eq!(floats(engine.output(0)), [2.0, 3.0, 4.0, 5.0]);
    });
}

#[test]
fn on_fallback_fail_names_the_operators() {
    each_runtime(|runtime| {
        let asked = Options {
            on_fallback: OnFallback::Fail,
            ..options(runtime, &[])
        };
        let Err(error) = load(&model("affine.tflite"), &asked) else {
            panic!("an operator on the CPU was accepted")
        };
        assert_eq!(
            error.to_string(),
            "1 of 2 operators do not run on adder_delegate: 1 MUL"
        );
    });
}
