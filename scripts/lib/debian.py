"""Debian packages by a lock file: fetch with checked hashes, unpack without installing."""

from __future__ import annotations

import concurrent.futures
import errno
import hashlib
import http.client
import json
import lzma
import os
import re
import shutil
import subprocess
import time
import tomllib
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from lib.report import BuildError, say

SCRIPTS = Path(__file__).resolve().parent.parent
REQUEST = SCRIPTS / "lock" / "debian.toml"
LOCK = SCRIPTS / "lock" / "debian.lock.json"
CONNECTIONS = 8  # at once; some resolvers refuse many more
WAITS = (1, 2, 4)  # seconds before each further try


@dataclass(frozen=True)
class Package:
    name: str
    arch: str
    version: str
    suite: str
    file: str  # path below the mirror
    sha256: str
    size: int

    @property
    def base(self) -> str:
        return self.file.rsplit("/", 1)[1]


def request() -> dict:
    return tomllib.loads(REQUEST.read_text())


def lock(name: str) -> list[Package]:
    """The locked packages of one set."""
    try:
        sets = json.loads(LOCK.read_text())["sets"]
    except FileNotFoundError as error:
        raise BuildError(f"{LOCK} is missing: run scripts/lock-debian") from error
    except (ValueError, KeyError) as error:
        raise BuildError(f"{LOCK} is not a lock file ({error}): restore it, or run scripts/lock-debian") from error
    if name not in sets:
        raise BuildError(f"{LOCK} has no set {name}: add it to {REQUEST.name} and run scripts/lock-debian")
    return [Package(**entry) for entry in sets[name]]


def mirror(apt: Path = Path("/etc/apt")) -> str:
    """The Debian mirror: $EDGEAI_DEBIAN_MIRROR, else the one apt is configured for."""
    if chosen := os.environ.get("EDGEAI_DEBIAN_MIRROR"):
        if not re.match(r"https?://[^/]", chosen):
            raise BuildError(f"EDGEAI_DEBIAN_MIRROR: expected an http:// or https:// address, found: {chosen}")
        return chosen.rstrip("/")
    found: list[str] = []
    for path in sorted(apt.glob("sources.list.d/*.sources")):
        for stanza in re.split(r"\n\s*\n", path.read_text()):
            lines = [x for x in stanza.splitlines() if x and not x.startswith("#")]
            fields = dict(x.split(":", 1) for x in lines if re.match(r"^[A-Za-z-]+:", x))
            if fields.get("Enabled", "yes").strip() == "no":
                continue
            if "main" in fields.get("Components", "").split():
                found += fields.get("URIs", "").split()
    one_line = [apt / "sources.list", *sorted(apt.glob("sources.list.d/*.list"))]
    for path in filter(Path.exists, one_line):
        for line in path.read_text().splitlines():
            if match := re.match(r"deb\s+(?:\[[^]]*\]\s+)?(\S+)\s+\S+\s+.*\bmain\b", line):
                found.append(match[1])
    for uri in found:
        # The archive proper, not its security or third-party siblings.
        if uri.startswith("http") and uri.rstrip("/").endswith("/debian"):
            return uri.rstrip("/")
    raise BuildError(f"no Debian mirror found in {apt}: set EDGEAI_DEBIAN_MIRROR to the address that has the folders dists/ and pool/")


def sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def download(url: str, target: Path, size: int, digest: str) -> None:
    """Downloads to `target`, resuming a partial file; refuses any other content.

    A fault of the network is waited out a few times, each try going on where the last one ended.
    Raises urllib.error.HTTPError and a full disk's OSError as they come, BuildError for everything else.
    """
    partial = target.with_name(target.name + ".part")
    target.parent.mkdir(parents=True, exist_ok=True)
    for wait in (*WAITS, None):
        try:
            transfer(url, partial, size)
            break
        except urllib.error.HTTPError:
            raise
        except (OSError, http.client.HTTPException) as error:
            if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
                raise
            if wait is None:
                raise BuildError(
                    f"cannot download {target.name}: {getattr(error, 'reason', error)}\n"
                    "  The fetch step needs the network; what has arrived is kept, run the command again."
                ) from error
            time.sleep(wait)
    if (got := sha256(partial)) != digest:
        partial.unlink()
        raise BuildError(f"{target.name}: hash mismatch\n  expected sha256 {digest}\n  got             {got}")
    partial.rename(target)


def transfer(url: str, partial: Path, size: int) -> None:
    """Brings `partial` to `size` bytes, from where it is."""
    have = partial.stat().st_size if partial.exists() else 0
    if have > size:
        partial.unlink()
        have = 0
    if have == size:
        return
    headers = {"Range": f"bytes={have}-"} if have else {}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=60) as answer:
            mode = "ab" if have and answer.status == 206 else "wb"
            left = int(answer.headers.get("Content-Length", 0))
            with partial.open(mode) as stream:
                while block := answer.read(1 << 20):
                    stream.write(block)
                    left -= len(block)
            if left > 0:
                raise ConnectionError(f"the connection ended {left} bytes early")
    except urllib.error.HTTPError as error:
        if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            partial.unlink()  # not the beginning of this file: never ask for its rest again
        raise


class Fetcher:
    """Brings the packages of a set into the download cache."""

    def __init__(self, cache: Path, locked_only: bool) -> None:
        self.cache = cache / "debian"
        self.locked_only = locked_only
        self.indexes: dict[tuple[str, str], dict[str, Package]] = {}
        self.replaced: list[dict] = []

    def fetch(self, packages: list[Package]) -> list[Package]:
        """Returns the packages as fetched: the locked ones, or their successors where gone."""
        missing = [p for p in packages if not (self.cache / p.base).exists()]
        successors = {p: new for p in missing if (new := self._taken_before(p))}
        missing = [p for p in missing if p not in successors]
        if missing:
            total = sum(p.size for p in missing)
            say(f"fetching {len(missing)} Debian packages, {total / 1e6:.0f} MB")
        gone: list[Package] = []
        pool = concurrent.futures.ThreadPoolExecutor(CONNECTIONS)
        try:
            jobs = {pool.submit(self._one, p): p for p in missing}
            for done, job in enumerate(concurrent.futures.as_completed(jobs), 1):
                try:
                    job.result()
                except urllib.error.HTTPError as error:
                    if error.code not in (404, 410):
                        raise BuildError(f"{jobs[job].base}: the mirror answered {error}") from error
                    gone.append(jobs[job])
                if done % 50 == 0:
                    say(f"fetched {done} of {len(missing)}")
        finally:
            pool.shutdown(wait=False, cancel_futures=True)  # after an error: start no other, wait for none
        successors |= {p: self._successor(p) for p in gone}
        for old, new in successors.items():
            say(f"{old.name} {old.version} ({old.suite}) is no longer on the mirror; {new.version} is taken, and recorded in manifest.json")
            self.replaced.append({"name": old.name, "locked": old.version, "taken": new.version, "sha256": new.sha256})
        return [successors.get(p, p) for p in packages]

    def _taken_before(self, package: Package) -> Package | None:
        """The successor an earlier run has brought into the cache."""
        record = self.cache / f"{package.base}.successor"
        if self.locked_only or not record.exists():
            return None
        new = Package(**json.loads(record.read_text()))
        return new if (self.cache / new.base).exists() else None

    def _one(self, package: Package) -> None:
        download(f"{mirror()}/{package.file}", self.cache / package.base, package.size, package.sha256)

    def _successor(self, package: Package) -> Package:
        text = f"{package.name} {package.version} ({package.suite}) is no longer on the mirror"
        if self.locked_only:
            raise BuildError(f"{text}, and --locked allows no other version.\n  Renew the lock with scripts/lock-debian.")
        index = self._index(package.suite, package.arch)
        if package.name not in index:
            raise BuildError(f"{text}, and the suite has no other. Renew the lock with scripts/lock-debian.")
        new = index[package.name]
        try:
            if not (self.cache / new.base).exists():
                self._one(new)
        except urllib.error.HTTPError as error:
            raise BuildError(f"{text}; of its successor {new.base} the mirror says {error}. Try again later, or another mirror.") from error
        (self.cache / f"{package.base}.successor").write_text(json.dumps(vars(new)))
        return new

    def _index(self, suite: str, arch: str) -> dict[str, Package]:
        if (suite, arch) not in self.indexes:
            index_arch = "amd64" if arch == "all" else arch
            url = f"{mirror()}/dists/{suite}/main/binary-{index_arch}/Packages.xz"
            try:
                with urllib.request.urlopen(url, timeout=60) as answer:
                    text = lzma.decompress(answer.read()).decode()
            except (OSError, http.client.HTTPException, lzma.LZMAError) as error:
                raise BuildError(f"cannot read the package index of {suite}: {error}") from error
            self.indexes[suite, arch] = parse_index(text, suite)
        return self.indexes[suite, arch]


def parse_index(text: str, suite: str) -> dict[str, Package]:
    """A Packages file (Debian policy §5) as name → package."""
    result = {}
    for stanza in text.split("\n\n"):
        fields = dict(x.split(": ", 1) for x in stanza.splitlines() if ": " in x and not x.startswith(" "))
        if "Package" in fields:
            result[fields["Package"]] = Package(
                fields["Package"], fields["Architecture"], fields["Version"], suite,
                fields["Filename"], fields["SHA256"], int(fields["Size"]),
            )  # fmt: skip
    return result


def unpack(cache: Path, packages: list[Package], root: Path) -> None:
    """Unpacks packages into `root`; no maintainer script runs, so no root is needed."""
    for name in ("bin", "sbin", "lib", "lib64"):
        (root / "usr" / name).mkdir(parents=True, exist_ok=True)
        if not (root / name).is_symlink():
            (root / name).symlink_to(f"usr/{name}")

    def one(package: Package) -> None:
        # tar, not `dpkg-deb -x`: the latter replaces the links above where an old package has /bin.
        with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(cache / "debian" / package.base)], stdout=subprocess.PIPE) as source:
            tar = ["tar", "-x", "-C", str(root), "--keep-directory-symlink", "--no-same-owner"]
            result = subprocess.run(tar, stdin=source.stdout, check=False, capture_output=True, text=True)
        if result.returncode or source.returncode:
            raise BuildError(
                f"cannot unpack {package.base}: {result.stderr.strip()}\n"
                f"  {shutil.disk_usage(root).free / 1e6:.0f} MB are free in {root}.\n"
                f"  If that is enough, the package is damaged: remove {cache / 'debian' / package.base} and run the command again."
            )

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(one, packages))
