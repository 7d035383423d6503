"""`state.db`, milestones: how far each log was backed up, restored, drilled and verified, and when.

No evidence: what a backup holds is in the backup, and that it was taken is in a log.  Losing the
rows makes the health page say "nobody looked yet", which is the careful side.
"""

from dataclasses import dataclass
from typing import Final, Literal, get_args

import sqlalchemy as sa

from counterfoil.stores.state_tokens import METADATA, Transaction

_MILESTONES: Final = sa.Table(
    "milestones",
    METADATA,
    sa.Column("what", sa.Text, primary_key=True),
    sa.Column("project", sa.Text, primary_key=True),
    sa.Column("size", sa.Integer, nullable=False),
    sa.Column("at", sa.Text, nullable=False),
    sqlite_with_rowid=False,
)

What = Literal["backed_up", "restored", "drilled", "verified"]
WHATS: Final[tuple[What, ...]] = get_args(What)


@dataclass(frozen=True, slots=True)
class Milestone:
    """How far something was done to one log the last time it was done.

    Attributes:
        what: was done.
        project: of which log.
        size: how many entries it covered, from index 0.
        at: when, RFC 3339.
    """

    what: What
    project: str
    size: int
    at: str


class Milestones:
    """The rows; every call is its own transaction."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    def note(self, what: What, project: str, size: int, at: str) -> None:
        """Keep that something was done, in the place of the last time it was.

        Args:
            what: was done; whole, and found whole: what failed is no milestone.
            project: of which log.
            size: how many entries it covered, from index 0.
            at: when, RFC 3339.
        """
        named = _MILESTONES.c.what == what, _MILESTONES.c.project == project
        with self._transaction() as connection:
            connection.execute(sa.delete(_MILESTONES).where(*named))
            connection.execute(
                sa.insert(_MILESTONES).values(what=what, project=project, size=size, at=at)
            )

    def latest(self) -> list[Milestone]:
        """Return what was done last to each log, by project and what."""
        query = sa.select(_MILESTONES).order_by(_MILESTONES.c.project, _MILESTONES.c.what)
        with self._transaction() as connection:
            return [Milestone(*row) for row in connection.execute(query)]
