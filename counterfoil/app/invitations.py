"""Invitations: a one-time link by which one person enrols their first passkey or account here.

What must hold: whoever invites is named, and is another person than the one who is invited; where
nobody stands behind what invited (the ledger's files, the administrator's token), the log says
which, and no second person is said to have vouched.  An invitation is for one person, works once,
ends with the next one and is over after three days; looking at it does not use it.  The link
itself stands nowhere: state.db has its digest, the log its id.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from counterfoil.app.access import Access
from counterfoil.app.proving import digest
from counterfoil.clock import Clock, format_time
from counterfoil.errors import RequestError
from counterfoil.events.event import Event
from counterfoil.ids import Randomness
from counterfoil.policy.access import ADMIN, Credential
from counterfoil.policy.directory import Actor, Directory
from counterfoil.policy.known import Invitation
from counterfoil.stores.state_sign_in import SignInLink, SignInState

LIFE: Final = timedelta(days=3)
"""Over a weekend's first day, and short enough that a forgotten mail opens nothing."""
PURPOSE: Final = "invitation"
PATH: Final = "/invitation"
_TOKEN_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Invited:
    """What an invitation is good for.

    Attributes:
        id: of the invitation.
        actor: who is invited.
        by: who invited, a pseudonym; "" where nobody stood behind the credential.
        vouched: on whose word that is, as `vouched_by_of` says.
        until: when it ends.
    """

    id: str
    actor: Actor
    by: str
    vouched: str
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

    An invitation they have not used yet ends with it.

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
    with access.changing():
        ended = _endings(access, credential, actor, format_time(now), "another one was made")
        access.enact([*ended, event], credential, via)
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


def withdraw(
    access: Access, clock: Clock, credential: Credential, handle: str, reason: str, via: str = "api"
) -> tuple[int, ...]:
    """End the invitation of somebody who has not used it; return the entries that say so.

    Whoever calls has asked whether `credential` may.

    Raises:
        RequestError: `actor_unknown`; `not_found`: no invitation of theirs is open.
    """
    with access.changing():
        actor = access.require_actor(handle)
        events = _endings(access, credential, actor, format_time(clock.now()), reason)
        if not events:
            raise RequestError("not_found", f"{handle} has no invitation that could be used")
        made = access.enact(events, credential, via)
    return tuple(one.index for one in made)


def _endings(
    access: Access, credential: Credential, actor: Actor, now: str, reason: str
) -> list[Event]:
    return [
        access.event(
            "invitation.ended",
            credential,
            subject=access.account_ref(actor.handle),
            data={"invitation": one.id, "reason": reason or None},
        )
        for one in access.directory.open_invitations(actor.ref, now)
    ]


def vouched_by_of(directory: Directory, invitation: Invitation) -> tuple[str, str]:
    """Return on whose word an invitation is, as events say it, and the actor who gave it.

    `invitation` is a second person's word.  Where nobody stood behind the credential it is
    `admin-token` (the administrator's token) or `files` (whoever holds the ledger's files), and
    the actor is "".
    """
    if invitation.by in directory.actors:
        return PURPOSE, invitation.by
    return ("admin-token" if invitation.through == ADMIN.id else "files"), ""


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
    vouched, by = vouched_by_of(access.directory, found)
    return Invited(found.id, actor, by, vouched, link.expires)
