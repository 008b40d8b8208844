"""The SDK root: Debian's tools, unpacked into the cache and entered in a user namespace."""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path

from lib import debian
from lib.report import BuildError, say

# Runs as the namespace's root: the SDK becomes /, the host's kernel file
# systems and the given folders keep their paths. pivot_root, not chroot: inside
# a chroot the kernel refuses further user namespaces, which the tests need.
ENTER = r"""
set -eu
PATH=$PATH:/usr/sbin:/sbin # pivot_root's place, which an ordinary user's PATH lacks
root=$1; shift
mount --rbind "$root" "$root"
for dir in sys dev; do mount --rbind "/$dir" "$root/$dir"; done
# A container may forbid a /proc of our own; the outer one does then.
mount -t proc proc "$root/proc" 2>/dev/null || mount --rbind /proc "$root/proc"
mount -t tmpfs -o mode=1777 tmp "$root/tmp"
while [ "$1" != -- ]; do
  mkdir -p "$root$1"
  mount --rbind "$1" "$root$1"
  shift
done
shift
# The machine's own trust: behind a TLS proxy it has more authorities than Debian's.
ca=/etc/ssl/certs/ca-certificates.crt
if [ -e $ca ]; then mount --bind $ca "$root$ca"; fi
[ -e /etc/resolv.conf ] && cat /etc/resolv.conf > "$root/etc/resolv.conf" || true
cd "$root"
pivot_root . .
umount -l .
exec /usr/bin/env -i "$@"
"""

ALTERNATIVES = {  # what maintainer scripts would have linked
    "usr/bin/awk": "mawk",
    "usr/bin/cc": "gcc",
    "usr/bin/yacc": "bison.yacc",
    "usr/bin/lex": "flex",
    "usr/lib/libclang.so": "../../usr/lib/llvm-19/lib/libclang.so.1",
    "etc/mtab": "/proc/self/mounts",
}


class Sdk:
    """An unpacked SDK root."""

    def __init__(self, root: Path, identity: str, packages: list[debian.Package]) -> None:
        self.root = root
        self.identity = identity
        self.packages = packages

    def command(
        self, argv: list[str], *, binds: list[Path], env: dict[str, str], cwd: Path, network: bool, contained: bool = False
    ) -> list[str]:
        """The full command line that runs `argv` inside the root.

        `contained`: when the calling thread ends, however it ends, so do all processes inside.
        """
        isolate = ["--net"] if not network else []
        inner = f"cd {shlex.quote(str(cwd))} && exec {shlex.join(argv)}"
        outer = ["unshare"]
        if contained:
            # unshare is killed with its parent, then its child, which is PID 1 inside, and so everything inside.
            # The shell stays as PID 1: it reaps orphans, and its child gets signals as any process does.
            outer = ["setpriv", "--pdeathsig", "KILL", "unshare", "--pid", "--kill-child"]
            inner = f"cd {shlex.quote(str(cwd))} && {shlex.join(argv)}; exit $?"
        variables = {
            "PATH": "/usr/sbin:/usr/bin",
            "HOME": "/tmp",
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
            "TERM": os.environ.get("TERM", "dumb"),
            **env,
        }
        return [
            *outer, "--user", "--map-root-user", "--mount", *isolate, "--",
            "/bin/sh", "-c", ENTER, "enter", str(self.root), *map(str, binds), "--",
            *(f"{k}={v}" for k, v in variables.items()), "/bin/sh", "-c", inner,
        ]  # fmt: skip

    def run(
        self,
        argv: list[str],
        *,
        binds: list[Path],
        cwd: Path,
        env: dict[str, str] | None = None,
        network: bool = False,
        log: Path | None = None,
    ) -> None:
        """Runs `argv` inside; its output goes to `log`, whose tail is shown on failure."""
        command = self.command(argv, binds=binds, env=env or {}, cwd=cwd, network=network, contained=True)
        if log is None:
            if subprocess.run(command, check=False).returncode:
                raise BuildError(f"failed: {shlex.join(argv)}")
            return
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as stream:
            code = subprocess.run(command, stdout=stream, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, check=False).returncode
        if code:
            tail = "\n".join(log.read_text(errors="replace").splitlines()[-25:])
            raise BuildError(f"failed ({code}): {shlex.join(argv)[:300]}\n{tail}\n  whole log: {log}")


def check_host() -> None:
    """What the host itself must have; everything else is in the SDK."""
    for tool, package in {"unshare": "util-linux", "setpriv": "util-linux", "dpkg-deb": "dpkg", "tar": "tar"}.items():
        if not shutil.which(tool):
            raise BuildError(f"{tool} is missing on this machine: install Debian's package {package}")
    command = ["unshare", "--user", "--map-root-user", "--mount", "--net", "--pid", "--kill-child", "true"]
    probe = subprocess.run(command, capture_output=True, text=True, check=False)
    if probe.returncode:
        raise BuildError(
            "user namespaces are not available, and the SDK root is entered through one: "
            f"{probe.stderr.strip()}\n  In a container, allow unshare(2) (for example --security-opt seccomp=unconfined); "
            "on a host, set kernel.unprivileged_userns_clone=1."
        )


def prepare(cache: Path, packages: list[debian.Package]) -> Sdk:
    """Unpacks the packages unless this very set is unpacked already."""
    recipe = Path(__file__).read_bytes()
    identity = hashlib.sha256(recipe + "".join(sorted(p.sha256 for p in packages)).encode()).hexdigest()[:16]
    root = cache / "sdk" / identity
    if not root.exists():
        say(f"unpacking the SDK root, {len(packages)} packages")
        root.parent.mkdir(parents=True, exist_ok=True)
        for killed in root.parent.glob(f"{identity}.*"):  # of a run that could not tidy up
            shutil.rmtree(killed, ignore_errors=True)
        partial = Path(tempfile.mkdtemp(prefix=f"{identity}.", dir=root.parent))
        try:
            debian.unpack(cache, packages, partial)
            for name in ("proc", "sys", "dev", "tmp", "etc", "root"):
                (partial / name).mkdir(exist_ok=True)
            for link, target in ALTERNATIVES.items():
                path = partial / link
                if not path.exists() and not path.is_symlink():
                    path.symlink_to(target)
            (partial / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
            (partial / "etc/group").write_text("root:x:0:\n")
            certificates = sorted((partial / "usr/share/ca-certificates/mozilla").glob("*.crt"))
            (partial / "etc/ssl/certs").mkdir(parents=True, exist_ok=True)
            bundle = b"".join(c.read_bytes() for c in certificates)
            (partial / "etc/ssl/certs/ca-certificates.crt").write_bytes(bundle)
            partial.chmod(0o755)
            partial.rename(root)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
    return Sdk(root, identity, packages)
