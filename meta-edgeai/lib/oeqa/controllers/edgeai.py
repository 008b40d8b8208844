"""The appliance in the emulator, for testimage: TEST_TARGET = "EdgeaiTarget".

OE-core's own QEMU target boots a kernel beside the image and wants a login. The appliance has
neither: its own boot loader starts a slot, the console tells what happens, and the image under
test has an agent on a virtio port that answers where a shell would.
"""

import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import edgeai
from oeqa.core.target import OETarget

sys.path.append(str(edgeai.PROJECT / "tests-qemu"))
from agent import PATIENCE, Agent


class EdgeaiTarget(OETarget):
    def __init__(self, logger, target_ip, server_ip, rootfs="", machine="", bootlog="", **_):
        super().__init__(logger)
        self.ip, self.server_ip = target_ip, server_ip
        self.image, self.machine, self.log = rootfs, machine, Path(bootlog)
        self.folder = self.qemu = None

    def start(self, params=None, **_):
        """Power on. `params`: TEST_QEMUPARAMS, which names the boot loader's file."""
        emulated = edgeai.emulator(self.machine)
        if not emulated:
            raise RuntimeError(f"{self.machine} is no emulated machine: see scripts/machines")
        self.folder = Path(tempfile.mkdtemp(prefix="testimage-"))
        self.agent = Agent(self.folder / "agent")
        command = [
            *emulated, *shlex.split(params or ""), "-nographic", "-no-reboot", "-monitor", "none",
            "-drive", f"if=none,id=disk,format=raw,snapshot=on,file={self.image}", "-device", "virtio-blk-pci,drive=disk",
            "-device", "virtio-serial-pci", "-chardev", f"socket,id=agent,path={self.folder}/agent,server=on,wait=off",
            "-device", "virtserialport,chardev=agent,name=org.edgeai.test",
        ]  # fmt: skip
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.logger.info(f"{shlex.join(command)}\nconsole: {self.log}")
        with self.log.open("wb") as console:
            self.qemu = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=console, stderr=subprocess.STDOUT)

    def stop(self):
        if self.qemu:
            self.qemu.kill()
            self.qemu.wait()
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    def console(self):
        return self.log.read_text(errors="replace").replace("\r", "")

    def wait_for(self, pattern, limit=PATIENCE):
        """Waits until a line of the console matches."""
        end = time.monotonic() + limit
        while True:
            ended = self.qemu.poll() is not None
            whole = self.console()
            if match := re.search(pattern, whole[: whole.rfind("\n") + 1], re.MULTILINE):
                return match
            if ended or time.monotonic() > end:
                tail = "\n  ".join(whole.splitlines()[-60:])
                raise AssertionError(f"the console did not show {pattern!r}{' before QEMU ended' if ended else ''}\n  {tail}")
            time.sleep(0.2)

    def wait_until(self, what, holds, limit=PATIENCE):
        """Waits for something that only asking tells."""
        end = time.monotonic() + limit
        while not holds():
            if time.monotonic() > end:
                raise AssertionError(f"{what}: not within {limit:.0f} s")
            time.sleep(0.2)

    def run(self, cmd, timeout=None, **_):
        """Runs a program by the agent: there is no shell. Exit code and what it printed."""
        if self.agent.connection is None:
            self.agent.connect()
        answer = self.agent.execute(*shlex.split(cmd), limit=timeout or PATIENCE)
        return answer["code"], answer["stdout"] + answer["stderr"]
