"""What models are made from: files that must already be here, each the pinned one."""

from __future__ import annotations

import hashlib
import os
import zipfile
from importlib import metadata
from pathlib import Path

from lib.report import BuildError

MODELS = Path(__file__).resolve().parent.parent.parent / "meta-edgeai" / "recipes-ml" / "edgeai-models"


def verified(what: str, data: bytes, expected: str) -> bytes:
    got = hashlib.sha256(data).hexdigest()
    if got != expected:
        raise BuildError(f"{what}: sha256 is not the pinned one\n  expected {expected}\n  got      {got}")
    return data


def read_file(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BuildError(f"{path}: {error.strerror}") from error


def find_photograph(place: Path, member: str) -> bytes:
    """A photograph from a wheel, or from a directory that holds it, its tree or the wheel."""
    if place.is_dir():
        for path in (place / member, place / Path(member).name):
            if path.is_file():
                return read_file(path)
        wheels = sorted(place.glob("*.whl"))
    else:
        wheels = [place]
    for wheel in wheels:
        try:
            with zipfile.ZipFile(wheel) as archive:
                if member in archive.namelist():
                    return archive.read(member)
        except (OSError, zipfile.BadZipFile) as error:
            raise BuildError(f"{wheel}: not a readable wheel: {error}") from error
    raise BuildError(f"{place}: {member} is neither in it nor in a wheel there (see scripts/lock/photographs.txt)")


def photographs(place: Path, entries: list[dict]) -> list[bytes]:
    """The photographs that a source.toml lists."""
    return [verified(f"{place}, {entry['member']}", find_photograph(place, entry["member"]), entry["sha256"]) for entry in entries]


def difference(source: dict, tools: dict[str, str], result: bytes, kept: Path) -> str:
    """Why a result may differ from the recorded one."""
    lines = [
        f"{kept}: the model is not the recorded one",
        f"  expected {source['result']['sha256']}, {source['result']['size']} bytes",
        f"  got      {hashlib.sha256(result).hexdigest()}, {len(result)} bytes",
        f"The inputs are right, so the tools differ. This machine is {os.uname().machine} (recorded: x86_64), with:",
    ]
    lines += [f"  {tool} {metadata.version(tool)} (recorded: {recorded})" for tool, recorded in tools.items()]
    lines.append("Install scripts/lock/python.txt; if the change is wanted, judge the model and record it in source.toml.")
    return "\n".join(lines)
