"""`scripts/bench stages`: the programs of rust/benches, every stage beside its peers."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from lib.bench import prepare
from lib.bench.prepare import OPENCV_CPP, OPENCV_PYTHON, Peers
from lib.build import RUST, Build
from lib.kernel import REPOSITORY
from lib.report import BuildError, say
from lib.steps import exclusive

BENCHES = RUST / "benches"
# theirs : ours, of every peer
TARGETS = {"preprocess": 2.0, "decode": 1.5}


def programs() -> list[str]:
    return sorted(path.stem for path in (BENCHES / "src/bin").iterdir() if path.suffix == ".rs" or path.is_dir())


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("stage", nargs="*", help=f"of: {', '.join(programs())} (default: all)")


def run(arguments: argparse.Namespace) -> int:
    names = arguments.stage or programs()
    if unknown := sorted(set(names) - set(programs())):
        raise BuildError(f"no stage {', '.join(unknown)}; there are: {', '.join(programs())}")
    build = prepare.ground()
    with exclusive(build.cache):
        build.fetch_benches()
    found = prepare.peers(build, [OPENCV_PYTHON, OPENCV_CPP])
    folder = prepare.cargo(build, BENCHES, "cargo-benches")
    reports = [measure(build, folder / name, found) for name in names]
    for report in reports:
        for contest in report["contests"]:
            show(report["subject"], contest)
    missed = [line for report in reports for line in misses(report)]
    for line in missed:
        print(f"missed: {line}")
    skipped = {
        row["peer"]: row["skipped"]
        for report in reports
        for contest in report["contests"]
        for row in contest["peers"]
        if row.get("skipped")
    }
    if arguments.output:
        arguments.output.write_text(json.dumps({"stages": reports, "not_measured": skipped, "missed": missed}, indent=1) + "\n")
    return 1 if arguments.enforce and (missed or skipped) else 0


def measure(build: Build, program: Path, found: Peers) -> dict:
    """What a program reports in its last line."""
    say(f"measuring {program.name}")
    env = {key: value for name in found.environments for key, value in found.environments[name].items()}
    if OPENCV_PYTHON in found.environments:
        env["OPENCV_PYTHON"] = "/usr/bin/python3"
    log = build.logs / f"{program.name}.log"
    build.sdk.run([str(program)], binds=[REPOSITORY, build.cache], cwd=BENCHES, env={**env, "PYTHONDONTWRITEBYTECODE": "1"}, log=log)
    lines = [line for line in log.read_text().splitlines() if line.startswith('{"subject"')]
    if not lines:
        raise BuildError(f"{program.name} ended without a report; see {log}")
    report = json.loads(lines[-1])
    for contest in report["contests"]:
        for row in contest["peers"]:
            if row.get("skipped"):
                row["skipped"] = found.missing.get(row["peer"], row["skipped"])
    return report


def show(subject: str, contest: dict) -> None:
    print(f"\n{subject}: {contest['case']} ({contest['rounds']} rounds, in turn)")
    for row in contest["peers"]:
        if row.get("median_us") is None:
            print(f"  {row['peer']:<40}  not measured: {row.get('skipped') or 'no times'}")
        else:
            print(f"  {row['peer']:<40}  median {row['median_us']:>9.1f} µs  least {row['least_us']:>9.1f} µs  {row['ratio']:>6.2f} x")


def misses(report: dict) -> list[str]:
    least = TARGETS.get(report["subject"], 1.0)
    return [
        f"{report['subject']}, {contest['case']}: {row['peer']} takes {row['ratio']:.2f} times ours, {least:g} is wanted"
        for contest in report["contests"]
        for row in contest["peers"][1:]
        if row.get("ratio") is not None and row["ratio"] < least
    ]
