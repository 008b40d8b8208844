"""The test agent of the image under test, as the machine outside speaks with it."""

from __future__ import annotations

import base64
import json
import socket
import time
from pathlib import Path
from typing import Any

# Everything is emulated, on a machine that may be busy: time limits tell a hang, not slowness.
PATIENCE = 180.0  # seconds


class AgentError(AssertionError):
    """The agent answered ok: false."""


class Agent:
    """The test agent in the guest, over its virtio port: one JSON line each way."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.connection: socket.socket | None = None
        self.buffer = b""

    def connect(self, limit: float = PATIENCE) -> None:
        """Waits until the agent answers."""
        self.connection = socket.socket(socket.AF_UNIX)
        self.connection.connect(str(self.path))
        # QEMU keeps the request until the agent opens its end.
        self.ask("hello", limit=limit)

    def ask(self, do: str, limit: float = PATIENCE, **arguments: Any) -> dict:
        self._send({"do": do, **arguments})
        answer = self._receive(limit)
        if not answer.get("ok"):
            raise AgentError(f"{do} {str(arguments)[:200]}: {answer.get('error')}")
        return answer

    def _send(self, request: dict) -> None:
        assert self.connection
        self.connection.settimeout(PATIENCE)
        self.connection.sendall(json.dumps(request).encode() + b"\n")

    def _receive(self, limit: float) -> dict:
        assert self.connection
        end = time.monotonic() + limit
        while b"\n" not in self.buffer:
            self.connection.settimeout(max(0.01, end - time.monotonic()))
            block = self.connection.recv(1 << 16)
            if not block:
                raise AssertionError("the guest closed the agent's port")
            self.buffer += block
        line, self.buffer = self.buffer.split(b"\n", 1)
        return json.loads(line)

    def kill(self, process: str, signal: str) -> None:
        assert self.ask("kill", process=process, signal=signal)["killed"]

    # -- what tests ask most ------------------------------------------------------------------

    def level(self, line: str) -> int:
        return self.ask("gpio-get", line=line)["level"]

    def pull(self, line: str, *levels: int) -> float:
        """To several levels without a pause; milliseconds that it took, in guest time."""
        return self.ask("gpio-set", line=line, levels=levels)["elapsed_ms"]

    def wait_level(self, line: str, level: int, limit: float = PATIENCE) -> float:
        """Milliseconds until the line had the level, in guest time."""
        return self.ask("wait-gpio", limit=limit + 10, line=line, level=level, timeout_ms=int(limit * 1000))["elapsed_ms"]

    def show(self, picture: bytes) -> None:
        self.ask("camera-show", data=base64.b64encode(picture).decode())

    def read(self, path: str) -> bytes:
        return base64.b64decode(self.ask("read", path=path)["data"])

    def write(self, path: str, data: bytes) -> None:
        self.ask("write", path=path, data=base64.b64encode(data).decode())

    def execute(self, *argv: str, limit: float = PATIENCE) -> dict:
        return self.ask("exec", limit=limit + 10, argv=list(argv), timeout_ms=int(limit * 1000))

    def metrics(self) -> dict:
        return json.loads(self.read("/run/edgeai/metrics.json"))
