"""Pictures of a part that always lies at the same place, good and with defects."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

from lib import pinned
from lib.report import BuildError
from lib.training.material import Material

DEFECTS = ("scratch", "stain", "hole", "foreign")


def grey(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content)).convert("L"))


def scaled(picture: np.ndarray, side: int) -> np.ndarray:
    """Stretched to `side` × `side` as the runtime does it: bilinear, half-pixel centres, no antialiasing."""
    for axis, length in enumerate(picture.shape):
        centre = np.clip((np.arange(side) + 0.5) * length / side - 0.5, 0, length - 1)
        lower = np.floor(centre).astype(int)
        weight = (centre - lower).reshape((-1, 1) if axis == 0 else (1, -1))
        below, above = (picture.take(np.minimum(index, length - 1), axis) for index in (lower, lower + 1))
        picture = below * (1 - weight) + above * weight
    return np.rint(picture).astype(np.uint8)


def rows(pictures: list[np.ndarray], side: int) -> np.ndarray:
    """Input tensors: pixels 0 ..= 255 as −1 ..= 1."""
    return np.stack([scaled(picture, side).reshape(-1) for picture in pictures]) / 127.5 - 1


def exposed(random: np.random.Generator, picture: np.ndarray) -> np.ndarray:
    """Taken once more: up to 10 % more or less light, a sensor's noise."""
    light = random.integers(90, 111) / 100
    noise = random.integers(-3, 4, picture.shape) + random.integers(-3, 4, picture.shape)
    return np.clip(np.rint(picture * light + noise), 0, 255).astype(np.uint8)


def good(random: np.random.Generator, count: int, photograph: np.ndarray, place: list[int], play: int) -> list[np.ndarray]:
    """Pictures of the part at x, y, side of a photograph, up to `play` pixels off in every direction."""
    x, y, side = place
    taken = []
    for _ in range(count):
        right, down = random.integers(-play, play + 1, 2)
        taken.append(exposed(random, photograph[y + down : y + down + side, x + right : x + right + side]))
    return taken


def spoil(random: np.random.Generator, picture: np.ndarray, defect: str, foreign: np.ndarray) -> np.ndarray:
    """The picture with one defect; `foreign` is the grey photograph that foreign bodies are of."""
    side = len(picture)
    y, x = np.mgrid[0:side, 0:side]
    spoilt = picture.astype(np.float64)
    centre = random.uniform(0.25, 0.75, 2) * side
    across, down = x - centre[0], y - centre[1]
    match defect:
        case "scratch":  # brighter, 1.2 % of the side wide, a third to two thirds of it long
            angle, length = random.uniform(0, np.pi), random.uniform(0.33, 0.66) * side
            along, beside = across * np.cos(angle) + down * np.sin(angle), down * np.cos(angle) - across * np.sin(angle)
            spoilt[(np.abs(along) < length / 2) & (np.abs(beside) < 0.006 * side)] += random.uniform(60, 100)
        case "stain":  # half as bright, soft-edged, a fifth to two fifths across
            radius = random.uniform(0.1, 0.2) * side
            spoilt *= 1 - 0.5 * np.clip(1.5 - np.hypot(across, down) / radius, 0, 1)
        case "hole":  # black, a tenth across
            spoilt[np.hypot(across, down) < 0.05 * side] = 10
        case "foreign":  # an oval of another photograph, a third across
            top, left = (random.integers(length - side) for length in foreign.shape)
            inside = np.hypot(across / 1.3, down) < side / 8
            spoilt[inside] = foreign[top : top + side, left : left + side][inside]
        case _:
            raise ValueError(defect)
    return np.clip(np.rint(spoilt), 0, 255).astype(np.uint8)


def photographed(training: dict, side: int, photographs: Path) -> Material:
    """The part is a piece of the first photograph that source.toml lists, foreign bodies are of the second."""
    part, foreign = (grey(content) for content in pinned.photographs(photographs, training["photograph"]))
    random = np.random.Generator(np.random.PCG64(training["data_seed"]))
    counts = (training["pictures"], training["held_out"], training["held_out"])
    sets = [good(random, count, part, training["place"], training["play"]) for count in counts]
    defects = {defect: rows([spoil(random, picture, defect, foreign) for picture in sets[-1]], side) for defect in DEFECTS}
    return Material(*(rows(pictures, side) for pictures in sets), defects)


def collected(folder: Path, side: int) -> Material:
    """Own pictures of good parts, as the model's `crop` shows them: of every ten six to learn from, two and two held out."""
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in (".png", ".jpg", ".jpeg")) if folder.is_dir() else []
    if len(files) < 50:
        raise BuildError(f"{folder}: {len(files)} pictures (.png, .jpg); at least 50 are needed, better some hundreds")
    random = np.random.Generator(np.random.PCG64(0))
    parts: list[list[np.ndarray]] = [[], [], []]
    for number, path in enumerate(files):
        parts[(number % 10 > 5) + (number % 10 > 7)].append(grey(pinned.read_file(path)))
    parts[0] = [exposed(random, picture) for picture in parts[0] for _ in range(3)]
    return Material(*(rows(pictures, side) for pictures in parts))
