"""Buildroot's external tree: its facts agree with the shared ones, its helpers refuse what is wrong.

None of this needs a Buildroot tree; test_buildroot_tree.py has what does.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path

import pytest

from conftest import REPOSITORY, SCRIPTS
from lib import buildroot, buildroot_sbom, buildroot_sources, buildroot_tree, image, kernel, machine, rootfs
from lib.board import load as load_board
from lib.report import BuildError

BOARDS = buildroot_tree.boards()
COMMON = ["base", "rootfs-verity", "rt", "camera", "gpio-sensors", "watchdog", "net", "hardening"]
OWN = ["size"]  # how the kernel is compiled, and nothing that it can do


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
    assert fragments(board) == [*COMMON, *OWN, f"board-{name}"]
    assert kernel.requested(fragments(board))
    if name in machine.names():
        # The quick builder's kernel is older, and asks for what later ones have by themselves.
        shared = [f for f in machine.load(name).fragments if not re.search(r"-\d+\.\d+$", f)]
        assert [f for f in fragments(board) if f not in OWN] == shared


def test_our_own_fragment_changes_how_the_kernel_is_compiled_and_no_feature() -> None:
    assert kernel.requested(OWN) == {"CONFIG_CC_OPTIMIZE_FOR_SIZE": "y"}


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
def test_the_kernel_is_the_yocto_layer_s_release_by_the_same_hash(board: str) -> None:
    recipe = (REPOSITORY / "meta-edgeai/recipes-kernel/linux/linux-edgeai_6.18.bb").read_text()
    version, sha256 = (re.search(rf'^LINUX_{name} \?= "(\S+)"$', recipe, re.MULTILINE)[1] for name in ("VERSION", "SHA256"))
    assert asked(board)["BR2_LINUX_KERNEL_CUSTOM_VERSION_VALUE"] == version
    pins = (buildroot_tree.EXTERNAL / "patches/linux/linux.hash").read_text().splitlines()
    assert pins[1:] == [f"sha256  {sha256}  linux-{version}.tar.xz"]


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


def test_the_second_stage_of_rk3588_s_loader_lies_before_slots_and_environment() -> None:
    text = (buildroot_tree.EXTERNAL / "board/edgeai/rock5b/uboot.config").read_text()
    start = int(re.search(r"U_BOOT_SECTOR=(0x\w+)$", text, re.MULTILINE)[1], 16) * image.SECTOR
    assert load_board("rock-5b").loader == ["32:idbloader.img", f"{start >> 10}:u-boot.itb"]
    mmc = (buildroot_tree.EXTERNAL / "board/edgeai/common/uboot-mmc.config").read_text()
    assert start < int(re.search(r"ENV_OFFSET=(0x\w+)$", mmc, re.MULTILINE)[1], 16)


def test_the_delegate_is_built_for_the_boards_that_have_a_unit_behind_mesa() -> None:
    described = (REPOSITORY / "meta-edgeai/conf/distro/include/edgeai-boards.inc").read_text()
    wanted = dict(re.findall(r'^EDGEAI_TEFLON:(\S+) = "(\w+)"$', described, re.MULTILINE))
    assert wanted
    # Without a driver of its own the package has etnaviv.
    prefix = "BR2_PACKAGE_MESA_TEFLON"
    drivers = {asked(b)["BR2_PACKAGE_EDGEAI_MACHINE"]: [n for n in asked(b) if n.startswith(prefix)] for b in BOARDS}
    names = {"etnaviv": [prefix], "rocket": [prefix, f"{prefix}_ROCKET"]}
    assert {name: names[driver] for name, driver in wanted.items()} == {name: found for name, found in drivers.items() if found}
    assert f"select {prefix}_ETNAVIV if !{prefix}_ROCKET" in (buildroot_sources.PACKAGES / "mesa-teflon/Config.in").read_text()


def test_the_delegate_is_of_buildroot_s_own_mesa() -> None:
    """Version, archive and hashes stand in mesa3d.mk and mesa3d.hash alone."""
    package = buildroot_sources.PACKAGES / "mesa-teflon"
    made = (package / "mesa-teflon.mk").read_text()
    for name in ("VERSION", "SITE", "SOURCE", "LICENSE", "LICENSE_FILES", "HASH_FILES"):
        assert f"\nMESA_TEFLON_{name} = $(MESA3D_{name})\n" in made
    # The infrastructure sets the hash files itself.
    assert made.index("$(eval $(meson-package))") < made.index("MESA_TEFLON_HASH_FILES")
    assert not (package / "mesa-teflon.hash").exists()


def test_what_brings_a_table_of_the_manifest_is_an_option(tmp_path: Path) -> None:
    offered = "".join(path.read_text() for path in buildroot_sources.PACKAGES.glob("*/Config.in"))
    text = 'BR2_PACKAGE_EDGEAI_MACHINE="qemuarm64"\n'
    assert buildroot.Job(configured(tmp_path, text), tmp_path).tables == []
    for table, option in buildroot.TABLES.items():
        assert re.search(rf"^config {option}$", offered, re.MULTILINE)
        assert buildroot.Job(configured(tmp_path, f"{text}{option}=y\n"), tmp_path).tables == [table]
        assert rootfs.manifest(False, table)["files"] != rootfs.manifest(False)["files"]


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
    pins = buildroot_sources.pinned("edgeai-crates")
    assert hashlib.sha256(archive.read_bytes()).hexdigest() == pins[archive.name]
    assert_licences_are_pinned("edgeai-crates", archive)


def assert_licences_are_pinned(package: str, archive: Path) -> None:
    """Without it legal-info complains of each."""
    files = buildroot_sources.licences(package, archive)
    made = (buildroot_sources.PACKAGES / package / f"{package}.mk").read_text()
    assert {Path(name).name for name in files} == set(
        re.findall(r"\b(?:LICEN[CS]E|NOTICE)[\w-]*", re.search(r"_LICENSE_FILES = (.*)$", made, re.MULTILINE)[1])
    )
    pins = buildroot_sources.pinned(package)
    assert {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()}.items() <= pins.items()


@pytest.mark.parametrize("package", ["edgeai", "edgeai-models"])
def test_the_licence_files_are_pinned(package: str, tmp_path: Path) -> None:
    assert_licences_are_pinned(package, tmp_path)


@pytest.mark.parametrize(("package", "locks"), [("litert", ["runtime-arm64", "runtime-amd64"]), ("libclang-bin", ["libclang"])])
def test_a_wheel_s_hash_is_the_lock_s(package: str, locks: list[str]) -> None:
    text = "".join((SCRIPTS / f"lock/{lock}.txt").read_text() for lock in locks)
    wheels = {name: value for name, value in buildroot_sources.pinned(package).items() if name.endswith(".whl")}
    assert wheels
    for name, value in wheels.items():
        distribution, version = name.split("-")[:2]
        assert f"{distribution.replace('_', '-')}=={version}" in text
        assert f"--hash=sha256:{value}" in text


def test_tensorflow_lite_is_made_of_the_yocto_recipe_s_sources() -> None:
    recipe = (REPOSITORY / "meta-edgeai/recipes-ml/tensorflow-lite/tensorflow-lite_2.19.0.bb").read_text()
    hashes = (REPOSITORY / "buildroot-external/package/tflite-c/tflite-c.hash").read_text()
    commits = dict(re.findall(r'^SRCREV_([\w-]+) = "([0-9a-f]{40})"$', recipe, re.MULTILINE))
    assert f"  tflite-c-{commits.pop('litert')}.tar\n" in hashes
    assert set(re.findall(r"  ([\w-]+)-([0-9a-f]{40})\.tar\.gz$", hashes, re.MULTILINE)) == set(commits.items())
    headers = re.findall(r"^sha256  ([0-9a-f]{64})  \S+\.h$", hashes, re.MULTILINE)
    assert headers == re.findall(r'sha256sum\] = "([0-9a-f]{64})"', recipe)
    package = (REPOSITORY / "buildroot-external/package/tflite-c/tflite-c.mk").read_text()
    wanted = re.findall(r"^    (third_party/\S+|\$\{TSL\}/\S+) \\$", recipe, re.MULTILINE)
    tsl = re.search(r'^TSL = "(.*)"$', recipe, re.MULTILINE)[1]
    assert re.findall(r"^\t(third_party/\S+)", package, re.MULTILINE) == [header.replace("${TSL}", tsl) for header in wanted]
    licences = set(re.findall(r"  sources/(\S+)$", hashes, re.MULTILINE))
    assert licences == set(re.findall(r"file://(?!litert)([^;]+);md5", recipe))


@pytest.mark.parametrize("package", sorted(buildroot_sources.PACKAGES.iterdir()), ids=lambda path: path.name)
def test_every_package_names_its_licence_and_the_files_with_its_text(package: Path) -> None:
    made = (package / f"{package.name}.mk").read_text()
    name = package.name.upper().replace("-", "_")
    assert re.search(rf"^{name}_LICENSE = \S", made, re.MULTILINE)
    assert re.search(rf"^{name}_LICENSE_FILES = \S", made, re.MULTILINE)


def test_the_application_s_licence_texts_are_there() -> None:
    made = (buildroot_tree.EXTERNAL / "package/edgeai/edgeai.mk").read_text()
    for name in re.search(r"^EDGEAI_LICENSE_FILES = (.*)$", made, re.MULTILINE)[1].split():
        assert (REPOSITORY / "rust" / name).read_text().strip()


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


@pytest.mark.parametrize("words", [["show-info", "--output", "o"], ["--output", "o", "show-info"]], ids=["before", "behind"])
def test_words_for_make_may_stand_before_and_behind_options(tmp_path: Path, words: list[str]) -> None:
    command = [str(SCRIPTS / "buildroot"), "qemu_aarch64", *words]
    done = subprocess.run(command, env={**os.environ, "EDGEAI_BUILDROOT": str(tmp_path)}, capture_output=True, text=True, check=False)
    assert (done.returncode, "is no Buildroot tree" in done.stdout + done.stderr) == (1, True)


def test_an_option_that_did_not_stick_is_named() -> None:
    buildroot_tree.check_stuck('BR2_X="a"\n# BR2_Y is not set\n', 'BR2_X="a"\n')
    with pytest.raises(BuildError) as caught:
        buildroot_tree.check_stuck("BR2_RENAMED=y\n# BR2_OFF is not set\n", "BR2_OFF=y\n")
    assert str(caught.value).splitlines()[1:] == ["  BR2_RENAMED: asked for y, got n", "  BR2_OFF: asked for n, got y"]


def test_a_later_fragment_wins(tmp_path: Path) -> None:
    assert buildroot_tree.symbols("BR2_A=y\n# BR2_A is not set\n") == {"BR2_A": "n"}


def test_an_option_that_is_turned_off_takes_along_what_was_below_it() -> None:
    assert buildroot_tree.asked_for('BR2_T=y\nBR2_T_FROM="b"\nBR2_TX=y\n# BR2_T is not set\nBR2_T_NEW=y\n') == {
        "BR2_T": "n", "BR2_TX": "y", "BR2_T_NEW": "y",
    }  # fmt: skip


def test_the_internal_toolchain_s_headers_are_the_kernel_s() -> None:
    """Buildroot does not look into the version of a kernel: unnamed, its series is "really old", which glibc refuses."""
    series = asked("qemu_aarch64")["BR2_LINUX_KERNEL_CUSTOM_VERSION_VALUE"].split(".")[:2]
    fragment = (buildroot_tree.EXTERNAL / "fragments/toolchain-internal.config").read_text()
    assert f"BR2_PACKAGE_HOST_LINUX_HEADERS_CUSTOM_{'_'.join(series)}=y" in fragment


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
    with pytest.raises(BuildError, match="no machine 'qemuarm'; there are: imx8mp-lpddr4-evk, qemuarm64"):
        buildroot.Job(configured(tmp_path, 'BR2_PACKAGE_EDGEAI_MACHINE="qemuarm"\n'), tmp_path)
    with pytest.raises(BuildError, match="no image for qemux86-64 yet: its boot is 'efi'"):
        buildroot.Job(configured(tmp_path, 'BR2_PACKAGE_EDGEAI_MACHINE="qemux86-64"\n'), tmp_path)


def test_the_appliance_is_the_owner_s_the_test_s_or_the_machine_s(tmp_path: Path) -> None:
    text = 'BR2_PACKAGE_EDGEAI_MACHINE="qemuarm64"\n'
    assert buildroot.Job(configured(tmp_path, text), tmp_path).appliance == buildroot.FILES / "qemuarm64/appliance.toml"
    test = text + "BR2_PACKAGE_EDGEAI_TEST_IMAGE=y\n"
    assert buildroot.Job(configured(tmp_path, test), tmp_path).appliance == buildroot.TEST_IMAGE / "appliance.toml"
    other = text.replace("qemuarm64", "rock-5b")
    assert buildroot.Job(configured(tmp_path, other), tmp_path).appliance == buildroot.FILES / "appliance.toml"
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
        buildroot_sources.unpack(packed, tmp_path)
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


def test_one_folder_of_a_repository_is_the_same_archive_each_time(tmp_path: Path) -> None:
    served = tmp_path / "served"
    for name, mode in (("LICENSE", 0o644), ("wanted/tool", 0o755), ("wanted/deep/source", 0o644), ("other/model", 0o644)):
        (served / name).parent.mkdir(parents=True, exist_ok=True)
        (served / name).write_text(name)
        (served / name).chmod(mode)

    def git(*words: str) -> str:
        who = ["-c", "user.name=test", "-c", "user.email=test@example.org"]
        return subprocess.run(["git", "-C", str(served), *who, *words], check=True, capture_output=True, text=True).stdout.strip()

    git("init", "--quiet")
    git("config", "uploadpack.allowFilter", "true")
    git("config", "uploadpack.allowAnySHA1InWant", "true")
    git("add", "--all")
    git("commit", "--quiet", "--message", "all")
    commit = git("rev-parse", "HEAD")
    made = []
    for folder in ("first", "second"):
        output = tmp_path / folder / "part-1.tar"
        output.parent.mkdir()
        buildroot_sources.repository(served.as_uri(), commit, "wanted", output)
        made.append(output.read_bytes())
    assert made[0] == made[1]
    with tarfile.open(output) as archive:
        modes = {entry.name: entry.mode & 0o111 for entry in archive}
    assert modes == {"part-1/LICENSE": 0, "part-1/wanted/deep/source": 0, "part-1/wanted/tool": 0o111}
    with pytest.raises(BuildError, match="git fetch failed"):
        buildroot_sources.repository(served.as_uri(), "0" * 40, "wanted", output)


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


@pytest.mark.parametrize("text", ["", "Traceback (most recent call last):"])
def test_no_bill_of_materials_is_said_in_one_line(text) -> None:
    tool = buildroot_tree.EXTERNAL / "board/edgeai/common/edgeai.py"
    done = subprocess.run([sys.executable, str(tool), "sbom"], input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and not done.stdout
    assert "generate-cyclonedx printed no document" in done.stderr and "Traceback" not in done.stderr
