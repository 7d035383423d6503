"""A complete log written by Tessera, sizes 0 to 15: checkpoints, partial tiles, entry bundles."""

from pathlib import Path

import pytest

from counterfoil.tlog.checkpoint import verify_checkpoint
from counterfoil.tlog.entries import read_bundle, write_bundle
from counterfoil.tlog.keys import parse_vkey
from counterfoil.tlog.policy import Policy
from counterfoil.tlog.proof import (
    consistency_path,
    inclusion_path,
    verify_consistency,
    verify_inclusion,
)
from counterfoil.tlog.tile import (
    ENTRIES_LEVEL,
    entries_path,
    node_from_tiles,
    parse_path,
    root_from_tiles,
    tile_path,
    tiles_of,
)
from counterfoil.tlog.tree import Frontier, TreeHead, leaf_hash

LOG = Path(__file__).parents[1] / "vectors/transparency-dev-tessera/testdata/log"
KEY = parse_vkey("example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx")
SIZES = range(16)


def head(size: int) -> TreeHead:
    checkpoint = verify_checkpoint((LOG / f"checkpoint.{size}").read_bytes(), [KEY])
    assert checkpoint.origin == "example.com/log/testdata"
    assert checkpoint.extensions == ()
    return checkpoint.head


@pytest.mark.parametrize("size", SIZES)
def test_every_checkpoint_is_signed_and_says_its_size(size: int) -> None:
    assert head(size).size == size
    note = (LOG / f"checkpoint.{size}").read_bytes()
    assert Policy.for_vkey(KEY).verify_checkpoint(note).head == head(size)


def test_the_latest_checkpoint_is_the_one_of_15() -> None:
    assert (LOG / "checkpoint").read_bytes() == (LOG / "checkpoint.15").read_bytes()


@pytest.mark.parametrize("size", SIZES[1:])
def test_bundle_tile_and_checkpoint_agree(size: int) -> None:
    bundle = (LOG / entries_path(0, size)).read_bytes()
    tile = (LOG / tile_path(0, 0, size)).read_bytes()
    entries = read_bundle(bundle)
    leaves = [leaf_hash(entry) for entry in entries]
    edge = Frontier()
    edge.extend(leaves)

    assert write_bundle(entries) == bundle
    assert b"".join(leaves) == tile
    assert edge.head() == head(size)
    assert root_from_tiles(size, lambda _level, _n: tile) == head(size).root


def test_every_file_of_the_log_is_a_tile_or_bundle_of_a_signed_size() -> None:
    named = {str(path.relative_to(LOG)) for path in LOG.glob("tile/**/*") if path.is_file()}
    expected = set()
    for size in SIZES:
        for level, n, width in tiles_of(size):
            expected |= {tile_path(level, n, width), entries_path(n, width)}

    assert named == expected
    assert {parse_path(name).level for name in named} == {0, ENTRIES_LEVEL}


def test_every_entry_and_every_prefix_is_proved_to_the_signed_head() -> None:
    tile = (LOG / tile_path(0, 0, 15)).read_bytes()
    node = node_from_tiles(lambda _level, _n: tile)
    entries = read_bundle((LOG / entries_path(0, 15)).read_bytes())
    for size in SIZES:
        for index in range(size):
            path = inclusion_path(index, size, node)
            verify_inclusion(leaf_hash(entries[index]), index, path, head(size))
        for old in range(size + 1):
            verify_consistency(head(old), head(size), consistency_path(old, size, node))
