#!/usr/bin/env python3
"""What Buildroot calls of the project's own builder (scripts/lib).

Usage: edgeai.py fetch {crates|wheel LOCK|models|repository URL COMMIT FOLDER} FILE
       edgeai.py unpack-crates FOLDER
       edgeai.py check-kernel CONFIG FRAGMENT...
       edgeai.py root FOLDER
       edgeai.py image FOLDER
       edgeai.py sbom < BILL > BILL
"""

import json
import os
import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[4] / "scripts"))
from lib import buildroot, buildroot_sbom, buildroot_sources  # noqa: E402
from lib.report import BuildError, fail  # noqa: E402


def main(words):
    match words:
        case ["fetch", "crates", file]:
            buildroot_sources.crates(Path(file), Path(os.environ["CARGO_HOME"]))
        case ["fetch", "wheel", lock, file]:
            buildroot_sources.wheel(lock, Path(file))
        case ["fetch", "models", file]:
            buildroot_sources.models(Path(file))
        case ["fetch", "repository", url, commit, folder, file]:
            buildroot_sources.repository(url, commit, folder, Path(file))
        case ["unpack-crates", folder]:
            buildroot_sources.unpack_crates(Path(folder))
        case ["check-kernel", config, *fragments]:
            buildroot.check_kernel(Path(config), fragments)
        case ["root", folder]:
            buildroot.from_environment().root(Path(folder), Path(os.environ["BASE_DIR"]))
        case ["image", folder]:
            buildroot.from_environment().image(Path(folder), Path(os.environ["BASE_DIR"]))
        case ["sbom"]:
            json.dump(buildroot_sbom.with_crates(buildroot_sbom.read(sys.stdin.read())), sys.stdout, indent=2)
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except BuildError as error:
        sys.exit(fail(error))
