#!/usr/bin/env python3
"""What `edgeai infer --json` does, written a second time: the golden reference of the tests.

    infer.py --model DIR --image FILE [--threads N] [--repeat N]

Preprocessing: bilinear stretch with half-pixel centres (no antialiasing), pixel 0..255 mapped
linearly to model.toml's range, then quantised. Decoding: SSD anchors as MediaPipe's
SsdAnchorsCalculator makes them, sigmoid scores, non-maximum suppression in each class.
Nothing here is shared with the Rust code. Needs Python 3.11, ai-edge-litert, numpy, pillow.
"""

import argparse
import json
import pathlib
import sys
import time
import tomllib

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from PIL import Image
from ssd import anchors, overlap


def taps(source, target):
    """Two source indices for each target index, and the share of the second."""
    centre = np.clip((np.arange(target) + 0.5) * source / target - 0.5, 0, source - 1)
    first = np.floor(centre).astype(np.int64)
    second = np.minimum(first + 1, source - 1)
    return first, second, (centre - first).astype(np.float32)


def stretch(pixels, width, height):
    """uint8[h, w, 3] -> float32[height, width, 3], still 0..255."""
    upper, lower, share = taps(pixels.shape[0], height)
    share = share[:, None, None]
    rows = pixels[upper] * (1 - share) + pixels[lower] * share
    left, right, share = taps(pixels.shape[1], width)
    share = share[None, :, None]
    return (rows[:, left] * (1 - share) + rows[:, right] * share).astype(np.float32)


def real(tensor, detail):
    """Dequantised."""
    scale, zero_point = detail["quantization"]
    return tensor if scale == 0 else (tensor.astype(np.float32) - zero_point) * scale


def decode(options, grid, offsets, logits, labels):
    scores = 1 / (1 + np.exp(-logits.astype(np.float64)))
    y, x, h, w = (offsets / np.array(options.get("box_scale", [10, 10, 5, 5]))).T
    y, x = y * grid[:, 2] + grid[:, 0], x * grid[:, 3] + grid[:, 1]
    h, w = np.exp(h) * grid[:, 2] / 2, np.exp(w) * grid[:, 3] / 2
    boxes = np.clip(np.stack([x - w, y - h, x + w, y + h], axis=1), 0, 1)
    found = []
    for index, label in np.argwhere(scores[:, 1:] >= options["score_threshold"]):
        found.append((scores[index, label + 1], index, label + 1))
    found.sort(key=lambda item: (-item[0], item[1], item[2]))
    kept = []
    for score, index, label in found:
        box = boxes[index]
        if box[0] >= box[2] or box[1] >= box[3]:
            continue
        if any(k[2] == label and overlap(k[1], box) > options["nms_iou"] for k in kept):
            continue
        kept.append((score, box, label))
        if len(kept) == options["max_detections"]:
            break
    return [{"label": labels[label], "score": float(score), "box": [float(v) for v in box]} for score, box, label in kept]


def outputs_of(details, options):
    """Boxes [1, N, 4] and logits [1, N, C]."""
    boxes = options.get("boxes", next(i for i, d in enumerate(details) if d["shape"][-1] == 4))
    logits = options.get("logits", next(i for i in range(len(details)) if i != boxes))
    return details[boxes], details[logits]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=pathlib.Path, required=True)
    parser.add_argument("--image", type=pathlib.Path, required=True)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="always on")
    arguments = parser.parse_args()

    begin = time.perf_counter()
    description = tomllib.loads((arguments.model / "model.toml").read_text())
    labels = (arguments.model / "labels.txt").read_text().splitlines()
    width, height = description["input"]["size"]
    low, high = description["input"]["range"]
    interpreter = Interpreter(model_path=str(arguments.model / "model.tflite"), num_threads=arguments.threads)
    interpreter.allocate_tensors()
    source = interpreter.get_input_details()[0]
    boxes, logits = outputs_of(interpreter.get_output_details(), description["decode"])
    grid = anchors(description["decode"]["anchors"], width, height)
    loaded = time.perf_counter()

    pixels = np.asarray(Image.open(arguments.image).convert("RGB"))
    times = []
    for _ in range(arguments.repeat):
        t0 = time.perf_counter()
        tensor = stretch(pixels, width, height) * ((high - low) / 255) + low
        scale, zero_point = source["quantization"]
        if scale != 0:
            limits = np.iinfo(source["dtype"])
            tensor = np.clip(np.round(tensor / scale) + zero_point, limits.min, limits.max)
        interpreter.set_tensor(source["index"], tensor[None].astype(source["dtype"]))
        t1 = time.perf_counter()
        interpreter.invoke()
        t2 = time.perf_counter()
        offsets = real(interpreter.get_tensor(boxes["index"])[0], boxes)
        scores = real(interpreter.get_tensor(logits["index"])[0], logits)
        detections = decode(description["decode"], grid, offsets, scores, labels)
        times.append((t1 - t0, t2 - t1, time.perf_counter() - t2))

    preprocess, invoke, decoded = (round(1e3 * float(np.median(t)), 3) for t in zip(*times, strict=True))
    names = {"float32": "f32", "int8": "i8", "uint8": "u8"}
    json.dump(
        {
            "model": description["model"]["name"],
            "runtime": "Python ai-edge-litert",
            "input": {
                "width": width,
                "height": height,
                "element": names[np.dtype(source["dtype"]).name],
            },
            "detections": detections,
            "timing_ms": {
                "load": round(1e3 * (loaded - begin), 3),
                "preprocess": preprocess,
                "invoke": invoke,
                "decode": decoded,
            },
        },
        sys.stdout,
    )
    print()


if __name__ == "__main__":
    main()
