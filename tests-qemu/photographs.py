"""Photographs with known content, out of pinned wheels, as the camera would deliver them."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

MEMBERS = {
    "astronaut": ("scikit_image-*.whl", "skimage/data/astronaut.png"),  # public domain (NASA)
    "coffee": ("scikit_image-*.whl", "skimage/data/coffee.png"),  # CC0
    "china": ("scikit_learn-*.whl", "sklearn/datasets/images/china.jpg"),  # CC-BY
}


def file_bytes(wheels: Path, name: str) -> tuple[str, bytes]:
    """File name and content of a photograph."""
    pattern, member = MEMBERS[name]
    with zipfile.ZipFile(next(wheels.glob(pattern))) as wheel:
        return Path(member).name, wheel.read(member)


def yuyv(content: bytes, width: int, height: int) -> bytes:
    """A photograph stretched to the frame, as packed 4:2:2 in BT.601 limited range.

    Coefficients: ITU-R BT.601-7, 2.5.1 to 2.5.3.
    """
    image = Image.open(io.BytesIO(content)).convert("RGB").resize((width, height), Image.Resampling.BILINEAR)
    r, g, b = np.moveaxis(np.asarray(image, np.float64) / 255.0, -1, 0)
    y = 0.299 * r + 0.587 * g + 0.114 * b
    cb, cr = (b - y) / 1.772, (r - y) / 1.402
    frame = np.empty((height, width, 2), np.float64)
    frame[..., 0] = 16 + 219 * y
    frame[:, 0::2, 1] = 128 + 224 * (cb[:, 0::2] + cb[:, 1::2]) / 2
    frame[:, 1::2, 1] = 128 + 224 * (cr[:, 0::2] + cr[:, 1::2]) / 2
    return np.clip(np.rint(frame), 0, 255).astype(np.uint8).tobytes()


def rgb(frame: bytes, width: int, height: int) -> Image.Image:
    """What a frame of `yuyv` shows: a faint picture loses much in its 8 bits."""
    pairs = np.frombuffer(frame, np.uint8).astype(np.float64).reshape(height, width // 2, 4)
    y = (pairs[..., 0::2].reshape(height, width) - 16) / 219
    cb, cr = (np.repeat(pairs[..., place] - 128, 2, axis=1) / 224 for place in (1, 3))
    r, b = y + 1.402 * cr, y + 1.772 * cb
    g = (y - 0.299 * r - 0.114 * b) / 0.587
    return Image.fromarray(np.clip(np.rint(np.stack([r, g, b], axis=-1) * 255), 0, 255).astype(np.uint8))
