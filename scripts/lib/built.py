"""Images that another builder made, put where the tests find those of scripts/build."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

from lib.machine import Machine
from lib.report import BuildError


def layouts(machine: Machine) -> dict[str, dict[str, str]]:
    """What each builder calls an image, its manifest and the kernel's configuration in its images folder."""
    yocto = f"edgeai-image-{machine.name}.rootfs"
    return {
        "Buildroot": {"image": "sdcard.img", "manifest": "manifest.json", "kernel": "kernel.config"},
        "Yocto": {"image": f"{yocto}.wic", "manifest": f"{yocto}.contents.json", "kernel": "kernel.config"},
    }


def as_quick_build(machine: Machine, product: Path, test: Path, loader: Path, folder: Path) -> str:
    """Puts the images folders of a product and of its test image as `scripts/build` leaves its results.

    Buildroot's images/ or Yocto's deploy/images/<machine>; returns whose they are. `loader` is taken where the build made
    no boot loader of its own.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    builder = ""
    for images, suffix, prefix in ((product, "", ""), (test, "-test", "test-")):
        builder, names = layout(machine, images)
        copy(images / names["image"], folder / f"edgeai-{machine.name}{suffix}.img")
        copy(images / names["manifest"], folder / f"{prefix}manifest.json")
        copy(images / names["kernel"], folder / f"{prefix}kernel.config")
        own = images / "u-boot.bin"
        copy(own if own.exists() else loader, folder / "u-boot.bin")
        if is_test(folder / f"{prefix}manifest.json") != bool(suffix):
            raise BuildError(f"{images} has {'the product' if suffix else 'a test image'}; first comes the product, then the test image")
    return builder


def layout(machine: Machine, images: Path) -> tuple[str, dict[str, str]]:
    """Whose images folder this is, and its names; all of them are there."""
    known = layouts(machine)
    for builder, names in known.items():
        if (images / names["image"]).exists():
            if missing := [name for name in names.values() if not (images / name).exists()]:
                raise BuildError(f"{images} has no {missing[0]}: it is no images folder of a finished build")
            return builder, names
    wanted = " and no ".join(names["image"] for names in known.values())
    raise BuildError(f"{images} has no {wanted}: it is no images folder of a finished build")


def is_test(manifest: Path) -> bool:
    """Whether a manifest is of a test image."""
    return any(file["path"] == "/usr/bin/edgeai-test-agent" for file in json.loads(manifest.read_text())["root"]["files"])


def copy(source: Path, target: Path) -> None:
    subprocess.run(["cp", "--dereference", "--sparse=auto", str(source), str(target)], check=True)
