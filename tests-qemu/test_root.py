"""The root is read-only, and what is served from it is what was built."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess

import pytest

from agent import AgentError
from partitions import offset


def mounts(board) -> dict[str, list[str]]:
    lines = (line.split() for line in board.agent.read("/proc/mounts").decode().splitlines())
    return {fields[1]: fields for fields in lines}


def test_root_is_read_only_erofs_on_verity(appliance, build):
    root = mounts(appliance)["/"]
    assert root[2] == "erofs"
    assert "ro" in root[3].split(",")
    verity = json.loads((build / "test-manifest.json").read_text())["root"]["verity"]
    assert re.search(rf" verity 1 .* sha256 {verity['root_hash']} ", appliance.agent.read("/proc/cmdline").decode())
    assert appliance.agent.read("/sys/block/dm-0/dm/name").strip() == b"root"
    with pytest.raises(AgentError, match=r"os error 30\b"):
        appliance.agent.write("/etc/edgeai/new", b"x")


def test_data_is_writable_and_cannot_execute(appliance):
    data = mounts(appliance)["/data"]
    assert data[2] == "ext4"
    assert {"rw", "nosuid", "nodev", "noexec"} <= set(data[3].split(","))
    appliance.agent.write("/data/edgeai/probe", b"kept")
    assert appliance.agent.read("/data/edgeai/probe") == b"kept"
    # The loader maps a program as the kernel would; a file's own mode does not count there.
    loader, program = "/usr/lib/ld-linux-aarch64.so.1", "/usr/sbin/mke2fs"
    appliance.agent.write("/data/edgeai/program", appliance.agent.read(program))
    assert appliance.agent.execute(loader, program, "-V")["code"] == 0
    refused = appliance.agent.execute(loader, "/data/edgeai/program", "-V")
    assert refused["code"] != 0
    assert "failed to map segment" in refused["stderr"]


def test_data_partition_grew_to_the_end_of_the_disk(appliance):
    """The disk has 512 MiB, the image's own data partition 32."""
    size = appliance.agent.ask("statfs", path="/data")
    assert size["total"] > 150 << 20


def test_every_file_is_the_manifest_s(appliance, build):
    """Paths and sizes in the running root equal manifest.json."""
    manifest = json.loads((build / "test-manifest.json").read_text())
    for entry in manifest["root"]["files"]:
        assert appliance.agent.ask("stat", path=entry["path"])["bytes"] == entry["bytes"], entry


def extents(image, path: str) -> list[tuple[int, int]]:
    """Where the compressed data of a file of the first slot's root lies on the disk: first byte, end."""
    root = offset("root-a")
    command = ["dump.erofs", f"--offset={root}", f"--path={path}", "-e", str(image)]
    listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found = re.findall(r"^ *\d+:.*:\s*(\d+)\.\.\s*(\d+) \|", listed, re.MULTILINE)
    return [(root + int(start), root + int(end)) for start, end in found if end != "0"]


def test_a_flipped_byte_is_detected_and_not_served(appliance, new_board, test_image, build, tmp_path):
    """The model reads fine from an intact root and not at all from a damaged one: no decisions, outputs safe."""
    files = json.loads((build / "test-manifest.json").read_text())["root"]["files"]
    model = next(f for f in files if f["path"].endswith("/model.tflite"))
    assert hashlib.sha256(appliance.agent.read(model["path"])).hexdigest() == model["sha256"]

    broken = tmp_path / "broken.img"
    shutil.copyfile(test_image, broken)
    places = extents(test_image, model["path"])
    start, end = places[len(places) // 2]
    with broken.open("r+b") as disk:
        disk.seek((start + end) // 2)
        byte = disk.read(1)[0]
        disk.seek(-1, 1)
        disk.write(bytes([byte ^ 0x01]))
    board = new_board(broken)
    board.start()
    board.wait_for(rf"safe: model: cannot read model {model['path']}: .*os error 5\b")
    board.wait_for(r"verity: .*block \d+ is corrupted")
    board.assert_safe()
    with pytest.raises(AgentError, match=r"os error 5\b"):
        board.agent.read(model["path"])
    assert "first decision" not in board.console
