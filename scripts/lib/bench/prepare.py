"""What is measured and what it is measured against, brought here and built."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from lib import machine as machines
from lib.build import RUST, Build
from lib.kernel import REPOSITORY
from lib.report import BuildError, say
from lib.steps import cache_folder, exclusive

PROGRAMS = RUST / "benches/peers"
MACHINE_LIBRARIES = "usr/lib/x86_64-linux-gnu"
# Debian keeps these beside the other libraries and lets alternatives link them, which no maintainer script did here.
LIBRARY_FOLDERS = ["", "/lapack", "/blas"]


OPENCV_PYTHON, OPENCV_CPP, GSTREAMER = "OpenCV, Python", "OpenCV, C++", "GStreamer"


@dataclass
class Peers:
    """Environment variables for each peer that is ready, by its name; `missing` has the reason for every other."""

    environments: dict[str, dict[str, str]] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)

    def try_to(self, name: str, make: Callable[[], dict[str, str]]) -> None:
        try:
            self.environments[name] = make()
        except BuildError as error:
            self.missing[name] = str(error).splitlines()[0]
            say(f"{name} cannot be had: {error}")


def ground() -> Build:
    """The SDK root and all downloads; nothing of the machine's image is made."""
    cache = cache_folder()
    output = REPOSITORY / "build/bench"
    output.mkdir(parents=True, exist_ok=True)
    build = Build(machines.load("qemuarm64"), cache, cache / "steps", output, test=True, locked=False)
    with exclusive(cache):
        build.fetch()
    return build


def cargo(build: Build, workspace: Path, target: str, *words: str) -> Path:
    """`cargo build --release` for this machine; returns the folder with the programs."""
    folder = build.cache / "steps/work" / target
    folder.mkdir(parents=True, exist_ok=True)
    env = {
        "CARGO_HOME": str(build.cache / "crates"), "CARGO_TARGET_DIR": str(folder), "CARGO_NET_OFFLINE": "true",
        "CARGO_TERM_COLOR": "never", "LIBCLANG_PATH": "/usr/lib/llvm-19/lib",
    }  # fmt: skip
    log = build.logs / f"{target}.log"
    say(f"building {workspace.relative_to(REPOSITORY)}, the first time for minutes: {log}")
    build.sdk.run(
        ["cargo", "build", "--release", "--locked", *words],
        binds=[REPOSITORY, build.cache], cwd=workspace, env=env, log=log,
    )  # fmt: skip
    return folder / "release"


def peers(build: Build, names: list[str]) -> Peers:
    """Brings these peers."""
    ways = {
        OPENCV_PYTHON: lambda: {"PYTHONPATH": f"{build.peer_wheels()}:{build.python()}"},
        OPENCV_CPP: lambda: {"OPENCV_CPP": str(opencv_cpp(build))},
        GSTREAMER: lambda: gstreamer(build),
    }
    found = Peers()
    with exclusive(build.cache):
        for name in names:
            found.try_to(name, ways[name])
    return found


def opencv_cpp(build: Build) -> Path:
    """rust/benches/peers/opencv.cpp, compiled against Debian's OpenCV."""
    packages = build.peer_packages()
    libraries = [f"{packages}/{MACHINE_LIBRARIES}{folder}" for folder in LIBRARY_FOLDERS]
    source = PROGRAMS / "opencv.cpp"
    # An old-fashioned RPATH counts for the libraries' own needs too.
    link = ["-Wl,--disable-new-dtags", *(f"-Wl,-rpath,{x}" for x in libraries), *(f"-Wl,-rpath-link,{x}" for x in libraries)]
    command = [
        "g++", "-O3", "-march=native", str(source), "-o", "opencv", f"-I{packages}/usr/include/opencv4",
        f"-L{libraries[0]}", "-lopencv_imgproc", "-lopencv_core", *link,
    ]  # fmt: skip

    def make(folder: Path) -> None:
        build.sdk.run(command, binds=[REPOSITORY, build.cache, folder], cwd=folder, log=build.logs / "opencv-cpp.log")

    # Compiled for this processor: not for another that shares the cache.
    processor = next(line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("flags"))
    return build.steps.run("peers-opencv", [build.sdk.identity, packages.name, source, processor, *command], make) / "opencv"


def gstreamer(build: Build) -> dict[str, str]:
    """Environment in which GStreamer and its Python binding are found where they were unpacked."""
    packages = build.peer_packages()
    libraries = f"{packages}/{MACHINE_LIBRARIES}"
    return {
        "PYTHONPATH": f"{packages}/usr/lib/python3/dist-packages:{build.python()}",
        "LD_LIBRARY_PATH": libraries,
        "GI_TYPELIB_PATH": f"{libraries}/girepository-1.0:{packages}/usr/lib/girepository-1.0",
        "GST_PLUGIN_SYSTEM_PATH": f"{libraries}/gstreamer-1.0",
        "GST_PLUGIN_SCANNER": f"{libraries}/gstreamer1.0/gstreamer-1.0/gst-plugin-scanner",
        "GST_REGISTRY": "/tmp/gstreamer-registry.bin",  # of the root's own /tmp
    }
