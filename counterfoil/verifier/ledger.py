"""One log of a ledger's database: rows against the tree, the tree against the exported log.

The database is the truth and may be ahead of the exported log; what must hold is that the
exported log is a prefix of it.  Heads and tiles are stored twice over, in a way: all of them
follow from the entries, so a changed one is known by the others.

Source: docs/life-of-an-event.md; the schema in stores/sqlite_statements.py.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

from counterfoil.errors import EvidenceError
from counterfoil.events.entry import read_entry
from counterfoil.tlog.proof import Node
from counterfoil.tlog.tile import (
    TILE_WIDTH,
    node_from_tiles,
    parse_path,
    root_from_tiles,
    tile_path,
)
from counterfoil.tlog.tree import EMPTY_ROOT, HASH_SIZE, TreeHead, leaf_hash
from counterfoil.verifier.compare import differences
from counterfoil.verifier.depth import WHOLE, Depth, Enter, unmetered
from counterfoil.verifier.kept import KeptRows, RowNames
from counterfoil.verifier.report import Findings
from counterfoil.verifier.rows import RowsCheck, Tally
from counterfoil.verifier.tree import TreeCheck


class LogRows(KeptRows, Protocol):
    """All rows of one log."""

    def head(self) -> tuple[int, bytes] | None:
        """Return size and root as stored."""
        ...

    def last_index(self) -> int:
        """Return the largest index among the entries, -1 without any."""
        ...

    def entries(self, start: int, end: int) -> Mapping[int, bytes]:
        """Return entry bytes by index."""
        ...

    def tile(self, level: int, n: int) -> bytes | None:
        """Return a tile as stored."""
        ...

    def tile_keys(self) -> Iterable[tuple[int, int]]:
        """Yield (level, n) of every tile, in that order."""
        ...

    def last_tile(self) -> int:
        """Return the largest n of the tiles of level 0, -1 without any."""
        ...

    def strays(self, size: int) -> Iterable[tuple[str, int]]:
        """Yield (table, index) of rows whose index lies outside the log."""
        ...


Tallies = Callable[[], Sequence[Tally] | None]
"""Waits for a crew; returns what it counted, or None when anything at all is not whole."""

Crew = Callable[[int], Tallies | None]
"""Called with the size of a log, begins to check the rows of all its entries; None: too few."""


def trusted(rows: LogRows, first: int, entries: Sequence[bytes | None]) -> list[bytes | None]:
    """Return the entries of a bundle, None for those that the stored tile contradicts."""
    tile = rows.tile(0, first // TILE_WIDTH) or b""
    return [
        None
        if data is None or leaf_hash(data) != tile[at * HASH_SIZE : (at + 1) * HASH_SIZE]
        else data
        for at, data in enumerate(entries)
    ]


class LedgerTree:
    """The tree as `ledger.db` holds it; `counterfoil.verifier.tree.StoredTree`."""

    def __init__(
        self, rows: LogRows, findings: Findings, names: RowNames, enter: Enter = unmetered
    ) -> None:
        self._rows = rows
        self._findings = findings
        self._names = names
        self._enter = enter

    def entries(self, n: int, width: int) -> Sequence[bytes | None]:
        """Return the entries of one bundle; absent rows are reported."""
        start = n * TILE_WIDTH
        rows = self._rows.entries(start, start + width)
        for index in range(start, start + width):
            if index not in rows:
                name = self._names.row("entries", index)
                self._findings.add("missing", name, "the row is not there", index)
        return [rows.get(index) for index in range(start, start + width)]

    def tile(self, level: int, n: int, width: int) -> bytes | None:
        """Return a tile; one that is absent or of another width is reported."""
        with self._enter("tiles"):
            data = self._rows.tile(level, n)
        unit = TILE_WIDTH**level
        span = n * TILE_WIDTH * unit, (n * TILE_WIDTH + width) * unit - 1
        if data is None:
            self._findings.add("missing", self._tile_name(level, n), "the row is not there", *span)
            return None
        if len(data) != width * HASH_SIZE:
            message = f"the tile is {len(data)} bytes, not {width * HASH_SIZE}"
            self._findings.add("damaged", self._tile_name(level, n, "data"), message, *span)
            return None
        return data

    def blame_entries(self, n: int, width: int, positions: Sequence[int], message: str) -> None:
        """Report rows of `entries`, one by one."""
        del width
        for position in positions:
            index = n * TILE_WIDTH + position
            self._findings.add(
                "damaged", self._names.row("entries", index, "entry"), message, index
            )

    def blame_tile(self, level: int, n: int, width: int, span: tuple[int, int], why: str) -> None:
        """Report a row of `tiles`."""
        del width
        self._findings.add("damaged", self._tile_name(level, n, "data"), why, *span)

    def blame_root(self, message: str) -> None:
        """Report the stored root: everything else agrees."""
        self._findings.add("damaged", self._names.row("heads", "of the log", "root"), message)

    def _tile_name(self, level: int, n: int, column: str = "") -> str:
        return self._names.row("tiles", f"level {level} n {n}", column)


class Beside(Protocol):
    """Whoever checks what is stored beside the entries of a log."""

    def bundle(self, first: int, entries: Sequence[bytes | None]) -> None:
        """Check the rows of some entries; None stands for an entry that is not the tree's."""
        ...

    def finish(self) -> None:
        """Report what needed all entries."""
        ...


class LedgerCheck:
    """Checks the rows of one log.

    Args:
        rows: where rows come from.
        findings: where findings go.
        names: how rows are called.
        crew: who checks ranges of rows meanwhile; None to check them one after the other.
        meanwhile: called when the crew has begun: what can be done until it has ended.
        beside: who checks what stands beside entries that are no events.
        depth: how much is looked at.
        enter: told of the stages: leaves, tiles, commitments, idempotency.
    """

    def __init__(
        self,
        rows: LogRows,
        findings: Findings,
        names: RowNames,
        crew: Crew | None = None,
        meanwhile: Callable[[], None] = lambda: None,
        beside: Beside | None = None,
        depth: Depth = WHOLE,
        enter: Enter = unmetered,
    ) -> None:
        self.size = 0
        self.root: bytes | None = None
        self.tiles = 0
        self.whole = False
        self._mended: Mapping[tuple[int, int], bytes] = {}
        self.kept = RowsCheck(rows, findings, names, enter)
        self._beside = beside
        self.depth = depth
        self._enter = enter
        self._rows = rows
        self._crew = crew
        self._meanwhile = meanwhile
        self._findings = findings
        self._names = names

    def run(self) -> None:
        """Check head, tiles, entries and what is stored beside them."""
        head = self._rows.head()
        if head is None:
            name = self._names.row("heads", "of the log")
            self._findings.add("missing", name, "the row is not there")
        size, self.size = self._size(head)
        expected = head[1] if head is not None and size == self.size else None
        if not self._shared(expected):
            check = self._tree(expected, self._findings)
            with self._enter("leaves"):
                self.whole = check.run(self._bundle)
            self.root, self.tiles = check.root, check.tiles
            self._mended = check.mended
        everything = self.depth.first(self.size) == 0
        with self._enter("commitments"):
            if self._beside is not None:
                self._beside.finish()
            else:
                self.kept.finish(everything=everything)
        if everything:
            self._find_strays()

    def _shared(self, expected: bytes | None) -> bool:
        """Check with the crew; say whether all is whole.  If not, nothing is reported yet.

        What is wrong and whose cell is to blame takes all entries in order, and a log that is
        damaged may take its time.
        """
        tallies = self._crew(self.size) if self._crew is not None else None
        if tallies is None:
            return False
        scratch = Findings()
        check = self._tree(expected, scratch)
        try:
            # Whoever looks at a range compares its entries with their tile: once is enough.
            with self._enter("leaves"):
                whole = check.run_above_leaves()
            self._meanwhile()
        finally:
            with self._enter("commitments"):
                found = tallies()
        if not whole or len(scratch) or found is None:
            return False
        self.kept.take(found, self.size)
        self.whole, self.root, self.tiles = whole, check.root, check.tiles
        return True

    def _tree(self, expected: bytes | None, findings: Findings) -> TreeCheck:
        tree = LedgerTree(self._rows, findings, self._names, self._enter)
        return TreeCheck(tree, self.size, expected, findings, self.depth.first(self.size))

    def node(self) -> Node:
        """Return the node function of the tiles; it raises EvidenceError."""
        return node_from_tiles(self._read_tile)

    def root_at(self, size: int) -> bytes | None:
        """Return the root the tiles had at an earlier size; None if they cannot tell."""
        if size == 0:
            return EMPTY_ROOT
        if size > self.size:
            return None
        try:
            return root_from_tiles(size, self._read_tile)
        except EvidenceError:
            return None

    def recorded(self, index: int) -> str:
        """Return the recorded time of an entry; "" where it cannot be read."""
        entry = self._rows.entries(index, index + 1).get(index)
        try:
            return "" if entry is None else read_entry(entry).recordedtime
        except EvidenceError:
            return ""

    def covers(self, path: str) -> bool:
        """Tell whether a tile or bundle path, from `tlog.tile`, lies inside the log."""
        tile = parse_path(path)
        unit: int = TILE_WIDTH ** max(tile.level, 0)
        return tile.n * TILE_WIDTH + tile.width <= self.size // unit

    def compare_export(
        self, signed: TreeHead, exported: Node | None, checkpoint: str, findings: Findings
    ) -> None:
        """Compare with the exported log: it has to be a prefix of what the database holds.

        Args:
            signed: size and root of the signed checkpoint.
            exported: the node function of the exported tiles, if they lead to that root.
            checkpoint: the name of the checkpoint in findings.
            findings: where findings go, which need not be where those of `run` went.
        """
        if signed.size > self.size:
            name = self._names.row("entries", f"{self.size} and on")
            findings.add(
                "missing", name,
                f"{checkpoint} signs {signed.size} entries, the database holds {self.size}:"
                " it is older than what was published from it", self.size, signed.size - 1,
            )  # fmt: skip
            if exported is not None:
                self._differ(differences(self.size, self.node(), exported), checkpoint, findings)
            return
        root = self.root if signed.size == self.size else self.root_at(signed.size)
        if root is None or root == signed.root:
            # Without a root there are findings already: tiles or entries are missing.
            return
        spans = [(0, signed.size - 1)]
        if exported is not None:
            spans = differences(signed.size, self.node(), exported) or spans
        self._differ(spans, checkpoint, findings)

    def _differ(
        self, spans: Iterable[tuple[int, int]], checkpoint: str, findings: Findings
    ) -> None:
        for first, last in spans:
            rows = str(first) if first == last else f"{first} to {last}"
            message = f"not what {checkpoint} signs"
            findings.add("damaged", self._names.row("entries", rows), message, first, last)

    def _bundle(self, first: int, entries: Sequence[bytes | None]) -> None:
        """Check what stands beside entries, but for those that the stored tile contradicts."""
        believed = trusted(self._rows, first, entries)
        with self._enter("commitments"):
            if self._beside is not None:
                self._beside.bundle(first, believed)
            elif first >= self.depth.opened(self.size):
                self.kept.bundle(first, believed)
            else:
                self.kept.listed(first, believed)

    def _size(self, head: tuple[int, bytes] | None) -> tuple[int, int]:
        """Return the stored size, and the size that two of head, entries and tiles agree on."""
        by_entries = self._rows.last_index() + 1
        by_tiles = self._size_by_tiles()
        size = head[0] if head is not None else -1
        if size in {by_entries, by_tiles}:
            return size, size
        if head is not None:
            name = self._names.row("heads", "of the log", "size")
            message = f"size {size}, but {by_entries} entries and tiles over {by_tiles}"
            last = max(by_entries, by_tiles) - 1
            self._findings.add("damaged", name, message, min(max(size, 0), max(last, 0)), last)
        return size, by_entries

    def _size_by_tiles(self) -> int:
        last = self._rows.last_tile()
        data = self._rows.tile(0, last) if last >= 0 else None
        return last * TILE_WIDTH + len(data) // HASH_SIZE if data is not None else 0

    def _find_strays(self) -> None:
        """Report rows that belong to no entry and tiles of no tree."""
        for table, index in self._rows.strays(self.size):
            name = self._names.row(table, index)
            message = f"outside the log of {self.size} entries"
            self._findings.add("damaged", name, message, index if index >= 0 else None)
        for level, n in self._rows.tile_keys():
            unit = TILE_WIDTH**level if 0 <= level < 64 else 0
            if n < 0 or not unit or n * TILE_WIDTH >= self.size // unit:
                name = self._names.row("tiles", f"level {level} n {n}")
                self._findings.add("damaged", name, f"no tile of a tree of {self.size} entries")

    def _read_tile(self, level: int, n: int) -> bytes:
        # A stored tile that is wrong was named already; taking it for the log would be a fork
        # that is none.
        data = self._mended.get((level, n)) or self._rows.tile(level, n)
        if data is None or len(data) % HASH_SIZE or not data:
            raise EvidenceError("missing", f"no usable {tile_path(level, n)} in the database")
        return data
