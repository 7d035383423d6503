"""`_aggregate`: one more log, of the checkpoints of every log of this ledger.

Who witnesses, mirrors or time-stamps this one log covers all of them.  Each entry is what a
witness would be sent: the size that stands before it, a consistency proof from there, and the
signed checkpoint.  So an entry proves by itself that nothing before it was rewritten, and nothing
is appended whose proof does not hold.

It is an ordinary log with a database, a key and an export of its own, kept by the same code; its
entries are no events.  Losing `aggregate.db` loses no event.

If we crash between two entries, the next one starts from the last that is on record.

Its database stands before its key, so a key without a database is a database that was taken away.
A log begun anew would be a second history under that key: it is refused, and everything else goes on.

Source: docs/adr/0023; the entry is an add-checkpoint body of C2SP tlog-witness.
"""

import hashlib
import logging
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Final, cast

from counterfoil.app.witnesses import WitnessedLog
from counterfoil.clock import Clock
from counterfoil.errors import CounterfoilError, EvidenceError, UnavailableError
from counterfoil.ledger.append import Ledger
from counterfoil.ledger.store import Item, KeyStore
from counterfoil.stores.files import PublicFiles, os_errors_translated
from counterfoil.stores.sqlite import SqliteLogStore
from counterfoil.tlog.checkpoint_text import parse_checkpoint
from counterfoil.tlog.keys import SignerKey
from counterfoil.tlog.note_text import parse_note
from counterfoil.tlog.proof import consistency_path
from counterfoil.tlog.tile import node_from_tiles
from counterfoil.tlog.tree import EMPTY_ROOT, TreeHead
from counterfoil.tlog.witness import (
    AddCheckpoint,
    Refused,
    extends,
    parse_add_checkpoint,
    write_add_checkpoint,
)
from counterfoil.verifier.aggregate import AGGREGATE

FILE_NAME: Final = "aggregate.db"
READ_AT_ONCE: Final = 256
WAIT_S: Final = 30.0

_log = logging.getLogger(__name__)


def make_store(directory: Path, keys: Path) -> None:
    """Make the database of an aggregate log that was never begun; call it before there is a key.

    If we crash before the key stands, the next start finds an empty database and goes on.

    Args:
        directory: the ledger.
        keys: where its keys are.

    Raises:
        EvidenceError: `missing`: there is a key, and no database.
        UnavailableError: `storage`, `read_only`.
    """
    path = directory / FILE_NAME
    with os_errors_translated(path):
        if path.exists():
            return
        if any((keys / f"{AGGREGATE}{suffix}").exists() for suffix in (".vkey", ".key")):
            raise EvidenceError(
                "missing",
                f"{path} is gone, and begun anew it would be a second history under one key: stop"
                f" the server, then `counterfoil fsck --repair` makes it again from"
                f" public/{AGGREGATE}; without that too, restore either from a backup",
            )
    SqliteLogStore(path, create=True).close()


class Aggregate:
    """The aggregate log of one ledger directory.

    Args:
        directory: the ledger; `aggregate.db` stands in it, see `make_store`.
        signer: the key of this log.
        public: where it is exported.
        clock: tells when a commit was.

    Raises:
        EvidenceError: what is stored or published does not hold; nothing was changed.
        UnavailableError: `storage`, `read_only`.
    """

    def __init__(
        self, directory: Path, signer: SignerKey, public: PublicFiles, clock: Clock
    ) -> None:
        self.store = SqliteLogStore(directory / FILE_NAME)
        try:
            if not self.store.projects():
                self.store.create_log(AGGREGATE, signer.name)
            self.ledger = Ledger(
                self.store, cast(KeyStore, _NoKeys()), {AGGREGATE: signer}, public, clock
            )
            self.ledger.open()
        except BaseException:
            self.store.close()
            raise
        self._writing = threading.Lock()
        self._seen: dict[str, TreeHead] | None = None
        self._sizes: dict[int, dict[str, int]] = {}

    def write(self, sources: Sequence[WitnessedLog]) -> int:
        """Append the checkpoints of logs that have grown; return how many entries that made.

        Raises:
            EvidenceError: `forked`: a log does not extend what is on record of it.  Its
                checkpoint was not written; those of the others were.
            UnavailableError: `storage`, `stopping`: try again later.
        """
        with self._writing:
            if self._seen is None:
                end = self.ledger.status(AGGREGATE).size
                self._seen = self._last_heads({one.origin for one in sources}, end)
            items, heads, forked = [], {}, []
            for source in sources:
                held = self._seen.get(source.origin, TreeHead(0, EMPTY_ROOT))
                note = source.checkpoint()
                try:
                    head, entry = _entry(note, source, held)
                except Refused as refusal:
                    forked.append(f"{source.origin}: {refusal.message}")
                    continue
                if head.size > held.size:
                    items.append(_item(source.origin, head, entry))
                    heads[source.origin] = head
            if items:
                try:
                    self.ledger.append(AGGREGATE, items).result(WAIT_S)
                except TimeoutError as error:
                    self._seen = None  # it may come true yet: look before the next one
                    raise UnavailableError(
                        "storage", "the aggregate log does not answer"
                    ) from error
                self._seen |= heads
        if forked:
            raise EvidenceError("forked", f"not aggregated: {'; '.join(forked)}")
        return len(items)

    def sizes(self, origins: set[str], end: int) -> dict[str, int]:
        """Return how many entries of each log the first `end` entries here vouch for.

        Args:
            origins: of the logs.
            end: how many of these entries count.

        Cost: reads back to the last entry of each log, once for each `end`.

        Raises:
            EvidenceError: an entry is no checkpoint.
        """
        held = self._sizes.get(end)
        if held is None:
            heads = self._last_heads(origins, end)
            held = {name: head.size for name, head in heads.items()}
            # Of the newest end and of the stamped one; others are asked for no more.
            self._sizes = {**dict(list(self._sizes.items())[-1:]), end: held}
        return held

    def close(self) -> None:
        """Export and let go of the files."""
        try:
            self.ledger.close()
        except CounterfoilError as error:
            _log.error("the export of the aggregate log broke off: %s", error)
        finally:
            self.store.close()

    def _last_heads(self, origins: set[str], end: int) -> dict[str, TreeHead]:
        """Return the last head on record of each log in the first `end` entries, from the end."""
        seen: dict[str, TreeHead] = {}
        while end and not origins <= seen.keys():
            start = max(0, end - READ_AT_ONCE)
            for entry in reversed(self.store.entries(AGGREGATE, start, end)):
                checkpoint = parse_checkpoint(parse_note(parse_add_checkpoint(entry).note).text)
                seen.setdefault(checkpoint.origin, checkpoint.head)
            end = start
        return seen


def _entry(note: bytes, source: WitnessedLog, held: TreeHead) -> tuple[TreeHead, bytes]:
    """Return the head of a checkpoint and its entry, with a proof that was checked.

    Raises:
        Refused: the log is not what is on record of it.
        EvidenceError: its tiles or its signature do not hold.
    """
    checkpoint = source.trust().verify_checkpoint(note)
    if checkpoint.size < held.size:
        raise Refused(409, f"{held.size} entries are on record, it has {checkpoint.size}")
    node = node_from_tiles(source.read_tile)
    path = tuple(consistency_path(held.size, checkpoint.size, node)) if held.size else ()
    request = AddCheckpoint(held.size, path, note)
    extends(held, request, checkpoint)
    return checkpoint.head, write_add_checkpoint(request)


def _item(origin: str, head: TreeHead, entry: bytes) -> Item:
    return Item(
        source=origin,
        id=str(head.size),
        digest=hashlib.sha256(entry).digest(),
        entry=entry,
        event_key=bytes(32),
        salt=bytes(16),
        sealed=(),
        blobs=(),
    )


class _NoKeys:
    """What appending asks of a key store, for entries that have nothing to open."""

    def put_event_keys(self, project: str, first: int, keys: Sequence[bytes]) -> None:
        """Keep nothing."""

    def event_key(self, project: str, index: int) -> bytes | None:
        """Return the constant under which idempotency digests are compared."""
        del project, index
        return bytes(32)
