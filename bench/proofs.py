"""How long an inclusion proof takes in a large log, from the stored tiles.

    python bench/proofs.py --entries 10000000

The tiles of a tree of that size are stored as the server stores them; its leaves are random
hashes, for a proof never looks at an entry.  `cold` opens a store for each proof, `warm` asks
one that is open, as a server does.  Every proof is verified against the root, outside the time
that is shown.
"""

import argparse
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from counterfoil.stores.sqlite import SqliteLogStore
from counterfoil.tlog.proof import inclusion_path, verify_inclusion
from counterfoil.tlog.tile import TILE_WIDTH, hash_tile, node_from_tiles, root_from_tiles
from counterfoil.tlog.tree import EMPTY_ROOT, HASH_SIZE, TreeHead

PROJECT = "default"
MUST_MS = 5.0
TILES_AT_ONCE = 500


def fill(path: Path, size: int) -> TreeHead:
    """Store the tiles of a tree of `size` random leaves; return its head."""
    store = SqliteLogStore(path, create=True)
    store.create_log(PROJECT, "bench.invalid/proofs")

    def leaves() -> Iterator[bytes]:
        for first in range(0, size, TILE_WIDTH):
            yield os.urandom(min(TILE_WIDTH, size - first) * HASH_SIZE)

    level, tiles = 0, leaves()
    while True:
        above = bytearray()
        waiting: dict[tuple[int, int], bytes] = {}
        for n, tile in enumerate(tiles):
            waiting[level, n] = tile
            if len(tile) == TILE_WIDTH * HASH_SIZE:
                above += hash_tile(tile)
            if len(waiting) >= TILES_AT_ONCE:
                _put(store, waiting)
        _put(store, waiting)
        if not above:
            break
        level, tiles = level + 1, _cut(bytes(above))
    head = TreeHead(size, root_from_tiles(size, lambda row, n: store.tile(PROJECT, row, n)))
    with store.write() as writing:
        writing.advance(PROJECT, TreeHead(0, EMPTY_ROOT), head)
    store.close()
    return head


def _put(store: SqliteLogStore, waiting: dict[tuple[int, int], bytes]) -> None:
    with store.write() as writing:
        writing.put_tiles(PROJECT, waiting)
    waiting.clear()


def _cut(hashes: bytes) -> Iterator[bytes]:
    width = TILE_WIDTH * HASH_SIZE
    return (hashes[start : start + width] for start in range(0, len(hashes), width))


def measure(
    head: TreeHead, indices: list[int], prove: Callable[[int], list[bytes]], path: Path
) -> None:
    """Time `prove` for each index, check what it returns, print one row."""
    reading = SqliteLogStore(path, write=False)
    times = []
    for index in indices:
        began = time.perf_counter()
        proof = prove(index)
        times.append((time.perf_counter() - began) * 1_000)
        tile = reading.tile(PROJECT, 0, index // TILE_WIDTH)
        leaf = tile[index % TILE_WIDTH * HASH_SIZE :][:HASH_SIZE]
        verify_inclusion(leaf, index, proof, head)
    reading.close()
    times.sort()
    p50, p99 = times[len(times) // 2], times[len(times) * 99 // 100]
    name = prove.__name__
    print(f"{name:<8} {p50:>8.3f} {p99:>8.3f} {times[-1]:>8.3f}   must: p99 <= {MUST_MS:.0f} ms")


def main() -> None:
    """Fill, prove, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--proofs", type=int, default=2_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "ledger.db"
        head = fill(path, options.entries)
        chance = random.Random(7)  # noqa: S311  the same places each time
        indices = [chance.randrange(options.entries) for _ in range(options.proofs)]
        kept = SqliteLogStore(path, write=False)

        def proof(store: SqliteLogStore, index: int) -> list[bytes]:
            node = node_from_tiles(lambda level, n: store.tile(PROJECT, level, n))
            return list(inclusion_path(index, head.size, node))

        def cold(index: int) -> list[bytes]:
            store = SqliteLogStore(path, write=False)
            found = proof(store, index)
            store.close()
            return found

        def warm(index: int) -> list[bytes]:
            return proof(kept, index)

        print(f"{head.size:,} entries, {path.stat().st_size / 2**20:,.0f} MiB of tiles")
        print(f"{'ms':<8} {'p50':>8} {'p99':>8} {'worst':>8}")
        measure(head, indices, cold, path)
        measure(head, indices, warm, path)
        kept.close()


if __name__ == "__main__":
    main()
