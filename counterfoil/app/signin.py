"""One-time links: made by whoever holds the ledger's files, used once, in a browser.

What must hold: whoever reads state.db cannot sign in with what stands there (digests only);
looking at a link does not use it, because mail and chat programs look at links; of all who use
a link, one gets a session.

The link itself is the only secret: whoever uses it first is signed in.  It is made by somebody
who may write the ledger directory, which is more than a session gives.
"""

from datetime import timedelta
from typing import Final

from counterfoil.app.proving import digest
from counterfoil.app.sessions import Opened, Sessions, Visitor
from counterfoil.clock import Clock, format_time
from counterfoil.ids import Randomness
from counterfoil.policy.access import Credential
from counterfoil.stores.state import State
from counterfoil.stores.state_sign_in import Session, SignInLink

TOKEN_BYTES: Final = 32
# Long enough for "set it up today, look at it tomorrow morning"; a fresh one is one command.
LINK_LIFE: Final = timedelta(hours=24)
HANDLE: Final = "administrator"
SIGN_IN: Final = "sign-in"


def make_link(
    state: State,
    clock: Clock,
    randomness: Randomness,
    address: str,
    handle: str = HANDLE,
    actor: str = "",
) -> str:
    """Make a one-time sign-in link, good for `LINK_LIFE`, and return its address.

    Args:
        state: the state.db of the ledger to sign in to; a running server sees it at once.
        clock: tells until when it is good.
        randomness: gives the token, 32 bytes.
        address: where the server is reached, without a slash at the end.
        handle: what the session is called on the pages.
        actor: whose session it will be, a pseudonym; "" for whoever holds the ledger's files.
    """
    token = randomness.token(TOKEN_BYTES).hex()
    now = clock.now()
    state.sign_in.add_link(
        SignInLink(
            digest=digest(token),
            purpose=SIGN_IN,
            actor=actor,
            handle=handle,
            detail="",
            created=format_time(now),
            expires=format_time(now + LINK_LIFE),
        )
    )
    return f"{address}/sign-in?token={token}"


def link_of(state: State, clock: Clock, token: str) -> SignInLink | None:
    """Return what a token could still be used for; asking does not use it."""
    return state.sign_in.link(digest(token), format_time(clock.now()))


def open_session(
    state: State, clock: Clock, randomness: Randomness, token: str, visitor: Visitor | None = None
) -> Opened | None:
    """Use up a link and start a session; None when the link is unknown, used or over."""
    link = state.sign_in.use_link(digest(token), SIGN_IN, format_time(clock.now()))
    if link is None:
        return None
    sessions = Sessions(state.sign_in, clock, randomness)
    return sessions.open(actor=link.actor, handle=link.handle, began="link", visitor=visitor)


def credential_of(session: Session, handle: str) -> Credential:
    """Return what a session is worth at the door, of somebody who is called `handle` now."""
    return Credential(session.id, "session", handle, actor=session.actor, verified=session.verified)


def anybody_signed_in(state: State, clock: Clock, randomness: Randomness) -> bool:
    """Whether a session is open: if none is, a starting server prints a link."""
    return bool(Sessions(state.sign_in, clock, randomness).listed())
