"""Machine files and the lock file: names and keys that are wrong or missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from conftest import Checkout, failed_plainly
from lib import debian, machine
from lib.report import BuildError

GOOD = (machine.MACHINES / "qemuarm64.toml").read_text()


@pytest.fixture
def spoil(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Loads a machine "board" from a changed copy of qemuarm64's file; gives the error's text."""
    monkeypatch.setattr(machine, "MACHINES", tmp_path)

    def load(old: str, new: str) -> str:
        assert old in GOOD
        (tmp_path / "board.toml").write_text(GOOD.replace(old, new, 1))
        with pytest.raises(BuildError) as caught:
            machine.load("board")
        return str(caught.value)

    return load


@pytest.mark.parametrize("program", ["build", "run-qemu", "test"])
@pytest.mark.parametrize("name", ["qemuarm65", "../machines/qemuarm64"])
def test_an_unknown_machine_is_answered_with_the_known_ones(checkout: Checkout, program: str, name: str) -> None:
    message = failed_plainly(checkout.run(*(["--machine", name] if program == "test" else [name]), program=program))
    assert message == f"error: no machine {name!r}; there are: {', '.join(machine.names())}\n"


def test_an_unknown_key_is_named(spoil) -> None:
    assert spoil("arch =", "colour = 'red'\narch =").endswith("board.toml: unknown key colour")


def test_a_missing_key_is_named(spoil) -> None:
    assert spoil("kernel_arch =", "kernel_arc =").endswith("board.toml: unknown key kernel_arc, missing key kernel_arch")


def test_a_wrong_key_of_a_table_is_named_with_its_table(spoil) -> None:
    assert spoil("memory_mib =", "memory =").endswith("board.toml: unknown key qemu.memory, missing key qemu.memory_mib")


def test_a_syntax_error_is_shown_with_file_and_line(spoil) -> None:
    message = spoil("description =", "description")
    assert "board.toml: " in message
    assert "line 1" in message


def test_a_machine_of_the_good_file_loads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "MACHINES", tmp_path)
    (tmp_path / "board.toml").write_text(GOOD)
    assert machine.load("board").name == "board"


def test_a_missing_lock_file_is_answered_with_what_makes_one(checkout: Checkout) -> None:
    (checkout.root / "scripts/lock/debian.lock.json").unlink()
    message = failed_plainly(checkout.run("qemuarm64"))
    assert "debian.lock.json is missing: run scripts/lock-debian" in message


def test_a_spoiled_lock_file_is_named(checkout: Checkout) -> None:
    (checkout.root / "scripts/lock/debian.lock.json").write_text("<<<<<<< HEAD\n")
    assert "debian.lock.json is not a lock file" in failed_plainly(checkout.run("qemuarm64"))


def test_a_set_that_is_not_locked_is_named() -> None:
    with pytest.raises(BuildError, match="has no set target-riscv"):
        debian.lock("target-riscv")


def test_an_image_that_is_not_built_is_answered_with_the_command_that_builds_it(checkout: Checkout) -> None:
    assert "does not exist: run scripts/build qemuarm64" in failed_plainly(checkout.run("qemuarm64", program="run-qemu"))
