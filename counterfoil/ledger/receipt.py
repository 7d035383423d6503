"""Receipts: C2SP tlog-proofs built from stored tiles, verified before they leave.

Source: C2SP tlog-proof; RFC 9162 section 2.1.3.
"""

from counterfoil.errors import EvidenceError
from counterfoil.tlog.proof import Node, inclusion_path, verify_inclusion
from counterfoil.tlog.receipt import Receipt, write_receipt
from counterfoil.tlog.tile import TILE_HEIGHT, TILE_WIDTH, ReadTile
from counterfoil.tlog.tree import HASH_SIZE, TreeHead, leaf_hash, node_hash

NODES_KEPT = 32_768


class Nodes:
    """Hashes of perfect subtrees, read from tiles and remembered from batch to batch.

    The hash of a perfect subtree never changes while the tree grows, so what is remembered
    under one head holds under every later one; `tile.node_from_tiles` remembers tiles, which do
    change.  One thread uses an instance at a time.

    Args:
        read_tile: gives a tile by (level, n), at least as wide as the head in use makes it.
    """

    def __init__(self, read_tile: ReadTile) -> None:
        self._read_tile = read_tile
        self._known: dict[tuple[int, int], bytes] = {}

    def __call__(self, level: int, n: int) -> bytes:
        """Return the hash of perfect subtree number `n` over 2**level leaves.

        Cost: nothing if remembered, else at most 255 node hashes and one tile.
        """
        key = (level, n)
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = self._compute(level, n)
        return known

    def trim(self) -> None:
        """Forget everything once it is more than a log's right edge needs."""
        if len(self._known) > NODES_KEPT:
            self._known.clear()

    def _compute(self, level: int, n: int) -> bytes:
        if level % TILE_HEIGHT:
            return node_hash(self(level - 1, 2 * n), self(level - 1, 2 * n + 1))
        tile_n, at = divmod(n, TILE_WIDTH)
        tile = self._read_tile(level // TILE_HEIGHT, tile_n)
        hashes = [tile[i : i + HASH_SIZE] for i in range(0, len(tile), HASH_SIZE)]
        if at >= len(hashes):
            raise EvidenceError(
                "tile", f"tile {tile_n} of level {level // TILE_HEIGHT} ends before hash {at}"
            )
        self._known.update({(level, tile_n * TILE_WIDTH + i): one for i, one in enumerate(hashes)})
        return hashes[at]


def build_receipt(index: int, entry: bytes, head: TreeHead, checkpoint: bytes, node: Node) -> bytes:
    """Return the receipt of entry `index` under a signed head.

    Args:
        index: from 0, below head.size.
        entry: its bytes; they become the receipt's `extra` line.
        head: what `checkpoint` commits to.
        checkpoint: the signed note.
        node: gives the hashes of that tree's perfect subtrees.

    Raises:
        EvidenceError: `proof`: the stored tiles do not lead from this entry to the root.  A
            receipt that an outsider would refuse is never handed out.
    """
    path = inclusion_path(index, head.size, node)
    verify_inclusion(leaf_hash(entry), index, path, head)
    return write_receipt(Receipt(index, entry, tuple(path), checkpoint))
