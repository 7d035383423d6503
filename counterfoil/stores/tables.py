"""views.db: the rows of the projections with their history, through SQLAlchemy Core.

One table for each noun, three append-only tables, and the position: how many entries of a log
are folded into the rows.  Every version of a row is kept with `since` (the entry that made it)
and `until` (the entry that ended it; `FOREVER` for the one that stands), so "as of entry n" is
`since <= n < until` on every query.

What must hold: rows and position change in one transaction, so a crash leaves both before or both
after a batch.  Everything here can be dropped and made again from the log.  A file of other folds is:
its rows mean something else.  One of these folds and of an earlier revision of the tables is led up
with its rows (`stores.migrating`): folding a large log again takes longer than a start may.

The SQL is the part that SQLite and PostgreSQL share.
"""

import contextlib
import dataclasses
import hashlib
import operator
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.pool import NullPool, StaticPool

from counterfoil.errors import RequestError, UnavailableError
from counterfoil.projections.base import Projection, Row, Scalar
from counterfoil.projections.catalogue import FOLDS_VERSION, PROJECTIONS
from counterfoil.projections.mentions import Arrival, Link, Mention
from counterfoil.stores.migrating import Line, revision_of
from counterfoil.stores.sequences import FOREVER, add_numbers
from counterfoil.stores.table_schema import Schema

REVISIONS = Line("views", "0003")
# What a file of revision 0001 says of itself: it was written before files carried one.
_UNMARKED_DIGEST = "5c9fd4b7c49431d290eba018bde627ee177a104ce9e6b35624dd6f6be2385804"
_UNMARKED_FOLDS = 3
# SQLite takes at least 999 variables in a statement (32,766 since 3.32); stay below both.
KEYS_PER_QUERY = 500


CACHE_KIB = 65_536
CHECKPOINT_PAGES = 8_000
_OF_EVERY_NOUN = ("project", "key", "since", "until", "first", "row")


@dataclasses.dataclass(frozen=True, slots=True)
class Position:
    """How far a project's log is folded into the rows.

    Attributes:
        size: entries folded; the next one has this index.
        nodes: the frontier of the tree of these entries: 32-byte hashes, largest subtree first.
        root: the 32-byte root of that tree.
    """

    size: int
    nodes: tuple[bytes, ...]
    root: bytes


@dataclasses.dataclass(frozen=True, slots=True)
class Version:
    """One version of a row: the entry that made it and the first entry of the whole row."""

    key: str
    first: int
    since: int
    row: Row


class Writing:
    """One write transaction on the rows of one project.  It sees its own writes."""

    def __init__(
        self, connection: sa.Connection, schema: Schema, project: str,
        projections: Mapping[str, Projection[Any]],
    ) -> None:  # fmt: skip
        self._connection = connection
        self._schema = schema
        self._project = project
        self._projections = projections

    @property
    def project(self) -> str:
        """Whose rows these are."""
        return self._project

    @property
    def connection(self) -> sa.Connection:
        """The transaction, for what keeps rows of its own in it (`stores.search`)."""
        return self._connection

    def position(self) -> Position:
        """Return how far the rows are."""
        return _position(self._connection, self._schema, self._project)

    def set_position(self, position: Position) -> None:
        """Say how far the rows are, in the transaction that makes them so."""
        table = self._schema.positions
        self._connection.execute(table.delete().where(table.c.project == self._project))
        self._connection.execute(
            table.insert(),
            {
                "project": self._project,
                "next_index": position.size,
                "nodes": b"".join(position.nodes),
                "root": position.root,
            },
        )

    def standing(self, noun: str, keys: Sequence[str]) -> dict[str, Version]:
        """Return the standing versions of the rows with these keys; absent rows are left out."""
        table = self._schema.nouns[noun]
        found: dict[str, Version] = {}
        for start in range(0, len(keys), KEYS_PER_QUERY):
            query = sa.select(table.c.key, table.c.first, table.c.since, table.c.row).where(
                table.c.project == self._project,
                table.c.key.in_(keys[start : start + KEYS_PER_QUERY]),
                as_of_clause(table, None, by_key=True),
            )
            for key, first, since, row in self._connection.execute(query):
                found[key] = Version(key, first, since, self._decode(noun, row))
        return found

    def add_versions(self, noun: str, versions: Sequence[Version]) -> None:
        """Add versions, ascending by `since` within each key; each ends the one before it."""
        if not versions:
            return
        table = self._schema.nouns[noun]
        ends: dict[tuple[str, int], int] = {}
        closed: dict[str, int] = {}
        latest: dict[str, int] = {}
        for version in versions:
            if version.key in latest:
                ends[version.key, latest[version.key]] = version.since
            elif version.first != version.since:
                closed[version.key] = version.since
            latest[version.key] = version.since
        closing = (
            table.update()
            .where(
                table.c.project == self._project,
                table.c.key == sa.bindparam("closed_key"),
                as_of_clause(table, None, by_key=True),
            )
            .values(until=sa.bindparam("closed_until"))
        )
        if closed:
            self._connection.execute(
                closing,
                [{"closed_key": key, "closed_until": since} for key, since in closed.items()],
            )
        index = self._projections[noun].index
        indexed = [name for name in table.c.keys() if name not in _OF_EVERY_NOUN]  # noqa: SIM118  a collection of columns
        lines = []
        for version in versions:
            values = index(version.row)
            lines.append(
                (
                    self._project, version.key, version.since,
                    ends.get((version.key, version.since), FOREVER), version.first,
                    msgspec.json.encode(version.row), *(values[name] for name in indexed),
                )
            )  # fmt: skip
        self._insert(table, (*_OF_EVERY_NOUN, *indexed), lines)

    def append(
        self, mentions: Iterable[Mention], links: Iterable[Link], arrivals: Sequence[Arrival]
    ) -> None:
        """Add lines to the append-only tables, and the numbers of producers to what is known."""
        batches: tuple[tuple[sa.Table, Iterable[Mention | Link | Arrival]], ...] = (
            (self._schema.mentions, mentions),
            (self._schema.links, links),
            (self._schema.arrivals, arrivals),
        )
        for table, lines in batches:
            names = [column.name for column in table.c if column.name != "project"]
            of = operator.attrgetter(*names)
            self._insert(table, ("project", *names), [(self._project, *of(line)) for line in lines])
        add_numbers(self._connection, self._schema.sequences, self._project, arrivals)

    def _insert(
        self, table: sa.Table, names: Sequence[str], lines: Sequence[tuple[Scalar | bytes, ...]]
    ) -> None:
        """Add lines of values in the order of `names`, past what a dict for each would cost."""
        if lines:
            columns = ", ".join(f'"{name}"' for name in names)
            places = ", ".join("?" * len(names))
            self._connection.exec_driver_sql(
                f'INSERT INTO "{table.name}" ({columns}) VALUES ({places})',  # noqa: S608  our own names
                list(lines),
            )

    def clear(self) -> None:
        """Remove everything of the project, its position too."""
        for table in self._schema.metadata.sorted_tables:
            if "project" in table.c:
                self._connection.execute(table.delete().where(table.c.project == self._project))

    def _decode(self, noun: str, row: bytes) -> Row:
        decoded: Row = msgspec.json.decode(row, type=self._projections[noun].row)
        return decoded


class Tables:
    """views.db: one writing connection, any number of read-only ones.  Close it."""

    def __init__(self, path: Path, projections: Sequence[Projection[Any]] = PROJECTIONS) -> None:
        """Open or make the file at `path`.

        A file of other folds is emptied, and rubble in its place is made again: following starts
        at entry 0.

        Raises:
            RequestError: `not_a_ledger`: a file of a later version.
            UnavailableError: `storage`: it cannot be opened.  Every later call may raise it too.
        """
        self.projections = {one.noun: one for one in projections}
        self.schema = Schema(projections)
        self._writing = threading.Lock()
        self._writer = sa.create_engine(
            sa.URL.create("sqlite", database=str(path)),
            poolclass=StaticPool,
            connect_args={"check_same_thread": False, "timeout": 30},
        )
        _own_transactions(self._writer, "BEGIN IMMEDIATE", writes=True)
        with _translated():
            try:
                self._make()
            except RequestError:
                self._writer.dispose()
                raise
            except sa.exc.DatabaseError as error:
                if not _is_rubble(error):
                    raise
                self._writer.dispose()
                for end in ("", "-wal", "-shm"):
                    path.with_name(path.name + end).unlink(missing_ok=True)
                self._make()
        self._reader = sa.create_engine(
            sa.URL.create(
                "sqlite",
                database=path.absolute().as_uri(),
                query={"mode": "ro", "uri": "true"},
            ),
            connect_args={"check_same_thread": False, "timeout": 30},
        )
        _own_transactions(self._reader, "BEGIN", writes=False)

    def _make(self) -> None:
        """Make the tables, or lead them up; in one transaction: a crash leaves them as they were."""
        with self._writer.begin() as connection:
            revision = _known_revision(connection)
            if revision == REVISIONS.head:
                return
            if revision:
                REVISIONS.mark(connection, revision)
                REVISIONS.lead(connection)
                return
            _drop_virtual_tables(connection)
            elsewhere = sa.MetaData()
            elsewhere.reflect(connection)
            elsewhere.drop_all(connection)
            self.schema.metadata.create_all(connection)
            connection.execute(self.schema.folds.insert(), {"version": FOLDS_VERSION})
            REVISIONS.mark(connection, REVISIONS.head)

    @contextlib.contextmanager
    def write(self, project: str) -> Iterator[Writing]:
        """Open the one write transaction; it commits on a clean exit and rolls back otherwise."""
        with self._writing, _translated(), self._writer.begin() as connection:
            yield Writing(connection, self.schema, project, self.projections)

    def shrink(self) -> bool:
        """Write the file anew, without what was removed; False while somebody reads the old one.

        For the process that writes, outside of every transaction.
        """
        with self._writing, _translated(), self._writer.connect() as connection:
            raw = connection.connection.driver_connection
            assert raw is not None, "closed"
            try:
                raw.execute("VACUUM")
                [busy, _, _] = raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            except sqlite3.Error as error:
                raise UnavailableError("storage", f"views.db: {error}; it is derived") from error
        return not busy

    @contextlib.contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """Open a read-only transaction: everything read in it is of one moment."""
        with _translated(), self._reader.begin() as connection:
            yield connection

    def position(self, project: str) -> Position:
        """Return how far the rows of `project` are; size 0 if it was never followed."""
        with self.read() as connection:
            return self.position_in(connection, project)

    def position_in(self, connection: sa.Connection, project: str) -> Position:
        """Return how far the rows of `project` are in a transaction that is open."""
        return _position(connection, self.schema, project)

    def dump(self) -> Iterator[tuple[str, tuple[Any, ...]]]:
        """Yield every line of every table, by table name and primary key: the whole content."""
        with self.read() as connection:
            for table in self.schema.metadata.sorted_tables:
                for line in connection.execute(sa.select(table).order_by(*table.primary_key)):
                    yield table.name, tuple(line)

    def close(self) -> None:
        """Let go of the file."""
        self._reader.dispose()
        self._writer.dispose()


def refuse_later(path: Path) -> None:
    """Refuse a file of a later version; nothing is changed.

    What is absent, or no database, is for whoever opens it to tell.

    Raises:
        RequestError: `not_a_ledger`.
    """
    if not path.is_file():
        return
    beside = path.with_name(f"{path.name}-wal")
    # Without a write-ahead log the file alone is complete, and no file is made beside it.
    query = {"mode": "ro", "uri": "true"}
    if not (beside.exists() and beside.stat().st_size):
        query["immutable"] = "1"
    url = sa.URL.create("sqlite", database=path.absolute().as_uri(), query=query)
    engine = sa.create_engine(url, poolclass=NullPool)
    with contextlib.suppress(sa.exc.DatabaseError), engine.connect() as connection:
        _known_revision(connection)


def _known_revision(connection: sa.Connection) -> str:
    """Return the revision of a file whose rows are of these folds; "" where they are made again.

    Raises:
        RequestError: `not_a_ledger`: a later version wrote it, and would have to make it again.
    """
    has = sa.inspect(connection).has_table
    revision = revision_of(connection)
    folds = 0
    if has("folds"):
        folds = connection.exec_driver_sql("SELECT version FROM folds").scalar() or 0
    elif not revision and has("layout"):
        # Written before there were revisions: one digest for tables and folds.
        digest = connection.exec_driver_sql("SELECT digest FROM layout").scalar()
        if digest == _UNMARKED_DIGEST:
            revision, folds = "0001", _UNMARKED_FOLDS
    if folds > FOLDS_VERSION or (revision and revision not in REVISIONS.known):
        raise RequestError(
            "not_a_ledger",
            f"views.db has revision {revision} and folds {folds}, written by a later version of"
            f" Counterfoil; this one reads up to {REVISIONS.head} and {FOLDS_VERSION}: use that"
            " version, or remove the file while nothing runs: it is derived",
            later=True,
        )
    return revision if folds == FOLDS_VERSION else ""


def _drop_virtual_tables(connection: sa.Connection) -> None:
    """Drop the full text of `stores.search`: its inner tables go with it, and only with it."""
    if connection.dialect.name != "sqlite":
        return
    named = "SELECT name FROM sqlite_master WHERE sql LIKE 'CREATE VIRTUAL TABLE%'"
    for name in connection.exec_driver_sql(named).scalars().all():
        connection.exec_driver_sql(f'DROP TABLE "{name}"')


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    """Turn what the disk and the file do to us into our error; mistakes of ours stay what they are."""
    try:
        yield
    except sa.exc.DatabaseError as error:
        if type(error) not in {sa.exc.DatabaseError, sa.exc.OperationalError}:
            raise
        raise UnavailableError(
            "storage",
            f"views.db: {error.orig}; check the disk, or remove the file while nothing runs: "
            "it is derived",
        ) from error


def _is_rubble(error: sa.exc.DatabaseError) -> bool:
    return getattr(error.orig, "sqlite_errorname", "").startswith(
        ("SQLITE_NOTADB", "SQLITE_CORRUPT")
    )


def as_of_clause(
    table: sa.Table, as_of: int | None, *, by_key: bool = False
) -> sa.ColumnElement[bool]:
    """Return the condition for the versions that stood right after entry `as_of` (None: now).

    With `by_key` the rows are found by their keys.  SQLite takes an index on `until` for the
    better one even then, and would walk over every standing row for each batch that is folded:
    the sum hides the column from it.
    """
    until: sa.ColumnElement[int] = table.c.until + 0 if by_key else table.c.until
    if as_of is None:
        return until == FOREVER
    return sa.and_(table.c.since <= as_of, until > as_of)


def plain_value(value: Scalar) -> Scalar:
    """Return an index value as stored: text is cut, so that an index line stays small."""
    return value[:512] if isinstance(value, str) else value


def _position(connection: sa.Connection, schema: Schema, project: str) -> Position:
    table = schema.positions
    found = connection.execute(
        sa.select(table.c.next_index, table.c.nodes, table.c.root).where(table.c.project == project)
    ).one_or_none()
    if found is None:
        return Position(0, (), hashlib.sha256(b"").digest())
    size, nodes, root = found
    return Position(size, tuple(nodes[at : at + 32] for at in range(0, len(nodes), 32)), root)


def _own_transactions(engine: sa.Engine, begin: str, *, writes: bool) -> None:
    """Make SQLite transactions begin where SQLAlchemy says they do.

    The driver on its own opens a transaction only before a write, so two reads in one block
    could see two moments.  Readers neither write nor checkpoint: a second connection that
    checkpoints can corrupt the write-ahead log (SQLite before 3.51.3).
    """

    def connected(connection: Any, _record: object) -> None:  # noqa: ANN401  the driver's own
        connection.isolation_level = None
        if writes:
            connection.execute("PRAGMA journal_mode=WAL")
            # Derived data: after a power cut the last batches are folded again.
            connection.execute("PRAGMA synchronous=NORMAL")
            # A batch touches pages all over the indices: of millions of entries, the 2 MiB that
            # SQLite keeps by itself hold none of them twice.
            connection.execute(f"PRAGMA cache_size=-{CACHE_KIB}")
            connection.execute(f"PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES}")
        else:
            connection.execute("PRAGMA query_only=ON")
            connection.execute("PRAGMA wal_autocheckpoint=0")

    def began(connection: sa.Connection) -> None:
        connection.exec_driver_sql(begin)

    sa.event.listen(engine, "connect", connected)
    sa.event.listen(engine, "begin", began)
