"""state.db: signing in, webhook secrets, arrivals of blobs, saved searches, cosigned checkpoints.

No evidence: a cosigned checkpoint proves itself, and a witness gives its cosignature again.

What must hold: a link signs in once, however many ask at the same moment; tokens and session
ids are stored as SHA-256 digests, so that reading this file lets nobody in; webhook secrets
stand here in the clear, because a signature cannot be checked with less, and nowhere else.
Losing the file loses no evidence: people sign in again, webhook sources are set up again, and
blobs that arrived before stay, counted against no quota.

The rollback journal, not WAL: the command line writes here while a server runs, and SQLite up
to 3.51.2 can damage a WAL that two processes write.  Every statement is one short transaction.
"""

import dataclasses
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from counterfoil.errors import RequestError, UnavailableError
from counterfoil.stores.migrating import Line, revision_of
from counterfoil.stores.state_asked import AskedRows
from counterfoil.stores.state_jobs import JobRows
from counterfoil.stores.state_keeping import KeepingRows
from counterfoil.stores.state_milestones import Milestones
from counterfoil.stores.state_scrub import ScrubRows
from counterfoil.stores.state_sign_in import SignInState
from counterfoil.stores.state_tokens import METADATA, TokenRows

_SOURCES: Final = sa.Table(
    "webhook_sources",
    METADATA,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("project", sa.Text, nullable=False),
    sa.Column("secret", sa.LargeBinary, nullable=False),
    sa.Column("secret_before", sa.LargeBinary, nullable=True),
    sqlite_with_rowid=False,
)

_SEARCHES: Final = sa.Table(
    "saved_searches",
    METADATA,
    sa.Column("handle", sa.Text, primary_key=True),
    sa.Column("project", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("query", sa.Text, nullable=False),
    sa.Column("saved", sa.Text, nullable=False),
    sqlite_with_rowid=False,
)

_ARRIVALS: Final = sa.Table(
    "blob_arrivals",
    METADATA,
    sa.Column("project", sa.Text, primary_key=True),
    sa.Column("digest", sa.Text, primary_key=True),
    sa.Column("stored", sa.Text, nullable=False, index=True),
    sa.Column("size_bytes", sa.Integer, nullable=False),
    sa.Column("arrived", sa.Text, nullable=False),
    # 1: the log was seen to name it, so nobody needs to ask again.
    sa.Column("named", sa.Integer, nullable=False, default=0),
    sqlite_with_rowid=False,
)

_COSIGNED: Final = sa.Table(
    "cosigned",
    METADATA,
    sa.Column("project", sa.Text, primary_key=True),
    sa.Column("size", sa.Integer, primary_key=True),
    sa.Column("note", sa.LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)
_OWN: Final = frozenset({"webhook_sources", "cosigned", "scrub_places", "scrub_damages"})
LAYOUT: Final = 1
"""Revisions within it add to the tables, and what stands never means another thing."""
REVISIONS: Final = Line("state", "0003")
_ARRIVAL: Final = tuple(_ARRIVALS.c[name] for name in ("digest", "stored", "size_bytes", "arrived"))


@dataclass(frozen=True, slots=True)
class Arrival:
    """A blob one project sent: digest of the plain bytes, stored name, plain size, RFC 3339."""

    digest: str
    stored: str
    size_bytes: int
    arrived: str


@dataclass(frozen=True, slots=True)
class SavedSearch:
    """A search somebody saved: its name, its words as written, and when."""

    name: str
    query: str
    saved: str


@dataclass(frozen=True, slots=True)
class WebhookSource:
    """One sender of webhooks; `secrets` holds one or two live ones, the latest first."""

    name: str
    kind: str
    project: str
    secrets: tuple[bytes, ...]


class State:
    """The open file.  Safe to use from any thread; every call is its own transaction.

    Args:
        path: of state.db; made (0600) when absent.
        upgrade: whether the caller holds the directory's lock, and so may lead the tables of an
            earlier version up; beside a server that runs nobody else may.

    Raises:
        RequestError: `not_a_ledger`: a file of a later version, or of an earlier one that may not
            be led up here.
        UnavailableError: `storage`.
    """

    def __init__(self, path: Path, *, upgrade: bool = True) -> None:
        # 0600 before the first byte of content: the secrets of webhook sources stand here.
        path.touch(mode=0o600, exist_ok=True)
        # NullPool: no file handle outlives its call, so a thread never inherits another's.
        self._engine = _engine(path)
        with self._transaction() as connection:
            if not _is_of_this_version(path, connection):
                _bring_up(path, connection, upgrade=upgrade)
        self.tokens = TokenRows(self._transaction)
        self.asked = AskedRows(self._transaction)
        self.jobs = JobRows(self._transaction)
        self.keeping = KeepingRows(self._transaction)
        self.milestones = Milestones(self._transaction)
        self.scrub = ScrubRows(self._transaction)
        self.sign_in = SignInState(self._transaction)

    @contextmanager
    def _transaction(self) -> Iterator[sa.Connection]:
        try:
            with self._engine.begin() as connection:
                yield connection
        except sa.exc.DatabaseError as error:
            raise UnavailableError(
                "storage", f"state.db: {error.orig}; check the disk and try again"
            ) from error

    def add_webhook_source(self, name: str, kind: str, project: str, secret: bytes) -> None:
        """Set up a sender.

        Raises:
            RequestError: `usage`: one of that name exists; rotate its secret instead.
        """
        with self._transaction() as connection:
            added = connection.execute(
                sa.text(
                    "INSERT INTO webhook_sources (name, kind, project, secret)"
                    " VALUES (:name, :kind, :project, :secret) ON CONFLICT DO NOTHING"
                ),
                {"name": name, "kind": kind, "project": project, "secret": secret},
            ).rowcount
        if not added:
            raise RequestError(
                "usage", f"a webhook source {name!r} exists; rotate its secret instead"
            )

    def rotate_webhook_secret(self, name: str, secret: bytes) -> None:
        """Make `secret` the live one; the one before stays good until the next rotation.

        Raises:
            RequestError: `source_unknown`.
        """
        with self._transaction() as connection:
            changed = connection.execute(
                sa.update(_SOURCES)
                .where(_SOURCES.c.name == name)
                .values(secret_before=_SOURCES.c.secret, secret=secret)
            ).rowcount
        if not changed:
            raise RequestError("source_unknown", f"no webhook source {name!r} is set up")

    def remove_webhook_source(self, name: str) -> None:
        """Forget a sender and its secrets; its deliveries are refused from here on."""
        with self._transaction() as connection:
            connection.execute(sa.delete(_SOURCES).where(_SOURCES.c.name == name))

    def webhook_source(self, name: str) -> WebhookSource | None:
        """Return one sender with its live secrets."""
        with self._transaction() as connection:
            row = connection.execute(
                sa.select(_SOURCES).where(_SOURCES.c.name == name)
            ).one_or_none()
        return None if row is None else _source(row)

    def webhook_sources(self) -> list[WebhookSource]:
        """Return every sender, by name."""
        with self._transaction() as connection:
            rows = connection.execute(sa.select(_SOURCES).order_by(_SOURCES.c.name)).all()
        return [_source(row) for row in rows]

    def put_arrival(self, project: str, arrival: Arrival) -> None:
        """Keep that a project sent a blob; one that it sent before arrives anew."""
        values = {"project": project, **dataclasses.asdict(arrival)}
        with self._transaction() as connection:
            connection.execute(
                sa.text(
                    "INSERT INTO blob_arrivals (project, digest, stored, size_bytes, arrived, named)"
                    " VALUES (:project, :digest, :stored, :size_bytes, :arrived, 0)"
                    " ON CONFLICT (project, digest) DO UPDATE"
                    " SET stored = excluded.stored, arrived = excluded.arrived, named = 0"
                ),
                values,
            )

    def arrival(self, project: str, digest: str) -> Arrival | None:
        """Return what a project sent under a digest."""
        query = sa.select(*_ARRIVAL).where(
            _ARRIVALS.c.project == project, _ARRIVALS.c.digest == digest
        )
        with self._transaction() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else Arrival(*row)

    def arrived_bytes(self, project: str) -> int:
        """Return how many plain bytes of blobs a project holds."""
        query = sa.select(sa.func.coalesce(sa.func.sum(_ARRIVALS.c.size_bytes), 0))
        with self._transaction() as connection:
            return int(connection.execute(query.where(_ARRIVALS.c.project == project)).scalar_one())

    def unnamed_arrivals(self, until: str) -> list[Arrival]:
        """Return blobs that no project sent after `until` and no entry was seen to name."""
        latest = sa.func.max(_ARRIVALS.c.arrived)
        columns = (_ARRIVALS.c.digest, _ARRIVALS.c.stored, _ARRIVALS.c.size_bytes)
        query = sa.select(*columns, latest).group_by(*columns).having(
            latest <= until, sa.func.min(_ARRIVALS.c.named) == 0
        )  # fmt: skip
        with self._transaction() as connection:
            return [Arrival(*row) for row in connection.execute(query)]

    def mark_named(self, stored: Sequence[str]) -> None:
        """Note that entries name these blobs."""
        statement = sa.text("UPDATE blob_arrivals SET named = 1 WHERE stored = :stored")
        with self._transaction() as connection:
            for name in stored:
                connection.execute(statement, {"stored": name})

    def forget_arrivals(self, stored: str) -> None:
        """Drop what is known of a blob that is gone."""
        with self._transaction() as connection:
            connection.execute(sa.delete(_ARRIVALS).where(_ARRIVALS.c.stored == stored))

    def save_search(self, handle: str, project: str, search: SavedSearch) -> None:
        """Keep a search of a handle, over the one of the same name."""
        values = {"handle": handle, "project": project, **dataclasses.asdict(search)}
        with self._transaction() as connection:
            connection.execute(
                sa.text(
                    "INSERT INTO saved_searches (handle, project, name, query, saved)"
                    " VALUES (:handle, :project, :name, :query, :saved)"
                    " ON CONFLICT (handle, project, name) DO UPDATE"
                    " SET query = excluded.query, saved = excluded.saved"
                ),
                values,
            )

    def saved_searches(self, handle: str, project: str) -> list[SavedSearch]:
        """Return what a handle saved in a project, by name."""
        at = _SEARCHES.c
        query = sa.select(at.name, at.query, at.saved).where(
            at.handle == handle, at.project == project
        )
        with self._transaction() as connection:
            rows = connection.execute(query.order_by(at.name)).all()
        return [SavedSearch(*row) for row in rows]

    def forget_search(self, handle: str, project: str, name: str) -> None:
        """Remove a saved search; removing what is not there is no error."""
        at = _SEARCHES.c
        with self._transaction() as connection:
            connection.execute(
                sa.delete(_SEARCHES).where(
                    at.handle == handle, at.project == project, at.name == name
                )
            )

    def forget_searches(self, handle: str) -> None:
        """Remove everything a handle saved, in every project."""
        with self._transaction() as connection:
            connection.execute(sa.delete(_SEARCHES).where(_SEARCHES.c.handle == handle))

    def forget_words(self, is_theirs: Callable[[bytes], bool]) -> int:
        """Remove every row of which a cell holds words of somebody erased; return how many.

        Senders of webhooks and what the scrubber keeps are the ledger's own, and stay.
        Cost: the whole file is read, and written anew: nothing is left in free pages.
        """
        gone = 0
        with self._transaction() as connection:
            for table in METADATA.sorted_tables:
                if table.name in _OWN:
                    continue
                keys = tuple(table.primary_key)
                for row in connection.execute(sa.select(*keys, *table.c)).all():
                    if any(is_theirs(_as_bytes(cell)) for cell in row):
                        its = (key == cell for key, cell in zip(keys, row, strict=False))
                        gone += connection.execute(sa.delete(table).where(*its)).rowcount
        self.shrink()
        return gone

    def shrink(self) -> None:
        """Write the file anew, without what was removed from it."""
        raw = self._engine.raw_connection()
        try:
            # VACUUM stands outside of every transaction.
            raw.driver_connection.isolation_level = None  # type: ignore[union-attr]
            raw.cursor().execute("VACUUM")
        except sqlite3.Error as error:
            raise UnavailableError(
                "storage", f"state.db: {error}; check the disk and try again"
            ) from error
        finally:
            raw.close()

    def put_cosigned(self, project: str, notes: Mapping[int, bytes]) -> None:
        """Keep these cosigned checkpoints of a log, by size, in the place of all before."""
        with self._transaction() as connection:
            connection.execute(sa.delete(_COSIGNED).where(_COSIGNED.c.project == project))
            for size, note in notes.items():
                connection.execute(
                    sa.insert(_COSIGNED).values(project=project, size=size, note=note)
                )

    def cosigned(self, project: str) -> list[bytes]:
        """Return the cosigned checkpoints that are kept of a log."""
        query = sa.select(_COSIGNED.c.note).where(_COSIGNED.c.project == project)
        with self._transaction() as connection:
            return [bytes(row.note) for row in connection.execute(query)]

    def end_all_sessions(self) -> None:
        """Forget every session, link and open ceremony: everybody comes in again.

        What was used up stays known, so that nothing is good a second time.
        """
        names = ("browser_sessions", "ceremonies", "job_sessions", "one_time_links")
        with self._transaction() as connection:
            for name in names:
                connection.execute(sa.delete(METADATA.tables[name]))

    def close(self) -> None:
        """Let go of the file."""
        self._engine.dispose()


def _as_bytes(cell: object) -> bytes:
    return cell if isinstance(cell, bytes) else str(cell).encode("utf-8", "surrogatepass")


def refuse_later(path: Path) -> None:
    """Refuse a file of a later version; nothing is changed.

    What is absent, or no database, is for whoever opens it to tell.

    Raises:
        RequestError: `not_a_ledger`.
    """
    if path.is_file():
        with suppress(sa.exc.DatabaseError), _engine(path).connect() as connection:
            _is_of_this_version(path, connection)


def _engine(path: Path) -> sa.Engine:
    return sa.create_engine(
        sa.URL.create("sqlite", database=str(path)),
        poolclass=NullPool,
        connect_args={"timeout": 5.0},
    )


def _is_of_this_version(path: Path, connection: sa.Connection) -> bool:
    """Say whether the tables are those of this version; refuse those of a later one."""
    layout = connection.execute(sa.text("PRAGMA user_version")).scalar_one()
    revision = revision_of(connection)
    if layout > LAYOUT or (revision and revision not in REVISIONS.known):
        what = f"layout {layout}, and" if layout > LAYOUT else f"revision {revision}, and"
        mine = LAYOUT if layout > LAYOUT else REVISIONS.head
        raise RequestError(
            "not_a_ledger",
            f"{path} has {what} was written by a later version of Counterfoil; this one reads up to"
            f" {mine}: use that version",
            later=True,
        )
    return layout == LAYOUT and revision == REVISIONS.head


def _bring_up(path: Path, connection: sa.Connection, *, upgrade: bool) -> None:
    """Make the tables, or lead those of an earlier version up.

    One transaction: if we crash here, the file is as it was.
    """
    # The driver on its own begins a transaction only before rows are changed.
    connection.exec_driver_sql("BEGIN IMMEDIATE")
    if _is_of_this_version(path, connection):
        return  # somebody was first, while we waited
    if not sa.inspect(connection).get_table_names():
        METADATA.create_all(connection)
        REVISIONS.mark(connection, REVISIONS.head)
    elif upgrade:
        REVISIONS.lead(connection)
    else:
        raise RequestError(
            "not_a_ledger",
            f"{path} was written by an earlier version of Counterfoil: start the server on it once,"
            " which brings it up, then try again",
        )
    connection.execute(sa.text(f"PRAGMA user_version = {LAYOUT}"))


def _source(row: sa.Row[Any]) -> WebhookSource:
    live = (row.secret,) if row.secret_before is None else (row.secret, row.secret_before)
    return WebhookSource(row.name, row.kind, row.project, live)
