"""From power on to the application, by the image's own boot loader, and off again."""

from __future__ import annotations

import json
import re
import shutil

import pytest

from partitions import identity, offset


def test_own_boot_loader_and_slot(appliance):
    """U-Boot runs the slot's script, which boots the slot's FIT with checked hashes."""
    console = appliance.console
    assert re.search(r"^U-Boot 20\d\d", console, re.MULTILINE)
    assert "edgeai: boot-a" in console
    assert re.search(r"Verifying Hash Integrity .*sha256\+ OK", console)
    assert "-kernel" not in " ".join(appliance.qemu._cmd)


@pytest.mark.parametrize(
    ("where", "damage", "tried"),
    [(0, bytes(4 << 20), None), (4 << 20, b"not the kernel", r"edgeai: boot-a\n(.*\n)+?.*Bad hash value")],
    ids=["no file system", "damaged kernel"],
)
def test_second_slot_boots_when_the_first_is_destroyed(new_board, test_image, tmp_path, where, damage, tried):
    """A boot partition that cannot be read is passed over, and so is one whose kernel's hash is wrong."""
    broken = tmp_path / "broken.img"
    shutil.copyfile(test_image, broken)
    with broken.open("r+b") as disk:
        disk.seek(offset("boot-a") + where)
        disk.write(damage)
    board = new_board(broken)
    board.start()
    if tried:
        assert re.search(tried, board.console), board.tail(200)
    else:
        assert "edgeai: boot-a" not in board.console
    assert "edgeai: boot-b" in board.console
    assert f"PARTUUID={identity('root-b')}" in board.agent.read("/proc/cmdline").decode()


def test_init_is_pid_1_and_ready(appliance, figures):
    own = int(appliance.wait_for(r"edgeai-init: ready in (\d+) ms \(data ready\)").group(1))
    figures["init_own_work_first_boot_ms"] = own
    assert appliance.agent.read("/proc/1/cmdline").split(b"\0")[0].endswith(b"init")
    assert appliance.agent.read("/proc/1/comm").strip() in (b"init", b"edgeai")


def test_boot_to_first_decision_is_reported(appliance, figures):
    metrics = appliance.agent.metrics()
    figures["first_decision_ms_after_start_of_run"] = metrics["first_decision_ms"]
    figures["uptime_at_first_decision_s"] = metrics["uptime_at_first_decision_s"]
    assert metrics["uptime_at_first_decision_s"] * 1000 > metrics["first_decision_ms"] > 0


def test_preempt_rt(appliance):
    assert "PREEMPT_RT" in appliance.agent.ask("hello")["kernel"]


def test_vision_thread_is_fifo_and_memory_locked(appliance):
    threads = appliance.agent.ask("threads", process="edgeai run")["threads"]
    by_name = {t["name"]: t for t in threads}
    assert by_name["vision"]["policy"] == "SCHED_FIFO"
    assert by_name["signal"]["policy"] == "SCHED_FIFO"
    assert by_name["signal"]["priority"] > by_name["vision"]["priority"] > 0
    # mlockall locks what is mapped and accessible: at least what is resident of the program itself.
    assert by_name["vision"]["vm_lck_kb"] > 1024


def test_orderly_power_off(new_board, test_image, photograph, figures, tmp_path):
    """The power key: outputs safe, data unmounted, off; from PID 1's word to the kernel's, on the guest's clock."""
    board = new_board(test_image)
    board.start(photograph("china"))
    board.wait_for(r"first decision")
    board.press_power()
    board.wait_off()
    told = re.search(r"^\[\s*(\d+\.\d+)\] edgeai-init: power-off$", board.console, re.MULTILINE)
    off = re.search(r"^\[\s*(\d+\.\d+)\] reboot: Power down", board.console, re.MULTILINE)
    assert told and off, board.tail()
    figures["power_off_s"] = round(float(off[1]) - float(told[1]), 2)
    assert "outputs: lamp=low stop=high" in board.console[told.end() : off.start()], board.tail()
    with board.raw_disk(tmp_path / "disk.raw").open("rb") as disk:
        disk.seek(offset("data") + 1024)
        superblock = disk.read(1024)
    # Linux, Documentation/filesystems/ext4/super.rst: s_magic, s_feature_incompat; RECOVER is set while it is mounted.
    assert superblock[0x38:0x3A] == b"\x53\xef"
    assert not superblock[0x60] & 0x04


def test_second_boot_has_less_to_do(new_board, product_image, figures):
    """The data partition is made once; what PID 1 itself needs on every later boot is measured here."""
    board = new_board(product_image)
    board.on()
    board.wait_for(r"edgeai-init: data partition made")
    board.wait_for(r"edgeai-init: ready")
    board.wait_for(r"edgeai-init: power key: ")
    board.press_power()
    board.wait_off()
    board.off()
    board.on()
    figures["init_own_work_ms"] = int(board.wait_for(r"edgeai-init: ready in (\d+) ms \(data ready\)").group(1))
    figures["init_steps"] = board.wait_for(r"edgeai-init: steps: (.*)").group(1)
    assert "data partition made" not in board.console


def test_power_cut_does_not_matter(new_board, test_image):
    """The plug is pulled in the first seconds, three times; the next boot is healthy."""
    board = new_board(test_image, disk_mib=512)
    for moment in (r"edgeai: boot-a", r"edgeai-init: data", r"edgeai-init: ready"):
        board.on()
        board.wait_for(moment)
        board.off()
    board.on()
    board.wait_for(r"edgeai-init: ready in \d+ ms \(data ready\)")


def test_product_image_has_no_test_parts(build, machine):
    """Neither agent nor simulators are in the product."""
    manifest = json.loads((build / "manifest.json").read_text())
    assert not [f["path"] for f in manifest["root"]["files"] if "test" in f["path"]]
    config = (build / "kernel.config").read_text()
    for symbol in ("CONFIG_VIDEO_VIVID", "CONFIG_GPIO_SIM", "CONFIG_MODULES"):
        assert f"{symbol}=" not in config
    assert "CONFIG_PREEMPT_RT=y" in config


def test_product_image_boots_and_stays_safe_without_a_camera(new_board, product_image):
    """QEMU's board has no camera: the product says so and goes on."""
    board = new_board(product_image)
    board.on()
    board.wait_for(r"edgeai-init: ready in \d+ ms")
    board.wait_for(r"safe: .*camera")
    board.press_power()
    board.wait_off()
