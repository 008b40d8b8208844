"""SSD anchors as MediaPipe's SsdAnchorsCalculator makes them, and how far two boxes overlap."""

import numpy as np


def anchors(options, width, height):
    """float64[N, 4]: centre y, centre x, height, width."""
    strides = options["strides"]
    low, high = options["scale_min"], options["scale_max"]

    def scale(layer):
        if len(strides) == 1:
            return (low + high) / 2
        return low + (high - low) * layer / (len(strides) - 1)

    boxes = []
    layer = 0
    while layer < len(strides):
        shapes = []
        stride = strides[layer]
        while layer < len(strides) and strides[layer] == stride:
            if layer == 0 and options.get("reduce_lowest", False):
                pairs = [(0.1, 1.0), (scale(0), 2.0), (scale(0), 0.5)]
            else:
                pairs = [(scale(layer), aspect) for aspect in options["aspect_ratios"]]
                if options.get("interpolated", False):
                    above = 1.0 if layer + 1 == len(strides) else scale(layer + 1)
                    pairs.append(((scale(layer) * above) ** 0.5, 1.0))
            shapes += [(s / a**0.5, s * a**0.5) for s, a in pairs]
            layer += 1
        rows, columns = -(-height // stride), -(-width // stride)
        for row in range(rows):
            for column in range(columns):
                boxes += [((row + 0.5) / rows, (column + 0.5) / columns, h, w) for h, w in shapes]
    return np.array(boxes)


def overlap(a, b):
    """Intersection over union of two (x_min, y_min, x_max, y_max)."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    both = width * height
    area = [(box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)]
    return both / (area[0] + area[1] - both)
