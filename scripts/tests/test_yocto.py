"""The Yocto layer against what is written once for every builder; kas files; style of the recipes.

Needs no checkout of OE-core: what does is in test_yocto_layers.py.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from conftest import REPOSITORY
from lib import build, image, machine, rootfs

LAYER = REPOSITORY / "meta-edgeai"
KAS = REPOSITORY / "kas"
sys.path.insert(0, str(LAYER / "lib"))
import edgeai  # noqa: E402
from edgeai import crates, registry, slots  # noqa: E402

MACHINES = sorted(
    path.name for path in KAS.glob("*.yml") if path.name not in {"base.yml", "local.yml"} and not path.name.endswith(".lock.yml")
)
FEATURES = sorted(path.relative_to(REPOSITORY).as_posix() for path in (KAS / "feature").glob("*.yml"))
RECIPES = sorted(path for kind in ("*.bb", "*.bbappend", "*.inc") for path in LAYER.rglob(kind))


def program(module: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", module, *words], cwd=REPOSITORY, capture_output=True, text=True, check=False)


# -- crates -------------------------------------------------------------------------------------------


def test_the_crates_are_those_of_the_lock() -> None:
    """edgeai-crates.inc is what `bitbake -c update_crates edgeai` would write now."""
    assert crates.LIST.read_text() == crates.listed(crates.LOCK.read_text()), "run: python3 meta-edgeai/lib/edgeai/crates.py"


def test_the_recipe_takes_the_whole_workspace() -> None:
    members = tomllib.loads((build.RUST / "Cargo.toml").read_text())["workspace"]["members"]
    recipe = next((LAYER / "recipes-core/edgeai").glob("edgeai_*.bb"))
    taken = set(re.findall(r"file://([\w.-]+);subdir=rust", recipe.read_text()))
    assert taken == {"Cargo.lock", "Cargo.toml", *(member.split("/")[0] for member in members)}
    version = tomllib.loads((build.RUST / "Cargo.toml").read_text())["workspace"]["package"]["version"]
    assert recipe.name == f"edgeai_{version}.bb"


# -- models and runtime -------------------------------------------------------------------------------


def test_every_model_has_its_recipe() -> None:
    recipes = {
        path.name.removeprefix("edgeai-model-").removesuffix("_1.0.bb") for path in (LAYER / "recipes-ml/edgeai-models").glob("*.bb")
    }
    assert recipes == {path.parent.name for path in build.MODELS.glob("*/source.toml")}
    assert set(edgeai.models()) <= recipes


def test_the_runtime_is_the_one_that_is_pinned() -> None:
    version = next((LAYER / "recipes-ml/litert").glob("litert_*.bb")).stem.split("_")[1]
    pinned = registry.requirements(build.SCRIPTS / "lock/python.txt")[f"ai-edge-litert=={version}"]
    for lock in ("runtime-arm64", "runtime-amd64"):
        assert registry.requirements(build.SCRIPTS / f"lock/{lock}.txt").keys() == {f"ai-edge-litert=={version}"}
    assert set(registry.requirements(build.SCRIPTS / "lock/runtime-amd64.txt")[f"ai-edge-litert=={version}"]) <= set(pinned)


def test_a_download_with_another_hash_is_refused(tmp_path: Path) -> None:
    (tmp_path / "package.tgz").write_bytes(b"spoilt")
    described = {"name": "x", "version": "1", "file": "package.tgz", "sha256": "0" * 64}
    with pytest.raises(registry.FetchError, match="hash mismatch"):
        registry.package(described, tmp_path, {"PATH": ""}, offline=True)
    assert not (tmp_path / "package.tgz").exists()


def test_a_missing_download_is_named(tmp_path: Path) -> None:
    lock = tmp_path / "lock.txt"
    lock.write_text("some-wheel==1.0 \\\n    --hash=sha256:" + "0" * 64 + "\n")
    with pytest.raises(registry.FetchError, match=r"BB_NO_NETWORK.*some-wheel==1\.0"):
        registry.wheels(lock, tmp_path, {"PATH": ""}, offline=True)
    with pytest.raises(registry.FetchError, match=r"pip3 is needed to fetch some-wheel==1\.0"):
        registry.wheels(lock, tmp_path, {"PATH": str(tmp_path)}, offline=False)


# -- partition table ----------------------------------------------------------------------------------


def test_the_kickstart_is_the_partition_table_of_the_other_builders() -> None:
    """wic and genimage are told the same."""
    told = [
        dict(re.findall(r"--([\w-]+) ([^-\s]\S*)", line)) for line in edgeai.kickstart("slots", []).splitlines() if line.startswith("part")
    ]
    genimage = image.genimage_configuration("x.img")
    named = [re.search(r"partition (\S+) \{.*?offset = \"(\w+)\" size = \"(\w+)\"(.*)\}", line) for line in genimage.splitlines()]
    others = [match for match in named if match]
    assert len(told) == len(others) == len(image.table()["partition"])
    for mine, other in zip(told, others, strict=True):
        assert (mine["part-name"], mine["offset"], mine["fixed-size"]) == other.groups()[:3]
        assert f'partition-type-uuid = "{mine["part-type"]}"' in other[4]
        assert f'partition-uuid = "{mine["uuid"]}"' in other[4]
    assert f"--diskid {image.table()['disk_uuid']}" in edgeai.kickstart("slots", [])


def test_the_loader_comes_before_the_first_partition() -> None:
    first = edgeai.kickstart("slots", ["32:imx-boot"]).splitlines()[1]
    assert first == 'part --source rawcopy --sourceparams="file=imx-boot" --offset 32K --no-table'


# -- root ---------------------------------------------------------------------------------------------


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A root as packages fill it: more than the manifest, links in between."""
    root = tmp_path / "rootfs"
    for path in rootfs.manifest(False)["files"]:
        file = root / path / "model.tflite" if "models/" in path else root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(path)
    (root / "usr/sbin/mke2fs").rename(root / "usr/sbin/mke2fs.e2fsprogs")
    (root / "usr/sbin/mke2fs").symlink_to("/usr/sbin/mke2fs.e2fsprogs")
    (root / "usr/bin/sh").write_text("not wanted")
    (root / "sbin").symlink_to("usr/sbin")
    return root


def test_the_root_has_what_the_manifest_says_and_nothing_else(installed: Path) -> None:
    files = slots.reduce(installed, test=False)
    there = {p.relative_to(installed).as_posix() for p in installed.rglob("*") if p.is_file() and not p.is_symlink()}
    assert there == {entry["path"].lstrip("/") for entry in files}
    assert "usr/bin/sh" not in there
    assert (installed / "usr/sbin/mke2fs").read_text() == "usr/sbin/mke2fs"
    assert not (installed / "usr/sbin/mke2fs").is_symlink()
    assert os.readlink(installed / "usr/sbin/init") == "../bin/edgeai"
    assert (installed / "proc").is_dir()


def test_what_no_package_installed_is_named(installed: Path) -> None:
    (installed / "usr/lib/libLiteRt.so").unlink()
    with pytest.raises(slots.BuildError, match=r"usr/lib/libLiteRt\.so: no installed package has it"):
        slots.reduce(installed, test=False)


# -- machines and kas ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", machine.names())
def test_a_machine_of_the_quick_builder_is_taken_from_it(name: str) -> None:
    board = machine.load(name)
    assert edgeai.machine_value(name, "fragments").split() == board.fragments
    assert edgeai.machine_value(name, "console") == board.console
    assert (KAS / f"{name}.yml").exists()


def test_an_unknown_machine_has_the_default() -> None:
    assert edgeai.machine_value("no-such-board", "console", "ttyS0") == "ttyS0"
    assert edgeai.emulator("no-such-board") is None


@pytest.mark.parametrize("path", sorted(p.relative_to(REPOSITORY).as_posix() for p in KAS.rglob("*.yml")))
def test_a_kas_file_names_its_schema_and_keeps_to_it(path: str) -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="SKIPPED: kas is not installed")
    kas = pytest.importorskip("kas", reason="SKIPPED: kas is not installed")
    yaml = pytest.importorskip("yaml")
    text = (REPOSITORY / path).read_text()
    assert text.startswith("# yaml-language-server: $schema=")
    schema = json.loads((Path(kas.__file__).parent / "schema-kas.json").read_text())
    jsonschema.validate(yaml.safe_load(text), schema)


def merged(*files: str) -> dict:
    """What kas makes of the files, its locks included, before it fetches anything."""
    pytest.importorskip("kas", reason="SKIPPED: kas is not installed")
    from kas.context import create_global_context
    from kas.includehandler import IncludeHandler
    from kas.kas import kas_get_argparser

    create_global_context(kas_get_argparser().parse_args(["dump", files[0]]))
    config, missing = IncludeHandler([str(REPOSITORY / file) for file in files]).get_config()
    assert not missing
    return config


@pytest.mark.parametrize("name", MACHINES)
@pytest.mark.parametrize(
    "features", [[], *([feature] for feature in FEATURES), FEATURES], ids=lambda names: "+".join(Path(n).stem for n in names)
)
def test_kas_puts_machine_and_features_together(name: str, features: list[str]) -> None:
    whole = merged(f"kas/{name}", *features)
    assert whole["machine"].removesuffix("-devkit") == name.removesuffix(".yml")
    assert whole["distro"] == "edgeai"
    assert {Path(feature).stem for feature in features} <= whole["local_conf_header"].keys()
    # What kas-container mounts is the project: nothing may lie outside, or be wanted from a certain place.
    for repository in filter(None, whole["repos"].values()):
        assert "path" not in repository
        assert repository.get("url", "https://").startswith("https://")
        for layer in repository.get("layers") or []:
            assert not Path(layer).is_absolute()
            assert ".." not in Path(layer).parts


@pytest.mark.parametrize("name", MACHINES)
def test_every_machine_has_an_appliance(name: str) -> None:
    """Its own, or the one of boards without pins of their own, by the search path of OE's fetcher."""
    files = LAYER / "recipes-core/edgeai/files"
    described = [path for path in (files / name.removesuffix(".yml") / "appliance.toml", files / "appliance.toml") if path.exists()]
    assert tomllib.loads(described[0].read_text())["model"]["file"] in edgeai.models()


@pytest.mark.parametrize("name", MACHINES)
def test_every_repository_of_a_machine_is_locked(name: str) -> None:
    whole = merged(f"kas/{name}")
    locked = whole["overrides"]["repos"]
    for repository, described in whole["repos"].items():
        if described and "url" in described:
            assert re.fullmatch(r"[0-9a-f]{40}", locked[repository]["commit"]), repository


# -- style --------------------------------------------------------------------------------------------


def test_oelint_has_nothing_to_say() -> None:
    pytest.importorskip("oelint_adv", reason="SKIPPED: oelint-adv is not installed")
    lines = [line for line in (LAYER / "oelint-exceptions.txt").read_text().splitlines() if not line.startswith("#")]
    assert all(len(line.split(None, 1)) == 2 for line in lines), "every exception has a reason"
    words = [word for line in lines for word in ("--suppress", line.split()[0])]
    done = program("oelint_adv", "--release=wrynose", "--quiet", *words, *map(str, RECIPES))
    assert done.returncode == 0, done.stderr + done.stdout
