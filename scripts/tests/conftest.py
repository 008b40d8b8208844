"""What the tests of the build tools share.

They run inside the SDK root (scripts/test tools) or on the host; without network
either way: the only servers are on the loopback interface, and of the tests' own.
"""

from __future__ import annotations

import hashlib
import http.server
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

# A shell starts background jobs with SIGINT ignored, and so would be the programs under test.
signal.signal(signal.SIGINT, signal.default_int_handler)

SCRIPTS = Path(__file__).resolve().parent.parent
REPOSITORY = SCRIPTS.parent
sys.path.insert(0, str(SCRIPTS))
from lib import debian  # noqa: E402


@pytest.fixture(scope="session", autouse=True)
def loopback() -> None:
    """A new network namespace has its loopback interface down."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        try:
            socket.create_connection(server.getsockname()).close()
        except OSError:
            subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")


class Server(http.server.ThreadingHTTPServer):
    """A mirror made of `files`; `ranges` and `cut` spoil it."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.files: dict[str, bytes] = {}
        self.ranges = True  # honours Range
        self.cut: int | None = None  # closes every connection after so many bytes of content
        self.stall = threading.Event()  # set: accepts requests and never answers
        self.asked = threading.Event()
        self.requests: list[tuple[str, str | None]] = []  # path, Range

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Answer(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.server.requests.append((self.path, wanted))
        self.server.asked.set()
        if self.server.stall.is_set():
            threading.Event().wait()
        content = self.server.files.get(self.path.lstrip("/"))
        if content is None:
            self.send_error(404)
            return
        start = 0
        if wanted and self.server.ranges:
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            if start >= len(content):
                self.send_error(416)
                return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        self.wfile.write(content[start:][: self.server.cut])

    def log_message(self, *words: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A mirror on the loopback interface, and the environment that names it."""
    with Server() as mirror:
        thread = threading.Thread(target=mirror.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        monkeypatch.setenv("EDGEAI_DEBIAN_MIRROR", mirror.url)
        yield mirror
        mirror.shutdown()


def package(name: str, content: bytes, version: str = "1.0") -> debian.Package:
    base = f"{name}_{version}_all.deb"
    digest = hashlib.sha256(content).hexdigest()
    return debian.Package(name, "all", version, "trixie", f"pool/main/{name}/{base}", digest, len(content))


@dataclass
class Checkout:
    """A copy of the tools that a test may spoil, with a cache of its own."""

    root: Path
    cache: Path
    environment: dict[str, str] = field(default_factory=dict)

    def command(self, *words: str, program: str = "build") -> list[str]:
        return [sys.executable, str(self.root / "scripts" / program), *words]

    def variables(self) -> dict[str, str]:
        return {**os.environ, "EDGEAI_CACHE": str(self.cache), **self.environment}

    def run(self, *words: str, program: str = "build", prefix: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
        command = [*prefix, *self.command(*words, program=program)]
        return subprocess.run(command, env=self.variables(), cwd=self.root, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    root = tmp_path / "checkout"
    skip = shutil.ignore_patterns("__pycache__", "tests")
    shutil.copytree(SCRIPTS, root / "scripts", ignore=skip)
    for folder in ("meta-edgeai/conf", "meta-edgeai/recipes-kernel"):
        shutil.copytree(REPOSITORY / folder, root / folder)
    return Checkout(root, tmp_path / "cache")


def failed_plainly(result: subprocess.CompletedProcess[str]) -> str:
    """The one message of a run that failed as it should: exit code 1, no traceback."""
    assert "Traceback" not in result.stderr, result.stderr
    assert result.returncode == 1, result.stderr
    assert result.stderr.count("error:") == 1, result.stderr
    return result.stderr


@pytest.fixture
def small_root(tmp_path: Path) -> Path:
    """The skeleton of a root to enter; /usr is bound into it."""
    root = tmp_path / "root"
    for name in ("proc", "sys", "dev", "tmp", "etc/ssl/certs", "usr"):
        (root / name).mkdir(parents=True)
    (root / "etc/ssl/certs/ca-certificates.crt").touch()
    for name in ("bin", "sbin", "lib", "lib64"):
        (root / name).symlink_to(f"usr/{name}")
    return root


@pytest.fixture
def wait_until() -> Callable[[Callable[[], bool], str], None]:
    def wait(condition: Callable[[], bool], what: str) -> None:
        pause = threading.Event()
        for _ in range(600):
            if condition():
                return
            pause.wait(0.05)
        pytest.fail(f"never came: {what}")

    return wait
