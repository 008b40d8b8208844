"""How boards boot: what lies in front of the slots, in them, and before the first partition; of BitBake, how it is told."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import REPOSITORY
from lib import board, boot, image, kernel
from lib.report import BuildError

LAYER = REPOSITORY / "meta-edgeai"
sys.path.insert(0, str(LAYER / "lib"))
import edgeai  # noqa: E402
from edgeai import slots  # noqa: E402

INCLUDE = (LAYER / "conf/distro/include/edgeai-boards.inc").read_text()
X86 = board.described("qemux86-64", kernel_arch="x86", console="ttyS0,115200")
VERITY = {"data_blocks": 2048, "root_hash": "ab" * 32, "salt": "cd" * 32}
STUB = Path("/usr/lib/systemd/boot/efi/linuxx64.efi.stub")

needs_fat_tools = pytest.mark.skipif(
    not (shutil.which("mcopy") and shutil.which("mkdosfs")), reason="SKIPPED: mtools and dosfstools are not installed"
)


@pytest.fixture
def host() -> slots.Host:
    return slots.Host(os.environ["PATH"])


@pytest.fixture
def deploy(tmp_path: Path) -> Path:
    """What a build deploys, as far as it matters here."""
    folder = tmp_path / "deploy"
    (folder / "bootfiles").mkdir(parents=True)
    for name, size in {"bootfiles/start4.elf": 900, "u-boot.bin": 700, "board.dtb": 50, "flash.bin": 2 << 20}.items():
        (folder / name).write_bytes(name.encode() + bytes(size))
    return folder


def listed(disk: Path) -> set[str]:
    text = subprocess.run(["mdir", "-b", "-/", "-i", str(disk), "::"], capture_output=True, text=True, check=True).stdout
    return {line.removeprefix("::/") for line in text.splitlines() if not line.endswith("/")}


def content(disk: Path, name: str) -> bytes:
    return subprocess.run(["mtype", "-i", str(disk), f"::/{name}"], capture_output=True, check=True).stdout


# -- ways to boot -------------------------------------------------------------------------------------


def test_a_machine_without_a_way_to_boot_is_refused() -> None:
    slots.check_way("qemuarm64", "fit", "")
    with pytest.raises(BuildError, match=r"no image for board yet: EDGEAI_BOOT is not set.*fit, efi \(conf/image/boards\.toml\)"):
        slots.check_way("board", "", "")
    with pytest.raises(BuildError, match="no image for board yet: nobody knows"):
        slots.check_way("board", "", "nobody knows")
    with pytest.raises(BuildError, match="EDGEAI_BOOT is 'bios'"):
        slots.check_way("board", "bios", "")


def test_a_description_with_an_unknown_key_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = tmp_path / "boards.toml"
    table.write_text('[board]\nboot = "fit"\nconsol = "ttyS0"\n')
    monkeypatch.setattr(board, "TABLE", table)
    with pytest.raises(BuildError, match=r"boards\.toml: \[board\]: unknown key consol; there are: boot, console, fit_address"):
        board.boards.__wrapped__()


@pytest.mark.parametrize("name", sorted(board.boards()))
def test_bitbake_is_told_what_the_table_says(name: str) -> None:
    described = board.load(name)
    assert edgeai.board_value(name, "boot") == described.boot in slots.WAYS
    assert edgeai.board_value(name, "rom_files").split() == described.rom_files
    assert int(edgeai.board_value(name, "load_address") or "0", 0) == described.load_address
    assert edgeai.board_value("somebody-s-board", "boot") == ""


def test_the_first_device_tree_is_the_slot_s() -> None:
    # As meta-freescale writes it.
    assert edgeai.device_tree("imx8mp-lpddr4-evk", "     freescale/imx8mp-evk.dtb freescale/other.dtb ") == "imx8mp-evk.dtb"
    assert edgeai.device_tree("board", "") == edgeai.device_tree("qemuarm64", "some.dtb") == ""


def test_a_slot_without_a_device_tree_is_refused(tmp_path: Path, host: slots.Host) -> None:
    (tmp_path / "Image").touch()
    with pytest.raises(BuildError, match="no device tree for the slots of board"):
        image.boot_slot(host, board.described("board"), "a", tmp_path, VERITY, [], tmp_path, tmp_path / "log")


@pytest.mark.parametrize("name", [name for name, described in board.boards().items() if described.boot == "fit"])
def test_kernel_and_fit_do_not_lie_on_each_other(name: str) -> None:
    load, fit = board.load(name).load_address, board.load(name).fit_address
    assert load % (2 << 20) == 0  # Documentation/arch/arm64/booting.rst
    assert fit - load >= image.partition("boot-a")["size_mib"] * image.MIB


@pytest.mark.parametrize(
    "fragment", sorted({name for line in re.findall(r'EDGEAI_U_BOOT_FRAGMENTS:\S+ = "(.*)"', INCLUDE) for name in line.split()})
)
def test_a_fragment_of_the_loader_is_one(fragment: str) -> None:
    assert kernel.symbols((boot.U_BOOT / f"{fragment}.cfg").read_text(), fragment, strict=True)


def test_an_option_of_the_loader_that_did_not_stick_is_named() -> None:
    config = "CONFIG_ENV_IS_IN_MMC=y\nCONFIG_ENV_SIZE=0x10000\nCONFIG_ENV_OFFSET=0x7e0000\nCONFIG_ENV_OFFSET_REDUND=0x7f0000\n"
    boot.check_u_boot(["environment-in-mmc"], config)
    with pytest.raises(BuildError, match=r"CONFIG_ENV_REDUNDANT: redundant-environment\.cfg asks for y, U-Boot has n"):
        boot.check_u_boot(["environment-in-mmc", "redundant-environment"], config)


# -- before the first partition -----------------------------------------------------------------------


def test_both_environments_lie_before_the_first_slot() -> None:
    said = kernel.symbols((boot.U_BOOT / "environment-in-mmc.cfg").read_text())
    size, first, second = (int(said[f"CONFIG_ENV_{name}"], 0) for name in ("SIZE", "OFFSET", "OFFSET_REDUND"))
    assert first == boot.environment()
    assert first + size <= second
    assert second + size <= image.table()["loader_mib"] * image.MIB


def test_a_loader_that_is_too_long_is_refused(deploy: Path) -> None:
    boot.check_loader(["32:flash.bin"], deploy)
    boot.check_loader([], deploy)
    (deploy / "flash.bin").write_bytes(bytes(boot.environment() - (32 << 10) + 1))
    with pytest.raises(BuildError, match=r"flash\.bin ends at \d+ bytes, the environment begins at 8257536"):
        boot.check_loader(["32:flash.bin"], deploy)
    with pytest.raises(BuildError, match=r"flash\.bin ends at \d+ bytes, u-boot\.bin begins at 4194304"):
        boot.check_loader(["4096:u-boot.bin", "32:flash.bin"], deploy)
    with pytest.raises(BuildError, match=r"u-boot\.bin begins inside the partition table"):
        boot.check_loader(["8:u-boot.bin"], deploy)
    with pytest.raises(BuildError, match=r"no idbloader\.img in"):
        boot.check_loader(["32:idbloader.img"], deploy)


# -- partitions that a ROM reads ----------------------------------------------------------------------


def test_they_come_first_and_leave_the_slots_as_they_are() -> None:
    without, with_them = (edgeai.kickstart("slots", [], firmware).splitlines() for firmware in (False, True))
    names = [re.search(r"--part-name (\S+)", line)[1] for line in with_them[1:]]
    assert names[:2] == ["firmware-a", "firmware-b"]
    assert names[2:] == [entry["name"] for entry in image.table()["partition"]]
    identity = re.compile(r"--uuid \S+")
    assert identity.findall("\n".join(with_them))[2:] == identity.findall("\n".join(without))
    offsets = [int(re.search(r"--offset (\d+)M", line)[1]) for line in with_them[1:]]
    sizes = [int(re.search(r"--fixed-size (\d+)M", line)[1]) for line in with_them[1:]]
    assert offsets == [image.table()["loader_mib"] + sum(sizes[:number]) for number in range(len(sizes))]
    assert not any("--active" in line for line in with_them[1:3]), "U-Boot looks for slots on bootable partitions"
    assert edgeai.attributes(True) == [(len(names), 59)]


@needs_fat_tools
def test_the_rom_has_its_files_twice(deploy: Path, tmp_path: Path, host: slots.Host) -> None:
    files, lines = ["start4.elf", "u-boot.bin", "board.dtb"], ["arm_64bit=1", "kernel=u-boot.bin"]
    results = [tmp_path / "one", tmp_path / "two"]
    for result in results:
        result.mkdir()
        boot.firmware(host, files, lines, [deploy, deploy / "bootfiles"], result, result / "log")
    for name in ("firmware-a", "firmware-b"):
        disk = results[0] / f"{name}.img"
        assert disk.read_bytes() == (results[1] / f"{name}.img").read_bytes()
        assert disk.stat().st_size == 32 * image.MIB
        assert listed(disk) - {"autoboot.txt"} == {"start4.elf", "u-boot.bin", "board.dtb", "config.txt"}
        assert content(disk, "config.txt").split() == [b"arm_64bit=1", b"kernel=u-boot.bin"]
        assert content(disk, "u-boot.bin") == (deploy / "u-boot.bin").read_bytes()
    assert b"boot_partition=2" in content(results[0] / "firmware-a.img", "autoboot.txt")
    with pytest.raises(BuildError, match=r"the board's ROM wants fixup4\.dat, which is not in \S+/deploy"):
        boot.firmware(host, ["fixup4.dat"], lines, [deploy], tmp_path, tmp_path / "log")


# -- unified kernel images ----------------------------------------------------------------------------


def efi(folder: Path, host: slots.Host, ukify: list[str], stub: Path) -> list[Path]:
    folder.mkdir()
    (folder / "kernel").write_bytes(STUB.read_bytes() if STUB.exists() else bytes(5000))
    for slot in ("a", "b"):
        boot.efi_slot(host, X86, slot, folder / "kernel", VERITY, ["extra"], folder, folder / "log", ukify, stub, "x64")
    return [folder / "boot-a.img", folder / "boot-b.img"]


@needs_fat_tools
def test_a_slot_is_where_firmware_looks_and_knows_its_root(tmp_path: Path, host: slots.Host) -> None:
    program = tmp_path / "ukify"
    program.write_text("""for word; do
    case $word in --cmdline=@*) told=${word#*@} ;; --output=*) cp "$told" "${word#*=}" ;; esac
done
""")
    images = efi(tmp_path / "one", host, ["sh", str(program)], STUB)
    again = efi(tmp_path / "two", host, ["sh", str(program)], STUB)
    for slot, disk, other in zip("ab", images, again, strict=True):
        assert listed(disk) == {"EFI/BOOT/BOOTX64.EFI"}
        told = content(disk, "EFI/BOOT/BOOTX64.EFI").decode()
        assert told == image.command_line(X86, slot, VERITY, ["extra"])
        assert image.partition(f"root-{slot}")["uuid"] in told
        assert disk.read_bytes() == other.read_bytes()


@needs_fat_tools
@pytest.mark.skipif(not (shutil.which("ukify") and STUB.exists()), reason="SKIPPED: systemd's ukify and EFI stub are not installed")
def test_ukify_puts_kernel_and_command_line_into_one_program(tmp_path: Path, host: slots.Host) -> None:
    pefile = pytest.importorskip("pefile", reason="SKIPPED: pefile is not installed")
    disk = efi(tmp_path / "one", host, ["ukify"], STUB)[1]
    program = pefile.PE(data=content(disk, "EFI/BOOT/BOOTX64.EFI"))
    sections = {section.Name.rstrip(b"\0"): section.get_data()[: section.Misc_VirtualSize] for section in program.sections}
    assert sections[b".linux"] == (tmp_path / "one/kernel").read_bytes()
    assert VERITY["root_hash"].encode() in sections[b".cmdline"]
    assert b"VARIANT_ID=boot-b" in sections[b".osrel"]
