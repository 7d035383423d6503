"""What signing in keeps in state.db: links, ceremonies, sessions, and how often a passkey was used.

No evidence, and nothing that lets anybody in: every secret stands here as its SHA-256 digest.

What must hold: of all who use a link or answer a ceremony at the same moment, one gets it, and it
is gone before anything else happens; a passkey's counter only grows; what is over is removed by
whatever comes next, and unanswered ceremonies are bounded, so strangers cannot fill the disk.
Losing the file signs everybody out and forgets counters, which start again where they were when
the passkey was enrolled.
"""

import dataclasses
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from counterfoil.stores.state_tokens import METADATA, Transaction

CEREMONIES_MAX: Final = 20_000
"""Unanswered at once; beyond it the oldest give way, so no flood keeps people out for long."""


def _text(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Text, nullable=False)


_LINKS: Final = sa.Table(
    "one_time_links",
    METADATA,
    sa.Column("digest", sa.LargeBinary, primary_key=True),
    *map(_text, ("purpose", "actor", "handle", "detail", "created", "expires")),
    sqlite_with_rowid=False,
)

_CEREMONIES: Final = sa.Table(
    "ceremonies",
    METADATA,
    sa.Column("digest", sa.LargeBinary, primary_key=True),
    sa.Column("holder", sa.LargeBinary, nullable=False),
    *map(_text, ("purpose", "actor", "detail", "created", "expires")),
    sqlite_with_rowid=False,
)

_SESSIONS: Final = sa.Table(
    "browser_sessions",
    METADATA,
    sa.Column("digest", sa.LargeBinary, primary_key=True),
    sa.Column("id", sa.Text, nullable=False, unique=True),
    sa.Column("actor", sa.Text, nullable=False, index=True),
    *map(
        _text,
        ("handle", "began", "using", "device", "place", "created", "seen", "verified", "expires"),
    ),
    _text("verified_with"),
    sqlite_with_rowid=False,
)

_COUNTERS: Final = sa.Table(
    "passkey_counters",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("counter", sa.Integer, nullable=False),
    _text("used"),
    sqlite_with_rowid=False,
)


@dataclass(frozen=True, slots=True)
class SignInLink:
    """One unused one-time link.

    Args:
        digest: SHA-256 of the token in it.
        purpose: what it is for: "sign-in" or "invitation".
        actor: whom it lets in, a pseudonym; "" for whoever holds the ledger's files.
        handle: what people call them.
        detail: of an invitation its id.
        created: when it was made.
        expires: from when on it is worth nothing.
    """

    digest: bytes
    purpose: str
    actor: str
    handle: str
    detail: str
    created: str
    expires: str


@dataclass(frozen=True, slots=True)
class Ceremony:
    """A question somebody was sent away with: a challenge, a provider's `state`, a code to show.

    Args:
        digest: SHA-256 of what comes back.
        holder: SHA-256 of the secret of the browser that has to bring it back; b"" where it
            comes back another way.
        purpose: what the answer may be used for, and for nothing else.
        actor: whose answer it has to be, a pseudonym; "" where the answer says who.
        detail: what the purpose needs to know.
        created: when it began.
        expires: from when on no answer counts.
    """

    digest: bytes
    holder: bytes
    purpose: str
    actor: str
    detail: str
    created: str
    expires: str


@dataclass(frozen=True, slots=True)
class Session:
    """One signed-in browser.

    Args:
        digest: SHA-256 of the cookie's value, which changes when more is proven.
        id: `session:...`, what entries carry; it stays.
        actor: who is signed in, a pseudonym; "" for whoever holds the ledger's files.
        handle: what people call them.
        began: "passkey", "oidc" or "link".
        using: the passkey's id or the provider's name; "" for a link.
        device: kind of browser and system, in words.
        place: kind of network it came from, in words.
        created: when it began.
        seen: when it was last used, to some minutes.
        verified: when its holder last showed a passkey, "" for never.
        expires: when it ends at the latest.
        verified_with: the passkey that was shown then, "" for none.
    """

    digest: bytes
    id: str
    actor: str
    handle: str
    began: str
    using: str
    device: str
    place: str
    created: str
    seen: str
    verified: str
    expires: str
    verified_with: str


class SignInState:
    """The tables of signing in.  Safe to use from any thread; every call is one transaction.

    Args:
        transaction: opens one on state.db, in which the tables are there.
    """

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    # Links.

    def add_link(self, link: SignInLink) -> None:
        """Keep a link until it is used or over."""
        with self._transaction() as connection:
            connection.execute(sa.delete(_LINKS).where(_LINKS.c.expires <= link.created))
            connection.execute(sa.insert(_LINKS).values(dataclasses.asdict(link)))

    def link(self, digest: bytes, now: str) -> SignInLink | None:
        """Return a link that could still be used at `now`, without using it."""
        query = sa.select(_LINKS).where(_LINKS.c.digest == digest, _LINKS.c.expires > now)
        with self._transaction() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else SignInLink(*row)

    def use_link(self, digest: bytes, purpose: str, now: str) -> SignInLink | None:
        """Take a link out of the file: of all who ask, one gets it, and only before it is over."""
        taken = (
            sa.delete(_LINKS)
            .where(_LINKS.c.digest == digest, _LINKS.c.purpose == purpose)
            .returning(*_LINKS.c)
        )
        with self._transaction() as connection:
            row = connection.execute(taken).one_or_none()
        link = None if row is None else SignInLink(*row)
        return link if link is not None and link.expires > now else None

    def remove_links(self, purpose: str, actor: str) -> None:
        """Forget the unused links of one purpose that would let an actor in."""
        at = _LINKS.c
        with self._transaction() as connection:
            connection.execute(sa.delete(_LINKS).where(at.purpose == purpose, at.actor == actor))

    # Ceremonies.

    def add_ceremony(self, ceremony: Ceremony) -> None:
        """Keep a question until it is answered, over, or the oldest of too many."""
        at = _CEREMONIES.c
        with self._transaction() as connection:
            connection.execute(sa.delete(_CEREMONIES).where(at.expires <= ceremony.created))
            waiting = connection.execute(sa.select(sa.func.count()).select_from(_CEREMONIES))
            if (beyond := waiting.scalar_one() - CEREMONIES_MAX + 1) > 0:
                oldest = sa.select(at.digest).order_by(at.created).limit(beyond)
                connection.execute(sa.delete(_CEREMONIES).where(at.digest.in_(oldest)))
            connection.execute(sa.insert(_CEREMONIES).values(dataclasses.asdict(ceremony)))

    def ceremonies(self, purpose: str, actor: str, now: str) -> list[Ceremony]:
        """Return the questions of one purpose that wait for an actor's answer, in their order."""
        at = _CEREMONIES.c
        query = sa.select(_CEREMONIES).where(
            at.purpose == purpose, at.actor == actor, at.expires > now
        )
        with self._transaction() as connection:
            rows = connection.execute(query.order_by(at.created, at.digest)).all()
        return [Ceremony(*row) for row in rows]

    def use_ceremony(self, digest: bytes, now: str, *, purpose: str = "") -> Ceremony | None:
        """Take a question out of the file, whoever asks: it is answered once, rightly or not.

        With a purpose, those of any other stay where they are.
        """
        taken = sa.delete(_CEREMONIES).where(
            _CEREMONIES.c.digest == digest, _is(_CEREMONIES.c.purpose, purpose)
        )
        with self._transaction() as connection:
            row = connection.execute(taken.returning(*_CEREMONIES.c)).one_or_none()
        ceremony = None if row is None else Ceremony(*row)
        return ceremony if ceremony is not None and ceremony.expires > now else None

    # Sessions.

    def add_session(self, session: Session, idle_since: str) -> None:
        """Keep a session; those that are over or unused since `idle_since` go."""
        at = _SESSIONS.c
        with self._transaction() as connection:
            connection.execute(
                sa.delete(_SESSIONS).where(
                    sa.or_(at.expires <= session.created, at.seen <= idle_since)
                )
            )
            connection.execute(sa.insert(_SESSIONS).values(dataclasses.asdict(session)))

    def session(self, digest: bytes, now: str, idle_since: str) -> Session | None:
        """Return the session whose cookie hashes to `digest`, unless it is over or was ended."""
        found = self._sessions(_SESSIONS.c.digest == digest, now, idle_since)
        return found[0] if found else None

    def sessions(self, now: str, idle_since: str, actor: str | None = None) -> list[Session]:
        """Return the open sessions, of one actor or of all, the youngest first."""
        whose = sa.true() if actor is None else _SESSIONS.c.actor == actor
        return self._sessions(whose, now, idle_since)

    def _sessions(self, which: sa.ColumnElement[bool], now: str, idle_since: str) -> list[Session]:
        at = _SESSIONS.c
        query = sa.select(_SESSIONS).where(which, at.expires > now, at.seen > idle_since)
        with self._transaction() as connection:
            rows = connection.execute(query.order_by(at.created.desc(), at.id)).all()
        return [Session(*row) for row in rows]

    def saw_session(self, digest: bytes, now: str) -> None:
        """Note that a session is in use."""
        with self._transaction() as connection:
            connection.execute(
                sa.update(_SESSIONS).where(_SESSIONS.c.digest == digest).values(seen=now)
            )

    def renew_session(self, digest: bytes, renewed: Session) -> bool:
        """Put a session, with the digest of another cookie, in the place of the one of `digest`.

        Returns:
            Whether it was still there: of two who renew, one does.
        """
        changed = sa.update(_SESSIONS).where(_SESSIONS.c.digest == digest)
        with self._transaction() as connection:
            return bool(connection.execute(changed.values(dataclasses.asdict(renewed))).rowcount)

    def end_session(self, digest: bytes) -> list[Session]:
        """Sign out; return what ended, nothing if it was not there."""
        return self._end(_SESSIONS.c.digest == digest)

    def end_sessions(
        self, *, session_id: str = "", actor: str = "", using: str = ""
    ) -> list[Session]:
        """End the sessions that match everything named, at least one thing; return them.

        A passkey that is named as `using` matches what was begun with it, or verified with it.
        """
        if not (session_id or actor or using):
            return []
        at = _SESSIONS.c
        how = sa.or_(_is(at.using, using), at.verified_with == sa.literal(using))
        whose = (_is(at.id, session_id), _is(at.actor, actor), how)
        return self._end(sa.and_(*whose))

    def _end(self, which: sa.ColumnElement[bool]) -> list[Session]:
        ended = sa.delete(_SESSIONS).where(which).returning(*_SESSIONS.c)
        with self._transaction() as connection:
            return [Session(*row) for row in connection.execute(ended).all()]

    # Passkeys.

    def count_passkey(self, passkey: str, counter: int, enrolled: int, now: str) -> bool:
        """Move a passkey's counter on, in one step; False if it did not grow.

        Args:
            passkey: its id.
            counter: what the authenticator says now; 0 if it does not count.
            enrolled: what it said when the passkey was enrolled.
            now: when it was used.

        Source: WebAuthn level 3 section 7.2 step 22; section 6.1.1: those that do not count say 0.
        """
        at = _COUNTERS.c
        grown = sa.or_(at.counter < counter, sa.and_(at.counter == 0, sa.literal(counter) == 0))
        with self._transaction() as connection:
            connection.execute(
                sa.text(
                    "INSERT INTO passkey_counters (id, counter, used) VALUES (:id, :counter, '')"
                    " ON CONFLICT DO NOTHING"
                ),
                {"id": passkey, "counter": enrolled},
            )
            moved = connection.execute(
                sa.update(_COUNTERS)
                .where(at.id == passkey, grown)
                .values(counter=counter, used=now)
            )
            return bool(moved.rowcount)

    def passkeys_used(self) -> dict[str, str]:
        """Return when each passkey was last used, by id; those never used are left out."""
        query = sa.select(_COUNTERS.c.id, _COUNTERS.c.used).where(_COUNTERS.c.used != "")
        with self._transaction() as connection:
            return {row.id: row.used for row in connection.execute(query)}


def _is(column: sa.ColumnElement[str], value: str) -> sa.ColumnElement[bool]:
    """Return the condition that a column has a value; "" is any value."""
    return sa.or_(sa.literal(value) == sa.literal(""), column == sa.literal(value))
