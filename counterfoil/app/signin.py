"""Signing in: one-time links become sessions, both kept in state.db.

What must hold: whoever reads state.db cannot sign in with what stands there (digests only);
looking at a link does not use it, because mail and chat programs look at links; of all who use
a link, one gets a session.

The link itself is the only secret: whoever uses it first is signed in.  It is made by somebody
who may write the ledger directory, which is more than a session gives.
"""

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from counterfoil.clock import Clock, format_time
from counterfoil.ids import Randomness
from counterfoil.policy.access import Credential
from counterfoil.stores.state import State

TOKEN_BYTES: Final = 32
# Long enough for "set it up today, look at it tomorrow morning"; a fresh one is one command.
LINK_LIFE: Final = timedelta(hours=24)
SESSION_LIFE: Final = timedelta(days=7)
HANDLE: Final = "administrator"


@dataclass(frozen=True, slots=True)
class Opened:
    """A session at its start.  `cookie` is the browser's secret, shown here once."""

    cookie: str
    expires: str


def make_link(
    state: State, clock: Clock, randomness: Randomness, address: str, handle: str = HANDLE
) -> str:
    """Make a one-time sign-in link, good for `LINK_LIFE`, and return its address.

    Args:
        state: the state.db of the ledger to sign in to; a running server sees it at once.
        clock: tells until when it is good.
        randomness: gives the token, 32 bytes.
        address: where the server is reached, without a slash at the end.
        handle: what the session is called on the pages.
    """
    token = randomness.token(TOKEN_BYTES).hex()
    now = clock.now()
    state.add_link(_digest(token), handle, format_time(now), format_time(now + LINK_LIFE))
    return f"{address}/sign-in?token={token}"


def link_works(state: State, clock: Clock, token: str) -> bool:
    """Whether a link's token could still be used; asking does not use it."""
    return state.link(_digest(token), format_time(clock.now())) is not None


def open_session(state: State, clock: Clock, randomness: Randomness, token: str) -> Opened | None:
    """Use up a link and start a session; None when the link is unknown, used or over."""
    now = clock.now()
    link = state.use_link(_digest(token), format_time(now))
    if link is None:
        return None
    # A fresh value for every session: nobody can fix it beforehand.
    cookie = randomness.token(TOKEN_BYTES).hex()
    expires = format_time(now + SESSION_LIFE)
    state.add_session(_digest(cookie), link.handle, format_time(now), expires)
    return Opened(cookie, expires)


def find_session(state: State, clock: Clock, cookie: str) -> Credential | None:
    """Return whom a cookie's value signs in; None when it is unknown, ended or over."""
    digest = _digest(cookie)
    session = state.session(digest, format_time(clock.now()))
    if session is None:
        return None
    # The id stands in entries for ever, so it tells sessions apart and says nothing more.
    return Credential(f"session:{digest.hex()[:16]}", "session", session.handle)


def end_session(state: State, cookie: str) -> None:
    """Sign out on the server's side: the cookie is worth nothing from here on."""
    state.end_session(_digest(cookie))


def anybody_signed_in(state: State, clock: Clock) -> bool:
    """Whether a session is open: if none is, a starting server prints a link."""
    return bool(state.sessions(format_time(clock.now())))


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()
