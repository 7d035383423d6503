"""The truth in SQLite: `ledger.db`, behind the protocol `counterfoil.ledger.store.LogStore`.

One transaction holds entries, sealed pieces, blob names, idempotency keys, tiles and the head.
What an attacker who owns this file can do: stop the ledger, and lose what nobody else holds.
Without the signing key every change shows when the tree is recomputed.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from counterfoil.errors import EvidenceError, RequestError, UnavailableError
from counterfoil.ledger.store import Kept, Known, LogInfo, Row, Sealed
from counterfoil.stores import sqlite_statements as sql
from counterfoil.stores.erasing_rows import ErasingRows
from counterfoil.stores.sqlite_driver import STANDARD, Connection, Driver
from counterfoil.stores.sqlite_open import Database, Kind, create_database
from counterfoil.tlog.tree import EMPTY_ROOT, TreeHead

LEDGER = Kind(
    "ledger.db", 0x43466C67, 2, sql.LEDGER_SCHEMA, secure_delete=True, upgrades=sql.LEDGER_UPGRADES
)
"""The header mark is "CFlg" in ASCII."""


class SqliteLogStore:
    """The log store of one ledger directory.

    Args:
        path: `ledger.db`.
        create: make it if it is absent.  Otherwise an absent file is an error: an empty ledger
            in the place of a lost one would be a rollback nobody notices.
        write: whether this process holds the directory's lock and may append.
        driver: what opens it.
    """

    def __init__(
        self, path: Path, *, create: bool = False, write: bool = True, driver: Driver = STANDARD
    ) -> None:
        if create and driver.size_bytes(path) is None:
            create_database(path, LEDGER, driver)
        self._db = Database(path, LEDGER, write=write, driver=driver)
        self.erasing = ErasingRows(self._db)

    def create_log(self, project: str, origin: str) -> None:
        """Add an empty log; durable on return."""
        if any(project == log.project or origin == log.origin for log in self.projects()):
            raise RequestError("dir_exists", f"project {project} or origin {origin} is taken")
        with self._db.transaction() as db:
            db.execute(sql.INSERT_LOG, (project, origin))
            db.execute(sql.INSERT_HEAD, (project, 0, EMPTY_ROOT))

    @contextmanager
    def write(self) -> Iterator["SqliteWriting"]:
        """Open the one write transaction; commits at the end of the block."""
        with self._db.transaction() as db:
            yield SqliteWriting(db)

    def projects(self) -> list[LogInfo]:
        """Return every log, by project name; the ledger's own are last."""
        with self._db.reading() as db:
            return [LogInfo(*row) for row in db.execute(sql.SELECT_LOGS)]

    def head(self, project: str) -> TreeHead:
        """Return the committed tree head."""
        with self._db.reading() as db:
            return _head(db, project)

    def entries(self, project: str, start: int, end: int) -> list[bytes]:
        """Return entry bytes from `start` up to `end` or the last entry."""
        with self._db.reading() as db:
            rows = db.execute(sql.SELECT_ENTRIES, (project, start, end)).fetchall()
        _check_contiguous(project, start, [index for index, _ in rows])
        return [entry for _, entry in rows]

    def kept(self, project: str, start: int, end: int) -> list[Kept]:
        """Return the same range with all that is stored beside the entries."""
        scope = (project, start, end)
        sealed: dict[int, list[Sealed]] = {}
        blobs: dict[int, list[str]] = {}
        with self._db.snapshot() as db:
            rows = db.execute(sql.SELECT_KEPT, scope).fetchall()
            for index, name, owner, data in db.execute(sql.SELECT_BODIES, scope):
                sealed.setdefault(index, []).append(Sealed(name, owner, data))
            for index, stored in db.execute(sql.SELECT_BLOBS, scope):
                blobs.setdefault(index, []).append(stored)
        _check_contiguous(project, start, [index for index, _, _ in rows])
        return [
            Kept(index, entry, salt, tuple(sealed.get(index, ())), tuple(blobs.get(index, ())))
            for index, entry, salt in rows
        ]

    def tile(self, project: str, level: int, n: int) -> bytes:
        """Return a tile of hashes, as wide as the committed tree makes it."""
        with self._db.reading() as db:
            row = db.execute(sql.SELECT_TILE, (project, level, n)).fetchone()
        if row is None:
            raise EvidenceError("missing", f"log {project}: tile {n} of level {level} is missing")
        return bytes(row[0])

    def find(self, project: str, source: str, event_id: str) -> int | None:
        """Return the index of the entry recorded under an idempotency key."""
        with self._db.reading() as db:
            known = _find(db, project, source, event_id)
        return known.index if known else None

    def find_all(
        self, project: str, keys: Collection[tuple[str, str]]
    ) -> dict[tuple[str, str], Known]:
        """Return what is stored under idempotency keys (source, id)."""
        with self._db.reading() as db:
            return _find_all(db, project, keys)

    def named_blobs(self, stored: Iterable[str]) -> set[str]:
        """Return which of these stored blobs entries of any log name."""
        wanted = json.dumps(sorted(stored))
        with self._db.reading() as db:
            return {name for (name,) in db.execute(sql.SELECT_NAMED_BLOBS, (wanted,))}

    def names_blob(self, project: str, stored: str) -> bool:
        """Say whether an entry of a log names a stored blob."""
        with self._db.reading() as db:
            row = db.execute(sql.SELECT_PROJECT_BLOB, (project, stored)).fetchone()
        return row is not None

    def close(self) -> None:
        """Finish: fold the write-ahead log into the database and let go of the files."""
        self._db.close()


class SqliteWriting:
    """One open write transaction on `ledger.db`."""

    def __init__(self, db: Connection) -> None:
        self._db = db

    def head(self, project: str) -> TreeHead:
        """Return the tree head as this transaction sees it."""
        return _head(self._db, project)

    def find_all(
        self, project: str, keys: Collection[tuple[str, str]]
    ) -> dict[tuple[str, str], Known]:
        """Return what is stored under idempotency keys (source, id)."""
        return _find_all(self._db, project, keys)

    def insert(self, project: str, first: int, rows: Sequence[Row]) -> None:
        """Store items with their pieces, blob names and idempotency rows."""
        numbered = [(index, row.item, row.idem_digest) for index, row in enumerate(rows, first)]
        self._db.executemany(
            sql.INSERT_ENTRY,
            [(project, index, item.entry, item.salt) for index, item, _ in numbered],
        )
        self._db.executemany(
            sql.INSERT_BODY,
            [
                (project, index, position, piece.name, piece.owner, piece.data)
                for index, item, _ in numbered
                for position, piece in enumerate(item.sealed)
            ],
        )
        self._db.executemany(
            sql.INSERT_BLOB,
            [
                (project, index, position, stored)
                for index, item, _ in numbered
                for position, stored in enumerate(item.blobs)
            ],
        )
        self._db.executemany(
            sql.INSERT_IDEM,
            [(project, item.source, item.id, index, digest) for index, item, digest in numbered],
        )

    def put_tiles(self, project: str, tiles: Mapping[tuple[int, int], bytes]) -> None:
        """Store tiles by (level, n), in the place of their narrower forms."""
        self._db.executemany(
            sql.UPSERT_TILE, [(project, level, n, data) for (level, n), data in tiles.items()]
        )

    def advance(self, project: str, old: TreeHead, head: TreeHead) -> None:
        """Set the head to `head` if it is exactly `old`."""
        changed = self._db.execute(
            sql.ADVANCE_HEAD,
            {
                "project": project,
                "size": head.size,
                "root": head.root,
                "old_size": old.size,
                "old_root": old.root,
            },
        ).rowcount
        if changed != 1:
            raise UnavailableError(
                "locked", f"log {project} is no longer at size {old.size}: another program writes"
            )


def _head(db: Connection, project: str) -> TreeHead:
    row = db.execute(sql.SELECT_HEAD, (project,)).fetchone()
    if row is None:
        raise RequestError("project_unknown", f"this ledger has no log for project {project}")
    return TreeHead(*row)


def _find(db: Connection, project: str, source: str, event_id: str) -> Known | None:
    row = db.execute(sql.SELECT_IDEM, (project, source, event_id)).fetchone()
    return None if row is None else Known(*row)


def _check_contiguous(project: str, start: int, indices: Sequence[int]) -> None:
    if indices and (indices[0] != start or indices[-1] - start + 1 != len(indices)):
        present = set(indices)
        hole = next((i for i in range(start, indices[-1]) if i not in present), None)
        if hole is None:
            raise EvidenceError(
                "damaged",
                f"log {project}: of entries {start} to {indices[-1]} an entry stands there twice; "
                "keep ledger.db and run verify on it",
            )
        raise EvidenceError("missing", f"log {project}: entry {hole} is missing", index=hole)


def _find_all(
    db: Connection, project: str, keys: Collection[tuple[str, str]]
) -> dict[tuple[str, str], Known]:
    ids: dict[str, list[str]] = {}
    for source, event_id in keys:
        ids.setdefault(source, []).append(event_id)
    return {
        (source, event_id): Known(index, digest)
        for source, wanted in ids.items()
        for event_id, index, digest in db.execute(
            sql.SELECT_IDEMS, (project, source, json.dumps(wanted))
        )
    }
