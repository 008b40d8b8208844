"""Cameras of every kind that vivid can be: formats, queues, colour, controls, names, and what goes wrong with them.

Beside the camera of the other tests vivid has two with the single-planar queue and two with the multi-planar one.
All are called "vivid".
"""

from __future__ import annotations

import json
import re

import bars
import pytest

from board import Board

SINGLE = ("platform:vivid-001", "platform:vivid-002")
MULTI = ("platform:vivid-003", "platform:vivid-004")
# Two at a time: four cameras are the most an appliance has.
FORMATS = [("YUYV", "UYVY"), ("NV12", "NV21"), ("YU12", "GREY"), ("RGB24", "BGR24")]
# What the multi-planar cameras are told to say of their colours, and what is made of it; by the pair of formats.
COLOURS = [
    ({"colorspace": "Rec. 709"}, "BT.709 limited range"),
    ({"y_cbcr_encoding": "Rec. 709", "quantization": "Full Range"}, "BT.709 full range"),
    ({"y_cbcr_encoding": "ITU-R 601", "quantization": "Full Range"}, "BT.601 full range"),
    ({}, ""),
]
PLAIN = {
    "colorspace": "sRGB",
    "y_cbcr_encoding": "Default",
    "quantization": "Default",
    "osd_text_mode": "None",
    "test_pattern": "75% Colorbar",
}

HEAD = """
[deadline]
frame_to_action_ms = 10000
"""


def probe(board: Board) -> dict[str, dict]:
    """What `edgeai probe` says of the cameras, by bus."""
    answer = board.agent.execute("/usr/bin/edgeai", "probe", "--json")
    assert answer["code"] == 0, answer
    return {camera["bus"]: camera for camera in json.loads(answer["stdout"])["cameras"]}


def controls(camera: dict, wanted: dict[str, int | str]) -> str:
    """`camera.controls`; items of menus by their names, whose numbers differ between kernels."""
    known = {control["name"]: control for control in camera["controls"]}
    numbers = {
        name: value if isinstance(value, int) else next(number for number, item in known[name]["items"] if item == value)
        for name, value in wanted.items()
    }
    return "{ " + ", ".join(f"{name} = {number}" for name, number in numbers.items()) + " }"


def eye(name: str, device: str, form: str, settings: str, *, mirrored: bool = False, more: str = "") -> str:
    """A camera, a model that looks through it, and a rule that is active while it sees the bars."""
    return f"""
[[camera]]
name = "{name}"
device = "{device}"
format = "{form}"
size = [320, 180]
fps = 5
controls = {settings}
{more}

[[model]]
name = "{name}"
camera = "{name}"
file = "bars"
threads = 1

[[rule]]
name = "{name}"
when = {bars.condition(name, grey=form == "GREY", mirrored=mirrored)}
then = {{ log = "{name} sees the bars" }}
"""


def test_probe_lists_every_camera_with_formats_rates_and_controls(appliance):
    cameras = probe(appliance)
    known = {form for pair in FORMATS for form in pair}
    for bus in (*SINGLE, *MULTI):
        camera = cameras[bus]
        assert (camera["card"], camera["driver"]) == ("vivid", "vivid")
        # A format that vivid learns has to be tested below.
        assert {form["name"] for form in camera["formats"] if "name" in form} == known
        rates = next(
            size["rates"] for form in camera["formats"] if form["fourcc"] == "NV12" for size in form["sizes"] if size["size"] == "320x180"
        )
        assert {"5", "30"} <= set(rates)
        dropping = next(c for c in camera["controls"] if c["name"] == "percentage_of_dropped_buffers")
        assert (dropping["kind"], dropping["min"], dropping["max"], dropping["value"]) == ("integer", 0, 100, 0)
    assert all({"NM12", "NM21", "YM12"} <= {form["fourcc"] for form in cameras[bus]["formats"]} for bus in MULTI)
    assert not any("NM12" in {form["fourcc"] for form in cameras[bus]["formats"]} for bus in SINGLE)


@pytest.mark.parametrize("pair", range(len(FORMATS)), ids=["-".join(pair) for pair in FORMATS])
def test_every_format_on_both_queues_shows_the_same_colours_in_the_same_places(gallery, pair):
    """Named by bus; the multi-planar ones mirrored, and in other colours, by their controls."""
    cameras = probe(gallery)
    colours, told = COLOURS[pair]
    description = HEAD
    plain = {"horizontal_flip": 0, "percentage_of_dropped_buffers": 0, **PLAIN}
    names = {}
    for number, form in enumerate(FORMATS[pair]):
        for kind, bus, other in (("single", SINGLE[number], {}), ("multi", MULTI[number], {"horizontal_flip": 1, **colours})):
            name = names[bus] = f"{kind}-{form.lower()}"
            settings = controls(cameras[bus], plain | other)
            description += eye(name, f"bus:{bus}", form, settings, mirrored=kind == "multi")
    mark = gallery.configure(description)
    for form in FORMATS[pair]:
        fourcc = {"RGB24": "RGB3", "BGR24": "BGR3"}.get(form, form)
        for kind, colour in (("single", "BT.601 limited range" if told else ""), ("multi", told)):
            if form == "GREY":
                colour = "full range"
            taken = rf"asked {form} 320x180@5, offered .*, taken {fourcc} 320x180@5\.00 ?{colour}$"
            gallery.wait_for(rf"camera {kind}-{form.lower()}: {taken}", after=mark)
    for name in names.values():
        gallery.wait_for(rf"rule {name}: active", after=mark)
    for bus in MULTI:
        mirror = gallery.agent.ask("control-get", path=cameras[bus]["path"], name="Horizontal Flip")
        assert mirror["value"] == 1
    gallery.wait_until("frames of every camera", lambda: all(m["frames"] > 2 for m in gallery.agent.metrics()["models"].values()))


@pytest.mark.parametrize("formats", [{"NV12": "NM12", "NV21": "NM21"}, {"YU12": "YM12"}], ids=["NM12-NM21", "YM12"])
def test_planes_in_buffers_of_their_own_show_the_same(gallery, formats):
    cameras = probe(gallery)
    plain = {"horizontal_flip": 0, "percentage_of_dropped_buffers": 0, **PLAIN}
    description = HEAD
    for bus, form in zip(MULTI, formats, strict=False):
        description += eye(form.lower(), f"bus:{bus}", form, controls(cameras[bus], plain), more='planes = "separate"')
    mark = gallery.configure(description)
    for form, code in formats.items():
        taken = rf"asked {form} in separate planes 320x180@5, offered .*, taken {code} 320x180@5\.00"
        # The only camera is not named.
        gallery.wait_for(rf"camera( {form.lower()})?: {taken}", after=mark)
        gallery.wait_for(rf"rule {form.lower()}: active", after=mark)


def test_a_camera_that_is_not_meant_or_has_no_such_control_is_refused_in_clear_words(gallery):
    wrong = {
        "ambiguous": ("card:vivid", "{}", r"card:vivid fits several cameras: .*platform:vivid-001.*; name one by bus:"),
        "unknown": ("bus:usb-1", "{}", r"no camera bus:usb-1; there is .*platform:vivid-004"),
        "misspelt": (f"bus:{SINGLE[0]}", "{ brigthness = 1 }", r"no control brigthness; it has .*brightness"),
        "out-of-range": (f"bus:{MULTI[0]}", "{ percentage_of_dropped_buffers = 101 }", r"percentage_of_dropped_buffers.*101.*0 to 100"),
    }
    eyes = [eye(name, device, "YUYV", settings) for name, (device, settings, _) in wrong.items()]
    mark = gallery.configure(HEAD + "".join(eyes))
    for _, _, words in wrong.values():
        gallery.wait_for(rf"safe: camera missing: .*{words}", after=mark)
    # The file may still be the process's before.
    gallery.wait_until("no frame is counted", lambda: gallery.agent.metrics()["frames"] == 0)


@pytest.fixture(scope="module")
def pair(gallery) -> Board:
    """Two cameras, one of which loses half of its frames; a lamp while the other sees the bars."""
    cameras = probe(gallery)
    description = HEAD + '[[output]]\nname = "lamp"\nline = "lamp"\nsafe = "low"\n'
    for name, bus, lost in (("whole", SINGLE[0], 0), ("lossy", SINGLE[1], 50)):
        settings = controls(cameras[bus], {"horizontal_flip": 0, **PLAIN, "percentage_of_dropped_buffers": lost})
        description += eye(name, f"bus:{bus}", "NV12", settings)
    description = description.replace('log = "whole sees', 'output = "lamp", level = "high", log = "whole sees')
    mark = gallery.configure(description)
    gallery.wait_for(r"first decision", after=mark)
    gallery.agent.wait_level("lamp", 1)
    return gallery


def test_frames_that_the_camera_loses_are_counted(pair):
    def lost(model: str) -> float:
        counts = pair.agent.metrics()["models"][model]
        return counts["dropped"] / (counts["frames"] + counts["dropped"])

    # Half of 60 with a chance of 1 in 10,000 below 15; the same machine gives the other camera's share.
    pair.wait_until("60 frames", lambda: all(m["frames"] + m["dropped"] >= 60 for m in pair.agent.metrics()["models"].values()))
    assert lost("lossy") > 0.25
    assert lost("whole") < lost("lossy")


def test_frames_that_the_driver_marks_as_damaged_are_counted_and_end_nothing(pair):
    camera = probe(pair)[SINGLE[0]]["path"]
    mark = pair.mark()

    def counts() -> dict:
        return pair.agent.metrics()["models"]["whole"]

    before = counts()
    for _ in range(3):
        frames = counts()["frames"]
        pair.agent.ask("control-set", path=camera, name="Inject V4L2_BUF_FLAG_ERROR", value=1)
        # One at a time: a second mark before the next frame would be the same.
        pair.wait_until("the next frame", lambda frames=frames: counts()["frames"] > frames)
    assert counts()["dropped"] >= before["dropped"] + 3
    disturbed = [line for line in pair.console[mark:].splitlines() if re.search("safe: |lost|lamp=low", line)]
    assert not disturbed


@pytest.mark.parametrize(
    ("button", "words"),
    [("Disconnect", "the device is gone"), ("Inject Fatal Streaming Error", "the driver reports an error")],
    ids=["unplugged", "streaming error"],
)
def test_a_camera_that_fails_makes_safe_and_comes_back(pair, button, words):
    """vivid's own faults; a disconnected device is there again once nobody has it open."""
    camera = probe(pair)[SINGLE[0]]["path"]
    mark = pair.mark()
    pair.agent.ask("control-set", path=camera, name=button, value=1)
    pair.wait_for(rf"camera lost: .*{words}", after=mark)
    safe = pair.wait_for(rf"safe: camera lost: .*{words}", after=mark).end()
    pair.wait_for(r"outputs: lamp=low", after=mark)
    pair.wait_for(r"outputs: lamp=high", after=safe)
    pair.agent.wait_level("lamp", 1)


def test_a_stream_that_does_not_start_is_tried_again(pair):
    camera = probe(pair)[SINGLE[0]]["path"]
    mark = pair.mark()
    for button in ("Inject VIDIOC_STREAMON Error", "Disconnect"):
        pair.agent.ask("control-set", path=camera, name=button, value=1)
    safe = pair.wait_for(r"safe: camera missing: .*streaming: ", after=mark).end()
    pair.wait_for(r"outputs: lamp=high", after=safe)
    pair.agent.wait_level("lamp", 1)
