"""Does a stored tree - entries and tiles - lead to the root it should?  If not, what is wrong?

One pass from left to right.  Every tile is recomputed from what lies below it and compared whole
with the stored one.  Where two disagree, the hash that the tile above holds tells which of them
is right; at the right edge, where nothing lies above, the root tells.  In the end the choices
are proved or refuted by the root itself, so a choice can be wrong but never a verdict.

Memory: one tile a level and one bundle, whatever the size.  Cost: one hash an entry and one a
node of the tree.  Source: C2SP tlog-tiles; RFC 6962 section 2.1.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from counterfoil.tlog.tile import TILE_WIDTH, hash_tile
from counterfoil.tlog.tree import EMPTY_ROOT, HASH_SIZE, fold_right, leaf_hash
from counterfoil.verifier.report import MAX_FINDINGS, Findings

Hashes = list[bytes | None]
Each = Callable[[int, Sequence[bytes | None]], None]
"""Called with the index of the first entry of a bundle and its entries; None where unreadable."""


class StoredTree(Protocol):
    """Where entries and tiles are read from.  It reports what it cannot read, by name."""

    def entries(self, n: int, width: int) -> Sequence[bytes | None]:
        """Return bundle `n`, exactly `width` entries, with None for those not to be had."""
        ...

    def tile(self, level: int, n: int, width: int) -> bytes | None:
        """Return a tile of exactly `width` hashes; None if it is not to be had."""
        ...

    def blame_entries(self, n: int, width: int, positions: Sequence[int], message: str) -> None:
        """Report that the entries at these positions of bundle `n` are not those of the tree."""
        ...

    def blame_tile(self, level: int, n: int, width: int, span: tuple[int, int], why: str) -> None:
        """Report a tile; `span` is the first and last entry concerned."""
        ...

    def blame_root(self, message: str) -> None:
        """Report that all agrees with itself, but not with the root."""
        ...


@dataclass(frozen=True, slots=True)
class _Conflict:
    """A stored tile that is not what lies below it makes of it.

    `above` says which was chosen: True the stored tile, False what lies below.
    """

    level: int
    n: int
    width: int
    positions: tuple[int, ...]
    above: bool


@dataclass(frozen=True, slots=True)
class _Edge:
    """A partial tile at the right edge: as computed, and as stored when that differs."""

    level: int
    n: int
    computed: Hashes
    stored: Hashes | None
    positions: tuple[int, ...]


class TreeCheck:
    """One check of one stored tree.

    Args:
        tree: where to read.
        size: how many entries it must hold.
        root: what it must lead to; None when no trusted root is known: then the tree is only
            compared with itself.
        findings: where findings go.
        start: entries before it are not read, and their hashes are taken from the stored tiles;
            a multiple of 256.  Whoever asks for that has their root from elsewhere.

    Attributes:
        mended: what the stored tiles that are wrong or not there would have to hold, by (level,
            n); known once the tree was found to lead to its root, and used to go on comparing.
    """

    def __init__(
        self, tree: StoredTree, size: int, root: bytes | None, findings: Findings, start: int = 0
    ) -> None:
        self.tiles = 0
        self.entries = 0
        self.root: bytes | None = None
        self._tree = tree
        self._size = size
        self._expected = root
        self._findings = findings
        self._first = start // TILE_WIDTH
        self._pending: list[Hashes] = [[]]
        self._done: list[int] = [self._first]
        self._conflicts: list[_Conflict] = []
        self._edges: list[_Edge] = []
        self._parents: dict[int, tuple[int, Hashes | None]] = {}
        self._right: dict[tuple[int, int], Hashes] = {}
        self.mended: dict[tuple[int, int], bytes] = {}

    def run(self, each: Each | None = None) -> bool:
        """Check everything; return whether the tree leads to the root.

        It stops early when there are more findings than anybody reads: rubble, or a checkpoint
        of a size that nobody has the entries of.
        """

        def leaves(n: int, width: int) -> Hashes:
            entries = self._tree.entries(n, width)
            assert len(entries) == width, f"bundle {n} has {len(entries)} entries, not {width}"
            if each is not None:
                each(n * TILE_WIDTH, entries)
            return [None if entry is None else leaf_hash(entry) for entry in entries]

        return self._run(leaves)

    def run_above_leaves(self) -> bool:
        """Check everything but that the tiles of level 0 are made of the entries.

        For a caller who has that from elsewhere, and keeps no verdict without it.
        """

        def leaves(n: int, width: int) -> Hashes:
            data = self._tree.tile(0, n, width)
            return [None] * width if data is None else _split(data)

        return self._run(leaves)

    def _run(self, leaves: Callable[[int, int], Hashes]) -> bool:
        self._begin()
        for n in range(self._first, -(-self._size // TILE_WIDTH)):
            if self._findings.full:
                return False
            width = min(TILE_WIDTH, self._size - n * TILE_WIDTH)
            self._pending[0] = leaves(n, width)
            self.entries += width
            if width == TILE_WIDTH:
                self._close(0)
        self._settle_edges()
        return self.root is not None and self.root == self._expected

    def _begin(self) -> None:
        """Take the hashes of what lies before the start from the tiles that hold them."""
        count, level = self._first, 1
        while count:
            n, width = divmod(count, TILE_WIDTH)
            hashes: Hashes = []
            if width:
                stored = self._stored(level, n, min(TILE_WIDTH, self._width(level, n)))
                hashes = [None] * width if stored is None else stored[:width]
            self._pending.append(hashes)
            self._done.append(n)
            count, level = n, level + 1

    def _keep_right(self, level: int, n: int, right: Hashes, stored: Hashes | None) -> None:
        """Remember what a stored tile should hold that holds something else, or is not there."""
        if right != stored and len(self._right) < MAX_FINDINGS:
            self._right[level, n] = right

    def _width(self, level: int, n: int) -> int:
        """Return how many hashes the tree has from the beginning of that tile on."""
        above: int = self._size // TILE_WIDTH**level
        return above - n * TILE_WIDTH

    def _close(self, level: int) -> None:
        """Compare a full tile, and hand its hash to the level above."""
        n, computed = self._done[level], self._pending[level]
        self._pending[level] = []
        self._done[level] = n + 1
        stored = self._stored(level, n, TILE_WIDTH)
        positions = _differences(computed, stored)
        chosen = _filled(computed, stored)
        claim = self._claim(level, n) if positions or None in chosen else None
        if positions:
            assert stored is not None
            above = _hash(chosen) != claim and _hash(stored) == claim
            self._conflicts.append(_Conflict(level, n, TILE_WIDTH, positions, above))
            if above:
                chosen = stored
        self._keep_right(level, n, chosen, stored)
        if level + 1 == len(self._pending):
            self._pending.append([])
            self._done.append(0)
        self._pending[level + 1].append(_hash(chosen) or claim)
        if len(self._pending[level + 1]) == TILE_WIDTH:
            self._close(level + 1)

    def _settle_edges(self) -> None:
        """Find the choice of right-edge tiles that leads to the root, then say what is wrong."""
        for level, computed in enumerate(self._pending):
            if computed:
                n, width = self._done[level], len(computed)
                stored = self._stored(level, n, width)
                positions = _differences(computed, stored)
                filled = _filled(computed, stored)
                if stored is None:
                    self._keep_right(level, n, filled, None)
                self._edges.append(
                    _Edge(level, n, filled, stored if positions else None, positions)
                )
        first: tuple[bool, ...] = (False,) * len(self._edges)
        choice, root = first, self._root(first)
        for other in self._choices():
            if (found := self._root(other)) == self._expected and found is not None:
                choice, root = other, found
                break
        self.root = root
        self._conflicts += [
            _Conflict(edge.level, edge.n, len(edge.computed), edge.positions, above)
            for edge, above in zip(self._edges, choice, strict=True)
            if edge.stored is not None
        ]
        proved = root is not None and root == self._expected
        if proved:
            self._mend(choice)
        for conflict in self._conflicts:
            self._blame(conflict, proved=proved)
        if not self._conflicts and root is not None and not proved and self._expected is not None:
            self._tree.blame_root(
                f"entries and tiles agree with each other and lead to {root.hex()},"
                f" not to {self._expected.hex()}"
            )

    def _mend(self, choice: Sequence[bool]) -> None:
        """Say what the tiles that are wrong have to hold: the tree leads to its root with it."""
        for edge, above in zip(self._edges, choice, strict=True):
            if not above and edge.stored is not None:
                self._keep_right(edge.level, edge.n, edge.computed, edge.stored)
        for place, hashes in self._right.items():
            known = [digest for digest in hashes if digest is not None]
            if len(known) == len(hashes):
                self.mended[place] = b"".join(known)

    def _choices(self) -> Iterator[tuple[bool, ...]]:
        options = [(False, True) if edge.stored is not None else (False,) for edge in self._edges]
        return itertools.product(*options)

    def _root(self, choice: tuple[bool, ...]) -> bytes | None:
        """Return the root over the right edge, taking the stored tile where `choice` says so."""
        nodes: list[bytes] = []
        for edge, above in reversed(list(zip(self._edges, choice, strict=True))):
            hashes = edge.stored if above and edge.stored is not None else edge.computed
            known = [digest for digest in hashes if digest is not None]
            if len(known) < len(hashes):
                return None
            start = 0
            for bit in reversed(range(len(known).bit_length())):
                if len(known) >> bit & 1:
                    nodes.append(hash_tile(b"".join(known[start : start + (1 << bit)])))
                    start += 1 << bit
        return fold_right(nodes) if nodes else EMPTY_ROOT

    def _blame(self, conflict: _Conflict, *, proved: bool) -> None:
        """Say which side of a conflict is wrong: the other one than was chosen."""
        level, n, width = conflict.level, conflict.n, conflict.width
        if not conflict.above or not proved:
            why = "differs from what the entries below it lead to"
            self._tree.blame_tile(level, n, width, self._span(conflict), why)
        if conflict.above or not proved:
            if level == 0:
                why = "not the entry that the tree holds here"
                self._tree.blame_entries(n, width, conflict.positions, why)
            else:
                self._blame_below(conflict)

    def _blame_below(self, conflict: _Conflict) -> None:
        """Report subtrees that agree with themselves, but not with the tile above them."""
        for position in conflict.positions:
            child = conflict.n * TILE_WIDTH + position
            why = "agrees with what lies below it, but is not what the signed tree holds here"
            if conflict.level == 1:
                self._tree.blame_entries(child, TILE_WIDTH, range(TILE_WIDTH), why)
            else:
                span = self._span(conflict, position)
                self._tree.blame_tile(conflict.level - 1, child, TILE_WIDTH, span, why)

    def _span(self, conflict: _Conflict, position: int | None = None) -> tuple[int, int]:
        """Return the first and last entry under the differing hashes of a tile."""
        unit = TILE_WIDTH**conflict.level
        start = conflict.n * TILE_WIDTH
        first = conflict.positions[0] if position is None else position
        last = conflict.positions[-1] if position is None else position
        return (start + first) * unit, min(self._size, (start + last + 1) * unit) - 1

    def _stored(self, level: int, n: int, width: int) -> Hashes | None:
        self.tiles += 1
        data = self._tree.tile(level, n, width)
        return None if data is None else _split(data)

    def _claim(self, level: int, n: int) -> bytes | None:
        """Return the hash of a full tile that the stored tile above it holds, if it is there."""
        parent, position = divmod(n, TILE_WIDTH)
        kept = self._parents.get(level)
        if kept is None or kept[0] != parent:
            width = min(TILE_WIDTH, self._width(level + 1, parent))
            data = self._tree.tile(level + 1, parent, width)
            kept = (parent, None if data is None else _split(data))
            self._parents[level] = kept
        return None if kept[1] is None else kept[1][position]


def _split(data: bytes) -> Hashes:
    return [data[at : at + HASH_SIZE] for at in range(0, len(data), HASH_SIZE)]


def _differences(computed: Hashes, stored: Hashes | None) -> tuple[int, ...]:
    if stored is None or computed == stored:
        return ()
    pairs = enumerate(zip(computed, stored, strict=True))
    return tuple(at for at, (one, other) in pairs if one is not None and one != other)


def _filled(computed: Hashes, stored: Hashes | None) -> Hashes:
    """Return `computed` with the stored hash wherever an entry could not be read."""
    if stored is None or None not in computed:
        return computed
    return [two if one is None else one for one, two in zip(computed, stored, strict=True)]


def _hash(hashes: Hashes) -> bytes | None:
    """Return the hash of a tile; None while one of its hashes is unknown."""
    known = [digest for digest in hashes if digest is not None]
    return hash_tile(b"".join(known)) if len(known) == len(hashes) else None
