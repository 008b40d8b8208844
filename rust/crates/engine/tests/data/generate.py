#!/usr/bin/env python3
"""Writes the small models of this directory. Needs ai-edge-litert 2.3.0 and flatbuffers.

    affine.tflite   f32[1,4] x -> "sum" x + (1, 2, 3, 4), "double" 2 x
    dynamic.tflite  the same, with a batch dimension that is not fixed
    chain.tflite    f32[1,4096] x -> "out" 8 x: doubled by ADD, MUL and ADD
    two_inputs.tflite  f32[1,4] b, i32[2] a -> "b2" b * b, "a2" a + a; the signature has them in
                    the order of their names
    quantised.tflite  int8[1,4] (scale 0.5, zero point -3) -> f32[1,4], dequantised
"""

import pathlib

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as s

HERE = pathlib.Path(__file__).parent


def tensor(name, kind, shape, buffer=0, signature=None, scale=None, zero=None):
    t = s.TensorT()
    t.name, t.type, t.shape, t.buffer = name, kind, shape, buffer
    t.shapeSignature = signature
    t.hasRank = True
    if scale is not None:
        t.quantization = s.QuantizationParametersT()
        t.quantization.scale, t.quantization.zeroPoint = [scale], [zero]
    return t


def operator(code, inputs, outputs, kind=0, options=None):
    o = s.OperatorT()
    o.opcodeIndex, o.inputs, o.outputs = code, inputs, outputs
    o.builtinOptionsType, o.builtinOptions = kind, options
    return o


def write(name, tensors, inputs, outputs, operators, codes, constants, signature=False):
    graph = s.SubGraphT()
    graph.name = "main"
    graph.tensors, graph.inputs, graph.outputs, graph.operators = tensors, inputs, outputs, operators
    model = s.ModelT()
    model.version, model.description, model.subgraphs = 3, name, [graph]
    if signature:
        model.signatureDefs = [s.SignatureDefT()]
        model.signatureDefs[0].signatureKey = "serve"
        for side, ports in (("inputs", inputs), ("outputs", outputs)):
            maps = []
            for port in sorted(ports, key=lambda port: tensors[port].name):
                m = s.TensorMapT()
                m.name, m.tensorIndex = tensors[port].name, port
                maps.append(m)
            setattr(model.signatureDefs[0], side, maps)
    model.operatorCodes = []
    for builtin in codes:
        c = s.OperatorCodeT()
        c.deprecatedBuiltinCode = c.builtinCode = builtin
        c.version = 1
        model.operatorCodes.append(c)
    model.buffers = [s.BufferT()]
    for constant in constants:
        b = s.BufferT()
        b.data = np.frombuffer(constant.tobytes(), np.uint8)
        model.buffers.append(b)
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    (HERE / f"{name}.tflite").write_bytes(builder.Output())


def affine(name, signature):
    f32 = s.TensorType.FLOAT32
    write(
        name,
        [
            tensor("x", f32, [1, 4], 0, signature),
            tensor("offset", f32, [1, 4], 1),
            tensor("two", f32, [1, 4], 2),
            tensor("sum", f32, [1, 4], 0, signature),
            tensor("double", f32, [1, 4], 0, signature),
        ],
        [0],
        [3, 4],
        [
            operator(0, [0, 1], [3], s.BuiltinOptions.AddOptions, s.AddOptionsT()),
            operator(1, [0, 2], [4], s.BuiltinOptions.MulOptions, s.MulOptionsT()),
        ],
        [s.BuiltinOperator.ADD, s.BuiltinOperator.MUL],
        [np.array([[1, 2, 3, 4]], np.float32), np.full((1, 4), 2, np.float32)],
    )


affine("affine", None)
affine("dynamic", [-1, 4])
write(
    "quantised",
    [
        tensor("q", s.TensorType.INT8, [1, 4], 0, None, 0.5, -3),
        tensor("real", s.TensorType.FLOAT32, [1, 4]),
    ],
    [0],
    [1],
    [operator(0, [0], [1])],
    [s.BuiltinOperator.DEQUANTIZE],
    [],
)

F32, I32 = s.TensorType.FLOAT32, s.TensorType.INT32
ADD = (s.BuiltinOptions.AddOptions, s.AddOptionsT())
MUL = (s.BuiltinOptions.MulOptions, s.MulOptionsT())
LONG = [1, 4096]
write(
    "chain",
    [
        tensor("x", F32, LONG),
        tensor("two", F32, [1], 1),
        tensor("y", F32, LONG),
        tensor("z", F32, LONG),
        tensor("out", F32, LONG),
    ],
    [0],
    [4],
    [operator(0, [0, 0], [2], *ADD), operator(1, [2, 1], [3], *MUL), operator(0, [3, 3], [4], *ADD)],
    [s.BuiltinOperator.ADD, s.BuiltinOperator.MUL],
    [np.full([1], 2, np.float32)],
)
write(
    "two_inputs",
    [tensor("b", F32, [1, 4]), tensor("a", I32, [2]), tensor("b2", F32, [1, 4]), tensor("a2", I32, [2])],
    [0, 1],
    [2, 3],
    [operator(1, [0, 0], [2], *MUL), operator(0, [1, 1], [3], *ADD)],
    [s.BuiltinOperator.ADD, s.BuiltinOperator.MUL],
    [],
    signature=True,
)
