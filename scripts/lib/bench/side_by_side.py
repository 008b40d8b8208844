"""Runs inside the SDK root: edgeai and its peers in turn on the same frames; the result goes to a file as JSON.

Its argument is one JSON object, made by lib.bench.pipeline.
"""

from __future__ import annotations

import io
import json
import sys
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

from lib.bench import contenders
from lib.bench.contenders import Edgeai, Loop, Scene
from lib.report import BuildError, fail, say

PHOTOGRAPH = "skimage/data/astronaut.png"


def planes(rgb: np.ndarray, format: str) -> bytes:
    """RGB as YUYV or NV12, BT.601 limited range (ITU-R BT.601-7, 2.5), chroma averaged over its pixels."""
    r, g, b = np.moveaxis(rgb.astype(np.float64) / 255, -1, 0)
    luma = 0.299 * r + 0.587 * g + 0.114 * b
    chroma = np.stack([(b - luma) / 1.772, (r - luma) / 1.402], axis=-1)
    chroma = (chroma[:, 0::2] + chroma[:, 1::2]) / 2
    if format == "NV12":
        chroma = (chroma[0::2] + chroma[1::2]) / 2
    luma, chroma = (np.rint(x).astype(np.uint8) for x in (16 + 219 * luma, 128 + 224 * chroma))
    if format == "NV12":
        return luma.tobytes() + chroma.tobytes()
    packed = np.empty((*luma.shape, 2), np.uint8)
    packed[..., 0] = luma
    packed[..., 1] = chroma.reshape(luma.shape)
    return packed.tobytes()


def scenes(folder: Path, photographs: Path, sources: list[list], rates: list[int]) -> list[Scene]:
    with zipfile.ZipFile(photographs) as wheel:
        photograph = Image.open(io.BytesIO(wheel.read(PHOTOGRAPH))).convert("RGB")
    found = []
    for format, width, height in sources:
        picture = photograph.resize((width, height), Image.Resampling.BILINEAR)
        files = [folder / f"{format}-{width}x{height}{suffix}" for suffix in (".png", ".raw")]
        picture.save(files[0])
        files[1].write_bytes(planes(np.asarray(picture), format))
        found += [Scene(*files, format, width, height, rate) for rate in rates]
    return found


def agree(scene: Scene, results: dict[str, list[dict]]) -> None:
    """The loops must have found the same: the same model on the same picture."""
    best = {}
    for name, rounds in results.items():
        for one in rounds:
            if "found" in one:
                best[name] = max((f["score"] for f in one["found"] if f["label"] == contenders.RULE["class"]), default=0)
    if best and max(best.values()) - min(best.values()) > 0.05:
        raise BuildError(f"{scene.name}: the peers see differently: {best}")


def main() -> int:
    order = json.loads(sys.argv[1])
    model, threads = Path(order["model"]), order["threads"]
    makers = {"edgeai": lambda scene: Edgeai("edgeai", Path(order["edgeai"]), model, scene, threads, order["edgeai_environment"])}
    for name, peer in order["peers"].items():
        makers[name] = lambda scene, name=name, peer=peer: Loop(name, peer["program"], model, scene, threads, peer["environment"])
    cases = []
    try:
        contenders.place_line()
        made = scenes(Path("/tmp"), Path(order["photographs"]), order["sources"], order["rates"])
        for number, scene in enumerate(made, 1):
            results: dict[str, list[dict]] = {name: [] for name in makers}
            for turn in range(order["rounds"]):
                say(f"{scene.name} ({number} of {len(made)}), round {turn + 1} of {order['rounds']}")
                for name, make in makers.items():
                    results[name].append(contenders.measure(make(scene), order["warm_up_s"], order["seconds"]))
            agree(scene, results)
            cases.append({"case": scene.name, "fps": scene.fps, "runs": results})
    except BuildError as error:
        return fail(error)
    Path(order["result"]).write_text(json.dumps(cases))
    return 0


if __name__ == "__main__":
    sys.exit(main())
