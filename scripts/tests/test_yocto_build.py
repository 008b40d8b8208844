"""What kas built, in the folder that EDGEAI_YOCTO_BUILD names; without it all this is SKIPPED."""

from __future__ import annotations

import json
import os
import tomllib
from pathlib import Path

import pytest

from lib import build, image, machine, rootfs
from lib.debian import sha256

BUILD = os.environ.get("EDGEAI_YOCTO_BUILD")
MACHINE = machine.load("qemuarm64")

pytestmark = pytest.mark.skipif(not BUILD, reason="SKIPPED: EDGEAI_YOCTO_BUILD names no folder in which kas has built")


@pytest.fixture
def deploy() -> Path:
    return Path(BUILD or "") / "tmp/deploy"


@pytest.fixture
def images(deploy: Path) -> Path:
    return deploy / "images" / MACHINE.name


NAME = f"edgeai-image-{MACHINE.name}.rootfs"


def test_the_table_on_the_disk_is_the_one_written_down(images: Path) -> None:
    written = image.written_table(images / f"{NAME}.wic")
    assert written.pop("partition") == image.partitions()
    assert written == {key: image.table()[key] for key in ("disk_uuid", "loader_mib")}


def test_the_root_is_the_manifest_s(images: Path) -> None:
    files = json.loads((images / f"{NAME}.contents.json").read_text())["root"]["files"]
    origins = {entry["origin"] for entry in files if not entry["origin"].startswith("package:")}
    assert origins == {origin for origin in rootfs.manifest(False)["files"].values() if not origin.startswith("package:")}


def test_the_kernel_is_real_time_and_has_no_simulators(images: Path) -> None:
    config = (images / "kernel.config").read_text().splitlines()
    assert "CONFIG_PREEMPT_RT=y" in config
    assert not [line for line in config if line.startswith(("CONFIG_VIDEO_VIVID=", "CONFIG_GPIO_SIM=", "CONFIG_MODULES="))]


def test_the_bill_of_materials_lists_every_crate(images: Path) -> None:
    """Name, version and hash of every crate of Cargo.lock that comes from a registry (SPDX 3.0.1, software_Package)."""
    listed = {}
    for element in json.loads((images / f"{NAME}.spdx.json").read_text())["@graph"]:
        if element.get("type") == "software_Package" and element.get("name", "").endswith(".crate"):
            listed[element["name"]] = [one["hashValue"] for one in element.get("verifiedUsing", [])]
    locked = tomllib.loads((build.RUST / "Cargo.lock").read_text())["package"]
    wanted = {f"{crate['name']}-{crate['version']}.crate": [crate["checksum"]] for crate in locked if "checksum" in crate}
    assert listed == wanted


def test_the_licences_are_listed(deploy: Path) -> None:
    manifests = list(deploy.glob(f"licenses/**/{NAME}*/license.manifest"))
    assert manifests
    text = manifests[0].read_text()
    for package in ("edgeai", "litert"):
        assert f"PACKAGE NAME: {package}\n" in text
    assert "LICENSE: \n" not in text


def test_a_second_build_is_the_same(images: Path) -> None:
    """kas/feature/reproducible.yml makes it, in a folder of another name."""
    again = Path(BUILD or "") / "tmp-again/deploy/images" / MACHINE.name
    if not again.exists():
        pytest.skip(f"SKIPPED: no second build in {again}")
    assert sha256(again / f"{NAME}.wic") == sha256(images / f"{NAME}.wic")
