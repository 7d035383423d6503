"""The difference in teams, turns, deputies and roles.  Pure."""

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from counterfoil.app.directory_change import (
    Change,
    Differing,
    actor_ref,
    dates,
    is_said,
    pair,
    span,
)
from counterfoil.app.directory_lines import (
    ActorLine,
    MemberLine,
    RoleLine,
    TeamLine,
    Timed,
    refused,
)
from counterfoil.app.directory_spans import Edge
from counterfoil.events.canonical import JSON
from counterfoil.policy.access import ALL
from counterfoil.policy.directory import Grant, Span
from counterfoil.policy.separation import Way, Ways, ways_of


def by_holder(at: Differing, pairs: Mapping[tuple[str, str], Span]) -> dict[str, dict[str, Span]]:
    """Return the spans of pairs by their first part, then by the handle of the second."""
    found: dict[str, dict[str, Span]] = {}
    for (first, second), holds in pairs.items():
        if handle := at.handle(second):
            found.setdefault(first, {})[handle] = holds
    return found


def team(at: Differing, one: TeamLine) -> Iterator[Change]:
    """Yield what changes of a team itself, its title and turns."""
    for handle in one.turns:
        at.kind(handle, one.line)
    change = Change(
        does="add",
        who=one.ref,
        text=one.title
        + (f", turns of {one.turn_days} days: {' '.join(one.turns)}" if one.turns else ""),
        event="team.described",
        subject=one.ref,
        data={
            **({"title": one.title} if one.title else {}),
            **({"turns_from": one.turns_from, "turn_days": one.turn_days} if one.turns else {}),
        },
        named=tuple((actor_ref(handle), "turn") for handle in one.turns),
    )
    known = at.directory.teams.get(one.ref)
    if known is None:
        yield change
        return
    before = (
        known.title,
        tuple(at.handle(ref) for ref in known.turns),
        known.turns_from,
        known.turn_days,
    )
    if before != (one.title, one.turns, one.turns_from, one.turn_days):
        yield msgspec.structs.replace(change, does="change")


def members(at: Differing, one: TeamLine, known: Mapping[str, Span]) -> Iterator[Change]:
    """Yield who joins and leaves a team; `known` are its members by handle."""
    if one.members is None:
        return
    wanted: dict[str, MemberLine] = {}
    for member in one.members:
        at.kind(member.handle, member.line)
        if member.handle in wanted:
            raise refused(member.line, f"{member.handle} is in {one.ref} twice")
        wanted[member.handle] = member
    for handle in known:
        if handle not in wanted and not at.goes(handle):
            yield pair("leave", "member.left", one.ref, handle, one.ref, "member", None)
    for handle, member in wanted.items():
        if not is_said(member, known.get(handle)):
            yield pair("join", "member.joined", one.ref, handle, one.ref, "member", member)


def deputy_spans(at: Differing) -> list[tuple[str, str, Timed]]:
    """Return (for whom, who, when) of every deputy there would be."""
    found: list[tuple[str, str, Timed]] = []
    for one in at.file.actors.values():
        for deputy in one.deputies or ():
            for handle in (one.handle, deputy.deputy):
                if at.kind(handle, deputy.line) != "person":
                    raise refused(deputy.line, f"persons stand in for persons; {handle} is none")
            when = Timed(line=deputy.line, since=deputy.since or at.now, until=deputy.until)
            found.append((one.handle, deputy.deputy, when))
    for (person, other), standing in at.directory.deputies.items():
        described = at.file.actors.get(at.handle(person))
        if described is None or described.deputies is None:
            when = Timed(line=0, since=standing.since, until=standing.until)
            found.append((at.handle(person), at.handle(other), when))
    return found


def deputies(at: Differing, one: ActorLine, known: Mapping[str, Span]) -> Iterator[Change]:
    """Yield who begins and ends to stand in for an actor; `known` are the deputies by handle."""
    if one.deputies is None:
        return
    wanted = {}
    for deputy in one.deputies:
        if deputy.deputy in wanted:
            raise refused(deputy.line, f"{deputy.deputy} stands in for {one.handle} twice")
        wanted[deputy.deputy] = deputy
    subject = actor_ref(one.handle)
    for handle in known:
        if handle not in wanted and not at.goes(handle):
            yield pair("end stand-in", "deputy.ended", one.handle, handle, subject, "deputy", None)
    for handle, line in wanted.items():
        if not is_said(line, known.get(handle)):
            yield pair("stand-in", "deputy.named", one.handle, handle, subject, "deputy", line)


def roles(at: Differing) -> Iterator[Change]:
    """Yield the roles a file gives; it takes none, but for those it gives anew with other dates."""
    held: dict[str, dict[tuple[str, ...], Grant]] = {}
    for grant in at.directory.grants.values():
        holder = at.handle(grant.holder) or grant.holder
        held.setdefault(holder, {})[_place(grant)] = grant
    seen: set[tuple[str, ...]] = set()
    for one in at.file.roles:
        _check_role(at, one)
        place = (one.role, one.project, one.tier, one.component)
        if (one.to, *place) in seen:
            raise refused(one.line, f"{one.to} is given {one.role} there twice")
        seen.add((one.to, *place))
        known = held.get(one.to, {}).get(place)
        if not is_said(one, known):
            if known is not None:
                yield _granted("revoke", one, {"grant": known.id, "role": one.role})
            data: dict[str, JSON] = {
                "role": one.role,
                "project": one.project,
                "tier": one.tier,
                "component": one.component,
                **span(one.since, one.until),
            }
            yield _granted("grant", one, data)


def ways_before(at: Differing) -> Ways:
    """Return every way to a role there is, by handle, of who stays."""
    actors = at.directory.actors.values()
    stay = {one.ref: one.handle for one in actors if one.removed < 0 and not at.is_missing(one)}
    return ways_of(at.directory, stay)


def ways_after(at: Differing, before: Ways, deputies: Sequence[Edge]) -> Ways:
    """Return every way to a role there would be, by handle.

    Args:
        at: the file.
        before: the ways there are.
        deputies: every deputy there would be.
    """
    after = Ways(roles=_roles_after(at, before))
    for actor, teams in before.teams.items():
        for way in teams:
            described = at.file.teams.get(way.to)
            if described is None or described.members is None:
                after.teams.setdefault(actor, []).append(way)
    for team in at.file.teams.values():
        for member in team.members or ():
            known = [one for one in before.teams.get(member.handle, ()) if one.to == team.ref]
            since = member.since or (known[0].since if known else "")
            way = Way(team.ref, since, member.until, member.line)
            after.teams.setdefault(member.handle, []).append(way)
    for person, deputy, when in deputies:
        way = Way(person, when.since, when.until, when.line)
        after.others.setdefault(deputy, []).append(way)
    return after


def _roles_after(at: Differing, before: Ways) -> dict[str, list[Way]]:
    """Return the roles a file leaves; those it gives anew with other dates are not held twice."""
    roles: dict[str, list[Way]] = {}
    known: dict[tuple[str, ...], Grant] = {}
    for grant in at.directory.grants.values():
        known[at.handle(grant.holder) or grant.holder, *_place(grant)] = grant
    for one in at.file.roles:
        held = known.pop((one.to, one.role, one.project, one.tier, one.component), None)
        since = one.since or (held.since if held is not None else "")
        roles.setdefault(one.to, []).append(Way(one.role, since, one.until, one.line))
    for (holder, *_), grant in known.items():
        gone = at.remove_missing and holder.startswith("team:") and holder not in at.file.teams
        if holder in before.roles and not gone:
            roles.setdefault(holder, []).append(Way(grant.role, grant.since, grant.until))
    return roles


def _check_role(at: Differing, one: RoleLine) -> None:
    if one.to.startswith("team:"):
        gone = at.remove_missing and one.to not in at.file.teams
        if one.to not in at.file.teams and (gone or one.to not in at.directory.teams):
            raise refused(one.line, f"nobody describes {one.to[:80]}, in this file or before")
    else:
        at.kind(one.to, one.line)
    if one.project not in {ALL, *at.standing.projects}:
        raise refused(one.line, f"this ledger has no project {one.project[:80]!a}")


def _granted(does: str, one: RoleLine, data: dict[str, JSON]) -> Change:
    where = [
        f"{name} {value}"
        for name, value in (
            ("project", one.project), ("tier", one.tier), ("component", one.component)
        )
        if value != ALL
    ]  # fmt: skip
    return Change(
        does=does,
        who=one.to,
        text=" ".join([one.role, *(["in"] if where else []), ", ".join(where)]).strip()
        + (dates(one.since, one.until) if does == "grant" else ""),
        event="role.granted" if does == "grant" else "role.revoked",
        subject=one.to if one.to.startswith("team:") else actor_ref(one.to),
        data=data,
    )


def _place(grant: Grant) -> tuple[str, ...]:
    return (grant.role, grant.project, grant.tier, grant.component)
