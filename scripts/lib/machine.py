"""A machine of the quick builder, read from scripts/machines/<name>.toml."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields
from pathlib import Path

from lib.report import BuildError

MACHINES = Path(__file__).resolve().parent.parent / "machines"


@dataclass(frozen=True)
class Machine:
    name: str
    description: str
    arch: str
    kernel_arch: str
    kernel_image: str
    gnu_triple: str
    rust_target: str
    tune: str
    console: str
    fragments: list[str]
    load_address: int
    fit_address: int
    loader: dict[str, str]
    qemu: dict

    @property
    def path(self) -> Path:
        return MACHINES / f"{self.name}.toml"

    def qemu_arguments(self) -> list[str]:
        """What makes the emulated board this board; disk and ports come on top."""
        q = self.qemu
        board = ["-machine", q["machine"], "-cpu", q["cpu"], "-smp", str(q["smp"]), "-m", f"{q['memory_mib']}M"]
        return board + [word for device in q["devices"] for word in ("-device", device)]


def names() -> list[str]:
    return sorted(p.stem for p in MACHINES.glob("*.toml"))


def check_keys(path: Path, prefix: str, table: dict, known: set[str]) -> None:
    """Every known key must be there, and no other."""
    unknown = [f"unknown key {prefix}{key}" for key in sorted(table.keys() - known)]
    missing = [f"missing key {prefix}{key}" for key in sorted(known - table.keys())]
    if wrong := unknown + missing:
        raise BuildError(f"{path}: {', '.join(wrong)}")


def load(name: str) -> Machine:
    """Reads a machine file; an unknown name or key is a BuildError."""
    path = MACHINES / f"{name}.toml"
    if name not in names():
        raise BuildError(f"no machine {name!r}; there are: {', '.join(names())}")
    try:
        values = tomllib.loads(path.read_text())
    except tomllib.TOMLDecodeError as error:
        raise BuildError(f"{path}: {error}") from error
    check_keys(path, "", values, {field.name for field in fields(Machine)} - {"name"})
    check_keys(path, "loader.", values["loader"], {"package", "file"})
    check_keys(path, "qemu.", values["qemu"], {"binary", "machine", "cpu", "smp", "memory_mib", "devices"})
    return Machine(name=name, **values)
