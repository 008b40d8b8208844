"""Whole processes that turn a camera's frames into the level of a line, each started the same way."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lib.kernel import REPOSITORY
from lib.report import BuildError

REFERENCE = REPOSITORY / "tests-qemu/reference"
LINE = Path("/sys/class/pwm/pwmchip0/pwm0")  # a made-up PWM channel: a file that takes what a line would
METRICS = Path("/run/edgeai/metrics.json")
FASTEST = 240  # frames per second that a camera may have
READY_S = 30
# A person in the photograph, as an appliance would ask for one.
RULE = {"class": "Person", "score": 0.5, "zone": [0.1, 0.1, 0.9, 0.9], "for_ms": 100, "hold_ms": 500}


@dataclass(frozen=True)
class Scene:
    """The camera of one comparison; `fps` 0: as fast as possible."""

    picture: Path
    raw: Path
    format: str
    width: int
    height: int
    fps: int

    @property
    def name(self) -> str:
        rate = f"{self.fps} frames/s" if self.fps else "as fast as possible"
        return f"{self.width}x{self.height} {self.format}, {rate}"


def place_line() -> None:
    """Gives this mount namespace a PWM channel, and edgeai's folders, in memory; of it only an empty /data stays in the root."""
    for folder in ("/sys/class", "/run", "/data"):
        Path(folder).mkdir(exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "bench", folder], check=True)
    LINE.mkdir(parents=True)
    METRICS.parent.mkdir()
    for name in ("period", "duty_cycle", "enable"):
        (LINE / name).write_text("0\n")


def level() -> bool:
    return int((LINE / "duty_cycle").read_text().split()[0]) > 0


class Contender:
    """One process from start to SIGTERM."""

    def __init__(self, name: str, command: list[str], environment: dict[str, str]) -> None:
        self.name = name
        (LINE / "duty_cycle").write_text("0\n")
        self.log = Path(f"/tmp/{name.split()[0]}.log")
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, env={**os.environ, **environment}
            )

    def alive(self) -> None:
        if self.process.poll() is not None:
            raise BuildError(f"{self.name} ended with {self.process.returncode}: {self.tail()}")

    def tail(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-12:])

    def cpu_ns(self) -> int:
        """User and system time of the process, its threads that have ended included (POSIX: a clock of another process)."""
        self.alive()
        return time.clock_gettime_ns((~self.process.pid << 3) | 2)

    def peak_kb(self) -> int:
        status = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))

    def check(self) -> None:
        """What nobody may win by: a helper process, or not deciding."""
        if children := Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split():
            raise BuildError(f"{self.name} has processes of its own that are not measured: {children}")
        if not level():
            raise BuildError(f"{self.name}: the line is low although there is a person in the picture; its log ends:\n{self.tail()}")

    def stop(self) -> str:
        self.process.send_signal(signal.SIGTERM)
        try:
            output, _ = self.process.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise BuildError(f"{self.name} does not end") from None
        if self.process.returncode:
            raise BuildError(f"{self.name} ended with {self.process.returncode}: {self.tail()}")
        return output.decode()

    def __enter__(self) -> Contender:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class Edgeai(Contender):
    """`edgeai run`, with all its threads."""

    def __init__(self, name: str, edgeai: Path, model: Path, scene: Scene, threads: int, environment: dict[str, str]) -> None:
        x, y, x_max, y_max = RULE["zone"]
        zone = [[x, y], [x_max, y], [x_max, y_max], [x, y_max]]
        description = Path("/tmp/appliance.toml")
        description.write_text(f"""\
[camera]
device = "replay:{scene.picture}"
format = "{scene.format}"
size = [{scene.width}, {scene.height}]
fps = {scene.fps or FASTEST}
[model]
file = "{model}"
threads = {threads}
accelerator = "cpu"
[deadline]
frame_to_action_ms = 1000
on_miss = "warn"
[[output]]
name = "stop"
pwm = {{ channel = "pwmchip0:0", frequency_hz = 1000 }}
safe = "low"
[[rule]]
name = "person"
when = {{ class = "{RULE["class"]}", score = {RULE["score"]}, zone = {zone}, for_ms = {RULE["for_ms"]} }}
then = {{ output = "stop", level = "high", hold_ms = {RULE["hold_ms"]} }}
""")
        METRICS.unlink(missing_ok=True)
        super().__init__(name, [str(edgeai), "run", "--config", str(description)], environment)

    def ready(self) -> None:
        wait(self, lambda: METRICS.exists() and json.loads(METRICS.read_text())["frames"] > 0)

    def mark(self) -> dict:
        """Counts of the moment at which the next metrics are written, once a second."""
        before = METRICS.stat().st_mtime_ns
        wait(self, lambda: METRICS.stat().st_mtime_ns != before, 0.001)
        return {"time": time.monotonic(), "cpu_ns": self.cpu_ns(), "frames": json.loads(METRICS.read_text())["frames"]}

    def result(self, first: dict, last: dict) -> dict:
        metrics = json.loads(METRICS.read_text())
        self.stop()
        version = next(line for line in self.log.read_text().splitlines() if " model: " in line).split(", ")[1]
        return {
            "frames": last["frames"] - first["frames"],
            "latency_us": metrics["frame_to_action_us"],
            "dropped": metrics["dropped"],
            "version": version,
        }


class Loop(Contender):
    """One of tests-qemu/reference's loops."""

    def __init__(self, name: str, program: str, model: Path, scene: Scene, threads: int, environment: dict[str, str]) -> None:
        command = [
            sys.executable, str(REFERENCE / program), "--model", str(model), "--frame", str(scene.raw), "--format", scene.format,
            "--size", str(scene.width), str(scene.height), "--fps", str(scene.fps), "--threads", str(threads),
            "--line", str(LINE / "duty_cycle"), "--rule", json.dumps(RULE),
        ]  # fmt: skip
        super().__init__(name, command, environment)

    def ready(self) -> None:
        told, _, _ = select.select([self.process.stdout], [], [], READY_S)
        if not told or self.process.stdout.readline() != b"ready\n":
            raise BuildError(f"{self.name} does not begin: {self.tail()}")

    def mark(self) -> dict:
        return {"time": time.monotonic(), "cpu_ns": self.cpu_ns()}

    def result(self, first: dict, last: dict) -> dict:
        report = json.loads(self.stop())
        decided = [time for time in report["decided"] if time <= last["time"]]
        # As edgeai's own: from the first frame on.
        times = sorted(after - before for after, before in zip(decided, report["captured"], strict=False) if before is not None)
        return {
            "frames": sum(time > first["time"] for time in decided),
            "latency_us": percentiles(times),
            "found": report["found"],
            "version": report["version"],
        }


def percentiles(times: list[float]) -> dict[str, int] | None:
    """Of sorted seconds, values that occurred, in microseconds."""
    if not times:
        return None
    at = {"p50": 0.5, "p99": 0.99, "max": 1}
    return {name: round(1e6 * times[max(0, -int(-len(times) * share // 1) - 1)]) for name, share in at.items()}


def wait(contender: Contender, until: Callable[[], bool], every: float = 0.05) -> None:
    end = time.monotonic() + READY_S
    while not until():
        contender.alive()
        if time.monotonic() > end:
            raise BuildError(f"{contender.name} gives no sign for {READY_S} s: {contender.tail()}")
        time.sleep(every)


def measure(contender: Contender, warm_up: float, seconds: float) -> dict:
    """Frames, processor time and latencies of a window of about `seconds`, the start left out."""
    with contender:
        contender.ready()
        time.sleep(warm_up)
        contender.check()
        first = contender.mark()
        time.sleep(seconds)
        last = contender.mark()
        contender.check()
        peak = contender.peak_kb()
        result = contender.result(first, last)
    elapsed, cpu = last["time"] - first["time"], (last["cpu_ns"] - first["cpu_ns"]) / 1e3
    frames = result["frames"]
    if frames < 1:
        raise BuildError(f"{contender.name} decided nothing in {elapsed:.1f} s")
    return {"fps": frames / elapsed, "cpu_us_per_frame": cpu / frames, "peak_kb": peak, **result}
