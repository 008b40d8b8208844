"""Buildroot itself: the pinned release, its configuration by a board's defconfig and fragments, our pins."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path

from lib import buildroot_sources as sources
from lib import debian
from lib.kernel import REPOSITORY
from lib.report import BuildError, say

EXTERNAL = REPOSITORY / "buildroot-external"
LOCK = REPOSITORY / "scripts/lock/buildroot.toml"
OLDEST = (2026, 2)
SET = re.compile(r"^(?:(BR2_\w+)=(.*)|# (BR2_\w+) is not set)$")


def boards() -> list[str]:
    """What there is a defconfig for."""
    return sorted(p.name.removeprefix("edgeai_").removesuffix("_defconfig") for p in (EXTERNAL / "configs").glob("edgeai_*_defconfig"))


def defconfig(board: str) -> Path:
    path = EXTERNAL / "configs" / f"edgeai_{board}_defconfig"
    if board not in boards():
        raise BuildError(f"no board {board!r}; there are: {', '.join(boards())}")
    return path


def symbols(text: str) -> dict[str, str]:
    """The symbols of a defconfig, fragment or .config; "n" stands for "is not set"."""
    matches = (SET.match(line) for line in text.splitlines())
    return {m[1] or m[3]: m[2] if m[1] else "n" for m in matches if m}


def asked_for(text: str) -> dict[str, str]:
    """What a defconfig and fragments behind it ask for: an option that is turned off takes along what was below it."""
    asked: dict[str, str] = {}
    for line in text.splitlines():
        for name, value in symbols(line).items():
            if value == "n":
                asked = {other: said for other, said in asked.items() if not other.startswith(f"{name}_")}
            asked[name] = value
    return asked


def release(tree: Path) -> str:
    """The version a tree says it is; a tree older than what we need is a BuildError."""
    makefile = tree / "Makefile"
    match = re.search(r"^export BR2_VERSION := (\S+)$", makefile.read_text(), re.MULTILINE) if makefile.exists() else None
    if not match:
        raise BuildError(f"{tree} is no Buildroot tree")
    parts = re.match(r"(\d+)\.(\d+)", match[1])
    if not parts or (int(parts[1]), int(parts[2])) < OLDEST:
        raise BuildError(f"{tree} is Buildroot {match[1]}; edgeai needs {OLDEST[0]}.{OLDEST[1]:02} or newer")
    return match[1]


def tree(cache: Path) -> Path:
    """The tree to build with: EDGEAI_BUILDROOT, or the pinned release, fetched once."""
    if own := os.environ.get("EDGEAI_BUILDROOT"):
        say(f"Buildroot {release(Path(own))} in {own}")
        return Path(own)
    lock = tomllib.loads(LOCK.read_text())
    place = cache / f"buildroot-{lock['version']}"
    if not place.exists():
        say(f"fetching Buildroot {lock['version']}")
        partial = place.with_name(place.name + ".part")
        shutil.rmtree(partial, ignore_errors=True)
        partial.parent.mkdir(parents=True, exist_ok=True)
        clone = ["git", "clone", "--quiet", "--depth", "1", "--branch", lock["version"], "-c", "advice.detachedHead=false", lock["url"]]
        if subprocess.run([*clone, str(partial)], check=False).returncode:
            raise BuildError("Buildroot could not be fetched: the network is needed, or a tree in EDGEAI_BUILDROOT")
        head = subprocess.run(["git", "-C", str(partial), "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
        if head != lock["commit"]:
            raise BuildError(f"Buildroot's tag {lock['version']} is not the pinned commit\n  expected {lock['commit']}\n  got      {head}")
        partial.rename(place)
    release(place)
    return place


def configure(tree: Path, board: Path, fragments: list[Path], output: Path) -> None:
    """Writes the output folder's .config unless it is of the same defconfig and fragments already."""
    texts = [board.read_text()]
    for fragment in fragments:
        if not fragment.exists():
            raise BuildError(f"{fragment} does not exist")
        texts.append(fragment.read_text())
    wanted = "\n".join(texts)
    stamp = output / ".edgeai-defconfig"
    if (output / ".config").exists() and stamp.exists() and stamp.read_text() == wanted:
        return
    output.mkdir(parents=True, exist_ok=True)
    merged = output / "edgeai_defconfig"
    merged.write_text(wanted)
    log = output / "configure.log"
    command = ["make", "-C", str(tree), f"O={output}", f"BR2_EXTERNAL={EXTERNAL}", f"BR2_DEFCONFIG={merged}", "defconfig"]
    with log.open("wb") as stream:
        code = subprocess.run(command, stdout=stream, stderr=subprocess.STDOUT, check=False).returncode
    if code:
        raise BuildError(f"Buildroot could not configure\n{log.read_text(errors='replace')[-2000:]}")
    check_stuck(wanted, (output / ".config").read_text())
    stamp.write_text(wanted)


def check_stuck(wanted: str, config: str) -> None:
    """Fails when an option that was asked for is not in the configuration as asked."""
    final = symbols(config)
    asked = asked_for(wanted)
    wrong = [f"  {name}: asked for {value}, got {final.get(name, 'n')}" for name, value in asked.items() if final.get(name, "n") != value]
    if wrong:
        raise BuildError("options did not stick (unmet dependency, or unknown to this Buildroot):\n" + "\n".join(wrong))


def renew_pins(cache: Path) -> Iterator[str]:
    """Makes the archives that are made from this checkout, and writes their hash files and those of the licences."""
    made = {
        "edgeai": ("", None),
        "edgeai-crates": (f"edgeai-crates-{sources.crates_version()}.tar", lambda file: sources.crates(file, cache / "crates")),
        "edgeai-models": (f"edgeai-models-{sources.models_version()}.tar", sources.models),
    }
    for package, (name, make) in made.items():
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / name
            pins = {}
            if make:
                make(file)
                pins[name] = debian.sha256(file)
            pins |= {licence: debian.sha256(path) for licence, path in sources.licences(package, file).items()}
        lines = [f"sha256  {value}  {pinned}" for pinned, value in pins.items()]
        (sources.PACKAGES / package / f"{package}.hash").write_text("# Locally computed: scripts/buildroot pin\n" + "\n".join(lines) + "\n")
        yield from lines
