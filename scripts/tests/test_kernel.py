"""Kernel fragments: read, merged, and compared with what the kernel made of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from lib import kernel
from lib.report import BuildError


@pytest.fixture
def fragments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(kernel, "FRAGMENTS", tmp_path)
    (tmp_path / "rt.cfg").write_text("# Real time.\nCONFIG_PREEMPT_RT=y\n# CONFIG_DEBUG_PREEMPT is not set\n")
    (tmp_path / "net.cfg").write_text('CONFIG_NET=y\nCONFIG_LOCALVERSION="-x"\n')
    return tmp_path


def test_symbols_of_all_fragments_are_requested(fragments: Path) -> None:
    assert kernel.requested(["rt", "net"]) == {
        "CONFIG_PREEMPT_RT": "y",
        "CONFIG_DEBUG_PREEMPT": "n",
        "CONFIG_NET": "y",
        "CONFIG_LOCALVERSION": '"-x"',
    }


def test_a_configuration_with_all_symbols_passes(fragments: Path) -> None:
    # A symbol that the kernel does not write at all is off.
    kernel.check(["rt", "net"], 'CONFIG_PREEMPT_RT=y\nCONFIG_NET=y\nCONFIG_LOCALVERSION="-x"\nCONFIG_MORE=y\n')


@pytest.mark.parametrize(
    ("final", "complaint"),
    [
        ("# CONFIG_PREEMPT_RT is not set\n", "CONFIG_PREEMPT_RT: rt.cfg asks for y, the kernel has n"),
        ("", "CONFIG_PREEMPT_RT: rt.cfg asks for y, the kernel has n"),
        ("CONFIG_PREEMPT_RT=m\n", "CONFIG_PREEMPT_RT: rt.cfg asks for y, the kernel has m"),
        ("CONFIG_PREEMPT_RT=y\nCONFIG_DEBUG_PREEMPT=y\n", "CONFIG_DEBUG_PREEMPT: rt.cfg asks for n, the kernel has y"),
    ],
)
def test_a_symbol_that_did_not_stick_is_named_with_its_fragment(fragments: Path, final: str, complaint: str) -> None:
    with pytest.raises(BuildError) as caught:
        kernel.check(["net", "rt"], f'CONFIG_NET=y\nCONFIG_LOCALVERSION="-x"\n{final}')
    assert str(caught.value).splitlines()[1:] == [f"  {complaint}"]


def test_fragments_that_contradict_each_other_are_both_named(fragments: Path) -> None:
    (fragments / "board.cfg").write_text("# CONFIG_NET is not set\n")
    with pytest.raises(BuildError, match=r"board\.cfg: CONFIG_NET=n contradicts net\.cfg \(y\)"):
        kernel.requested(["net", "board"])


def test_fragments_may_agree(fragments: Path) -> None:
    (fragments / "board.cfg").write_text("CONFIG_NET=y\n")
    assert kernel.requested(["net", "board"])["CONFIG_NET"] == "y"


def test_a_fragment_that_contradicts_itself_is_shown_with_its_line(fragments: Path) -> None:
    (fragments / "board.cfg").write_text("CONFIG_HZ=100\nCONFIG_HZ=1000\n")
    with pytest.raises(BuildError, match=r"board\.cfg:2: CONFIG_HZ=1000 contradicts 100"):
        kernel.requested(["board"])


@pytest.mark.parametrize(
    "line", ["CONFIG_X", "PREEMPT_RT=y", "CONFIG_X =y", "#CONFIG_X is not set", "# CONFIG_X is not set yet", " CONFIG_X=y"]
)
def test_a_malformed_line_is_shown_with_file_and_line(fragments: Path, line: str) -> None:
    (fragments / "board.cfg").write_text(f"# A board.\n\n{line}\n")
    with pytest.raises(BuildError) as caught:
        kernel.requested(["board"])
    assert str(caught.value).startswith(f"{fragments}/board.cfg:3: expected CONFIG_X=")
    assert str(caught.value).endswith(f"found: {line}")


def test_an_unknown_fragment_is_answered_with_the_known_ones(fragments: Path) -> None:
    with pytest.raises(BuildError, match="no kernel fragment 'camara'; there are: net, rt"):
        kernel.requested(["camara"])
