"""`scripts/bench pipeline`: camera to decision by `edgeai run`, an OpenCV loop and a GStreamer pipeline, in turn."""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path

from lib.bench import prepare
from lib.bench.prepare import GSTREAMER, OPENCV_PYTHON
from lib.build import RUST
from lib.kernel import REPOSITORY
from lib.report import BuildError
from lib.steps import exclusive

MODEL = "ssd-mobilenet-v2-oidv4-int8"
PROGRAMS = {OPENCV_PYTHON: "opencv_loop.py", GSTREAMER: "gstreamer_loop.py"}
SOURCES = [["YUYV", "640x480"], ["NV12", "1920x1080"]]
# ours : theirs at the same rate, "less than either"
TARGETS = {"cpu_us_per_frame": 1.0, "peak_kb": 1.0}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--source",
        action="append",
        nargs=2,
        metavar=("FORMAT", "WxH"),
        help="YUYV or NV12; may be repeated (default: YUYV 640x480, NV12 1920x1080)",
    )
    parser.add_argument("--fps", type=int, default=15, metavar="N", help="the camera's rate, 1 to 240 (default: 15)")
    parser.add_argument("--seconds", type=float, default=8, metavar="S", help="of each measurement (default: 8)")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="measurements of each, in turn (default: 3)")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="of the model and of the peers' pictures (default: 1)")
    program = "edgeai to measure, instead of one built from rust/"
    parser.add_argument("--edgeai", type=lambda text: Path(text).absolute(), metavar="BIN", help=program)


def run(arguments: argparse.Namespace) -> int:
    sources = [source(*words) for words in arguments.source or SOURCES]
    if not 1 <= arguments.fps <= 240 or arguments.seconds <= 0 or arguments.rounds < 1 or not 1 <= arguments.threads <= 16:
        raise BuildError("expected 1 to 240 frames per second, more than 0 s, at least one round, 1 to 16 threads")
    build = prepare.ground()
    found = prepare.peers(build, list(PROGRAMS))
    with exclusive(build.cache):
        models, python = build.model_directories(), build.python()
    program = arguments.edgeai or prepare.cargo(build, RUST, "cargo-host", "-p", "edgeai") / "edgeai"
    result = build.output / "side-by-side.json"
    order = {
        "model": str(models / MODEL),
        "threads": arguments.threads,
        "edgeai": str(program),
        "edgeai_environment": {"EDGEAI_LITERT": str(python / "ai_edge_litert/libLiteRt.so")},
        "peers": {name: {"program": PROGRAMS[name], "environment": env} for name, env in found.environments.items()},
        "photographs": str(build.photographs()),
        "sources": sources,
        "rates": [arguments.fps, 0],
        "rounds": arguments.rounds,
        "warm_up_s": min(1.5, arguments.seconds),
        "seconds": arguments.seconds,
        "result": str(result),
    }
    build.sdk.run(
        ["python3", "-m", "lib.bench.side_by_side", json.dumps(order)],
        binds=[REPOSITORY, build.cache, program.parent], cwd=REPOSITORY / "scripts",
        env={"PYTHONPATH": str(python), "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    cases = [summary(case) for case in json.loads(result.read_text())]
    for case in cases:
        show(case, found.missing)
    missed = misses(cases)
    for line in missed:
        print(f"missed: {line}")
    if arguments.output:
        arguments.output.write_text(json.dumps({"cases": cases, "not_measured": found.missing, "missed": missed}, indent=1) + "\n")
    return 1 if arguments.enforce and (missed or found.missing) else 0


def source(format: str, size: str) -> list:
    words = size.split("x")
    if format not in ("YUYV", "NV12") or len(words) != 2 or not all(word.isdigit() and int(word) % 2 == 0 for word in words):
        raise BuildError(f"--source {format} {size}: expected YUYV or NV12 and an even size, like NV12 1920x1080")
    return [format, *map(int, words)]


def summary(case: dict) -> dict:
    """Medians over the rounds, and edgeai's share of each peer's."""

    def middle(runs: list[dict]) -> dict:
        row = {key: statistics.median(run[key] for run in runs) for key in ("fps", "cpu_us_per_frame", "peak_kb")}
        latencies = [run["latency_us"] for run in runs if run["latency_us"]]
        row["latency_us"] = {key: statistics.median(one[key] for one in latencies) for key in latencies[0]} if latencies else None
        return {"version": runs[0]["version"], **row}

    rows = {name: middle(runs) for name, runs in case["runs"].items()}
    ours = rows["edgeai"]
    ratio = {
        name: {key: round(ours[key] / row[key], 3) for key in ("fps", "cpu_us_per_frame", "peak_kb")}
        for name, row in rows.items()
        if name != "edgeai"
    }
    return {"case": case["case"], "fps": case["fps"], "rows": rows, "ours_to_theirs": ratio, "runs": case["runs"]}


def show(case: dict, missing: dict[str, str]) -> None:
    print(f"\n{case['case']}")
    head = "frames/s", "CPU µs/frame", "peak MiB", "p50 ms", "p99 ms", "max ms", "ours : theirs, CPU", "memory"
    print(f"  {'':<32}" + "".join(f"{word:>{max(10, len(word) + 2)}}" for word in head))
    for name, row in case["rows"].items():
        times = row["latency_us"] or {}
        cells = [f"{row['fps']:.2f}", f"{row['cpu_us_per_frame']:.0f}", f"{row['peak_kb'] / 1024:.1f}"]
        cells += [f"{times[key] / 1e3:.1f}" if key in times else "–" for key in ("p50", "p99", "max")]
        ratio = case["ours_to_theirs"].get(name)
        cells += [f"{ratio['cpu_us_per_frame']:.2f}", f"{ratio['peak_kb']:.2f}"] if ratio else ["", ""]
        title = f"{name} ({row['version']})"
        print(f"  {title:<32}" + "".join(f"{cell:>{max(10, len(word) + 2)}}" for cell, word in zip(cells, head, strict=True)))
    for name, reason in missing.items():
        print(f"  {name:<32}  not measured: {reason}")


def misses(cases: list[dict]) -> list[str]:
    """Targets that were missed; they hold at the camera's rate."""
    return [
        f"{case['case']}: {key} {ratio[key]:.2f} of {name}'s, below {most:g} is wanted"
        for case in cases
        if case["fps"]
        for name, ratio in case["ours_to_theirs"].items()
        for key, most in TARGETS.items()
        if ratio[key] >= most
    ]
