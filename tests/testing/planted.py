"""Ledgers with one bug each: what the crash simulator has to find.

Each bug is a part of a server process put in the place of the honest one; nothing else differs.
"""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from counterfoil.clock import Clock
from counterfoil.errors import UnavailableError
from counterfoil.ids import SeededRandomness
from counterfoil.ledger.append import Ledger
from counterfoil.ledger.export import export_log
from counterfoil.ledger.sign import Signed
from counterfoil.ledger.store import Exporter, KeyStore, LogStore, Row
from counterfoil.stores import sqlite_statements as sql
from counterfoil.stores.erasable import ERASABLE, ErasableStore
from counterfoil.stores.file_system import FileSystem
from counterfoil.stores.files import PublicFiles
from counterfoil.stores.sqlite import LEDGER, SqliteLogStore, SqliteWriting
from counterfoil.stores.sqlite_driver import Connection, Driver
from counterfoil.stores.sqlite_open import Database, translated
from counterfoil.testing.calls import Calls
from counterfoil.testing.disk import File
from counterfoil.testing.process import SIGNERS, Parts
from counterfoil.tlog.checkpoint import sign_checkpoint
from counterfoil.tlog.tree import TreeHead


class LentDatabase(Database):
    """Reads over the connection that writes, and so sees what is not committed."""

    def __init__(self, connection: Connection) -> None:
        self._lent = connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Lend the writer."""
        with translated("ledger.db"):
            yield self._lent

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """Lend the writer."""
        with self.reading() as connection:
            yield connection

    def close(self) -> None:
        """Leave it to its owner."""


class Uncommitted(SqliteLogStore):
    """A log as one open transaction sees it."""

    def __init__(self, connection: Connection) -> None:
        self._db = LentDatabase(connection)


class SignsFirst(SqliteLogStore):
    """Leaves the transaction open; its COMMIT comes after the receipts."""

    def __init__(self, path: Path, driver: Driver) -> None:
        super().__init__(path, driver=driver)
        self._owner = self._db
        assert self._owner._writer is not None
        self._writer = self._owner._writer
        self._db = LentDatabase(self._writer)
        self._open = False

    @contextmanager
    def write(self) -> Iterator[SqliteWriting]:
        """Begin, and leave the end to `commit`."""
        with translated("ledger.db"):
            self._writer.execute("BEGIN IMMEDIATE")
            self._open = True
            yield SqliteWriting(self._writer)

    def commit(self) -> None:
        """Commit what was signed and answered."""
        if self._open:
            self._open = False
            with translated("ledger.db"):
                self._writer.execute("COMMIT")

    def close(self) -> None:
        """Close the connections."""
        self._owner.close()


class CommitsLast(Ledger):
    """Signs and answers; commits then."""

    def write_queued(self) -> None:
        """Commit after the batch was answered; after an error take no more."""
        super().write_queued()
        assert isinstance(self._store, SignsFirst)
        try:
            self._store.commit()
        except UnavailableError as error:
            self._stop(error, [])


class ExportsFirst(SqliteLogStore):
    """Publishes the head of a transaction before it commits."""

    exporter: Exporter

    @contextmanager
    def write(self) -> Iterator[SqliteWriting]:
        """Export inside the transaction."""
        with self._db.transaction() as db:
            writing = NotingWriting(db)
            yield writing
            for project, head in writing.advanced.items():
                signer = SIGNERS[project]
                note = sign_checkpoint(signer.name, head, signer)
                export_log(Uncommitted(db), self.exporter, Signed(project, head, note))


class NotingWriting(SqliteWriting):
    """Notes the heads a transaction sets."""

    def __init__(self, db: Connection) -> None:
        super().__init__(db)
        self.advanced: dict[str, TreeHead] = {}

    def advance(self, project: str, old: TreeHead, head: TreeHead) -> None:
        """Set the head, and note it."""
        super().advance(project, old, head)
        self.advanced[project] = head


class Careless(SqliteLogStore):
    """Takes the head from memory, writes over what stands at an index, compares nothing."""

    def __init__(self, path: Path, driver: Driver) -> None:
        super().__init__(path, driver=driver)
        self._heads: dict[str, TreeHead] = {}

    @contextmanager
    def write(self) -> Iterator[SqliteWriting]:
        """Write over whatever stands there."""
        with self._db.transaction() as db:
            yield CarelessWriting(db, self._heads)


class CarelessWriting(SqliteWriting):
    """One careless transaction."""

    def __init__(self, db: Connection, heads: dict[str, TreeHead]) -> None:
        super().__init__(db)
        self._heads = heads

    def head(self, project: str) -> TreeHead:
        """Return the head this process set last."""
        return self._heads.setdefault(project, super().head(project))

    def insert(self, project: str, first: int, rows: Sequence[Row]) -> None:
        """Take the place of what stands there."""
        for table in ("entries", "bodies", "blobs", "idem"):
            statement = f"DELETE FROM {table} WHERE project = ? AND idx >= ?"  # noqa: S608  four fixed names
            self._db.execute(statement, (project, first))
        super().insert(project, first, rows)

    def advance(self, project: str, old: TreeHead, head: TreeHead) -> None:
        """Set the head, whatever it is instead of `old`."""
        old = super().head(project)
        super().advance(project, old, head)
        self._heads[project] = head


class IdempotencyLater(SqliteLogStore):
    """Keeps idempotency rows in a transaction of their own, after that of the entries."""

    @contextmanager
    def write(self) -> Iterator[SqliteWriting]:
        """Write the rows when the entries are committed."""
        with self._db.transaction() as db:
            writing = WithoutIdempotency(db)
            yield writing
        with self._db.transaction() as db:
            db.executemany(sql.INSERT_IDEM, writing.left_out)


class WithoutIdempotency(SqliteWriting):
    """Leaves the idempotency rows out."""

    def __init__(self, db: Connection) -> None:
        super().__init__(db)
        self.left_out: list[tuple[Any, ...]] = []

    def insert(self, project: str, first: int, rows: Sequence[Row]) -> None:
        """Insert all else."""
        super().insert(project, first, rows)
        self._db.execute("DELETE FROM idem WHERE project = ? AND idx >= ?", (project, first))
        self.left_out += [
            (project, row.item.source, row.item.id, index, row.idem_digest)
            for index, row in enumerate(rows, first)
        ]


class Mounted(Calls):
    """A disk that is mounted a second time, where the locks of the first mount are not seen.

    So a container or another machine has it: same bytes, but locks and the index of the
    write-ahead log are of its own.
    """

    ELSEWHERE = "/elsewhere"

    def find(self, path: str) -> File | None:
        """Find the one file by both its names."""
        return super().find(path.removeprefix(self.ELSEWHERE))

    def create(self, path: str) -> File:
        """Make it for both mounts."""
        return super().create(path.removeprefix(self.ELSEWHERE))

    def remove(self, path: str) -> None:
        """Remove it from both."""
        super().remove(path.removeprefix(self.ELSEWHERE))

    def sync_directory(self, directory: str) -> None:
        """Sync the one directory."""
        super().sync_directory(directory.removeprefix(self.ELSEWHERE))


class MountedReader(SqliteLogStore):
    """Reads over the second mount beside every look at the head, and leaves all as it is."""

    def __init__(self, path: Path, driver: Driver) -> None:
        super().__init__(path, driver=driver)
        self._driver = driver
        self._mounted = Path(f"{Mounted.ELSEWHERE}{path}")

    def head(self, project: str) -> TreeHead:
        """Read the head here; there, whatever is found."""
        head = super().head(project)
        self.look(self._driver.connect(self._mounted, "rw"))
        return head

    def look(self, reader: Connection) -> None:
        """Read, and stay open: SQLite folds the log when the last connection it knows closes."""
        with suppress(sqlite3.Error):
            reader.execute("SELECT count(*) FROM entries").fetchone()


class CheckpointingReader(MountedReader):
    """Folds the write-ahead log and empties it, with every sync it takes; the writer goes on.

    What the writer commits then stands behind frames that are no more, and the next start reads
    none of it.  Two connections that see each other's locks do that to SQLite up to 3.51.2 alone,
    when they checkpoint at one moment; in the engine simulated here that race is mended.
    """

    def look(self, reader: Connection) -> None:
        """Tidy up."""
        with translated("ledger.db"):
            reader.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            reader.close()


class TrustingDatabase(Database):
    """Opens a write-ahead log as it reads, whether it is on the disk or not."""

    def _fold(self) -> None:
        """Trust it."""


class TrustingLogStore(SqliteLogStore):
    """A log store that folds nothing at its start."""

    def __init__(self, path: Path, driver: Driver) -> None:
        self._db = TrustingDatabase(path, LEDGER, write=True, driver=driver)


class TrustingKeyStore(ErasableStore):
    """A key store that folds nothing at its start."""

    def __init__(self, path: Path, driver: Driver) -> None:
        self._db = TrustingDatabase(path, ERASABLE, write=True, driver=driver)
        self._randomness = SeededRandomness("people")


class LogUnsynced(Calls):
    """A disk below `synchronous = OFF`: the truth's write-ahead log is never synced."""

    def sync(self, file: File, path: str) -> None:
        """Sync everything else."""
        if not path.endswith("ledger.db-wal"):
            super().sync(file, path)


class ExportUnsynced(Calls):
    """The exporter without its fsync of files."""

    def sync(self, file: File, path: str) -> None:
        """Sync everything else."""
        if "/public/" not in path:
            super().sync(file, path)


class NamesUnsynced(Calls):
    """The exporter without its fsync of the directories that hold tiles."""

    def sync_directory(self, directory: str) -> None:
        """Sync everything else."""
        if "/tile/" not in directory:
            super().sync_directory(directory)


class Trusted(set[Path]):
    """Every directory there is."""

    def __contains__(self, path: object) -> bool:
        return True


def standing_names_are_durable(directory: Path, system: FileSystem) -> PublicFiles:
    """Return an exporter that takes every directory that stands for a durable one."""
    files = PublicFiles(directory, system)
    files._staging._named = Trusted()
    return files


UNSEEN_LOCKS = Parts(calls=Mounted, log_store=MountedReader)
"""No bug: what the checkpointing reader is, but for its checkpoint."""


def _commits_last(store: LogStore, keys: KeyStore, exporter: Exporter, clock: Clock) -> Ledger:
    return CommitsLast(store, keys, SIGNERS, exporter, clock)


def _exports_first(store: LogStore, keys: KeyStore, exporter: Exporter, clock: Clock) -> Ledger:
    assert isinstance(store, ExportsFirst)
    store.exporter = exporter
    return Ledger(store, keys, SIGNERS, exporter, clock)


PLANTED: Mapping[str, Parts] = {
    "signs before it commits": Parts(log_store=SignsFirst, ledger=_commits_last),
    "does not sync the write-ahead log": Parts(calls=LogUnsynced),
    "does not sync exported files": Parts(calls=ExportUnsynced),
    "does not sync the names of exported files": Parts(calls=NamesUnsynced),
    "takes a directory that stands for a durable one": Parts(exporter=standing_names_are_durable),
    "gives an index twice": Parts(log_store=Careless),
    "exports before it commits": Parts(
        log_store=lambda path, driver: ExportsFirst(path, driver=driver), ledger=_exports_first
    ),
    "keeps idempotency rows apart": Parts(
        log_store=lambda path, driver: IdempotencyLater(path, driver=driver)
    ),
    "lets a reader checkpoint whose locks nobody sees": Parts(
        calls=Mounted, log_store=CheckpointingReader
    ),
    "trusts what it reads at the start": Parts(
        log_store=TrustingLogStore, key_store=TrustingKeyStore
    ),
}
