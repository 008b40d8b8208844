#!/usr/bin/env python3
"""Writes the small models of this directory. Needs ai-edge-litert 2.3.0 and flatbuffers.

    affine.tflite   f32[1,4] x -> "sum" x + (1, 2, 3, 4), "double" 2 x
    dynamic.tflite  the same, with a batch dimension that is not fixed
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


def write(name, tensors, inputs, outputs, operators, codes, constants):
    graph = s.SubGraphT()
    graph.name = "main"
    graph.tensors, graph.inputs, graph.outputs, graph.operators = tensors, inputs, outputs, operators
    model = s.ModelT()
    model.version, model.description, model.subgraphs = 3, name, [graph]
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
