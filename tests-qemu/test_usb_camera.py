"""USB cameras: the kernel's own driver `uvcvideo`, and behind its virtual host controller cameras in the test agent."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Iterator

import bars
import pytest
from PIL import Image
from test_cameras import HEAD, eye, probe

import photographs
from board import IMAGE, Board

SERIAL, OTHER = "EA-0001", "EA-0002"
# Whether the driver hands out damaged frames instead of filling their buffers again.
NO_DROP = "/sys/module/uvcvideo/parameters/nodrop"


def jpeg(content: bytes, width: int, height: int) -> bytes:
    """A photograph stretched to the frame, in such a JPEG as cameras make: with one colour sample for two pixels."""
    image = Image.open(io.BytesIO(content)).convert("RGB").resize((width, height), Image.Resampling.BILINEAR)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=90, subsampling="4:2:2")
    return file.getvalue()


FRAME = {"MJPEG": jpeg, "YUYV": photographs.yuyv}


class Usb:
    """The USB ports of a board."""

    def __init__(self, board: Board) -> None:
        self.board = board
        self.used: set[int] = set()

    def plug(self, port: int, serial: str, form: str, *frames: bytes) -> str:
        """The node that it gets."""
        self.used.add(port)
        node = self.board.agent.ask("usb-camera-plug", port=port, serial=serial)["capture"]
        self.show(port, form, *frames)
        return node

    def unplug(self, port: int) -> int:
        """The uptime before, in milliseconds."""
        self.used.remove(port)
        return self.board.agent.ask("usb-camera-unplug", port=port)["uptime_ms"]

    def show(self, port: int, form: str, *frames: bytes) -> None:
        """These frames, over and over."""
        self.board.agent.ask("usb-camera-show", port=port, format=form, frames=[base64.b64encode(frame).decode() for frame in frames])

    def state(self, port: int) -> dict:
        """What the camera has been told, and how many frames were fetched."""
        return self.board.agent.ask("usb-camera-state", port=port)


@pytest.fixture
def usb(gallery) -> Iterator[Usb]:
    """The session's appliance with nothing in its USB ports."""
    ports = Usb(gallery)
    yield ports
    for port in list(ports.used):
        ports.unplug(port)
    gallery.agent.write(NO_DROP, b"0")


def lamp(device: str, form: str) -> str:
    """A description with which the lamp is lit while the camera sees the bars."""
    output = '[[output]]\nname = "lamp"\nline = "lamp"\nsafe = "low"\n'
    seeing = eye("usb", device, form, "{}")
    return HEAD + output + seeing.replace('log = "usb sees', 'output = "lamp", level = "high", log = "usb sees')


@pytest.mark.parametrize(("form", "times"), [("MJPEG", 2), ("YUYV", 1)], ids=["MJPEG", "YUYV"])
def test_a_photograph_moves_the_line(usb, photograph_file, figures, form, times):
    """Named by serial number. The controls of the description are set each time that it is plugged in."""
    board = usb.board
    image = board.agent.read(IMAGE).decode()
    old = 'device = "/dev/video0"\nformat = "YUYV"\nsize = [640, 480]\nfps = 30\n'
    assert old in image
    # The exposure time is refused by the camera while it is in automatic mode.
    camera = f"""
device = "serial:{SERIAL}"
format = "{form}"
size = [640, 480]
fps = 5
controls = {{ brightness = -20, auto_exposure = 1, exposure_time_absolute = 100 }}
"""
    china, astronaut = (FRAME[form](photograph_file(name)[1], 640, 480) for name in ("china", "astronaut"))
    mark = board.configure(image.replace(old, camera))
    for _ in range(times):
        board.wait_for(rf"safe: camera missing: no camera serial:{SERIAL}; there is ", after=mark)
        usb.plug(2, SERIAL, form, china)
        fourcc = {"MJPEG": "MJPG"}.get(form, form)
        board.wait_for(rf"camera: asked {form} 640x480@5, offered .*, taken {fourcc} 640x480@5\.00", after=mark)
        board.wait_for(r"outputs: lamp=low stop=low$", after=mark)
        usb.show(2, form, astronaut)
        board.agent.wait_level("lamp", 1)
        told = usb.state(2)["camera"]
        assert (told["brightness"], told["auto_exposure"], told["exposure"]) == (-20, 1, 100)
        assert told["streaming"].upper() == form

        mark = board.mark()
        pulled = usb.unplug(2)
        told = board.wait_for(r"^\[(\d+\.\d+)\] WARN safe: camera lost: the device is gone", after=mark)
        board.assert_safe()
        figures["usb_unplug_to_safe_ms"] = round(float(told.group(1)) * 1000) - pulled


def test_a_camera_is_found_at_another_number_and_in_another_port(usb):
    board = usb.board
    frame = jpeg(bars.picture(320, 180), 320, 180)
    board.configure(lamp(f"serial:{SERIAL}", "MJPEG"))
    nodes = []
    for ports in ({SERIAL: 1, OTHER: 2}, {OTHER: 1, SERIAL: 3}):
        # Nodes are numbered as they come.
        plugged = {serial: usb.plug(port, serial, "MJPEG", frame) for serial, port in ports.items()}
        nodes.append(plugged[SERIAL])
        board.agent.wait_level("lamp", 1)
        assert usb.state(ports[OTHER])["camera"]["streaming"] is None
        mark = board.mark()
        for port in ports.values():
            usb.unplug(port)
        board.wait_for(r"safe: camera lost: ", after=mark)
    assert nodes[0] != nodes[1]


def test_probe_lists_what_a_usb_camera_has(usb):
    node = usb.plug(4, SERIAL, "MJPEG")
    camera = next(camera for camera in probe(usb.board).values() if camera["driver"] == "uvcvideo")
    identity = [camera[key] for key in ("path", "card", "bus", "serial")]
    assert identity == [node, "UVC camera", "usb-vhci_hcd.0-5", SERIAL]
    sizes = [(form["name"], size["size"], size["rates"]) for form in camera["formats"] for size in form["sizes"]]
    assert sizes == [(form, size, ["30", "15", "10", "5"]) for form in ("MJPEG", "YUYV") for size in ("640x480", "320x180")]
    controls = {control["name"]: (control["min"], control["max"], control["value"]) for control in camera["controls"]}
    assert controls == {"brightness": (-64, 64, 0), "auto_exposure": (0, 3, 3), "exposure_time_absolute": (1, 10000, 156)}


# Uncompressed frames that are too short the driver keeps to itself, so that only their numbers are missing, or hands out
# with an error flag, if it is told to.
@pytest.mark.parametrize(
    ("form", "device", "handed_out"),
    [("MJPEG", "card:UVC camera", 0), ("YUYV", "bus:usb-vhci_hcd.0-1", 0), ("YUYV", f"serial:{SERIAL}", 1)],
    ids=["MJPEG", "YUYV", "YUYV marked"],
)
def test_damaged_frames_are_counted_and_end_nothing(usb, form, device, handed_out):
    board = usb.board
    whole = FRAME[form](bars.picture(320, 180), 320, 180)
    noise = bytes(range(256)) * 40
    damaged = {
        # Cut off, with a hole where the tables are, noise after the start, nothing but noise.
        "MJPEG": [whole[: len(whole) // 2], whole[:2] + whole[300:], b"\xff\xd8" + noise, noise],
        "YUYV": [whole[: len(whole) // 2], whole[:-2]],
    }[form]
    board.agent.write(NO_DROP, b"%d" % handed_out)
    usb.plug(0, SERIAL, form, whole)
    mark = board.configure(lamp(device, form))
    board.wait_for(r"outputs: lamp=high", after=mark)
    mark = board.mark()
    before = board.agent.metrics()
    # Not every second one: the newest frame is taken, and to a CPU that is late for every other the whole ones might never be.
    usb.show(0, form, *(frame for bad in damaged for frame in (whole, whole, bad)))
    board.wait_until("damaged frames between whole ones", lambda: board.agent.metrics()["dropped"] >= before["dropped"] + 10)
    disturbed = [line for line in board.console[mark:].splitlines() if re.search("safe: |lost|lamp=low", line)]
    assert not disturbed

    # Nothing else: none is taken for a frame.
    usb.show(0, form, *damaged)
    board.wait_for(r"safe: no frame for \d+ ms", after=mark)
    why = r"whole frame: the JPEG is damaged: " if form == "MJPEG" else "frames"
    board.wait_for(rf"camera lost: it delivers no {why}", after=mark)
    before = board.agent.metrics()
    if form == "MJPEG" or handed_out:
        board.wait_until("damaged frames", lambda: board.agent.metrics()["dropped"] >= before["dropped"] + 10)
    after = board.mark()
    assert board.agent.metrics()["frames"] == before["frames"]
    usb.show(0, form, whole)
    board.wait_for(r"outputs: lamp=high", after=after)
    assert not any(word in board.console[mark:] for word in ("panicked", "preprocess"))
