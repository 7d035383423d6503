"""The driver below the ledger's named statements: what they ask of SQLite, and of its files' names.

In a ledger it is the standard library's `sqlite3`.  The crash simulator brings another one, whose
disk it owns (`counterfoil.testing.driver`), so that the very statements and the very order of the
product run on a disk that can lose power.  The seam is as thin as it can be: a connection of
`sqlite3` is a `Connection` as it is, and nothing stands between it and the stores.

Errors of every driver are those of `sqlite3`, with `sqlite_errorname` set.
"""

import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from counterfoil.stores.file_system import sync_directory

BUSY_TIMEOUT_S = 5.0
REWRITE_BYTES = 1 << 20


class Rows(Protocol):
    """What one statement gave back."""

    @property
    def rowcount(self) -> int:
        """How many rows it changed."""
        ...

    def fetchone(self) -> Any:  # noqa: ANN401  a row is a tuple of what the statement names
        """Return the next row, None behind the last."""
        ...

    def fetchall(self) -> list[Any]:
        """Return the rows that are left."""
        ...

    def __iter__(self) -> Iterator[Any]: ...


class Connection(Protocol):
    """One connection, in autocommit: transactions begin and end by statements."""

    def execute(self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = ..., /) -> Rows:
        """Run one statement."""
        ...

    def executemany(self, sql: str, parameters: Iterable[Sequence[Any]], /) -> Rows:
        """Run one statement for each of some parameters."""
        ...

    def close(self) -> None:
        """Let go of the file."""
        ...


class Driver(Protocol):
    """How SQLite files are found, made and opened."""

    def size_bytes(self, path: Path) -> int | None:
        """Return the length of a file; None if no file stands there."""
        ...

    def create(self, path: Path) -> None:
        """Make an empty file of mode 0600.

        Raises:
            FileExistsError: something stands there.
        """
        ...

    def connect(self, path: Path, mode: str) -> Connection:
        """Open a file that stands there; `mode` is that of an SQLite URI, with what follows it."""
        ...

    def sync(self, path: Path) -> None:
        """Make a file's bytes and its length durable; one that is not there is no error.

        Raises:
            OSError: it is not known whether they are.
        """
        ...

    def rewrite(self, path: Path) -> None:
        """Write a file's bytes over themselves and make them durable, whatever was thought of them.

        After a sync that failed the kernel counts pages as written that are not; a further sync
        does nothing for them, and writing them once more does.

        Raises:
            OSError: it is not known whether they are.
        """
        ...

    def sync_names(self, directory: Path) -> None:
        """Make the names in a directory durable."""
        ...


class StandardDriver:
    """The standard library's SQLite, on the machine's own files."""

    def size_bytes(self, path: Path) -> int | None:
        """Return the length of a file; None if no file stands there."""
        return path.stat().st_size if path.is_file() else None

    def create(self, path: Path) -> None:
        """Make an empty file of mode 0600."""
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))

    def connect(self, path: Path, mode: str) -> Connection:
        """Open a file that stands there."""
        return sqlite3.connect(
            f"{path.absolute().as_uri()}?mode={mode}",
            uri=True,
            timeout=BUSY_TIMEOUT_S,
            isolation_level=None,
            check_same_thread=False,
        )

    def sync(self, path: Path) -> None:
        """Make a file's bytes and its length durable; one that is not there is no error."""
        try:
            handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def rewrite(self, path: Path) -> None:
        """Write a file's bytes over themselves and make them durable, whatever was thought of them."""
        handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            offset = 0
            while data := os.pread(handle, REWRITE_BYTES, offset):
                offset += os.pwrite(handle, data, offset)
            os.fsync(handle)
        finally:
            os.close(handle)

    def sync_names(self, directory: Path) -> None:
        """Make the names in a directory durable."""
        sync_directory(directory)


STANDARD = StandardDriver()
