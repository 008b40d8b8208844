"""The model as a careful Python program uses it: no copy in, decoding only of what is above the threshold.

Nothing here but numpy and ai-edge-litert, so that what a peer's memory holds is what it needs.
"""

import json
import math
import os
import pathlib
import signal
import sys
import time
import tomllib

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from ssd import anchors, overlap


class Detector:
    """An int8 SSD model with anchors; `size` is its input's width and height."""

    def __init__(self, directory, threads):
        directory = pathlib.Path(directory)
        description = tomllib.loads((directory / "model.toml").read_text())
        self.labels = (directory / "labels.txt").read_text().splitlines()
        self.size = tuple(description["input"]["size"])
        options = description["decode"]
        self.interpreter = Interpreter(model_path=str(directory / "model.tflite"), num_threads=threads)
        self.interpreter.allocate_tensors()
        (source,) = self.interpreter.get_input_details()
        details = self.interpreter.get_output_details()
        self.input = source["index"]
        self.boxes, logits = details[options["boxes"]]["index"], details[options["logits"]]
        self.logits = logits["index"]
        self.box_scale = np.array(details[options["boxes"]]["quantization"][0] / np.array(options["box_scale"]), np.float32)
        self.box_zero = details[options["boxes"]]["quantization"][1]
        self.score_scale, self.score_zero = logits["quantization"]
        threshold = options["score_threshold"]
        self.least = math.ceil(math.log(threshold / (1 - threshold)) / self.score_scale + self.score_zero)
        self.nms_iou, self.most = options["nms_iou"], options["max_detections"]
        self.anchors = anchors(options["anchors"], *self.size).astype(np.float32)
        # What each of the 256 pixel values becomes; for most models that is pixel - 128.
        low, high = description["input"]["range"]
        scale, zero = source["quantization"]
        real = np.arange(256) * ((high - low) / 255) + low
        self.table = np.clip(np.rint(real / scale) + zero, -128, 127).astype(np.int8)
        self.plain = bool((self.table == np.arange(256) - 128).all())

    def detect(self, picture):
        """Detections in a uint8[height, width, 3] RGB picture of the input's size: (label, score, box)."""
        # The view must be gone before the model runs, so it is taken anew each time.
        tensor = self.interpreter.tensor(self.input)()[0]
        if self.plain:
            np.bitwise_xor(picture, 128, out=tensor.view(np.uint8))
        else:
            np.take(self.table, picture, out=tensor)
        del tensor
        self.interpreter.invoke()
        return self.decode(self.interpreter.tensor(self.boxes)()[0], self.interpreter.tensor(self.logits)()[0])

    def decode(self, offsets, logits):
        rows, classes = np.nonzero(logits[:, 1:] >= self.least)
        if not len(rows):
            return []
        quantised = logits[rows, classes + 1].astype(np.float32)
        scores = 1 / (1 + np.exp((self.score_zero - quantised) * self.score_scale))
        y, x, h, w = ((offsets[rows].astype(np.float32) - self.box_zero) * self.box_scale).T
        grid = self.anchors[rows].T
        y, x = y * grid[2] + grid[0], x * grid[3] + grid[1]
        h, w = np.exp(h) * grid[2] / 2, np.exp(w) * grid[3] / 2
        found = np.clip(np.stack([x - w, y - h, x + w, y + h], axis=1), 0, 1).tolist()
        kept = []
        for index in np.argsort(-scores, kind="stable").tolist():
            label, box = self.labels[classes[index] + 1], found[index]
            if all(k[0] != label or overlap(k[2], box) <= self.nms_iou for k in kept):
                kept.append((label, float(scores[index]), box))
                if len(kept) == self.most:
                    break
        return kept


class Rule:
    """`class`, `score`, `zone` (a rectangle), `for_ms` and `hold_ms`, and a line that is written when its level changes."""

    def __init__(self, wanted, line):
        self.label, self.score = wanted["class"], wanted["score"]
        self.x_min, self.y_min, self.x_max, self.y_max = wanted["zone"]
        self.confirm, self.hold = wanted["for_ms"] / 1e3, wanted["hold_ms"] / 1e3
        self.line = os.open(line, os.O_WRONLY)
        self.since = self.until = None
        self.level = None
        self.drive(False)

    def drive(self, level):
        if level != self.level:
            self.level = level
            os.pwrite(self.line, b"1\n" if level else b"0\n", 0)

    def decide(self, now, detections):
        seen = any(label == self.label and score >= self.score and self.inside(box) for label, score, box in detections)
        if seen:
            self.since = now if self.since is None else self.since
            if now - self.since >= self.confirm:
                self.until = now + self.hold
        else:
            self.since = None
        self.drive(self.until is not None and now < self.until)

    def inside(self, box):
        x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
        return self.x_min <= x <= self.x_max and self.y_min <= y <= self.y_max


class Loop:
    """Frames until SIGTERM; then when each was captured and decided goes to stdout as JSON."""

    def __init__(self, arguments):
        self.detector = Detector(arguments.model, arguments.threads)
        self.rule = Rule(json.loads(arguments.rule), arguments.line)
        self.captured, self.decided = [], []
        self.found = []
        self.running = True
        signal.signal(signal.SIGTERM, self.stop)

    def stop(self, *_):
        self.running = False

    def frame(self, captured, picture):
        """One frame, captured at a time.monotonic(), or None if that is not known."""
        self.found = self.detector.detect(picture)
        self.rule.decide(time.monotonic(), self.found)
        self.captured.append(captured)
        self.decided.append(time.monotonic())
        if len(self.decided) == 1:
            print("ready", flush=True)

    def report(self, version):
        found = [{"label": label, "score": score, "box": box} for label, score, box in self.found]
        json.dump({"version": version, "captured": self.captured, "decided": self.decided, "found": found}, sys.stdout)
        print(flush=True)


def add_arguments(parser):
    parser.add_argument("--model", required=True, help="model directory")
    parser.add_argument("--frame", type=pathlib.Path, required=True, help="one raw frame, shown over and over")
    parser.add_argument("--format", choices=("YUYV", "NV12"), required=True)
    parser.add_argument("--size", type=int, nargs=2, required=True, help="width and height")
    parser.add_argument("--fps", type=int, default=0, help="frames per second; 0: as fast as possible")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--line", required=True, help="file that stands for the output's line")
    parser.add_argument("--rule", required=True, help="JSON: class, score, zone (x, y, x, y), for_ms, hold_ms")
