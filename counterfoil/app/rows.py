"""Questions put to views.db: every one of them as of an entry.

`as_of` is an entry number (0-based) or None for as far as the rows have followed.  Lists come in
parts: the cursor is the place of the last row shown, so a part never repeats or skips a row of
the same moment.
"""

import base64
import binascii
import dataclasses
from collections import Counter
from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec
import sqlalchemy as sa

from counterfoil.app.answers import Page
from counterfoil.errors import RequestError
from counterfoil.projections.base import TEXT_MAX, Projection, Row, Scalar
from counterfoil.projections.mentions import Arrival, Link, SequenceGap
from counterfoil.projections.search_set import CHUNK
from counterfoil.stores.sequences import FOREVER
from counterfoil.stores.tables import KEYS_PER_QUERY, Tables, as_of_clause

LIMIT_MAX = 1_000
_GROUP_SIZE = 2**48
GAPS_MAX = 1_000

RowT = TypeVar("RowT", bound=Row)


class Rows:
    """Read-only queries over the tables of one views.db."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._schema = tables.schema

    def one(
        self, projection: Projection[RowT], project: str, key: str, as_of: int | None
    ) -> RowT | None:
        """Return the row of this key, or None."""
        return self.some(projection, project, [key], as_of).get(key)

    def some(
        self, projection: Projection[RowT], project: str, keys: Sequence[str], as_of: int | None
    ) -> dict[str, RowT]:
        """Return the rows of these keys, as far as there are any."""
        table = self._schema.nouns[projection.noun]
        found: dict[str, RowT] = {}
        with self._tables.read() as connection:
            for start in range(0, len(keys), KEYS_PER_QUERY):
                query = sa.select(table.c.key, table.c.row).where(
                    table.c.project == project,
                    table.c.key.in_(keys[start : start + KEYS_PER_QUERY]),
                    as_of_clause(table, as_of, by_key=True),
                )
                for key, row in connection.execute(query):
                    found[key] = msgspec.json.decode(row, type=projection.row)
        return found

    def page(
        self, projection: Projection[RowT], project: str, *, as_of: int | None,
        cursor: str | None, limit: int, order: str = "first", ascending: bool = False,
        where: dict[str, Scalar] | None = None, below: int | None = None,
        lead: Sequence[dict[str, Scalar]] = (),
    ) -> Page[RowT]:  # fmt: skip
        """Return a part of the rows of a noun.

        Args:
            projection: which noun.
            project: of which log.
            as_of: as of which entry.
            cursor: from the part before, or None for the first.
            limit: rows wanted, at most `LIMIT_MAX`.
            order: the integer column to sort by; rows that are equal there are sorted by key.
            ascending: smallest first.
            where: index column -> value it must have.
            below: only rows whose `order` is less than this.
            lead: what comes before all else, whatever its `order`: rows with these column values,
                the first of these groups first.

        Raises:
            RequestError: `query_invalid`: the cursor is none of ours.
        """
        table = self._schema.nouns[projection.noun]
        limit = max(1, min(limit, LIMIT_MAX))
        wanted = [table.c.project == project, as_of_clause(table, as_of)]
        wanted += [table.c[name] == value for name, value in (where or {}).items()]
        place: sa.ColumnElement[Any] = table.c[order]
        if below is not None:
            wanted.append(place < below)
        if lead:
            groups = [
                (sa.and_(*(table.c[name] == value for name, value in group.items())), rank)
                for rank, group in enumerate(lead)
            ]
            # One number for both, so that a cursor stays one place; no log has 2^48 entries.
            place = sa.case(*groups, else_=len(lead)) * _GROUP_SIZE + place
        beyond = []
        if cursor is not None:
            at, key = _read_cursor(cursor)
            after = place > at if ascending else place < at
            beyond = [sa.or_(after, sa.and_(place == at, table.c.key > key))]
        sorting = place.asc() if ascending else place.desc()
        with self._tables.read() as connection:
            total = connection.scalar(sa.select(sa.func.count()).select_from(table).where(*wanted))
            lines = connection.execute(
                sa.select(place, table.c.key, table.c.row)
                .where(*wanted, *beyond)
                .order_by(sorting, table.c.key.asc())
                .limit(limit + 1)
            ).all()
        rows = tuple(msgspec.json.decode(row, type=projection.row) for _, _, row in lines[:limit])
        more = len(lines) > limit
        return Page(rows, _write_cursor(*lines[limit - 1][:2]) if more else None, total or 0)

    def case_counts(
        self, project: str, runs: Sequence[str], as_of: int | None, *, earlier: bool = False
    ) -> dict[str, dict[str, int]]:
        """Return how many cases of each run ended how; runs without cases are {}.

        A case counts once, by its last attempt; with `earlier`, the attempts before that count.
        """
        table = self._schema.nouns["cases"]
        counted: dict[str, dict[str, int]] = {run: {} for run in runs}
        with self._tables.read() as connection:
            for start in range(0, len(runs), KEYS_PER_QUERY):
                query = (
                    sa.select(table.c.run, table.c.outcome, sa.func.count())
                    .where(
                        table.c.project == project,
                        table.c.run.in_(runs[start : start + KEYS_PER_QUERY]),
                        table.c.final == int(not earlier),
                        as_of_clause(table, as_of),
                    )
                    .group_by(table.c.run, table.c.outcome)
                    .order_by(table.c.run, table.c.outcome)
                )
                for run, outcome, count in connection.execute(query):
                    counted[run][outcome] = count
        return counted

    def links(self, project: str, refs: Sequence[str], as_of: int | None, limit: int) -> list[Link]:
        """Return up to `limit` links from or to any of `refs`, oldest first."""
        table = self._schema.links
        found: list[Link] = []
        for side in (table.c.source, table.c.target):
            query = (
                sa.select(table.c.source, table.c.role, table.c.target, table.c.entry)
                .where(table.c.project == project, side.in_(refs))
                .order_by(table.c.entry)
                .limit(limit)
            )
            if as_of is not None:
                query = query.where(table.c.entry <= as_of)
            with self._tables.read() as connection:
                found += [Link(*line) for line in connection.execute(query)]
        return sorted(set(found), key=lambda link: link.entry)[:limit]

    def names(self, project: str, start: str, as_of: int | None, limit: int) -> list[str]:
        """Return up to `limit` mentioned refs that begin with `start`, in order."""
        table = self._schema.mentions
        query = (
            sa.select(table.c.ref)
            .where(
                table.c.project == project,
                table.c.ref >= start,
                # "g" is beyond every hexadecimal digit that can follow.
                table.c.ref < start + "g",
            )
            .distinct()
            .order_by(table.c.ref)
            .limit(limit)
        )
        if as_of is not None:
            query = query.where(table.c.entry <= as_of)
        with self._tables.read() as connection:
            return list(connection.scalars(query))

    def mentioned(
        self,
        project: str,
        refs: Sequence[str],
        as_of: int | None,
        limit: int = 1,
        *,
        last: bool = False,
    ) -> list[int]:
        """Return the first entries that name any of `refs`, ascending; or the last, descending."""
        table = self._schema.mentions
        query = (
            sa.select(table.c.entry)
            .where(table.c.project == project, table.c.ref.in_(refs))
            .distinct()
            .order_by(table.c.entry.desc() if last else table.c.entry)
            .limit(limit)
        )
        if as_of is not None:
            query = query.where(table.c.entry <= as_of)
        with self._tables.read() as connection:
            return list(connection.scalars(query))

    def acted(self, projects: Sequence[str], actor: str) -> dict[str, int]:
        """Return the last entry this pseudonym is the actor of, in each project where it is.

        Cost: one descent of an index for each project.
        """
        if not projects:
            return {}
        table = self._schema.mentions
        lasts = [
            sa.select(sa.func.max(table.c.entry))
            .where(table.c.project == project, table.c.ref == actor, table.c.role == "actor")
            .scalar_subquery()
            for project in projects
        ]
        with self._tables.read() as connection:
            found = connection.execute(sa.select(*lasts)).one()
        return {
            project: entry
            for project, entry in zip(projects, found, strict=True)
            if entry is not None
        }

    def first_acted(self, project: str, actor: str) -> int | None:
        """Return the first entry this pseudonym is the actor of, or None."""
        table = self._schema.mentions
        query = sa.select(sa.func.min(table.c.entry)).where(
            table.c.project == project, table.c.ref == actor, table.c.role == "actor"
        )
        with self._tables.read() as connection:
            found: int | None = connection.scalar(query)
        return found

    def last_acts(self, project: str, actors: Sequence[str]) -> dict[str, str]:
        """Return when each of these pseudonyms last acted, RFC 3339; who never did is left out."""
        table = self._schema.mentions
        found: dict[str, int] = {}
        with self._tables.read() as connection:
            for start in range(0, len(actors), KEYS_PER_QUERY):
                query = (
                    sa.select(table.c.ref, sa.func.max(table.c.entry))
                    .where(
                        table.c.project == project,
                        table.c.ref.in_(actors[start : start + KEYS_PER_QUERY]),
                        table.c.role == "actor",
                    )
                    .group_by(table.c.ref)
                )
                found |= {line[0]: line[1] for line in connection.execute(query)}
        times = {
            one.entry: one.recordedtime
            for one in self.arrivals(project, sorted(set(found.values())))
        }
        return {ref: times[entry] for ref, entry in found.items() if entry in times}

    def acts(self, project: str) -> list[tuple[str, int]]:
        """Return (pseudonym, how many entries it is the actor of), of every actor of a log."""
        table = self._schema.search_totals
        query = (
            sa.select(table.c.value, table.c.count)
            .where(table.c.project == project, table.c.field == "actor", table.c.value != "")
            .order_by(table.c.value)
        )
        with self._tables.read() as connection:
            return [(actor, count) for actor, count in connection.execute(query)]

    def position_at(self, project: str, recordedtime: str) -> int:
        """Return the number of the last entry recorded at or before a moment, or -1."""
        table = self._schema.arrivals
        query = (
            sa.select(table.c.entry)
            .where(table.c.project == project, table.c.recordedtime <= recordedtime)
            .order_by(table.c.recordedtime.desc(), table.c.entry.desc())
            .limit(1)
        )
        with self._tables.read() as connection:
            found = connection.scalar(query)
        return -1 if found is None else found

    def recordedtime(self, project: str, entry: int) -> str | None:
        """Return when an entry was recorded, or None if the rows do not reach it."""
        table = self._schema.arrivals
        query = sa.select(table.c.recordedtime).where(
            table.c.project == project, table.c.entry == entry
        )
        with self._tables.read() as connection:
            return connection.scalar(query)

    def sources(self, project: str, as_of: int | None) -> list[tuple[str, int, int]]:
        """Return (source, entries from it, number of the last) by source.

        Cost: with the number of sources, not with that of entries: what the search index has
        counted is added up, and of its last chunk at most `CHUNK` entries are looked at.
        """
        table = self._schema.arrivals
        until = table.c.entry <= (FOREVER if as_of is None else as_of)
        next_one = sa.select(sa.func.min(table.c.source)).where(
            table.c.project == project, table.c.source > sa.bindparam("after")
        )
        last_of = sa.select(sa.func.max(table.c.entry)).where(
            table.c.project == project, table.c.source == sa.bindparam("of"), until
        )
        found = []
        with self._tables.read() as connection:
            counted = self._counted_by_source(connection, project, as_of)
            source = connection.scalar(next_one, {"after": ""})
            while source is not None:
                last = connection.scalar(last_of, {"of": source})
                if last is not None:
                    count = counted.get(source, 0)
                    if len(source) >= TEXT_MAX:  # cut in the index, where others may begin alike
                        each = sa.select(sa.func.count()).where(
                            table.c.project == project, table.c.source == source, until
                        )
                        count = connection.scalar(each) or 0
                    found.append((source, count, last))
                source = connection.scalar(next_one, {"after": source})
        return found

    def _counted_by_source(
        self, connection: sa.Connection, project: str, as_of: int | None
    ) -> dict[str, int]:
        """Return how many entries there are by source, as the search index has it."""
        if as_of is None:
            totals = self._schema.search_totals
            query = sa.select(totals.c.value, totals.c.count).where(
                totals.c.project == project, totals.c.field == "source"
            )
            return {line[0]: line[1] for line in connection.execute(query)}
        chunk = as_of // CHUNK
        marks = self._schema.search_marks
        whole = (
            sa.select(marks.c.value, sa.func.sum(marks.c.count))
            .where(marks.c.project == project, marks.c.field == "source", marks.c.chunk < chunk)
            .group_by(marks.c.value)
        )
        counted = Counter({line[0]: line[1] for line in connection.execute(whole)})
        table = self._schema.arrivals
        # Grouped here: SQLite would group by walking the index of sources, all of it.
        rest = sa.select(table.c.source).where(
            table.c.project == project, table.c.entry >= chunk * CHUNK, table.c.entry <= as_of
        )
        counted.update(connection.scalars(rest))
        return counted

    def arrivals(self, project: str, entries: Sequence[int]) -> list[Arrival]:
        """Return how entries arrived, ascending by number."""
        table = self._schema.arrivals
        columns = [table.c[field.name] for field in dataclasses.fields(Arrival)]
        found: list[Arrival] = []
        with self._tables.read() as connection:
            for start in range(0, len(entries), KEYS_PER_QUERY):
                query = sa.select(*columns).where(
                    table.c.project == project,
                    table.c.entry.in_(entries[start : start + KEYS_PER_QUERY]),
                )
                found += [Arrival(*line) for line in connection.execute(query)]
        return sorted(found, key=lambda one: one.entry)

    def hours(self, project: str, start: str, as_of: int | None) -> list[tuple[str, str, int]]:
        """Return (source, hour "2026-11-20T12", entries) recorded from `start` on."""
        table = self._schema.arrivals
        hour = sa.func.substr(table.c.recordedtime, 1, 13)
        query = (
            sa.select(table.c.source, hour, sa.func.count())
            .where(table.c.project == project, table.c.recordedtime >= start)
            .group_by(table.c.source, hour)
        )
        if as_of is not None:
            query = query.where(table.c.entry <= as_of)
        with self._tables.read() as connection:
            return [(source, at, count) for source, at, count in connection.execute(query)]

    def sequence_gaps(
        self, project: str, as_of: int | None, producers: Sequence[tuple[str, str]] | None = None
    ) -> list[SequenceGap]:
        """Return numbers that never arrived, within one start of a producer, in order.

        Args:
            project: of which log.
            as_of: as of which entry.
            producers: only these (producer, boot) pairs; all if None.
        """
        _, table = self._schema.sequences
        wanted = [table.c.project == project, as_of_clause(table, as_of)]
        if producers is not None:
            if not producers:
                return []
            pairs = [
                sa.and_(table.c.producer == producer, table.c.boot == boot)
                for producer, boot in producers[:KEYS_PER_QUERY]
            ]
            wanted.append(sa.or_(*pairs))
        columns = [table.c[field.name] for field in dataclasses.fields(SequenceGap)]
        query = (
            sa.select(*columns)
            .where(*wanted)
            .order_by(table.c.producer, table.c.boot, table.c.first)
            .limit(GAPS_MAX)
        )
        with self._tables.read() as connection:
            return [SequenceGap(*line) for line in connection.execute(query)]

    def numbers_missing(self, project: str) -> int:
        """Return how many numbers of producers have not arrived."""
        _, table = self._schema.sequences
        query = sa.select(sa.func.sum(table.c.last - table.c.first + 1)).where(
            table.c.project == project, as_of_clause(table, None)
        )
        with self._tables.read() as connection:
            return connection.scalar(query) or 0

    def numbering(self, project: str, entries: Sequence[int]) -> list[tuple[str, str]]:
        """Return the (producer, boot) pairs that numbered these entries."""
        table = self._schema.arrivals
        found: set[tuple[str, str]] = set()
        with self._tables.read() as connection:
            for start in range(0, len(entries), KEYS_PER_QUERY):
                query = sa.select(table.c.producer, table.c.boot).where(
                    table.c.project == project,
                    table.c.entry.in_(entries[start : start + KEYS_PER_QUERY]),
                    table.c.producer.is_not(None),
                )
                found |= {(producer, boot) for producer, boot in connection.execute(query)}
        return sorted(found)


def _write_cursor(place: int, key: str) -> str:
    return base64.urlsafe_b64encode(f"{place} {key}".encode()).decode().rstrip("=")


def _read_cursor(cursor: str) -> tuple[int, str]:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        text = base64.b64decode(padded.encode("ascii"), altchars=b"-_", validate=True).decode()
        place, _, key = text.partition(" ")
        if place.isascii() and place.isdigit() and len(place) < 19:
            return int(place), key
    except (binascii.Error, ValueError) as error:
        raise _cursor_invalid() from error
    raise _cursor_invalid()


def _cursor_invalid() -> RequestError:
    return RequestError("query_invalid", "that is no cursor from here; begin without one")
