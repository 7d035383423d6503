"""The search index in views.db: which entries have a mark, and which hold a word.

`search_marks` keeps, for each (field, value), the set of its entries in chunks
(`projections.search_set`); `search_totals` counts the values of the fields that are not refs.
Full text is one contentless FTS5 table a project over a short line an entry; its row ids are
entry numbers.  Everything is written in the transaction that moves the position of the rows, so
the index is complete up to that position, and never further.

The text table is no table of `Schema`: how its inside is cut depends on when it was written.  Its
answers do not.  PostgreSQL has no FTS5; there the same line goes into a table (project, entry,
line tsvector) with a GIN index, and `worded` reads `line @@ phraseto_tsquery('simple', ...)`.

Sets of chunks that are full never change again and are kept in memory, within a bound.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import sqlalchemy as sa

from counterfoil.projections.search_entry import BY_MENTION, FoundBy
from counterfoil.projections.search_set import (
    CHUNK,
    add_offsets,
    below,
    from_chunks,
    from_entries,
)

REMEMBERED_BYTES_MAX: Final = 64 * 1024 * 1024
_KEYS_PER_QUERY: Final = 400
_LAST: Final = "\U0010ffff"
_COUNTED: Final = frozenset({"type", "actor", "outcome", "via", "source"})

_Key = tuple[str, str, str, str]


class SearchIndex:
    """Writes and reads the index, in transactions of the caller.

    Args:
        marks, totals, mentions: the tables of `stores.tables.Schema`.
    """

    def __init__(self, marks: sa.Table, totals: sa.Table, mentions: sa.Table) -> None:
        self._marks = marks
        self._totals = totals
        self._mentions = mentions
        self._remembered = _Remembered(REMEMBERED_BYTES_MAX)

    # --- writing: in the one write transaction of views.db

    def add(self, connection: sa.Connection, project: str, found: Sequence[FoundBy]) -> None:
        """Add entries, ascending, each above all that were added before."""
        grouped: dict[tuple[str, str, int], list[int]] = {}
        counted: dict[tuple[str, str], int] = {}
        for one in found:
            chunk, offset = divmod(one.entry, CHUNK)
            for field, value in one.marks:
                grouped.setdefault((field, value, chunk), []).append(offset)
                if field in _COUNTED:
                    counted[field, value] = counted.get((field, value), 0) + 1
        self._add_marks(connection, project, grouped)
        self._add_totals(connection, project, counted)
        text = _text_table(connection, project)
        connection.exec_driver_sql(
            f"INSERT INTO {text} (rowid, line) VALUES (?, ?)",  # noqa: S608  our own name
            [(one.entry, one.line) for one in found],
        )

    def clear(self, connection: sa.Connection, project: str) -> None:
        """Drop the text of a project; its rows go with the other tables of `Schema`."""
        connection.exec_driver_sql(f"DROP TABLE IF EXISTS {_text_name(project)}")

    def forget(self, project: str) -> None:
        """Drop what is remembered of a project: its rows are about to be, or were, made again."""
        self._remembered.forget(project)

    def _add_marks(
        self, connection: sa.Connection, project: str,
        grouped: dict[tuple[str, str, int], list[int]],
    ) -> None:  # fmt: skip
        standing = self._standing(connection, project, grouped)
        lines = []
        for (field, value, chunk), offsets in grouped.items():
            data, count = standing.get((field, value, chunk), (b"", 0))
            data, count = add_offsets(data, count, offsets)
            lines.append((project, field, value, chunk, count, data))
        connection.exec_driver_sql(
            "INSERT INTO search_marks (project, field, value, chunk, count, data)"
            " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (project, field, value, chunk)"
            " DO UPDATE SET count = excluded.count, data = excluded.data",
            lines,
        )

    def _standing(
        self, connection: sa.Connection, project: str, keys: Iterable[tuple[str, str, int]]
    ) -> dict[tuple[str, str, int], tuple[bytes, int]]:
        at = self._marks.c
        wanted: dict[tuple[str, int], list[str]] = {}
        for field, value, chunk in keys:
            wanted.setdefault((field, chunk), []).append(value)
        found: dict[tuple[str, str, int], tuple[bytes, int]] = {}
        for (field, chunk), values in wanted.items():
            for start in range(0, len(values), _KEYS_PER_QUERY):
                query = sa.select(at.value, at.data, at["count"]).where(
                    at.project == project, at.field == field, at.chunk == chunk,
                    at.value.in_(values[start : start + _KEYS_PER_QUERY]),
                )  # fmt: skip
                for value, data, count in connection.execute(query):
                    found[field, value, chunk] = data, count
        return found

    def _add_totals(
        self, connection: sa.Connection, project: str, counted: dict[tuple[str, str], int]
    ) -> None:
        connection.exec_driver_sql(
            "INSERT INTO search_totals (project, field, value, count) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (project, field, value) DO UPDATE SET count = count + excluded.count",
            [(project, field, value, count) for (field, value), count in counted.items()],
        )

    # --- reading: sets of entries below `size`, the position of the rows in this transaction

    def marked(
        self, connection: sa.Connection, project: str, field: str, value: str, size: int
    ) -> int:
        """Return the entries with a mark; of a ref, those that name it in any role."""
        if field == "ref" and value.partition(":")[0] in BY_MENTION:
            at = self._mentions.c
            return self._mentioned(connection, project, ("ref", value), at.ref == value, size)
        at = self._marks.c
        return self._chunks(connection, project, (field, value), at.value == value, size)

    def marked_from(
        self, connection: sa.Connection, project: str, field: str, start: str, size: int
    ) -> int:
        """Return the entries with a mark whose value begins with `start`."""
        key = (f"{field}*", start)
        if field == "ref" and start.partition(":")[0] in BY_MENTION:
            ref = self._mentions.c.ref
            return self._mentioned(
                connection, project, key, ref.between(start, start + _LAST), size
            )
        value = self._marks.c.value
        return self._chunks(connection, project, key, value.between(start, start + _LAST), size)

    def values(self, connection: sa.Connection, project: str, field: str, limit: int) -> list[str]:
        """Return the values of a field but "ref", the most frequent in the whole log first."""
        at = self._totals.c
        query = (
            sa.select(at.value)
            .where(at.project == project, at.field == field)
            .order_by(at["count"].desc(), at.value)
            .limit(limit)
        )
        return list(connection.scalars(query))

    def worded(
        self, connection: sa.Connection, project: str, phrase: str, size: int, *, prefix: bool
    ) -> int:
        """Return the entries whose line holds a phrase; with `prefix`, words may go on after it."""
        match = '"' + phrase.replace('"', '""') + '"' + (" *" if prefix else "")
        name = _text_name(project)
        if not _exists(connection, project):
            return 0

        def load(first: int) -> int:
            found = connection.exec_driver_sql(
                f"SELECT rowid FROM {name} WHERE line MATCH ? AND rowid >= ?",  # noqa: S608  our own name
                (match, first * CHUNK),
            )
            return from_entries(found.scalars().all(), first)

        return self._remembered.get((project, "text", match, ""), size, load)

    def _chunks(
        self, connection: sa.Connection, project: str, key: tuple[str, str],
        condition: sa.ColumnElement[bool], size: int,
    ) -> int:  # fmt: skip
        at = self._marks.c
        field = key[0].removesuffix("*")

        def load(first: int) -> int:
            query = sa.select(at.chunk, at["count"], at.data).where(
                at.project == project, at.field == field, condition, at.chunk >= first
            )
            return from_chunks((tuple(line) for line in connection.execute(query)), first)

        return self._remembered.get((project, "mark", *key), size, load)

    def _mentioned(
        self, connection: sa.Connection, project: str, key: tuple[str, str],
        condition: sa.ColumnElement[bool], size: int,
    ) -> int:  # fmt: skip
        at = self._mentions.c

        def load(first: int) -> int:
            query = sa.select(at.entry).where(
                at.project == project, condition, at.entry >= first * CHUNK
            )
            return from_entries(connection.scalars(query).all(), first)

        return self._remembered.get((project, "mention", *key), size, load)


class _Remembered:
    """Sets over full chunks, the least recently used out first.  Any thread may call."""

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._bytes = 0
        self._lock = threading.Lock()
        # key -> (chunks it covers, the set)
        self._sets: OrderedDict[_Key, tuple[int, int]] = OrderedDict()
        self._generation = 0

    def get(self, key: _Key, size: int, load: Callable[[int], int]) -> int:
        """Return the whole set, loading what is not remembered.

        Args:
            key: what it is a set of; the project first.
            size: entries there are: chunks that lie below it are full.
            load: reads the set from a chunk number on.
        """
        full = size // CHUNK
        with self._lock:
            generation = self._generation
            known, members = self._sets.get(key, (0, 0))
            if known:
                self._sets.move_to_end(key)
        if known > full:
            # A transaction that began before these chunks were full.
            known, members = 0, 0
        members |= load(known)
        if full > known:
            self._keep(key, full, members & below(full * CHUNK), generation)
        return members

    def forget(self, project: str) -> None:
        """Drop the sets of a project, and those that are being read at this moment."""
        with self._lock:
            self._generation += 1
            for key in [key for key in self._sets if key[0] == project]:
                self._bytes -= _cost(self._sets.pop(key)[1])

    def _keep(self, key: _Key, full: int, members: int, generation: int) -> None:
        with self._lock:
            if generation != self._generation:
                return
            if key in self._sets:
                self._bytes -= _cost(self._sets.pop(key)[1])
            self._sets[key] = (full, members)
            self._bytes += _cost(members)
            while self._bytes > self._bytes_max:
                self._bytes -= _cost(self._sets.popitem(last=False)[1][1])


def _cost(members: int) -> int:
    # A little for the key too: many empty sets must not be free.
    return members.bit_length() // 8 + 300


def _text_name(project: str) -> str:
    """Return the quoted name of a project's text table.

    A project's name has no underscore, and FTS5's inner tables end in other words than ours:
    no project can take another one's table.
    """
    return '"text_' + project.replace("-", "_").replace('"', "") + '_search"'


def _exists(connection: sa.Connection, project: str) -> bool:
    named = "SELECT 1 FROM sqlite_master WHERE name = ?"
    name = _text_name(project).strip('"')
    return connection.exec_driver_sql(named, (name,)).first() is not None


def _text_table(connection: sa.Connection, project: str) -> str:
    """Return the name of a project's text table, made if it is not there."""
    name = _text_name(project)
    if not _exists(connection, project):
        # Nothing of the line is stored but its words; no rank is asked for, so no lengths either.
        connection.exec_driver_sql(
            f"CREATE VIRTUAL TABLE {name} USING fts5(line, content='', columnsize=0)"
        )
    return name
