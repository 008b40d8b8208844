//! `verify` on models that are sound but for one thing, and on bytes that are not sound at all.

use super::writer::Value::{self, I8, I32, Table as T, Tables, Text, U64};
use super::writer::{bytes, file, numbers};
use super::*;
use proptest::prelude::*;

/// `x` f32[1,4,4,1] → `CONV_2D` with `weights` f32[1,1,1,1] and `bias` f32[1] → `y` f32[1,4,4,1] →
/// RESHAPE → `z` f32[16].
struct Model {
    codes: Vec<Value>,
    tensors: Vec<Value>,
    inputs: Vec<i32>,
    outputs: Vec<i32>,
    operators: Vec<Value>,
    buffers: Vec<Value>,
    subgraphs: Vec<Value>,
    more: Vec<(usize, Value)>,
}

fn tensor(name: &'static str, shape: &[i32], buffer: i32) -> Vec<(usize, Value)> {
    vec![
        (field::tensor::SHAPE, numbers(shape)),
        (field::tensor::BUFFER, I32(buffer)),
        (field::tensor::NAME, Text(name)),
    ]
}

fn operator(
    code: i32,
    inputs: &[i32],
    outputs: &[i32],
    kind: i8,
    options: Vec<(usize, Value)>,
) -> Value {
    T(vec![
        (field::operator::CODE, I32(code)),
        (field::operator::INPUTS, numbers(inputs)),
        (field::operator::OUTPUTS, numbers(outputs)),
        (field::operator::OPTIONS_TYPE, I8(kind)),
        (field::operator::OPTIONS, T(options)),
    ])
}

fn convolution(stride: i32) -> Value {
    let strides = vec![(1, I32(stride)), (2, I32(1))];
    operator(0, &[0, 1, 2], &[3], 1, strides)
}

fn code(builtin: i32) -> Value {
    T(vec![(field::operator_code::CODE, I32(builtin))])
}

fn custom(name: &'static str) -> Value {
    T(vec![
        (field::operator_code::CODE, I32(32)),
        (field::operator_code::CUSTOM_CODE, Text(name)),
    ])
}

impl Model {
    fn good() -> Self {
        let buffer = |content: &[u8]| T(vec![(field::buffer::DATA, bytes(content))]);
        Self {
            codes: vec![code(3), code(22)],
            tensors: vec![
                T(tensor("x", &[1, 4, 4, 1], 0)),
                T(tensor("weights", &[1, 1, 1, 1], 1)),
                T(tensor("bias", &[1], 1)),
                T(tensor("y", &[1, 4, 4, 1], 0)),
                T(tensor("z", &[16], 0)),
            ],
            inputs: vec![0],
            outputs: vec![4],
            operators: vec![
                convolution(1),
                operator(1, &[3], &[4], 17, vec![(0, numbers(&[16]))]),
            ],
            buffers: vec![T(Vec::new()), buffer(&1f32.to_le_bytes())],
            subgraphs: Vec::new(),
            more: Vec::new(),
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let first = T(vec![
            (field::subgraph::TENSORS, Tables(self.tensors.clone())),
            (field::subgraph::INPUTS, numbers(&self.inputs)),
            (field::subgraph::OUTPUTS, numbers(&self.outputs)),
            (field::subgraph::OPERATORS, Tables(self.operators.clone())),
        ]);
        let subgraphs = [vec![first], self.subgraphs.clone()].concat();
        let mut fields = vec![
            (field::model::VERSION, I32(3)),
            (field::model::OPERATOR_CODES, Tables(self.codes.clone())),
            (field::model::SUBGRAPHS, Tables(subgraphs)),
            (field::model::BUFFERS, Tables(self.buffers.clone())),
        ];
        fields.extend(self.more.clone());
        file(&T(fields))
    }
}

fn refusal(change: impl FnOnce(&mut Model)) -> String {
    let mut model = Model::good();
    change(&mut model);
    match verify(&model.bytes()) {
        Ok(interface) => panic!("accepted: {interface:?}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_sound_model_is_described() {
    let interface = verify(&Model::good().bytes()).expect("sound");
    assert_eq!(interface.operators, ["CONV_2D", "RESHAPE"]);
    assert_eq!(interface.inputs.len(), 1);
    assert_eq!(
        (&*interface.inputs[0].name, interface.inputs[0].bytes),
        ("x", 64)
    );
    assert_eq!(interface.outputs[0].shape, [16]);
    assert!(interface.foreign.is_empty());
}

#[test]
fn custom_operators_are_named_and_the_unknown_ones_listed() {
    let mut model = Model::good();
    model.codes = vec![custom("TFLite_Detection_PostProcess"), custom("npu-graph")];
    model.operators[0] = operator(0, &[0, 1, 2], &[3], 0, Vec::new());
    let interface = verify(&model.bytes()).expect("sound");
    assert_eq!(
        interface.operators,
        ["TFLite_Detection_PostProcess", "npu-graph"]
    );
    assert_eq!(interface.foreign, ["npu-graph"]);
}

/// Each a sound model but for one thing, and a word that the refusal must have.
#[test]
fn one_thing_wrong_is_refused_and_named() {
    type Change = fn(&mut Model);
    let cases: [(&str, Change); 29] = [
        ("stride", |m| m.operators[0] = convolution(0)),
        ("stride", |m| m.operators[0] = convolution(i32::MAX)),
        ("options", |m| {
            // Pool2DOptions: a kernel would take the defaults, strides of 0.
            m.operators[0] = operator(0, &[0, 1, 2], &[3], 5, vec![(1, I32(1)), (2, I32(1))]);
        }),
        ("before it is computed", |m| m.operators.reverse()),
        ("there already", |m| {
            m.operators[1] = operator(1, &[3], &[1], 17, Vec::new());
        }),
        ("there already", |m| {
            m.operators.push(m.operators[1].clone());
        }),
        ("never computed", |m| {
            m.operators.pop();
        }),
        ("is a constant", |m| m.inputs = vec![0, 1]),
        ("twice", |m| m.outputs = vec![4, 4]),
        ("does not exist", |m| m.inputs = vec![5]),
        ("does not exist", |m| m.outputs = vec![-1]),
        ("0 inputs", |m| {
            m.inputs.clear();
            m.operators.remove(0);
            m.operators[0] = operator(1, &[1], &[4], 17, Vec::new());
            m.tensors[4] = T(tensor("z", &[1], 0));
        }),
        ("does not exist", |m| {
            m.operators[0] = operator(0, &[0, 9, 2], &[3], 1, vec![(1, I32(1)), (2, I32(1))]);
        }),
        ("does not exist", |m| {
            m.operators[0] = operator(0, &[0, -1, 2], &[3], 1, vec![(1, I32(1)), (2, I32(1))]);
        }),
        ("code that does not exist", |m| {
            m.codes.pop();
        }),
        ("operator code 210", |m| m.codes[1] = code(210)),
        ("operator code -1", |m| {
            m.codes[1] = T(vec![
                (field::operator_code::DEPRECATED_CODE, I8(-1)),
                (field::operator_code::CODE, I32(-1)),
            ]);
        }),
        ("no name", |m| m.codes[1] = custom("")),
        ("control characters", |m| m.codes[1] = custom("npu\0graph")),
        ("control characters", |m| {
            m.tensors[3] = T(tensor("y\nall is well", &[1, 4, 4, 1], 0));
        }),
        ("control characters", |m| {
            m.tensors[3] = T(tensor("\u{1b}[2J", &[1, 4, 4, 1], 0));
        }),
        ("makes 15 elements of 16", |m| {
            m.tensors[4] = T(tensor("z", &[15], 0));
        }),
        ("4 bytes of content", |m| {
            m.tensors[1] = T(tensor("weights", &[1, 1, 1, 2], 1));
        }),
        ("buffer", |m| {
            m.tensors[3] = T(tensor("y", &[1, 4, 4, 1], 2));
        }),
        ("beyond the end", |m| {
            m.buffers[1] = T(vec![
                (field::buffer::OFFSET, U64(64)),
                (field::buffer::SIZE, U64(u64::MAX)),
            ]);
        }),
        ("`x` has a dynamic shape [1, -1, 4, 1]", |m| {
            let mut open = tensor("x", &[1, 1, 4, 1], 0);
            open.push((field::tensor::SHAPE_SIGNATURE, numbers(&[1, -1, 4, 1])));
            m.tensors[0] = T(open);
        }),
        ("1 GiB", |m| {
            m.tensors[3] = T(tensor("y", &[i32::MAX, 4, 4, 1], 0));
        }),
        ("sparse", |m| {
            let mut sparse = tensor("weights", &[1, 1, 1, 1], 1);
            sparse.push((field::tensor::SPARSITY, T(Vec::new())));
            m.tensors[1] = T(sparse);
        }),
        ("element type", |m| {
            let mut strange = tensor("y", &[1, 4, 4, 1], 0);
            strange.push((field::tensor::TYPE, I8(23)));
            m.tensors[3] = T(strange);
        }),
    ];
    for (number, (word, change)) in cases.into_iter().enumerate() {
        let text = refusal(change);
        assert!(text.contains(word), "case {number}: {text}");
    }
}

#[test]
fn quantisation_must_fit_its_tensor() {
    fn quantised(scales: &'static [f32], zeros: usize, dimension: i32) -> impl Fn(&mut Model) {
        move |m: &mut Model| {
            let scales: Vec<u8> = scales.iter().flat_map(|s| s.to_le_bytes()).collect();
            let count = scales.len() / 4;
            let parameters = T(vec![
                (field::quantization::SCALE, Value::Vector(scales, count)),
                (
                    field::quantization::ZERO_POINT,
                    Value::Vector(vec![0; 8 * zeros], zeros),
                ),
                (field::quantization::DIMENSION, I32(dimension)),
            ]);
            let mut x = tensor("x", &[1, 4, 4, 1], 0);
            x.push((field::tensor::QUANTIZATION, parameters));
            m.tensors[0] = T(x);
        }
    }
    let good = |change: &dyn Fn(&mut Model)| {
        let mut model = Model::good();
        change(&mut model);
        verify(&model.bytes()).expect("sound").inputs[0].scale
    };
    assert!((good(&quantised(&[0.5], 1, 0)) - 0.5).abs() < 1e-9);
    for (word, change) in [
        ("differ in number", quantised(&[0.5; 3], 3, 1)),
        ("differ in number", quantised(&[0.5; 4], 3, 1)),
        ("differ in number", quantised(&[0.5; 4], 4, 9)),
        ("per channel", quantised(&[0.5; 4], 4, 1)),
        ("impossible", quantised(&[f32::NAN], 1, 0)),
        ("impossible", quantised(&[-1.0], 1, 0)),
    ] {
        let text = refusal(change);
        assert!(text.contains(word), "{word}: {text}");
    }
}

#[test]
fn a_sparse_constant_has_indices_within_its_shape() {
    // Weights [2, 4] of which three are stored: row 0 has columns 1 and 3, row 1 column `last`.
    let sparse = |segments: &[i32], last: i32, stored: usize| {
        let vector = |values: &[i32]| T(vec![(0, numbers(values))]);
        let rows = T(vec![(0, I8(0)), (1, I32(2))]);
        let columns = T(vec![
            (0, I8(1)),
            (2, I8(1)),
            (3, vector(segments)),
            (4, I8(1)),
            (5, vector(&[1, 3, last])),
        ]);
        let mut weights = tensor("weights", &[2, 4], 2);
        let sparsity = vec![(0, numbers(&[0, 1])), (2, Tables(vec![rows, columns]))];
        weights.push((field::tensor::SPARSITY, T(sparsity)));
        let mut model = Model::good();
        model.codes[0] = code(9);
        model.operators[0] = operator(0, &[0, 1], &[3], 0, Vec::new());
        model.tensors[1] = T(weights);
        let content = bytes(&vec![0; 4 * stored]);
        model.buffers.push(T(vec![(field::buffer::DATA, content)]));
        verify(&model.bytes()).map_err(|error| error.to_string())
    };
    assert_eq!(sparse(&[0, 2, 3], 0, 3).err(), None);
    for (segments, last, stored) in [
        (&[0, 2, 3][..], 4, 3),
        (&[0, 2, 3], -1, 3),
        (&[0, 2, 3], 0, 8),
        (&[0, 2, 4], 0, 3),
        (&[0, 9, 3], 0, 3),
        (&[1, 2, 3], 0, 3),
        (&[0, 3], 0, 3),
        (&[], 0, 3),
    ] {
        assert!(
            sparse(segments, last, stored).is_err(),
            "{segments:?} {last} {stored}"
        );
    }
}

#[test]
fn axes_are_within_their_tensors() {
    for (axis, accepted) in [(0, true), (3, true), (-4, true), (4, false), (-5, false)] {
        let mut model = Model::good();
        model.codes[0] = code(2);
        model.operators[0] = operator(0, &[0, 0], &[3], 10, vec![(0, I32(axis))]);
        assert_eq!(verify(&model.bytes()).is_ok(), accepted, "{axis}");
    }
}

#[test]
fn subgraphs_may_not_call_themselves() {
    let calling = |target: i32| {
        let mut model = Model::good();
        // CALL_ONCE of the subgraph `target`, in the first and in a second subgraph.
        model.codes.push(code(129));
        let call = |target| operator(2, &[], &[], 103, vec![(0, I32(target))]);
        model.operators.insert(0, call(1));
        model.subgraphs = vec![T(vec![(
            field::subgraph::OPERATORS,
            Tables(if target < 0 {
                Vec::new()
            } else {
                vec![call(target)]
            }),
        )])];
        verify(&model.bytes())
    };
    assert!(calling(-1).is_ok());
    for target in [0, 1, 2] {
        let error = calling(target).expect_err("a recursion").to_string();
        assert!(error.contains("calls itself"), "{error}");
    }
}

#[test]
fn a_signature_names_the_ports_of_its_subgraph() {
    let signed = |tensor: i32| {
        let mut model = Model::good();
        let map = |tensor| {
            Tables(vec![T(vec![
                (field::signature::MAP_NAME, Text("port")),
                (field::signature::MAP_TENSOR, I32(tensor)),
            ])])
        };
        let signature = T(vec![
            (field::signature::INPUTS, map(tensor)),
            (field::signature::OUTPUTS, map(4)),
            (field::signature::KEY, Text("serve")),
        ]);
        model.more = vec![(field::model::SIGNATURES, Tables(vec![signature]))];
        verify(&model.bytes())
    };
    assert!(signed(0).is_ok());
    assert!(signed(1).is_err());
    assert!(signed(99).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    /// Whatever happens to a model, `verify` gives an answer.
    #[test]
    fn damage_never_panics(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
        length in any::<prop::sample::Index>(),
        whole in any::<bool>(),
    ) {
        let mut model = Model::good().bytes();
        for (at, value) in changes {
            let at = at.index(model.len());
            model[at] = value;
        }
        if !whole {
            model.truncate(length.index(model.len()));
        }
        let _ = verify(&model);
    }

    #[test]
    fn noise_never_panics(mut noise in prop::collection::vec(any::<u8>(), 8..256)) {
        noise[4..8].copy_from_slice(IDENTIFIER);
        noise[1..4].fill(0);
        let _ = verify(&noise);
    }
}

#[test]
fn every_word_of_real_models_may_be_anything() {
    let models = [
        &include_bytes!("../../tests/data/affine.tflite")[..],
        include_bytes!("../../tests/data/quantised.tflite"),
        include_bytes!("../../tests/data/two_inputs.tflite"),
    ];
    for model in models {
        verify(model).expect("sound");
        for length in 0..model.len() {
            let _ = verify(&model[..length]);
        }
        for at in 0..model.len() {
            for value in [
                0,
                1,
                0x7f,
                0x80,
                0xff,
                model[at] ^ 4,
                model[at].wrapping_add(1),
            ] {
                let mut damaged = model.to_vec();
                damaged[at] = value;
                let _ = verify(&damaged);
                damaged[at..]
                    .iter_mut()
                    .take(4)
                    .for_each(|byte| *byte = value);
                let _ = verify(&damaged);
            }
        }
    }
}
