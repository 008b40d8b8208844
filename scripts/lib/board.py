"""How a machine boots the slots, for the builders from source: meta-edgeai/conf/image/boards.toml."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field, fields
from functools import cache

from lib import machine as machines
from lib.kernel import REPOSITORY
from lib.machine import Machine
from lib.report import BuildError

TABLE = REPOSITORY / "meta-edgeai/conf/image/boards.toml"


@dataclass(frozen=True)
class Board:
    """What the table says of a machine; its head explains the keys."""

    boot: str = ""
    console: str = ""
    load_address: int = 0
    fit_address: int = 0
    loader: list[str] = field(default_factory=list)
    rom_files: list[str] = field(default_factory=list)
    rom_config: list[str] = field(default_factory=list)


@cache
def boards() -> dict[str, Board]:
    """Every machine of the table, and those that the quick builder emulates."""
    table = tomllib.loads(TABLE.read_text())
    known = {each.name for each in fields(Board)}
    for name, values in table.items():
        if unknown := sorted(values.keys() - known):
            raise BuildError(f"{TABLE}: [{name}]: unknown key {', '.join(unknown)}; there are: {', '.join(sorted(known))}")
    emulated = (machines.load(name) for name in machines.names())
    return {name: Board(**values) for name, values in table.items()} | {
        each.name: Board("fit", each.console, each.load_address, each.fit_address) for each in emulated
    }


def load(name: str) -> Board:
    """How a machine boots; an unknown name is a BuildError."""
    if name not in boards():
        raise BuildError(f"no machine {name!r}; there are: {', '.join(sorted(boards()))}")
    return boards()[name]


def described(name: str, **values: str | int) -> Machine:
    """The quick builder's machine, or of another one the `values` that its slots need."""
    if name in machines.names():
        return machines.load(name)
    return Machine(**{**dict.fromkeys(each.name for each in fields(Machine)), "name": name, **values})
