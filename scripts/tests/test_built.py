"""Images of other builders where the tests of the image look for scripts/build's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lib import built, machine
from lib.report import BuildError

MACHINE = machine.load("qemuarm64")


def images(folder: Path, agent: bool, builder: str = "Buildroot") -> Path:
    """What a finished build leaves in its images folder."""
    folder.mkdir()
    names = built.layouts(MACHINE)[builder]
    for name in (names["image"], names["kernel"]):
        (folder / name).write_text(f"{name} of {folder.name}")
    files = [{"path": "/usr/bin/edgeai"}] + [{"path": "/usr/bin/edgeai-test-agent"}] * agent
    (folder / names["manifest"]).write_text(json.dumps({"root": {"files": files}}))
    return folder


@pytest.fixture
def loader(tmp_path: Path) -> Path:
    path = tmp_path / "loader.bin"
    path.write_text("Debian's")
    return path


@pytest.mark.parametrize("builder", built.layouts(MACHINE))
def test_product_and_test_image_are_put_as_the_quick_builder_s(tmp_path: Path, loader: Path, builder: str) -> None:
    product, test = images(tmp_path / "product", False, builder), images(tmp_path / "test", True, builder)
    (test / "u-boot.bin").write_text("its own")
    folder = tmp_path / "build"
    assert built.as_quick_build(MACHINE, product, test, loader, folder) == builder
    image = built.layouts(MACHINE)[builder]["image"]
    assert (folder / "edgeai-qemuarm64.img").read_text() == f"{image} of product"
    assert (folder / "edgeai-qemuarm64-test.img").read_text() == f"{image} of test"
    assert (folder / "kernel.config").read_text() == "kernel.config of product"
    assert (folder / "u-boot.bin").read_text() == "its own"
    assert not built.is_test(folder / "manifest.json")
    assert built.is_test(folder / "test-manifest.json")


def test_a_build_without_a_loader_gets_the_machine_s(tmp_path: Path, loader: Path) -> None:
    product, test = images(tmp_path / "product", False), images(tmp_path / "test", True)
    built.as_quick_build(MACHINE, product, test, loader, tmp_path / "build")
    assert (tmp_path / "build/u-boot.bin").read_text() == "Debian's"


def test_images_of_the_wrong_kind_or_unfinished_are_refused(tmp_path: Path, loader: Path) -> None:
    product, test = images(tmp_path / "product", False), images(tmp_path / "test", True)
    with pytest.raises(BuildError, match="test has a test image; first comes the product"):
        built.as_quick_build(MACHINE, test, product, loader, tmp_path / "build")
    (test / "kernel.config").unlink()
    with pytest.raises(BuildError, match=r"test has no kernel\.config: it is no images folder of a finished build"):
        built.as_quick_build(MACHINE, product, test, loader, tmp_path / "build")
    (test / "sdcard.img").unlink()
    with pytest.raises(BuildError, match=r"test has no sdcard\.img and no .*\.wic: it is no images folder"):
        built.as_quick_build(MACHINE, product, test, loader, tmp_path / "build")
