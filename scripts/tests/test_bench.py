"""scripts/bench judges as it says, and the loops it measures against do all the work."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import REPOSITORY, SCRIPTS
from lib.bench import contenders, pipeline, stages
from lib.report import BuildError

REFERENCE = REPOSITORY / "tests-qemu/reference"


def case(fps: int, ours: tuple[float, int], theirs: tuple[float, int]) -> dict:
    """A comparison in which each used so much processor time and memory."""

    def runs(cpu: float, memory: int) -> list[dict]:
        latency = {"p50": 1, "p99": 2, "max": 3}
        return [{"fps": 15, "cpu_us_per_frame": cpu * x, "peak_kb": memory, "latency_us": latency, "version": "1"} for x in (1, 9, 1)]

    return pipeline.summary({"case": "a camera", "fps": fps, "runs": {"edgeai": runs(*ours), "OpenCV": runs(*theirs)}})


def test_a_missed_target_is_named() -> None:
    assert pipeline.misses([case(15, (4, 30), (5, 80))]) == []
    assert pipeline.misses([case(15, (5, 30), (5, 80))]) == ["a camera: cpu_us_per_frame 1.00 of OpenCV's, below 1 is wanted"]
    assert pipeline.misses([case(15, (4, 90), (5, 80))]) == ["a camera: peak_kb 1.12 of OpenCV's, below 1 is wanted"]
    # As fast as possible is not at the same rate.
    assert pipeline.misses([case(0, (5, 90), (4, 80))]) == []


def test_a_peer_that_is_not_there_stands_in_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    pipeline.show(case(15, (4, 30), (5, 80)), {"GStreamer": "the mirror is gone"})
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1].split() == ["GStreamer", "not", "measured:", "the", "mirror", "is", "gone"]
    assert lines[-2].split()[-2:] == ["0.80", "0.38"]


def test_stages_are_judged_by_every_peer(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [("edgeai", 1.0, None), ("quick", 1.9, None), ("slow", 4.0, None), ("gone", None, "no wheel")]
    contest = {
        "case": "a frame",
        "rounds": 3,
        "peers": [{"peer": peer, "median_us": ratio, "least_us": ratio, "ratio": ratio, "skipped": why} for peer, ratio, why in rows],
    }
    report = {"subject": "preprocess", "contests": [contest]}
    assert stages.misses(report) == ["preprocess, a frame: quick takes 1.90 times ours, 2 is wanted"]
    assert stages.misses(report | {"subject": "decode"}) == []
    stages.show("preprocess", contest)
    assert capsys.readouterr().out.splitlines()[-1].split() == ["gone", "not", "measured:", "no", "wheel"]


def test_percentiles_are_values_that_occurred() -> None:
    times = [n / 1e6 for n in range(1, 201)]
    assert contenders.percentiles(times) == {"p50": 100, "p99": 198, "max": 200}
    assert contenders.percentiles(times[:1]) == {"p50": 1, "p99": 1, "max": 1}
    assert contenders.percentiles([]) is None


@pytest.mark.parametrize("words", [("RGB24", "640x480"), ("YUYV", "641x480"), ("NV12", "640")])
def test_a_source_that_cannot_be_is_refused(words: tuple[str, str]) -> None:
    with pytest.raises(BuildError, match="expected YUYV or NV12"):
        pipeline.source(*words)


def test_wrong_use_ends_with_2_and_says_how() -> None:
    result = subprocess.run([sys.executable, SCRIPTS / "bench", "pipelines"], capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert "{pipeline,stages,infer,engine,build}" in result.stderr


# -- the loops ----------------------------------------------------------------------------------------


@pytest.fixture
def detector(monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("ai_edge_litert", reason="ai-edge-litert is not installed (scripts/lock/python.txt)")
    monkeypatch.syspath_prepend(str(REFERENCE))
    import detector

    return detector


def test_the_loops_rule_waits_and_holds(detector, tmp_path: Path) -> None:
    line = tmp_path / "line"
    line.write_text("1\n")
    rule = detector.Rule({"class": "Person", "score": 0.5, "zone": [0, 0, 0.5, 1], "for_ms": 100, "hold_ms": 500}, line)
    seen = [("Person", 0.6, [0.1, 0.1, 0.3, 0.3])]
    levels = []
    for now, detections in [(0, seen), (0.0625, seen), (0.125, seen), (0.6, []), (0.625, [])]:
        rule.decide(now, detections)
        levels.append(line.read_text().strip())
    assert levels == ["0", "0", "1", "1", "0"]
    for other in [("Car", 0.6, seen[0][2]), ("Person", 0.4, seen[0][2]), ("Person", 0.6, [0.5, 0.1, 0.9, 0.3])]:
        rule.decide(9, [other])
        rule.decide(10, [other])
        assert line.read_text().strip() == "0"


def test_the_loops_find_what_the_reference_finds(detector, tmp_path: Path) -> None:
    """Their decoding is written for speed; it must not be quicker because it finds less."""
    if not (models := os.environ.get("EDGEAI_EXAMPLE_MODELS")):
        pytest.skip("EDGEAI_EXAMPLE_MODELS is not set: no model")
    import numpy as np
    from PIL import Image

    from lib.bench import side_by_side

    directory = Path(models) / pipeline.MODEL
    (scene,) = side_by_side.scenes(tmp_path, Path(os.environ["EDGEAI_PHOTOGRAPHS"]), [["YUYV", 300, 300]], [15])
    command = [sys.executable, REFERENCE / "infer.py", "--model", directory, "--image", scene.picture]
    expected = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)["detections"]
    found = detector.Detector(directory, 1).detect(np.asarray(Image.open(scene.picture)))
    assert [(one["label"], pytest.approx(one["score"], abs=1e-4), pytest.approx(one["box"], abs=1e-4)) for one in expected] == found
    assert any(one["label"] == contenders.RULE["class"] and one["score"] >= contenders.RULE["score"] for one in expected)
    assert len(scene.raw.read_bytes()) == 300 * 300 * 2
