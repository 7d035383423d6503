"""Which key signs a log, asked of a database that nobody opens: `admin doctor`, a restore.

It is read as `verify` reads it, and nothing is made beside it.  A database that cannot be read
says nothing: whoever asks judges that by itself, and the key in its file counts here.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

from counterfoil.app.key_files import KeyFolder
from counterfoil.app.signing import Chain, read_chain
from counterfoil.client.evidence_sqlite import connect
from counterfoil.errors import CounterfoilError
from counterfoil.ledger.store import LogInfo
from counterfoil.stores import sqlite_statements as sql
from counterfoil.tlog.keys import VerifierKey


class RestingLog:
    """The entries of a database at rest, as far as keys are followed in them."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def find(self, project: str, source: str, event_id: str) -> int | None:
        """Return the index of the entry recorded under an idempotency key."""
        row = self._db.execute(sql.SELECT_IDEM, (project, source, event_id)).fetchone()
        return None if row is None else int(row[0])

    def entries(self, project: str, start: int, end: int) -> list[bytes]:
        """Return entry bytes from `start` up to `end` or the last entry."""
        rows = self._db.execute(sql.SELECT_ENTRIES, (project, start, end))
        return [bytes(entry) for _, entry in rows]


def chain_at_rest(ledger: Path, keys: Path, project: str, stated: VerifierKey) -> Chain:
    """Return the keys of a log as its entries say it.

    Args:
        ledger: the database.
        keys: the directory of its keys, of which the earlier ones are read.
        project: whose log.
        stated: the key of `keys/PROJECT.vkey`.
    """
    try:
        old = KeyFolder(keys, project).old()
        with closing(connect(ledger)) as db:
            first = old[0][0] if old else stated
            return read_chain(RestingLog(db), LogInfo(project, stated.name), first)
    except (CounterfoilError, sqlite3.Error, ValueError, TypeError):
        return Chain(stated)
