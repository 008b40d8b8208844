"""The decisions in a recording, read without the program that wrote it (docs/recording.md)."""

from __future__ import annotations

import struct
import tomllib
import zlib
from dataclasses import dataclass
from pathlib import Path

HEADER, SIGHTING, EVALUATION = 1, 7, 8  # kinds of records
START_MS = 1_000_000  # when the clock of `edgeai record` begins


@dataclass(frozen=True)
class Decision:
    """One evaluation of the rules."""

    ms: float  # since the start
    outputs: frozenset[str]  # those at high
    rules: frozenset[str]  # those that are active
    counters: dict[str, int]


def records(content: bytes) -> list[tuple[int, bytes]]:
    """Kind and content of each record."""
    assert content[:8] == b"edgerec\n" and struct.unpack_from("<I", content, 8)[0] in (1, 2, 3)
    found, at = [], 12
    while at < len(content):
        kind, length = struct.unpack_from("<BI", content, at)
        end = at + 5 + length
        assert zlib.crc32(content[at:end]) == struct.unpack_from("<I", content, end)[0]
        found.append((kind, content[at + 5 : end]))
        at = end + 4
    return found


def _take(content: bytes, form: str) -> tuple[tuple, bytes]:
    size = struct.calcsize(form)
    return struct.unpack(form, content[:size]), content[size:]


def decisions(path: Path) -> list[Decision]:
    """What was decided, in order."""
    whole = records(path.read_bytes())
    assert whole[0][0] == HEADER
    # run, part, started, program, image, appliance
    header = whole[0][1][20:]
    for form in ("<H", "<H"):
        (length,), header = _take(header, form)
        header = header[length:]
    (length,), header = _take(header, "<I")
    appliance = tomllib.loads(header[:length].decode())
    outputs = [output["name"] for output in appliance.get("output", [])]
    rules = [rule["name"] for rule in appliance["rule"]]
    counters = list(dict.fromkeys(rule["then"]["count"] for rule in appliance["rule"] if "count" in rule["then"]))
    found = []
    for kind, content in whole:
        if kind != EVALUATION:
            continue
        # now, day, second, fresh, how many inputs, inputs, which channels are new, which are known
        (now, _, _, _, _, _, _, known), rest = _take(content, "<QBIIBIQQ")
        rest = rest[8 * known.bit_count() :]
        (levels, active, _, used), rest = _take(rest, "<IQQH")
        values, _ = _take(rest, f"<{used}Q")
        values += (0,) * len(counters)
        found.append(
            Decision(
                now / 1e6 - START_MS,
                frozenset(name for bit, name in enumerate(outputs) if levels >> bit & 1),
                frozenset(name for bit, name in enumerate(rules) if active >> bit & 1),
                dict(zip(counters, values, strict=False)),
            )
        )
    return found


def spans(made: list[Decision], of: str) -> list[tuple[float, float]]:
    """From when to when, in ms, an output was high or a rule active; the last may end with the recording."""
    found: list[tuple[float, float]] = []
    since = None
    for decision in made:
        on = of in decision.outputs or of in decision.rules
        if on and since is None:
            since = decision.ms
        if not on and since is not None:
            found.append((since, decision.ms))
            since = None
    if since is not None:
        found.append((since, made[-1].ms))
    return found


def values(path: Path) -> list[list[float]]:
    """The values of each sighting, in order, of a recording whose models find neither boxes nor points."""
    found = []
    for kind, content in records(path.read_bytes()):
        if kind == SIGHTING:
            # model, sequence, captured, how many detections, points and values
            (_, _, _, boxes, points, count), rest = _take(content, "<BIQHHH")
            assert (boxes, points) == (0, 0)
            found.append(list(_take(rest, f"<{count}f")[0]))
    return found
