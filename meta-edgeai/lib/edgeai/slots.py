"""From the root file system that OE installed to what lies in the partitions."""

import hashlib
import os
import re
import shutil
import subprocess
from pathlib import Path

from lib import image, machine, rootfs
from lib.report import BuildError


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


def needed(file):
    """DT_NEEDED and the program interpreter's name of an ELF file; nothing for other files."""
    with open(file, "rb") as stream:
        if stream.read(4) != b"\x7fELF":
            return []
    text = subprocess.run(["readelf", "-dlW", str(file)], capture_output=True, text=True, check=True).stdout
    return re.findall(r"\(NEEDED\).*\[(.+)\]", text) + re.findall(r"interpreter: .*/(.+)\]", text)


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


def reduce(root, test):
    """Leaves in `root` what the root manifest says and the libraries that it needs, nothing else.

    Returns the file list. What the manifest names and no package installed is an error.
    """
    content = rootfs.manifest(test)
    kept = root.with_name(root.name + ".kept")
    shutil.rmtree(kept, ignore_errors=True)
    origin_of = {}

    def place(path, source, origin):
        if not source.exists():
            raise BuildError(f"{path}: no installed package has it (conf/image/rootfs.toml wants it as {origin})")
        files = sorted(p for p in source.rglob("*") if p.is_file()) if source.is_dir() else [source]
        for file in files:
            relative = f"{path}/{file.relative_to(source)}" if source.is_dir() else path
            target = kept / relative
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)
            executable = relative.startswith(("usr/bin/", "usr/sbin/")) or ".so" in target.name
            target.chmod(0o755 if executable else 0o644)
            origin_of[relative] = origin

    for path, origin in content["files"].items():
        place(path, inside(root, path), origin)
    pending = sorted(origin_of)
    while pending:
        for library in needed(kept / pending.pop()):
            path = f"usr/lib/{library}"
            if path not in origin_of:
                place(path, inside(root, path), f"package:{library}")
                pending.append(path)
    for folder in content["directories"]:
        (kept / folder).mkdir(parents=True, exist_ok=True)
    for path, target in content["links"].items():
        (kept / path).parent.mkdir(parents=True, exist_ok=True)
        (kept / path).symlink_to(target)
    for entry in root.iterdir():
        shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
    for entry in kept.iterdir():
        entry.rename(root / entry.name)
    kept.rmdir()
    for folder in [root, *(p for p in root.rglob("*") if p.is_dir() and not p.is_symlink())]:
        folder.chmod(0o755)
    listed = []
    for path in sorted(origin_of):
        data = (root / path).read_bytes()
        listed.append({"path": f"/{path}", "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest(), "origin": origin_of[path]})
    return listed


def board(name, console, kernel_arch, load_address, fit_address):
    """The quick builder's machine, or what the slots need to know of another one."""
    if name in machine.names():
        return machine.load(name)
    values = {field: None for field in machine.Machine.__dataclass_fields__}
    values |= {
        "name": name, "console": console, "kernel_arch": kernel_arch,
        "load_address": int(load_address or "0", 0), "fit_address": int(fit_address or "0", 0),
    }  # fmt: skip
    return machine.Machine(**values)


def make(host, described, root, kernel, result, extra, nodes, tree):
    """Writes the content of every partition into `result`: <name>.img. Returns what the kernel is told of the root."""
    verity = rootfs.pack(host, root, result)
    image.check_fits(result / "root.img", "root-a")
    parts = result / "parts"
    parts.mkdir()
    for slot in ("a", "b"):
        image.boot_slot(host, described, slot, kernel, verity, extra, parts, result / "slot.log", nodes, tree)
        (parts / f"boot-{slot}.vfat").rename(result / f"boot-{slot}.img")
        shutil.copyfile(result / "root.img", result / f"root-{slot}.img")
    (result / "root.img").unlink()
    shutil.rmtree(parts)
    # Real zeros, not a hole: a block map skips holes, and what an SD card held before would then
    # look like the owner's data.
    (result / "data.img").write_bytes(bytes(image.partition("data")["size_mib"] * image.MIB))
    return verity
