"""Steps cached by the hash of what goes in."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from lib.report import BuildError, say


def tree_files(folder: Path) -> Iterator[Path]:
    """The files below a folder, sorted, without what tools leave there."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not {"target", "__pycache__"} & set(path.relative_to(folder).parts):
            yield path


def digest(inputs: Iterable[str | bytes | Path]) -> str:
    """One hash over strings, and files and folders by content."""
    whole = hashlib.sha256()
    for item in inputs:
        if isinstance(item, Path):
            if not item.exists():
                raise BuildError(f"{item} is missing")
            for path in tree_files(item) if item.is_dir() else [item]:
                name = str(path.relative_to(item)) if item.is_dir() else path.name
                mode = "x" if os.access(path, os.X_OK) else "-"
                with path.open("rb") as stream:
                    content = hashlib.file_digest(stream, "sha256").hexdigest()
                whole.update(f"{name}\0{mode}\0{content}\n".encode())
        else:
            data = item.encode() if isinstance(item, str) else item
            whole.update(f"{len(data)}:".encode() + data)
    return whole.hexdigest()[:20]


class Steps:
    """Results live in `store/<step>/<hash>`; each is complete or absent."""

    def __init__(self, store: Path) -> None:
        self.store = store
        self.times: dict[str, float] = {}

    def run(self, name: str, inputs: Iterable[str | bytes | Path], make: Callable[[Path], None]) -> Path:
        """The folder with the step's result, made by `make(folder)` unless it exists."""
        key = digest(inputs)
        result = self.store / name / key
        if result.exists():
            os.utime(result)
            self.times[name] = 0.0
            return result
        say(f"{name}: building")
        start = time.monotonic()
        result.parent.mkdir(parents=True, exist_ok=True)
        for killed in result.parent.glob(f".{key}.*"):  # of a run that could not tidy up
            shutil.rmtree(killed, ignore_errors=True)
        partial = Path(tempfile.mkdtemp(prefix=f".{key}.", dir=result.parent))
        try:
            make(partial)
            partial.chmod(0o755)
            partial.rename(result)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
        self._drop_old(result.parent)
        self.times[name] = round(time.monotonic() - start, 1)
        say(f"{name}: done in {self.times[name]} s")
        return result

    @staticmethod
    def _drop_old(folder: Path, keep: int = 6) -> None:
        results = sorted((p for p in folder.iterdir() if not p.name.startswith(".")), key=lambda p: p.stat().st_mtime)
        for old in results[:-keep]:
            shutil.rmtree(old, ignore_errors=True)


def drop_unused(used: Path, days: float = 14) -> None:
    """Marks a folder as used, and removes those beside it that were not for so long."""
    os.utime(used)
    for other in used.parent.iterdir():
        if other.stat().st_mtime < time.time() - days * 86400:
            say(f"removing {other}, unused for {days:.0f} days")
            # Under another name first: what is cut short must not be taken for the whole.
            dropped = other.with_name(f"{other.name}.dropped")
            other.rename(dropped)
            shutil.rmtree(dropped, ignore_errors=True)


@contextlib.contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """One build at a time in a cache; a second one waits and says so."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another build is using the cache; waiting for it")
            fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def cache_folder() -> Path:
    """$EDGEAI_CACHE, else edgeai/ in the user's cache folder."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get("EDGEAI_CACHE") or base / "edgeai").resolve()
