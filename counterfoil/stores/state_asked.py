"""`state.db`, questions: access requests as they were asked lately, for replays.

No evidence: what was decided is in the log.  Losing them costs a replay its examples.
"""

from collections.abc import Mapping
from typing import Final

import sqlalchemy as sa

from counterfoil.stores.state_tokens import METADATA, Transaction

KEPT_MAX: Final = 2_000

_ASKED: Final = sa.Table(
    "asked",
    METADATA,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("digest", sa.Text, nullable=False, unique=True),
    sa.Column("request", sa.LargeBinary, nullable=False),
)


class AskedRows:
    """The rows; every call is its own transaction."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    def add(self, requests: Mapping[str, bytes]) -> None:
        """Keep requests by digest; of all that are kept the last `KEPT_MAX` stay."""
        with self._transaction() as connection:
            for digest, request in requests.items():
                connection.execute(sa.delete(_ASKED).where(_ASKED.c.digest == digest))
                connection.execute(sa.insert(_ASKED).values(digest=digest, request=request))
            last = connection.execute(sa.select(sa.func.max(_ASKED.c.number))).scalar_one()
            connection.execute(
                sa.delete(_ASKED).where(_ASKED.c.number <= (last or 0) - 2 * KEPT_MAX)
            )

    def all(self) -> list[bytes]:
        """Return the last `KEPT_MAX` requests, the latest first."""
        query = sa.select(_ASKED.c.request).order_by(_ASKED.c.number.desc()).limit(KEPT_MAX)
        with self._transaction() as connection:
            return [row[0] for row in connection.execute(query)]
