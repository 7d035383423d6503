"""Teams described and removed, members, turns, and who stands in for whom."""

from typing import Final

from counterfoil.app.actions import Acting, Action, Done, Given
from counterfoil.app.directory_lines import Timed
from counterfoil.app.directory_spans import refuse_circles
from counterfoil.app.giving import check_deputy, check_member
from counterfoil.app.handles import check_name, team_ref
from counterfoil.app.moments import moment, span_of
from counterfoil.clock import format_time
from counterfoil.errors import RequestError
from counterfoil.policy.directory import Directory
from counterfoil.policy.separation import Way

TURN_DAYS_MAX: Final = 366


class TeamDescribing(Given, frozen=True, kw_only=True):
    """A team, described whole.

    Attributes:
        team: its name, as in `team:NAME`.
        title: what people call it.
        turns: handles of those who take turns, in order; nobody where empty.
        turns_from: the date of the first turn.
        turn_days: how many days a turn lasts, 1 to 366.
    """

    team: str
    title: str = ""
    turns: tuple[str, ...] = ()
    turns_from: str = ""
    turn_days: int = 0


class TeamNaming(Given, frozen=True, kw_only=True):
    """A team, and why."""

    team: str
    reason: str = ""


class Joining(Given, frozen=True, kw_only=True):
    """A member of a team, for a time: RFC 3339 or dates."""

    team: str
    handle: str
    since: str = ""
    until: str = ""


class Leaving(Given, frozen=True, kw_only=True):
    """A member who is none any more, and why."""

    team: str
    handle: str
    reason: str = ""


class Deputising(Given, frozen=True, kw_only=True):
    """`deputy` stands in for `handle`, for a time: RFC 3339 or dates."""

    handle: str
    deputy: str
    since: str = ""
    until: str = ""


class DeputyEnding(Given, frozen=True, kw_only=True):
    """A deputy who stands in no more, and why."""

    handle: str
    deputy: str
    reason: str = ""


def describe(acting: Acting) -> Done:
    """Make a team known, or describe one anew.

    Raises:
        RequestError: `usage`, `actor_unknown`.
    """
    given: TeamDescribing = acting.given
    ref, turns_from = team_ref(given.team), moment("turns_from", given.turns_from)[:10]
    check_name(given.title, "a title")
    if bool(given.turns) != bool(turns_from) or bool(given.turns) != bool(given.turn_days):
        raise RequestError("usage", "turns need turns, turns_from and turn_days together")
    if given.turns and not 1 <= given.turn_days <= TURN_DAYS_MAX:
        raise RequestError("usage", f"a turn lasts 1 to {TURN_DAYS_MAX} days")
    access = acting.home.access
    with access.changing() as directory:
        known = ref in directory.teams
        for handle in given.turns:
            access.require_actor(handle)
        data = {
            "title": given.title or None,
            "turns_from": turns_from or None,
            "turn_days": given.turn_days or None,
        }
        named = tuple((access.account_ref(handle), "turn") for handle in given.turns)
        entries = acting.enact("team.described", ref, data, named)
    return Done(said=f"{ref} is {'described anew' if known else 'known'}", entries=entries)


def remove(acting: Acting) -> Done:
    """Remove a team, with what it was granted.

    Raises:
        RequestError: `usage`, `not_found`.
    """
    given: TeamNaming = acting.given
    ref = team_ref(given.team)
    with acting.home.access.changing() as directory:
        _require_team(directory, ref)
        entries = acting.enact("team.removed", ref, {"reason": given.reason or None})
    return Done(said=f"{ref} is removed, and what it was granted", entries=entries)


def join(acting: Acting) -> Done:
    """Add a member, or give a membership other dates.

    Raises:
        RequestError: `usage`, `not_found`, `actor_unknown`, `role_conflict`; `not_allowed`: the
            team has a role, and whoever asks may not give roles.
    """
    given: Joining = acting.given
    access = acting.home.access
    ref, data = team_ref(given.team), span_of(given.since, given.until)
    with access.changing() as directory:
        _require_team(directory, ref)
        actor = access.require_actor(given.handle)
        check_member(acting, actor.ref, _way(ref, data))
        named = ((access.account_ref(given.handle), "member"),)
        entries = acting.enact("member.joined", ref, data, named)
    return Done(said=f"{given.handle} is in {ref}{_dates(data)}", entries=entries)


def leave(acting: Acting) -> Done:
    """Take a member out of a team.

    Raises:
        RequestError: `usage`, `not_found`, `actor_unknown`.
    """
    given: Leaving = acting.given
    access = acting.home.access
    ref = team_ref(given.team)
    with access.changing() as directory:
        actor = access.require_actor(given.handle)
        if (ref, actor.ref) not in directory.members:
            raise RequestError("not_found", f"{given.handle} is not in {ref}")
        named = ((access.account_ref(given.handle), "member"),)
        entries = acting.enact("member.left", ref, {"reason": given.reason or None}, named)
    return Done(said=f"{given.handle} is not in {ref} any more", entries=entries)


def name_deputy(acting: Acting) -> Done:
    """Say who stands in for a person, for a time.

    Raises:
        RequestError: `usage`: not two persons, or deputies in a circle; `actor_unknown`,
            `role_conflict`; `not_allowed`: the person has a role, and whoever asks may not give
            roles.
    """
    given: Deputising = acting.given
    access = acting.home.access
    data = span_of(given.since, given.until)
    with access.changing() as directory:
        for handle in (given.handle, given.deputy):
            if access.require_actor(handle).kind != "person":
                raise RequestError("usage", f"persons stand in for persons; {handle} is none")
        _refuse_circle(directory, given, data, format_time(acting.home.clock.now()))
        person, deputy = access.require_actor(given.handle), access.require_actor(given.deputy)
        check_deputy(acting, deputy.ref, _way(person.ref, data))
        named = ((access.account_ref(given.deputy), "deputy"),)
        entries = acting.enact("deputy.named", access.account_ref(given.handle), data, named)
    said = f"{given.deputy} stands in for {given.handle}{_dates(data)}"
    return Done(said=said, entries=entries)


def end_deputy(acting: Acting) -> Done:
    """End that somebody stands in.

    Raises:
        RequestError: `not_found`, `actor_unknown`.
    """
    given: DeputyEnding = acting.given
    access = acting.home.access
    with access.changing() as directory:
        pair = access.require_actor(given.handle).ref, access.require_actor(given.deputy).ref
        if pair not in directory.deputies:
            raise RequestError("not_found", f"{given.deputy} does not stand in for {given.handle}")
        named = ((access.account_ref(given.deputy), "deputy"),)
        data = {"reason": given.reason or None}
        entries = acting.enact("deputy.ended", access.account_ref(given.handle), data, named)
    return Done(said=f"{given.deputy} stands in for {given.handle} no more", entries=entries)


def _dates(data: dict[str, str | None]) -> str:
    return "".join(f" {name} {when}" for name, when in data.items() if when)


def _way(to: str, data: dict[str, str | None]) -> Way:
    return Way(to, data["since"] or "", data["until"] or "")


def _require_team(directory: Directory, ref: str) -> None:
    if ref not in directory.teams:
        raise RequestError("not_found", f"there is no {ref}; describe it first")


def _refuse_circle(
    directory: Directory, given: Deputising, data: dict[str, str | None], now: str
) -> None:
    pairs = []
    for (actor, deputy), standing in directory.deputies.items():
        handles = directory.actors[actor].handle, directory.actors[deputy].handle
        if handles != (given.handle, given.deputy):
            when = Timed(line=0, since=standing.since, until=standing.until)
            pairs.append((*handles, when))
    when = Timed(line=0, since=data["since"] or now, until=data["until"] or "")
    try:
        refuse_circles([*pairs, (given.handle, given.deputy, when)])
    except RequestError as error:
        raise RequestError("usage", error.message.removeprefix("line 0: ")) from error


ACTIONS: Final = (
    Action(
        name="team-describe", verb="people", takes=TeamDescribing, gives=Done, run=describe,
        doc="Make a team known, or describe one anew, with its turns.",
    ),
    Action(
        name="team-remove", verb="people", takes=TeamNaming, gives=Done, run=remove,
        doc="Remove a team, and what it was granted.",
    ),
    Action(
        name="member-join", verb="people", takes=Joining, gives=Done, run=join,
        doc="Add a member to a team, for a time.",
    ),
    Action(
        name="member-leave", verb="people", takes=Leaving, gives=Done, run=leave,
        doc="Take a member out of a team.",
    ),
    Action(
        name="deputy-name", verb="people", takes=Deputising, gives=Done, run=name_deputy,
        doc="Say who stands in for a person, for a time.",
    ),
    Action(
        name="deputy-end", verb="people", takes=DeputyEnding, gives=Done, run=end_deputy,
        doc="End that somebody stands in.",
    ),
)  # fmt: skip
