"""views.db, numbers of producers: which never arrived, kept as they arrive.

A producer numbers its events within each of its starts (`boot`), so a number that is left out is
seen.  Looking for gaps among all numbers would cost as much as the log is long, on every page;
so a gap is a row, made by the entry that showed it (`since`) and ended by the one that filled or
parted it (`until`), and "as of entry n" is `since <= n < until` as everywhere.

Numbers below the first that arrived are no gap until one of them arrives.  Of a number that
arrives twice, the first entry counts.
"""

from collections.abc import Iterable
from typing import NamedTuple

import sqlalchemy as sa

from counterfoil.projections.mentions import Arrival

FOREVER = 2**63 - 1


class _Reach(NamedTuple):
    """The lowest and the highest number of one start of a producer, with their entries."""

    lowest: int
    lowest_entry: int
    highest: int
    highest_entry: int


def sequence_tables(metadata: sa.MetaData) -> tuple[sa.Table, sa.Table]:
    """Return the tables of what each start of a producer has reached, and of the gaps."""
    reached = sa.Table(
        "sequences",
        metadata,
        sa.Column("project", sa.Text, primary_key=True),
        sa.Column("producer", sa.Text, primary_key=True),
        sa.Column("boot", sa.Text, primary_key=True),
        sa.Column("lowest", sa.BigInteger, nullable=False),
        sa.Column("lowest_entry", sa.BigInteger, nullable=False),
        sa.Column("highest", sa.BigInteger, nullable=False),
        sa.Column("highest_entry", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    gaps = sa.Table(
        "sequence_gaps",
        metadata,
        sa.Column("project", sa.Text, primary_key=True),
        sa.Column("producer", sa.Text, primary_key=True),
        sa.Column("boot", sa.Text, primary_key=True),
        # The standing ones first, in order: what is asked most.
        sa.Column("until", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("first", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("since", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("last", sa.BigInteger, nullable=False),
        sa.Column("before", sa.BigInteger, nullable=False),
        sa.Column("after", sa.BigInteger, nullable=False),
        sa.Index("sequence_gaps_standing", "project", "until"),
        sqlite_with_rowid=False,
    )
    return reached, gaps


def add_numbers(
    connection: sa.Connection, tables: tuple[sa.Table, sa.Table], project: str,
    arrivals: Iterable[Arrival],
) -> None:  # fmt: skip
    """Take in the numbers of entries, ascending, each above all that were added before.

    Cost: one read and one write for each start of a producer among them; a number that is not
    the next one costs two statements more.
    """
    reached, gaps = tables
    known: dict[tuple[str, str], _Reach | None] = {}
    for one in arrivals:
        if one.producer is None or one.boot is None or one.seq is None:
            continue
        key = one.producer, one.boot
        if key not in known:
            known[key] = _reach(connection, reached, project, key)
        at = known[key]
        if at is None:
            known[key] = _Reach(one.seq, one.entry, one.seq, one.entry)
        elif one.seq > at.highest:
            gap = at.highest + 1, one.seq - 1, at.highest_entry, one.entry
            _open_gap(connection, gaps, (project, *key), gap, one.entry)
            known[key] = at._replace(highest=one.seq, highest_entry=one.entry)
        elif one.seq < at.lowest:
            gap = one.seq + 1, at.lowest - 1, one.entry, at.lowest_entry
            _open_gap(connection, gaps, (project, *key), gap, one.entry)
            known[key] = at._replace(lowest=one.seq, lowest_entry=one.entry)
        else:
            _fill(connection, gaps, (project, *key), one.seq, one.entry)
    for (producer, boot), at in known.items():
        where = (
            reached.c.project == project, reached.c.producer == producer, reached.c.boot == boot,
        )  # fmt: skip
        connection.execute(sa.delete(reached).where(*where))
        assert at is not None
        values = {"project": project, "producer": producer, "boot": boot, **at._asdict()}
        connection.execute(sa.insert(reached).values(**values))


def _reach(
    connection: sa.Connection, reached: sa.Table, project: str, key: tuple[str, str]
) -> _Reach | None:
    found = connection.execute(
        sa.select(*(reached.c[name] for name in _Reach._fields)).where(
            reached.c.project == project, reached.c.producer == key[0], reached.c.boot == key[1]
        )
    ).one_or_none()
    return None if found is None else _Reach(*found)


def _open_gap(
    connection: sa.Connection, gaps: sa.Table, of: tuple[str, str, str],
    gap: tuple[int, int, int, int], entry: int,
) -> None:  # fmt: skip
    first, last, before, after = gap
    if first > last:
        return
    project, producer, boot = of
    connection.execute(
        sa.insert(gaps).values(
            project=project, producer=producer, boot=boot, since=entry, until=FOREVER,
            first=first, last=last, before=before, after=after,
        )
    )  # fmt: skip


def _fill(
    connection: sa.Connection, gaps: sa.Table, of: tuple[str, str, str], seq: int, entry: int
) -> None:
    """End the gap a late number lies in, and begin what is left of it on both sides."""
    project, producer, boot = of
    standing = (
        gaps.c.project == project, gaps.c.producer == producer, gaps.c.boot == boot,
        gaps.c.until == FOREVER,
    )  # fmt: skip
    found = connection.execute(
        sa.select(gaps.c.first, gaps.c.last, gaps.c.before, gaps.c.after)
        .where(*standing, gaps.c.first <= seq)
        .order_by(gaps.c.first.desc())
        .limit(1)
    ).one_or_none()
    if found is None or found.last < seq:
        return  # it has arrived before
    connection.execute(
        sa.update(gaps).where(*standing, gaps.c.first == found.first).values(until=entry)
    )
    _open_gap(connection, gaps, of, (found.first, seq - 1, found.before, entry), entry)
    _open_gap(connection, gaps, of, (seq + 1, found.last, entry, found.after), entry)
