"""Boot slots and the disk image."""

from __future__ import annotations

import shutil
import struct
import tomllib
import uuid
from pathlib import Path

from lib.kernel import REPOSITORY
from lib.machine import Machine
from lib.report import BuildError
from lib.rootfs import BLOCK
from lib.sdk import Sdk

TABLE = REPOSITORY / "meta-edgeai/conf/image/partitions.toml"
MIB = 1 << 20
SECTOR = 512

# The FIT of one slot (U-Boot doc/usage/fit). Its device tree carries the kernel
# command line, so the hash of the configuration covers the root hash too.
FIT = """/dts-v1/;
/ {{
  description = "edgeai {machine} slot {slot}";
  images {{
    kernel {{
      description = "Linux";
      data = /incbin/("Image");
      type = "kernel"; arch = "{arch}"; os = "linux"; compression = "none";
      load = <{load:#x}>; entry = <{load:#x}>;
      hash {{ algo = "sha256"; }};
    }};
    fdt {{
      description = "device tree";
      data = /incbin/("slot.dtb");
      type = "flat_dt"; arch = "{arch}"; compression = "none";
      hash {{ algo = "sha256"; }};
    }};
  }};
  configurations {{
    default = "slot";
    slot {{ kernel = "kernel"; fdt = "fdt"; }};
  }};
}};
"""

# U-Boot's standard boot (doc/develop/bootstd) runs this from the partition it is
# on; when the slot does not load or its hashes are wrong it goes on to the next.
BOOT_SCRIPT = """echo "edgeai: {slot}"
setenv bootargs
load ${{devtype}} ${{devnum}}:${{distro_bootpart}} {fit:#x} edgeai.itb && bootm {fit:#x}
"""


def table() -> dict:
    return tomllib.loads(TABLE.read_text())


def partitions(firmware: bool = False) -> list[dict]:
    """The partitions in their order; with those that a ROM reads in front when `firmware`."""
    described = table()
    return [*(described["firmware"] if firmware else []), *described["partition"]]


def partition(name: str) -> dict:
    return next(p for p in table()["partition"] if p["name"] == name)


def written_table(disk: Path) -> dict:
    """The table of a disk image in the form of `table()`, all its partitions under "partition".

    Read as the UEFI specification 2.10 (section 5.3) lays it out.
    """
    with disk.open("rb") as stream:
        stream.seek(SECTOR)
        header = stream.read(92)
        if header[:8] != b"EFI PART":
            raise BuildError(f"{disk}: no GPT")
        first_entry, number, size = struct.unpack_from("<QII", header, 72)
        stream.seek(first_entry * SECTOR)
        entries = [entry for _ in range(number) if any((entry := stream.read(size))[:16])]
    found: dict = {"disk_uuid": str(uuid.UUID(bytes_le=header[56:72])), "partition": []}
    end = None
    for entry in entries:
        first, last, flags = struct.unpack_from("<QQQ", entry, 32)
        found.setdefault("loader_mib", first * SECTOR / MIB)
        described = {
            "name": entry[56:128].decode("utf-16-le").rstrip("\0"),
            "size_mib": (last + 1 - first) * SECTOR / MIB,
            "type": str(uuid.UUID(bytes_le=entry[:16])),
            "uuid": str(uuid.UUID(bytes_le=entry[16:32])),
            # Attribute 2 is legacy BIOS bootable; 59 is grow-file-system, of the Discoverable Partitions Specification.
            **{name: True for name, bit in (("bootable", 2), ("growfs", 59)) if flags >> bit & 1},
        }
        if end not in (None, first):
            raise BuildError(f"{disk}: a gap before {described['name']}")
        found["partition"].append(described)
        end = last + 1
    return found


def command_line(machine: Machine, slot: str, verity: dict, extra: list[str]) -> str:
    """The kernel's command line of a slot (Documentation/admin-guide/device-mapper/{dm-init,verity}.rst)."""
    device = f"PARTUUID={partition(f'root-{slot}')['uuid']}"
    blocks = verity["data_blocks"]
    target = (
        f"0 {blocks * BLOCK // SECTOR} verity 1 {device} {device} {BLOCK} {BLOCK} {blocks} {blocks} "
        f"sha256 {verity['root_hash']} {verity['salt']}"
    )
    words = [
        f"console={machine.console}",
        "quiet",
        "loglevel=4",
        # The backup table too, should the primary be torn by a power cut.
        "gpt",
        f'dm-mod.create="root,,,ro,{target}"',
        f"dm-mod.waitfor={device}",
        "root=/dev/dm-0",
        "rootfstype=erofs",
        "ro",
        "init=/sbin/init",
        *extra,
    ]
    return " ".join(words)


def board_device_tree(sdk: Sdk, machine: Machine, nodes: Path | None, folder: Path, log: Path) -> Path:
    """The device tree of the board, with the nodes of a source file on top."""
    if not machine.qemu:
        raise BuildError(f"no device tree for the slots of {machine.name}: no builder names one, and no emulator makes it")
    arguments = machine.qemu_arguments()
    arguments[1] += f",dumpdtb={folder}/board.dtb"
    sdk.run([machine.qemu["binary"], *arguments, "-display", "none"], binds=[folder], cwd=folder, log=log)
    if not nodes:
        return folder / "board.dtb"
    # As source, and no overlay: that needs labels, and the emulator's tree has none.
    sdk.run(["dtc", "-q", "-I", "dtb", "-O", "dts", "-o", "board.dts", "board.dtb"], binds=[folder], cwd=folder, log=log)
    with (folder / "board.dts").open("a") as source:
        source.write(nodes.read_text())
    sdk.run(["dtc", "-q", "-I", "dts", "-O", "dtb", "-o", "whole.dtb", "board.dts"], binds=[folder], cwd=folder, log=log)
    return folder / "whole.dtb"


def boot_slot(
    sdk: Sdk, machine: Machine, slot: str, kernel: Path, verity: dict, extra: list[str], result: Path, log: Path,
    nodes: Path | None = None, tree: Path | None = None,
) -> None:  # fmt: skip
    """Writes `result/boot-<slot>.vfat`; without a device tree given, with the one that the emulator makes."""
    check_fits(kernel / "Image", f"boot-{slot}")
    work = result / f"boot-{slot}"
    work.mkdir()
    shutil.copyfile(kernel / "Image", work / "Image")
    shutil.copyfile(tree or board_device_tree(sdk, machine, nodes, work, log), work / "slot.dtb")
    (work / "slot.its").write_text(FIT.format(machine=machine.name, slot=slot, arch=machine.kernel_arch, load=machine.load_address))
    (work / "boot.cmd").write_text(BOOT_SCRIPT.format(slot=f"boot-{slot}", fit=machine.fit_address))
    size = partition(f"boot-{slot}")["size_mib"]
    volume = f"{int(partition(f'boot-{slot}')['uuid'][:8], 16):08x}"
    script = f"""set -e
fdtput -p -t s slot.dtb /chosen bootargs "$COMMAND_LINE"
mkimage -f slot.its edgeai.itb
mkimage -A {machine.kernel_arch} -T script -C none -n edgeai -d boot.cmd boot.scr
truncate -s {size}M ../boot-{slot}.vfat
mkdosfs --invariant -i {volume} -n {f"BOOT-{slot}".upper()} ../boot-{slot}.vfat
touch -d @$SOURCE_DATE_EPOCH boot.scr edgeai.itb
MTOOLS_SKIP_CHECK=1 mcopy -m -i ../boot-{slot}.vfat boot.scr edgeai.itb ::/
"""
    # 1980-01-01, where FAT's clock starts; mcopy -m takes the files' times.
    env = {"SOURCE_DATE_EPOCH": "315532800", "COMMAND_LINE": command_line(machine, slot, verity, extra)}
    sdk.run(["sh", "-c", script], binds=[result], cwd=work, env=env, log=log)
    shutil.rmtree(work)


def genimage_configuration(name: str, loader: list[tuple[int, str]] | None = None, firmware: bool = False) -> str:
    """The partition table in genimage's words; `loader`: (first byte, file) of what lies before the first partition."""
    layout = table()
    lines = [f'image {name} {{ hdimage {{ partition-table-type = "gpt" disk-uuid = "{layout["disk_uuid"]}" align = "1M" }}']
    for start, file in loader or []:
        lines.append(f'partition loader-{start >> 10} {{ in-partition-table = false image = "{file}" offset = "{start >> 10}K" }}')
    offset = layout["loader_mib"]
    for entry in partitions(firmware):
        flags = "bootable = true " if entry.get("bootable") else ""
        kind = entry["name"].split("-")[0]
        content = {"firmware": f"{entry['name']}.img", "boot": f"{entry['name']}.vfat", "root": "root.img", "data": "data.img"}[kind]
        lines.append(
            f'partition {entry["name"]} {{ image = "{content}" offset = "{offset}M" size = "{entry["size_mib"]}M" '
            f'partition-type-uuid = "{entry["type"]}" partition-uuid = "{entry["uuid"]}" {flags}}}'
        )
        offset += entry["size_mib"]
    return "\n".join([*lines, "}"]) + "\n"


def check_fits(file: Path, partition_name: str) -> None:
    """A slot has a fixed size; what outgrows it fails the build."""
    limit = partition(partition_name)["size_mib"] * MIB
    if (size := file.stat().st_size) > limit:
        raise BuildError(f"{file.name} has {size} bytes, {partition_name} holds {limit}: the image outgrew its slot ({TABLE})")


def slots(
    sdk: Sdk, machine: Machine, kernel: Path, root: Path, verity: dict, extra: list[str], parts: Path, log: Path,
    nodes: Path | None = None, tree: Path | None = None,
) -> None:  # fmt: skip
    """Writes what is in the slots into `parts`; `extra` joins the kernel's arguments, `nodes` the emulator's device tree."""
    check_fits(root, "root-a")
    shutil.copyfile(root, parts / "root.img")
    for slot in ("a", "b"):
        boot_slot(sdk, machine, slot, kernel, verity, extra, parts, log, nodes, tree)


def write(
    sdk: Sdk, machine: Machine, kernel: Path, root: Path, verity: dict, extra: list[str], name: str, result: Path, log: Path,
    nodes: Path | None = None,
) -> None:  # fmt: skip
    """Writes `result/<name>` and `result/<name>.bmap` for a machine that has nothing in front of its slots."""
    parts = result / "parts"
    parts.mkdir()
    slots(sdk, machine, kernel, root, verity, extra, parts, log, nodes)
    disk(sdk, parts, name, result, log)


def disk(
    sdk: Sdk, parts: Path, name: str, result: Path, log: Path, loader: list[tuple[int, str]] | None = None, firmware: bool = False
) -> None:
    """Writes `result/<name>` and `result/<name>.bmap` from what is in `parts`, a folder of it.

    loader: (first byte, file) of what lies before the first partition; firmware: whether there are partitions for a ROM.
    """
    size = partition("data")["size_mib"] * MIB
    with (parts / "data.img").open("wb") as stream:
        stream.truncate(size)
    (parts / "genimage.cfg").write_text(genimage_configuration(name, loader, firmware))
    (parts / "empty").mkdir()
    sdk.run(
        ["genimage", "--rootpath", str(parts / "empty"), "--tmppath", str(parts / "tmp"), "--inputpath", str(parts),
         "--outputpath", str(result), "--config", str(parts / "genimage.cfg")],
        binds=[result], cwd=parts, log=log,
    )  # fmt: skip
    image = result / name
    written = partitions(firmware)
    for number, entry in enumerate(written, 1):
        if entry.get("growfs"):  # genimage has no word for attribute bit 59
            sdk.run(["sgdisk", "-A", f"{number}:set:59", str(image)], binds=[result], cwd=parts, log=log)
    start = (table()["loader_mib"] + sum(p["size_mib"] for p in written if p["name"] != "data")) * MIB
    with image.open("r+b") as stream:
        # Real zeros, not a hole: a block map skips holes, and what an SD card held
        # before would then look like the owner's data.
        stream.seek(start)
        for _ in range(size // MIB):
            stream.write(bytes(MIB))
    sdk.run(["bmaptool", "create", "-o", f"{image}.bmap", str(image)], binds=[result], cwd=result, log=log)
    shutil.rmtree(parts)
