"""The right edge of a log in memory: enough to append without reading the tree back.

It computes the root by frontier arithmetic and, from the same leaf hashes, the tiles to store.
The two meet again in the self-check, which recomputes the root from the stored tiles alone.
Values are never changed in place: a failed transaction leaves the edge it started from.

Source: C2SP tlog-tiles; RFC 6962 section 2.1.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from counterfoil.tlog.tile import TILE_WIDTH, hash_tile
from counterfoil.tlog.tree import HASH_SIZE, Frontier, TreeHead

TILE_BYTES = TILE_WIDTH * HASH_SIZE


@dataclass(frozen=True, slots=True)
class RightEdge:
    """Where a tree ends.

    Args:
        head: size and root.
        frontier: the perfect subtrees the tree is made of; never changed once it is here.
        partials: by level, the hashes of the last tile if it is not full, else no bytes.
    """

    head: TreeHead
    frontier: Frontier
    partials: tuple[bytes, ...]

    def grow(self, leaves: Sequence[bytes]) -> tuple["RightEdge", dict[tuple[int, int], bytes]]:
        """Return the edge after appending leaf hashes, and the tiles that changed.

        Tiles are keyed by (level, n) and hold all their hashes, the old ones too.  A partial
        tile is never hashed into the level above.

        Cost: about one node hash a leaf for the root and one for the tiles.
        """
        frontier = self.frontier.copy()
        frontier.extend(leaves)
        size = self.head.size
        tiles: dict[tuple[int, int], bytes] = {}
        partials: list[bytes] = []
        hashes = b"".join(leaves)
        level = 0
        while hashes or level < len(self.partials):
            held = self.partials[level] if level < len(self.partials) else b""
            first = (size >> (8 * level)) // TILE_WIDTH
            data = held + hashes
            whole = len(data) // TILE_BYTES
            cut = [data[i * TILE_BYTES : (i + 1) * TILE_BYTES] for i in range(whole)]
            rest = data[whole * TILE_BYTES :]
            if hashes:
                tiles.update({(level, first + i): tile for i, tile in enumerate(cut)})
                if rest:
                    tiles[level, first + whole] = rest
            partials.append(rest)
            hashes = b"".join(hash_tile(tile) for tile in cut)
            level += 1
        head = TreeHead(frontier.size, frontier.root())
        return RightEdge(head, frontier, tuple(partials)), tiles
