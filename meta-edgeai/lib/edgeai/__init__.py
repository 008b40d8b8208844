"""What the recipes take from where it is written once for every builder.

The quick builder's modules (scripts/lib) know partition table, root manifest, kernel
fragments, boot script and locks; the layer uses them, so that builders cannot drift.
"""

import re
import sys
import tomllib
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[3]
sys.path.append(str(PROJECT / "scripts"))

from lib import board, boot, image, kernel, machine, rootfs  # noqa: E402, F401 - boot for the classes
from lib.report import BuildError  # noqa: E402, F401 - likewise


def checksums(*paths):
    """Files that a task depends on, for its file-checksums."""
    return " ".join(f"{PROJECT / path}:True" for path in paths)


# What the image's tasks depend on; a kernel is not built again for all of it.
KERNEL_SOURCES = checksums("meta-edgeai/lib/edgeai/__init__.py", "scripts/lib/kernel.py")
SOURCES = checksums(
    "meta-edgeai/conf/image/boards.toml",
    "meta-edgeai/conf/image/partitions.toml",
    "meta-edgeai/conf/image/rootfs.toml",
    "meta-edgeai/lib/edgeai/__init__.py",
    "meta-edgeai/lib/edgeai/slots.py",
    "scripts/lib/board.py",
    "scripts/lib/boot.py",
    "scripts/lib/image.py",
    "scripts/lib/kernel.py",
    "scripts/lib/machine.py",
    "scripts/lib/rootfs.py",
)


def words(value):
    """A value of a description as BitBake writes it; numbers are addresses."""
    return " ".join(value) if isinstance(value, list) else f"{value:#x}" if isinstance(value, int) else value


def machine_value(name, key, default=""):
    """A value of scripts/machines/<name>.toml; `default` for machines that the quick builder does not know."""
    return words(getattr(machine.load(name), key)) if name in machine.names() else default


def board_value(name, key, default=""):
    """How a machine boots (lib/board.py); `default` for machines that nobody knows, and where nothing is said."""
    known = board.boards()
    return words(getattr(known[name], key) or default) if name in known else default


def fragments(name, common):
    """The common fragments, and the board's own where there is one."""
    board = f"board-{name}"
    return f"{common} {board}" if (kernel.FRAGMENTS / f"{board}.cfg").exists() else common


def for_kernel(fragments, version):
    """The fragments that a kernel of this version takes: one named <what>-6.12 is for 6.12 only."""
    named = [(fragment, re.fullmatch(r".*-(\d+\.\d+)", fragment)) for fragment in fragments]
    return [fragment for fragment, only in named if not only or f"{version}.".startswith(f"{only[1]}.")]


def emulator(name):
    """Program and arguments that emulate a machine, or None when it is no emulated one."""
    if name not in machine.names():
        return None
    board = machine.load(name)
    return [board.qemu["binary"], *board.qemu_arguments()]


def device_tree(name, listed):
    """The first of KERNEL_DEVICETREE as it is deployed; nothing for a board whose emulator makes it."""
    names = listed.split()
    return Path(names[0]).name if names and not emulator(name) else ""


def kickstart(folder, loader, firmware=False):
    """The partition table in wic's words; contents are <folder>/<name>.img.

    `loader`: what lies before the first partition, as <KiB>:<file in DEPLOY_DIR_IMAGE>.
    """
    table = image.table()
    lines = [f"bootloader --ptable gpt --diskid {table['disk_uuid']}"]
    for word in loader:
        start, file = word.split(":", 1)
        lines.append(f'part --source rawcopy --sourceparams="file={file}" --offset {start}K --no-table')
    offset = table["loader_mib"]
    for entry in image.partitions(firmware):
        words = [
            "part", "--source rawcopy", f'--sourceparams="file={folder}/{entry["name"]}.img"', f"--offset {offset}M",
            f"--fixed-size {entry['size_mib']}M", f"--part-name {entry['name']}",
            f"--part-type {entry['type']}", f"--uuid {entry['uuid']}",
        ]  # fmt: skip
        lines.append(" ".join(words + ["--active"] * bool(entry.get("bootable"))))
        offset += entry["size_mib"]
    return "\n".join(lines) + "\n"


def attributes(firmware=False):
    """(partition number, GPT attribute bit) pairs that wic has no word for: bit 59 is grow-file-system."""
    return [(number, 59) for number, entry in enumerate(image.partitions(firmware), 1) if entry.get("growfs")]


def source(path):
    """A model's source.toml."""
    return tomllib.loads(Path(path).read_text())


def models():
    """The models of the root, as its manifest says."""
    return [origin.split(":", 1)[1] for origin in rootfs.manifest(False)["files"].values() if origin.startswith("model:")]


def test_words():
    """What the test image's kernel is told beside."""
    return " ".join((PROJECT / "tests-qemu/image/cmdline").read_text().split())


def test_nodes(name):
    """The source of the test image's additional device nodes, where there is one."""
    path = PROJECT / f"tests-qemu/image/{name}.dtsi"
    return str(path) if path.exists() else ""
