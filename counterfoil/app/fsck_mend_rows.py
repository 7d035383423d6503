"""Idempotency rows, derived again: the key stands in the entry, the digest follows from the event.

The digest is keyed with the event's own key, so a row can only be made again while that key is
there and everything the event was opens.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from counterfoil.app.fsck_mend_log import RowMend
from counterfoil.app.opening import Pieces, open_all
from counterfoil.client.evidence_rows import SqliteRows
from counterfoil.errors import CounterfoilError, EvidenceError
from counterfoil.events import codec
from counterfoil.events.entry import read_entry
from counterfoil.events.erasing import IDEM_ERASED
from counterfoil.ledger.store import Kept, Person, Sealed
from counterfoil.stores import sqlite_statements as sql
from counterfoil.tlog.checkpoint_text import parse_checkpoint
from counterfoil.tlog.note_text import parse_note
from counterfoil.tlog.witness import parse_add_checkpoint
from counterfoil.verifier import aggregate_rows, rules
from counterfoil.verifier.kept import RowNames

FROM_EVENT: Final = "from the opened event"

Posted = tuple[str, str]
KeyOf = Callable[[bytes], Posted]
DigestOf = Callable[[int, bytes], bytes]


class IdemPlan:
    """What has to be written to the idempotency rows of one log.

    Args:
        project: whose log.
        rows: of a database whose entries are those of the log.
        names: how rows are called.
        events: whether entries are events; those of the aggregate log are checkpoints.
    """

    def __init__(
        self, project: str, rows: SqliteRows, names: RowNames, *, events: bool = True
    ) -> None:
        self.refused: list[str] = []
        self._project = project
        self._rows = rows
        self._names = names
        self._key_of: KeyOf = _event_key_of if events else _checkpoint_key_of
        self._digest_of: DigestOf = self._event_digest if events else _checkpoint_digest

    def mends(self, suspects: Sequence[int]) -> Iterator[RowMend]:
        """Yield the rows of some entries that are not as they should be, and those of no entry.

        Args:
            suspects: entries, indices from 0.
        """
        yield from self._strays()
        for index in sorted(set(suspects)):
            entry = self._rows.entries(index, index + 1).get(index)
            if entry is None:
                continue
            mend = self._row(index, entry)
            if mend is not None:
                yield mend

    def _row(self, index: int, entry: bytes) -> RowMend | None:
        name = self._names.row("idem", index)
        try:
            key = self._key_of(entry)
            digest = self._digest_of(index, entry)
        except CounterfoilError as error:
            self.refused.append(f"{name}: {error.message}")
            return None
        row = self._rows.idem([key]).get(key)
        if row is not None and (row.index, row.digest) == (index, digest):
            return None
        was = None if row is None else b"%d " % row.index + row.digest.hex().encode()
        return RowMend(
            object=name, how=FROM_EVENT, log=self._project, first=index, last=index, was=was,
            statement=sql.MEND_IDEM, values=(self._project, *key, index, digest),
        )  # fmt: skip

    def _strays(self) -> Iterator[RowMend]:
        for source, event_id, index in self._rows.idem_keys():
            entry = self._rows.entries(index, index + 1).get(index) if index >= 0 else None
            if entry is not None:
                try:
                    if self._key_of(entry) == (source, event_id):
                        continue
                except EvidenceError:
                    continue
            if self._is_of_another(source, event_id):
                continue
            key = (_bytes(source), _bytes(event_id))
            yield RowMend(
                object=self._names.row("idem", index), how="a row of no entry: taken out",
                log=self._project, was=b"\0".join(key),
                statement=sql.DELETE_IDEM, values=(self._project, *key),
            )  # fmt: skip

    def _is_of_another(self, source: str, event_id: str) -> bool:
        """Say whether an entry has this key: then its row is mended, and not taken out."""
        last = self._rows.last_index()
        for start in range(0, last + 1, 256):
            for entry in self._rows.entries(start, min(start + 256, last + 1)).values():
                try:
                    if self._key_of(entry) == (source, event_id):
                        return True
                except EvidenceError:
                    continue
        return False

    def _event_digest(self, index: int, data: bytes) -> bytes:
        """Return the digest of an event that opens whole; EvidenceError otherwise."""
        rows, end = self._rows, index + 1
        if rows.erasures().touches(index, read_entry(data)):
            return IDEM_ERASED
        key = (rows.event_keys(index, end) or {}).get(index)
        if key is None:
            raise EvidenceError("missing", "the event's key is gone, and with it its digest")
        pieces = rows.pieces(index, end).get(index, ())
        sealed = tuple(Sealed(one.name, one.owner, one.data) for one in pieces)
        kept = Kept(index, data, rows.salts(index, end).get(index, b""), sealed, ())
        entry = read_entry(data)
        opened = open_all(entry, kept, _Keys(rows, key), self._project)
        if opened.body is None or {one.name for one in pieces} != rules.piece_names(entry):
            raise EvidenceError("missing", "not everything of the event is there to be digested")
        return rules.idem_digest(key, codec.write_joined(entry, opened.body, opened.personal))


class _Keys:
    """The keys of one event; `counterfoil.app.opening.OpeningKeys`."""

    def __init__(self, rows: SqliteRows, key: bytes) -> None:
        self._rows = rows
        self._key = key

    def event_key(self, project: str, index: int) -> bytes | None:
        """Return the key of the entry."""
        del project, index
        return self._key

    def person_by_pseudonym(self, pseudonym: str) -> Person | None:
        """Return the person behind a pseudonym; a person who is gone leaves the event closed."""
        found = self._rows.person(pseudonym)
        if found is None:
            raise EvidenceError("missing", f"the key of {pseudonym} is gone")
        return Person(pseudonym, found.account, found.key)

    def piece_keys(self, project: str, start: int, end: int) -> Pieces:
        """Return the keys of parts that outlived their owner's."""
        del project
        return self._rows.piece_keys(start, end)


def _event_key_of(data: bytes) -> Posted:
    entry = read_entry(data)
    return entry.source, entry.id


def _checkpoint_key_of(data: bytes) -> Posted:
    checkpoint = parse_checkpoint(parse_note(parse_add_checkpoint(data).note).text)
    return checkpoint.origin, str(checkpoint.size)


def _checkpoint_digest(index: int, data: bytes) -> bytes:
    del index
    return rules.idem_digest(aggregate_rows.KEY, data)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
