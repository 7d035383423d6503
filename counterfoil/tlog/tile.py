"""Tiles: the tree cut into files of up to 256 hashes, their names, and what follows from them.

A tile of level l holds, from left to right, the roots of perfect subtrees of 256**l leaves; a
full one has 256 of them and its own root is one hash of the level above.  A partial tile is a
byte prefix of every wider one, so a reader may be given a wider tile than it asked for.

Binary levels count single steps up the tree, tile levels count eight of them.

Source: C2SP tlog-tiles, "Merkle Tree".  Vectors: tests/vectors/transparency-dev-tessera.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from counterfoil.errors import EvidenceError
from counterfoil.tlog.proof import Node
from counterfoil.tlog.strict import MAX_SIZE
from counterfoil.tlog.tree import EMPTY_ROOT, HASH_SIZE, fold_right, node_hash

TILE_WIDTH = 256
TILE_HEIGHT = 8
MAX_LEVEL = 63
ENTRIES_LEVEL = -1

# read_tile(level, n): the bytes of tile number n of that tile level, at least as wide as the
# tree in question makes it.
ReadTile = Callable[[int, int], bytes]

_PATH = re.compile(
    r"tile/(entries|[0-9]{1,2})/((?:x[0-9]{3}/){0,6}[0-9]{3})(?:\.p/([0-9]{1,3}))?", re.ASCII
)


@dataclass(frozen=True, slots=True)
class Tile:
    """Which tile a path names.

    Args:
        level: tile level from 0, or `ENTRIES_LEVEL` for a bundle of entries.
        n: number within the level, from 0.
        width: 1 to 256 hashes or entries; 256 is a full tile.
    """

    level: int
    n: int
    width: int


def tile_path(level: int, n: int, width: int = TILE_WIDTH) -> str:
    """Return the path of a tile below a log's prefix.

    >>> tile_path(0, 1234067), tile_path(2, 0, width=5)
    ('tile/0/x001/x234/067', 'tile/2/000.p/5')
    """
    assert 0 <= level <= MAX_LEVEL, f"tile level {level}"
    return f"tile/{level}/{_number(n, width)}"


def entries_path(n: int, width: int = TILE_WIDTH) -> str:
    """Return the path of an entry bundle below a log's prefix.

    >>> entries_path(18)
    'tile/entries/018'
    """
    return f"tile/entries/{_number(n, width)}"


def parse_path(path: str) -> Tile:
    """Read what `tile_path` and `entries_path` write, and nothing else.

    Raises:
        EvidenceError: `tile`, for leading zeros, `.p/256`, levels over 63 and everything that is
            no path of a tile.
    """
    match = _PATH.fullmatch(path)
    if match is not None:
        level = ENTRIES_LEVEL if match[1] == "entries" else int(match[1])
        tile = Tile(level, int(re.sub("[x/]", "", match[2])), int(match[3] or TILE_WIDTH))
        within = level <= MAX_LEVEL and tile.n <= MAX_SIZE and 1 <= tile.width <= TILE_WIDTH
        if within and _path(tile) == path:
            return tile
    raise EvidenceError("tile", f"{path[:96]!a} is not the path of a tile or entry bundle")


def tiles_of(size: int) -> Iterator[tuple[int, int, int]]:
    """Yield (level, n, width) of every tile of a tree, the partial right edge included.

    Order: level by level from the leaves, left to right.
    """
    return _grown(0, size)


def changed_tiles(old_size: int, size: int) -> list[tuple[int, int, int]]:
    """Return (level, n, width) of the tiles a tree of `size` has and one of `old_size` has not.

    Those are the tiles to write when a log grows; what an earlier partial tile holds is the
    beginning of the wider one.

    >>> changed_tiles(255, 257)
    [(0, 0, 256), (0, 1, 1), (1, 0, 1)]
    """
    assert 0 <= old_size <= size, f"a log does not shrink from {old_size} to {size}"
    return list(_grown(old_size, size))


def hash_tile(hashes: bytes) -> bytes:
    """Return the root over the hashes of one full or partial tile.

    Args:
        hashes: 1 to 256 concatenated 32-byte hashes.

    Raises:
        EvidenceError: `tile`, for any other length.

    Cost: one node hash less than there are hashes.
    """
    return fold_right(_perfect(split_tile(hashes)))


def _perfect(row: list[bytes]) -> list[bytes]:
    """Return the perfect subtrees over a row of nodes, largest first; the row is used up."""
    found = []
    while row:
        if len(row) & 1:
            found.append(row.pop())
        row = [node_hash(row[at], row[at + 1]) for at in range(0, len(row), 2)]
    return found[::-1]


def split_tile(hashes: bytes) -> list[bytes]:
    """Cut the bytes of a tile into its 1 to 256 hashes; EvidenceError `tile` otherwise."""
    width, rest = divmod(len(hashes), HASH_SIZE)
    if rest or not 1 <= width <= TILE_WIDTH:
        raise EvidenceError("tile", f"a tile of {len(hashes)} bytes is not 1 to 256 hashes")
    return [hashes[at : at + HASH_SIZE] for at in range(0, len(hashes), HASH_SIZE)]


def node_from_tiles(read_tile: ReadTile) -> Node:
    """Return the node function of a log's tiles, for the proofs of `proof.py`.

    The function remembers every tile it has read, with the nodes over it: make one for one tree
    size and one batch of proofs, and let it go.

    Args:
        read_tile: gives a tile's bytes; called once per tile.

    Returns:
        node(level, n): the hash of perfect subtree number n over 2**level leaves, level binary
        and from 0.  It raises EvidenceError `tile` when a tile is too short or misshapen.
    """
    return _TileNodes(read_tile)


class _TileNodes:
    """The function of `node_from_tiles`: no closure, so that it goes as soon as it is let go.

    One that calls itself would be a cycle, which waits for the collector with all it remembers.
    """

    __slots__ = ("_read_tile", "_rows")

    def __init__(self, read_tile: ReadTile) -> None:
        self._read_tile = read_tile
        self._rows: dict[tuple[int, int], list[list[bytes]]] = {}

    def __call__(self, level: int, n: int) -> bytes:
        tile_level, height = divmod(level, TILE_HEIGHT)
        number, position = divmod(n, TILE_WIDTH >> height)
        rows = self._rows.get((tile_level, number))
        if rows is None:
            rows = [split_tile(self._read_tile(tile_level, number))]
            self._rows[tile_level, number] = rows
        while len(rows) <= height:
            row = rows[-1]
            rows.append([node_hash(row[at], row[at + 1]) for at in range(0, len(row) - 1, 2)])
        if position >= len(rows[height]):
            raise _too_short(tile_level, number, len(rows[0]), (position + 1) << height)
        return rows[height][position]


def _too_short(level: int, n: int, width: int, needed: int) -> EvidenceError:
    return EvidenceError("tile", f"{tile_path(level, n)} has {width} hashes, {needed} needed")


def root_from_tiles(size: int, read_tile: ReadTile) -> bytes:
    """Return the root of the tree of `size` leaves as its tiles have it.

    This is the second way to a root, beside `tree.Frontier`: it starts from what is stored.  It
    reads the right edge only; `check_full_tiles` ties the rest of the tiles to it.

    Raises:
        EvidenceError: `tile`, when a tile on the right edge is too short or misshapen.

    Cost: one tile per tile level, at most 255 hashes each.
    """
    right: list[bytes] = []
    level = 0
    while size:
        n, width = divmod(size, TILE_WIDTH)
        if width:
            row = split_tile(read_tile(level, n))[:width]
            if len(row) < width:
                raise _too_short(level, n, len(row), width)
            # Of the lower levels there is one hash by now, and it is right of all these.
            right = [fold_right([*_perfect(row), *right])]
        size, level = n, level + 1
    return right[0] if right else EMPTY_ROOT


def check_full_tiles(old_size: int, size: int, read_tile: ReadTile) -> None:
    """Check that every tile filled between two sizes hashes to its place in the level above.

    With `old_size` 0 and a right `root_from_tiles` every hash of every tile is bound to the root.

    Raises:
        EvidenceError: `tile`, with facts `level` and `n` of the tile that does not match.

    Cost: about one node hash per leaf between the sizes.
    """
    for level, n, width in changed_tiles(old_size, size):
        if width < TILE_WIDTH:
            continue
        parents = split_tile(read_tile(level + 1, n // TILE_WIDTH))
        position = n % TILE_WIDTH
        hashes = read_tile(level, n)[: TILE_WIDTH * HASH_SIZE]
        if position >= len(parents) or hash_tile(hashes) != parents[position]:
            raise EvidenceError(
                "tile",
                f"{tile_path(level, n)} does not hash to its place in the level above",
                level=level,
                n=n,
            )


def _grown(old_size: int, size: int) -> Iterator[tuple[int, int, int]]:
    level = 0
    while size:
        if size > old_size:
            for n in range(old_size // TILE_WIDTH, -(-size // TILE_WIDTH)):
                yield level, n, min(TILE_WIDTH, size - n * TILE_WIDTH)
        level, old_size, size = level + 1, old_size // TILE_WIDTH, size // TILE_WIDTH


def _path(tile: Tile) -> str:
    if tile.level == ENTRIES_LEVEL:
        return entries_path(tile.n, tile.width)
    return tile_path(tile.level, tile.n, tile.width)


def _number(n: int, width: int) -> str:
    assert 0 <= n <= MAX_SIZE, f"tile number {n}"
    assert 1 <= width <= TILE_WIDTH, f"tile width {width}"
    groups = [f"{n % 1000:03}"]
    while n := n // 1000:
        groups.append(f"x{n % 1000:03}")
    partial = f".p/{width}" if width < TILE_WIDTH else ""
    return "/".join(reversed(groups)) + partial
