"""The root is read-only, and what is served from it is what was built."""

from __future__ import annotations

import json
import shutil

import pytest

from board import AgentError


def mounts(board) -> dict[str, list[str]]:
    lines = (line.split() for line in board.agent.read("/proc/mounts").decode().splitlines())
    return {fields[1]: fields for fields in lines}


def test_root_is_read_only_erofs_on_verity(appliance):
    root = mounts(appliance)["/"]
    assert root[2] == "erofs"
    assert "ro" in root[3].split(",")
    assert "verity" in appliance.agent.read("/proc/cmdline").decode()
    assert appliance.agent.read("/sys/block/dm-0/dm/name").strip() == b"root"
    with pytest.raises(AgentError, match=r"(?i)read-only|EROFS|30"):
        appliance.agent.write("/etc/edgeai/new", b"x")


def test_data_is_writable_and_cannot_execute(appliance):
    data = mounts(appliance)["/data"]
    assert data[2] == "ext4"
    assert {"rw", "nosuid", "nodev", "noexec"} <= set(data[3].split(","))
    appliance.agent.write("/data/edgeai/probe", b"kept")
    assert appliance.agent.read("/data/edgeai/probe") == b"kept"


def test_data_partition_grew_to_the_end_of_the_disk(appliance):
    """The disk has 512 MiB, the image's own data partition 32."""
    size = appliance.agent.ask("statfs", path="/data")
    assert size["total"] > 150 << 20


def test_every_file_is_the_manifest_s(appliance, build):
    """Paths and sizes in the running root equal manifest.json."""
    manifest = json.loads((build / "test-manifest.json").read_text())
    for entry in manifest["root"]["files"]:
        assert appliance.agent.ask("stat", path=entry["path"])["bytes"] == entry["bytes"], entry


def test_a_flipped_byte_is_detected_and_not_served(new_board, test_image, build, tmp_path):
    """The same file reads fine from an intact root and fails from a damaged one, with verity's word for it."""
    broken = tmp_path / "broken.img"
    shutil.copyfile(test_image, broken)
    start = (8 + 32 + 32) << 20  # root-a, as in partitions.toml
    blocks = json.loads((build / "test-manifest.json").read_text())["root"]["verity"]["data_blocks"]
    with broken.open("r+b") as disk:
        # One byte in each of several blocks in the middle of the data: the model, the largest file, is hit.
        for block in range(blocks // 4, blocks * 3 // 4, 16):
            disk.seek(start + block * 4096 + 1000)
            byte = disk.read(1)[0]
            disk.seek(-1, 1)
            disk.write(bytes([byte ^ 0x01]))
    board = new_board(broken)
    board.on()
    board.wait_for(r"verity: .*block \d+ is corrupted")
