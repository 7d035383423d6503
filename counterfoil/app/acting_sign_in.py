"""Invitations made, passkeys of others removed, sessions of others ended."""

from typing import Final

import msgspec

from counterfoil.app.actions import Acting, Action, Done, Given
from counterfoil.app.admin import public_url
from counterfoil.app.invitations import invite, withdraw
from counterfoil.app.last_key import last_key_warning
from counterfoil.app.sessions import Sessions
from counterfoil.app.signin import SIGN_IN
from counterfoil.clock import format_time
from counterfoil.errors import RequestError
from counterfoil.policy.directory import Actor
from counterfoil.stores.state_sign_in import Session


class Inviting(Given, frozen=True, kw_only=True):
    """Who is invited: somebody who is described, and a person."""

    handle: str


class Invitation(Done, frozen=True, kw_only=True):
    """An invitation; `link` is shown here and nowhere else.

    Attributes:
        link: what to send the person, by a way only they read.
        until: when it ends, RFC 3339.
    """

    link: str
    until: str


class Withdrawing(Given, frozen=True, kw_only=True):
    """Whose invitation ends, and why."""

    handle: str
    reason: str = ""


class RemovingPasskey(Given, frozen=True, kw_only=True):
    """A passkey of an actor, by its id, and why it goes."""

    handle: str
    passkey: str
    reason: str = ""


class Removed(Done, frozen=True, kw_only=True):
    """A passkey is gone; `warning` says what nobody can do any more, "" if nothing is lost."""

    warning: str = ""


class ListingPasskeys(Given, frozen=True, kw_only=True):
    """Whose passkeys."""

    handle: str


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """One passkey that lets somebody in, on whose word it was enrolled, what is so without it."""

    passkey: str
    name: str
    since: str
    vouched: str
    vouched_by: str
    used: str
    warning: str


class Keys(Done, frozen=True, kw_only=True):
    """The passkeys of somebody, in the order they were enrolled."""

    passkeys: tuple[Kept, ...]


class Ending(Given, frozen=True, kw_only=True):
    """Sessions to end: one by its id, or all of an actor's."""

    session: str = ""
    handle: str = ""
    reason: str = ""


class Listing(Given, frozen=True, kw_only=True):
    """Whose sessions; everybody's without a handle."""

    handle: str = ""


class Open(msgspec.Struct, frozen=True, kw_only=True):
    """One open session, without what would let anybody in."""

    session: str
    handle: str
    began: str
    device: str
    place: str
    created: str
    seen: str
    until: str


class Sessioned(Done, frozen=True, kw_only=True):
    """The open sessions, the youngest first."""

    sessions: tuple[Open, ...]


def make_invitation(acting: Acting) -> Invitation:
    """Invite a person to make their first passkey, or to come by a provider.

    Raises:
        RequestError: `actor_unknown`, `usage`.
    """
    home, handle = acting.home, acting.given.handle
    made = invite(
        home.access, home.state.sign_in, home.clock, home.randomness, acting.credential, handle,
        public_url(home.directory, home.config.server), acting.via,
    )  # fmt: skip
    return Invitation(
        said=f"{handle} is invited until {made.until}; send them the link, it works once",
        link=made.address,
        until=made.until,
    )


def end_invitation(acting: Acting) -> Done:
    """End an invitation that was not used.

    Raises:
        RequestError: `actor_unknown`, `not_found`.
    """
    given: Withdrawing = acting.given
    home = acting.home
    entries = withdraw(
        home.access, home.clock, acting.credential, given.handle, given.reason, acting.via
    )
    return Done(said=f"the invitation of {given.handle} lets nobody in any more", entries=entries)


def remove_passkey(acting: Acting) -> Removed:
    """Remove a passkey: it lets nobody in, and the sessions begun with it end.

    The last one of the last administrator goes too, with a warning.

    Raises:
        RequestError: `actor_unknown`, `not_found`.
    """
    given: RemovingPasskey = acting.given
    access = acting.home.access
    with access.changing() as directory:
        actor = access.require_actor(given.handle)
        found = directory.passkeys.get(given.passkey)
        if found is None or found.removed >= 0 or found.actor != actor.ref:
            raise RequestError("not_found", f"{given.handle} has no passkey of that id")
        warning = last_key_warning(directory, found, format_time(acting.home.clock.now()))
        entries = acting.enact(
            "passkey.removed",
            access.account_ref(given.handle),
            {"passkey": given.passkey, "reason": given.reason or None},
        )
    ended = _sessions(acting).end_where(actor=actor.ref, using=given.passkey)
    entries += _record(acting, ended, "its passkey was removed")
    return Removed(
        said=f"a passkey of {given.handle} is removed, and {len(ended)} sessions with it",
        entries=entries,
        warning=warning,
    )


def list_passkeys(acting: Acting) -> Keys:
    """List what somebody signs in with.

    Raises:
        RequestError: `actor_unknown`.
    """
    access, handle = acting.home.access, acting.given.handle
    actor = access.require_actor(handle)
    used, now = acting.home.state.sign_in.passkeys_used(), format_time(acting.home.clock.now())
    found = [one for one in list(access.directory.passkeys.values()) if one.actor == actor.ref]
    passkeys = []
    for one in sorted(found, key=lambda key: key.entry):
        if one.removed < 0:
            by = access.directory.actors.get(one.vouched_by)
            passkeys.append(
                Kept(
                    passkey=one.id,
                    name=one.name,
                    since=one.since,
                    vouched=one.vouched,
                    vouched_by=by.handle if by is not None else "",
                    used=used.get(one.id, ""),
                    warning=last_key_warning(access.directory, one, now),
                )
            )
    return Keys(said=f"{handle} has {len(passkeys)} passkeys", passkeys=tuple(passkeys))


def end_sessions(acting: Acting) -> Done:
    """End one session, or all of an actor's.

    Raises:
        RequestError: `usage`, `actor_unknown`, `not_found`.
    """
    given: Ending = acting.given
    if bool(given.session) == bool(given.handle):
        raise RequestError("usage", "name one session, or a handle for all of theirs")
    actor = acting.home.access.require_actor(given.handle).ref if given.handle else ""
    ended = _sessions(acting).end_where(session_id=given.session, actor=actor)
    if given.session and not ended:
        raise RequestError("not_found", f"no session {given.session[:40]!a} is open")
    entries = _record(acting, ended, given.reason[:200] or "revoked")
    return Done(said=f"{len(ended)} sessions ended", entries=entries)


def list_sessions(acting: Acting) -> Sessioned:
    """List who is signed in.

    Raises:
        RequestError: `actor_unknown`.
    """
    access, handle = acting.home.access, acting.given.handle
    actor = access.require_actor(handle).ref if handle else None
    found = _sessions(acting).listed(actor)
    sessions = tuple(
        Open(
            session=one.id,
            handle=one.handle,
            began=one.began,
            device=one.device,
            place=one.place,
            created=one.created,
            seen=one.seen,
            until=one.expires,
        )
        for one in found
    )
    return Sessioned(said=f"{len(sessions)} sessions are open", sessions=sessions)


def forget_removed(acting: Acting, actor: Actor, how: str) -> tuple[int, ...]:
    """End what somebody who was removed is signed in by, and drop what waits for them.

    Whoever is described anew by their handle has the same pseudonym, and begins with nothing:
    neither their unused links nor their saved searches are there.

    Returns:
        The entries that say which sessions ended.
    """
    state = acting.home.state
    state.sign_in.remove_links(SIGN_IN, actor.ref)
    state.forget_searches(actor.handle)
    return _record(acting, _sessions(acting).end_where(actor=actor.ref), how)


def end_sessions_by(acting: Acting, actor: str, account: str) -> tuple[int, ...]:
    """End what an actor, a pseudonym, is signed in by at the provider of an account of theirs.

    Returns:
        The entries that say which sessions ended; none where no provider gives such accounts.
    """
    kind, _, rest = account.partition(":")
    provider = rest.partition(":")[0]
    if kind != "oidc" or not provider:
        return ()
    ended = _sessions(acting).end_where(actor=actor, using=provider)
    return _record(acting, ended, "its account was unlinked")


def _sessions(acting: Acting) -> Sessions:
    home = acting.home
    return Sessions(home.state.sign_in, home.clock, home.randomness)


def _record(acting: Acting, ended: list[Session], how: str) -> tuple[int, ...]:
    access = acting.home.access
    entries: tuple[int, ...] = ()
    for session in ended:
        actor = access.directory.actor(session.actor)
        named = ((access.account_ref(actor.handle), "holder"),) if actor is not None else ()
        entries += acting.enact("session.ended", session.id, {"how": how}, named)
    return entries


ACTIONS: Final = (
    Action(
        name="invite", verb="people", takes=Inviting, gives=Invitation, run=make_invitation,
        doc="Invite a person to make their first passkey; the link is shown once, an earlier one ends.",
    ),
    Action(
        name="invitation-end", verb="people", takes=Withdrawing, gives=Done, run=end_invitation,
        doc="End an invitation of somebody that was not used yet.",
    ),
    Action(
        name="passkey-remove", verb="people", takes=RemovingPasskey, gives=Removed,
        run=remove_passkey, doc="Remove a passkey of somebody; sessions begun with it end.",
    ),
    Action(
        name="passkey-list", verb="people", reads="accounts", takes=ListingPasskeys, gives=Keys, run=list_passkeys,
        doc="List the passkeys of somebody, and on whose word each was enrolled.",
    ),
    Action(
        name="session-end", verb="sessions", takes=Ending, gives=Done, run=end_sessions,
        doc="End one session, or all of an actor's.",
    ),
    Action(
        name="session-list", verb="sessions", reads="sessions", takes=Listing, gives=Sessioned, run=list_sessions,
        doc="List who is signed in, from what kind of place, since when.",
    ),
)  # fmt: skip
