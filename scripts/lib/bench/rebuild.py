"""`scripts/bench build`: how long scripts/build takes after a change."""

import json
import subprocess
import time

from lib.kernel import REPOSITORY


def run(arguments):
    files = {
        "nothing": None,
        "configuration": REPOSITORY / "meta-edgeai/recipes-core/edgeai/files" / arguments.machine / "appliance.toml",
        "model": REPOSITORY / "meta-edgeai/recipes-ml/edgeai-models/ssd-mobilenet-v2-oidv4-int8/model.toml",
        "application": REPOSITORY / "rust/edgeai/src/main.rs",
    }
    command = [REPOSITORY / "scripts/build", arguments.machine]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    seconds = {}
    for what, file in files.items():
        before = file.read_bytes() if file else b""
        try:
            if file:
                mark = "//" if file.suffix == ".rs" else "#"
                # Something new each time: a step that has been run for these very inputs is not run again.
                file.write_bytes(before + f"{mark} {time.time_ns()}\n".encode())
            start = time.monotonic()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            seconds[what] = round(time.monotonic() - start, 1)
        finally:
            if file:
                file.write_bytes(before)
        print(f"{what} changed: {seconds[what]} s")
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    if arguments.output:
        arguments.output.write_text(json.dumps({"seconds_after_change_of": seconds}, indent=1) + "\n")
