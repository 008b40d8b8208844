"""What Buildroot runs of ours: kernel symbols, content of the root, boot slots and disk image.

`buildroot-external` calls this from its make files and from the scripts that
Buildroot runs before and after it makes the file system. The work is
done by the quick builder's own functions; what differs is where the tools are.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tomllib
from dataclasses import dataclass
from pathlib import Path

from lib import board, boot, debian, image, kernel, rootfs
from lib.kernel import REPOSITORY
from lib.machine import Machine
from lib.report import BuildError

TEST_IMAGE = REPOSITORY / "tests-qemu/image"
FILES = REPOSITORY / "meta-edgeai/recipes-core/edgeai/files"
IMAGE = "sdcard.img"
# All boards that are made here.
ARM64 = {"kernel_arch": "arm64", "gnu_triple": "aarch64-linux-gnu", "rust_target": "aarch64-unknown-linux-gnu"}
# Tables of the root's manifest, and the option that brings what they name.
TABLES = {"tensorflow-lite": "BR2_PACKAGE_EDGEAI_TFLITE", "teflon": "BR2_PACKAGE_MESA_TEFLON"}


class HostTools:
    """Buildroot's own tools before the machine's; the interface of `lib.sdk.Sdk`, without its root to enter."""

    def __init__(self, host: Path) -> None:
        self.host = host

    def command(self, argv: list[str], *, cwd: Path, env: dict[str, str], **_: object) -> list[str]:
        """The full command line that runs `argv`; `cwd` must exist."""
        path = f"{self.host}/bin:{self.host}/sbin:{os.environ.get('PATH', '/usr/bin:/bin')}:/usr/sbin:/sbin"
        if argv[0].endswith("-readelf"):  # every readelf reads every architecture, and the cross one is named by the toolchain
            argv = ["readelf", *argv[1:]]
        # What fakeroot preloads is for Buildroot's own steps, and unknown to emulated programs.
        settings = {"PATH": path, "LC_ALL": "C", "TZ": "UTC", "LD_PRELOAD": "", **env}
        return ["env", "-C", str(cwd), *(f"{name}={value}" for name, value in settings.items()), *argv]

    def run(self, argv: list[str], *, cwd: Path, env: dict[str, str] | None = None, log: Path | None = None, **_: object) -> None:
        """Runs `argv`; its output goes to `log`, or is shown when it fails."""
        command = self.command(argv, cwd=cwd, env=env or {})
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, check=False)
        if log:
            with log.open("ab") as stream:
                stream.write(done.stdout)
        if done.returncode:
            tail = "\n".join(done.stdout.decode(errors="replace").splitlines()[-25:])
            raise BuildError(f"failed ({done.returncode}): {' '.join(argv)[:300]}\n{tail}")


def configuration(path: Path) -> dict[str, str]:
    """The symbols of Buildroot's .config; strings without their quotes."""
    result = {}
    for line in path.read_text().splitlines():
        name, equals, value = line.partition("=")
        if equals and name.startswith("BR2_"):
            result[name] = value.strip('"')
    return result


def check_kernel(config: Path, fragments: list[str]) -> None:
    """Fails when a symbol of the fragments (files) is not in the final configuration as asked."""
    # A name that is an absolute path stays one below the fragments' folder.
    kernel.check([str(Path(file).resolve().with_suffix("")) for file in fragments], config.read_text())


@dataclass(frozen=True)
class Target:
    """Where the files of the root's manifest are in Buildroot's target folder; stands for `rootfs.Origins`."""

    folder: Path
    appliance: Path

    def find(self, origin: str, machine: Machine) -> Path:
        kind, name = origin.split(":", 1)
        places = {
            "cargo": ["usr/bin"],
            "runtime": ["usr/lib"],
            "model": ["usr/share/edgeai/models"],
            "package": ["usr/bin", "usr/sbin", "usr/lib", f"usr/lib/{machine.gnu_triple}"],
        }
        if kind == "appliance":
            return self.appliance
        if kind not in places:
            raise BuildError(f"{rootfs.MANIFEST}: unknown origin {origin!r}")
        for place in places[kind]:
            if (path := self.folder / place / name).exists():
                return path
        raise BuildError(
            f"{rootfs.MANIFEST} asks for {origin}, and no package has put {name} into {self.folder}: is its package in the configuration?"
        )


class Job:
    """One Buildroot output folder."""

    def __init__(self, config: Path, host: Path) -> None:
        self.config = configuration(config)
        self.tools = HostTools(host)
        name = self.config.get("BR2_PACKAGE_EDGEAI_MACHINE", "")
        if not name:
            known = ", ".join(sorted(board.boards()))
            raise BuildError(f"{config}: BR2_PACKAGE_EDGEAI_MACHINE is empty; it names a machine, one of: {known}")
        self.board = board.load(name)
        if self.board.boot != "fit":
            raise BuildError(f"no image for {name} yet: its boot is {self.board.boot!r} ({board.TABLE}), only 'fit' is made here")
        self.machine = board.described(
            name, console=self.board.console, load_address=self.board.load_address, fit_address=self.board.fit_address, **ARM64
        )
        self.test = self.config.get("BR2_PACKAGE_EDGEAI_TEST_IMAGE") == "y"
        self.tables = [table for table, option in TABLES.items() if self.config.get(option) == "y"]

    @property
    def appliance(self) -> Path:
        """The appliance description of the image."""
        if own := self.config.get("BR2_PACKAGE_EDGEAI_APPLIANCE"):
            return Path(own)
        if self.test:
            return TEST_IMAGE / "appliance.toml"
        of_the_board = FILES / self.machine.name / "appliance.toml"
        return of_the_board if of_the_board.exists() else FILES / "appliance.toml"

    # -- root -----------------------------------------------------------------------------------

    def root(self, target: Path, base: Path) -> None:
        """Leaves in a copy of the target folder what the manifest names and what that needs, and nothing else."""
        work = target.with_name("edgeai-root")
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        files = rootfs.assemble(self.tools, self.machine, Target(target, self.appliance), self.test, work, *self.tables)
        rootfs.check_appliance(self.tools, self.machine, work, self.appliance)
        for old in target.iterdir():
            shutil.rmtree(old) if old.is_dir() and not old.is_symlink() else old.unlink()
        for new in work.iterdir():
            new.rename(target / new.name)
        work.rmdir()
        (base / "edgeai-root.json").write_text(json.dumps(files))

    # -- image ----------------------------------------------------------------------------------

    def image(self, binaries: Path, base: Path) -> None:
        """Writes the disk image, its block map and its manifest from kernel and file system."""
        work = base / "edgeai-image"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        log = base / "edgeai-image.log"
        log.unlink(missing_ok=True)
        root = work / "root.img"
        shutil.copyfile(binaries / "rootfs.erofs", root)
        verity = rootfs.add_verity(self.tools, root, work)
        extra, nodes = [], None
        if self.test:
            extra = (TEST_IMAGE / "cmdline").read_text().split()
            nodes = TEST_IMAGE / f"{self.machine.name}.dtsi"
        parts = work / "parts"
        parts.mkdir()
        nodes = nodes if nodes and nodes.exists() else None
        image.slots(self.tools, self.machine, binaries, root, verity, extra, parts, log, nodes, self.device_tree(binaries))
        loader = boot.check_loader(self.board.loader, binaries)
        for _, name in loader:
            shutil.copyfile(binaries / name, parts / name)
        if self.board.rom_files:
            places = [binaries, binaries / "rpi-firmware"]
            boot.firmware(self.tools, self.board.rom_files, self.board.rom_config, places, parts, log)
        image.disk(self.tools, parts, IMAGE, work, log, loader, bool(self.board.rom_files))
        files = json.loads((base / "edgeai-root.json").read_text())
        manifest = {
            "machine": self.machine.name,
            "image": IMAGE,
            "versions": self.versions(),
            "kernel": {"bytes": (binaries / "Image").stat().st_size, "sha256": debian.sha256(binaries / "Image")},
            "root": {"verity": verity, "files": files},
        }
        (work / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")
        for name in (IMAGE, f"{IMAGE}.bmap", "manifest.json"):
            os.replace(work / name, binaries / name)
        shutil.rmtree(work)

    def device_tree(self, binaries: Path) -> Path | None:
        """The board's, as Buildroot installed it; None: the emulator gives it."""
        if self.machine.qemu:
            return None
        name = Path(self.config.get("BR2_LINUX_KERNEL_INTREE_DTS_NAME", "")).name + ".dtb"
        if not (binaries / name).exists():
            raise BuildError(f"no {name} in {binaries}: BR2_LINUX_KERNEL_INTREE_DTS_NAME names the board's device tree")
        return binaries / name

    def versions(self) -> dict[str, str]:
        workspace = tomllib.loads((REPOSITORY / "rust/Cargo.toml").read_text())["workspace"]
        return {
            "edgeai": workspace["package"]["version"],
            "kernel": self.config.get("BR2_LINUX_KERNEL_VERSION", ""),
            "buildroot": os.environ.get("BR2_VERSION_FULL", ""),
        }


def from_environment() -> Job:
    """The job that Buildroot's scripts find in their environment (manual, "Customizing the generated target filesystem")."""
    wanted = ("BR2_CONFIG", "HOST_DIR")
    if missing := [name for name in wanted if name not in os.environ]:
        raise BuildError(f"{', '.join(missing)} not set: this is run by Buildroot")
    return Job(Path(os.environ["BR2_CONFIG"]), Path(os.environ["HOST_DIR"]))
