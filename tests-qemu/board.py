"""One emulated board: labgrid's QEMU driver, a record of its console, and its test agent."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
import threading
import time
import tomllib
from collections.abc import Callable
from pathlib import Path

from labgrid import Environment

from agent import PATIENCE, Agent

# The appliance description of the image, and the owner's, which replaces it.
IMAGE = "/etc/edgeai/appliance.toml"
OWNER = "/data/edgeai/appliance.toml"

# The safe level of each line of the test appliance.
SAFE = {
    output["line"]: int(output["safe"] == "high")
    for output in tomllib.loads((Path(__file__).resolve().parent / "image/appliance.toml").read_text())["output"]
}


class Board:
    """An image on an emulated board. The image file itself is never written."""

    def __init__(self, machine: dict, image: Path, firmware: Path, *, disk_mib: int = 0, disk: Path | None = None) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="board-"))
        self.disk = disk or self.overlay(image, disk_mib)
        self.console = ""
        self._reader: threading.Thread | None = None
        self._stop = threading.Event()
        self.agent = Agent(self.folder / "agent")
        extra = [
            *machine["arguments"], "-no-reboot",
            "-drive", f"if=none,id=disk,format=qcow2,file={self.disk}", "-device", "virtio-blk-pci,drive=disk",
            "-device", "virtio-serial-pci", "-chardev", f"socket,id=agent,path={self.folder}/agent,server=on,wait=off",
            "-device", "virtserialport,chardev=agent,name=org.edgeai.test",
        ]  # fmt: skip
        driver = {
            "qemu_bin": "qemu", "machine": machine["machine"], "cpu": machine["cpu"], "memory": machine["memory"],
            "bios": "firmware", "extra_args": " ".join(extra),
        }  # fmt: skip
        configuration = {
            "targets": {"main": {"drivers": {"QEMUDriver": driver}}},
            "images": {"firmware": str(firmware)},
            "tools": {"qemu": machine["binary"]},
        }
        (self.folder / "environment.yaml").write_text(json.dumps(configuration))  # JSON is YAML
        self.target = Environment(str(self.folder / "environment.yaml")).get_target("main")
        self.qemu = self.target.get_driver("QEMUDriver", activate=False)
        self.target.activate(self.qemu)

    def overlay(self, image: Path, disk_mib: int) -> Path:
        """A disk that reads from the image and keeps writes to itself; larger than the image if asked."""
        path = self.folder / "disk.qcow2"
        size = [f"{disk_mib}M"] if disk_mib else []
        subprocess.run(
            ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", str(image), str(path), *size], check=True
        )  # fmt: skip
        return path

    def raw_disk(self, path: Path) -> Path:
        """The disk as the guest left it, as a raw file."""
        subprocess.run(["qemu-img", "convert", "-O", "raw", str(self.disk), str(path)], check=True)
        return path

    # -- power --------------------------------------------------------------------------------

    def on(self) -> None:
        self.console = ""
        self._stop.clear()
        self.qemu.on()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def off(self) -> None:
        """Pulls the plug."""
        self._stop.set()
        if self._reader:
            self._reader.join()
        child = self.qemu._child
        if child:
            child.kill()
            child.wait()
            self.qemu._child = None
            self.qemu.status = 0

    def close(self, keep_console: Path | None = None) -> None:
        self.off()
        if keep_console:
            keep_console.parent.mkdir(parents=True, exist_ok=True)
            keep_console.write_text(self.console)
        self.target.deactivate(self.qemu)
        shutil.rmtree(self.folder, ignore_errors=True)

    def press_power(self) -> None:
        """The board's power key, pressed as a person would: again, if nothing happens.

        QEMU's press lasts 100 ms; a busy host can keep the guest from seeing it.
        """
        after = self.mark()
        for limit in (20, 20, PATIENCE):
            self.qemu.monitor_command("system_powerdown")
            try:
                self.wait_for(r"edgeai-init: power-off", after=after, limit=limit)
                return
            except AssertionError:
                if limit == PATIENCE:
                    raise

    def wait_off(self, limit: float = PATIENCE) -> None:
        """Waits until the board has switched itself off, and its last words are read."""
        child = self.qemu._child
        try:
            child.wait(limit)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the board did not switch off\n{self.tail()}") from None
        self._reader.join(limit)  # ends with QEMU's socket, which can hold more than was read when QEMU is gone

    # -- console ------------------------------------------------------------------------------

    def _read(self) -> None:
        connection = self.qemu._clientsocket
        while not self._stop.is_set():
            try:
                block = connection.recv(1 << 14)
            except BlockingIOError:
                time.sleep(0.02)
                continue
            except OSError:
                return
            if not block:
                return
            self.console += block.decode(errors="replace").replace("\r", "")

    def tail(self, lines: int = 60) -> str:
        return "console:\n  " + "\n  ".join(self.console.splitlines()[-lines:])

    def mark(self) -> int:
        """The console's present end, for `wait_for(..., after=mark)`."""
        return len(self.console)

    def wait_for(self, pattern: str, *, after: int = 0, limit: float = PATIENCE) -> re.Match[str]:
        """Waits until the console shows the pattern (a regular expression, on whole lines)."""
        end = time.monotonic() + limit
        while True:
            whole = self.console[: self.console.rfind("\n") + 1]
            if match := re.compile(pattern, re.MULTILINE).search(whole, after):
                return match
            if time.monotonic() > end:
                raise AssertionError(f"the console did not show {pattern!r} within {limit:.0f} s\n{self.tail()}")
            if self.qemu._child and self.qemu._child.poll() is not None and self._reader and not self._reader.is_alive():
                raise AssertionError(f"QEMU ended before the console showed {pattern!r}\n{self.tail()}")
            time.sleep(0.05)

    # -- usual ways to start, what is looked at most ------------------------------------------

    def start(self, picture: bytes | None = None) -> None:
        """Power on, agent connected; the camera delivers grey, or the picture."""
        self.on()
        self.agent.connect()
        if picture:
            self.agent.show(picture)

    def configure(self, description: str | None) -> int:
        """Runs on the owner's description, or without one on the image's own again; the console's end before."""
        if description is None:
            self.agent.ask("remove", path=OWNER)
        else:
            self.agent.write(OWNER, description.encode())
        mark = self.mark()
        self.agent.kill("edgeai run", "TERM")
        self.wait_for(rf"configuration: {IMAGE if description is None else OWNER}$", after=mark)
        return mark

    def wait_until(self, what: str, holds: Callable[[], bool]) -> None:
        """Waits for something that only asking tells."""
        end = time.monotonic() + PATIENCE
        while not holds():
            assert time.monotonic() < end, f"{what}: not within {PATIENCE:.0f} s\n{self.tail()}"
            time.sleep(0.2)

    def assert_safe(self) -> None:
        """Every output goes to its safe level; `stop` is never there while the appliance decides and the door is shut."""
        for line, level in SAFE.items():
            self.agent.wait_level(line, level)
