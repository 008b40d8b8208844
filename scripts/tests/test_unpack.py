"""Debian packages unpacked without installing: into the target's files, and into the SDK root."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from conftest import SCRIPTS, package
from lib import debian, sdk
from lib.report import BuildError


@pytest.fixture
def tool(tmp_path: Path) -> debian.Package:
    """A package with /bin/tool of 2 MiB, in a cache."""
    tree = tmp_path / "tree"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN").chmod(0o755)
    (tree / "DEBIAN/control").write_text("Package: tool\nVersion: 1.0\nArchitecture: all\nMaintainer: T <t@example>\nDescription: t\n")
    (tree / "bin").mkdir()
    (tree / "bin/tool").write_bytes(bytes(2 << 20))
    made = package("tool", b"")
    (tmp_path / "debian").mkdir()
    subprocess.run(["dpkg-deb", "--build", "--root-owner-group", tree, tmp_path / "debian" / made.base], check=True, capture_output=True)
    return made


def test_a_file_of_bin_lands_in_usr_bin(tmp_path: Path, tool: debian.Package) -> None:
    debian.unpack(tmp_path, [tool], tmp_path / "root")
    assert (tmp_path / "root/bin").is_symlink()
    assert (tmp_path / "root/usr/bin/tool").stat().st_size == 2 << 20


def test_a_damaged_package_is_named(tmp_path: Path, tool: debian.Package) -> None:
    file = tmp_path / "debian" / tool.base
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(BuildError, match=rf"cannot unpack tool_1\.0_all\.deb(.|\n)*damaged: remove {file} "):
        debian.unpack(tmp_path, [tool], tmp_path / "root")


def test_a_full_disk_is_named_as_the_reason(tmp_path: Path, tool: debian.Package) -> None:
    (tmp_path / "root").mkdir()
    program = f"""
import sys
from pathlib import Path
sys.path[:0] = [{str(SCRIPTS)!r}, {str(SCRIPTS / "tests")!r}]
from conftest import package
from lib import debian
from lib.report import BuildError, fail
try:
    debian.unpack(Path({str(tmp_path)!r}), [package("tool", b"")], Path({str(tmp_path / "root")!r}))
except BuildError as error:
    sys.exit(fail(error))
"""
    mount = f'mount -t tmpfs -o size=1m tmpfs {tmp_path}/root && exec "$@"'
    enter = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount, "sh"]
    result = subprocess.run([*enter, sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert result.stderr.startswith("error: cannot unpack tool_1.0_all.deb: ")
    assert f"\n  0 MB are free in {tmp_path}/root.\n" in result.stderr


@pytest.mark.parametrize("error", [KeyboardInterrupt, BuildError("full")], ids=["interrupt", "failure"])
def test_an_sdk_root_is_complete_or_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def ends_early(cache: Path, packages: list[debian.Package], root: Path) -> None:
        (root / "half").touch()
        raise error

    with monkeypatch.context() as patch, pytest.raises(error if isinstance(error, type) else type(error)):
        patch.setattr(debian, "unpack", ends_early)
        sdk.prepare(tmp_path, [])
    assert list((tmp_path / "sdk").iterdir()) == []


def test_an_sdk_root_is_unpacked_once_and_what_a_killed_run_left_is_removed(tmp_path: Path, tool: debian.Package) -> None:
    made = sdk.prepare(tmp_path, [tool])
    assert (made.root / "usr/bin/tool").exists()
    (made.root / "usr/bin/tool").unlink()
    assert sdk.prepare(tmp_path, [tool]).root == made.root
    assert not (made.root / "usr/bin/tool").exists()
    made.root.rename(f"{made.root}.killed")
    assert (sdk.prepare(tmp_path, [tool]).root / "usr/bin/tool").exists()
    assert [p.name for p in (tmp_path / "sdk").iterdir()] == [made.identity]
