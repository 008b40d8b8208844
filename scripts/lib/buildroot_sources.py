"""The archives that Buildroot downloads through a package registry's own client.

Each is named by what it depends on and pinned by the hash file of its package,
so that a mirror of Buildroot's download folder is all that a later build needs.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from pathlib import Path

from lib import rootfs
from lib.kernel import REPOSITORY
from lib.report import BuildError

RUST = REPOSITORY / "rust"
LOCKS = REPOSITORY / "scripts/lock"
MODELS = REPOSITORY / "meta-edgeai/recipes-ml/edgeai-models"
PACKAGES = REPOSITORY / "buildroot-external/package"


def add(archive: tarfile.TarFile, name: str, content: bytes, executable: bool = False) -> None:
    """A file whose entry depends on nothing but name, content and whether it is a program."""
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    if executable:
        entry.mode = 0o755
    archive.addfile(entry, io.BytesIO(content))


# -- crates -----------------------------------------------------------------------------------------


def crates_version() -> str:
    """Names one state of Cargo.lock."""
    return hashlib.sha256((RUST / "Cargo.lock").read_bytes()).hexdigest()[:12]


def locked_crates() -> list[dict]:
    """The registry's crates of Cargo.lock: name, version, checksum."""
    lock = tomllib.loads((RUST / "Cargo.lock").read_text())
    return [package for package in lock["package"] if "checksum" in package]


def crates(output: Path, cargo_home: Path) -> None:
    """An archive of all crates as the registry delivers them, each checked against Cargo.lock."""
    command = ["cargo", "fetch", "--locked", "--manifest-path", str(RUST / "Cargo.toml")]
    if subprocess.run(command, env={**os.environ, "CARGO_HOME": str(cargo_home)}, check=False).returncode:
        raise BuildError(f"failed: {' '.join(command)}\n  This step fetches; it needs the network.")
    pack_crates(output, cargo_home)


def pack_crates(output: Path, cargo_home: Path) -> None:
    """The archive, from what cargo has in its cache."""
    with tarfile.open(output, "w", format=tarfile.USTAR_FORMAT) as archive:
        for crate in locked_crates():
            name = f"{crate['name']}-{crate['version']}.crate"
            found = sorted((cargo_home / "registry/cache").glob(f"*/{name}"))
            if not found:
                raise BuildError(f"{name} is not in {cargo_home}")
            content = found[0].read_bytes()
            if (got := hashlib.sha256(content).hexdigest()) != crate["checksum"]:
                raise BuildError(f"{name}: hash mismatch\n  expected sha256 {crate['checksum']}\n  got             {got}")
            add(archive, f"edgeai-crates-{crates_version()}/{name}", content)


def unpack(archive: tarfile.TarFile, folder: Path) -> None:
    """Unpacks what Cargo.lock names by hash; Debian 12's Python 3.11.2 does not have the filter."""
    archive.extractall(folder, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))


def unpack_crates(folder: Path) -> None:
    """Turns the archives in `folder` into cargo's directory source; collects licences into LICENCES.

    A directory source (The Cargo Book, "Source Replacement") has a folder for
    each crate with the checksum of its archive in .cargo-checksum.json.
    """
    sources = folder / "sources"
    shutil.rmtree(sources, ignore_errors=True)
    sources.mkdir()
    texts: dict[str, list[str]] = {}
    listed = []
    for crate in locked_crates():
        name = f"{crate['name']}-{crate['version']}"
        with tarfile.open(folder / f"{name}.crate", "r:gz") as archive:
            unpack(archive, sources)
        (sources / name / ".cargo-checksum.json").write_text(json.dumps({"files": {}, "package": crate["checksum"]}))
        licence = tomllib.loads((sources / name / "Cargo.toml").read_text())["package"].get("license", "see its licence file")
        listed.append(f"{name}: {licence}")
        for file in sorted((sources / name).iterdir()):
            if re.match(r"(licen[cs]e|copying|copyright|notice|unlicense)", file.name, re.IGNORECASE) and file.is_file():
                texts.setdefault(file.read_text(errors="replace").strip(), []).append(f"{name}/{file.name}")
    parts = ["\n".join(listed)] + [f"{'-' * 80}\n{', '.join(places)}\n\n{text}" for text, places in texts.items()]
    (folder / "LICENCES").write_text("\n\n".join(parts) + "\n")


# -- runtime and other wheels -----------------------------------------------------------------------


def wheel(lock: str, output: Path) -> None:
    """The one wheel that a file of scripts/lock pins for a processor; pip checks its hash."""
    match = re.search(r"-(cp\d+|py[\d.py]+)-\w+-([\w.]+)\.whl$", output.name)
    if not match:
        raise BuildError(f"{output.name} is not the name of a wheel")
    python = match[1].removeprefix("cp") if match[1].startswith("cp") else "3"
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable, "-m", "pip", "download", "--quiet", "--require-hashes", "--only-binary=:all:", "--no-deps", "--dest", folder,
            "--platform", match[2].split(".")[0], "--python-version", python, "--implementation", "cp", "-r", str(LOCKS / f"{lock}.txt"),
        ]  # fmt: skip
        if subprocess.run(command, check=False).returncode:
            advice = "Python's pip and the network are needed, or the file itself in Buildroot's download folder"
            raise BuildError(f"pip could not download {output.name}: {advice}")
        found = Path(folder) / output.name
        if not found.exists():
            raise BuildError(f"{LOCKS / lock}.txt gives {', '.join(p.name for p in Path(folder).iterdir())}, not {output.name}")
        shutil.copyfile(found, output)


# -- models -----------------------------------------------------------------------------------------


def image_models() -> list[str]:
    """The model directories of the root."""
    return sorted(o.split(":", 1)[1] for o in rootfs.manifest(False)["files"].values() if o.startswith("model:"))


def models_version() -> str:
    """Names one state of how the image's models are made."""
    state = hashlib.sha256()
    for name in image_models():
        state.update((MODELS / name / "source.toml").read_bytes())
    return state.hexdigest()[:12]


def pack_models(output: Path, made: Path) -> None:
    """An archive of what conversion or training makes, from a folder with the model directories."""
    with tarfile.open(output, "w", format=tarfile.USTAR_FORMAT) as archive:
        for name in image_models():
            result = tomllib.loads((MODELS / name / "source.toml").read_text())["result"]
            for file in ("model.tflite", "labels.txt"):
                content = (made / name / file).read_bytes()
                if file == "model.tflite" and (got := hashlib.sha256(content).hexdigest()) != result["sha256"]:
                    raise BuildError(f"{name}: hash mismatch\n  expected sha256 {result['sha256']}\n  got             {got}")
                add(archive, f"edgeai-models-{models_version()}/{name}/{file}", content)


def models(output: Path) -> None:
    """The archive, with the quick builder's tools: the conversion needs a Python environment of pinned wheels."""
    from lib import machine as machines
    from lib.build import Build
    from lib.steps import cache_folder, exclusive

    cache = cache_folder()
    cache.mkdir(parents=True, exist_ok=True)
    with exclusive(cache):
        anyone = machines.load(machines.names()[0])  # a model is the same for every machine
        job = Build(anyone, cache, cache / "steps", output.parent / "models-log", test=False, locked=False)
        job.fetch()
        pack_models(output, job.model_directories(image_models()))


# -- parts of a repository --------------------------------------------------------------------------


def repository(url: str, commit: str, folder: str, output: Path) -> None:
    """One folder of a public git repository at a commit, with the files at its top; the rest is not fetched.

    The entries of the archive depend on names, contents and modes alone, so that it is pinned by its hash.
    """
    with tempfile.TemporaryDirectory(dir=output.parent) as work:
        for words in (
            ["init", "--quiet"],
            ["remote", "add", "origin", url],
            ["sparse-checkout", "set", folder],
            ["fetch", "--depth=1", "--filter=blob:none", "origin", commit],
            ["checkout", "--quiet", "FETCH_HEAD"],
        ):
            if subprocess.run(["git", "-C", work, *words], check=False, env={**os.environ, "GIT_LFS_SKIP_SMUDGE": "1"}).returncode:
                raise BuildError(f"{url} at {commit}: git {words[0]} failed. This step fetches; it needs the network.")
        top = Path(work)
        with tarfile.open(output, "w", format=tarfile.GNU_FORMAT) as archive:
            for path in sorted(top.rglob("*")):
                name = path.relative_to(top)
                if name.parts[0] == ".git" or not path.is_file():
                    continue
                add(archive, f"{output.stem}/{name}", path.read_bytes(), bool(path.stat().st_mode & 0o111))


# -- pins -------------------------------------------------------------------------------------------


def licences(package: str, archive: Path) -> dict[str, Path]:
    """The licence files of a package as its make file names them, and where they are; the crates' are made of `archive`."""
    if package == "edgeai-models":
        return {f"{name}/{file}": MODELS / name / file for name in image_models() for file in ("LICENSE", "NOTICE")}
    if package == "edgeai":
        return {file: RUST / file for file in ("LICENSE-APACHE", "LICENSE-MIT")}
    with tarfile.open(archive) as packed:
        unpack(packed, archive.parent)
    folder = archive.parent / archive.stem
    unpack_crates(folder)
    return {"LICENCES": folder / "LICENCES"}


def pinned(package: str) -> dict[str, str]:
    """File → SHA-256 of a package's hash file."""
    lines = (PACKAGES / package / f"{package}.hash").read_text().splitlines()
    return {fields[2]: fields[1] for line in lines if (fields := line.split()) and fields[0] == "sha256"}
