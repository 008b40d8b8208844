"""Every example of docs/examples: its scene is made, recorded and replayed, and decides what its README says.

Needs a native `edgeai` (EDGEAI_BINARY), its runtime (EDGEAI_LITERT), the model directories
(EDGEAI_EXAMPLE_MODELS) and the wheel with the photographs (EDGEAI_PHOTOGRAPHS); scripts/test gives them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

import recording
from conftest import REPOSITORY, SCRIPTS
from recording import Decision, decisions, spans

EXAMPLES = REPOSITORY / "docs/examples"
NAMES = sorted(path.parent.name for path in EXAMPLES.glob("*/appliance.toml"))
FRAME = 100  # ms
NEEDED = ("EDGEAI_BINARY", "EDGEAI_EXAMPLE_MODELS", "EDGEAI_PHOTOGRAPHS")

pytestmark = pytest.mark.skipif(
    not all(os.environ.get(name) for name in NEEDED),
    reason=f"{' and '.join(n for n in NEEDED if not os.environ.get(n))} not set: nothing to run",
)


def edgeai(*words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [os.environ["EDGEAI_BINARY"], *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)


def make(name: str, folder: Path) -> Path:
    """The recording of an example, and what it was made from, in `folder`."""
    example = EXAMPLES / name
    scene = [sys.executable, str(SCRIPTS / "make-scene"), "--scene", str(example / "scene.toml"), "--output", str(folder / "scene")]
    subprocess.run([*scene, "--photographs", os.environ["EDGEAI_PHOTOGRAPHS"]], check=True, timeout=300)
    # As its README says: the camera is the scene.
    text = (example / "appliance.toml").read_text().replace('"/dev/video0"', '"replay:scene"')
    (folder / "appliance.toml").write_text(text)
    words: list[str | Path] = ["--appliance", folder / "appliance.toml", "--models", os.environ["EDGEAI_EXAMPLE_MODELS"]]
    if (example / "script.txt").exists():
        words += ["--script", example / "script.txt"]
    if (folder / "scene/samples.csv").exists():
        words += ["--samples", f"{tomllib.loads(text)['sensor'][0]['name']}={folder / 'scene/samples.csv'}"]
    else:
        words += ["--frames", str(len(list((folder / "scene").glob("*.png"))))]
    result = edgeai("record", *words, "--output", folder / "recording.edgerec")
    assert result.returncode == 0, result.stderr
    return folder / "recording.edgerec"


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    made: dict[str, Path] = {}

    def find(name: str) -> Path:
        if name not in made:
            made[name] = make(name, tmp_path_factory.mktemp(name))
        return made[name]

    return find


def close(found: list[tuple[float, float]], expected: list[tuple[float, float]], tolerance: float = 3 * FRAME) -> bool:
    """Whether spans are the expected ones, give or take some frames."""
    pairs = zip(found, expected, strict=False)
    return len(found) == len(expected) and all(abs(a - b) <= tolerance for one, other in pairs for a, b in zip(one, other, strict=True))


# -- what each decides ------------------------------------------------------------------------------


def person_near_machine(made: list[Decision]) -> None:
    # In the left half from frame 33 to 54; after two frames, and for 1 s after. Then the door.
    assert close(spans(made, "stop"), [(3400, 6500), (8000, 8400)])
    assert close(spans(made, "lamp"), [(1300, 7500)])
    assert close(spans(made, "door-open"), [(8000, 8400)], tolerance=0)


def product_counting(made: list[Decision]) -> None:
    assert made[-1].counters == {"passed": 3, "taken-back": 1}
    starts = [start for start, _ in spans(made, "counted")]
    assert len(starts) == 3 and all(abs(a - b) <= 3 * FRAME for a, b in zip(starts, (2900, 5900, 9000), strict=True))


def panel_inspection(made: list[Decision]) -> None:
    assert made[-1].counters == {"rejected": 2}
    # 200 ms after a bad panel is in its place, until 500 ms after it has gone
    assert close(spans(made, "reject"), [(2700, 4000), (5100, 6400)], tolerance=FRAME)


def motor_vibration(made: list[Decision]) -> None:
    window = 256
    # Before there are 10 s of samples nothing is known of the vibration, and the outputs are safe.
    (unknown, known), *stops = spans(made, "stop")
    assert unknown <= window and 10_000 <= known <= 10_000 + 2 * window
    # The bearing is told by its spectrum, from 15 s to 25 s, long before the vibration is strong.
    ((start, end),) = spans(made, "unlike-normal")[:1]
    assert 17_000 <= start <= 18_000 and 30_000 <= end <= 31_000
    assert not [span for span in spans(made, "strong") if span[0] < 40_000]
    # What came off the fan is told by its strength, and stops the motor until somebody resets it, once it runs quietly.
    ((strong, _),) = spans(made, "strong")
    ((start, end),) = stops
    assert 40_000 < strong < start < 46_000
    assert end == 65_000


def room_presence(made: list[Decision]) -> None:
    assert made[-1].counters == {"visits": 1, "meetings": 1}
    assert close(spans(made, "occupied"), [(3000, 11400)])
    assert close(spans(made, "two-or-more"), [(4900, 7500)])
    assert close(spans(made, "call"), [(1500, 2800), (10900, 11900)])


EXPECTED = {
    "person-near-machine": person_near_machine,
    "product-counting": product_counting,
    "panel-inspection": panel_inspection,
    "motor-vibration": motor_vibration,
    "room-presence": room_presence,
}


def test_every_example_has_its_expectations() -> None:
    assert sorted(EXPECTED) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_the_description_is_accepted(name: str) -> None:
    result = edgeai("check", EXAMPLES / name / "appliance.toml")
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("name", NAMES)
def test_it_decides_what_it_should(name: str, recorded: Callable[[str], Path]) -> None:
    EXPECTED[name](decisions(recorded(name)))


@pytest.mark.parametrize("start", ["findings", "frames"])
@pytest.mark.parametrize("name", NAMES)
def test_its_recording_replays_to_the_same_decisions(name: str, start: str, recorded: Callable[[str], Path]) -> None:
    result = edgeai("replay", recorded(name), "--from", start, "--models", os.environ["EDGEAI_EXAMPLE_MODELS"], "--json")
    assert result.returncode == 0, result.stderr
    report = json.loads(result.stdout)
    assert report["evaluations"] == len(decisions(recorded(name)))
    assert (report["different"], report["not_compared"], report["sightings_different"], report["without_frame"]) == (0, 0, 0, 0)
    assert (report["sightings"] > 0) == (start == "frames")


@pytest.mark.parametrize("name", ["motor-vibration", "panel-inspection"])
def test_the_runtime_scores_as_the_training_did(name: str, recorded: Callable[[str], Path]) -> None:
    """Feature, quantisation, model and score on the device are those that the model's figures were measured with."""
    np = pytest.importorskip("numpy")
    from lib.training import learning, motor, surface

    scene = recorded(name).parent / "scene"
    model = tomllib.loads((EXAMPLES / name / "appliance.toml").read_text())["model"]
    directory = Path(os.environ["EDGEAI_EXAMPLE_MODELS"]) / (model[0] if isinstance(model, list) else model)["file"]
    described = tomllib.loads((directory / "model.toml").read_text())
    if name == "motor-vibration":
        taken, scale = described["input"], (described["input"]["mean"][0], described["input"]["std"][0])
        rows = motor.normalised(motor.read_csv(scene / "samples.csv", taken["samples"]), scale)
    else:
        pictures = [surface.grey(path.read_bytes())[112:368, 192:448] for path in sorted(scene.glob("*.png"))]
        rows = surface.rows(pictures, described["input"]["size"][0])
    errors = learning.errors((directory / "model.tflite").read_bytes(), rows)
    expected = (errors - described["decode"]["mean"]) / described["decode"]["std"]
    found = np.array(recording.values(recorded(name)))[:, 0]
    assert len(found) == len(expected) > 50
    # Another runtime's kernels may round an int8 the other way; no score of 4 becomes one of 5 by that.
    assert np.abs(found - expected).max() < 0.05 + 0.02 * np.abs(expected).max()
    assert np.corrcoef(found, expected)[0, 1] > 0.999


def test_recording_again_gives_the_same_file(recorded: Callable[[str], Path], tmp_path: Path) -> None:
    name = "panel-inspection"
    assert make(name, tmp_path).read_bytes() == recorded(name).read_bytes()


def test_the_room_keeps_no_picture() -> None:
    described = tomllib.loads((EXAMPLES / "room-presence/appliance.toml").read_text())
    assert described["recording"]["frames"] is False
    assert not [rule["name"] for rule in described["rule"] if rule["then"].get("snapshot")]


# From frames: one for each model, for an emulated processor takes a second for a frame of the largest.
OTHER = [
    *((name, "findings") for name in NAMES),
    *((name, "frames") for name in ("motor-vibration", "panel-inspection", "person-near-machine")),
]


@pytest.mark.parametrize(("name", "start"), OTHER)
def test_the_other_architecture_decides_the_same(name: str, start: str, recorded: Callable[[str], Path], tmp_path: Path) -> None:
    """Recorded on x86-64, replayed by the image's own program and runtime library: bit for bit, the model's run included."""
    if not (given := os.environ.get("EDGEAI_OTHER")):
        pytest.skip("EDGEAI_OTHER not set: no program of another architecture")
    other = json.loads(given)
    (tmp_path / "lib").symlink_to(other["libraries"])
    words = ["replay", recorded(name), "--from", start, "--models", os.environ["EDGEAI_EXAMPLE_MODELS"], "--json"]
    command = [other["emulator"], "-L", str(tmp_path), other["binary"], *map(str, words)]
    environment = {**os.environ, "EDGEAI_LITERT": other["runtime"]}
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900, check=False)
    assert result.returncode == 0, result.stderr
    told = json.loads(result.stdout)
    assert told["evaluations"] > 0 and told["different"] == 0
    assert start == "findings" or (told["sightings"] > 0 and told["sightings_different"] == 0)
