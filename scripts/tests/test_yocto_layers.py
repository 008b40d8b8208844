"""Every machine under real BitBake: each recipe is read, and the image's tasks are put in order.

EDGEAI_OE_LAYERS names a folder with bitbake, openembedded-core and the boards' layers, as
`kas checkout` leaves it; a machine whose layers are not there is SKIPPED. Needs an ordinary
user, no network, and minutes for each machine. EDGEAI_OE_BUILD keeps the build folders.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import REPOSITORY

LAYERS = os.environ.get("EDGEAI_OE_LAYERS")
KAS = REPOSITORY / "kas"
# Machines without an image yet (docs/yocto.md), and the reason.
IMAGELESS = {"jetson-orin-nano": "edgeai-image was skipped: no image for jetson-orin-nano-devkit yet: NVIDIA's flashing tool"}
MACHINES = sorted(path.stem for path in KAS.glob("*.yml") if path.stem != "base" and not path.stem.endswith(".lock"))

pytestmark = pytest.mark.skipif(not LAYERS, reason="SKIPPED: EDGEAI_OE_LAYERS names no folder with bitbake and openembedded-core")

# Read after everything else: a dry run fetches nothing, asks no site whether there is a network, and has no use
# for the C library that native programs of a real build are run with.
OFFLINE = 'BB_NO_NETWORK = "1"\nCONNECTIVITY_CHECK_URIS = ""\nINHERIT:remove = "uninative"\n'


def bitbake(files: str, folder: Path, *words: str, conf: str = "") -> str:
    """What BitBake says, in the build folder that kas makes of `files`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "offline.conf").write_text(OFFLINE + conf)
    command = " ".join(["bitbake", "-R", str(folder / "offline.conf"), *words])
    done = subprocess.run(
        [sys.executable, "-m", "kas", "shell", "--skip", "repos_checkout", files, "-c", command],
        cwd=REPOSITORY, capture_output=True, text=True, check=False,
        env={**os.environ, "KAS_WORK_DIR": LAYERS or "", "KAS_BUILD_DIR": str(folder / "build")},
    )  # fmt: skip
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    return done.stdout + done.stderr


@pytest.fixture(params=MACHINES)
def machine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """A machine whose layers are there, and its build folder."""
    yaml = pytest.importorskip("yaml")
    described = [yaml.safe_load((KAS / f"{name}.yml").read_text()) for name in ("base", request.param)]
    wanted = {name for file in described for name in file.get("repos", {}) if name != "edgeai"}
    if missing := sorted(name for name in wanted if not (Path(LAYERS or "") / name).is_dir()):
        pytest.skip(f"SKIPPED: {LAYERS} has no {', '.join(missing)}")
    kept = os.environ.get("EDGEAI_OE_BUILD")
    return request.param, Path(kept) / request.param if kept else tmp_path_factory.mktemp(request.param)


def test_every_recipe_is_read_and_the_image_is_put_in_order(machine: tuple[str, Path]) -> None:
    name, folder = machine
    target = "edgeai-image" if name not in IMAGELESS else "packagegroup-edgeai"
    said = bitbake(f"kas/{name}.yml", folder, "-n", target)
    assert re.search(r"\d+ targets, \d+ skipped, 0 masked, 0 errors", said), said[-2000:]
    assert not re.search(r"^(WARNING|ERROR)", said, re.MULTILINE), said
    assert "all succeeded" in said
    if reason := IMAGELESS.get(name):
        with pytest.raises(AssertionError, match=reason):
            bitbake(f"kas/{name}.yml", folder, "-n", "edgeai-image")


def test_other_distributions_can_have_the_layer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the distribution's facts the layer's own recipes are read, or skipped with a reason."""
    monkeypatch.setenv("KAS_DISTRO", "nodistro")
    masked = 'BBMASK = "openembedded-core/meta/recipes- meta-oe/recipes- meta-edgeai/recipes-.*bbappend"\n'
    # Before other classes, as yocto-check-layer itself has it: sstate gives its tasks the network.
    masked += 'INHERIT:prepend = "yocto-check-layer "\n'
    said = bitbake("kas/qemuarm64.yml", tmp_path, "-p", conf=masked)
    assert re.search(r"[1-9]\d* targets, \d+ skipped, \d+ masked, 0 errors", said), said[-2000:]


# -- what is wrong is said before anything is parsed ----------------------------------------------------


@pytest.mark.parametrize(
    ("files", "variables", "said"),
    [
        ("kas/qemuarm64.yml", {"KAS_MACHINE": "no-such-board"}, "MACHINE=no-such-board is invalid"),
        ("kas/qemuarm64.yml:kas/feature/mirror.yml", {}, r"SOURCE_MIRROR_URL is .*EDGEAI_MIRROR=https://"),
        (
            "kas/qemuarm64.yml:kas/feature/mirror.yml",
            {"EDGEAI_MIRROR": "file:///no/such/folder"},
            "/no/such/folder: there is no such folder",
        ),
    ],
    ids=["machine", "no mirror", "mirror that is not there"],
)
def test_what_is_wrong_is_named(files: str, variables: dict[str, str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EDGEAI_MIRROR", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(AssertionError, match=said):
        bitbake(files, tmp_path, "-p")
