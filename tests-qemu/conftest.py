"""Fixtures: the images under test, boards that run them, photographs, and the report."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
import bars

import photographs
from board import Board

REPOSITORY = Path(__file__).resolve().parent.parent


def required(variable: str) -> str:
    if variable not in os.environ:
        pytest.exit(f"{variable} is not set: run the tests through scripts/test", returncode=2)
    return os.environ[variable]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """A failure shows what the boards of the test have said."""
    report = yield
    if report.failed:
        boards = {id(board): board for value in getattr(item, "funcargs", {}).values() if (board := getattr(value, "board", value))}
        report.sections += [("board", board.tail()) for board in boards.values() if isinstance(board, Board)]
    return report


@pytest.fixture(scope="session")
def build() -> Path:
    """The folder with the images and what was written beside them."""
    return Path(required("EDGEAI_BUILD"))


@pytest.fixture(scope="session")
def machine() -> dict:
    """How the machine is emulated (scripts/test passes what scripts/machines says)."""
    return json.loads(required("EDGEAI_MACHINE"))


@pytest.fixture(scope="session")
def product_image(build: Path, machine: dict) -> Path:
    return build / f"edgeai-{machine['name']}.img"


@pytest.fixture(scope="session")
def test_image(build: Path, machine: dict) -> Path:
    return build / f"edgeai-{machine['name']}-test.img"


@pytest.fixture(scope="session")
def photograph() -> Callable[[str], bytes]:
    """Name → the photograph as a 640×480 YUYV frame."""
    wheels = Path(required("EDGEAI_WHEELS"))
    cache: dict[str, bytes] = {}

    def frame(name: str) -> bytes:
        if name not in cache:
            cache[name] = photographs.yuyv(photographs.file_bytes(wheels, name)[1], 640, 480)
        return cache[name]

    return frame


@pytest.fixture(scope="session")
def photograph_file() -> Callable[[str], tuple[str, bytes]]:
    """Name → the photograph's own file name and bytes."""
    return lambda name: photographs.file_bytes(Path(required("EDGEAI_WHEELS")), name)


@pytest.fixture
def new_board(request: pytest.FixtureRequest, machine: dict, build: Path) -> Iterator[Callable[..., Board]]:
    """Makes boards that end with the test; their consoles are kept in build/<machine>/console."""
    boards: list[Board] = []

    def make(image: Path, **options: object) -> Board:
        boards.append(Board(machine, image, build / "u-boot.bin", **options))
        return boards[-1]

    yield make
    for number, board in enumerate(boards):
        board.close(build / "console" / f"{request.node.name}-{number}.log")


@pytest.fixture(scope="session")
def appliance(machine: dict, build: Path, test_image: Path, photograph: Callable[[str], bytes]) -> Iterator[Board]:
    """A test appliance that runs through the whole session, healthy, looking at `china` at first."""
    board = Board(machine, test_image, build / "u-boot.bin", disk_mib=512)
    try:
        board.start(photograph("china"))
        board.wait_for(r"first decision \d+ ms after start")
        yield board
    finally:
        board.close(build / "console" / "appliance.log")


@pytest.fixture(scope="module")
def gallery(appliance) -> Iterator[Board]:
    """The session's appliance with the model that sees bars; afterwards it runs on the image's description again."""
    for name, content in bars.directory().items():
        appliance.agent.write(f"/data/edgeai/models/bars/{name}", content)
    yield appliance
    mark = appliance.configure(None)
    appliance.wait_for(r"first decision", after=mark)


@pytest.fixture(scope="session")
def figures() -> Iterator[dict]:
    """What the tests measured; scripts/test merges it into build/report.json."""
    measured: dict = {}
    yield measured
    Path(required("EDGEAI_FIGURES")).write_text(json.dumps(measured, indent=1))
