"""Training gives the recorded models, bit for bit, and what they are for is measured, not claimed."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

np = pytest.importorskip("numpy", reason="numpy is not installed (scripts/lock/python.txt)")
pytest.importorskip("ai_edge_litert", reason="ai-edge-litert is not installed (scripts/lock/python.txt)")
pytest.importorskip("PIL", reason="Pillow is not installed (scripts/lock/python.txt)")

from conftest import SCRIPTS  # noqa: E402
from lib import pinned  # noqa: E402
from lib.debian import sha256  # noqa: E402
from lib.training import autoencoder, motor, surface  # noqa: E402
from lib.training.spectrum import log_spectrum  # noqa: E402

TRAINED = sorted(path.parent.name for path in pinned.MODELS.glob("*/source.toml") if "training" in tomllib.loads(path.read_text()))
# Kernels of the BLAS and of numpy for the oldest and for newer processors, one thread and two: sums in other orders.
PROCESSORS = [
    {"OPENBLAS_CORETYPE": "Prescott", "OPENBLAS_NUM_THREADS": "2", "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4"},
    {"OPENBLAS_CORETYPE": "Haswell", "OPENBLAS_NUM_THREADS": "1"},
]


@pytest.fixture(scope="session")
def photographs() -> Path:
    """The wheel with the photographs."""
    if not (named := os.environ.get("EDGEAI_PHOTOGRAPHS")):
        pytest.skip("EDGEAI_PHOTOGRAPHS is not set: no wheel of scripts/lock/photographs.txt to learn from")
    return Path(named)


def train(*words: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPTS / "train-model"), *map(str, words)]
    return subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, timeout=600, check=False)


# -- the recorded models ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", TRAINED)
def test_training_gives_the_recorded_model_and_figures(name: str, photographs: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    result = train("--model", name, "--photographs", photographs, "--output", tmp_path / name, "--report", report)
    assert result.returncode == 0, result.stderr
    source = tomllib.loads((pinned.MODELS / name / "source.toml").read_text())
    made = tmp_path / name / "model.tflite"
    assert (made.stat().st_size, sha256(made)) == (source["result"]["size"], source["result"]["sha256"])
    # mean and std in model.toml are those that were measured
    assert (tmp_path / name / "model.toml").read_text() == (pinned.MODELS / name / "model.toml").read_text()
    measured = json.loads(report.read_text())
    recorded = source["evaluation"]
    assert measured["held_out"]["greatest"] == recorded.pop("greatest_normal")
    assert {key: value for key, value in measured.items() if key in recorded} == recorded


EXACT = """
import hashlib, sys
import numpy as np
sys.path.insert(0, sys.argv[1])
from lib.training import autoencoder, motor
random = np.random.Generator(np.random.PCG64(1))
a, b = random.random((40, 700)) - 0.5, random.random((700, 300)) - 0.5
rows = motor.normalised(motor.windows(random, 64, 512, 4000.0), (-5.0, 1.0))
layers = autoencoder.train(rows, autoencoder.Schedule((16, 4, 16), 5, 16, 2e-3, 1))
trained = b"".join(layer.weights.tobytes() + layer.bias.tobytes() for layer in layers)
print(hashlib.sha256(trained).hexdigest(), hashlib.sha256((a @ b).tobytes()).hexdigest())
"""


def test_training_is_the_same_on_every_processor() -> None:
    trained, plain = set(), set()
    for processor in PROCESSORS:
        environment = {**os.environ, "PYTHONWARNINGS": "ignore", **processor}
        command = [sys.executable, "-c", EXACT, str(SCRIPTS)]
        result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=True)
        weights, product = result.stdout.split()
        trained.add(weights)
        plain.add(product)
    if len(plain) == 1:
        pytest.skip("this machine's BLAS adds in one order only: nothing to tell apart")
    assert len(trained) == 1


# -- the arithmetic ---------------------------------------------------------------------------------


def test_products_are_exact() -> None:
    random = np.random.Generator(np.random.PCG64(2))
    a, b = random.standard_normal((3, 500)) * 1e3, random.standard_normal((500, 2)) * 1e-3
    steps = [float(np.ldexp(1.0, int(np.frexp(np.abs(m).max())[1]) - autoencoder.BITS)) for m in (a, b)]
    whole = [[round(float(v) / step) for v in m.reshape(-1)] for m, step in zip((a, b), steps, strict=True)]
    for row in range(3):
        for column in range(2):
            exact = sum(whole[0][row * 500 + k] * whole[1][k * 2 + column] for k in range(500))
            assert autoencoder.product(a, b)[row, column] == exact * steps[0] * steps[1]


def test_gradients_are_those_of_the_error() -> None:
    random = np.random.Generator(np.random.PCG64(3))
    batch = random.standard_normal((8, 6))
    layers = [autoencoder.Layer(random.standard_normal(shape), random.standard_normal(shape[1])) for shape in ((6, 5), (5, 6))]

    def error() -> float:
        return float(np.mean((list(autoencoder.forward(layers, batch))[-1] - batch) ** 2))

    found = autoencoder.gradients(layers, batch)
    for layer, (weights, bias) in zip(layers, zip(found[::2], found[1::2], strict=True), strict=True):
        for part, slope in ((layer.weights, weights), (layer.bias, bias)):
            place = (1,) * part.ndim
            here, step = part[place], 1e-3
            part[place] = here + step
            above = error()
            part[place] = here - step
            below = error()
            part[place] = here
            assert slope[place] == pytest.approx((above - below) / (2 * step), rel=2e-2, abs=1e-4)


def test_training_reduces_the_error_on_what_it_has_not_seen() -> None:
    random = np.random.Generator(np.random.PCG64(4))
    base = random.standard_normal((3, 40))
    rows = random.standard_normal((400, 3)) @ base
    layers = autoencoder.train(rows[:320], autoencoder.Schedule((16, 4, 16), 40, 16, 5e-3, 1))
    left = list(autoencoder.forward(layers, rows[320:]))[-1] - rows[320:]
    assert np.mean(left**2) < 0.1 * np.mean(rows[320:] ** 2)


# -- the data ---------------------------------------------------------------------------------------


def test_every_fault_of_the_motor_raises_what_it_is_known_by() -> None:
    rate, count = 4000.0, 8192
    made = {}
    for fault in (None, *motor.FAULTS):
        windows = motor.windows(np.random.Generator(np.random.PCG64(5)), 8, count, rate, fault, 1.0)
        made[fault] = np.exp(log_spectrum(windows)).mean(axis=0)

    def raised(fault: str, low: float, high: float) -> float:
        band = slice(int(low * count / rate), int(high * count / rate))
        return float((made[fault][band] ** 2).sum() / (made[None][band] ** 2).sum())

    assert raised("unbalance", 22, 27) > 20 > 2 > raised("unbalance", 40, 60)
    assert raised("misalignment", 46, 52) > 100 and raised("misalignment", 69, 77) > 100
    assert raised("bearing", 1100, 1400) > 100 and raised("bearing", 22, 27) < 2
    assert raised("looseness", 10, 14) > 20


def test_the_runtimes_bilinear_scaling() -> None:
    picture = np.arange(64, dtype=np.uint8).reshape(8, 8)
    # half the size: the mean of every 2 × 2
    assert surface.scaled(picture, 4)[0, 0] == round((0 + 1 + 8 + 9) / 4)
    # at corners the nearest pixel goes on
    assert surface.scaled(picture, 32)[0, 0] == 0 and surface.scaled(picture, 32)[-1, -1] == 63


# -- own data ---------------------------------------------------------------------------------------


def test_a_model_learns_from_own_samples(tmp_path: Path) -> None:
    samples = motor.simulate(np.random.Generator(np.random.PCG64(6)), 60 * 1024, 4000.0) * 3
    (tmp_path / "own.csv").write_text("radial\n" + "".join(f"{value}\n" for value in samples))
    result = train("--model", "motor-vibration-autoencoder-int8", "--data", tmp_path / "own.csv", "--output", tmp_path / "made")
    assert result.returncode == 0, result.stderr
    own = tomllib.loads((tmp_path / "made/model.toml").read_text())
    recorded = tomllib.loads((pinned.MODELS / "motor-vibration-autoencoder-int8/model.toml").read_text())
    # Three times as strong is ln 3 more.
    assert own["input"]["mean"][0] - recorded["input"]["mean"][0] == pytest.approx(np.log(3), abs=0.2)
    assert own["decode"]["std"] != recorded["decode"]["std"]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("1.0\n" * 100, "100 samples"),
        ("1.0\nx\n", "own.csv:2: 'x' is not a number"),
        ("0.1\n" * 20000, "at least 50"),
        (None, "No such file"),
    ],
    ids=["too few samples", "no number", "too few windows", "no file"],
)
def test_unusable_samples_are_refused(content: str | None, complaint: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "own.csv").write_text(content)
    result = train("--model", "motor-vibration-autoencoder-int8", "--data", tmp_path / "own.csv", "--output", tmp_path / "made")
    assert result.returncode == 1 and "Traceback" not in result.stderr
    assert complaint in result.stderr
    assert not (tmp_path / "made/model.tflite").exists()


def test_a_result_that_is_not_the_recorded_one_is_not_installed(tmp_path: Path) -> None:
    """By a copy of the tools whose record is of something else."""
    skip = shutil.ignore_patterns("__pycache__", "tests")
    shutil.copytree(SCRIPTS, tmp_path / "scripts", ignore=skip)
    name = "motor-vibration-autoencoder-int8"
    recipe = tmp_path / "meta-edgeai/recipes-ml/edgeai-models" / name
    shutil.copytree(pinned.MODELS / name, recipe)
    text = (recipe / "source.toml").read_text()
    other = hashlib.sha256(b"").hexdigest()
    text = re.sub(r'sha256 = "[0-9a-f]+"', f'sha256 = "{other}"', text)
    text = re.sub(r"(?m)^(windows|held_out) = \d+", r"\1 = 64", re.sub(r"(?m)^epochs = \d+", "epochs = 1", text))
    (recipe / "source.toml").write_text(text)
    command = [sys.executable, str(tmp_path / "scripts/train-model"), "--model", name, "--output", str(tmp_path / "made")]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == 3, result.stderr
    assert other in result.stderr and "numpy" in result.stderr
    assert not (tmp_path / "made/model.tflite").exists()
    assert (tmp_path / "made/model.tflite.other").exists()
