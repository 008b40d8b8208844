#!/usr/bin/env python3
"""Camera to decision with GStreamer up to the model's input and ai-edge-litert behind an appsink.

The camera is `imagefreeze`: one frame in memory, handed on by reference and paced by the pipeline's clock.
GStreamer's threads: source, scaling and colours in one, the model in another; of frames that wait only the
newest is kept.
"""

import argparse

import gi
import numpy as np
from detector import Loop, add_arguments

gi.require_version("Gst", "1.0")
gi.require_version("GstApp", "1.0")
from gi.repository import Gst, GstApp  # noqa: E402, F401  (GstApp gives appsink its methods)

WAIT_NS = 100_000_000


def description(arguments, size):
    width, height = arguments.size
    layout = {"YUYV": "yuy2", "NV12": "nv12"}[arguments.format]
    colours = f"pixel-aspect-ratio=1/1,colorimetry=bt601,framerate={arguments.fps or 240}/1"
    live = "true" if arguments.fps else "false"
    drop = "true" if arguments.fps else "false"
    return (
        f"filesrc location={arguments.frame} blocksize={arguments.frame.stat().st_size} num-buffers=1"
        f" ! rawvideoparse format={layout} width={width} height={height} colorimetry=bt601"
        f" ! imagefreeze is-live={live} ! video/x-raw,{colours}"
        # Scaled before it is converted: a third of what videoconvertscale takes for the same.
        f" ! videoscale method=bilinear add-borders=false n-threads={arguments.threads}"
        f" ! video/x-raw,width={size[0]},height={size[1]},pixel-aspect-ratio=1/1"
        f" ! videoconvert n-threads={arguments.threads} ! video/x-raw,format=RGB"
        f" ! appsink name=sink sync=false max-buffers=1 drop={drop}"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_arguments(parser)
    arguments = parser.parse_args()
    Gst.init(None)
    loop = Loop(arguments)
    width, height = loop.detector.size
    pipeline = Gst.parse_launch(description(arguments, loop.detector.size))
    sink = pipeline.get_by_name("sink")
    pipeline.set_state(Gst.State.PLAYING)
    bus = pipeline.get_bus()
    while loop.running:
        sample = sink.try_pull_sample(WAIT_NS)
        if sample is None:
            if message := bus.pop_filtered(Gst.MessageType.ERROR):
                raise SystemExit(f"GStreamer: {message.parse_error()}")
            continue
        buffer = sample.get_buffer()
        # The pipeline's clock is CLOCK_MONOTONIC; without --fps frames have no time of capture.
        captured = (pipeline.get_base_time() + buffer.pts) / 1e9 if arguments.fps else None
        with buffer.map(Gst.MapFlags.READ) as memory:
            loop.frame(captured, np.frombuffer(memory.data, np.uint8).reshape(height, width, 3))
    pipeline.set_state(Gst.State.NULL)
    loop.report(".".join(map(str, Gst.version()[:3])))


if __name__ == "__main__":
    main()
