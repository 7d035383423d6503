"""Actors described and removed, accounts linked and unlinked."""

from collections.abc import Mapping
from typing import Final

from counterfoil.app.acting_roles import GRANT_BYTES
from counterfoil.app.acting_sign_in import end_sessions_by, forget_removed
from counterfoil.app.actions import Acting, Action, Done, Given
from counterfoil.app.directory_spans import overlap
from counterfoil.app.handles import (
    check_account,
    check_answers,
    check_behalf,
    check_handle,
    check_kept,
    check_kind,
    check_name,
    check_unlike,
    handles_alike,
)
from counterfoil.app.moments import span_of
from counterfoil.app.owners import owner_now, reads_like
from counterfoil.clock import format_time
from counterfoil.errors import RequestError


class Describing(Given, frozen=True, kw_only=True):
    """An actor, described.

    Attributes:
        handle: `[a-z0-9._-]`, unique, for life.
        kind: "person", "service" or "agent".
        name: what people call them.
        behalf: of an agent or a service: the handle of the person who answers for it.
    """

    handle: str
    kind: str = "person"
    name: str = ""
    behalf: str = ""


class Naming(Given, frozen=True, kw_only=True):
    """An actor, and why."""

    handle: str
    reason: str = ""


class Linking(Given, frozen=True, kw_only=True):
    """An account of an actor, for a time.

    Attributes:
        handle: whose.
        account: `PROVIDER:LOGIN`, such as `github.com:ana-dev`.
        since, until: RFC 3339 or a date.
    """

    handle: str
    account: str
    since: str = ""
    until: str = ""


class Unlinking(Given, frozen=True, kw_only=True):
    """An account that is an actor's no more, and why."""

    handle: str
    account: str
    reason: str = ""


def describe(acting: Acting) -> Done:
    """Make an actor known, or describe one anew.

    Raises:
        RequestError: `usage`, `actor_unknown`, `actor_taken`.
    """
    given: Describing = acting.given
    access = acting.home.access
    with access.changing() as directory:
        check_description(given)
        before = directory.by_handle(given.handle)
        check_kept(directory.known_as(given.handle), given.kind)
        if before is None:
            check_unlike(given.handle, handles_alike(directory))
        named: tuple[tuple[str, str], ...] = ()
        if given.behalf:
            check_answers(given.behalf, access.require_actor(given.behalf).kind)
            named = ((access.account_ref(given.behalf), "on-behalf-of"),)
        data = {"kind": given.kind, "name": given.name or None}
        entries = acting.enact("actor.described", access.account_ref(given.handle), data, named)
    said = "described anew" if before is not None else "known"
    article = "an" if given.kind == "agent" else "a"
    return Done(said=f"{given.handle} is {said} as {article} {given.kind}", entries=entries)


def remove(acting: Acting) -> Done:
    """Remove an actor: nothing of theirs lets anybody in from here on.

    Raises:
        RequestError: `actor_unknown`.
    """
    given: Naming = acting.given
    access = acting.home.access
    with access.changing():
        actor = access.require_actor(given.handle)
        entries = acting.enact(
            "actor.removed", access.account_ref(given.handle), {"reason": given.reason or None}
        )
    # Nobody gets in by them any more; ended, they do not come back with whoever is described anew.
    entries += forget_removed(acting, actor, "its holder was removed")
    return Done(said=f"{given.handle} is removed; what they did stays", entries=entries)


def link(acting: Acting) -> Done:
    """Say that an account is an actor's.

    Raises:
        RequestError: `usage`, `actor_unknown`, `account_taken`, `account_lookalike`.
    """
    given: Linking = acting.given
    home = acting.home
    data = span_of(given.since, given.until)
    check_account(given.account)
    if (data["since"] or "") > format_time(home.clock.now()):
        raise RequestError("usage", f"{data['since']} is to come; an account is linked once it is")
    with home.access.changing():
        home.access.require_actor(given.handle)
        refuse_lookalike(acting, given.handle, given.account)
        if (owner := owner_now(home, given.account)) is not None:
            raise RequestError(
                "account_taken", f"{given.account} is {owner.handle}'s; unlink it there first"
            )
        _refuse_shared(acting, given, data)
        entries = acting.enact(
            "account.linked",
            home.access.account_ref(given.handle),
            {"how": "administrator", **data},
            ((f"actor:{given.account}", "account"),),
        )
    return Done(said=f"{given.account} is {given.handle}'s", entries=entries)


def _refuse_shared(acting: Acting, given: Linking, data: Mapping[str, str | None]) -> None:
    """Refuse a link from or to a moment at which the account was somebody else's.

    What was done under it then stays theirs, removed since or not: an entry's actor is whoever
    had the account when it was recorded.

    Raises:
        RequestError: `account_taken`.
    """
    access = acting.home.access
    directory, own = access.directory, access.require_actor(given.handle).ref
    known = acting.home.keys.known_people([given.account]).get(given.account)
    since = data["since"] or format_time(acting.home.clock.now())
    for link in directory.links.get(known.pseudonym, ()) if known is not None else ():
        if link.actor != own and overlap(since, data["until"] or "", link.since, link.until):
            owner = directory.actors.get(link.actor)
            handle = (owner.handle if owner is not None else "") or "somebody removed"
            until = f" until {link.until}" if link.until else ""
            raise RequestError(
                "account_taken",
                f"{given.account} was {handle}'s{until}, and what it did then stays theirs; "
                "link it from then on",
            )


def unlink(acting: Acting) -> Done:
    """Say that an account is an actor's no more.

    Raises:
        RequestError: `actor_unknown`, `not_found`.
    """
    given: Unlinking = acting.given
    home = acting.home
    with home.access.changing():
        home.access.require_actor(given.handle)
        owner = owner_now(home, given.account)
        if owner is None or owner.handle != given.handle:
            raise RequestError("not_found", f"{given.account[:80]} is not {given.handle}'s")
        entries = acting.enact(
            "account.unlinked",
            home.access.account_ref(given.handle),
            {"reason": given.reason or None},
            ((f"actor:{given.account}", "account"),),
        )
    entries += end_sessions_by(acting, owner.ref, given.account)
    return Done(said=f"{given.account} is {given.handle}'s no more", entries=entries)


def check_description(given: Describing) -> None:
    """Refuse a description that names nobody.

    Raises:
        RequestError: `usage`.
    """
    check_handle(given.handle)
    check_kind(given.kind)
    check_name(given.name)
    check_behalf(given.handle, given.kind, given.behalf)


def refuse_lookalike(acting: Acting, handle: str, account: str) -> None:
    """Refuse an account that reads like another actor's.

    Raises:
        RequestError: `account_lookalike`.
    """
    if (found := reads_like(acting.home, handle, account)) is not None:
        other, owner = found
        raise RequestError(
            "account_lookalike",
            f"{account[:80]!a} reads like {other[:80]!a}, which is {owner.handle}'s",
        )


def require_holder(acting: Acting, handle: str) -> None:
    """Refuse who is no holder of a credential that `acting` makes.

    What comes under it is proven to be the holder's: so nobody makes one for another person.

    Raises:
        RequestError: `actor_unknown`, `not_allowed`.
    """
    found = acting.home.access.require_actor(handle)
    if found.kind == "person" and found.ref != acting.credential.actor:
        raise RequestError(
            "not_allowed",
            f"only {handle} can let something act as {handle}; name a service or an agent",
        )


def ensure_service(
    acting: Acting, name: str, projects: tuple[str, ...]
) -> tuple[str, tuple[int, ...]]:
    """Return the service of that name that records in these projects, made if need be."""
    access = acting.home.access
    if (found := access.directory.by_handle(name)) is not None:
        if found.kind != "service":
            raise RequestError("actor_taken", f"{name} is a {found.kind}; name the holder")
        return name, ()
    check_description(Describing(handle=name, kind="service"))
    check_kept(access.directory.known_as(name), "service")
    check_unlike(name, handles_alike(access.directory))
    subject = access.account_ref(name)
    events = [access.event("actor.described", acting.credential, subject=subject,
                           data={"kind": "service"})]  # fmt: skip
    for project in projects:
        grant = acting.home.randomness.token(GRANT_BYTES).hex()
        data = {"grant": grant, "role": "producer", "project": project, "tier": "*",
                "component": "*"}  # fmt: skip
        events.append(access.event("role.granted", acting.credential, subject=subject, data=data))
    made = access.enact(events, acting.credential, acting.via)
    return name, tuple(one.index for one in made)


ACTIONS: Final = (
    Action(
        name="actor-describe", verb="people", takes=Describing, gives=Done, run=describe,
        doc="Make a person, a service or an agent known, or describe one anew.",
    ),
    Action(
        name="actor-remove", verb="people", takes=Naming, gives=Done, run=remove,
        doc="Remove an actor: nothing of theirs lets anybody in from then on.",
    ),
    Action(
        name="account-link", verb="people", takes=Linking, gives=Done, run=link,
        doc="Say that an account is an actor's.",
    ),
    Action(
        name="account-unlink", verb="people", takes=Unlinking, gives=Done, run=unlink,
        doc="Say that an account is an actor's no more.",
    ),
)  # fmt: skip
