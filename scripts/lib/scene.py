"""What a camera or an accelerometer would deliver, made from a TOML file; the same file gives the same everywhere.

A camera's scene is a directory of frames: pieces of photographs that move over one another, scaled
by Pillow's integer arithmetic and laid at whole pixels, with hard edges.

    size = [640, 480]
    frames = 80
    [[photograph]]                   # as in a model's source.toml
    member = "skimage/data/brick.png"
    sha256 = "…"
    [[layer]]                        # the lowest first
    photograph = 0                   # its place in the list
    crop = [0, 0, 512, 384]          # x, y, width, height in the photograph
    size = [640, 480]                # scaled to
    shape = "rectangle"              # or "oval"
    path = [[0, 0, 0], [79, 0, 0]]   # frame, x, y of the top left corner; in between in a straight line

An accelerometer's is samples.csv in the same directory, one acceleration in m/s² a line, of the
simulated motor of lib.training.motor:

    [vibration]
    seed = 1
    rate_hz = 4000
    [[vibration.phase]]              # one after the other
    seconds = 10
    fault = "bearing"                # absent: none
    severity = 0.5
"""

from __future__ import annotations

import io
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from lib import pinned
from lib.report import BuildError
from lib.training import motor


@dataclass
class Layer:
    """A piece of a photograph and its way over the frame."""

    piece: Image.Image
    mask: Image.Image
    path: list[list[int]]

    def place(self, frame: int) -> tuple[int, int] | None:
        """Its top left corner in a frame; none before and after its path."""
        for (start, *here), (end, *there) in pairwise(self.path):
            if start <= frame <= end:
                part, whole = frame - start, max(1, end - start)
                return tuple(a + ((b - a) * part + whole // 2) // whole for a, b in zip(here, there, strict=True))
        return None


@dataclass
class Scene:
    """A scene with its photographs."""

    size: tuple[int, int]
    frames: int
    layers: list[Layer]

    def pictures(self) -> Iterator[Image.Image]:
        for frame in range(self.frames):
            picture = Image.new("RGB", self.size)
            for layer in self.layers:
                if place := layer.place(frame):
                    picture.paste(layer.piece, place, layer.mask)
            yield picture

    def write(self, folder: Path) -> None:
        """The frames as 0000.png, 0001.png, …"""
        folder.mkdir(parents=True, exist_ok=True)
        for number, picture in enumerate(self.pictures()):
            picture.save(folder / f"{number:04}.png", compress_level=1)


@dataclass
class Vibration:
    """Phases of a motor's life."""

    seed: int
    rate: float
    phases: list[dict]

    def samples(self) -> np.ndarray:
        random = np.random.Generator(np.random.PCG64(self.seed))
        parts = []
        for phase in self.phases:
            count = round(phase["seconds"] * self.rate)
            parts.append(motor.simulate(random, count, self.rate, phase.get("fault"), phase.get("severity", 0.0)))
        return np.concatenate(parts)

    def write(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "samples.csv").write_text("".join(f"{value:.6f}\n" for value in self.samples()))


def load(path: Path, place: Path | None) -> Scene | Vibration:
    """The scene of a file, its photographs from a wheel or a directory."""
    try:
        text = tomllib.loads(path.read_text())
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise BuildError(f"{path}: {error}") from error
    if vibration := text.get("vibration"):
        return Vibration(vibration["seed"], vibration["rate_hz"], vibration["phase"])
    if place is None:
        raise BuildError(f"{path}: its pictures are made of photographs; say where they are")
    photographs = [Image.open(io.BytesIO(content)).convert("RGB") for content in pinned.photographs(place, text["photograph"])]
    layers = []
    for layer in text["layer"]:
        x, y, width, height = layer["crop"]
        size = tuple(layer["size"])
        piece = photographs[layer["photograph"]].crop((x, y, x + width, y + height)).resize(size, Image.Resampling.BILINEAR)
        mask = Image.new("L", size, 255)
        if layer.get("shape", "rectangle") == "oval":
            mask.paste(0, (0, 0, *size))
            ImageDraw.Draw(mask).ellipse((0, 0, size[0] - 1, size[1] - 1), fill=255)
        layers.append(Layer(piece, mask, layer["path"]))
    return Scene(tuple(text["size"]), text["frames"], layers)
