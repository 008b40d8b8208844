"""Buildroot's external tree: its facts agree with the shared ones, its helpers refuse what is wrong.

None of this needs a Buildroot tree; test_buildroot_tree.py has what does.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import tarfile
import tomllib
from pathlib import Path

import pytest

from conftest import REPOSITORY, SCRIPTS
from lib import buildroot, buildroot_sbom, buildroot_sources, buildroot_tree, image, kernel, machine, rootfs
from lib.report import BuildError

BOARDS = buildroot_tree.boards()
COMMON = ["base", "rootfs-verity", "rt", "camera", "gpio-sensors", "watchdog", "net", "hardening"]


def asked(board: str) -> dict[str, str]:
    return {name: value.strip('"') for name, value in buildroot_tree.symbols(buildroot_tree.defconfig(board).read_text()).items()}


def fragments(board: str) -> list[str]:
    options = asked(board)
    files = options["BR2_LINUX_KERNEL_CUSTOM_CONFIG_FILE"] + " " + options["BR2_LINUX_KERNEL_CONFIG_FRAGMENT_FILES"]
    return re.findall(r"([\w.-]+)\.cfg", files)


# -- facts are the shared ones ----------------------------------------------------------------------


def test_there_is_a_defconfig_for_each_board() -> None:
    assert BOARDS == ["imx8mp_evk", "qemu_aarch64", "qemu_x86_64", "raspberrypi4_64", "raspberrypi5", "rock5b"]


@pytest.mark.parametrize("board", BOARDS)
def test_the_kernel_is_asked_for_the_shared_fragments(board: str) -> None:
    name = asked(board)["BR2_PACKAGE_EDGEAI_MACHINE"]
    assert fragments(board) == [*COMMON, f"board-{name}"]
    assert kernel.requested(fragments(board))
    if name in machine.names():
        # The quick builder's kernel is older, and asks for what later ones have by themselves.
        assert fragments(board) == [f for f in machine.load(name).fragments if not re.search(r"-\d+\.\d+$", f)]


@pytest.mark.parametrize("board", BOARDS)
def test_a_product_has_no_other_init_no_shell_no_simulator_and_nothing_local(board: str) -> None:
    options = asked(board)
    for name in ("BR2_INIT_NONE", "BR2_SYSTEM_BIN_SH_NONE", "BR2_REPRODUCIBLE", "BR2_DOWNLOAD_FORCE_CHECK_HASHES", "BR2_ROOTFS_MERGED_USR"):
        assert options[name] == "y", name
    assert options["BR2_PACKAGE_BUSYBOX"] == "n"
    assert not {"BR2_PACKAGE_EDGEAI_TEST_IMAGE", "BR2_PACKAGE_OVERRIDE_FILE", "BR2_DL_DIR", "BR2_JLEVEL"} & options.keys()


@pytest.mark.parametrize("board", [b for b in BOARDS if asked(b)["BR2_PACKAGE_EDGEAI_MACHINE"] in machine.names()])
def test_the_processor_is_the_machine_s(board: str) -> None:
    tune = machine.load(asked(board)["BR2_PACKAGE_EDGEAI_MACHINE"]).tune
    assert asked(board)["BR2_" + tune.replace("-", "_")] == "y"


@pytest.mark.parametrize("board", BOARDS)
def test_every_file_a_defconfig_names_exists(board: str) -> None:
    for value in asked(board).values():
        prefix = ""
        for word in re.sub(r"\$\(addprefix ([^,]*),(.*)\)", lambda m: " ".join(m[1] + w for w in m[2].split()), value).split():
            if "$(BR2_EXTERNAL_EDGEAI_PATH)" in word:
                assert Path(prefix + word.replace("$(BR2_EXTERNAL_EDGEAI_PATH)", str(buildroot_tree.EXTERNAL))).exists(), word


@pytest.mark.parametrize("board", BOARDS)
def test_the_kernel_s_version_has_a_hash(board: str) -> None:
    version = asked(board)["BR2_LINUX_KERNEL_CUSTOM_VERSION_VALUE"]
    assert version.startswith("6.18.")
    assert f"linux-{version}.tar.xz" in (buildroot_tree.EXTERNAL / "patches/linux/linux.hash").read_text()


def test_the_root_s_compression_is_the_quick_builder_s() -> None:
    quick = Path(rootfs.__file__).read_text()
    options = asked("qemu_aarch64")
    assert f'"-z{options["BR2_TARGET_ROOTFS_EROFS_COMPRESSION_ALGORITHMS"]}"' in quick
    assert f'"-C{options["BR2_TARGET_ROOTFS_EROFS_PCLUSTERSIZE"]}"' in quick


def test_the_two_environments_lie_at_the_end_of_the_loader_s_area() -> None:
    text = (buildroot_tree.EXTERNAL / "board/edgeai/common/uboot-mmc.config").read_text()
    size, first, second = (int(re.search(rf"{name}=(0x\w+)$", text, re.MULTILINE)[1], 16) for name in ("SIZE", "OFFSET", "OFFSET_REDUND"))
    assert first + size <= second
    assert second + size == image.table()["loader_mib"] << 20


# -- pins -------------------------------------------------------------------------------------------


def test_the_present_crates_and_models_are_pinned() -> None:
    """After a change of rust/Cargo.lock or of a model's source.toml: scripts/buildroot pin."""
    assert f"edgeai-crates-{buildroot_sources.crates_version()}.tar" in buildroot_sources.pinned("edgeai-crates")
    assert f"edgeai-models-{buildroot_sources.models_version()}.tar" in buildroot_sources.pinned("edgeai-models")


def test_the_pinned_archive_is_what_cargo_has(tmp_path: Path) -> None:
    home = Path(os.environ.get("EDGEAI_CACHE", Path.home() / ".cache/edgeai")) / "crates"
    if not (home / "registry/cache").exists():
        pytest.skip("SKIPPED: no crates in the cache")
    archive = tmp_path / f"edgeai-crates-{buildroot_sources.crates_version()}.tar"
    buildroot_sources.pack_crates(archive, home)
    assert hashlib.sha256(archive.read_bytes()).hexdigest() == buildroot_sources.pinned("edgeai-crates")[archive.name]


@pytest.mark.parametrize(("package", "locks"), [("litert", ["runtime-arm64", "runtime-amd64"]), ("libclang-bin", ["libclang"])])
def test_a_wheel_s_hash_is_the_lock_s(package: str, locks: list[str]) -> None:
    text = "".join((SCRIPTS / f"lock/{lock}.txt").read_text() for lock in locks)
    wheels = {name: value for name, value in buildroot_sources.pinned(package).items() if name.endswith(".whl")}
    assert wheels
    for name, value in wheels.items():
        distribution, version = name.split("-")[:2]
        assert f"{distribution.replace('_', '-')}=={version}" in text
        assert f"--hash=sha256:{value}" in text


def test_the_licences_of_the_crates_are_those_that_are_allowed() -> None:
    allowed = tomllib.loads((REPOSITORY / "rust/deny.toml").read_text())["licenses"]["allow"]
    made = (buildroot_tree.EXTERNAL / "package/edgeai-crates/edgeai-crates.mk").read_text()
    match = re.search(r"^EDGEAI_CRATES_LICENSE = (.*)$", made, re.MULTILINE)
    assert match and match[1].split(", ") == allowed


def test_buildroot_is_pinned_by_commit() -> None:
    lock = tomllib.loads(buildroot_tree.LOCK.read_text())
    assert re.fullmatch(r"[0-9a-f]{40}", lock["commit"])
    assert tuple(map(int, lock["version"].split(".")[:2])) >= buildroot_tree.OLDEST


# -- what goes wrong is said ------------------------------------------------------------------------


def tree(folder: Path, version: str) -> Path:
    folder.mkdir()
    (folder / "Makefile").write_text(f"export BR2_VERSION := {version}\n")
    return folder


def test_an_unknown_board_is_answered_with_the_known_ones() -> None:
    with pytest.raises(BuildError, match="no board 'rock5'; there are: imx8mp_evk, qemu_aarch64"):
        buildroot_tree.defconfig("rock5")


@pytest.mark.parametrize("version", ["2026.02.3", "2026.02", "2026.08-rc1", "2027.02-git"])
def test_releases_from_2026_02_on_are_taken(tmp_path: Path, version: str) -> None:
    assert buildroot_tree.release(tree(tmp_path / "br", version)) == version


def test_an_older_release_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"is Buildroot 2025\.11\.3; edgeai needs 2026\.02 or newer"):
        buildroot_tree.release(tree(tmp_path / "br", "2025.11.3"))


def test_a_folder_that_is_no_buildroot_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEAI_BUILDROOT", str(tmp_path))
    with pytest.raises(BuildError, match="is no Buildroot tree"):
        buildroot_tree.tree(tmp_path / "cache")


def test_an_option_that_did_not_stick_is_named() -> None:
    buildroot_tree.check_stuck('BR2_X="a"\n# BR2_Y is not set\n', 'BR2_X="a"\n')
    with pytest.raises(BuildError) as caught:
        buildroot_tree.check_stuck("BR2_RENAMED=y\n# BR2_OFF is not set\n", "BR2_OFF=y\n")
    assert str(caught.value).splitlines()[1:] == ["  BR2_RENAMED: asked for y, got n", "  BR2_OFF: asked for n, got y"]


def test_a_later_fragment_wins(tmp_path: Path) -> None:
    assert buildroot_tree.symbols("BR2_A=y\n# BR2_A is not set\n") == {"BR2_A": "n"}


def test_a_kernel_option_that_did_not_stick_is_named_with_its_file(tmp_path: Path) -> None:
    fragment = tmp_path / "mine.cfg"
    fragment.write_text("CONFIG_PREEMPT_RT=y\n")
    config = tmp_path / ".config"
    config.write_text("CONFIG_PREEMPT_RT=y\n")
    buildroot.check_kernel(config, [str(fragment)])
    config.write_text("# CONFIG_PREEMPT_RT is not set\n")
    with pytest.raises(BuildError, match=r"CONFIG_PREEMPT_RT: .*mine\.cfg asks for y, the kernel has n"):
        buildroot.check_kernel(config, [str(fragment)])


def test_a_file_of_the_manifest_that_no_package_installed_is_named(tmp_path: Path) -> None:
    target = buildroot.Target(tmp_path, tmp_path / "appliance.toml")
    with pytest.raises(BuildError, match="asks for package:mke2fs, and no package has put mke2fs into"):
        target.find("package:mke2fs", machine.load("qemuarm64"))
    (tmp_path / "usr/sbin").mkdir(parents=True)
    (tmp_path / "usr/sbin/mke2fs").touch()
    assert target.find("package:mke2fs", machine.load("qemuarm64")) == tmp_path / "usr/sbin/mke2fs"


@pytest.mark.parametrize("origins", [rootfs.manifest(False)["files"], rootfs.manifest(True)["files"]], ids=["product", "test image"])
def test_every_kind_of_the_manifest_is_known(tmp_path: Path, origins: dict[str, str]) -> None:
    target = buildroot.Target(tmp_path, tmp_path)
    for origin in origins.values():
        try:
            target.find(origin, machine.load("qemuarm64"))
        except BuildError as error:
            assert "unknown origin" not in str(error)


def configured(folder: Path, text: str) -> Path:
    path = folder / ".config"
    path.write_text(text)
    return path


def test_a_configuration_without_machine_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="BR2_PACKAGE_EDGEAI_MACHINE is empty"):
        buildroot.Job(configured(tmp_path, 'BR2_PACKAGE_EDGEAI_MACHINE=""\n'), tmp_path)
    with pytest.raises(BuildError, match="no machine 'qemuarm'"):
        buildroot.Job(configured(tmp_path, 'BR2_PACKAGE_EDGEAI_MACHINE="qemuarm"\n'), tmp_path)


def test_the_appliance_is_the_owner_s_the_test_s_or_the_machine_s(tmp_path: Path) -> None:
    text = 'BR2_PACKAGE_EDGEAI_MACHINE="qemuarm64"\n'
    assert buildroot.Job(configured(tmp_path, text), tmp_path).appliance == buildroot.FILES / "qemuarm64/appliance.toml"
    test = text + "BR2_PACKAGE_EDGEAI_TEST_IMAGE=y\n"
    assert buildroot.Job(configured(tmp_path, test), tmp_path).appliance == buildroot.TEST_IMAGE / "appliance.toml"
    own = text + 'BR2_PACKAGE_EDGEAI_APPLIANCE="/mine.toml"\n'
    assert buildroot.Job(configured(tmp_path, own), tmp_path).appliance == Path("/mine.toml")


def test_a_failing_tool_is_shown_with_its_output(tmp_path: Path) -> None:
    tools = buildroot.HostTools(tmp_path)
    with pytest.raises(BuildError, match=r"failed \(3\): sh -c echo why; exit 3\nwhy"):
        tools.run(["sh", "-c", "echo why; exit 3"], cwd=tmp_path)


def test_buildroot_s_tool_is_taken_before_the_machine_s(tmp_path: Path) -> None:
    own = tmp_path / "bin/genimage"
    own.parent.mkdir()
    own.write_text("#!/bin/sh\necho ours > said\n")
    own.chmod(0o755)
    buildroot.HostTools(tmp_path).run(["genimage"], cwd=tmp_path)
    assert (tmp_path / "said").read_text() == "ours\n"


# -- crates -----------------------------------------------------------------------------------------


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace with one crate, and cargo's folder that has it."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        buildroot_sources.add(archive, "small-1.0.0/Cargo.toml", b'[package]\nname = "small"\nversion = "1.0.0"\nlicense = "MIT"\n')
        buildroot_sources.add(archive, "small-1.0.0/LICENSE-MIT", b"Permission is hereby granted\n")
    home = tmp_path / "cargo"
    place = home / "registry/cache/index-0/small-1.0.0.crate"
    place.parent.mkdir(parents=True)
    place.write_bytes(content.getvalue())
    rust = tmp_path / "rust"
    rust.mkdir()
    checksum = hashlib.sha256(content.getvalue()).hexdigest()
    (rust / "Cargo.lock").write_text(
        f'[[package]]\nname = "ours"\nversion = "0.1.0"\n\n[[package]]\nname = "small"\nversion = "1.0.0"\nchecksum = "{checksum}"\n'
    )
    monkeypatch.setattr(buildroot_sources, "RUST", rust)
    return home


def test_crates_become_a_directory_source_with_their_licences(registry: Path, tmp_path: Path) -> None:
    archive = tmp_path / "crates.tar"
    buildroot_sources.pack_crates(archive, registry)
    first = archive.read_bytes()
    os.utime(next((registry / "registry/cache").glob("*/*.crate")), (0, 0))
    buildroot_sources.pack_crates(archive, registry)
    assert archive.read_bytes() == first
    with tarfile.open(archive) as packed:
        packed.extractall(tmp_path, filter="data")
    folder = tmp_path / f"edgeai-crates-{buildroot_sources.crates_version()}"
    buildroot_sources.unpack_crates(folder)
    assert json.loads((folder / "sources/small-1.0.0/.cargo-checksum.json").read_text())["files"] == {}
    licences = (folder / "LICENCES").read_text()
    assert "small-1.0.0: MIT" in licences
    assert "Permission is hereby granted" in licences


def test_a_damaged_crate_is_refused(registry: Path, tmp_path: Path) -> None:
    next((registry / "registry/cache").glob("*/*.crate")).write_bytes(b"damaged")
    with pytest.raises(BuildError, match=r"small-1\.0\.0\.crate: hash mismatch"):
        buildroot_sources.pack_crates(tmp_path / "crates.tar", registry)


def test_a_missing_crate_is_named(registry: Path, tmp_path: Path) -> None:
    next((registry / "registry/cache").glob("*/*.crate")).unlink()
    with pytest.raises(BuildError, match=r"small-1\.0\.0\.crate is not in"):
        buildroot_sources.pack_crates(tmp_path / "crates.tar", registry)


# -- bill of materials ------------------------------------------------------------------------------


def bill(*names: str) -> dict:
    return {"components": [{"bom-ref": name} for name in names], "dependencies": [{"ref": name, "dependsOn": []} for name in names]}


def test_the_bill_of_materials_gets_every_crate_and_what_it_needs() -> None:
    whole = buildroot_sbom.with_crates(bill("edgeai", "edgeai-crates"))
    found = {component["purl"] for component in whole["components"] if "purl" in component}
    assert {f"pkg:cargo/{crate['name']}@{crate['version']}" for crate in buildroot_sources.locked_crates()} < found
    edges = {entry["ref"]: entry["dependsOn"] for entry in whole["dependencies"]}
    (ours,) = edges["edgeai"]
    assert ours.startswith("pkg:cargo/edgeai@")
    assert {ref for refs in edges.values() for ref in refs} <= found
    assert all(edges[ref] for ref in edges[ours] if "/edgeai-pipeline@" in ref)


def test_a_bill_of_something_else_is_refused() -> None:
    with pytest.raises(BuildError, match="has no edgeai-crates"):
        buildroot_sbom.with_crates(bill("busybox"))
