"""Keys destroyed: the part of `erasable.db` that makes what is sealed unreadable for good.

A key that is destroyed may have sealed parts that are to stay.  Their own derived keys are kept
in its place (`piece_keys`); deriving goes one way, so they tell nothing of the key, and open
nothing but their own part.

What must hold: what is destroyed, what is kept in its place and how far erasures were carried out
change in one transaction.  If we crash before it, all of it is done again; after it, no key is
derived from twice.

Source: docs/adr/0032-erasing.md.
"""

from dataclasses import dataclass, field

from counterfoil.events.commitments import KEY_BYTES, Keys
from counterfoil.ids import Randomness
from counterfoil.stores import erasing_statements as sql
from counterfoil.stores.sqlite_open import Database


@dataclass(frozen=True, slots=True)
class PieceKey:
    """The keys of one part, to be kept in the place of its owner's.

    Args:
        project, index, name: which part.
        owner: `event`, or the pseudonym whose key sealed it.
        keys: its own.
    """

    project: str
    index: int
    name: str
    owner: str
    keys: Keys


@dataclass(slots=True)
class Destruction:
    """What one erasing event destroys, and what is kept in its place.

    Args:
        project, index: the event's entry.
        kept: keys of parts that outlive their owner's key.
        parts: (index, name) of the parts of this log that are erased.
        events: indices of this log whose event key goes.
        renewed: pseudonyms that get another key.
        gone: pseudonyms that go.
        blobs: stored names of the blobs whose key goes.
    """

    project: str
    index: int
    kept: list[PieceKey] = field(default_factory=list)
    parts: list[tuple[int, str]] = field(default_factory=list)
    events: list[int] = field(default_factory=list)
    renewed: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    blobs: list[str] = field(default_factory=list)


class ErasingKeys:
    """Destroys keys; every call is durable on return."""

    def __init__(self, db: Database, randomness: Randomness) -> None:
        self._db = db
        self._randomness = randomness

    def piece_keys(self, project: str, start: int, end: int) -> dict[tuple[int, str], Keys]:
        """Return what is kept of a range in the place of destroyed keys, by (index, name)."""
        with self._db.reading() as db:
            rows = db.execute(sql.SELECT_PIECE_KEYS, (project, start, end)).fetchall()
        return {(index, name): Keys(opening, sealing) for index, name, opening, sealing in rows}

    def upto(self, project: str) -> tuple[int, int]:
        """Return up to which size erasures of a log were carried out: in keys, in all copies."""
        with self._db.reading() as db:
            row = db.execute(sql.SELECT_UPTO, (project,)).fetchone()
        return (0, 0) if row is None else (row[0], row[1])

    def erasures(self, project: str) -> list[int]:
        """Return the entries of the events of a log whose keys were destroyed."""
        with self._db.reading() as db:
            return [index for (index,) in db.execute(sql.SELECT_ERASURES, (project,))]

    def count(self, project: str) -> int:
        """Return how many there are."""
        with self._db.reading() as db:
            [count] = db.execute(sql.COUNT_ERASURES, (project,)).fetchone()
        return int(count)

    def destroy(self, what: Destruction) -> None:
        """Destroy keys; after a crash all of it is done, or nothing."""
        project = what.project
        _, copies = self.upto(project)
        with self._db.transaction() as db:
            db.executemany(
                sql.PUT_PIECE_KEY,
                [
                    (
                        one.project,
                        one.index,
                        one.name,
                        one.owner,
                        one.keys.opening,
                        one.keys.sealing,
                    )
                    for one in what.kept
                ],
            )
            named = [(project, index, name) for index, name in what.parts]
            db.executemany(sql.DELETE_PIECE_KEY, named)
            db.executemany(sql.DELETE_EVENT_KEY, [(project, index) for index in what.events])
            fresh = [(self._randomness.token(KEY_BYTES), one) for one in what.renewed]
            db.executemany(sql.RENEW_PERSON, fresh)
            db.executemany(sql.DELETE_PERSON, [(one,) for one in what.gone])
            db.executemany(sql.DELETE_PIECE_KEYS_OF, [(one,) for one in what.gone])
            db.executemany(sql.DELETE_STORED_KEY, [(one,) for one in what.blobs])
            db.execute(sql.PUT_ERASURE, (project, what.index))
            db.execute(sql.PUT_UPTO, (project, what.index + 1, copies))

    def carried_out(self, project: str, size: int) -> None:
        """Note that every erasure among the first `size` entries is carried out, copies and all."""
        keys, copies = self.upto(project)
        if min(keys, copies) < size:
            with self._db.transaction() as db:
                db.execute(sql.PUT_UPTO, (project, max(keys, size), max(copies, size)))

    def truncate(self) -> bool:
        """Fold the write-ahead log into the file and empty it; False while somebody reads it."""
        return self._db.truncate()
