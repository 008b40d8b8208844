"""Debian packages: downloads that fail, are cut, spoiled or gone; where the mirror comes from."""

from __future__ import annotations

import json
import lzma
import os
from pathlib import Path

import pytest

from conftest import Checkout, Server, failed_plainly, package
from lib import debian
from lib.report import BuildError

CONTENT = os.urandom(300_000)
OFFLINE = ("unshare", "--user", "--map-root-user", "--net", "--")


def fetch(cache: Path, wanted: debian.Package, *, locked: bool = False) -> tuple[list[debian.Package], debian.Fetcher]:
    fetcher = debian.Fetcher(cache, locked)
    return fetcher.fetch([wanted]), fetcher


def test_a_package_arrives_once_and_is_not_asked_for_again(tmp_path: Path, server: Server) -> None:
    wanted = package("tool", CONTENT)
    server.files[wanted.file] = CONTENT
    fetch(tmp_path, wanted)
    assert (tmp_path / "debian" / wanted.base).read_bytes() == CONTENT
    fetch(tmp_path, wanted)
    assert len(server.requests) == 1


def test_other_content_is_refused_with_both_hashes_and_not_kept(tmp_path: Path, server: Server) -> None:
    wanted = package("tool", CONTENT)
    spoiled = bytes([CONTENT[0] ^ 1]) + CONTENT[1:]
    server.files[wanted.file] = spoiled
    with pytest.raises(BuildError) as caught:
        fetch(tmp_path, wanted)
    message = str(caught.value)
    assert wanted.base in message
    assert f"expected sha256 {wanted.sha256}" in message
    assert f"got             {package('x', spoiled).sha256}" in message
    assert list((tmp_path / "debian").iterdir()) == []


def test_a_shorter_whole_answer_is_refused_and_not_kept(tmp_path: Path, server: Server) -> None:
    wanted = package("tool", CONTENT)
    server.files[wanted.file] = b"<html>please log in</html>"
    with pytest.raises(BuildError, match="hash mismatch"):
        fetch(tmp_path, wanted)
    assert list((tmp_path / "debian").iterdir()) == []


@pytest.mark.parametrize("ranges", [True, False], ids=["server resumes", "server ignores Range"])
def test_a_cut_download_is_kept_and_finished(tmp_path: Path, server: Server, ranges: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(debian, "WAITS", ())
    wanted = package("tool", CONTENT)
    server.files[wanted.file] = CONTENT
    server.ranges = ranges
    server.cut = 100_000
    with pytest.raises(BuildError, match=r"cannot download tool_1\.0_all\.deb") as caught:
        fetch(tmp_path, wanted)
    assert "run the command again" in str(caught.value)
    assert (tmp_path / "debian" / f"{wanted.base}.part").read_bytes() == CONTENT[:100_000]
    server.cut = None
    fetch(tmp_path, wanted)
    assert server.requests[-1] == (f"/{wanted.file}", "bytes=100000-")
    assert [p.name for p in (tmp_path / "debian").iterdir()] == [wanted.base]
    assert (tmp_path / "debian" / wanted.base).read_bytes() == CONTENT


def test_a_download_cut_again_and_again_goes_on_by_itself(tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(debian, "WAITS", (0, 0, 0))
    wanted = package("tool", CONTENT)
    server.files[wanted.file] = CONTENT
    server.cut = len(CONTENT) // 3
    fetch(tmp_path, wanted)
    assert (tmp_path / "debian" / wanted.base).read_bytes() == CONTENT
    assert len(server.requests) > 1


def test_a_complete_part_needs_no_request(tmp_path: Path, server: Server) -> None:
    wanted = package("tool", CONTENT)
    (tmp_path / "debian").mkdir()
    (tmp_path / "debian" / f"{wanted.base}.part").write_bytes(CONTENT)
    fetch(tmp_path, wanted)
    assert server.requests == []


def test_a_part_that_no_server_can_go_on_from_is_dropped(tmp_path: Path, server: Server) -> None:
    wanted = package("tool", CONTENT)
    server.files[wanted.file] = CONTENT[:1000]
    part = tmp_path / "debian" / f"{wanted.base}.part"
    part.parent.mkdir()
    part.write_bytes(CONTENT[:2000])
    with pytest.raises(BuildError, match="416"):
        fetch(tmp_path, wanted)
    assert not part.exists()


def index(*packages: debian.Package) -> bytes:
    """A Packages.xz."""
    return lzma.compress(
        "\n".join(
            f"Package: {p.name}\nArchitecture: {p.arch}\nVersion: {p.version}\nDescription: a tool\n of some kind\n"
            f"Filename: {p.file}\nSize: {p.size}\nSHA256: {p.sha256}\n"
            for p in packages
        ).encode()
    )


@pytest.fixture
def superseded(server: Server) -> tuple[debian.Package, debian.Package]:
    """A locked package that is gone, and its successor."""
    old, new = package("tool", b"old"), package("tool", CONTENT, "1.1")
    server.files[new.file] = CONTENT
    server.files["dists/trixie/main/binary-amd64/Packages.xz"] = index(package("else", b"else"), new)
    return old, new


def test_a_gone_version_is_replaced_said_and_recorded(
    tmp_path: Path, superseded: tuple[debian.Package, debian.Package], capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = superseded
    taken, fetcher = fetch(tmp_path, old)
    assert taken == [new]
    assert (tmp_path / "debian" / new.base).read_bytes() == CONTENT
    assert fetcher.replaced == [{"name": "tool", "locked": "1.0", "taken": "1.1", "sha256": new.sha256}]
    said = capsys.readouterr().out
    assert "tool 1.0 (trixie) is no longer on the mirror; 1.1 is taken" in said


def test_a_replaced_version_needs_no_network_the_next_time(
    tmp_path: Path, server: Server, superseded: tuple[debian.Package, debian.Package]
) -> None:
    old, new = superseded
    fetch(tmp_path, old)
    server.requests.clear()
    taken, fetcher = fetch(tmp_path, old)
    assert taken == [new]
    assert fetcher.replaced == [{"name": "tool", "locked": "1.0", "taken": "1.1", "sha256": new.sha256}]
    assert server.requests == []
    with pytest.raises(BuildError, match="--locked allows no other"):
        fetch(tmp_path, old, locked=True)


def test_a_successor_that_the_index_has_and_the_pool_has_not_is_an_error(
    tmp_path: Path, server: Server, superseded: tuple[debian.Package, debian.Package]
) -> None:
    old, new = superseded
    del server.files[new.file]
    with pytest.raises(BuildError, match=r"tool 1\.0 .* of its successor tool_1\.1_all\.deb the mirror says HTTP Error 404"):
        fetch(tmp_path, old)
    assert list((tmp_path / "debian").iterdir()) == []


def test_a_gone_version_is_an_error_when_locked(tmp_path: Path, superseded: tuple[debian.Package, debian.Package]) -> None:
    old, new = superseded
    with pytest.raises(BuildError, match=r"tool 1\.0 .* no longer on the mirror, and --locked allows no other"):
        fetch(tmp_path, old, locked=True)
    assert not (tmp_path / "debian" / new.base).exists()


def test_a_gone_package_without_successor_is_an_error(tmp_path: Path, server: Server) -> None:
    server.files["dists/trixie/main/binary-amd64/Packages.xz"] = index(package("else", b"else"))
    with pytest.raises(BuildError, match="the suite has no other"):
        fetch(tmp_path, package("tool", b"old"))


def test_a_spoiled_index_is_an_error(tmp_path: Path, server: Server) -> None:
    server.files["dists/trixie/main/binary-amd64/Packages.xz"] = b"<html>"
    with pytest.raises(BuildError, match="cannot read the package index of trixie"):
        fetch(tmp_path, package("tool", b"old"))


# -- the whole program ------------------------------------------------------------------------------


def write_lock(checkout: Checkout, *packages: debian.Package) -> None:
    entries = [vars(p) for p in packages]
    (checkout.root / "scripts/lock/debian.lock.json").write_text(json.dumps({"sets": {"target-arm64": entries, "sdk": entries}}))


def test_build_says_what_is_wrong_with_a_spoiled_mirror(checkout: Checkout, server: Server) -> None:
    wanted = package("tool", CONTENT)
    write_lock(checkout, wanted)
    server.files[wanted.file] = b"spoiled"
    message = failed_plainly(checkout.run("qemuarm64"))
    assert "hash mismatch" in message
    assert wanted.sha256 in message
    assert list((checkout.cache / "debian").iterdir()) == []


def test_build_without_network_and_cache_says_so(checkout: Checkout, server: Server) -> None:
    message = failed_plainly(checkout.run("qemuarm64", prefix=OFFLINE))
    assert "cannot download" in message
    assert "needs the network" in message
    assert server.requests == []
    assert not list(checkout.cache.glob("debian/*.deb"))


def test_build_on_a_full_disk_says_so_and_leaves_nothing_half_written(checkout: Checkout, server: Server) -> None:
    big = os.urandom(6 << 20)
    fits, outgrows = package("fits", CONTENT), package("outgrows", big)
    write_lock(checkout, fits, outgrows)
    server.files |= {fits.file: CONTENT, outgrows.file: big}
    checkout.cache.mkdir()
    script = 'mount -t tmpfs -o size=4m tmpfs "$EDGEAI_CACHE" && "$@"; code=$?; ls "$EDGEAI_CACHE/debian"; exit $code'
    result = checkout.run("qemuarm64", prefix=("unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, "sh"))
    message = failed_plainly(result)
    assert "No space left on device" in message
    assert "EDGEAI_CACHE" in message
    assert "needs the network" not in message
    complete = {name for name in result.stdout.splitlines() if name.endswith(".deb")}
    assert complete <= {fits.base}


@pytest.mark.skipif(not (os.environ.get("EDGEAI_CACHE") and (debian.SCRIPTS.parent / "build/qemuarm64/manifest.json").exists()),
                    reason="needs EDGEAI_CACHE with a finished build of qemuarm64")  # fmt: skip
def test_build_with_everything_in_the_cache_needs_no_network(tmp_path: Path) -> None:
    real = Checkout(debian.SCRIPTS.parent, Path(os.environ["EDGEAI_CACHE"]), {"EDGEAI_DEBIAN_MIRROR": "http://127.0.0.1:9"})
    result = real.run("qemuarm64", "--output", str(tmp_path), prefix=OFFLINE)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "edgeai-qemuarm64.img").exists()


# -- where the mirror comes from --------------------------------------------------------------------

SOURCES = """\
# the archive
Types: deb
URIs: http://security.example/debian-security
Suites: trixie-security
Components: main

Types: deb
URIs: http://off.example/debian
Suites: trixie
Components: main
Enabled: no

Types: deb
URIs: https://tools.example/debian
Suites: any
Components: contrib

Types: deb
URIs: https://mirror.example/debian/
Suites: trixie trixie-updates
Components: main non-free-firmware
"""


@pytest.fixture
def apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("EDGEAI_DEBIAN_MIRROR", raising=False)
    (tmp_path / "sources.list.d").mkdir()
    return tmp_path


def test_mirror_from_deb822_sources(apt: Path) -> None:
    (apt / "sources.list.d/debian.sources").write_text(SOURCES)
    assert debian.mirror(apt) == "https://mirror.example/debian"


@pytest.mark.parametrize("name", ["sources.list", "sources.list.d/debian.list"])
def test_mirror_from_one_line_sources(apt: Path, name: str) -> None:
    (apt / name).write_text(
        "# deb http://commented.example/debian trixie main\n"
        "deb-src http://source.example/debian trixie main\n"
        "deb http://security.example/debian-security trixie-security main\n"
        "deb [arch=amd64 signed-by=/usr/share/keyrings/x.gpg] http://mirror.example/debian trixie contrib main\n"
    )
    assert debian.mirror(apt) == "http://mirror.example/debian"


def test_mirror_from_the_environment_wins(apt: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (apt / "sources.list.d/debian.sources").write_text(SOURCES)
    monkeypatch.setenv("EDGEAI_DEBIAN_MIRROR", "http://chosen.example/pub/")
    assert debian.mirror(apt) == "http://chosen.example/pub"


def test_mirror_in_the_environment_must_be_an_address(apt: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEAI_DEBIAN_MIRROR", "mirror.example/debian")
    with pytest.raises(BuildError, match="EDGEAI_DEBIAN_MIRROR: expected an http"):
        debian.mirror(apt)


def test_no_mirror_names_the_variable_that_sets_one(apt: Path) -> None:
    with pytest.raises(BuildError, match="set EDGEAI_DEBIAN_MIRROR"):
        debian.mirror(apt)
