"""The kernel: configured from fragments, checked, and built from Debian's source package."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

from lib.machine import Machine
from lib.report import BuildError, say
from lib.sdk import Sdk

REPOSITORY = Path(__file__).resolve().parents[2]
FRAGMENTS = REPOSITORY / "meta-edgeai/recipes-kernel/linux/files"

SYMBOL = re.compile(r"^(?:(CONFIG_\w+)=(.+)|# (CONFIG_\w+) is not set)$")


def symbols(text: str, name: str = ".config", strict: bool = False) -> dict[str, str]:
    """The symbols of a fragment or .config; "n" stands for "is not set"."""
    result = {}
    for number, line in enumerate(text.splitlines(), 1):
        if match := SYMBOL.match(line):
            symbol, value = (match[1], match[2]) if match[1] else (match[3], "n")
            if strict and result.get(symbol, value) != value:
                raise BuildError(f"{name}:{number}: {symbol}={value} contradicts {result[symbol]} above")
            result[symbol] = value
        elif strict and line.strip() and (not line.startswith("#") or "is not set" in line):
            raise BuildError(f"{name}:{number}: expected CONFIG_X=… or '# CONFIG_X is not set', found: {line}")
    return result


def requested(fragments: list[str]) -> dict[str, str]:
    """All symbols of the named fragments; contradicting fragments are an error."""
    merged: dict[str, tuple[str, str]] = {}
    for name in fragments:
        path = FRAGMENTS / f"{name}.cfg"
        if not path.exists():
            known = ", ".join(sorted(p.stem for p in FRAGMENTS.glob("*.cfg")))
            raise BuildError(f"no kernel fragment {name!r}; there are: {known}")
        for symbol, value in symbols(path.read_text(), str(path), strict=True).items():
            if symbol in merged and merged[symbol][0] != value:
                raise BuildError(f"{path}: {symbol}={value} contradicts {merged[symbol][1]}.cfg ({merged[symbol][0]})")
            merged[symbol] = (value, name)
    return {symbol: value for symbol, (value, _) in merged.items()}


def check(fragments: list[str], config: str) -> None:
    """Fails when a requested symbol did not stick, naming symbol and fragment."""
    final = symbols(config)
    wrong = []
    for name in fragments:
        for symbol, value in requested([name]).items():
            if (got := final.get(symbol, "n")) != value:
                wrong.append(f"  {symbol}: {name}.cfg asks for {value}, the kernel has {got}")
    if wrong:
        raise BuildError("kernel options did not stick (unmet dependency, or unknown to this kernel):\n" + "\n".join(wrong))


class KernelBuild:
    """Builds one configuration of one kernel source for one machine."""

    def __init__(self, sdk: Sdk, machine: Machine, work: Path) -> None:
        self.sdk = sdk
        self.machine = machine
        self.work = work
        self.tarball = next((sdk.root / "usr/src").glob("linux-source-*.tar.xz"))
        package = next(p for p in sdk.packages if p.name.startswith("linux-source-"))
        self.version = package.version
        self.source = work / f"linux-{package.sha256[:16]}"

    def unpack(self) -> None:
        """Unpacks the source once."""
        if self.source.exists():
            return
        say(f"kernel: unpacking the source of {self.version}")
        partial = self.source.with_suffix(".part")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        if subprocess.run(["tar", "-xJf", str(self.tarball), "-C", str(partial), "--strip-components=1"], check=False).returncode:
            raise BuildError(f"cannot unpack {self.tarball}")
        partial.rename(self.source)

    def inputs(self, fragments: list[str]) -> list[str | Path]:
        """Everything the result depends on."""
        wanted = sorted(requested(fragments).items())
        return [self.sdk.identity, self.machine.kernel_arch, str(wanted), Path(__file__)]

    def build(self, fragments: list[str], objects: Path, result: Path, log: Path) -> None:
        """Configures, checks and compiles into `objects`; leaves `Image` and `config` in `result`.

        `objects` may hold an interrupted build, or one of another configuration:
        make compiles what differs.
        """
        self.unpack()
        objects.mkdir(parents=True, exist_ok=True)
        lines = [f"{k}={v}" if v != "n" else f"# {k} is not set" for k, v in requested(fragments).items()]
        (objects / "requested.config").write_text("\n".join(lines) + "\n")
        make = [
            "make", "-C", str(self.source), f"O={objects}", f"-j{os.cpu_count()}",
            f"ARCH={self.machine.kernel_arch}", f"CROSS_COMPILE={self.machine.gnu_triple}-",
            # What would otherwise make two builds differ (Documentation/kbuild/reproducible-builds.rst).
            "KBUILD_BUILD_VERSION=1", "KBUILD_BUILD_TIMESTAMP=1970-01-01 00:00:00 UTC",
            "KBUILD_BUILD_USER=edgeai", "KBUILD_BUILD_HOST=edgeai",
        ]  # fmt: skip

        def run(target: str, *variables: str) -> None:
            self.sdk.run([*make, *variables, target], binds=[self.source, objects], cwd=objects, log=log)

        run("allnoconfig", f"KCONFIG_ALLCONFIG={objects}/requested.config")
        config = (objects / ".config").read_text()
        check(fragments, config)
        with progress("kernel", log):
            run(self.machine.kernel_image.rsplit("/", 1)[1])
        shutil.copyfile(objects / self.machine.kernel_image, result / "Image")
        (result / "config").write_text(config)


@contextlib.contextmanager
def progress(name: str, log: Path) -> Iterator[None]:
    """Says every 30 s how many objects a make run has compiled."""
    done = threading.Event()

    def watch() -> None:
        while not done.wait(30):
            count = log.read_text(errors="replace").count("\n  CC ")
            say(f"{name}: {count} objects compiled")

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
