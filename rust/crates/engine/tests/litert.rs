//! LiteRT on small models. Needs `EDGEAI_LITERT`, the path of `libLiteRt.so`; skipped without.
//! With `EDGEAI_MODEL`, a model directory, or `EDGEAI_TEST_MODEL`, a `.tflite` file, the damage
//! tests take that model as well; with `EDGEAI_TFLITE`, a library, they load with TFLite too.

use edgeai_engine::{ElementType, Engine, Options, load};
use std::path::{Path, PathBuf};

mod damage;

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(name)
}

fn runtime_present() -> bool {
    let present = std::env::var_os("EDGEAI_LITERT").is_some();
    if !present {
        eprintln!("skipped: EDGEAI_LITERT is not set");
    }
    present
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes
        .as_chunks()
        .0
        .iter()
        .copied()
        .map(f32::from_ne_bytes)
        .collect()
}

fn write(engine: &mut dyn Engine, values: &[f32]) {
    let bytes: Vec<u8> = values
        .iter()
        .flat_map(|value| value.to_ne_bytes())
        .collect();
    engine.input_mut(0).copy_from_slice(&bytes);
}

#[test]
fn runs_repeatedly_in_place() {
    if !runtime_present() {
        return;
    }
    let mut engine = load(&data("affine.tflite"), &Options::default()).expect("a good model");
    assert_eq!(engine.runtime(), "LiteRT 2.3.0");
    let [input] = engine.inputs() else {
        panic!("{:?}", engine.inputs())
    };
    assert_eq!(input.shape, [1, 4]);
    assert_eq!((input.element, input.bytes), (ElementType::F32, 16));
    assert_eq!(engine.outputs().len(), 2);
    assert_eq!(engine.outputs()[0].name, "sum");
    let input_address = engine.input(0).as_ptr();
    let output_address = engine.output(1).as_ptr();
    for scale in [1.0, -2.5, 100.0] {
        write(&mut *engine, &[scale, 2.0 * scale, 0.0, -scale]);
        engine.invoke().expect("runs");
        assert_eq!(
            floats(engine.output(0)),
            [scale + 1.0, 2.0 * scale + 2.0, 3.0, 4.0 - scale]
        );
        assert_eq!(
            floats(engine.output(1)),
            [2.0 * scale, 4.0 * scale, 0.0, -2.0 * scale]
        );
    }
    assert_eq!(engine.input(0).as_ptr(), input_address);
    assert_eq!(engine.output(1).as_ptr(), output_address);
}

#[test]
fn reports_quantisation() {
    if !runtime_present() {
        return;
    }
    let mut engine = load(&data("quantised.tflite"), &Options::default()).expect("a good model");
    let input = &engine.inputs()[0];
    assert_eq!(
        (input.element, input.scale, input.zero_point),
        (ElementType::I8, 0.5, -3)
    );
    engine
        .input_mut(0)
        .copy_from_slice(&[-3i8, 1, 127, -128].map(i8::cast_unsigned));
    engine.invoke().expect("runs");
    assert_eq!(floats(engine.output(0)), [0.0, 2.0, 65.0, -62.5]);
}

#[test]
fn several_inputs_and_outputs_are_in_the_order_of_the_model() {
    if !runtime_present() {
        return;
    }
    let mut engine = load(&data("two_inputs.tflite"), &Options::default()).expect("a good model");
    let described: Vec<_> = engine
        .inputs()
        .iter()
        .chain(engine.outputs())
        .map(|info| (&*info.name, info.element, &*info.shape))
        .collect();
    // The signature of the model lists them by name.
    assert_eq!(
        described,
        [
            ("b", ElementType::F32, &[1, 4][..]),
            ("a", ElementType::I32, &[2]),
            ("b2", ElementType::F32, &[1, 4]),
            ("a2", ElementType::I32, &[2]),
        ]
    );
    write(&mut *engine, &[1.0, -2.0, 3.0, 0.5]);
    let numbers: Vec<u8> = [7i32, -9].iter().flat_map(|n| n.to_ne_bytes()).collect();
    engine.input_mut(1).copy_from_slice(&numbers);
    engine.invoke().expect("runs");
    assert_eq!(floats(engine.output(0)), [1.0, 4.0, 9.0, 0.25]);
    let doubled: Vec<u8> = [14i32, -18].iter().flat_map(|n| n.to_ne_bytes()).collect();
    assert_eq!(engine.output(1), doubled);
    assert_eq!(engine.input(1), numbers, "the input survives");
}

#[test]
fn an_engine_moves_to_another_thread() {
    if !runtime_present() {
        return;
    }
    let mut engine = load(
        &data("affine.tflite"),
        &Options {
            threads: 2,
            ..Options::default()
        },
    )
    .expect("a good model");
    let sum = std::thread::spawn(move || {
        write(&mut *engine, &[0.0; 4]);
        engine.invoke().expect("runs");
        floats(engine.output(0))
    });
    assert_eq!(sum.join().expect("no panic"), [1.0, 2.0, 3.0, 4.0]);
}

#[test]
fn dynamic_batch_is_refused_by_name() {
    let Err(error) = load(&data("dynamic.tflite"), &Options::default()) else {
        panic!("a dynamic batch was accepted")
    };
    let text = error.to_string();
    assert!(text.contains("`x`") && text.contains("[-1, 4]"), "{text}");
}

#[test]
fn an_output_smaller_than_what_is_computed_is_refused() {
    if !runtime_present() {
        return;
    }
    // Kernels write as many elements as their inputs have: here beyond the end of our memory.
    let whole = std::fs::read(data("chain.tflite")).expect("the good model");
    let long = 4096u32.to_le_bytes();
    let path = damage::scratch("small-output");
    let errors: Vec<String> = (0..whole.len() - 3)
        .filter(|&at| whole[at..at + 4] == long)
        .filter_map(|at| {
            let mut changed = whole.clone();
            changed[at..at + 4].copy_from_slice(&1000u32.to_le_bytes());
            std::fs::write(&path, changed).expect("scratch file");
            let loaded = load(&path, &Options::default());
            loaded.err().map(|error| error.to_string())
        })
        .collect();
    std::fs::remove_file(&path).expect("scratch file");
    let named = |text: &&String| text.contains("output `out` is [1, 1000] in the file");
    assert_eq!(errors.iter().filter(named).count(), 1, "{errors:?}");
}

#[test]
fn files_that_are_no_models_are_refused() {
    for (name, content) in [
        ("empty", &b""[..]),
        ("short", b"TFL3"),
        ("text", b"hello, this is not a model"),
        ("zeros", &[0; 64]),
    ] {
        let path = damage::scratch(&format!("no-model-{name}"));
        std::fs::write(&path, content).expect("scratch file");
        let refused = load(&path, &Options::default())
            .err()
            .map(|error| error.to_string());
        std::fs::remove_file(&path).expect("scratch file");
        let text = refused.unwrap_or_else(|| panic!("{name} was accepted"));
        assert!(text.contains(&path.display().to_string()), "{text}");
    }
    assert!(load(Path::new("/"), &Options::default()).is_err());
}
