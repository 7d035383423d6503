"""`state.db`, jobs of CIs: which key a token was first brought under, and the sessions it got.

What must hold: of two who bring one token under two keys, one is first, however close they come;
a proof counts once.  Digests only: what stands here lets nobody in.  Rows go when they are over,
so the file does not grow with the jobs that ever ran.
Losing the file loses no evidence: a token could be bound anew, until it ends by itself.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final

import sqlalchemy as sa

from counterfoil.stores.state_tokens import METADATA, Transaction

_BOUND: Final = sa.Table(
    "job_tokens",
    METADATA,
    sa.Column("digest", sa.LargeBinary, primary_key=True),
    sa.Column("thumbprint", sa.Text, nullable=False),
    sa.Column("until", sa.Text, nullable=False, index=True),
    sqlite_with_rowid=False,
)

_PROOFS: Final = sa.Table(
    "job_proofs",
    METADATA,
    sa.Column("digest", sa.LargeBinary, primary_key=True),
    sa.Column("until", sa.Text, nullable=False, index=True),
    sqlite_with_rowid=False,
)

_SESSIONS: Final = sa.Table(
    "job_sessions",
    METADATA,
    sa.Column("digest", sa.LargeBinary, primary_key=True),
    sa.Column("id", sa.Text, nullable=False, unique=True),
    sa.Column("rule", sa.Text, nullable=False),
    sa.Column("account", sa.Text, nullable=False),
    sa.Column("bound", sa.LargeBinary, nullable=False, index=True),
    sa.Column("until", sa.Text, nullable=False, index=True),
    sqlite_with_rowid=False,
)


class Binding(Enum):
    """What came of bringing a token under a key."""

    HELD = "the key is the one it was first brought under"
    USED = "the proof was seen before"
    FOREIGN = "it was first brought under another key"
    FLOOD = "it has got as many sessions as a job can need"


@dataclass(frozen=True, slots=True)
class JobSession:
    """One session of a job.

    Attributes:
        digest: SHA-256 of what the job shows.
        id: what entries carry as `recordedby`.
        rule: the trust rule it is under, a `trust:` ref.
        account: whose, such as `ci:github:74`.
        bound: digest of the token it was got with.
        until: when it ends, RFC 3339.
    """

    digest: bytes
    id: str
    rule: str
    account: str
    bound: bytes
    until: str


class JobRows:
    """The rows; every call is its own transaction."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    def bind(
        self,
        token: tuple[bytes, str],
        proof: tuple[bytes, str],
        thumbprint: str,
        now: str,
        sessions_max: int,
    ) -> Binding:
        """Bind a token to the key of whoever brings it first; say whether this one does.

        Args:
            token: what tells the token from every other one, and until when it counts.
            proof: likewise of the proof that came with it.
            thumbprint: of the key that signed the proof.
            now: RFC 3339; what was over before is forgotten.
            sessions_max: how many sessions a token may have open.
        """
        digest, until = token
        with self._transaction() as connection:
            # The first statement writes: so two who come at once stand in a row from here on.
            for table in (_BOUND, _PROOFS, _SESSIONS):
                connection.execute(sa.delete(table).where(table.c.until <= now))
            if not _added(connection, "job_proofs (digest, until) VALUES (:digest, :until)",
                          {"digest": proof[0], "until": proof[1]}):  # fmt: skip
                return Binding.USED
            _added(
                connection,
                "job_tokens (digest, thumbprint, until) VALUES (:digest, :thumbprint, :until)",
                {"digest": digest, "thumbprint": thumbprint, "until": until},
            )
            first = connection.execute(
                sa.select(_BOUND.c.thumbprint).where(_BOUND.c.digest == digest)
            ).scalar_one()
            if first != thumbprint:
                return Binding.FOREIGN
            count = sa.select(sa.func.count()).where(_SESSIONS.c.bound == digest)
            open_count = int(connection.execute(count).scalar_one())
        return Binding.HELD if open_count < sessions_max else Binding.FLOOD

    def add(self, session: JobSession) -> None:
        """Keep a session until it is over."""
        with self._transaction() as connection:
            connection.execute(
                sa.insert(_SESSIONS).values(
                    digest=session.digest, id=session.id, rule=session.rule,
                    account=session.account, bound=session.bound, until=session.until,
                )
            )  # fmt: skip

    def sessions(self, now: str) -> list[JobSession]:
        """Return the sessions that are open at `now`, by when they end."""
        query = sa.select(_SESSIONS).where(_SESSIONS.c.until > now)
        with self._transaction() as connection:
            rows = connection.execute(query.order_by(_SESSIONS.c.until, _SESSIONS.c.id)).all()
        return [JobSession(*row) for row in rows]


def _added(connection: sa.Connection, what: str, values: dict[str, object]) -> bool:
    statement = sa.text(f"INSERT INTO {what} ON CONFLICT DO NOTHING")
    return connection.execute(statement, values).rowcount == 1
