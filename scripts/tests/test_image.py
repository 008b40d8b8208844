"""The image: its table as genimage writes it, slots that are too small, files without an origin."""

from __future__ import annotations

import dataclasses
import re
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path

import pytest

from lib import image, machine, rootfs
from lib.report import BuildError

TABLE = image.table()
NAMES = [p["name"] for p in TABLE["partition"]]


def test_genimage_is_told_all_partitions_in_order() -> None:
    assert re.findall(r"^partition (\S+) ", image.genimage_configuration("x.img"), re.MULTILINE) == NAMES


class Here:
    """Stands for the SDK root where the tests run inside it already."""

    def run(self, argv: list[str], *, cwd: Path, log: Path | None = None, **_: object) -> None:
        subprocess.run(argv, cwd=cwd, check=True, capture_output=True)
        if argv[0] == "genimage":
            # As where genimage sees holes: it cannot on the tmpfs these tests run on.
            subprocess.run(["fallocate", "--dig-holes", cwd.parent / "x.img"], check=True)


@pytest.fixture(scope="session")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A whole disk image around boot slots and a root of no meaning."""
    if missing := [tool for tool in ("genimage", "sgdisk", "bmaptool") if not shutil.which(tool)]:
        pytest.skip(f"needs the SDK root's {', '.join(missing)}")
    folder = tmp_path_factory.mktemp("disk")
    (folder / "root").write_bytes(b"root")

    def boot_slot(_sdk: object, _machine: object, slot: str, *words: object) -> None:
        (folder / f"parts/boot-{slot}.vfat").write_bytes(slot.encode())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(image, "boot_slot", boot_slot)
        image.write(Here(), machine.load("qemuarm64"), folder, folder / "root", {}, [], "x.img", folder, folder / "log")
    yield folder / "x.img"
    shutil.rmtree(folder)  # 300 MB


def test_the_table_on_the_disk_is_the_one_written_down(disk: Path) -> None:
    start = TABLE["loader_mib"] * image.MIB // image.SECTOR
    for number, wanted in enumerate(TABLE["partition"], 1):
        text = subprocess.run(["sgdisk", "-i", str(number), disk], check=True, capture_output=True, text=True).stdout
        found = dict(line.split(": ", 1) for line in text.splitlines())
        sectors = wanted["size_mib"] * image.MIB // image.SECTOR
        assert found["Partition name"] == f"'{wanted['name']}'"
        assert found["Partition GUID code"].split()[0].lower() == wanted["type"]
        assert found["Partition unique GUID"].lower() == wanted["uuid"]
        assert found["First sector"].split()[0] == str(start)
        assert found["Partition size"].split()[0] == str(sectors)
        # UEFI specification: bit 2 legacy bootable; UAPI Discoverable Partitions: bit 59 grow-file-system.
        assert int(found["Attribute flags"], 16) == (wanted.get("bootable", 0) << 2 | wanted.get("growfs", 0) << 59)
        start += sectors
    assert subprocess.run(["sgdisk", "-v", disk], check=True, capture_output=True, text=True).stdout.startswith("\nNo problems found")


def test_a_table_is_read_as_it_was_written(disk: Path, tmp_path: Path) -> None:
    written = image.written_table(disk)
    assert written.pop("partition") == image.partitions()
    assert written == {key: TABLE[key] for key in ("disk_uuid", "loader_mib")}
    (tmp_path / "empty.img").write_bytes(bytes(4096))
    with pytest.raises(BuildError, match=r"empty\.img: no GPT"):
        image.written_table(tmp_path / "empty.img")


def test_the_slots_hold_their_content(disk: Path) -> None:
    offset = TABLE["loader_mib"] * image.MIB
    with disk.open("rb") as stream:
        for entry, content in zip(TABLE["partition"], (b"a", b"b", b"root", b"root", b""), strict=True):
            stream.seek(offset)
            assert stream.read(8) == content.ljust(8, b"\0")
            offset += entry["size_mib"] * image.MIB


def test_flashing_by_block_map_erases_the_data_partition(disk: Path) -> None:
    whole = ElementTree.parse(f"{disk}.bmap").getroot()
    block = int(whole.findtext("BlockSize"))
    ranges = [tuple(int(n) for n in r.text.split("-")) for r in whole.find("BlockMap") if "-" in r.text]
    data = TABLE["partition"][-1]["size_mib"] * image.MIB
    start = TABLE["loader_mib"] * image.MIB + sum(p["size_mib"] for p in TABLE["partition"][:-1]) * image.MIB
    assert NAMES[-1] == "data"
    assert [r for r in ranges if r[0] <= start // block and r[1] >= (start + data) // block - 1]


def test_partitions_have_their_own_identities_and_slots_are_alike() -> None:
    uuids = [TABLE["disk_uuid"], *(p["uuid"] for p in TABLE["partition"])]
    assert len(set(uuids)) == len(uuids)
    for kind in ("boot", "root"):
        a, b = ({k: v for k, v in image.partition(f"{kind}-{slot}").items() if k not in ("name", "uuid")} for slot in "ab")
        assert a == b


@pytest.mark.parametrize("surplus", [0, 1])
def test_an_image_that_outgrows_its_slot_is_named_with_both_sizes(tmp_path: Path, surplus: int) -> None:
    limit = image.partition("root-a")["size_mib"] * image.MIB
    file = tmp_path / "root.img"
    with file.open("wb") as stream:
        stream.truncate(limit + surplus)
    if not surplus:
        image.check_fits(file, "root-a")
        return
    with pytest.raises(BuildError, match=rf"root\.img has {limit + 1} bytes, root-a holds {limit}: the image outgrew its slot"):
        image.check_fits(file, "root-a")


def test_a_kernel_that_outgrows_its_slot_is_named(tmp_path: Path) -> None:
    with (tmp_path / "Image").open("wb") as stream:
        stream.truncate(image.partition("boot-b")["size_mib"] * image.MIB + 1)
    with pytest.raises(BuildError, match=r"Image has .* boot-b holds .* outgrew its slot"):
        image.boot_slot(Here(), machine.load("qemuarm64"), "b", tmp_path, {}, [], tmp_path, tmp_path / "log")


@pytest.mark.parametrize("slot", ["a", "b"])
def test_the_kernel_of_a_slot_mounts_the_verified_root_of_that_slot(slot: str) -> None:
    verity = {"data_blocks": 1000, "root_hash": "0" * 64, "salt": "1" * 64}
    line = image.command_line(machine.load("qemuarm64"), slot, verity, ["extra"])
    device = f"PARTUUID={image.partition(f'root-{slot}')['uuid']}"
    # Documentation/admin-guide/device-mapper/verity.rst: 8 sectors of 512 bytes a block; the hashes follow the data.
    assert f'"root,,,ro,0 8000 verity 1 {device} {device} 4096 4096 1000 1000 sha256 {"0" * 64} {"1" * 64}"' in line
    assert line.endswith(" extra")


@pytest.fixture
def origins(tmp_path: Path) -> rootfs.Origins:
    return rootfs.Origins(*(tmp_path / f.name for f in dataclasses.fields(rootfs.Origins)))


def test_an_unknown_kind_of_origin_is_named(origins: rootfs.Origins) -> None:
    with pytest.raises(BuildError, match=r"rootfs\.toml: unknown origin 'cargoo:edgeai'"):
        origins.find("cargoo:edgeai", machine.load("qemuarm64"))


def test_a_library_that_no_package_has_is_named(origins: rootfs.Origins) -> None:
    with pytest.raises(BuildError, match=r"no package of the target has libx\.so"):
        origins.find("package:libx.so", machine.load("qemuarm64"))
