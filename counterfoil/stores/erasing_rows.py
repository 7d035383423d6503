"""Rows of `ledger.db` that erasing takes out: sealed parts whose key is destroyed, and guesses.

Without their key the sealed bytes say nothing; they go so that nothing is left to attack later.
The idempotency digest of an entry is a keyed digest of the whole event, so it goes with the first
part: whoever knows the rest could test a guess against it.

Source: docs/adr/0032-erasing.md.
"""

import json
from collections.abc import Iterable, Iterator, Sequence

from counterfoil.events import erasing
from counterfoil.events.entry import read_entry
from counterfoil.stores import erasing_statements as sql
from counterfoil.stores.sqlite_open import Database

STEP = 20_000
"""Entries looked at, or parts taken out, in one piece: appends wait for no longer than that."""
PARTS_AT_ONCE = 500


class ErasingRows:
    """Finds and takes out rows; each call to `take_out` is made of short transactions."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def events(self, project: str, start: int, end: int) -> list[int]:
        """Return the entries of a range that may erase.  Cost: reading the range."""
        found: list[int] = []
        with self._db.reading() as db:
            for first in range(start, end, STEP):
                scope = (project, first, min(first + STEP, end), *erasing.MARKS)
                found += [index for (index,) in db.execute(sql.SELECT_ERASING, scope)]
        return found

    def owned(self, project: str, owner: str, start: int, end: int) -> Iterator[tuple[int, str]]:
        """Yield (index, name) of the parts of a person in a range.  Cost: reading the range."""
        for first in range(start, end, STEP):
            scope = (project, first, min(first + STEP, end), owner)
            with self._db.reading() as db:
                rows = db.execute(sql.SELECT_OWNED, scope).fetchall()
            yield from rows

    def naming(self, stored: Iterable[str]) -> list[tuple[str, int, int, str]]:
        """Return (project, index, position, stored) of every entry that names one of some blobs.

        Cost: reading the whole table.
        """
        with self._db.reading() as db:
            return db.execute(sql.SELECT_NAMING, (json.dumps(list(stored)),)).fetchall()

    def take_out(self, project: str, parts: Sequence[tuple[int, str]]) -> None:
        """Take out sealed parts by (index, name), and mark their entries as erased.

        Durable on return.  What is gone already is no error: after a crash it is done again.
        """
        for first in range(0, len(parts), PARTS_AT_ONCE):
            some = parts[first : first + PARTS_AT_ONCE]
            with self._db.transaction() as db:
                db.executemany(sql.DELETE_PART, [(project, index, name) for index, name in some])
                for index in {index for index, _ in some}:
                    row = db.execute(sql.SELECT_KEY_OF, (project, index)).fetchone()
                    if row is not None:
                        entry = read_entry(row[0])
                        db.execute(sql.MARK_IDEM, (project, entry.source, entry.id))

    def truncate(self) -> bool:
        """Fold the write-ahead log into the file and empty it; False while somebody reads it."""
        return self._db.truncate()
