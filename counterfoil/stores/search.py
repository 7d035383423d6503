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
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import msgspec
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
_NUMBERS: Final = msgspec.json.Decoder(list[int])
_SELECT_CHUNKS: Final = (
    "SELECT value, chunk, count, data FROM search_marks"
    " WHERE project = ? AND field = ? AND chunk >= ?"
)
_COUNTED: Final = frozenset({"type", "actor", "outcome", "via", "source"})

_Key = tuple[str, str, str, str]


class SearchIndex:
    """Writes and reads the index, in transactions of the caller.

    Its statements stand here as text: a search makes a dozen small ones, and composing them anew
    each time would take longer than answering them.
    """

    def __init__(self) -> None:
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
        wanted: dict[tuple[str, int], list[str]] = {}
        for field, value, chunk in keys:
            wanted.setdefault((field, chunk), []).append(value)
        found: dict[tuple[str, str, int], tuple[bytes, int]] = {}
        for (field, chunk), values in wanted.items():
            for start in range(0, len(values), _KEYS_PER_QUERY):
                some = values[start : start + _KEYS_PER_QUERY]
                places = ", ".join("?" * len(some))
                for value, number, count, data in connection.exec_driver_sql(
                    f"{_SELECT_CHUNKS} AND value IN ({places})", (project, field, chunk, *some)
                ):
                    found[field, value, number] = data, count
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
        self, connection: sa.Connection, project: str, field: str, values: Sequence[str], size: int
    ) -> list[int]:
        """Return, for each of these values, the entries with that mark.

        Of a ref, these are the entries that name it in any role.
        """
        by_mention = [_is_by_mention(field, value) for value in values]
        if any(by_mention):
            return [
                self._mentioned(connection, project, "ref = ?", (value,), size) for value in values
            ]

        def load(first: int, keys: Sequence[_Key]) -> dict[_Key, int]:
            wanted = [key[3] for key in keys]
            places = ", ".join("?" * len(wanted))
            chunks: dict[str, list[tuple[int, int, bytes]]] = {}
            for value, *chunk in connection.exec_driver_sql(
                f"{_SELECT_CHUNKS} AND value IN ({places})",
                (project, field, first, *wanted),
            ):
                chunks.setdefault(value, []).append(tuple(chunk))
            return {key: from_chunks(chunks.get(key[3], ()), first) for key in keys}

        keys = [(project, "mark", field, value) for value in values]
        found = self._remembered.get(keys, size, load)
        return [found[key] for key in keys]

    def marked_from(
        self, connection: sa.Connection, project: str, field: str, start: str, size: int
    ) -> int:
        """Return the entries with a mark whose value begins with `start`."""
        span = (start, start + _LAST)
        if _is_by_mention(field, start):
            return self._mentioned(connection, project, "ref BETWEEN ? AND ?", span, size)

        def load(first: int) -> int:
            found = connection.exec_driver_sql(
                f"{_SELECT_CHUNKS} AND value BETWEEN ? AND ?", (project, field, first, *span)
            )
            return from_chunks((tuple(line[1:]) for line in found), first)

        return self._remembered.one((project, "marks from", field, start), size, load)

    def values(self, connection: sa.Connection, project: str, field: str, limit: int) -> list[str]:
        """Return the values of a field but "ref", the most frequent in the whole log first."""
        found = connection.exec_driver_sql(
            "SELECT value FROM search_totals WHERE project = ? AND field = ?"
            " ORDER BY count DESC, value LIMIT ?",
            (project, field, limit),
        )
        return [value for (value,) in found]

    def worded(
        self, connection: sa.Connection, project: str, phrase: str, size: int, *, prefix: bool
    ) -> int:
        """Return the entries whose line holds a phrase; with `prefix`, words may go on after it."""
        match = '"' + phrase.replace('"', '""') + '"' + (" *" if prefix else "")
        if not _exists(connection, project):
            return 0
        # One text of all the numbers: as rows, a million of them would take three times as long.
        select = (
            f"SELECT json_group_array(rowid) FROM {_text_name(project)}"  # noqa: S608  our own name
            " WHERE line MATCH ? AND rowid >= ?"
        )

        def load(first: int) -> int:
            found = connection.exec_driver_sql(select, (match, first * CHUNK)).scalar_one()
            return from_entries(_NUMBERS.decode(found), first)

        return self._remembered.one((project, "text", match, ""), size, load)

    def before(self, connection: sa.Connection, project: str, time: str) -> int:
        """Return the number of the last entry recorded before an RFC 3339 time, or -1."""
        found = connection.exec_driver_sql(
            "SELECT entry FROM arrivals WHERE project = ? AND recordedtime < ?"
            " ORDER BY recordedtime DESC, entry DESC LIMIT 1",
            (project, time),
        ).first()
        return -1 if found is None else int(found[0])

    def recordedtime(self, connection: sa.Connection, project: str, entry: int) -> str | None:
        """Return when an entry was recorded, or None if the rows do not reach it."""
        found = connection.exec_driver_sql(
            "SELECT recordedtime FROM arrivals WHERE project = ? AND entry = ?", (project, entry)
        ).first()
        return None if found is None else str(found[0])

    def _mentioned(
        self, connection: sa.Connection, project: str, condition: str, names: tuple[str, ...],
        size: int,
    ) -> int:  # fmt: skip
        select = (
            "SELECT json_group_array(entry) FROM mentions"  # noqa: S608  our own condition
            f" WHERE project = ? AND {condition} AND entry >= ?"
        )

        def load(first: int) -> int:
            line = (project, *names, first * CHUNK)
            found = connection.exec_driver_sql(select, line).scalar_one()
            return from_entries(_NUMBERS.decode(found), first)

        return self._remembered.one((project, condition, names[0], names[-1]), size, load)


class _Remembered:
    """Sets over full chunks, the least recently used out first.  Any thread may call."""

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._bytes = 0
        self._lock = threading.Lock()
        # key -> (chunks it covers, the set)
        self._sets: OrderedDict[_Key, tuple[int, int]] = OrderedDict()
        self._generation = 0

    def one(self, key: _Key, size: int, load: Callable[[int], int]) -> int:
        """Return one set; as `get`."""
        return self.get([key], size, lambda first, _keys: {key: load(first)})[key]

    def get(
        self, keys: Sequence[_Key], size: int,
        load: Callable[[int, Sequence[_Key]], Mapping[_Key, int]],
    ) -> dict[_Key, int]:  # fmt: skip
        """Return whole sets, loading what is not remembered of them.

        Args:
            keys: what they are sets of; the project first.
            size: entries there are: chunks that lie below it are full.
            load: reads sets from a chunk number on.
        """
        full = size // CHUNK
        found: dict[_Key, int] = {}
        missing: dict[int, list[_Key]] = {}
        with self._lock:
            generation = self._generation
            for key in keys:
                known, members = self._sets.get(key, (0, 0))
                if known > full:
                    # This transaction began before those chunks were full.
                    known, members = 0, 0
                elif known:
                    self._sets.move_to_end(key)
                found[key] = members
                missing.setdefault(known, []).append(key)
        for known, wanted in missing.items():
            for key, members in load(known, wanted).items():
                found[key] |= members
                if full > known:
                    self._keep(key, full, found[key] & below(full * CHUNK), generation)
        return found

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


def _is_by_mention(field: str, value: str) -> bool:
    return field == "ref" and value.partition(":")[0] in BY_MENTION


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
