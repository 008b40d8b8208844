"""How a board boots: by EFI, from a partition that its ROM reads, with a loader before the first partition."""

from __future__ import annotations

import shutil
from pathlib import Path

from lib import image, kernel
from lib.kernel import REPOSITORY
from lib.machine import Machine
from lib.report import BuildError
from lib.sdk import Sdk

U_BOOT = REPOSITORY / "meta-edgeai/recipes-bsp/u-boot/files"


def check_u_boot(fragments: list[str], config: str) -> None:
    """Fails when an option of U-Boot's fragments did not stick, naming option and fragment."""
    final = kernel.symbols(config)
    wrong = []
    for name in fragments:
        path = U_BOOT / f"{name}.cfg"
        for symbol, value in kernel.symbols(path.read_text(), str(path), strict=True).items():
            if (got := final.get(symbol, "n")) != value:
                wrong.append(f"  {symbol}: {name}.cfg asks for {value}, U-Boot has {got}")
    if wrong:
        raise BuildError("U-Boot's options did not stick (unmet dependency, or unknown to this U-Boot):\n" + "\n".join(wrong))


def environment() -> int:
    """Where the loader's environment begins, in bytes from the start of the disk."""
    return int(kernel.symbols((U_BOOT / "environment-in-mmc.cfg").read_text())["CONFIG_ENV_OFFSET"], 0)


def check_loader(loader: list[str], deploy: Path) -> list[tuple[int, str]]:
    """What lies before the first partition, as "KiB:file", neither overlaps nor reaches the loader's environment.

    Returns (first byte, file) of each piece.
    """
    pieces = []
    for word in loader:
        start, name = word.split(":", 1)
        if not (deploy / name).exists():
            raise BuildError(f"loader: no {name} in {deploy}")
        pieces.append((int(start) << 10, name))
    pieces.sort()
    # The partition table's own 34 sectors.
    if pieces and pieces[0][0] < 34 * image.SECTOR:
        raise BuildError(f"loader: {pieces[0][1]} begins inside the partition table")
    following = [*pieces, (environment(), "the environment")][1:]
    for (start, name), (limit, what) in zip(pieces, following, strict=True):
        end = start + (deploy / name).stat().st_size
        if end > limit:
            raise BuildError(f"loader: {name} ends at {end} bytes, {what} begins at {limit}")
    return pieces


def firmware(host: Sdk, files: list[str], configuration: list[str], places: list[Path], result: Path, log: Path) -> None:
    """Writes <result>/firmware-<a, b>.img, which the ROM reads; the two have the same content.

    In the first one autoboot.txt tells which is booted: after `reboot "0 tryboot"` the second, once
    (Raspberry Pi documentation, config.txt, autoboot.txt).
    """
    for number, entry in enumerate(image.table()["firmware"], 1):
        work = result / entry["name"]
        work.mkdir()
        for name in files:
            found = [place / name for place in places if (place / name).exists()]
            if not found:
                raise BuildError(f"the board's ROM wants {name}, which is not in {' or '.join(map(str, places))}")
            shutil.copyfile(found[0], work / name)
        (work / "config.txt").write_text("".join(f"{line}\n" for line in configuration))
        if number == 1:
            (work / "autoboot.txt").write_text("[all]\ntryboot_a_b=1\nboot_partition=1\n[tryboot]\nboot_partition=2\n")
        fat(host, work, entry, result / f"{entry['name']}.img", log)
        shutil.rmtree(work)


def efi_slot(
    host: Sdk, machine: Machine, slot: str, image_file: Path, verity: dict, extra: list[str], result: Path, log: Path,
    ukify: list[str], stub: Path, architecture: str,
) -> None:  # fmt: skip
    """Writes <result>/boot-<slot>.img: one program, of kernel and command line, where EFI firmware looks by itself."""
    image.check_fits(image_file, f"boot-{slot}")
    work = result / f"boot-{slot}"
    folder = work / "EFI/BOOT"
    folder.mkdir(parents=True)
    command_line = result / "command-line"
    command_line.write_text(image.command_line(machine, slot, verity, extra))
    host.run(
        [*ukify, "build", f"--linux={image_file}", f"--cmdline=@{command_line}", f"--stub={stub}", f"--efi-arch={architecture}",
         f"--os-release=ID=edgeai\nNAME=edgeai\nVARIANT_ID=boot-{slot}\n", f"--output={folder}/BOOT{architecture.upper()}.EFI"],
        cwd=work, log=log,
    )  # fmt: skip
    fat(host, work, image.partition(f"boot-{slot}"), result / f"boot-{slot}.img", log)
    command_line.unlink()
    shutil.rmtree(work)


def fat(host: Sdk, folder: Path, entry: dict, path: Path, log: Path) -> None:
    """A FAT file system of a partition's size with the content of a folder, the same in every build."""
    # 1980-01-01, where FAT's clock starts; mcopy -m takes the files' times.
    script = """set -e
rm -f "$IMAGE"
truncate -s "$SIZE" "$IMAGE"
mkdosfs --invariant -i "$VOLUME" -n "$LABEL" "$IMAGE"
find . -exec touch -d @315532800 {} +
mcopy -s -m -i "$IMAGE" ./* ::/
"""
    variables = {
        "IMAGE": str(path), "SIZE": f"{entry['size_mib']}M", "LABEL": entry["name"].upper()[:11], "MTOOLS_SKIP_CHECK": "1",
        "VOLUME": f"{int(entry['uuid'][:8], 16):08x}",
    }  # fmt: skip
    host.run(["sh", "-c", script], cwd=folder, env=variables, log=log)
    if path.stat().st_size != entry["size_mib"] * image.MIB:
        raise BuildError(f"{path.name} outgrew its partition of {entry['size_mib']} MiB")
