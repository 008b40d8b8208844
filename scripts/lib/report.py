"""What the builder says and how it fails."""

from __future__ import annotations

import sys
import time

START = time.monotonic()


class BuildError(Exception):
    """A failure the user can act on; its text is the whole message."""


def say(text: str) -> None:
    """One line of progress with the time since start."""
    print(f"[{elapsed():6.1f} s] {text}", flush=True)


def fail(error: BuildError) -> int:
    print(f"error: {error}", file=sys.stderr, flush=True)
    return 1


def elapsed() -> float:
    """Seconds since the program started."""
    return time.monotonic() - START
