"""What is written once: fragments, partition table, root manifest, locks. Nothing restates it or drifts from it."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from conftest import REPOSITORY, SCRIPTS
from lib import build, buildroot_tree, debian, image, kernel, machine, rootfs
from lib.report import BuildError

MACHINES = machine.names()
LOCKS = SCRIPTS / "lock"
SETS = json.loads(debian.LOCK.read_text())["sets"]


def project_files() -> list[Path]:
    """The files git has or would take."""
    listed = subprocess.run(
        ["git", "-C", str(REPOSITORY), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    return [path for name in listed.split("\0") if name and (path := REPOSITORY / name).is_file()]


def occurrences(pattern: str, *, without: tuple[Path, ...] = ()) -> list[str]:
    """Where a pattern occurs in text files, as file:line: text."""
    found = []
    for path in project_files():
        if any(path.is_relative_to(skipped) for skipped in without):
            continue
        try:
            lines = path.read_text().splitlines()
        except UnicodeDecodeError:
            continue
        found += [
            f"{path.relative_to(REPOSITORY)}:{n}: {line.strip()[:120]}" for n, line in enumerate(lines, 1) if re.search(pattern, line)
        ]
    return found


# -- kernel fragments -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MACHINES)
def test_the_fragments_of_a_machine_exist_and_agree(name: str) -> None:
    assert kernel.requested([*machine.load(name).fragments, "test-sim"])


def test_every_fragment_is_used() -> None:
    used = {fragment for name in MACHINES for fragment in machine.load(name).fragments}
    used |= {name for path in buildroot_tree.EXTERNAL.glob("configs/*") for name in re.findall(r"([\w.-]+)\.cfg", path.read_text())}
    assert {p.stem for p in kernel.FRAGMENTS.glob("*.cfg")} == used | {"test-sim"}


@pytest.mark.parametrize("name", MACHINES)
def test_no_product_has_simulators(name: str) -> None:
    fragments = machine.load(name).fragments
    assert "test-sim" not in fragments
    assert not {"CONFIG_VIDEO_VIVID", "CONFIG_GPIO_SIM"} & kernel.requested(fragments).keys()


def test_kernel_options_are_set_in_fragments_only() -> None:
    # The boot loader's options look the same.
    loaders = (*buildroot_tree.EXTERNAL.glob("board/edgeai/*/uboot*.config"), REPOSITORY / "meta-edgeai/recipes-bsp/u-boot/files")
    assert occurrences(r"^\s*CONFIG_\w+=[ymn]\b", without=(kernel.FRAGMENTS, *loaders)) == []


# -- partition table --------------------------------------------------------------------------------


def test_partition_identities_are_written_once() -> None:
    for entry in image.table()["partition"]:
        assert occurrences(entry["uuid"], without=(image.TABLE,)) == []


# -- root manifest ----------------------------------------------------------------------------------


@pytest.mark.parametrize("test", [False, True], ids=["product", "test image"])
def test_every_origin_of_the_root_exists(test: bool) -> None:
    programs = {tomllib.loads(p.read_text())["package"]["name"] for p in build.RUST.glob("*/Cargo.toml")}
    for origin in rootfs.manifest(test)["files"].values():
        kind, name = origin.split(":", 1)
        if kind == "cargo":
            assert name in programs
        if kind == "model":
            assert (build.MODELS / name / "source.toml").exists()
            assert (build.MODELS / name / "model.toml").exists()


def test_a_configuration_is_no_source_of_the_programs() -> None:
    """Else a changed configuration compiles them again."""
    outside = [path for path in build.product_sources() if not path.resolve().is_relative_to(build.RUST)]
    assert not outside


def test_the_product_has_nothing_of_the_test_image() -> None:
    assert not [path for path in rootfs.manifest(False)["files"] if "test" in path]


def test_further_tables_add_to_the_root_and_nothing_else_does() -> None:
    plain, more = rootfs.manifest(False)["files"], rootfs.manifest(False, "teflon", "tensorflow-lite")["files"]
    assert set(more) - set(plain) == {"usr/lib/libteflon.so", "usr/lib/libtensorflowlite_c.so"}
    assert more.items() > plain.items()
    with pytest.raises(BuildError, match=r"no table \[npu.files\]; there are: test, tensorflow-lite, teflon"):
        rootfs.manifest(False, "npu")


@pytest.mark.parametrize("path", [*(build.FILES / name / "appliance.toml" for name in MACHINES), build.TEST_IMAGE / "appliance.toml"],
                         ids=[*MACHINES, "test image"])  # fmt: skip
def test_the_model_of_an_appliance_is_in_the_root(path: Path) -> None:
    model = tomllib.loads(path.read_text())["model"]["file"]
    assert f"usr/share/edgeai/models/{model}" in rootfs.manifest(False)["files"]


def test_the_test_image_has_its_kernel_arguments() -> None:
    assert (build.TEST_IMAGE / "cmdline").is_file()


# -- locks ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SETS)
def test_the_lock_has_what_is_asked_for(name: str) -> None:
    wanted = debian.request()["set"][name]
    locked = {(p["name"], p["arch"]) for p in SETS[name]}
    for package in wanted["packages"] + wanted["backports"]:
        base, _, arch = package.partition(":")
        assert locked & {(base, arch or wanted["arch"]), (base, "all")}, f"{package} is not locked: run scripts/lock-debian"


def test_the_lock_has_the_sets_that_are_asked_for() -> None:
    assert SETS.keys() == debian.request()["set"].keys()


@pytest.mark.parametrize("name", SETS)
def test_the_lock_names_no_mirror(name: str) -> None:
    for package in debian.lock(name):
        assert re.fullmatch(r"pool/[\w./+~%-]+\.deb", package.file)
        assert re.fullmatch(r"[0-9a-f]{64}", package.sha256)


@pytest.mark.parametrize("name", MACHINES)
def test_a_machine_has_what_it_is_built_from(name: str) -> None:
    board = machine.load(name)
    assert board.loader["package"] in {p.name for p in debian.lock("sdk")}
    assert debian.lock(f"target-{board.arch}")
    assert (LOCKS / f"runtime-{board.arch}.txt").exists()


@pytest.mark.parametrize("path", sorted(LOCKS.glob("*.txt")), ids=lambda path: path.name)
def test_every_wheel_is_pinned_by_hash(path: Path) -> None:
    requirements = re.sub(r"\s*\\\n\s*", " ", path.read_text())
    for line in requirements.splitlines():
        assert not line.strip() or line.startswith("#") or re.fullmatch(r"[\w-]+==[\w.]+( --hash=sha256:[0-9a-f]{64})+", line), line


# -- the project stands alone -----------------------------------------------------------------------


def test_no_registry_or_mirror_is_named() -> None:
    # Cargo.lock, and the recipe's list made from it, have Cargo's own name of the registry, which is no address it downloads from.
    pattern = r"\b(pypi|pythonhosted|npmjs|crates|debian|proxy\.golang)\.(org|io|com|net)\b"
    locks = tuple(path for path in project_files() if path.name in ("Cargo.lock", "edgeai-crates.inc"))
    assert occurrences(pattern, without=locks) == []


def test_nothing_outside_the_project_is_referred_to() -> None:
    assert occurrences(r"(\.\./shared|(^|[\s\"'`(=:])[/]work/)") == []


def test_actions_of_the_workflow_are_pinned() -> None:
    used = re.findall(r"uses:\s*(\S+)", "".join(p.read_text() for p in (REPOSITORY / ".github/workflows").glob("*.yml")))
    assert [action for action in used if not re.search(r"@([0-9a-f]{40}|v\d[\d.]*)$", action)] == []
