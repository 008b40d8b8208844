"""Builds that are interrupted, killed, or cannot begin."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from conftest import SCRIPTS, Checkout, Server, failed_plainly
from lib import build, machine, sdk
from lib.report import BuildError
from lib.steps import Steps, exclusive

WaitUntil = Callable[[Callable[[], bool], str], None]


def content(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


@pytest.mark.parametrize("error", [KeyboardInterrupt, BuildError("no"), OSError("full")], ids=["interrupt", "failure", "full disk"])
def test_a_step_that_ends_early_leaves_nothing_and_is_made_next_time(tmp_path: Path, error: BaseException) -> None:
    steps = Steps(tmp_path)

    def ends_early(folder: Path) -> None:
        (folder / "half").touch()
        raise error

    with pytest.raises(error if isinstance(error, type) else type(error)):
        steps.run("step", ["input"], ends_early)
    assert list((tmp_path / "step").iterdir()) == []
    result = steps.run("step", ["input"], lambda folder: (folder / "whole").touch())
    assert content(result) == ["whole"]


def test_a_step_that_is_killed_leaves_no_result_and_the_next_run_tidies_up(tmp_path: Path) -> None:
    program = f"""
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {str(SCRIPTS)!r})
from lib.steps import Steps
def make(folder):
    (folder / "half").touch()
    os.kill(os.getpid(), signal.SIGKILL)
Steps(Path({str(tmp_path)!r})).run("step", ["input"], make)
"""
    killed = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True)
    assert killed.returncode == -signal.SIGKILL
    assert [p.name for p in (tmp_path / "step").iterdir() if not p.name.startswith(".")] == []
    result = Steps(tmp_path).run("step", ["input"], lambda folder: (folder / "whole").touch())
    assert content(tmp_path / "step") == [f"{result.name}/whole"]


def test_a_step_runs_again_only_when_an_input_changes(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "a").write_text("1")
    made: list[Path] = []
    steps = Steps(tmp_path / "store")
    first = steps.run("step", [source], made.append)
    assert steps.run("step", [source], made.append) == first
    (source / "a").write_text("2")
    assert steps.run("step", [source], made.append) != first
    (source / "a").rename(source / "b")
    steps.run("step", [source], made.append)
    (source / "b").chmod(0o755)
    steps.run("step", [source], made.append)
    assert len(made) == 4


def test_sdk_roots_that_no_build_used_for_two_weeks_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time()
    days = {"used": 30, "lately": 13, "long-ago": 15, "long-ago.cut-short": 15}
    for name, age in days.items():
        (tmp_path / "sdk" / name / "usr").mkdir(parents=True)
        os.utime(tmp_path / "sdk" / name, (now - age * 86400,) * 2)
    used = tmp_path / "sdk/used"
    job = build.Build(machine.load("qemuarm64"), tmp_path, tmp_path / "steps", tmp_path / "output", test=False, locked=True)
    monkeypatch.setattr(sdk, "check_host", lambda: None)
    monkeypatch.setattr(sdk, "prepare", lambda _, packages: sdk.Sdk(used, "used", packages))
    for method in ("_once", "_fetch_package"):
        monkeypatch.setattr(job, method, lambda *_: None)
    monkeypatch.setattr(job.fetcher, "fetch", lambda packages: packages)
    job.fetch()
    assert sorted(p.name for p in used.parent.iterdir()) == ["lately", "used"]
    assert used.stat().st_mtime >= int(now)


@pytest.mark.parametrize("program", ["build", "test"])
def test_nothing_is_fetched_while_another_build_uses_the_cache(
    checkout: Checkout, server: Server, tmp_path: Path, wait_until: WaitUntil, program: str
) -> None:
    server.stall.set()
    words = ["--machine", "qemuarm64", "style"] if program == "test" else ["qemuarm64"]
    told = tmp_path / "told"
    with exclusive(checkout.cache), told.open("w") as stream:
        second = subprocess.Popen(checkout.command(*words, program=program), env=checkout.variables(), stdout=stream)
        try:
            wait_until(lambda: "another build is using the cache; waiting for it" in told.read_text(), "word of the wait")
            assert [p.name for p in checkout.cache.iterdir()] == ["lock"]
            assert not server.asked.is_set()
        except BaseException:
            second.kill()
            raise
    try:
        assert server.asked.wait(60)
    finally:
        second.kill()
        second.wait()


def test_ctrl_c_ends_a_build_that_waits_for_the_network(checkout: Checkout, server: Server) -> None:
    server.stall.set()
    build = subprocess.Popen(checkout.command("qemuarm64"), env=checkout.variables(), stderr=subprocess.PIPE, text=True)
    assert server.asked.wait(60)
    build.send_signal(signal.SIGINT)
    _, errors = build.communicate(timeout=30)  # the server would never have answered
    assert build.returncode == 130
    assert errors == "interrupted; the next run goes on from here\n"


# -- processes in the SDK root ----------------------------------------------------------------------

# Enters the root from a thread, as the kernel's build does, with a process in the background inside.
ENTERS = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from lib.build import Background
from lib.report import BuildError
from lib.sdk import Sdk
root = Sdk(Path(sys.argv[2]), "", [])
inside = f"touch /tmp/{sys.argv[3]}; (exec -a {sys.argv[3]} sleep 1000) & exec -a {sys.argv[3]} sleep 1000"
job = Background(lambda: root.run(["bash", "-c", inside], binds=[Path("/usr")], cwd=Path("/")))
if sys.argv[4] == "fail":
    sys.stdin.readline()
    sys.exit(1)
job.result()
"""


def named(word: str) -> list[str]:
    """Processes whose first word is `word`; the zombies have none."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if path.read_bytes().split(b"\0")[0] == word.encode():
                found.append(path.parent.name)
        except OSError:
            continue
    return found


@pytest.mark.parametrize("end", ["interrupt", "terminate", "kill", "fail"])
def test_no_process_of_the_root_outlives_the_build(small_root: Path, wait_until: WaitUntil, end: str) -> None:
    word = f"edgeai-sleeper-{small_root.parent.name}"
    build = subprocess.Popen(
        [sys.executable, "-c", ENTERS, str(SCRIPTS), str(small_root), word, end],
        stdin=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    wait_until(lambda: len(named(word)) == 2, "the processes inside")
    match end:
        case "interrupt":
            build.send_signal(signal.SIGINT)
        case "terminate":
            build.terminate()
        case "kill":
            build.kill()
        case "fail":
            build.communicate(b"\n", timeout=30)
    build.wait(30)
    wait_until(lambda: named(word) == [], "their end")


def test_a_command_in_the_root_gives_its_exit_code_and_log(small_root: Path, tmp_path: Path) -> None:
    root = sdk.Sdk(small_root, "", [])
    root.run(["true"], binds=[Path("/usr")], cwd=Path("/"))
    with pytest.raises(BuildError, match=r"failed \(3\)") as caught:
        root.run(["sh", "-c", "echo reason; exit 3"], binds=[Path("/usr")], cwd=Path("/"), log=tmp_path / "log")
    assert "reason\n  whole log: " in str(caught.value)
    with pytest.raises(BuildError, match=r"failed \(137\)"):
        root.run(["sh", "-c", "kill -9 $$"], binds=[Path("/usr")], cwd=Path("/"), log=tmp_path / "log")


@pytest.mark.parametrize("network", [False, True])
def test_the_root_has_a_network_only_when_asked(small_root: Path, tmp_path: Path, network: bool) -> None:
    sdk.Sdk(small_root, "", []).run(
        ["readlink", "/proc/self/ns/net"], binds=[Path("/usr")], cwd=Path("/"), network=network, log=tmp_path / "log"
    )
    assert ((tmp_path / "log").read_text().strip() == str(Path("/proc/self/ns/net").readlink())) == network


# -- builds that cannot begin -----------------------------------------------------------------------


def test_a_machine_without_user_namespaces_is_told_what_to_allow(checkout: Checkout, tmp_path: Path) -> None:
    fake = tmp_path / "bin/unshare"
    fake.parent.mkdir()
    fake.write_text("#!/bin/sh\necho 'unshare: unshare failed: Operation not permitted' >&2\nexit 1\n")
    fake.chmod(0o755)
    checkout.environment["PATH"] = f"{fake.parent}:/usr/sbin:/usr/bin:/bin"
    message = failed_plainly(checkout.run("qemuarm64"))
    assert "user namespaces are not available" in message
    assert "Operation not permitted" in message
    assert "kernel.unprivileged_userns_clone=1" in message


def test_a_missing_tool_of_the_host_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BuildError, match="unshare is missing on this machine: install Debian's package util-linux"):
        sdk.check_host()


def test_a_cache_that_is_a_file_is_named(checkout: Checkout) -> None:
    checkout.cache.touch()
    message = failed_plainly(checkout.run("qemuarm64"))
    assert str(checkout.cache) in message
    assert "EDGEAI_CACHE" in message
