"""A running ledger for each test, checked whole once more at its end."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ledger_place import Place


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """Return a started ledger in an empty directory; it is re-verified when the test ends."""
    place = Place(tmp_path / "ledger").create()
    yield place
    place.stop()
    place.check()
