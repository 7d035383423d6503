"""Roots and tiles by the definition of RFC 6962, remembered: histories hash the same trees again.

What is remembered is a pure function of the bytes, so remembering cannot hide a difference.
"""

from collections.abc import Sequence
from functools import lru_cache

from counterfoil.tlog.entries import read_bundle
from counterfoil.tlog.tile import TILE_WIDTH
from counterfoil.tlog.tree import EMPTY_ROOT, HASH_SIZE, leaf_hash, node_hash

remembered_leaf = lru_cache(maxsize=4_096)(leaf_hash)


class Leaves:
    """The leaf hashes of a log, side by side.

    Args:
        entries: their bytes, from index 0.
    """

    def __init__(self, entries: Sequence[bytes]) -> None:
        self.size = len(entries)
        self._hashes = b"".join([remembered_leaf(entry) for entry in entries])

    def root(self, size: int) -> bytes:
        """Return the root of the first `size` entries, which must be there."""
        return _root(self._hashes[: size * HASH_SIZE])

    def tile(self, level: int, n: int, width: int) -> bytes:
        """Return a tile: roots of subtrees of 256**level leaves each."""
        span = TILE_WIDTH**level * HASH_SIZE
        first = n * TILE_WIDTH
        if level == 0:
            return self._hashes[first * span : (first + width) * span]
        return b"".join(
            _root(self._hashes[at * span : (at + 1) * span]) for at in range(first, first + width)
        )


@lru_cache(maxsize=512)
def remembered_bundle(data: bytes) -> tuple[bytes, ...]:
    """Return the entries of a bundle.

    Raises:
        EvidenceError: `tile`.
    """
    return tuple(read_bundle(data))


@lru_cache(maxsize=16_384)
def _root(hashes: bytes) -> bytes:
    size = len(hashes) // HASH_SIZE
    if size == 0:
        return EMPTY_ROOT
    if size == 1:
        return hashes
    split = (1 << (size - 1).bit_length() - 1) * HASH_SIZE
    return node_hash(_root(hashes[:split]), _root(hashes[split:]))
