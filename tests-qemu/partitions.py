"""Where the partitions of an image lie, as its table says."""

from __future__ import annotations

import tomllib
from pathlib import Path

TABLE = tomllib.loads((Path(__file__).resolve().parent.parent / "meta-edgeai/conf/image/partitions.toml").read_text())


def offset(name: str) -> int:
    """First byte of a partition: they follow each other without a gap, after the loader."""
    mib = TABLE["loader_mib"]
    for entry in TABLE["partition"]:
        if entry["name"] == name:
            return mib << 20
        mib += entry["size_mib"]
    raise KeyError(name)


def identity(name: str) -> str:
    """Unique GUID of a partition."""
    return next(entry["uuid"] for entry in TABLE["partition"] if entry["name"] == name)
