"""`state.db`, where the entries about keeping stand: rules, holds, and what expired.

No evidence: each of these entries is in its log, and is read there.  Losing the rows makes the
next question read the log from its beginning once.
"""

from collections.abc import Iterable
from typing import Final

import sqlalchemy as sa

from counterfoil.stores.state_tokens import METADATA, Transaction

_SEEN: Final = sa.Table(
    "keeping_seen",
    METADATA,
    sa.Column("project", sa.Text, primary_key=True),
    sa.Column("size", sa.Integer, nullable=False),
    sqlite_with_rowid=False,
)
_FOUND: Final = sa.Table(
    "keeping_found",
    METADATA,
    sa.Column("project", sa.Text, primary_key=True),
    sa.Column("entry", sa.Integer, primary_key=True),
    sqlite_with_rowid=False,
)


class KeepingRows:
    """The rows; every call is its own transaction."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    def read(self, project: str) -> tuple[int, list[int]]:
        """Return how many entries of a log were looked at, and which of them are about keeping."""
        with self._transaction() as connection:
            size = connection.execute(
                sa.select(_SEEN.c.size).where(_SEEN.c.project == project)
            ).scalar_one_or_none()
            entries = connection.execute(
                sa.select(_FOUND.c.entry)
                .where(_FOUND.c.project == project)
                .order_by(_FOUND.c.entry)
            ).scalars()
            return size or 0, list(entries)

    def add(self, project: str, size: int, entries: Iterable[int]) -> None:
        """Keep that `size` entries were looked at, and what was found since the last time."""
        rows = [{"project": project, "entry": one} for one in entries]
        with self._transaction() as connection:
            connection.execute(sa.delete(_SEEN).where(_SEEN.c.project == project))
            connection.execute(sa.insert(_SEEN).values(project=project, size=size))
            if rows:
                connection.execute(
                    sa.text(
                        "INSERT INTO keeping_found (project, entry) VALUES (:project, :entry)"
                        " ON CONFLICT DO NOTHING"
                    ),
                    rows,
                )

    def forget(self, project: str) -> None:
        """Look at the whole log again the next time."""
        with self._transaction() as connection:
            for table in (_SEEN, _FOUND):
                connection.execute(sa.delete(table).where(table.c.project == project))
