"""The difference in persons, services and agents: who they are and which accounts are theirs.  Pure."""

from collections.abc import Iterator
from typing import Final

import msgspec

from counterfoil.app.directory_change import Change, Differing, actor_ref, dates, span
from counterfoil.app.directory_lines import ActorLine, OnLine, Timed, refused
from counterfoil.app.directory_spans import AccountSpan
from counterfoil.app.handles import check_answers, check_kept, check_unlike, handles_alike
from counterfoil.policy.directory import Link

DIRECTORY: Final = "directory"


def check_handles(at: Differing) -> None:
    """Refuse a handle that reads like another one."""
    alike = handles_alike(at.directory)
    for one in at.file.actors.values():
        with OnLine(one.line):
            check_unlike(one.handle, alike)


def actor(at: Differing, one: ActorLine) -> Iterator[Change]:
    """Yield what changes of an actor itself."""
    before = at.directory.by_handle(one.handle)
    with OnLine(one.line):
        check_kept(at.directory.known_as(one.handle), one.kind)
        if one.behalf:
            check_answers(one.behalf, at.kind(one.behalf, one.line))
    change = Change(
        does="add",
        who=one.handle,
        text=" ".join(part for part in (one.kind, one.name) if part)
        + (f", on behalf of {one.behalf}" if one.behalf else ""),
        event="actor.described",
        subject=actor_ref(one.handle),
        data={"kind": one.kind, **({"name": one.name} if one.name else {})},
        named=((actor_ref(one.behalf), "on-behalf-of"),) if one.behalf else (),
    )
    if before is None:
        yield change
    elif (before.name, at.handle(before.behalf)) != (one.name, one.behalf):
        yield msgspec.structs.replace(change, does="change")


def removals(at: Differing) -> Iterator[Change]:
    """Yield who goes because the file does not describe them."""
    if not at.remove_missing:
        return
    for actor in at.directory.actors.values():
        if actor.removed < 0 and at.is_missing(actor):
            yield Change(
                does="remove",
                who=actor.handle,
                text=" ".join(part for part in (actor.kind, actor.name) if part),
                event="actor.removed",
                subject=actor_ref(actor.handle),
                data={"reason": "not in the directory file"},
            )
    for ref, team in at.directory.teams.items():
        if ref not in at.file.teams:
            yield Change(
                does="remove",
                who=ref,
                text=team.title,
                event="team.removed",
                subject=ref,
                data={"reason": "not in the directory file"},
            )


def account_spans(at: Differing) -> list[AccountSpan]:
    """Return whose every account would be, from when to when."""
    found = []
    for one in at.file.actors.values():
        kept = one.accounts if one.accounts is not None else ()
        for account in kept:
            if account.since > at.now:
                raise refused(
                    account.line,
                    f"{account.account[:80]} is linked from when it is {one.handle}'s; "
                    f"{account.since} is still to come",
                )
            known = _matching(at, one.handle, account.account, account)
            since = account.since or (known.since if known is not None else at.now)
            found.append(
                AccountSpan(account.account, one.handle, since, account.until, account.line)
            )
    for links in at.directory.links.values():
        for link in links:
            actor = at.directory.actor(link.actor)
            login = at.standing.accounts.get(link.account, "")
            if actor is None or not login or at.is_missing(actor):
                continue
            if (described := at.file.actors.get(actor.handle)) is not None:
                if _is_taken_back(at, described, link):
                    link = msgspec.structs.replace(link, until=at.now)  # noqa: PLW2901  as it will be
                elif login in {each.account for each in described.accounts or ()}:
                    continue
            found.append(AccountSpan(login, actor.handle, link.since, link.until, 0))
    return found


def spans_over(at: Differing) -> list[AccountSpan]:
    """Return whose every account was that is removed, or is removed by this file."""
    found = []
    for links in at.directory.links.values():
        for link in links:
            actor = at.directory.actors.get(link.actor)
            login = at.standing.accounts.get(link.account, "")
            if actor is not None and login and (actor.removed >= 0 or at.is_missing(actor)):
                until = min(link.until or at.now, at.now)
                handle = actor.handle or "somebody removed"
                found.append(AccountSpan(login, handle, link.since, until, 0))
    return found


def links(at: Differing, one: ActorLine) -> Iterator[Change]:
    """Yield the accounts that become an actor's, or for other dates."""
    for account in one.accounts or ():
        known = _matching(at, one.handle, account.account, account)
        if known is not None and known.until == account.until:
            continue
        since = account.since or (known.since if known is not None else "")
        until = account.until
        yield Change(
            does="link",
            who=one.handle,
            text=account.account + dates(since, until),
            event="account.linked",
            subject=actor_ref(one.handle),
            data={"how": DIRECTORY, **span(since, until)},
            named=((f"actor:{account.account}", "account"),),
        )


def unlinks(at: Differing, one: ActorLine) -> Iterator[Change]:
    """Yield the accounts that are an actor's no more."""
    actor = at.directory.by_handle(one.handle)
    if actor is None:
        return
    for link in at.directory.accounts_of(actor.ref):
        if not _is_taken_back(at, one, link):
            continue
        account = at.standing.accounts[link.account]
        yield Change(
            does="unlink",
            who=one.handle,
            text=account,
            event="account.unlinked",
            subject=actor_ref(one.handle),
            data={"reason": "not in the directory file any more"},
            named=((f"actor:{account}", "account"),),
        )


def _is_taken_back(at: Differing, one: ActorLine, link: Link) -> bool:
    """Whether a link that a file made, and that is not over, is one this file does not make."""
    account = at.standing.accounts.get(link.account, "")
    return (
        one.accounts is not None
        and link.how == DIRECTORY
        and account != ""
        and (not link.until or link.until > at.now)
        and account not in {each.account for each in one.accounts}
    )


def _matching(at: Differing, handle: str, account: str, said: Timed) -> Link | None:
    """Return the link that a line of the file speaks of: from the same moment, or the last."""
    actor = at.directory.by_handle(handle)
    links = at.directory.accounts_of(actor.ref) if actor is not None else []
    for link in reversed(links):
        if at.standing.accounts.get(link.account) == account and (
            link.since == said.since
            or (not said.since and (not link.until or link.until > at.now))
            or (not said.since and link.until == said.until)
        ):
            return link
    return None
