"""What goes wrong in the field: the device stays up, safe, says why, and recovers by itself."""

from __future__ import annotations

import itertools

import pytest

from board import IMAGE, OWNER
from partitions import offset


def test_no_camera_then_one_appears(new_board, test_image, photograph):
    board = new_board(test_image)
    board.on()
    board.agent.connect()
    board.agent.ask("camera-unbind")
    board.wait_for(r"safe: .*camera")
    board.assert_safe()
    mark = board.mark()
    board.agent.ask("camera-bind")
    board.agent.show(photograph("astronaut"))
    board.wait_for(r"first decision|rule person-in-view: active", after=mark)
    board.agent.wait_level("lamp", 1)


def test_camera_vanishes_and_returns_while_running(new_board, test_image, photograph):
    board = new_board(test_image)
    board.start(photograph("astronaut"))
    board.agent.wait_level("lamp", 1)
    for _ in range(2):
        mark = board.mark()
        board.agent.ask("camera-unbind")
        board.wait_for(r"camera lost: ", after=mark)
        board.wait_for(r"safe: .*camera", after=mark)
        board.assert_safe()
        board.agent.ask("camera-bind")
        board.agent.show(photograph("astronaut"))
        board.agent.wait_level("lamp", 1)


def test_model_missing_or_truncated_then_repaired(new_board, test_image, photograph, figures):
    """The owner's model directory goes before the image's; a bad one is refused, a repaired one is taken."""
    board = new_board(test_image, disk_mib=512)
    board.start(photograph("astronaut"))
    board.wait_for(r"first decision")
    image = board.agent.read(IMAGE).decode()
    assert 'file = "ssd-mobilenet-v2-oidv4-int8"' in image
    folder = "/usr/share/edgeai/models/ssd-mobilenet-v2-oidv4-int8"
    model = board.agent.read(f"{folder}/model.tflite")
    files = {name: board.agent.read(f"{folder}/{name}") for name in ("labels.txt", "model.toml")}

    mark = board.mark()
    owner = image.replace('file = "ssd-mobilenet-v2-oidv4-int8"', 'file = "/data/edgeai/models/mine"')
    board.agent.write(OWNER, owner.encode())
    board.agent.kill("edgeai run", "TERM")
    board.wait_for(r"safe: .*/data/edgeai/models/mine/.*No such file", after=mark)
    board.assert_safe()
    # What `edgeai run` itself keeps resident, all of it locked: no model, no runtime library yet.
    own = board.agent.ask("threads", process="edgeai run")["threads"][0]["vm_rss_kb"]
    figures["resident_without_model_kib"] = own
    assert own <= 20 << 10

    mark = board.mark()
    for name, content in files.items():
        board.agent.write(f"/data/edgeai/models/mine/{name}", content)
    board.agent.write("/data/edgeai/models/mine/model.tflite", model[: len(model) // 2])
    board.wait_for(r"safe: .*model\.tflite: damaged", after=mark)
    board.assert_safe()

    board.agent.write("/data/edgeai/models/mine/model.tflite", model)
    board.agent.wait_level("lamp", 1)

    mark = board.mark()
    board.agent.write("/data/edgeai/models/mine/labels.txt", files["labels.txt"] + b"One too many\n")
    board.agent.kill("edgeai run", "TERM")
    board.wait_for(r"safe: .*labels\.txt", after=mark)
    board.assert_safe()


WRONG = {
    "unknown key": ("fps = 30", "fsp = 30", "fsp"),
    "type": ("fps = 30", 'fps = "thirty"', "fps|thirty|integer"),
    "range": ("score = 0.5", "score = 1.5", "1.5 is out of range"),
    "pin": ('line = "lamp"', 'line = "gpiochip0:"', "gpiochip"),
    "overlapping outputs": ('line = "lamp"', 'line = "stop"', "one owner"),
}


@pytest.mark.parametrize("what", WRONG)
def test_owner_s_wrong_configuration_is_refused_with_its_place(appliance, what):
    """file:line:column in the console, and the image's own description is used."""
    old, new, names = WRONG[what]
    image = appliance.agent.read(IMAGE).decode()
    assert old in image
    appliance.agent.write(OWNER, image.replace(old, new, 1).encode())
    mark = appliance.mark()
    try:
        appliance.agent.kill("edgeai run", "TERM")
        line = appliance.wait_for(rf"configuration refused: {OWNER}:\d+:\d+: .*({names}).*; using {IMAGE}", after=mark)
        number = int(line.group(0).split(f"{OWNER}:")[1].split(":")[0])
        written = image.replace(old, new, 1).splitlines()
        assert new.split("\n")[0] in written[number - 1] or what == "overlapping outputs"
        appliance.wait_for(r"first decision", after=mark)
    finally:
        appliance.agent.ask("remove", path=OWNER)
        mark = appliance.mark()
        appliance.agent.kill("edgeai run", "TERM")
        appliance.wait_for(r"first decision", after=mark)


def test_unusable_image_configuration_is_told_and_recovered_from(appliance):
    """Nothing to run on: the device stays up, says at each try where the mistake is, and goes on once it is gone."""
    image = appliance.agent.read(IMAGE).decode()
    broken = image.replace("fps = 30", "fsp = 30", 1)
    number = broken.splitlines().index("fsp = 30") + 1
    appliance.agent.write("/tmp/broken.toml", broken.encode())
    appliance.agent.ask("cover", path=IMAGE, **{"with": "/tmp/broken.toml"})
    try:
        at = appliance.mark()
        appliance.agent.kill("edgeai run", "TERM")
        delays = []
        for _ in range(3):
            at = appliance.wait_for(rf"^edgeai: configuration: {IMAGE}:{number}:1: .*fsp", after=at).end()
            restart = appliance.wait_for(r"edgeai-init: edgeai run exited \(exit 1\), restart in (\d+) ms", after=at)
            delays.append(int(restart[1]))
            at = restart.end()
        assert 0 < delays[-1] <= 10_000
        assert all(later > sooner or later == 10_000 for sooner, later in itertools.pairwise(delays)), delays
        assert appliance.agent.ask("hello")["uptime_ms"] > 0
    finally:
        mark = appliance.mark()
        appliance.agent.ask("uncover", path=IMAGE)
    appliance.wait_for(r"first decision", after=mark)


def test_a_crash_of_the_runtime_ends_safe_and_is_restarted(appliance, photograph):
    appliance.agent.show(photograph("astronaut"))
    appliance.agent.wait_level("lamp", 1)
    mark = appliance.mark()
    appliance.agent.kill("edgeai run", "KILL")
    appliance.assert_safe()
    appliance.wait_for(r"edgeai-init: edgeai run exited", after=mark)
    appliance.wait_for(r"first decision", after=mark)
    appliance.agent.wait_level("lamp", 1)


def test_a_hung_runtime_is_killed_and_restarted(appliance):
    """SIGSTOP: no heartbeat, no progress."""
    mark = appliance.mark()
    appliance.agent.kill("edgeai run", "STOP")
    appliance.assert_safe()
    appliance.wait_for(r"edgeai-init: edgeai run exited", after=mark)
    appliance.wait_for(r"first decision", after=mark)


def test_full_data_partition(new_board, test_image, photograph):
    board = new_board(test_image)
    board.start(photograph("astronaut"))
    board.wait_for(r"first decision")
    board.agent.ask("fill", path="/data/edgeai/filler")
    board.agent.show(photograph("china"))
    board.agent.wait_level("lamp", 0)
    board.agent.show(photograph("astronaut"))
    board.agent.wait_level("lamp", 1)
    mark = board.mark()
    board.agent.kill("edgeai run", "TERM")
    board.wait_for(r"first decision", after=mark)


def test_damaged_data_partition_is_never_formatted(new_board, test_image, tmp_path):
    """Garbage over the superblocks: not mountable; the appliance runs on the image's own configuration."""
    board = new_board(test_image, disk_mib=512)
    board.on()
    board.wait_for(r"edgeai-init: ready in \d+ ms \(data ready\)")
    board.off()
    raw = board.raw_disk(tmp_path / "disk.raw")
    start = offset("data")
    with raw.open("r+b") as disk:
        disk.seek(0, 2)
        end = disk.tell()
        for place in range(start, end, 1 << 20):
            disk.seek(place)
            disk.write(b"not a file system ".ljust(64, b"!") * 1024)
    before = raw.read_bytes()[start : start + (16 << 20)]
    second = new_board(raw)
    second.on()
    second.wait_for(r"edgeai-init: ready in \d+ ms \(data unavailable: .+\)")
    second.wait_for(r"configuration: /etc/edgeai/appliance.toml")
    second.off()
    with second.raw_disk(tmp_path / "after.raw").open("rb") as disk:
        disk.seek(start)
        assert disk.read(16 << 20) == before


def test_damaged_data_partition_is_repaired(new_board, test_image, tmp_path):
    """The superblock is gone: e2fsck finds a backup, and what the owner wrote is still there."""
    board = new_board(test_image, disk_mib=512)
    board.on()
    board.agent.connect()
    board.wait_for(r"edgeai-init: ready in \d+ ms \(data ready\)")
    board.agent.write("/data/edgeai/kept", b"the owner's")
    board.press_power()
    board.wait_off()
    board.off()
    raw = board.raw_disk(tmp_path / "disk.raw")
    with raw.open("r+b") as disk:
        disk.seek(offset("data") + 1024)  # the superblock
        disk.write(bytes(1024))
    second = new_board(raw)
    second.on()
    second.agent.connect()
    second.wait_for(r"edgeai-init: e2fsck ")
    second.wait_for(r"edgeai-init: ready in \d+ ms \(data ready\)")
    assert second.agent.read("/data/edgeai/kept") == b"the owner's"
