"""Invitations: a one-time link by which one person enrols their first passkey or account here.

What must hold: whoever invites is named, and is another person than the one who is invited; an
invitation is for one person, works once, and is over after three days; looking at it does not use
it.  The link itself stands nowhere: state.db has its digest, the log its id.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from counterfoil.app.access import Access
from counterfoil.app.proving import digest
from counterfoil.clock import Clock, format_time
from counterfoil.errors import RequestError
from counterfoil.ids import Randomness
from counterfoil.policy.access import Credential
from counterfoil.policy.directory import Actor
from counterfoil.stores.state_sign_in import SignInLink, SignInState

LIFE: Final = timedelta(days=3)
"""Over a weekend's first day, and short enough that a forgotten mail opens nothing."""
PURPOSE: Final = "invitation"
PATH: Final = "/invitation"
_TOKEN_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Invited:
    """What an invitation is good for: who is invited, by whom (a pseudonym), until when."""

    id: str
    actor: Actor
    by: str
    until: str


@dataclass(frozen=True, slots=True)
class Made:
    """An invitation that was made; `address` is the only place its secret stands."""

    id: str
    address: str
    until: str


def invite(
    access: Access,
    state: SignInState,
    clock: Clock,
    randomness: Randomness,
    credential: Credential,
    handle: str,
    address: str,
    via: str = "api",
) -> Made:
    """Invite somebody who is known here; whoever calls has asked whether `credential` may.

    Args:
        access: who there is, and where it is recorded.
        state: keeps the link's digest.
        clock: until when it is good.
        randomness: gives the link and the id.
        credential: who invites.
        handle: who is invited.
        address: where the server is reached, without a slash at the end.
        via: how it came.

    Raises:
        RequestError: `actor_unknown`, `usage`: not a person, or oneself.
    """
    actor = access.require_actor(handle)
    if actor.kind != "person":
        raise RequestError(
            "usage", f"{handle} is a {actor.kind}; only a person signs in, others have tokens"
        )
    if credential.actor == actor.ref:
        raise RequestError(
            "usage", "nobody invites themselves; enrol another passkey with one you have"
        )
    token = randomness.token(_TOKEN_BYTES).hex()
    invitation = randomness.token(8).hex()
    now = clock.now()
    until = format_time(now + LIFE)
    # The log first: a link without its event could not say who vouched.
    event = access.event(
        "invitation.made",
        credential,
        subject=access.account_ref(handle),
        data={"invitation": invitation, "until": until},
    )
    access.enact([event], credential, via)
    state.add_link(
        SignInLink(
            digest=digest(token),
            purpose=PURPOSE,
            actor=actor.ref,
            handle=handle,
            detail=invitation,
            created=format_time(now),
            expires=until,
        )
    )
    return Made(invitation, f"{address}{PATH}?token={token}", until)


def invited(access: Access, state: SignInState, clock: Clock, token: str) -> Invited | None:
    """Return what an invitation's link is good for; None once it is used or over."""
    now = format_time(clock.now())
    link = state.link(digest(token), now)
    if link is None or link.purpose != PURPOSE:
        return None
    found = access.directory.invitations.get(link.detail)
    actor = access.directory.actor(link.actor)
    if found is None or actor is None or found.used >= 0 or not found.holds(now):
        return None
    return Invited(found.id, actor, found.by, link.expires)
