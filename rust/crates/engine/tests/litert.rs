//! LiteRT on small models. Needs `EDGEAI_LITERT`, the path of `libLiteRt.so`; skipped without.
//! With `EDGEAI_TEST_MODEL`, a `.tflite` file, the damage tests take that file as well.

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
    engine.input_mut().copy_from_slice(&bytes);
}

#[test]
fn runs_repeatedly_in_place() {
    if !runtime_present() {
        return;
    }
    let mut engine = load(&data("affine.tflite"), &Options::default()).expect("a good model");
    assert_eq!(engine.runtime(), "LiteRT 2.3.0");
    assert_eq!(engine.input().shape, [1, 4]);
    assert_eq!(
        (engine.input().element, engine.input().bytes),
        (ElementType::F32, 16)
    );
    assert_eq!(engine.output_count(), 2);
    assert_eq!(engine.output_info(0).name, "sum");
    let input_address = engine.input_mut().as_ptr();
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
    assert_eq!(engine.input_mut().as_ptr(), input_address);
    assert_eq!(engine.output(1).as_ptr(), output_address);
}

#[test]
fn reports_quantisation() {
    if !runtime_present() {
        return;
    }
    let mut engine = load(&data("quantised.tflite"), &Options::default()).expect("a good model");
    let input = engine.input();
    assert_eq!(
        (input.element, input.scale, input.zero_point),
        (ElementType::I8, 0.5, -3)
    );
    engine
        .input_mut()
        .copy_from_slice(&[-3i8, 1, 127, -128].map(i8::cast_unsigned));
    engine.invoke().expect("runs");
    assert_eq!(floats(engine.output(0)), [0.0, 2.0, 65.0, -62.5]);
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
