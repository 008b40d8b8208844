"""The external tree in a Buildroot tree, which EDGEAI_BUILDROOT names; without it all this is SKIPPED.

EDGEAI_BUILDROOT_IMAGES names the images folder of a finished build, EDGEAI_BUILD
the quick builder's results: then the two images are compared.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import struct
import subprocess
import uuid
from functools import cache
from pathlib import Path

import pytest

from lib import buildroot_tree, image

TREE = os.environ.get("EDGEAI_BUILDROOT")
IMAGES = os.environ.get("EDGEAI_BUILDROOT_IMAGES")
QUICK = os.environ.get("EDGEAI_BUILD")
BOARDS = buildroot_tree.boards()

needs_tree = pytest.mark.skipif(not TREE, reason="SKIPPED: EDGEAI_BUILDROOT names no Buildroot tree")
needs_images = pytest.mark.skipif(not IMAGES, reason="SKIPPED: EDGEAI_BUILDROOT_IMAGES names no finished build")


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory):
    """Board → an output folder configured by its defconfig."""

    @cache
    def output(board: str) -> Path:
        folder = tmp_path_factory.mktemp(board)
        make(Path(TREE or ""), f"O={folder}", f"BR2_EXTERNAL={buildroot_tree.EXTERNAL}", f"edgeai_{board}_defconfig")
        return folder

    return output


def make(folder: Path, *words: str) -> str:
    done = subprocess.run(["make", "-s", "-C", str(folder), *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@needs_tree
@pytest.mark.parametrize("board", BOARDS)
def test_a_defconfig_is_minimal_and_nothing_of_it_is_dropped(outputs, board: str) -> None:
    output = outputs(board)
    saved = output / "saved"
    make(output, "savedefconfig", f"BR2_DEFCONFIG={saved}")
    wanted = buildroot_tree.defconfig(board).read_text()
    assert saved.read_text() == wanted
    buildroot_tree.check_stuck(wanted, (output / ".config").read_text())


@needs_tree
@pytest.mark.parametrize("board", BOARDS)
def test_our_packages_are_in_the_build_and_all_sources_have_a_place(outputs, board: str) -> None:
    output = outputs(board)
    packages = json.loads(make(output, "show-info"))
    for name in ("edgeai", "edgeai-crates", "edgeai-models", "litert", "linux"):
        assert name in packages, name
        assert packages[name]["licenses"], name
    assert not {"busybox", "bash", "ifupdown-scripts"} & packages.keys()
    listed = make(output, "external-deps").split()
    for name in ("edgeai-crates", "edgeai-models", "litert", "host-libclang-bin"):
        for download in packages[name]["downloads"]:
            assert download["source"] in listed


@needs_tree
def test_a_machine_without_image_is_said_before_anything_is_built(outputs) -> None:
    output = outputs("qemu_x86_64")
    done = subprocess.run(["make", "-s", "-C", str(output)], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert 'edgeai makes no image for "qemux86-64" yet, only for: qemuarm64' in done.stderr
    assert not (output / "build/linux-headers").exists() and not list((output / "build").glob("linux-*"))


@needs_tree
@pytest.mark.parametrize("fragment", sorted((buildroot_tree.EXTERNAL / "fragments").glob("*.config")), ids=lambda path: path.stem)
def test_a_fragment_sticks(tmp_path: Path, fragment: Path) -> None:
    buildroot_tree.configure(Path(TREE or ""), buildroot_tree.defconfig("qemu_aarch64"), [fragment], tmp_path)
    if fragment.stem == "update":
        packages = json.loads(make(tmp_path, "show-info")).keys()
        assert {"rauc", "host-rauc", "uboot-tools"} <= packages
        assert not {"dbus", "systemd", "libcurl"} & packages


@needs_tree
def test_the_variables_say_what_the_facts_say(outputs) -> None:
    names = "EDGEAI_VERSION EDGEAI_CPU EDGEAI_PROGRAMS LITERT_VERSION EDGEAI_MODELS_NAMES"
    lines = make(outputs("qemu_aarch64"), "printvars", f"VARS={names}").splitlines()
    values = dict(line.split("=", 1) for line in lines)
    assert values["EDGEAI_CPU"] == "cortex-a76"
    assert values["EDGEAI_PROGRAMS"] == "edgeai"
    assert values["EDGEAI_MODELS_NAMES"] == "ssd-mobilenet-v2-oidv4-int8"
    assert values["LITERT_VERSION"]


@needs_tree
@pytest.mark.skipif(
    not all(map(importlib.util.find_spec, ("magic", "flake8"))) or not shutil.which("shellcheck"),
    reason="SKIPPED: check-package needs Python's magic and flake8, and shellcheck",
)
def test_check_package_is_content() -> None:
    files = [str(path) for path in sorted(buildroot_tree.EXTERNAL.rglob("*")) if path.is_file() and "__pycache__" not in path.parts]
    done = subprocess.run(["utils/check-package", "-b", *files], cwd=TREE, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@needs_images
def test_partitions_are_the_table_s() -> None:
    """Read as the UEFI specification 2.10, section 5.3, lays them out."""
    with (Path(IMAGES or "") / "sdcard.img").open("rb") as disk:
        disk.seek(512)
        header = disk.read(92)
        disk.seek(2 * 512)
        entries = [disk.read(128) for _ in image.table()["partition"]]
    assert header[:8] == b"EFI PART"
    assert str(uuid.UUID(bytes_le=header[56:72])) == image.table()["disk_uuid"]
    start = image.table()["loader_mib"]
    for entry, wanted in zip(entries, image.table()["partition"], strict=True):
        first, last, attributes = struct.unpack_from("<QQQ", entry, 32)
        assert str(uuid.UUID(bytes_le=entry[:16])) == wanted["type"]
        assert str(uuid.UUID(bytes_le=entry[16:32])) == wanted["uuid"]
        assert entry[56:].decode("utf-16-le").rstrip("\0") == wanted["name"]
        assert (first, last + 1) == (start << 11, (start + wanted["size_mib"]) << 11)
        assert bool(attributes >> 59 & 1) == wanted.get("growfs", False)
        start += wanted["size_mib"]


@needs_images
@pytest.mark.skipif(not QUICK, reason="SKIPPED: EDGEAI_BUILD names no results of scripts/build")
def test_the_root_has_the_quick_builder_s_files() -> None:
    """Files and where they come from; libraries may differ in number, as distributions cut them differently."""

    def named(manifest: Path) -> dict[str, str]:
        files = json.loads(manifest.read_text())["root"]["files"]
        return {file["path"]: file["origin"] for file in files if not file["origin"].startswith("package:lib") or "/ld-" in file["path"]}

    assert named(Path(IMAGES or "") / "manifest.json") == named(Path(QUICK or "") / "manifest.json")
