"""The ledger's named statements over apsw, on the simulated disk.

The errors are those of the standard library's driver, so the product takes them for what they
are: `sqlite3.OperationalError` with `sqlite_errorname`, as its translation expects.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw

from counterfoil.testing.calls import Calls
from counterfoil.testing.vfs import NAME, simulated_vfs


class SimulatedRows:
    """What one statement gave back, all of it at once."""

    def __init__(self, rows: list[Any], rowcount: int) -> None:
        self._rows = iter(rows)
        self.rowcount = rowcount

    def fetchone(self) -> Any:  # noqa: ANN401  a row is a tuple of what the statement names
        """Return the next row, None behind the last."""
        return next(self._rows, None)

    def fetchall(self) -> list[Any]:
        """Return the rows that are left."""
        return list(self._rows)

    def __iter__(self) -> Iterator[Any]:
        return self._rows


class SimulatedConnection:
    """One connection of one simulated process."""

    def __init__(self, inner: apsw.Connection) -> None:
        self._inner = inner

    def execute(self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = (), /) -> Any:  # noqa: ANN401  rows as the standard library's
        """Run one statement."""
        with _as_standard():
            rows = self._inner.execute(sql, parameters).fetchall()
            return SimulatedRows(rows, self._inner.changes())

    def executemany(self, sql: str, parameters: Iterable[Sequence[Any]], /) -> Any:  # noqa: ANN401  rows as the standard library's
        """Run one statement for each of some parameters."""
        with _as_standard():
            self._inner.executemany(sql, parameters)
            return SimulatedRows([], self._inner.changes())

    def close(self) -> None:
        """Let go of the file."""
        with _as_standard():
            self._inner.close()

    def drop(self) -> None:
        """Close it, whatever it was at."""
        self._inner.close(force=True)


class SimulatedDriver:
    """How a simulated process finds, makes and opens SQLite files.

    Args:
        calls: of the process.
        autocheckpoint_pages: when the writer folds its write-ahead log into the file; small, so
            that short histories have many of these moments.
    """

    def __init__(self, calls: Calls, autocheckpoint_pages: int) -> None:
        self._calls = calls
        self._autocheckpoint_pages = autocheckpoint_pages
        self._open: list[SimulatedConnection] = []
        simulated_vfs().register(calls)

    def size_bytes(self, path: Path) -> int | None:
        """Return the length of a file; None if no file stands there."""
        file = self._calls.find(str(path))
        return None if file is None else len(file.cached)

    def create(self, path: Path) -> None:
        """Make an empty file."""
        self._calls.create(str(path))

    def connect(self, path: Path, mode: str) -> SimulatedConnection:
        """Open a file that stands there.

        Nobody waits for a lock: who holds one here does not move meanwhile.
        """
        with _as_standard():
            inner = apsw.Connection(
                f"file:/{self._calls.name}{path}?mode={mode}",
                flags=apsw.SQLITE_OPEN_URI | apsw.SQLITE_OPEN_READWRITE,
                vfs=NAME,
            )
            connection = SimulatedConnection(inner)
            self._open.append(connection)
            inner.execute("PRAGMA temp_store = MEMORY")
            inner.wal_autocheckpoint(self._autocheckpoint_pages)
            return connection

    def sync(self, path: Path) -> None:
        """Make a file's bytes and its length durable; one that is not there is no error."""
        file = self._calls.find(str(path))
        if file is not None:
            self._calls.sync(file, str(path))

    def rewrite(self, path: Path) -> None:
        """Write a file's bytes over themselves and make them durable, whatever was thought of them."""
        file = self._calls.find(str(path))
        if file is None:
            raise FileNotFoundError(path)
        size_bytes = self.size_bytes(path) or 0
        data = self._calls.read(file, str(path), 0, size_bytes)
        self._calls.write(file, str(path), 0, data)
        self._calls.sync(file, str(path))

    def sync_names(self, directory: Path) -> None:
        """Make the names in a directory durable."""
        self._calls.sync_directory(str(directory))

    def drop(self) -> None:
        """Take all connections of an ended process away: nothing they do reaches the disk."""
        with self._calls.vanishing():
            while self._open:
                self._open.pop().drop()


@contextmanager
def _as_standard() -> Iterator[None]:
    try:
        yield
    except apsw.Error as error:
        raise as_standard(error) from error


def as_standard(error: apsw.Error) -> sqlite3.Error:
    """Return the standard library's error for one of apsw's."""
    code = getattr(error, "extendedresult", apsw.SQLITE_ERROR)
    name = apsw.mapping_extended_result_codes.get(code) or apsw.mapping_result_codes[code & 0xFF]
    if isinstance(error, apsw.ConstraintError):
        kind: type[sqlite3.Error] = sqlite3.IntegrityError
    elif isinstance(error, apsw.CorruptError | apsw.NotADBError):
        kind = sqlite3.DatabaseError
    else:
        kind = sqlite3.OperationalError
    standard = kind(str(error))
    standard.sqlite_errorname = str(name)
    return standard
