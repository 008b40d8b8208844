"""Trained layers as a float .tflite, ready for lib.quantise."""

from __future__ import annotations

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from lib import quantise
from lib.training.autoencoder import Layer

CODE = schema.BuiltinOperator


class _Graph:
    """A model with one subgraph, grown operator by operator."""

    def __init__(self, description: str) -> None:
        graph = schema.SubGraphT()
        graph.tensors, graph.operators, graph.name = [], [], b"main"
        self.graph = graph
        model = schema.ModelT()
        model.version, model.description = 3, description.encode()
        model.subgraphs, model.operatorCodes, model.buffers = [graph], [], [schema.BufferT()]
        self.model = model

    def tensor(self, name: str, shape: list[int], values: np.ndarray | None = None) -> int:
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.type, tensor.buffer = name.encode(), shape, schema.TensorType.FLOAT32, 0
        if values is not None:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(np.ascontiguousarray(values, "<f4").tobytes(), np.uint8)
            self.model.buffers.append(buffer)
            tensor.buffer = len(self.model.buffers) - 1
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def operator(self, code: int, kind: int, options: object, inputs: list[int], output: int) -> int:
        codes = [entry.builtinCode for entry in self.model.operatorCodes]
        if code not in codes:
            entry = schema.OperatorCodeT()
            entry.builtinCode = entry.deprecatedBuiltinCode = code
            entry.version = 1
            self.model.operatorCodes.append(entry)
            codes.append(code)
        operator = schema.OperatorT()
        operator.opcodeIndex, operator.inputs, operator.outputs = codes.index(code), inputs, [output]
        operator.builtinOptionsType, operator.builtinOptions = kind, options
        self.graph.operators.append(operator)
        return output


def autoencoder(layers: list[Layer], *, side: int, description: str) -> schema.ModelT:
    """The layers as convolutions, which every runtime and accelerator has with weights quantised by channel.

    Input and output are a grey picture, [1, side, side, 1], or with side 0 a vector, [1, 1, 1, length].
    """
    graph = _Graph(description)
    length = layers[0].weights.shape[0]
    shape = [1, side, side, 1] if side else [1, 1, 1, length]
    values = source = graph.tensor("input", shape)
    for number, layer in enumerate(layers):
        last = number == len(layers) - 1
        inputs, outputs = layer.weights.shape
        # The first takes in the picture whole: a kernel as large as it.
        kernel = [outputs, *shape[1:]] if number == 0 else [outputs, 1, 1, inputs]
        options = schema.Conv2DOptionsT()
        options.padding = schema.Padding.VALID
        options.strideH = options.strideW = options.dilationHFactor = options.dilationWFactor = 1
        options.fusedActivationFunction = schema.ActivationFunctionType.NONE if last else schema.ActivationFunctionType.RELU
        weights = graph.tensor(f"weights{number}", kernel, layer.weights.T.reshape(kernel))
        bias = graph.tensor(f"bias{number}", [outputs], layer.bias)
        output = graph.tensor(f"layer{number}", [1, 1, 1, outputs])
        values = graph.operator(CODE.CONV_2D, schema.BuiltinOptions.Conv2DOptions, options, [values, weights, bias], output)
    if side:
        # All pixels are channels of one cell; this lays them out.
        options = schema.DepthToSpaceOptionsT()
        options.blockSize = side
        output = graph.tensor("picture", shape)
        values = graph.operator(CODE.DEPTH_TO_SPACE, schema.BuiltinOptions.DepthToSpaceOptions, options, [values], output)
    graph.graph.inputs, graph.graph.outputs = [source], [values]
    quantise.add_signature(graph.model, ["input"], ["output"])
    return graph.model
