"""`scripts/bench infer` and `engine`: whole processes in turn, their processor time and memory from os.wait4."""

import json
import os
import statistics
import subprocess
import tempfile

from lib.kernel import REPOSITORY
from lib.report import BuildError

REFERENCE = REPOSITORY / "tests-qemu/reference/infer.py"
TARGETS = {"cpu_ms": 1 / 3, "peak_kb": 1 / 2}


def run(command):
    """CPU time, peak memory and JSON output of one process."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = subprocess.Popen(command, stdout=out, stderr=err)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        if process.returncode != 0:
            message = err.read().decode(errors="replace").strip()
            raise BuildError(f"{command[0]} ended with {process.returncode}: {message}")
        return {
            "cpu_ms": round(1e3 * (usage.ru_utime + usage.ru_stime), 3),
            "peak_kb": usage.ru_maxrss,
            "report": json.loads(out.read()),
        }


def alternate(commands, runs):
    """{name: [run, …]}; one run of each in turn, after one that is thrown away."""
    for command in commands.values():
        run(command)
    results = {name: [] for name in commands}
    for _ in range(runs):
        for name, command in commands.items():
            results[name].append(run(command))
    return results


def medians(results, keys):
    return {name: {key: statistics.median(value(one, key) for one in runs) for key in keys} for name, runs in results.items()}


def value(one, key):
    return one["report"]["timing_ms"][key] if key in one["report"]["timing_ms"] else one[key]


def table(middle, keys, first, second):
    print(f"{'':<14}{first:>12}{second:>12}{'ratio':>9}")
    ratios = {}
    for key in keys:
        a, b = middle[first][key], middle[second][key]
        ratios[key] = a / b if b else float("inf")
        print(f"{key:<14}{a:>12.2f}{b:>12.2f}{ratios[key]:>9.3f}")
    return ratios


def save(path, results, middle, ratios):
    if path:
        content = {"median": middle, "ratio": ratios, "runs": results}
        path.write_text(json.dumps(content, indent=1) + "\n")


def beside_python(arguments):
    common = ["--model", str(arguments.model), "--image", str(arguments.image), "--json"]
    commands = {
        "edgeai": [str(arguments.edgeai), "infer", *common],
        "python": [str(arguments.python), str(REFERENCE), *common],
    }
    results = alternate(commands, arguments.runs)
    keys = ["cpu_ms", "peak_kb", "load", "preprocess", "invoke", "decode"]
    middle = medians(results, keys)
    ratios = table(middle, keys, "edgeai", "python")
    save(arguments.output, results, middle, ratios)
    missed = [key for key, most in TARGETS.items() if ratios[key] > most]
    for key in missed:
        print(f"{key}: {ratios[key]:.3f} is above the target {TARGETS[key]:.3f}")
    return 1 if missed and arguments.enforce else 0


def engines(arguments):
    common = ["infer", "--model", str(arguments.model), "--image", str(arguments.image), "--json"]
    common += ["--repeat", str(arguments.repeat)]
    commands = {name: [str(arguments.edgeai), *common, "--runtime", name] for name in ("litert", "tflite")}
    results = alternate(commands, arguments.runs)
    keys = ["invoke", "load", "cpu_ms", "peak_kb"]
    middle = medians(results, keys)
    ratios = table(middle, keys, "litert", "tflite")
    save(arguments.output, results, middle, ratios)
    return 0
