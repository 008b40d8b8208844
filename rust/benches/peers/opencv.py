"""OpenCV's Python binding, as the bench's child: one frame for each line on stdin, its time on stdout.

Arguments: YUYV|NV12 width height target-width target-height letterbox|stretch u8|i8 frame-file tensor-file
"""

import sys
import time

import cv2
import numpy as np

kind, width, height, target_width, target_height, fit, element, frame_file, tensor_file = sys.argv[1:]
width, height, target_width, target_height = map(int, (width, height, target_width, target_height))
cv2.setNumThreads(1)
raw = np.fromfile(frame_file, np.uint8)
frame = raw.reshape(height, width, 2) if kind == "YUYV" else raw.reshape(height * 3 // 2, width)
code = cv2.COLOR_YUV2RGB_YUY2 if kind == "YUYV" else cv2.COLOR_YUV2RGB_NV12


def tensor() -> np.ndarray:
    picture = cv2.cvtColor(frame, code)
    if fit == "letterbox":
        scale = min(target_width / width, target_height / height)
        inner = round(width * scale), round(height * scale)
        picture = cv2.resize(picture, inner, interpolation=cv2.INTER_LINEAR)
        left, top = (target_width - inner[0]) // 2, (target_height - inner[1]) // 2
        right, bottom = target_width - inner[0] - left, target_height - inner[1] - top
        picture = cv2.copyMakeBorder(picture, top, bottom, left, right, cv2.BORDER_CONSTANT, value=(114, 114, 114))
    else:
        picture = cv2.resize(picture, (target_width, target_height), interpolation=cv2.INTER_LINEAR)
    # The quickest way to pixel - 128; with floats, as it is often written, it takes several times as long.
    return picture if element == "u8" else (picture ^ 128).view(np.int8)


tensor().tofile(tensor_file)
print(cv2.__version__, flush=True)
for _ in sys.stdin:
    start = time.perf_counter_ns()
    tensor()
    print(time.perf_counter_ns() - start, flush=True)
