"""How SQLite files are opened here: one connection that writes, all others read-only.

SQLite 3.7.0 to 3.51.2 can corrupt a database in WAL mode when two connections write or checkpoint
at the same moment, and the versions that distributions ship have that fault.  The rule removes
the race instead of asking for a version: exactly one connection of one process writes, and it
alone checkpoints; every other connection is `mode=ro` with `wal_autocheckpoint=0`.  That one
process is the one that holds the directory's lock.  No memory mapping: a failed read is then an
error, not a signal.

Crash safety: WAL with `synchronous=FULL` syncs the write-ahead log before a COMMIT returns.

A file of an earlier layout is brought up by whoever opens it for writing, one transaction a
layout, the mark of the layout last in it: a crash leaves the earlier layout whole, or the next
one, and the next start goes on from there (docs/adr/0036).
Source: https://sqlite.org/wal.html, https://sqlite.org/pragma.html.
"""

import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from counterfoil.errors import CounterfoilError, EvidenceError, RequestError, UnavailableError
from counterfoil.stores.sqlite_driver import BUSY_TIMEOUT_S, STANDARD, Connection, Driver

PAGE_SIZE_BYTES = 16_384
IMMUTABLE = "ro&immutable=1"
FOLD_TIMEOUT_MS = 200
_WRITER_PRAGMAS = ("synchronous = FULL", "mmap_size = 0", "trusted_schema = OFF")
_READER_PRAGMAS = (
    "wal_autocheckpoint = 0",
    "query_only = ON",
    "mmap_size = 0",
    "trusted_schema = OFF",
)


@dataclass(frozen=True, slots=True)
class Kind:
    """What a database file is.

    Args:
        name: for messages: `ledger.db`.
        application_id: the 32-bit mark in the file's header.
        version: the layout; a file of a later one is refused, never guessed at.
        schema: the statements that make the tables.
        secure_delete: overwrite what is deleted with zeroes.
        upgrades: layout n -> the statements that lead from n to n + 1; none is missing between
            the earliest one here and `version`.  They hold no BEGIN and no COMMIT.
    """

    name: str
    application_id: int
    version: int
    schema: Sequence[str]
    secure_delete: bool = False
    upgrades: Mapping[int, Sequence[str]] = field(default_factory=dict)

    def leads_from(self, layout: int) -> bool:
        """Say whether a file of this layout can be read here, or brought up to what can."""
        return all(step in self.upgrades for step in range(layout, self.version)) and (
            layout <= self.version
        )


class Database:
    """One SQLite file: at most one writing connection, and a pool of reading ones.

    Args:
        path: the file; it must exist (see `create_database`).
        kind: what it has to be.
        write: whether to open the writing connection.  The caller holds the directory's lock.
        driver: what opens it.

    Raises:
        RequestError: `not_a_ledger`: no such file, another file, or another layout that cannot
            be brought up to this one, here or at all.
        UnavailableError: `storage` or `read_only`.
        EvidenceError: `damaged`.
    """

    def __init__(self, path: Path, kind: Kind, *, write: bool, driver: Driver = STANDARD) -> None:
        self._path = path
        self._driver = driver
        self._kind = kind
        self._closed = False
        self._idle: list[Connection] = []
        self._write_lock = threading.Lock()
        self._writer: Connection | None = None
        if driver.size_bytes(path) is None:
            raise RequestError("not_a_ledger", f"{path} does not exist: is this a ledger?")
        if write:
            with translated(kind.name):
                self._writer = self._connect("rw", _WRITER_PRAGMAS, upgrading=True)
                if kind.secure_delete:
                    self._writer.execute("PRAGMA secure_delete = ON")
                self._upgrade()
                # SQLite opens a file it may not write without a word, and begins a read
                # transaction there; only a write tells.  Ask now, not at the first event.
                self._writer.execute("BEGIN IMMEDIATE")
                self._writer.execute(f"PRAGMA user_version = {kind.version}")
                self._writer.execute("ROLLBACK")
                self._fold()
        with self.reading():
            pass  # the first reader is opened, and so checked, before anybody relies on it

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Run a block as one IMMEDIATE transaction on the writing connection.

        Commits when the block ends, durable on return; rolls back on any exception.
        """
        assert self._writer is not None, f"{self._kind.name} was opened for reading"
        with self._write_lock, translated(self._kind.name):
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield self._writer
                self._writer.execute("COMMIT")
            except BaseException:
                # If this fails too, the connection is closed with the process and the
                # write-ahead log's unfinished frames are ignored at the next start.
                with suppress(sqlite3.Error):
                    self._writer.execute("ROLLBACK")
                raise

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Lend a read-only connection; one thread uses it at a time."""
        with translated(self._kind.name):
            try:
                connection = self._idle.pop()
            except IndexError:
                connection = self._connect_reader()
            try:
                yield connection
            finally:
                if self._closed:
                    connection.close()
                else:
                    self._idle.append(connection)

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """Lend a read-only connection inside one read transaction: all statements agree."""
        with self.reading() as connection:
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                connection.execute("COMMIT")

    def truncate(self) -> bool:
        """Fold the write-ahead log into the file and empty it; False while somebody reads it.

        What was overwritten in the file stands in the log until then.
        """
        assert self._writer is not None, f"{self._kind.name} was opened for reading"
        with self._write_lock, translated(self._kind.name):
            self._writer.execute(f"PRAGMA busy_timeout = {FOLD_TIMEOUT_MS}")
            try:
                [busy, _, _] = self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            finally:
                self._writer.execute(f"PRAGMA busy_timeout = {int(BUSY_TIMEOUT_S * 1_000)}")
        return not busy

    def close(self) -> None:
        """Fold the write-ahead log into the file and close every idle connection."""
        self._closed = True
        while self._idle:
            self._idle.pop().close()
        if self._writer is not None:
            with self._write_lock, translated(self._kind.name):
                self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                self._writer.close()
                self._writer = None

    def _fold(self) -> None:
        """Fold the write-ahead log into the file, so that what is read here is on the disk.

        A commit that was written but not synced reads like any other: a process was killed
        before its sync came back, or the sync failed and the kernel counts the pages as clean.
        Whoever is answered from it is answered from the page cache, and a power cut takes it
        away; frames behind such a hole go with it.  Written once more and synced, it stays: in the
        file, or in the log itself while another program reads.

        Source: https://sqlite.org/pragma.html#pragma_wal_checkpoint.
        """
        assert self._writer is not None
        log = self._path.with_name(f"{self._path.name}-wal")
        # Somebody who reads an earlier state keeps the log from being emptied, for as long as a
        # `verify` of all entries takes: nobody waits for that.
        self._writer.execute(f"PRAGMA busy_timeout = {FOLD_TIMEOUT_MS}")
        [busy, _, _] = self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        self._writer.execute(f"PRAGMA busy_timeout = {int(BUSY_TIMEOUT_S * 1_000)}")
        try:
            if busy:
                # We alone write it, and readers find what they found before.
                self._driver.rewrite(log)
            else:
                # Emptied, not synced: after a power cut what the disk held of the log would be
                # played over the file again, and where its end was lost, over what is later.
                self._driver.sync(log)
        except OSError as error:
            raise UnavailableError(
                "storage", f"{log.name} cannot be synced: {error.strerror}; restart and retry"
            ) from error

    def _connect_reader(self) -> Connection:
        try:
            return self._connect("ro", _READER_PRAGMAS)
        except sqlite3.OperationalError:
            # A reader needs the -shm file, or a directory where it may make one.  Where neither
            # is given and no write-ahead log stands, nobody writes: the file alone is complete.
            log = self._path.with_name(self._path.name + "-wal")
            if self._writer is not None or self._driver.size_bytes(log):
                raise
            return self._connect(IMMUTABLE, _READER_PRAGMAS)

    def _connect(self, mode: str, pragmas: Sequence[str], *, upgrading: bool = False) -> Connection:
        connection = self._driver.connect(self._path, mode)
        try:
            for pragma in pragmas:
                connection.execute(f"PRAGMA {pragma}")
            self._check_kind(connection, upgrading=upgrading)
            if mode != IMMUTABLE:
                self._check_journal(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _upgrade(self) -> None:
        """Bring a file of an earlier layout up to this one, step by step.

        Whoever else writes keeps us out (`locked`); whoever reads goes on with what it began to
        read.  If we crash here, SQLite ignores the unfinished transaction: the file has the
        layout of the last step that was committed, whole, and the next start goes on from it.
        """
        assert self._writer is not None
        while _layout(self._writer) < self._kind.version:
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                # Asked again inside: somebody else may have been first.
                layout = _layout(self._writer)
                if layout < self._kind.version:
                    for statement in self._kind.upgrades[layout]:
                        self._writer.execute(statement)
                    self._writer.execute(f"PRAGMA user_version = {layout + 1}")
                self._writer.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    self._writer.execute("ROLLBACK")
                raise

    def _check_kind(self, connection: Connection, *, upgrading: bool) -> None:
        [application_id] = connection.execute("PRAGMA application_id").fetchone()
        kind = self._kind
        if application_id != kind.application_id:
            raise RequestError("not_a_ledger", f"{self._path} is no {kind.name} of Counterfoil")
        layout = _layout(connection)
        if layout == kind.version or (upgrading and kind.leads_from(layout)):
            return
        raise _refused(self._path, kind, layout)

    def _check_journal(self, connection: Connection) -> None:
        [journal] = connection.execute("PRAGMA journal_mode").fetchone()
        if journal != "wal":
            raise EvidenceError(
                "damaged",
                f"{self._path} is in journal mode {journal}, not wal: something else opened it "
                "for writing; run verify before going on",
            )


def create_database(
    path: Path,
    kind: Kind,
    driver: Driver = STANDARD,
    *,
    page_size_bytes: int = PAGE_SIZE_BYTES,
) -> None:
    """Make an empty database file; durable on return.

    Raises:
        RequestError: `dir_exists`: something stands there.

    If we crash here, a file without the mark stays behind, which no later start takes for a
    ledger.
    """
    try:
        driver.create(path)
    except FileExistsError as error:
        raise RequestError("dir_exists", f"{path} exists; choose another directory") from error
    with translated(kind.name):
        connection = driver.connect(path, "rw")
        try:
            connection.execute(f"PRAGMA page_size = {page_size_bytes}")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("BEGIN IMMEDIATE")
            for statement in kind.schema:
                connection.execute(statement)
            # The mark is part of the transaction: a file that has it has all its tables.
            connection.execute(f"PRAGMA application_id = {kind.application_id}")
            connection.execute(f"PRAGMA user_version = {kind.version}")
            connection.execute("COMMIT")
        finally:
            connection.close()
    driver.sync_names(path.parent)


def refuse_later(path: Path, kind: Kind, driver: Driver = STANDARD) -> None:
    """Refuse a file of a later layout; it is read, and nothing is changed.

    What is absent, or no database of this kind, is for whoever opens it to tell.

    Raises:
        RequestError: `not_a_ledger`.
    """
    if driver.size_bytes(path) is None:
        return
    # Without a write-ahead log the file alone is complete, and no file is made beside it.
    log = path.with_name(f"{path.name}-wal")
    with suppress(sqlite3.Error):
        connection = driver.connect(path, "ro" if driver.size_bytes(log) else IMMUTABLE)
        try:
            if (layout := _layout(connection)) > kind.version:
                raise _refused(path, kind, layout)
        finally:
            connection.close()


def _refused(path: Path, kind: Kind, layout: int) -> RequestError:
    if layout > kind.version:
        written, do = "a later", "use that version"
    elif kind.leads_from(layout):
        written, do = "an earlier", "start the server on it, which brings it up to this layout"
    else:
        written, do = "an earlier", "no version since reads it: use that version"
    return RequestError(
        "not_a_ledger",
        f"{path} has layout {layout}, written by {written} version of Counterfoil, and"
        f" this one reads layout {kind.version}: {do}",
        later=layout > kind.version,
    )


def _layout(connection: Connection) -> int:
    """Return the layout a file says it has."""
    [layout] = connection.execute("PRAGMA user_version").fetchone()
    return int(layout)


@contextmanager
def translated(name: str) -> Iterator[None]:
    """Turn SQLite's errors into ours, by what the caller does next."""
    try:
        yield
    except sqlite3.Error as error:
        raise _translate(name, error) from error


def _translate(name: str, error: sqlite3.Error) -> CounterfoilError:
    code = getattr(error, "sqlite_errorname", type(error).__name__)
    if code.startswith("SQLITE_READONLY"):
        return UnavailableError("read_only", f"{name} cannot be written ({code}): check the disk")
    if code.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
        return EvidenceError("damaged", f"{name} is damaged ({code}): keep it, run verify on it")
    if code.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return UnavailableError("locked", f"{name} is held by another program ({code})")
    if code.startswith("SQLITE_CONSTRAINT"):
        return EvidenceError("damaged", f"{name} holds rows where none may be yet: {error}")
    return UnavailableError("storage", f"{name}: {error} ({code}); restart and retry")
