"""The root file system: assembled from its manifest, packed as EROFS with a dm-verity tree."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import tomllib
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lib import debian
from lib.kernel import REPOSITORY
from lib.machine import Machine
from lib.report import BuildError
from lib.sdk import Sdk

MANIFEST = REPOSITORY / "meta-edgeai/conf/image/rootfs.toml"
BLOCK = 4096  # bytes, of EROFS and of dm-verity


@dataclass(frozen=True)
class Origins:
    """Where the files of the manifest come from; each a folder, except the appliance file."""

    cargo: Path
    target: Path  # unpacked packages of the target
    runtime: Path
    models: Path
    appliance: Path

    def find(self, origin: str, machine: Machine) -> Path:
        kind, name = origin.split(":", 1)
        match kind:
            case "cargo":
                return self.cargo / name
            case "runtime":
                return self.runtime / name
            case "model":
                return self.models / name
            case "appliance":
                return self.appliance
            case "package":
                for folder in ("usr/bin", "usr/sbin", f"usr/lib/{machine.gnu_triple}", "usr/lib"):
                    if (path := self.target / folder / name).exists():
                        return path
                raise BuildError(f"{MANIFEST}: no package of the target has {name}")
        raise BuildError(f"{MANIFEST}: unknown origin {origin!r}")


def manifest(test: bool, *tables: str) -> dict:
    """The manifest; with what the test image adds when `test`, and what its further `tables` add (`teflon`, `tensorflow-lite`)."""
    whole = tomllib.loads(MANIFEST.read_text())
    further = [name for name in whole if name not in ("directories", "links", "files")]
    additions = {name: whole.pop(name)["files"] for name in further}
    for name in (*tables, *(["test"] if test else [])):
        if name not in additions:
            raise BuildError(f"{MANIFEST}: there is no table [{name}.files]; there are: {', '.join(additions)}")
        whole["files"] |= additions[name]
    return whole


def names_in(readelf: str) -> list[str]:
    """DT_NEEDED and the program interpreter's name, out of what `readelf -dlW` prints."""
    return re.findall(r"\(NEEDED\).*\[(.+)\]", readelf) + re.findall(r"interpreter: .*/(.+)\]", readelf)


def is_elf(file: Path) -> bool:
    with file.open("rb") as stream:
        return stream.read(4) == b"\x7fELF"


def assemble(sdk: Sdk, machine: Machine, origins: Origins, test: bool, root: Path, *tables: str) -> list[dict]:
    """Fills `root`; returns the file list: path, bytes, sha256, origin."""

    def find(path: str, origin: str) -> Path:
        source = origins.find(origin, machine).resolve()
        if not source.exists():
            raise BuildError(f"{path}: its origin {origin} gave no {source.name}")
        return source

    def readelf(file: Path) -> str:
        command = sdk.command(
            [f"{machine.gnu_triple}-readelf", "-dlW", str(file)], binds=[file.parent], env={}, cwd=Path("/"), network=False
        )
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    return fill(root, manifest(test, *tables), find, readelf)


def fill(root: Path, content: dict, find: Callable[[str, str], Path], readelf: Callable[[Path], str]) -> list[dict]:
    """Puts into `root` what a manifest says and the libraries that it needs; returns the file list.

    find: path in the root and origin → where that is; readelf: an ELF file → what `readelf -dlW` prints.
    """
    root.chmod(0o755)
    for folder in content["directories"]:
        (root / folder).mkdir(parents=True, exist_ok=True)
    origin_of: dict[str, str] = {}

    def place(path: str, origin: str) -> None:
        source = find(path, origin)
        files = sorted(p for p in source.rglob("*") if p.is_file()) if source.is_dir() else [source]
        for file in files:
            relative = f"{path}/{file.relative_to(source)}" if source.is_dir() else path
            target = root / relative
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)
            executable = relative.startswith(("usr/bin/", "usr/sbin/")) or ".so" in target.name
            target.chmod(0o755 if executable else 0o644)
            origin_of[relative] = origin

    for path, origin in content["files"].items():
        place(path, origin)
    pending = sorted(origin_of)
    while pending:
        file = root / pending.pop()
        for library in names_in(readelf(file)) if is_elf(file) else []:
            path = f"usr/lib/{library}"
            if path not in origin_of:
                place(path, f"package:{library}")
                pending.append(path)
    for path, target in content["links"].items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).symlink_to(target)
    for folder in [root, *(p for p in root.rglob("*") if p.is_dir() and not p.is_symlink())]:
        folder.chmod(0o755)
    listed = []
    for path in sorted(origin_of):
        file = root / path
        listed.append({"path": f"/{path}", "bytes": file.stat().st_size, "sha256": debian.sha256(file), "origin": origin_of[path]})
    return listed


def check_appliance(sdk: Sdk, machine: Machine, root: Path, source: Path) -> None:
    """The image's own description, judged by the very program that will read it on the device."""
    program = ["qemu-" + machine.rust_target.split("-")[0], "-L", str(root), str(root / "usr/bin/edgeai"), "check", str(source)]
    command = sdk.command(program, binds=[root, source.parent], env={}, cwd=root, network=False)
    judged = subprocess.run(command, capture_output=True, text=True, check=False)
    if judged.returncode:
        raise BuildError(judged.stderr.strip())


def pack(sdk: Sdk, root: Path, result: Path) -> dict:
    """Writes `result/root.img` (EROFS, then the hash tree); returns what the kernel must be told."""
    seed = hashlib.sha256(json.dumps([str(p.relative_to(root)) for p in sorted(root.rglob("*"))]).encode()).digest()
    image = result / "root.img"
    sdk.run(
        ["mkfs.erofs", "-zzstd,level=9", "-C65536", "-Efragments,dedupe", "-T0", "--all-root",
         "-U", str(uuid.UUID(bytes=seed[:16])), str(image), str(root)],
        binds=[root, result], cwd=result, log=result / "mkfs.log",
    )  # fmt: skip
    described = add_verity(sdk, image, result)
    (result / "mkfs.log").unlink()
    return described


def add_verity(sdk: Sdk, image: Path, result: Path) -> dict:
    """Appends the dm-verity tree to an EROFS image; returns what the kernel must be told."""
    size = image.stat().st_size
    padded = -(-size // BLOCK) * BLOCK
    with image.open("r+b") as stream:
        stream.truncate(padded)
    salt = debian.sha256(image)  # fixed by the content, so that equal roots are equal images
    sdk.run(
        ["veritysetup", "format", "--no-superblock", f"--hash-offset={padded}", f"--data-blocks={padded // BLOCK}",
         f"--salt={salt}", "--hash=sha256", str(image), str(image)],
        binds=[result], cwd=result, log=result / "verity.log",
    )  # fmt: skip
    match = re.search(r"Root hash:\s+([0-9a-f]{64})", (result / "verity.log").read_text())
    if not match:
        raise BuildError(f"veritysetup printed no root hash, see {result / 'verity.log'}")
    (result / "verity.log").unlink()
    return {"data_blocks": padded // BLOCK, "root_hash": match[1], "salt": salt, "erofs_bytes": size}
