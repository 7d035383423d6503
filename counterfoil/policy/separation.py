"""Who would be an auditor and something else at the same time, by whatever way a role comes.

A role comes by a grant, through a team, or as the deputy of somebody who has it; each way holds for
a time, and all of them together while all of them do.  What must hold: what is over counts no more,
and what is still to come counts already.

Names are handles or refs, as whoever asks has them.  Pure.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

from counterfoil.policy.directory import Directory, Span
from counterfoil.policy.roles import conflicts

_NEVER: Final = "9999"


class Way(NamedTuple):
    """What something leads to from `since` until `until` ("" for no end).

    Args:
        to: a role, a team, or for whom somebody stands in.
        since: RFC 3339.
        until: RFC 3339 or "".
        line: of the file that says so, 0 for none.
    """

    to: str
    since: str
    until: str
    line: int = 0


@dataclass(frozen=True, slots=True)
class Ways:
    """Every way to a role.

    Args:
        roles: holder (an actor or a team) -> roles granted.
        teams: actor -> teams they are in.
        others: actor -> for whom they stand in.
    """

    roles: dict[str, list[Way]] = field(default_factory=dict)
    teams: dict[str, list[Way]] = field(default_factory=dict)
    others: dict[str, list[Way]] = field(default_factory=dict)

    def held(self, actor: str, now: str) -> list[Way]:
        """Return every role somebody has at `now` or later, by every way."""
        whole = Way(actor, now, "")
        stood_in = [_both(whole, way) for way in self.others.get(actor, ())]
        holders = [whole, *(way for way in stood_in if way is not None)]
        for one in list(holders):
            through = [_both(one, way) for way in self.teams.get(one.to, ())]
            holders += [way for way in through if way is not None]
        roles = [_both(one, way) for one in holders for way in self.roles.get(one.to, ())]
        return [way for way in roles if way is not None]

    def beside_auditor(self, actor: str, now: str) -> dict[str, int]:
        """Return the roles somebody would have while an auditor, with the last line that says so."""
        held = self.held(actor, now)
        found: dict[str, int] = {}
        for auditing in (way for way in held if way.to == "auditor"):
            for way in held:
                if conflicts(("auditor", way.to)) and (both := _both(auditing, way)) is not None:
                    found[way.to] = max(both.line, found.get(way.to, 0))
        return found

    def gives(self, holder: str, now: str) -> bool:
        """Whether being in a team, or standing in for somebody, gives any role, now or later."""
        return bool(self.held(holder, now))

    def granting(self, holder: str, role: Way) -> "Ways":
        """Return these ways with one grant more."""
        roles = {**self.roles, holder: [*self.roles.get(holder, ()), role]}
        return replace(self, roles=roles)

    def joining(self, actor: str, team: Way) -> "Ways":
        """Return these ways with a membership, in the place of one in the same team."""
        return replace(self, teams=_instead(self.teams, actor, team))

    def standing_in(self, deputy: str, other: Way) -> "Ways":
        """Return these ways with a deputy, in the place of the same one at other times."""
        return replace(self, others=_instead(self.others, deputy, other))

    def reached(self, holder: str) -> set[str]:
        """Return whom a grant to an actor or a team reaches: members, and who stands in for them."""
        own = {holder, *_leading(self.teams, {holder})}
        return own | _leading(self.others, own)


def ways_of(directory: Directory, names: Mapping[str, str] | None = None) -> Ways:
    """Return every way to a role there is.

    Args:
        directory: who there is.
        names: what to call actors by, where not by their refs; who is not in it is left out.
    """
    made = Ways()

    def add(ways: dict[str, list[Way]], of: str, to: str, span: Span) -> None:
        if of and to:
            ways.setdefault(of, []).append(Way(to, span.since, span.until))

    def name(ref: str) -> str:
        return ref if names is None or ref.startswith("team:") else names.get(ref, "")

    for grant in directory.grants.values():
        add(made.roles, name(grant.holder), grant.role, grant)
    for (team, actor), member in directory.members.items():
        add(made.teams, name(actor), team, member)
    for (actor, deputy), standing in directory.deputies.items():
        add(made.others, name(deputy), name(actor), standing)
    return made


def newly_beside(
    before: Ways, after: Ways, actors: Iterable[str], now: str
) -> tuple[str, dict[str, int]] | None:
    """Return the first who would become an auditor and something else, with those roles.

    What was so before stands in nobody's way: it is looked at where it is changed.
    """
    for actor in sorted(actors):
        found = after.beside_auditor(actor, now)
        known = before.beside_auditor(actor, now) if found else {}
        if fresh := {role: line for role, line in found.items() if role not in known}:
            return actor, fresh
    return None


def auditing_words(who: str, roles: Iterable[str]) -> str:
    """Say why somebody may not be an auditor and something else."""
    return (
        f"an auditor looks at what others do: {who} cannot be one and "
        f"{', '.join(sorted(roles))} as well, nor through a team or as a deputy"
    )


def _both(one: Way, other: Way) -> Way | None:
    """Return what the second leads to while both hold; None if they never do."""
    since = max(one.since, other.since)
    until = min(one.until or _NEVER, other.until or _NEVER)
    if since >= until:
        return None
    return Way(other.to, since, "" if until == _NEVER else until, max(one.line, other.line))


def _instead(ways: dict[str, list[Way]], of: str, way: Way) -> dict[str, list[Way]]:
    return {**ways, of: [*(one for one in ways.get(of, ()) if one.to != way.to), way]}


def _leading(ways: Mapping[str, list[Way]], to: set[str]) -> set[str]:
    return {of for of, found in ways.items() if any(way.to in to for way in found)}
