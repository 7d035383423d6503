"""Entries, tiles and head of a log's database, derived again from what else holds them.

An entry stands in two places: a row of `ledger.db`, and an exported bundle.  Tiles and head follow
from the entries.  Which of two different copies is right, nobody is believed: copies are chosen,
the tree over them is computed, and it has to lead to every root that stands signed.  If no choice
does, nothing of that log is mended.

Entries that were committed and not exported yet are under no signature on this disk; they are held
by the head of their own commit, as at every start, and by files exported of them, where some are:
if one differs, nothing of that log is mended.  Salts, sealed pieces and keys stand nowhere
else: they are never made up.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from counterfoil.app.fsck_beyond import DIFFERS, FilesBeyond
from counterfoil.client.evidence_files import DirectoryLog
from counterfoil.client.evidence_rows import SqliteRows
from counterfoil.errors import EvidenceError
from counterfoil.ledger.edge import TILE_BYTES, RightEdge
from counterfoil.stores import sqlite_statements as sql
from counterfoil.tlog.entries import read_bundle
from counterfoil.tlog.tile import TILE_WIDTH, tiles_of
from counterfoil.tlog.tree import EMPTY_ROOT, HASH_SIZE, Frontier, TreeHead, leaf_hash
from counterfoil.verifier.kept import RowNames

FROM_BUNDLE: Final = "from the exported bundle"
FROM_ENTRIES: Final = "computed from the entries"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mend:
    """One thing that is made again.

    Args:
        object: file or row, as findings name it.
        how: what it is derived from.
        log: project; "" where it concerns all.
        first: the first entry concerned, from 0; None when none is.
        last: the last one.
        was: what stood there, kept aside; None where nothing did.
    """

    object: str
    how: str
    log: str
    first: int | None = None
    last: int | None = None
    was: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RowMend(Mend):
    """A row: one statement of `stores.sqlite_statements` and its values."""

    statement: str
    values: tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Anchor:
    """A head under a signature that stands, and where."""

    name: str
    head: TreeHead


@dataclass(slots=True)
class LogPlan:
    """What is to be written so that a database holds the log that was signed.

    Args:
        head: of the log; None when nothing here leads to what was signed.
        mends: the rows.
        refused: why something, or all, cannot be derived.
    """

    head: TreeHead | None = None
    mends: list[RowMend] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSource:
    """Where the copies of one log are.

    Args:
        project: whose log.
        rows: of the database.
        exported: the files.
        beyond: those of them that reach beyond every signed head.
        exported_size: how many entries they speak for.
        anchors: heads that were signed.
        names: how rows are called.
        salt: of every entry, where all have the same one; None where it is lost with its row.
    """

    project: str
    rows: SqliteRows
    exported: DirectoryLog
    beyond: FilesBeyond
    exported_size: int
    anchors: Sequence[Anchor]
    names: RowNames
    salt: bytes | None = None


Choose = Callable[[int, bytes | None, bytes | None], bytes | None]
"""Given an index, its row and its copy in a bundle, it returns the one to believe."""


def plan_log(source: LogSource) -> LogPlan:
    """Find the entries that lead to what was signed, and what has to be written for them.

    Cost: about 8 us an entry; memory holds one bundle and what is to be written.
    """
    try:
        size = _size(source)
    except EvidenceError as error:
        return LogPlan(refused=[error.message])
    if over := source.beyond.over(size):
        return LogPlan(
            refused=[
                f"public/{source.project}/{name}: beyond the database; it may be all that is left"
                " of a longer log"
                for name in over
            ]
        )
    why = ""
    for choose in _choices(source):
        try:
            return _Attempt(source, size, choose).run()
        except EvidenceError as error:
            why = why or error.message
    return LogPlan(refused=[f"{source.names.row('entries', 'of the log')}: {why}"])


def _size(source: LogSource) -> int:
    """Return the size of the log; EvidenceError when what was signed is larger than what is here."""
    head, last = source.rows.head(), source.rows.last_index()
    signed = max((one.head.size for one in source.anchors), default=0)
    size = head[0] if head is not None and head[0] == last + 1 else max(last + 1, signed)
    if source.salt is not None:
        size = max(size, signed)
    if signed > last + 1 and source.salt is None:
        name = next(one.name for one in source.anchors if one.head.size == signed)
        raise EvidenceError(
            "rolled_back",
            f"{name} is signed over {signed} entries, here are {last + 1}: bring the later database",
        )
    if size and not source.anchors:
        raise EvidenceError(
            "missing", f"nothing signed stands that {source.project} could be held against"
        )
    return size


def _choices(source: LogSource) -> Iterator[Choose]:
    yield lambda _, row, copy: row if copy is None else copy
    yield _ByTiles(source)
    yield lambda _, row, copy: copy if row is None else row


class _ByTiles:
    """Believes the copy that a stored or exported tile has the hash of."""

    def __init__(self, source: LogSource) -> None:
        self._source = source
        self._n = -1
        self._hashes: list[bytes] = []

    def __call__(self, index: int, row: bytes | None, copy: bytes | None) -> bytes | None:
        if row is None or copy is None or row == copy:
            return copy if row is None else row
        n, position = divmod(index, TILE_WIDTH)
        if n != self._n:
            self._n, self._hashes = n, [self._source.rows.tile(0, n) or b"", self._exported(n)]
        wanted = {data[position * HASH_SIZE :][:HASH_SIZE] for data in self._hashes}
        return row if leaf_hash(row) in wanted else copy

    def _exported(self, n: int) -> bytes:
        width = min(TILE_WIDTH, self._source.exported_size - n * TILE_WIDTH)
        try:
            return self._source.exported.tile(0, n, width) or b"" if width > 0 else b""
        except EvidenceError:
            return b""


class _Attempt:
    """One choice of copies, and what it leads to."""

    def __init__(self, source: LogSource, size: int, choose: Choose) -> None:
        self._source = source
        self._size = size
        self._choose = choose
        self._plan = LogPlan()
        self._edge = RightEdge(TreeHead(0, EMPTY_ROOT), Frontier(), ())
        self._tiles: dict[tuple[int, int], bytes] = {}

    def run(self) -> LogPlan:
        """Return the plan; EvidenceError when it leads to another log than was signed."""
        self._source.beyond.differing.clear()  # of a choice that led nowhere
        for start in range(0, self._size, TILE_WIDTH):
            self._bundle(start, min(start + TILE_WIDTH, self._size))
        for place, data in self._tiles.items():
            self._compare_tile(*place, data)
        self._find_strays()
        self._check_head()
        if differing := self._source.beyond.differing:
            # Of two histories none is made the other, nor anything else of that log.
            return LogPlan(
                refused=[
                    f"public/{self._source.project}/{name}: forked: {DIFFERS}"
                    for name, _ in differing
                ]
            )
        self._plan.head = self._edge.head
        return self._plan

    def _bundle(self, start: int, end: int) -> None:
        rows, copies = self._source.rows.entries(start, end), self._copies(start, end)
        leaves, entries = [], []
        for index in range(start, end):
            row, copy = rows.get(index), copies[index - start]
            entry = self._choose(index, row, copy)
            if entry is None:
                raise EvidenceError("missing", f"entry {index} stands nowhere any more")
            if entry != row:
                self._mend_entry(index, row, entry)
            leaves.append(leaf_hash(entry))
            entries.append(entry)
        self._grow(start, leaves)
        self._source.beyond.compare_bundle(start // TILE_WIDTH, entries)

    def _grow(self, start: int, leaves: Sequence[bytes]) -> None:
        """Append leaves, stopping at each size that was signed."""
        cuts = {one.head.size for one in self._source.anchors}
        ends = sorted(
            {*(at for at in cuts if start < at < start + len(leaves)), start + len(leaves)}
        )
        at = start
        for end in ends:
            self._edge, tiles = self._edge.grow(leaves[at - start : end - start])
            self._tiles |= tiles
            at = end
            for one in self._source.anchors:
                if one.head.size == end and one.head.root != self._edge.head.root:
                    raise EvidenceError(
                        "damaged", f"nothing that is here leads to the root {one.name} signs"
                    )
        for place in [place for place, data in self._tiles.items() if len(data) == TILE_BYTES]:
            self._compare_tile(*place, self._tiles.pop(place))

    def _copies(self, start: int, end: int) -> list[bytes | None]:
        source, n = self._source, start // TILE_WIDTH
        width = min(TILE_WIDTH, source.exported_size - start)
        copies: list[bytes | None] = []
        if width > 0:
            try:
                data = source.exported.bundle(n, width) or source.exported.bundle(n, TILE_WIDTH)
                copies += read_bundle(data)[:width] if data is not None else []
            except EvidenceError:
                copies.clear()
        return [*copies, *([None] * TILE_WIDTH)][: end - start]

    def _mend_entry(self, index: int, row: bytes | None, entry: bytes) -> None:
        source = self._source
        name = source.names.row("entries", index, "entry")
        values: tuple[object, ...]
        if row is not None:
            statement, values = sql.MEND_ENTRY, (entry, source.project, index)
        elif source.salt is not None:
            statement, values = sql.INSERT_ENTRY, (source.project, index, entry, source.salt)
        else:
            name = source.names.row("entries", index)
            self._plan.refused.append(
                f"{name}: the row is gone, and with it the salt, which stands nowhere else"
            )
            return
        self._add(name, FROM_BUNDLE, statement, values, row, index, index)

    def _compare_tile(self, level: int, n: int, data: bytes) -> None:
        self._source.beyond.compare_tile(level, n, data)
        stored = self._source.rows.tile(level, n)
        if stored == data:
            return
        unit = TILE_WIDTH**level
        first = n * TILE_WIDTH * unit
        self._add(
            self._source.names.row("tiles", f"level {level} n {n}", "data"), FROM_ENTRIES,
            sql.UPSERT_TILE, (self._source.project, level, n, data), stored,
            first, min(self._size, first + len(data) // HASH_SIZE * unit) - 1,
        )  # fmt: skip

    def _find_strays(self) -> None:
        known = {(level, n) for level, n, _ in tiles_of(self._size)}
        for level, n in self._source.rows.tile_keys():
            if (level, n) not in known:
                name = self._source.names.row("tiles", f"level {level} n {n}")
                was = self._source.rows.tile(level, n)
                values = (self._source.project, level, n)
                self._add(name, "no tile of this tree: taken out", sql.DELETE_TILE, values, was)

    def _check_head(self) -> None:
        """Compare the stored head; only a signature over this very size stands in for it."""
        head, stored = self._edge.head, self._source.rows.head()
        if stored == (head.size, head.root):
            return
        if not any(one.head == head for one in self._source.anchors):
            raise EvidenceError("damaged", "no head and no signature holds the last entries")
        name = self._source.names.row("heads", "of the log")
        was = b"" if stored is None else b"%d " % stored[0] + stored[1].hex().encode()
        values = (self._source.project, head.size, head.root)
        self._add(name, FROM_ENTRIES, sql.MEND_HEAD, values, was, 0, head.size - 1)

    def _add(
        self, name: str, how: str, statement: str, values: tuple[object, ...], was: bytes | None,
        first: int | None = None, last: int | None = None,
    ) -> None:  # fmt: skip
        self._plan.mends.append(
            RowMend(
                object=name, how=how, log=self._source.project, first=first, last=last, was=was,
                statement=statement, values=values,
            )
        )  # fmt: skip
