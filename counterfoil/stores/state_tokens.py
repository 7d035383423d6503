"""`state.db`, tokens: digest to id, and when each was last used.

What a token may do, how long and whether it was revoked stands in the log `_access`; here is only
what tells one from another.  Without a row here a token lets nobody in; with one, the token of an
ended id is known for what it was when somebody tries it.
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

METADATA: Final = sa.MetaData()

_TOKENS: Final = sa.Table(
    "tokens",
    METADATA,
    sa.Column("digest", sa.LargeBinary, primary_key=True),
    sa.Column("id", sa.Text, nullable=False, unique=True),
    sa.Column("used", sa.Text, nullable=False, default=""),
    sa.Column("uses", sa.Integer, nullable=False, default=0),
    sqlite_with_rowid=False,
)

Transaction = Callable[[], AbstractContextManager[sa.Connection]]


@dataclass(frozen=True, slots=True)
class KeptToken:
    """One token: SHA-256 of it, its id, when it was last used ("" never) and how often."""

    digest: bytes
    id: str
    used: str
    uses: int


class TokenRows:
    """The rows; every call is its own transaction."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    def add(self, digest: bytes, token: str) -> None:
        """Keep a token's digest under its id."""
        with self._transaction() as connection:
            connection.execute(sa.insert(_TOKENS).values(digest=digest, id=token, used="", uses=0))

    def all(self) -> list[KeptToken]:
        """Return every row, by id."""
        with self._transaction() as connection:
            rows = connection.execute(sa.select(_TOKENS).order_by(_TOKENS.c.id)).all()
        return [KeptToken(*row) for row in rows]

    def remove(self, tokens: Iterable[str]) -> None:
        """Forget digests, by id; removing what is not there is no error."""
        with self._transaction() as connection:
            for token in tokens:
                connection.execute(sa.delete(_TOKENS).where(_TOKENS.c.id == token))

    def note_used(self, used: Mapping[str, tuple[str, int]]) -> None:
        """Add to how often tokens were used: id -> (the last time, RFC 3339, and how often)."""
        with self._transaction() as connection:
            for token, (last, uses) in used.items():
                connection.execute(
                    sa.update(_TOKENS)
                    .where(_TOKENS.c.id == token)
                    .values(used=last, uses=_TOKENS.c.uses + uses)
                )
