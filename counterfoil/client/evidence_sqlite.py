"""How the databases of a ledger are opened for reading only, and what may be believed of them.

Nothing is written, and no lock keeps a server waiting.  Three cases:

- No write-ahead log beside the file, or an empty one: nobody is writing and the file alone is
  complete.  It is opened `immutable=1`, which takes no lock and makes no file.
- A write-ahead log and its index (`-shm`): a server is running.  `mode=ro` joins it; one read
  transaction sees one commit, and no file is made.
- A write-ahead log without its index: a copy, or the rest of a crash.  `mode=ro` reads it, and
  SQLite makes the `-shm` file, the only file this program can be the cause of.  In a directory
  that takes no writes this is `UnavailableError`: the file alone would be an earlier state.

The file may be hostile: views, triggers and tables other than ours are findings, and what a
schema can call is not trusted.  Source: https://sqlite.org/wal.html#read_only_databases.
"""

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from counterfoil.errors import EvidenceError, UnavailableError
from counterfoil.verifier.report import Findings

BUSY_TIMEOUT_S = 10.0
MAX_INTEGRITY_MESSAGES = 20
STEPS_BETWEEN = 10_000
"""Instructions of SQLite's machine between two questions whether to go on: under a millisecond."""

Value = TypeVar("Value", int, str, bytes)
_STAND_IN: dict[type, tuple[int, ...]] = {int: (-1,)}

# What SQLite answers when the fault lies outside the file; every other error is the file's.
_OUTSIDE = (
    "SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_CANTOPEN", "SQLITE_PERM", "SQLITE_AUTH",
    "SQLITE_READONLY", "SQLITE_INTERRUPT", "SQLITE_FULL",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Kind:
    """What a database has to be.

    Args:
        name: for findings: `ledger.db`.
        application_id: the mark in the file's header.
        version: its layout.
        columns: table -> its columns.
        earlier: earlier layouts that are read here -> their tables and columns.  A copy that was
            made before an upgrade is evidence as it is.
        spelled: earlier layout -> column -> the SQL for what stands there, as `version` has it.
    """

    name: str
    application_id: int
    version: int
    columns: dict[str, tuple[str, ...]]
    earlier: Mapping[int, dict[str, tuple[str, ...]]] = field(default_factory=dict)
    spelled: Mapping[int, Mapping[str, str]] = field(default_factory=dict)


class Damaged(EvidenceError):  # noqa: N818  the house names errors by what they say
    """SQLite itself cannot read the file; it is reported already."""

    def __init__(self, name: str) -> None:
        super().__init__("damaged", f"{name} cannot be read")


class EvidenceDatabase:
    """One database in one read transaction; close it.

    Args:
        path: the file.
        kind: what it has to be.
        findings: where findings go.

    Raises:
        Damaged: reported already; nothing more can be read.
        UnavailableError: `storage`.
    """

    def __init__(self, path: Path, kind: Kind, findings: Findings) -> None:
        self._path = path
        self._kind = kind
        self._findings = findings
        self._columns = kind.columns
        self._spelled: Mapping[str, str] = {}
        with self._errors():
            self._db = connect(path)
        try:
            with self._errors():
                self._db.text_factory = _text
                self._db.execute("PRAGMA trusted_schema = OFF")
                self._db.execute("PRAGMA cell_size_check = ON")
                self._db.execute("PRAGMA query_only = ON")
                self._db.execute("BEGIN")
                self._check_schema()
        except BaseException:
            self._db.close()
            raise

    @property
    def name(self) -> str:
        """How the database is called in findings."""
        return self._kind.name

    def has(self, table: str) -> bool:
        """Say whether a file of this layout has a table."""
        return table in self._columns

    def spelled(self, columns: Sequence[str]) -> str:
        """Return what to SELECT for these columns, whatever layout the file has."""
        return ", ".join(self._spelled.get(column, column) for column in columns)

    def stop_when(self, asked: Callable[[], bool]) -> None:
        """Break statements off as soon as `asked` says so: they end as UnavailableError."""
        self._db.set_progress_handler(asked, STEPS_BETWEEN)

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def rows(self, statement: str, values: Sequence[object] = ()) -> Iterator[tuple[object, ...]]:
        """Yield the rows of one SELECT.

        Raises:
            Damaged: reported already.
        """
        with self._errors():
            yield from self._db.execute(statement, values)

    def cells(
        self, statement: str, values: Sequence[object], kinds: tuple[type, ...]
    ) -> list[tuple[Any, ...]]:
        """Return the rows of one SELECT at once, each cell of its column's type.

        Raises:
            Damaged: reported already, text that is not UTF-8 included.
            EvidenceError: `damaged`: a cell is of another type.
        """
        with self._errors():
            self._db.text_factory = str
            try:
                found = self._db.execute(statement, values).fetchall()
            finally:
                self._db.text_factory = _text
        for column, kind in zip(zip(*found, strict=True), kinds, strict=False):
            if set(map(type, column)) != {kind}:
                raise EvidenceError("damaged", f"a cell that is not {kind.__name__}")
        return found

    def value(self, value: object, kind: type[Value], cell: str, index: int | None) -> Value:
        """Return a cell as the type its column has; another type is a finding.

        What stands in for a cell of another type, -1 or nothing, equals nothing that is stored.
        """
        if isinstance(value, kind):
            return value
        message = f"a {type(value).__name__} where {kind.__name__} belongs"
        self._findings.add("damaged", cell, message, index)
        return kind(*_STAND_IN.get(kind, ()))

    def check_pages(self) -> None:
        """Let SQLite check its own pages and indices, and report what it says."""
        statement = f"PRAGMA integrity_check({MAX_INTEGRITY_MESSAGES})"
        for (text,) in list(self.rows(statement)):
            if text != "ok":
                lines = str(text).split("\n")
                self._findings.add("damaged", self._kind.name, f"SQLite: {'; '.join(lines)}")

    def _check_schema(self) -> None:
        name, kind = self._kind.name, self._kind
        [(mark,)] = self._db.execute("PRAGMA application_id").fetchall()
        [(version,)] = self._db.execute("PRAGMA user_version").fetchall()
        if mark == kind.application_id and version in kind.earlier:
            self._columns = kind.earlier[version]
            self._spelled = kind.spelled.get(version, {})
        elif mark == kind.application_id and version > kind.version:
            # Whoever may write the file could say so of any: it is not whole until that is done.
            message = (
                f"layout {version}, of a later version of Counterfoil than this one, which reads"
                f" layout {kind.version}: verify with that version"
            )
            self._findings.add("damaged", f"{name} header", message)
        elif (mark, version) != (kind.application_id, kind.version):
            message = f"header mark {mark} and layout {version}, not {kind.application_id} and {kind.version}"
            self._findings.add("damaged", f"{name} header", message)
        found = set()
        for form, table, owner in self._db.execute(
            "SELECT type, name, tbl_name FROM sqlite_schema"
        ):
            known = owner in self._columns and (form == "table" or str(table).startswith("sqlite_"))
            if form not in {"table", "index"} or not known:
                self._findings.add(
                    "damaged", f"{name} schema {form} {table}", "does not belong here"
                )
            elif form == "table":
                found.add(table)
        for table, columns in self._columns.items():
            if table not in found:
                self._findings.add("missing", f"{name} table {table}", "the table is not there")
                raise Damaged(name)
            listed = [row[1] for row in self._db.execute(f"PRAGMA table_info({table})")]
            if tuple(listed) != columns:
                self._findings.add("damaged", f"{name} schema table {table}", f"columns {listed}")
                raise Damaged(name)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.ProgrammingError:
            raise  # a mistake of ours, and nothing about the file
        except (sqlite3.Error, OverflowError, MemoryError, UnicodeError) as error:
            code = getattr(error, "sqlite_errorname", type(error).__name__)
            # A file that ends too early is damaged; a disk that does not answer is not.
            disk = code.startswith("SQLITE_IOERR") and code != "SQLITE_IOERR_SHORT_READ"
            if disk or code.startswith(_OUTSIDE):
                raise UnavailableError(
                    "storage", f"{self._path} cannot be read: {error} ({code}); try again"
                ) from error
            message = f"SQLite cannot read it: {error} ({code})"
            self._findings.add("damaged", self._kind.name, message)
            raise Damaged(self._kind.name) from error


def connect(path: Path) -> sqlite3.Connection:
    """Open a database for reading alone, beside a server or without one; see the three cases.

    Raises:
        sqlite3.Error: it cannot be opened.
    """
    log, index = (path.with_name(path.name + end) for end in ("-wal", "-shm"))
    uri = f"{path.absolute().as_uri()}?mode=ro"
    if not (log.exists() and (log.stat().st_size or index.exists())):
        uri += "&immutable=1"
    return sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None)


def _text(data: bytes) -> str:
    """Read text of any bytes, so that bytes that are no UTF-8 differ from all that is."""
    return data.decode("utf-8", "surrogateescape")
