"""One look of the scrubber: a bundle, an edge or a file of pages, read again from the disk.

Each look ends in findings, in the words of `verify` and with its names, or in none.  What is
compared with is the head this process signed and holds in memory: so a look needs no other look,
and finds the same whether it comes first or last.

What must hold: no false alarm while the server writes.  So nothing above the signed head is
looked at, and of the exported files only those below the published checkpoint.
"""

import contextlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from counterfoil.client.evidence_files import DirectoryLog
from counterfoil.client.evidence_rows import ERASABLE, LEDGER, SqliteRows
from counterfoil.client.evidence_sqlite import Damaged, EvidenceDatabase, Kind
from counterfoil.errors import EvidenceError, RequestError
from counterfoil.ledger.append import Ledger
from counterfoil.ledger.store import LogReads
from counterfoil.tlog.checkpoint import parse_checkpoint
from counterfoil.tlog.note import parse_note
from counterfoil.tlog.proof import inclusion_path, verify_inclusion
from counterfoil.tlog.tile import (
    TILE_WIDTH,
    entries_path,
    node_from_tiles,
    root_from_tiles,
    tile_path,
)
from counterfoil.tlog.tree import HASH_SIZE, TreeHead, leaf_hash
from counterfoil.verifier.kept import RowNames
from counterfoil.verifier.ledger import trusted
from counterfoil.verifier.report import Findings
from counterfoil.verifier.rows import RowsCheck
from counterfoil.verifier.whole import tally_range

MAX_PAGE_MESSAGES = 20
PAGES_BYTES_MAX = 1 << 30
"""SQLite before 3.42 looks at a whole table without asking whether to go on: above this size it
would keep a server from ending for minutes, and the write-ahead log from being emptied."""


class Looked:
    """A log as the scrubber looks at it.

    Args:
        project: whose log.
        ledger: signed its heads.
        log: its rows.
        public: its exported files.
        names: how its rows are called.
    """

    def __init__(
        self, project: str, ledger: Ledger, log: LogReads, public: Path, names: RowNames
    ) -> None:
        self.project = project
        self._ledger = ledger
        self._log = log
        self._public = public
        self.names = names

    def head(self) -> TreeHead:
        """Return the newest signed head."""
        return parse_checkpoint(parse_note(self._ledger.checkpoint(self.project)).text).head

    def look_at_tree(self, first: int, findings: Findings) -> None:
        """Look at one bundle, and at all tiles from it up to the signed root.

        Args:
            first: a multiple of 256, below the size.
            findings: where findings go.

        Raises:
            UnavailableError: `storage`: it cannot be read just now.
        """
        head = self.head()
        end = min(first + TILE_WIDTH, head.size)
        try:
            tile = self._log.tile(self.project, 0, first // TILE_WIDTH)
            node = node_from_tiles(partial(self._log.tile, self.project))
            verify_inclusion(tile[:HASH_SIZE], first, inclusion_path(first, head.size, node), head)
        except EvidenceError as error:
            name = self.names.row("tiles", f"level 0 n {first // TILE_WIDTH}, or one above it")
            findings.add("damaged", name, f"no way to the root: {error.message}", first, end - 1)
            return
        try:
            entries = dict(enumerate(self._log.entries(self.project, first, end), first))
        except EvidenceError as error:
            index = error.facts.get("index")
            row = index if isinstance(index, int) else f"{first} to {end - 1}"
            span = (index, index) if isinstance(index, int) else (first, end - 1)
            findings.add("missing", self.names.row("entries", row), error.message, *span)
            return
        for index in range(first, end):
            at = (index - first) * HASH_SIZE
            if index not in entries:
                name = self.names.row("entries", index)
                findings.add("missing", name, "the row is not there", index)
            elif leaf_hash(entries[index]) != tile[at : at + HASH_SIZE]:
                name = self.names.row("entries", index, "entry")
                findings.add("damaged", name, "not what the tree holds at this index", index)

    def look_at_files(self, first: int, findings: Findings) -> None:
        """Look at the exported files of one full bundle: its own, and the tiles it completes."""
        n = first // TILE_WIDTH
        if first + TILE_WIDTH > self._published().size:
            return
        reader = DirectoryLog(self._public)
        span = first, first + TILE_WIDTH - 1
        held = self._ledger.bundle(self.project, n)
        self._compare(entries_path(n), partial(reader.bundle, n, TILE_WIDTH), held, span, findings)
        level = 0
        while True:
            unit: int = TILE_WIDTH ** (level + 1)
            span = n * unit, (n + 1) * unit - 1
            held = self._ledger.tile(self.project, level, n)
            read = partial(reader.tile, level, n, TILE_WIDTH)
            self._compare(tile_path(level, n), read, held, span, findings)
            if n % TILE_WIDTH != TILE_WIDTH - 1:
                return
            level, n = level + 1, n // TILE_WIDTH

    def look_at_edge(self, findings: Findings) -> None:
        """Look at where the log ends: the root, the published checkpoint, the last bundle of it.

        Raises:
            UnavailableError: `storage`: it cannot be read just now.
        """
        head = self.head()
        try:
            root = root_from_tiles(head.size, partial(self._log.tile, self.project))
            stored = self._log.head(self.project)
        except EvidenceError as error:
            findings.add("damaged", self.names.row("tiles", "of the right edge"), error.message,
                         0, max(0, head.size - 1))  # fmt: skip
            return
        except RequestError:
            name = self.names.row("heads", "of the log")
            findings.add("missing", name, "the row is not there")
            return
        if head.size and root != head.root:
            findings.add("damaged", self.names.row("tiles", "of the right edge"),
                         "they lead to another root than was signed", 0, head.size - 1)  # fmt: skip
        if stored.size < head.size or (stored.size == head.size and stored.root != head.root):
            findings.add("damaged", self.names.row("heads", "of the log"),
                         f"size {stored.size}, and {head.size} was signed")  # fmt: skip
        self._look_at_published(head, findings)

    def _look_at_published(self, head: TreeHead, findings: Findings) -> None:
        name = f"public/{self.project}/checkpoint"
        try:
            signed = self._published()
        except EvidenceError as error:
            findings.add("damaged", name, error.message, 0, max(0, head.size - 1))
            return
        if signed.size > self.head().size:
            findings.add("forked", name, f"signs {signed.size} entries, {head.size} are here",
                         head.size, signed.size - 1)  # fmt: skip
            return
        if not signed.size:
            return
        if signed.root != root_from_tiles(signed.size, partial(self._log.tile, self.project)):
            findings.add("forked", name, "signs another root than the tiles have",
                         0, signed.size - 1)  # fmt: skip
            return
        with contextlib.suppress(EvidenceError):
            # What the log itself holds there is not whole: the look at the bundle says it.
            self._look_at_partials(signed, findings)

    def _look_at_partials(self, signed: TreeHead, findings: Findings) -> None:
        n, width = divmod(signed.size, TILE_WIDTH)
        if not width:
            return
        span = n * TILE_WIDTH, signed.size - 1
        held = self._ledger.bundle(self.project, n, width)
        reader = DirectoryLog(self._public)
        read = partial(reader.bundle, n, width)
        self._compare(entries_path(n, width), read, held, span, findings, signed)
        held = self._ledger.tile(self.project, 0, n, width)
        read = partial(reader.tile, 0, n, width)
        self._compare(tile_path(0, n, width), read, held, span, findings, signed)

    def _published(self) -> TreeHead:
        """Return the head of the published checkpoint; of size 0 before the first.

        Raises:
            EvidenceError: it is none, or is not signed by the log's key, or has gone.
        """
        note = DirectoryLog(self._public).checkpoint()
        if note is None:
            if self._ledger.status(self.project).exported_size:
                raise EvidenceError("missing", "the checkpoint that was published is not there")
            return TreeHead(0, b"")
        return self._ledger.trust(self.project).verify_checkpoint(note).head

    def _compare(
        self, path: str, read: "partial[bytes | None]", held: bytes, span: tuple[int, int],
        findings: Findings, under: TreeHead | None = None,
    ) -> None:  # fmt: skip
        name = f"public/{self.project}/{path}"
        try:
            data = read()
        except EvidenceError as error:
            findings.add("damaged", name, error.message, *span)
            return
        if data is None:
            # The partial form goes when a later checkpoint is published, and that is no loss.
            if under is None or self._published() == under:
                findings.add("missing", name, "the file is not there", *span)
        elif data != held:
            findings.add("damaged", name, "not what the log holds", *span)


def look_beside(
    directory: Path, project: str, names: RowNames, span: tuple[int, int], findings: Findings
) -> None:
    """Look at what stands beside the entries of one bundle: pieces, keys, blobs, idempotency.

    Args:
        directory: of the ledger.
        project: whose log.
        names: how rows are called.
        span: the first entry, a multiple of 256, and the one beyond the last.
        findings: where findings go.

    Raises:
        UnavailableError: `storage`: it cannot be read just now.
    """
    first, end = span
    try:
        with _opened(directory, LEDGER, findings) as ledger, _opened(
            directory, ERASABLE, findings
        ) as keys:  # fmt: skip
            rows = SqliteRows(project, ledger, keys, directory / "blobs", names)
            if tally_range(rows, first, end) is not None and not len(findings):
                return
            held = rows.entries(first, end)
            entries = trusted(rows, first, [held.get(index) for index in range(first, end)])
            check = RowsCheck(rows, findings, names)
            check.bundle(first, entries)
            check.settle()
    except Damaged:
        return  # it is among the findings


def look_at_pages(
    directory: Path, kind: Kind, stop: Callable[[], bool], findings: Findings
) -> None:
    """Let SQLite look at every page of a database, until `stop` says so: `PRAGMA quick_check`.

    A file above `PAGES_BYTES_MAX` is passed over: its rows are read bundle by bundle all the
    same, and `fsck --full` looks at its pages.

    Raises:
        UnavailableError: `storage`: it cannot be read just now, or was told to stop.

    Cost: the whole file is read; a server that writes meanwhile keeps what it writes in the
    write-ahead log until this ends.
    """
    with contextlib.suppress(OSError):  # that it is not there is found by opening it
        if (directory / kind.name).stat().st_size > PAGES_BYTES_MAX:
            return
    try:
        with _opened(directory, kind, findings) as database:
            database.stop_when(stop)
            for (text,) in list(database.rows(f"PRAGMA quick_check({MAX_PAGE_MESSAGES})")):
                if text != "ok":
                    lines = "; ".join(str(text).split("\n"))
                    findings.add("damaged", kind.name, f"SQLite: {lines}")
    except Damaged:
        return  # it is among the findings


@contextmanager
def _opened(directory: Path, kind: Kind, findings: Findings) -> Iterator[EvidenceDatabase]:
    """Open a database for one look, so that no read transaction outlives it."""
    database = EvidenceDatabase(directory / kind.name, kind, findings)
    try:
        yield database
    finally:
        database.close()
