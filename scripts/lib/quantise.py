"""Half-precision .tflite to int8, giving the same bytes on every x86-64 processor.

Value ranges are found with TFLite's reference kernels on one thread: they are
compiled for the architecture's baseline and add in a fixed order, whereas the
optimised ones (XNNPACK, ruy) choose code by the processor and round differently.
"""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Iterable, Iterator

import numpy as np
from ai_edge_litert import interpreter as litert
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools.flatbuffer_utils import convert_object_to_bytearray
from litert_quantizer import quantizer, recipe
from PIL import Image

from lib.report import BuildError

Range = tuple[float, float]  # lowest and highest value of a tensor
CODE = schema.BuiltinOperator
CHANNEL_AXIS = {CODE.CONV_2D: 0, CODE.DEPTHWISE_CONV_2D: 3}  # of the weights
COPIES = {CODE.RESHAPE, CODE.CONCATENATION, CODE.DEPTH_TO_SPACE}  # operators that change no value


class _AlignedBuffer(schema.BufferT):
    """A buffer whose data starts at a multiple of 16, as the schema's force_align asks.

    The generated Python code ignores that attribute, and weights at odd addresses
    are undefined behaviour for the runtimes that use them in place.
    """

    def Pack(self, builder):  # overrides generated code, hence its name
        if self.data is None:
            return super().Pack(builder)
        data = bytes(self.data)
        builder.StartVector(1, len(data), 16)
        builder.head -= len(data)
        builder.Bytes[builder.head : builder.head + len(data)] = data
        vector = builder.EndVector()
        schema.BufferStart(builder)
        schema.BufferAddData(builder, vector)
        return schema.BufferEnd(builder)


def read(blob: bytes) -> schema.ModelT:
    """The model of a .tflite; data at external offsets is taken in."""
    model = schema.ModelT.InitFromPackedBuf(blob, 0)
    if len(model.subgraphs) != 1:
        raise BuildError(f"the model has {len(model.subgraphs)} subgraphs, one is supported")
    for index, source in enumerate(model.buffers):
        data = source.data
        if source.offset > 1:  # 0 and 1 mean: no external data
            data = np.frombuffer(blob, np.uint8, source.size, source.offset)
        model.buffers[index] = _AlignedBuffer(data)
    return model


def write(model: schema.ModelT) -> bytes:
    """A .tflite with all data inline: TFLite 2.14 cannot read external offsets."""
    return bytes(convert_object_to_bytearray(model))


def _code(model: schema.ModelT, operator: schema.OperatorT) -> int:
    return model.operatorCodes[operator.opcodeIndex].builtinCode


def _name(tensor: schema.TensorT) -> str:
    return tensor.name.decode()


def fold_half_precision(model: schema.ModelT) -> int:
    """Replace every DEQUANTIZE of an fp16 constant by an f32 constant; returns how many."""
    graph = model.subgraphs[0]
    removed: set[int] = set()  # fp16 tensors
    widened: set[int] = set()  # buffers
    kept = []
    for operator in graph.operators:
        source = graph.tensors[operator.inputs[0]]
        data = model.buffers[source.buffer].data
        if _code(model, operator) != CODE.DEQUANTIZE or source.type != schema.TensorType.FLOAT16 or data is None:
            kept.append(operator)
            continue
        if source.buffer not in widened:
            values = np.frombuffer(bytes(data), "<f2").astype("<f4")
            model.buffers[source.buffer].data = np.frombuffer(values.tobytes(), np.uint8)
            widened.add(source.buffer)
        graph.tensors[operator.outputs[0]].buffer = source.buffer
        removed.add(int(operator.inputs[0]))
    folded = len(graph.operators) - len(kept)
    staying = [index for index in range(len(graph.tensors)) if index not in removed]
    position = {old: new for new, old in enumerate(staying)} | {-1: -1}  # -1: optional input left out
    graph.tensors = [graph.tensors[index] for index in staying]
    graph.operators = kept
    for node in [graph, *kept]:
        node.inputs = [position[int(index)] for index in node.inputs]
        node.outputs = [position[int(index)] for index in node.outputs]
    return folded


def add_signature(model: schema.ModelT, inputs: list[str], outputs: list[str]) -> None:
    """Name the model's inputs and outputs; the quantiser works by signature."""
    graph = model.subgraphs[0]

    def named(names: list[str], tensors: list[int]) -> list[schema.TensorMapT]:
        if len(names) != len(tensors):
            raise BuildError(f"{len(names)} names {names} for {len(tensors)} tensors of the model")
        return [schema.TensorMapT(name, int(index)) for name, index in zip(names, tensors, strict=True)]

    model.signatureDefs = [schema.SignatureDefT(named(inputs, graph.inputs), named(outputs, graph.outputs), "serving_default", 0)]


def pictures(photograph: Image.Image, windows: list[list[float]], size: tuple[int, int]) -> Iterator[np.ndarray]:
    """Every window of a photograph at the model's size, as it is and mirrored: uint8 RGB."""
    photograph = photograph.convert("RGB")
    edges = (*photograph.size, *photograph.size)
    for window in windows:
        box = tuple(int(part * edge + 0.5) for part, edge in zip(window, edges, strict=True))
        picture = photograph.crop(box).resize(size, Image.Resampling.BILINEAR)
        yield np.asarray(picture)
        yield np.asarray(picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT))


def in_range(picture: np.ndarray, span: Range) -> np.ndarray:
    """A uint8 picture as an input tensor whose values 0 and 255 are the ends of span."""
    low, high = (np.float32(end) for end in span)
    return picture.astype(np.float32)[np.newaxis] * ((high - low) / np.float32(255)) + low


def value_ranges(blob: bytes, samples: Iterable[np.ndarray]) -> dict[str, Range]:
    """Lowest and highest value of every activation over these input tensors."""
    model = read(blob)
    runner = litert.Interpreter(
        model_content=blob,
        num_threads=1,
        experimental_op_resolver_type=litert.OpResolverType.BUILTIN_REF,
        experimental_preserve_all_tensors=True,
    )
    runner.allocate_tensors()
    activations = {
        index: _name(tensor) for index, tensor in enumerate(model.subgraphs[0].tensors) if model.buffers[tensor.buffer].data is None
    }
    ranges: dict[str, Range] = {}
    for sample in samples:
        runner.set_tensor(runner.get_input_details()[0]["index"], sample)
        runner.invoke()
        for index, name in activations.items():
            values = runner.get_tensor(index)
            lowest, highest = ranges.get(name, (np.inf, -np.inf))
            ranges[name] = (min(lowest, float(values.min())), max(highest, float(values.max())))
    return ranges


def bound_outputs(model: schema.ModelT, ranges: dict[str, Range], bounds: list[Range]) -> None:
    """Give the model's outputs, and all that is only copied into them, these ranges.

    With one range from the convolutions of a detector's heads to its output nothing is
    quantised a second time on the way, and the steps are not spent on outliers.
    """
    graph = model.subgraphs[0]
    producers = {int(index): operator for operator in graph.operators for index in operator.outputs}
    for output, span in zip(graph.outputs, bounds, strict=True):
        waiting = [int(output)]
        while waiting:
            index = waiting.pop()
            if model.buffers[graph.tensors[index].buffer].data is not None:
                continue  # the constant shape of a RESHAPE
            ranges[_name(graph.tensors[index])] = span
            if _code(model, producers[index]) in COPIES:
                waiting += (int(source) for source in producers[index].inputs)


def _scale(span: Range) -> float:
    """What one int8 step means for a tensor of this range, which always includes 0."""
    return (max(span[1], 0.0) - min(span[0], 0.0)) / 255


def lift_dead_channels(model: schema.ModelT, ranges: dict[str, Range]) -> int:
    """Make convolution channels whose weights are practically 0 representable; returns how many.

    Such a channel puts out its bias. An int8 convolution holds the bias in int32 steps of
    input scale * weight scale; next to weights of 1e-9 those steps are so small that the bias
    overflows and the channel's value is lost (in MobileNetV2 that costs up to 0.4 of a score).
    So the weights are replaced by a single one, the smallest that leaves the bias 30 bits. It
    changes the channel's output by less than 2**-15 of the bias or of an output step.
    """
    graph = model.subgraphs[0]
    lifted = 0
    for operator in graph.operators:
        axis = CHANNEL_AXIS.get(_code(model, operator))
        if axis is None:
            continue
        source, weight, bias = (graph.tensors[index] for index in operator.inputs)
        step_in = _scale(ranges[_name(source)])
        step_out = _scale(ranges[_name(graph.tensors[operator.outputs[0]])])
        values = np.frombuffer(bytes(model.buffers[weight.buffer].data), "<f4").reshape(weight.shape).copy()
        offsets = np.frombuffer(bytes(model.buffers[bias.buffer].data), "<f4")
        for channel, offset in zip(np.moveaxis(values, axis, 0), offsets, strict=True):
            least = 127 * max(abs(float(offset)), step_out) / (2**30 * step_in)
            if np.abs(channel).max() < least:
                channel[...] = 0
                channel[(0,) * channel.ndim] = least
                lifted += 1
        model.buffers[weight.buffer].data = np.frombuffer(values.tobytes(), np.uint8)
    return lifted


def quantise(blob: bytes, name: str, ranges: dict[str, Range]) -> bytes:
    """The int8 model by one of litert-quantizer's recipes, its data inline."""
    known = {
        tensor: {end: np.full((1, 1, 1, 1), value, np.float32) for end, value in zip(("min", "max"), span, strict=True)}
        for tensor, span in ranges.items()
    }
    worker = quantizer.Quantizer(blob, getattr(recipe, name)())
    # Its progress bar heeds no option.
    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
        # An overflow here would mean a wrong constant in the model, and another one on another processor.
        warnings.simplefilter("error", RuntimeWarning)
        warnings.simplefilter("ignore", UserWarning)
        try:
            result = worker.quantize(known, enable_progress_bar=False, enable_progress_report=False)
        except RuntimeWarning as warning:
            raise BuildError(f"quantisation is out of range: {warning}") from warning
    return write(read(bytes(result.quantized_model)))
