"""`state.db`, re-reading: how far the scrubber has come in each log, and what is damaged just now.

No evidence: what was found is in the log.  Losing the rows costs a pass from the beginning, and
what is damaged is found and recorded once more.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from counterfoil.stores.state_tokens import METADATA, Transaction

_PLACES: Final = sa.Table(
    "scrub_places",
    METADATA,
    sa.Column("log", sa.Text, primary_key=True),
    sa.Column("next", sa.Integer, nullable=False),
    sa.Column("began", sa.Text, nullable=False),
    sa.Column("ended", sa.Text, nullable=False),
    sqlite_with_rowid=False,
)

_DAMAGES: Final = sa.Table(
    "scrub_damages",
    METADATA,
    sa.Column("place", sa.Text, primary_key=True),
    sa.Column("log", sa.Text, nullable=False),
    sa.Column("classes", sa.Text, nullable=False),
    sa.Column("objects", sa.Text, nullable=False),
    sa.Column("first", sa.Integer, nullable=True),
    sa.Column("last", sa.Integer, nullable=True),
    sa.Column("why", sa.Text, nullable=False),
    sa.Column("found", sa.Text, nullable=False),
    sa.Column("recorded_in", sa.Text, nullable=False),
    sa.Column("entry", sa.Integer, nullable=True),
    sqlite_with_rowid=False,
)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far re-reading has come in one log.

    Attributes:
        next: index of the entry to go on with, a multiple of 256.
        began: when this pass began, RFC 3339.
        ended: when the last pass through all of it ended, RFC 3339; "" before the first.
    """

    next: int
    began: str
    ended: str


@dataclass(frozen=True, slots=True)
class Damage:
    """What is not whole in one place that is re-read at once.

    Attributes:
        place: what was re-read, such as `default/entries/256`.
        log: the project of the log it concerns; "" where it concerns the whole ledger.
        classes: of the findings, in words of `verify`, joined by ", ".
        objects: the files, rows and cells, one a line, the first few.
        first, last: the entries concerned, inclusive; None where no entry is.
        why: the first finding, one line.
        found: when, RFC 3339.
        recorded_in: the log that holds the event about it; "" while none does.
        entry: the index of that event; None while none is.
    """

    place: str
    log: str
    classes: str
    objects: str
    first: int | None
    last: int | None
    why: str
    found: str
    recorded_in: str = ""
    entry: int | None = None


class ScrubRows:
    """The rows; every call is its own transaction."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    def progress(self) -> dict[str, Progress]:
        """Return how far each log is re-read, by its project."""
        with self._transaction() as connection:
            rows = connection.execute(sa.select(_PLACES)).all()
        return {row.log: Progress(row.next, row.began, row.ended) for row in rows}

    def put_progress(self, progress: Mapping[str, Progress]) -> None:
        """Keep how far logs are re-read."""
        with self._transaction() as connection:
            for log, one in progress.items():
                connection.execute(sa.delete(_PLACES).where(_PLACES.c.log == log))
                connection.execute(
                    sa.insert(_PLACES).values(
                        log=log, next=one.next, began=one.began, ended=one.ended
                    )
                )

    def damages(self) -> dict[str, Damage]:
        """Return what is damaged, by place."""
        with self._transaction() as connection:
            rows = connection.execute(sa.select(_DAMAGES).order_by(_DAMAGES.c.place)).all()
        return {row.place: _damage(row) for row in rows}

    def put_damage(self, damage: Damage) -> None:
        """Keep what is damaged in a place, over what was known of it."""
        with self._transaction() as connection:
            connection.execute(sa.delete(_DAMAGES).where(_DAMAGES.c.place == damage.place))
            values = {name: getattr(damage, name) for name in _DAMAGES.c.keys()}  # noqa: SIM118  not a dict
            connection.execute(sa.insert(_DAMAGES).values(**values))

    def remove_damage(self, place: str) -> None:
        """Forget what was damaged in a place that reads whole again."""
        with self._transaction() as connection:
            connection.execute(sa.delete(_DAMAGES).where(_DAMAGES.c.place == place))


def _damage(row: sa.Row[Any]) -> Damage:
    return Damage(**row._mapping)  # noqa: SLF001  SQLAlchemy's public name for it
