"""Copies of SQLite files while somebody writes them: one commit, whole, or no file.

The copy goes through SQLite's own backup calls over a read-only connection: it holds one read
transaction, so it is one commit of the source, and the writer goes on meanwhile (its write-ahead
log grows until the copy is done).  Copying the files themselves would mix commits.

Free pages are copied as they are: what a deletion left in them comes along, unless the source
overwrites what it deletes.

Source: https://sqlite.org/c3ref/backup_finish.html, https://sqlite.org/backup.html.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from counterfoil.errors import UnavailableError
from counterfoil.stores.sqlite_driver import BUSY_TIMEOUT_S, Connection
from counterfoil.stores.sqlite_open import Database, Kind, translated

PAGES_A_STEP: Final = 1_024
"""16 MiB of the larger pages: a full disk is noticed after so much."""


@contextmanager
def one_commit(path: Path, kind: Kind) -> Iterator["Source"]:
    """Hold a database at one commit for a block, to be read and copied.

    Args:
        path: of a file in WAL mode; nobody is kept from writing it.
        kind: what it has to be.

    Raises:
        RequestError: `not_a_ledger`.
        EvidenceError: `damaged`.
        UnavailableError: `storage`, `locked`.
    """
    database = Database(path, kind, write=False)
    try:
        with database.snapshot() as connection:
            # A read transaction begins with the first read, not with BEGIN.
            connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
            yield Source(connection, kind.name)
    finally:
        database.close()


class Source:
    """A database held at one commit.

    Args:
        connection: a reading one, in a transaction.
        name: for messages.
    """

    def __init__(self, connection: Connection, name: str) -> None:
        self.connection = connection
        self._name = name

    def copy(self, to: Path) -> None:
        """Write this commit to a file that is absent; durable on return, its name is not.

        Raises:
            UnavailableError: `storage`: the disk is full, or fails; part of the file may stand.
        """
        assert isinstance(self.connection, sqlite3.Connection)
        _copy(self.connection, to, self._name)


def copy_beside(path: Path, to: Path) -> None:
    """Copy a database in rollback-journal mode, which several processes write in short turns.

    It is opened for writing, as they do: what one of them left unfinished can only be rolled back
    by who may write.

    Raises:
        UnavailableError: `storage`, `locked`, `read_only`.
    """
    with translated(path.name):
        source = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=BUSY_TIMEOUT_S,
            isolation_level=None,
        )  # fmt: skip
    with closing(source):
        _copy(source, to, path.name)


def _copy(source: sqlite3.Connection, to: Path, name: str) -> None:
    os.close(os.open(to, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_NOFOLLOW, 0o600))
    with translated(f"the copy of {name}"):
        target = sqlite3.connect(to, isolation_level=None)
        with closing(target):
            # Nobody reads it before it is whole, and it is synced once, below.
            target.execute("PRAGMA journal_mode = OFF")
            target.execute("PRAGMA synchronous = OFF")
            source.backup(target, pages=PAGES_A_STEP)
    with to.open("rb") as written:
        try:
            os.fsync(written.fileno())
        except OSError as error:
            raise UnavailableError(
                "storage", f"{to}: {error.strerror}; check the disk, then try again"
            ) from error
