#!/usr/bin/env python3
"""Makes the golden results that tests/golden.rs compares with: tensors from fixed seeds, decoded
by plain numpy after the models' own references. Run it here; it writes *.json beside itself.

Anchors: MediaPipe's ssd_anchors_calculator.cc. Boxes: TensorFlow's box_coders (SSD), Ultralytics'
heads (YOLO), MediaPipe's tensors_to_detections_calculator.cc (BlazeFace). Suppression: greedy by
class; for BlazeFace MediaPipe's weighted one. Boxes are cut at the frame's edges first, as the
decoders document.
"""

import json
import pathlib

import numpy as np

HERE = pathlib.Path(__file__).parent


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def anchors(size, strides, scale_min, scale_max, ratios, reduce_lowest, interpolated, fixed):
    """Centre x, y, width, height, row by row."""
    found, layer = [], 0
    scale = lambda i: scale_min + (scale_max - scale_min) * i / (len(strides) - 1)
    while layer < len(strides):
        shapes, last = [], layer
        while last < len(strides) and strides[last] == strides[layer]:
            if last == 0 and reduce_lowest:
                pairs = [(1.0, 0.1), (2.0, scale(0)), (0.5, scale(0))]
            else:
                pairs = [(ratio, scale(last)) for ratio in ratios]
                if interpolated:
                    next_scale = 1.0 if last == len(strides) - 1 else scale(last + 1)
                    pairs.append((1.0, np.sqrt(scale(last) * next_scale)))
            shapes += [(s * np.sqrt(r), s / np.sqrt(r)) for r, s in pairs]
            last += 1
        cells = -(-size // strides[layer])
        for y in range(cells):
            for x in range(cells):
                for width, height in shapes:
                    if fixed:
                        width = height = 1.0
                    found.append([(x + 0.5) / cells, (y + 0.5) / cells, width, height])
        layer = last
    return np.array(found)


def edges(centre, region):
    """Centre, size in the input to edges in the frame, cut."""
    x, y, width, height = np.asarray(centre, float).T
    box = np.stack([x - width / 2, y - height / 2, x + width / 2, y + height / 2], 1)
    start, length = np.tile(region[:2], 2), np.tile(region[2:], 2)
    return np.clip(start + box * length, 0, 1)


def iou(a, b):
    shared = np.prod(np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0, None))
    return shared / (np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - shared)


def suppress(boxes, found, limit):
    """found: (score, anchor, class), best first."""
    kept = []
    for score, anchor, label in sorted(found, key=lambda f: (-f[0], f[1], f[2])):
        box = boxes[anchor]
        if (box[2:] <= box[:2]).any():
            continue
        if all(label != other[2] or iou(box, boxes[other[1]]) <= limit for other in kept):
            kept.append((score, anchor, label))
    return kept


def detection(label, score, box, points=()):
    return {
        "class": int(label),
        "score": round(float(score), 6),
        "box": [round(float(edge), 6) for edge in box],
        "points": [[round(float(number), 6) for number in point] for point in points],
    }


def output(values, element):
    """A tensor as the model gives it, and the real numbers that are left in it."""
    values = np.asarray(values, np.float32)
    if element == "f32":
        data, real = [float(np.float32(round(float(v), 5))) for v in values.ravel()], None
        real = np.array(data, np.float32).reshape(values.shape)
        data = [round(v, 5) for v in data]
        return {"shape": list(values.shape), "element": element, "data": data}, real.astype(float)
    low, high = (-128, 127) if element == "i8" else (0, 255)
    scale = np.float32((values.max() - values.min()) / 255)
    zero_point = int(round(low - values.min() / scale))
    integers = np.clip(np.round(values / scale) + zero_point, low, high).astype(int)
    tensor = {
        "shape": list(values.shape),
        "element": element,
        "scale": float(scale),
        "zero_point": zero_point,
        "data": integers.ravel().tolist(),
    }
    return tensor, (integers - zero_point) * float(scale)


def write(name, decode, size, labels, region, outputs, detections):
    case = {
        "decode": decode,
        "size": [size, size],
        "labels": labels,
        "region": region,
        "outputs": outputs,
        "detections": detections,
    }
    assert len(detections) > 2, name
    (HERE / f"{name}.json").write_text(json.dumps(case, separators=(",", ":")) + "\n")


def objects(random, count, classes):
    """Centre, size, class, score."""
    return [
        (random.uniform(0.1, 0.9, 2), random.uniform(0.1, 0.4, 2), random.integers(classes),
         random.uniform(0.5, 0.95))
        for _ in range(count)
    ]


SCORING = "score_threshold = 0.3\nmax_detections = 100\n"
NMS = SCORING + "nms_iou = 0.45\n"


def ssd(element):
    random = np.random.default_rng(1)
    strides, ratios = [16, 32, 64], [1.0, 2.0, 0.5, 3.0, 0.3333]
    grid = anchors(96, strides, 0.2, 0.95, ratios, True, True, False)
    offsets = random.normal(0, 1, (len(grid), 4))
    logits = random.normal(-4, 1, (len(grid), 6))
    for centre, side, label, score in objects(random, 6, 5):
        near = np.argsort(np.abs(grid - np.r_[centre, side]).sum(1))[:5]
        for anchor in near:
            x, y, width, height = grid[anchor]
            offsets[anchor] = [
                (centre[1] - y) / height * 10, (centre[0] - x) / width * 10,
                np.log(side[1] / height) * 5, np.log(side[0] / width) * 5,
            ]
            offsets[anchor] += random.normal(0, 0.2, 4)
            logits[anchor, label + 1] = np.log(score / (1 - score)) + random.normal(0, 0.5)
    boxes, offsets = output(offsets[None], element)
    scores, logits = output(logits[None], element)
    offsets, probabilities = offsets[0], sigmoid(logits[0])
    centres = np.stack([
        offsets[:, 1] / 10 * grid[:, 2] + grid[:, 0],
        offsets[:, 0] / 10 * grid[:, 3] + grid[:, 1],
        np.exp(offsets[:, 3] / 5) * grid[:, 2],
        np.exp(offsets[:, 2] / 5) * grid[:, 3],
    ], 1)
    region = [0.0, -0.125, 1.0, 1.25]
    frame = edges(centres, region)
    found = [
        (probabilities[a, c], a, c)
        for a, c in np.argwhere(probabilities >= 0.3) if c > 0
    ]
    decode = f"""kind = "ssd"
{NMS}box_scale = [10.0, 10.0, 5.0, 5.0]
[decode.anchors]
layers = 3
strides = {strides}
scale_min = 0.2
scale_max = 0.95
aspect_ratios = {ratios}
reduce_lowest = true
interpolated = true
"""
    write(
        f"ssd-{element}", decode, 96, ["???", "a", "b", "c", "d", "e"], region, [boxes, scores],
        [detection(c, s, frame[a]) for s, a, c in suppress(frame, found, 0.45)],
    )


def yolo_cells(size):
    return np.array([
        [(x + 0.5) / (size // stride), (y + 0.5) / (size // stride)]
        for stride in (8, 16, 32)
        for y in range(size // stride)
        for x in range(size // stride)
    ])


def yolov8(element, points):
    random = np.random.default_rng(2)
    cells, classes = yolo_cells(64), 1 if points else 4
    rows = np.zeros((len(cells), 4 + classes + 3 * points))
    rows[:, :2], rows[:, 2:4] = cells, 0.1
    rows[:, 4:4 + classes] = random.uniform(0, 0.1, (len(cells), classes))
    for centre, side, label, score in objects(random, 5, classes):
        for anchor in np.argsort(np.abs(cells - centre).sum(1))[:4]:
            rows[anchor, :4] = np.r_[centre, side] + random.normal(0, 0.01, 4)
            rows[anchor, 4 + label] = score * random.uniform(0.6, 1)
            for point in range(points):
                place = centre + side * random.uniform(-0.5, 0.5, 2)
                rows[anchor, 5 + 3 * point:8 + 3 * point] = np.r_[place, random.uniform()]
    tensor, rows = output(rows.T[None], element)
    rows = rows[0].T
    region = [0.25, 0.0, 0.5, 1.0]
    frame = edges(rows[:, :4], region)
    scores = rows[:, 4:4 + classes]
    found = [
        (scores[a].max(), a, scores[a].argmax() + 1)
        for a in range(len(rows)) if scores[a].max() >= 0.3
    ]

    def at(anchor, point):
        x, y, score = rows[anchor, 5 + 3 * point:8 + 3 * point]
        return [region[0] + x * region[2], region[1] + y * region[3], np.clip(score, 0, 1)]

    names = [f"p{point}" for point in range(points)]
    write(
        f"yolov8{'-pose' if points else ''}-{element}",
        f'kind = "yolov8"\n{NMS}points = {json.dumps(names)}\n', 64,
        ["???", "a", "b", "c", "d"][:classes + 1], region, [tensor],
        [
            detection(c, s, frame[a], [at(a, point) for point in range(points)])
            for s, a, c in suppress(frame, found, 0.45)
        ],
    )


def yolov5(element):
    random = np.random.default_rng(3)
    cells = np.repeat(yolo_cells(64), 3, 0)
    rows = np.zeros((len(cells), 8))
    rows[:, :2], rows[:, 2:4] = cells, 0.1
    rows[:, 4:] = random.uniform(0, 0.2, (len(cells), 4))
    for centre, side, label, score in objects(random, 5, 3):
        for anchor in np.argsort(np.abs(cells - centre).sum(1), kind="stable")[:6]:
            rows[anchor, :4] = np.r_[centre, side] + random.normal(0, 0.01, 4)
            rows[anchor, 4] = random.uniform(0.6, 1)
            rows[anchor, 5 + label] = score
    rows[:, :4] *= 64 if element == "f32" else 1
    tensor, rows = output(rows[None], element)
    rows = rows[0]
    rows[:, :4] /= 64 if element == "f32" else 1
    region = [0.0, 0.0, 1.0, 1.0]
    frame = edges(rows[:, :4], region)
    scores = np.clip(rows[:, 4:5], 0, 1) * np.clip(rows[:, 5:], 0, 1)
    found = [
        (scores[a].max(), a, scores[a].argmax() + 1)
        for a in range(len(rows)) if scores[a].max() >= 0.3
    ]
    unit = "pixels" if element == "f32" else "normalised"
    write(
        f"yolov5-{element}", f'kind = "yolov5"\n{NMS}coordinates = "{unit}"\n', 64,
        ["???", "a", "b", "c"], region, [tensor],
        [detection(c, s, frame[a]) for s, a, c in suppress(frame, found, 0.45)],
    )


def blazeface(element):
    random = np.random.default_rng(4)
    grid = anchors(64, [8, 16, 16, 16], 0.1484375, 0.75, [1.0], False, True, True)
    numbers, logits = np.zeros((len(grid), 8)), random.normal(-5, 1, (len(grid), 1))
    for centre, side, _, score in objects(random, 5, 1):
        points = centre + side * random.uniform(-0.5, 0.5, (2, 2))
        for anchor in np.argsort(np.abs(grid[:, :2] - centre).sum(1))[:6]:
            at = grid[anchor, :2]
            numbers[anchor] = np.r_[centre - at, side, points[0] - at, points[1] - at] * 64
            numbers[anchor] += random.normal(0, 0.5, 8)
            logits[anchor] = np.log(score / (1 - score)) + random.normal(0, 0.3)
    regressors, numbers = output(numbers[None], element)
    classifiers, logits = output(logits[None], element)
    numbers, scores = numbers[0] / 64, sigmoid(logits[0, :, 0])
    centres = np.concatenate([numbers[:, :2] + grid[:, :2], numbers[:, 2:4]], 1)
    places = numbers[:, 4:].reshape(-1, 2, 2) + grid[:, None, :2]
    region = [0.0, 0.0, 1.0, 1.0]
    frame = edges(centres, region)
    left = [(s, a) for a, s in enumerate(scores) if s >= 0.3 and (frame[a, 2:] > frame[a, :2]).all()]
    left.sort(key=lambda f: (-f[0], f[1]))
    detections = []
    while left:
        best = left[0]
        joins = [f for f in left if f is best or iou(frame[f[1]], frame[best[1]]) > 0.45]
        weights = np.array([f[0] for f in joins])
        mean = lambda values: np.tensordot(weights, values, 1) / weights.sum()
        box = mean(np.array([frame[f[1]] for f in joins]))
        points = mean(np.array([places[f[1]] for f in joins]))
        detections.append(detection(1, best[0], box, [[*point, best[0]] for point in points]))
        left = [f for f in left if not any(f is other for other in joins)]
    write(
        f"blazeface-{element}", f'kind = "blazeface"\n{NMS}points = ["left", "right"]\n', 64,
        ["???", "face"], region, [regressors, classifiers], detections,
    )


for kind in "f32", "i8", "u8":
    ssd(kind)
    yolov8(kind, 0)
    yolov5(kind)
    blazeface(kind)
yolov8("f32", 3)
