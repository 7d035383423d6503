"""Following: entries from the saved position on, checked against the checkpoint, into the rows.

Each batch of entries is hashed onto the saved right edge of the tree, and a consistency proof
must lead from there to the signed head before any row is kept: what is folded is what was signed.
Bodies are opened and compared with their commitments; an erased one folds as {}.

If an entry does not match the log, or a fold fails in spite of being total, following that
project stops at that entry and says so, here, in `health` and in the program's log.  It does not
go on behind the entry: rows that silently lack one would look whole.  The log itself goes on
taking entries, and once the cause is gone `admin rebuild` (or a restart) follows again.

If we crash: rows and position are of one transaction, so following goes on from whole rows.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from counterfoil.app.opening import RangeKeys, recorded_of
from counterfoil.errors import CounterfoilError, EvidenceError
from counterfoil.events.entry import read_entry
from counterfoil.ledger.store import Kept, KeyStore, LogReads
from counterfoil.projections.base import Projection, Recorded
from counterfoil.projections.mentions import arrival, links, mentions
from counterfoil.projections.search_entry import found_by
from counterfoil.stores.search import SearchIndex
from counterfoil.stores.tables import Position, Tables, Version, Writing
from counterfoil.tlog.checkpoint import parse_checkpoint
from counterfoil.tlog.note import parse_note
from counterfoil.tlog.proof import consistency_path, verify_consistency
from counterfoil.tlog.tile import node_from_tiles
from counterfoil.tlog.tree import Frontier, TreeHead, leaf_hash

BATCH_SIZE = 1_000

_log = logging.getLogger(__name__)


class SignedLog(Protocol):
    """What following asks of the ledger: signed heads, and word of each commit."""

    def checkpoint(self, project: str) -> bytes:
        """Return the latest signed checkpoint of `project` as a note."""
        ...

    def on_commit(self, listener: Callable[[str, int], None]) -> None:
        """Have `listener(project, size)` called after each signature, from the writer thread."""
        ...


class Follower:
    """Keeps the rows of every project up with its log.  Safe to call from several threads.

    Args:
        log: where entries, what is kept beside them, and tiles are read.
        keys: where the keys of bodies are read.
        ledger: whose checkpoints say how far the log is signed.
        tables: where the rows go.
        batch_size: entries in a transaction.

    Attributes:
        index: the search index, for reading; it is as far as the rows.
        replaced: how often the process that follows was replaced; 0 where this one does.
    """

    def __init__(
        self, *, log: LogReads, keys: KeyStore, ledger: SignedLog, tables: Tables,
        batch_size: int = BATCH_SIZE,
    ) -> None:  # fmt: skip
        self._log = log
        self._keys = keys
        self._ledger = ledger
        self._tables = tables
        self._batch_size = batch_size
        self._projections = tuple(tables.projections.values())
        self.index = SearchIndex()
        self.replaced = 0
        self._following = threading.Lock()
        self._moved = threading.Condition()
        self._due: set[str] = set()
        self._closing = False
        self._sizes: dict[str, int] = {}
        self._stopped: dict[str, str] = {}
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Follow every project from here on, in a thread of its own."""
        assert self._thread is None, "started twice"
        self._ledger.on_commit(self._wake)
        self._due.update(info.project for info in self._log.projects())
        self._thread = threading.Thread(target=self._run, name="counterfoil-follow", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread after the batch it is in."""
        with self._moved:
            self._closing = True
            self._moved.notify_all()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def stopped(self, project: str) -> str | None:
        """Return why following `project` stopped, one line; None while it goes on."""
        return self._stopped.get(project)

    def size(self, project: str) -> int:
        """Return how many entries of `project` are folded into the rows."""
        return self._tables.position(project).size

    def wait_for(self, project: str, size: int, timeout_s: float) -> bool:
        """Wait until `size` entries are folded; say whether they are.

        For a page that is shown right after a post.  Returns at once when following stopped.
        """
        if self._sizes.get(project, 0) < size:
            self._wake(project, size)
        with self._moved:
            self._moved.wait_for(
                lambda: (
                    self._sizes.get(project, 0) >= size or project in self._stopped or self._closing
                ),
                timeout_s,
            )
            return self._sizes.get(project, 0) >= size

    def catch_up(self, project: str) -> int:
        """Fold everything up to the signed head, in this thread; return the position.

        Raises:
            EvidenceError: what is stored does not match the signed log.
            UnavailableError: the rows could not be written.
        """
        with self._following:
            return self._catch_up(project)

    def rebuild(self, project: str) -> int:
        """Drop the rows of `project` and make them again from the log; return the position.

        The rows are the same, byte for byte, as those that following live made, as long as
        nothing was erased in between.  Readers see them grow.

        Raises:
            EvidenceError: what is stored does not match the signed log.
        """
        with self._following:
            self._clear(project)
            return self._catch_up(project)

    def erase(self, project: str) -> bool:
        """Drop the rows of `project`, words and all, and begin to make them again.

        Returns:
            False while somebody still reads what was there: ask `Tables.shrink` again.
        """
        with self._following:
            self._clear(project)
            emptied = self._tables.shrink()
        self._wake(project, 0)
        return emptied

    def _clear(self, project: str) -> None:
        self.index.forget(project)
        with self._tables.write(project) as writing:
            writing.clear()
            self.index.clear(writing.connection, project)
        # Again: whoever was reading while the rows went may have remembered them.
        self.index.forget(project)
        self._note(project, 0)

    def _wake(self, project: str, _size: int) -> None:
        with self._moved:
            self._due.add(project)
            self._moved.notify_all()

    def _run(self) -> None:
        while True:
            with self._moved:
                self._moved.wait_for(lambda: self._due or self._closing)
                if self._closing:
                    return
                project = self._due.pop()
            if project in self._stopped:
                continue
            self.catch_up_or_log(project)

    def catch_up_or_log(self, project: str) -> None:
        """Follow a project that is due; why that stopped goes into the program's log."""
        try:
            self._catch_up_due(project)
        except CounterfoilError as error:
            _log.error("following %s stopped: %s", project, error)
        except Exception:  # noqa: BLE001  the other projects must outlive a defect in one
            _log.exception("following %s stopped by a defect", project)

    def _catch_up_due(self, project: str) -> None:
        self.catch_up(project)

    def _catch_up(self, project: str) -> int:
        try:
            while (size := self._step(project)) is not None:
                self._note(project, size)
                if self._closing:
                    break
        except Exception as error:
            with self._moved:
                self._stopped[project] = _one_line(error)
                self._moved.notify_all()
            raise
        size = self._tables.position(project).size
        with self._moved:
            self._stopped.pop(project, None)
        self._note(project, size)
        return size

    def _note(self, project: str, size: int) -> None:
        with self._moved:
            self._sizes[project] = size
            self._moved.notify_all()

    def _step(self, project: str) -> int | None:
        """Fold one batch; return the position after it, or None if there was nothing to fold."""
        head = signed_head(self._ledger.checkpoint(project))
        position = self._tables.position(project)
        if position.size > head.size:
            raise EvidenceError(
                "rolled_back",
                f"the rows rest on {position.size} entries, the log has {head.size}: an older "
                "ledger.db was put here; run verify against a receipt, then admin rebuild",
            )
        end = min(head.size, position.size + self._batch_size)
        kept = self._log.kept(project, position.size, end)
        after = self._check(project, position, kept, head)
        if not kept:
            return None
        recorded = self._open(project, kept)
        with self._tables.write(project) as writing:
            if writing.position() != position:
                # Somebody rebuilt in between; take the next batch from where the rows are.
                return writing.position().size
            self._fold(writing, recorded)
            writing.set_position(after)
        return after.size

    def _check(
        self, project: str, position: Position, kept: Sequence[Kept], head: TreeHead
    ) -> Position:
        """Return the position after these entries; they must be those of the signed tree.

        Raises:
            EvidenceError: `damaged`: they, or the saved position, belong to another tree.
        """
        edge = Frontier(position.size, position.nodes)
        edge.extend(leaf_hash(one.entry) for one in kept)
        reached = TreeHead(edge.size, edge.root())
        node = node_from_tiles(lambda level, n: self._log.tile(project, level, n))
        try:
            path = consistency_path(reached.size, head.size, node) if reached.size else []
            verify_consistency(reached, head, path)
        except EvidenceError as error:
            raise EvidenceError(
                "damaged",
                f"entries {position.size} to {reached.size - 1} of {project}, or the rows before "
                f"them, do not lead to the signed root ({error.message}); run verify",
            ) from error
        return Position(edge.size, edge.nodes, reached.root)

    def _open(self, project: str, kept: Sequence[Kept]) -> list[Recorded]:
        keys = RangeKeys(self._keys, project, kept[0].index, kept[-1].index + 1)
        opened = []
        for one in kept:
            entry = read_entry(one.entry)
            body = keys.open_body(entry, one)
            opened.append(recorded_of(one, entry, body))
        return opened

    def _fold(self, writing: Writing, recorded: Sequence[Recorded]) -> None:
        writing.append(
            (line for one in recorded for line in mentions(one)),
            (line for one in recorded for line in links(one)),
            [arrival(one) for one in recorded],
        )
        self.index.add(writing.connection, writing.project, [found_by(one) for one in recorded])
        for projection in self._projections:
            fold_batch(writing, projection, recorded)


def fold_batch(writing: Writing, projection: Projection[Any], recorded: Sequence[Recorded]) -> None:
    """Fold entries into the rows of one noun, each version as its own.

    Versions do not depend on where a batch ends: the same log gives the same rows.
    """
    touched = [(one, projection.touches(one)) for one in recorded]
    keys = list(dict.fromkeys(key for _, keys in touched for key in keys))
    if not keys:
        return
    standing = writing.standing(projection.noun, keys)
    made: list[Version] = []
    for one, its_keys in touched:
        for key in dict.fromkeys(its_keys):
            before = standing.get(key)
            try:
                row = projection.after(key, before.row if before else None, one)
            except Exception as error:
                error.add_note(f"folding entry {one.index} into {projection.noun} {key!r}")
                raise
            if before is not None and (row is before.row or row == before.row):
                continue
            version = Version(key, before.first if before else one.index, one.index, row)
            standing[key] = version
            made.append(version)
    writing.add_versions(projection.noun, made)


def signed_head(checkpoint: bytes) -> TreeHead:
    """Return the head a checkpoint of our own ledger commits to."""
    return parse_checkpoint(parse_note(checkpoint).text).head


def _one_line(error: Exception) -> str:
    said = error.message if isinstance(error, CounterfoilError) else f"a defect: {error!r}"
    notes = getattr(error, "__notes__", ())
    return "; ".join((said, *notes)).splitlines()[0][:500]
