"""A model that sees colours and nothing else, small enough for an emulated CPU, and rules over what it sees.

vivid's first test pattern is eight bars (v4l2-tpg-core.c, tpg_get_color): the model shrinks a frame to
one pixel a bar, and what it reports are these pixels, so that a rule can say which colour is where.
"""

from __future__ import annotations

import io
import json

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from PIL import Image

BARS = ("white", "yellow", "cyan", "green", "magenta", "red", "blue", "black")
CHANNELS = ("r", "g", "b")
# Red, green and blue at 75 %, 191 of 255 (tpg_colors). The white is not looked at: it follows the colour space.
LEVEL = 191 / 255
COLOURS = {"yellow": (1, 1, 0), "green": (0, 1, 0), "red": (1, 0, 0), "blue": (0, 0, 1), "black": (0, 0, 0)}
# Without colour, vivid's luma is Rec. 709's (tpg precalculate_color).
LUMA = (0.2126, 0.7152, 0.0722)
# Rounding to 8 bits and back; the wrong matrix is 0.11 beside it somewhere, the wrong range 0.05.
TOLERANCE = 0.025
ROWS = 4


def picture(width: int, height: int) -> bytes:
    """The bars as a PNG file."""
    rows = np.zeros((height, len(BARS), len(CHANNELS)))
    for place, bar in enumerate(BARS):
        rows[:, place] = COLOURS.get(bar, (1, 1, 1))
    pixels = np.rint(np.repeat(rows, width // len(BARS), axis=1) * LEVEL * 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def tensor(name: str, kind: int, shape: list[int], buffer: int = 0) -> schema.TensorT:
    made = schema.TensorT()
    made.name, made.type, made.shape, made.buffer, made.hasRank = name, kind, shape, buffer, True
    return made


def operator(code: int, inputs: list[int], outputs: list[int], kind: int, options: object) -> schema.OperatorT:
    made = schema.OperatorT()
    made.opcodeIndex, made.inputs, made.outputs = code, inputs, outputs
    made.builtinOptionsType, made.builtinOptions = kind, options
    return made


def tflite() -> bytes:
    """f32 [1, ROWS, 8, 3] -> [1, 24]: the mean of each column."""
    float32, int32 = schema.TensorType.FLOAT32, schema.TensorType.INT32
    width = len(BARS) * len(CHANNELS)
    constants = [np.array([1], np.int32), np.array([1, width], np.int32)]
    graph = schema.SubGraphT()
    graph.name = "main"
    graph.tensors = [
        tensor("frame", float32, [1, ROWS, len(BARS), len(CHANNELS)]),
        tensor("axis", int32, [1], 1),
        tensor("columns", float32, [1, len(BARS), len(CHANNELS)]),
        tensor("shape", int32, [2], 2),
        tensor("bars", float32, [1, width]),
    ]
    graph.inputs, graph.outputs = [0], [4]
    mean, reshape = schema.ReducerOptionsT(), schema.ReshapeOptionsT()
    reshape.newShape = [1, width]
    graph.operators = [
        operator(0, [0, 1], [2], schema.BuiltinOptions.ReducerOptions, mean),
        operator(1, [2, 3], [4], schema.BuiltinOptions.ReshapeOptions, reshape),
    ]
    model = schema.ModelT()
    model.version, model.description, model.subgraphs = 3, "bars", [graph]
    model.operatorCodes, model.buffers = [], [schema.BufferT()]
    for builtin in (schema.BuiltinOperator.MEAN, schema.BuiltinOperator.RESHAPE):
        code = schema.OperatorCodeT()
        code.deprecatedBuiltinCode = code.builtinCode = builtin
        code.version = 1
        model.operatorCodes.append(code)
    for constant in constants:
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(constant.tobytes(), np.uint8)
        model.buffers.append(buffer)
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def directory() -> dict[str, bytes]:
    """The files of the model directory."""
    labels = ["???", *(f"{bar}-{channel}" for bar in BARS for channel in CHANNELS)]
    description = f"""
[model]
name = "bars"
task = "classify"

[input]
size = [{len(BARS)}, {ROWS}]
range = [0.0, 1.0]

[decode]
kind = "score"
"""
    return {"model.tflite": tflite(), "labels.txt": "\n".join([*labels, ""]).encode(), "model.toml": description.encode()}


def condition(model: str, *, grey: bool, mirrored: bool) -> str:
    """True while `model` sees the bars in their colours and places; `when` of a rule."""
    bars = []
    for bar, levels in COLOURS.items():
        place = BARS[len(BARS) - 1 - BARS.index(bar)] if mirrored else bar
        if grey:
            levels = (sum(weight * level for weight, level in zip(LUMA, levels, strict=True)),) * 3
        limits = []
        for channel, level in zip(CHANNELS, levels, strict=True):
            value = json.dumps(f"{model}.{place}-{channel}")
            limits.append(f"{{ value = {value}, below = {level * LEVEL + TOLERANCE:.4f} }}")
            if level:
                limits.append(f"{{ value = {value}, above = {level * LEVEL - TOLERANCE:.4f} }}")
        bars.append(f"{{ all = [{', '.join(limits)}] }}")
    return f"{{ all = [{', '.join(bars)}] }}"
