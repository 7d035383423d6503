"""A ledger directory for each test: real SQLite, real files, a stepped clock."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from counterfoil.app.founding import create_home
from counterfoil.app.home import Home, open_home
from counterfoil.clock import SteppedClock
from counterfoil.ids import SeededRandomness


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock("2026-11-20T14:03:22.000Z")


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    where = tmp_path / "foil"
    create_home(where, SeededRandomness("create"), origin="log.example/acme")
    return where


@pytest.fixture
def home(directory: Path, clock: SteppedClock) -> Iterator[Home]:
    with open_home(directory, clock, SeededRandomness("open")) as opened:
        yield opened
