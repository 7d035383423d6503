"""What stands beside the entries of the aggregate log in its database.

Its entries are no events: nothing is sealed and nobody is named, so there is one value every cell
can have.  The salt is 16 zero bytes, there are no pieces and no blobs, and the idempotency row
has the origin and the size of the checkpoint, and a digest under a key of 32 zero bytes.

Source: app/aggregate.py, the schema in stores/sqlite_statements.py.
"""

import hmac
from collections.abc import Sequence

from counterfoil.errors import EvidenceError
from counterfoil.events import commitments
from counterfoil.tlog.checkpoint_text import parse_checkpoint
from counterfoil.tlog.note_text import parse_note
from counterfoil.tlog.witness import parse_add_checkpoint
from counterfoil.verifier import rules
from counterfoil.verifier.kept import KeptRows, RowNames
from counterfoil.verifier.report import Findings

SALT = bytes(commitments.SALT_BYTES)
KEY = bytes(commitments.KEY_BYTES)


class AggregateRowsCheck:
    """Checks the rows beside the entries of an aggregate log; `verifier.ledger.Beside`.

    Args:
        rows: where rows come from.
        findings: where findings go.
        names: how rows are called.
    """

    def __init__(self, rows: KeptRows, findings: Findings, names: RowNames) -> None:
        self._rows = rows
        self._findings = findings
        self._names = names
        self._posted: dict[tuple[str, str], int] = {}
        # Of an entry that is not the tree's, the row cannot be looked up: it is no stray for that.
        self._unread: set[int] = set()

    @property
    def listed(self) -> int:
        """Return how many idempotency keys were found to be there."""
        return len(self._posted)

    def bundle(self, first: int, entries: Sequence[bytes | None]) -> None:
        """Check the rows of some entries; None stands for an entry that is not the tree's."""
        end = first + len(entries)
        for index, salt in self._rows.salts(first, end).items():
            if salt != SALT:
                self._damaged("entries", index, "salt", "the aggregate log uses none: zero bytes")
        for table, found in (
            ("bodies", self._rows.pieces(first, end)), ("blobs", self._rows.blobs(first, end)),
        ):  # fmt: skip
            for index in found:
                self._damaged(table, index, "", "an entry of the aggregate log has none")
        for index, entry in enumerate(entries, first):
            if entry is not None:
                self._check_idem(index, entry)
            else:
                self._unread.add(index)

    def finish(self) -> None:
        """Report idempotency rows that are of no entry, by the index they lead to."""
        if self._rows.idem_count() == len(self._posted):
            return
        for source, name, index in self._rows.idem_keys():
            if (source, name) not in self._posted and index not in self._unread:
                message = f"({source[:64]!a}, {name[:64]!a}) is the key of no entry"
                self._damaged("idem", index, "source or id", message)

    def _check_idem(self, index: int, entry: bytes) -> None:
        try:
            note = parse_note(parse_add_checkpoint(entry).note)
            checkpoint = parse_checkpoint(note.text)
        except EvidenceError:
            return  # a finding already, where the exported log is read
        posted = checkpoint.origin, str(checkpoint.size)
        row = self._rows.idem([posted]).get(posted)
        if row is None:
            name = self._names.row("idem", index)
            self._findings.add("missing", name, "the entry's key is not there", index)
            return
        self._posted[posted] = index
        if row.index != index:
            self._damaged("idem", index, "idx", f"it leads to entry {row.index}")
        if not hmac.compare_digest(rules.idem_digest(KEY, entry), row.digest):
            self._damaged("idem", index, "digest", "not the digest of the entry")

    def _damaged(self, table: str, index: int, column: str, message: str) -> None:
        name = self._names.row(table, index, column)
        self._findings.add("damaged", name, message, index)
