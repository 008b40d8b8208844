"""From the root file system that OE installed to what lies in the partitions."""

import os
import shutil
import subprocess
from pathlib import Path

from lib import boot, image, rootfs
from lib.report import BuildError

# What edgeai-slots.bbclass can make; empty: nobody has said how the machine boots.
WAYS = ("fit", "efi")


class Host:
    """Runs the quick builder's commands with BitBake's tools instead of in its SDK root."""

    def __init__(self, path):
        self.path = path

    def run(self, argv, *, binds=(), cwd, env=None, network=False, log=None):
        del binds, network
        variables = {"PATH": self.path, "LC_ALL": "C.UTF-8", "TZ": "UTC", "HOME": str(cwd), **(env or {})}
        done = subprocess.run(list(map(str, argv)), cwd=cwd, env=variables, capture_output=True, text=True, check=False)
        if log:
            with open(log, "w") as stream:
                stream.write(done.stdout + done.stderr)
        if done.returncode:
            raise BuildError(f"failed ({done.returncode}): {' '.join(map(str, argv))[:300]}\n{(done.stdout + done.stderr)[-3000:]}")


def readelf(file):
    return subprocess.run(["readelf", "-dlW", str(file)], capture_output=True, text=True, check=True).stdout


def inside(root, path):
    """A path of the root, links followed within the root."""
    for _ in range(40):
        part = root
        for name in Path(path).parts:
            part = part / name
            if part.is_symlink():
                target = os.readlink(part)
                rest = os.path.relpath(root / path, part)
                base = target.lstrip("/") if target.startswith("/") else os.path.relpath(part.parent / target, root)
                path = os.path.normpath(os.path.join(base, rest)) if rest != "." else os.path.normpath(base)
                break
        else:
            return root / path
    raise BuildError(f"{path}: too many links")


def reduce(root, test, *tables):
    """Leaves in `root` what the root manifest says and the libraries that it needs, nothing else.

    Returns the file list. What the manifest names and no package installed is an error.
    """
    kept = root.with_name(root.name + ".kept")
    shutil.rmtree(kept, ignore_errors=True)
    kept.mkdir()

    def find(path, origin):
        source = inside(root, path)
        if not source.exists():
            raise BuildError(f"{path}: no installed package has it (conf/image/rootfs.toml wants it as {origin})")
        return source

    listed = rootfs.fill(kept, rootfs.manifest(test, *tables), find, readelf)
    for entry in root.iterdir():
        shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
    for entry in kept.iterdir():
        entry.rename(root / entry.name)
    kept.rmdir()
    root.chmod(0o755)
    return listed


def check_way(machine, way, why):
    """Fails when the image of a machine cannot be put together."""
    if way not in WAYS:
        said = f"EDGEAI_BOOT is {way!r}" if way else why or "EDGEAI_BOOT is not set"
        there = f"{', '.join(WAYS)} (conf/image/boards.toml)"
        raise BuildError(f"no image for {machine} yet: {said}. The ways to boot that there are: {there}")


def make(host, described, root, kernel, result, extra, nodes, tree, efi=None):
    """Writes the content of every partition into `result`: <name>.img. Returns what the kernel is told of the root.

    efi: what makes a unified kernel image, as boot.efi_slot takes it; without it a slot is a FIT for U-Boot.
    """
    verity = rootfs.pack(host, root, result)
    image.check_fits(result / "root.img", "root-a")
    log = result / "slot.log"
    parts = result / "parts"
    parts.mkdir()
    for slot in ("a", "b"):
        if efi:
            boot.efi_slot(host, described, slot, kernel / "Image", verity, extra, result, log, **efi)
        else:
            image.boot_slot(host, described, slot, kernel, verity, extra, parts, log, nodes, tree)
            (parts / f"boot-{slot}.vfat").rename(result / f"boot-{slot}.img")
        shutil.copyfile(result / "root.img", result / f"root-{slot}.img")
    (result / "root.img").unlink()
    shutil.rmtree(parts)
    # Real zeros, not a hole: a block map skips holes, and what an SD card held before would then
    # look like the owner's data.
    (result / "data.img").write_bytes(bytes(image.partition("data")["size_mib"] * image.MIB))
    return verity
