"""Paths of tiles and bundles: one spelling each."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from counterfoil.errors import EvidenceError
from counterfoil.tlog.tile import (
    ENTRIES_LEVEL,
    Tile,
    entries_path,
    parse_path,
    tile_path,
)


@pytest.mark.parametrize(
    ("tile", "path"),
    [
        (Tile(0, 0, 256), "tile/0/000"),
        (Tile(0, 0, 1), "tile/0/000.p/1"),
        (Tile(63, 999, 255), "tile/63/999.p/255"),
        (Tile(1, 1000, 256), "tile/1/x001/000"),
        (Tile(0, 1234067, 5), "tile/0/x001/x234/067.p/5"),
        (Tile(ENTRIES_LEVEL, 18, 256), "tile/entries/018"),
        (Tile(ENTRIES_LEVEL, 123456, 7), "tile/entries/x123/456.p/7"),
        (Tile(0, 2**63 - 1, 256), "tile/0/x009/x223/x372/x036/x854/x775/807"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_tile_has_this_path_and_the_path_names_this_tile(tile: Tile, path: str) -> None:
    level = tile.level
    written = (
        entries_path(tile.n, tile.width) if level < 0 else tile_path(level, tile.n, tile.width)
    )
    assert written == path
    assert parse_path(path) == tile


@pytest.mark.parametrize(
    "path",
    [
        "",
        "checkpoint",
        "tile/0/",
        "tile/0/0",
        "tile/0/00",
        "tile/0/0000",
        "tile/00/000",
        "tile/01/000",
        "tile/64/000",
        "tile/-1/000",
        "tile/0/x000/001",
        "tile/0/001/x000",
        "tile/0/001/002",
        "tile/0/x001",
        "tile/0/000.p/0",
        "tile/0/000.p/00",
        "tile/0/000.p/01",
        "tile/0/000.p/256",
        "tile/0/000.p/",
        "tile/0/000.p",
        "tile/0/000/",
        "tile/0/000\n",
        "/tile/0/000",
        "tile/0/../0/000",
        "tile/Entries/000",
        "tile/entries/000.p/256",
        "tile/٠/000",
        "tile/0/٠٠٠",
        "tile/0/x009/x223/x372/x036/x854/x775/808",
        "tile/0/x001/x000/x000/x000/x000/x000/x000/000",
    ],
    ids=ascii,
)
def test_another_spelling_names_no_tile(path: str) -> None:
    with pytest.raises(EvidenceError) as refusal:
        parse_path(path)
    assert refusal.value.code == "tile"


@settings(derandomize=True, deadline=None)
@given(st.integers(-1, 63), st.integers(0, 2**63 - 1), st.integers(1, 256))
def test_every_tile_is_read_back_from_its_path(level: int, n: int, width: int) -> None:
    path = entries_path(n, width) if level < 0 else tile_path(level, n, width)
    assert parse_path(path) == Tile(level, n, width)


@settings(derandomize=True, deadline=None, max_examples=500)
@given(st.from_regex(r"tile/(entries|[0-9]{1,3})/(x?[0-9]{2,3}/?){1,3}(\.p/[0-9]{0,3})?"))
def test_whatever_path_is_accepted_is_written_back_the_same(path: str) -> None:
    try:
        tile = parse_path(path)
    except EvidenceError as error:
        code = error.code
    else:
        code = "tile"
        level = tile.level
        assert path == (
            entries_path(tile.n, tile.width)
            if level == ENTRIES_LEVEL
            else tile_path(level, tile.n, tile.width)
        )
    assert code == "tile"
