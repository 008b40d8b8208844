"""Images of boards as Buildroot's last step makes them, around files of no meaning: what lies where on the disk."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from lib import buildroot, buildroot_tree, image
from lib.board import load
from lib.report import BuildError

TOOLS = ("bmaptool", "dtc", "fdtput", "genimage", "mcopy", "mkdosfs", "mkimage", "sgdisk", "veritysetup")
pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, TOOLS)), reason=f"SKIPPED: needs the SDK root's {', '.join(t for t in TOOLS if not shutil.which(t))}"
)
CONFIGURATIONS = {name: buildroot.configuration(buildroot_tree.defconfig(name)) for name in buildroot_tree.boards()}
TREES = {
    name: Path(options["BR2_LINUX_KERNEL_INTREE_DTS_NAME"]).name + ".dtb"
    for name, options in CONFIGURATIONS.items()
    if "BR2_LINUX_KERNEL_INTREE_DTS_NAME" in options
}


def built(board: str, base: Path) -> tuple[buildroot.Job, Path]:
    """An output folder with what a board's packages install, as far as the image takes it."""
    binaries = base / "images"
    binaries.mkdir()
    source = base / "board.dts"
    source.write_text('/dts-v1/; / { model = "a board"; chosen { }; };')
    subprocess.run(["dtc", "-q", "-o", binaries / TREES[board], source], check=True)
    described = load(CONFIGURATIONS[board]["BR2_PACKAGE_EDGEAI_MACHINE"])
    loader = [word.split(":")[1] for word in described.loader]
    for name in ["Image", "rootfs.erofs", *loader, *described.rom_files]:
        path = binaries / ("rpi-firmware" if name.endswith((".elf", ".dat")) else ".") / name
        path.parent.mkdir(exist_ok=True)
        if not path.exists():
            path.write_bytes(name.encode().ljust(9000, b"."))
    (base / "edgeai-root.json").write_text("[]")
    return buildroot.Job(buildroot_tree.defconfig(board), base / "host"), binaries


def part(disk: Path, name: str, firmware: bool, into: Path) -> Path:
    """The content of one partition, as a file."""
    start = image.table()["loader_mib"]
    for entry in image.partitions(firmware):
        if entry["name"] == name:
            break
        start += entry["size_mib"]
    with disk.open("rb") as stream:
        stream.seek(start * image.MIB)
        (into / name).write_bytes(stream.read(entry["size_mib"] * image.MIB))
    return into / name


def inside(disk: Path, name: str) -> bytes:
    """A file of a FAT file system."""
    return subprocess.run(["mtype", "-i", disk, f"::/{name}"], check=True, capture_output=True).stdout


def test_every_board_that_is_no_emulated_one_has_an_image_here() -> None:
    assert sorted(TREES) == ["imx8mp_evk", "raspberrypi4_64", "raspberrypi5", "rock5b"]


@pytest.mark.parametrize("board", sorted(TREES))
def test_an_image_has_loader_firmware_and_slots_where_the_board_looks(board: str, tmp_path: Path) -> None:
    job, binaries = built(board, tmp_path)
    job.image(binaries, tmp_path)
    disk, firmware = binaries / buildroot.IMAGE, bool(job.board.rom_files)
    assert image.written_table(disk)["partition"] == image.partitions(firmware)
    for word in job.board.loader:
        start, name = word.split(":")
        with disk.open("rb") as stream:
            stream.seek(int(start) << 10)
            assert stream.read(9000) == (binaries / name).read_bytes()
    for slot in "ab" if firmware else "":
        rom = part(disk, f"firmware-{slot}", firmware, tmp_path)
        assert inside(rom, "config.txt").decode().split() == job.board.rom_config
        assert inside(rom, "u-boot.bin") == (binaries / "u-boot.bin").read_bytes()
    root = json.loads((binaries / "manifest.json").read_text())["root"]["verity"]["root_hash"]
    for slot in "ab":
        boot = part(disk, f"boot-{slot}", firmware, tmp_path)
        assert f"{job.board.fit_address:#x} edgeai.itb && bootm".encode() in inside(boot, "boot.scr")
        fit = inside(boot, "edgeai.itb")
        for said in (f"console={job.board.console} ", image.partition(f"root-{slot}")["uuid"], root, "a board"):
            assert said.encode() in fit, said
    disk.unlink()  # 300 MB each


def test_a_loader_that_reaches_the_environment_is_refused(tmp_path: Path) -> None:
    job, binaries = built("imx8mp_evk", tmp_path)
    with (binaries / "flash.bin").open("wb") as stream:
        stream.truncate(8 * image.MIB)
    with pytest.raises(BuildError, match=r"flash\.bin ends at \d+ bytes, the environment begins at"):
        job.image(binaries, tmp_path)


def test_a_device_tree_that_is_not_there_is_named(tmp_path: Path) -> None:
    job, binaries = built("rock5b", tmp_path)
    (binaries / TREES["rock5b"]).unlink()
    with pytest.raises(BuildError, match=r"no rk3588-rock-5b\.dtb in .*BR2_LINUX_KERNEL_INTREE_DTS_NAME"):
        job.image(binaries, tmp_path)
