"""Why nothing allowed it: what is lacking when no forbid speaks and no permit applies.

Cedar denies by default and gives no reason for that.  So the permits are read as trees: those
whose action and resource fit the request could have allowed it, and the roles and teams they ask
for are what is lacking.  Reading a condition fully is the engine's work; here it is enough to
name the groups in it, or to say that it does not hold.

`explain` finds out by trying; this is the short answer that comes with every refusal.
"""

from typing import Final

from counterfoil.policy.entities import Uid, groups, places
from counterfoil.policy.policy_set import PolicySet
from counterfoil.policy.request import Object, Request
from counterfoil.policy.trees import groups_asked, is_for_place
from counterfoil.policy.verbs import TYPES

LINES_MAX: Final = 12
GROUPS_MAX: Final = 20


def lacking(policies: PolicySet, request: Request) -> tuple[str, ...]:
    """Return what is lacking, in lines for people; at least one.

    Args:
        policies: under which the request was denied, without a forbid.
        request: the one denied.

    Cost: one look at each permit for the verb; 1 ms for a thousand.
    """
    thing = request.object
    held, inside = groups(request), places(thing)
    wanted: set[Uid] = set()
    unmet: list[str] = []
    conditions: list[str] = []
    for policy, tree in policies.permits(request.verb):
        if not is_for_place(tree, TYPES[thing.kind], inside):
            continue
        asked = groups_asked(tree)
        line = f"the condition of policy {policy.id} does not hold: {policy.reason}"
        if not asked:
            conditions.append(line)
        elif held & asked:
            unmet.append(line)
        else:
            wanted |= asked
    # A condition that asks for no group is worth saying only where no group would help.
    lines = [*_needed(wanted, thing), *unmet] or conditions
    return tuple(lines[:LINES_MAX]) or (f"no policy allows {request.verb} {where(thing)}",)


def where(thing: Object) -> str:
    """Return the place of an object in words.

    >>> where(Object("approval", "a1", "shop", "production"))
    'in project shop, tier production'
    """
    if thing.kind == "ledger":
        return "in the ledger"
    parts = [
        f"{name} {value}"
        for name, value in (
            ("project", thing.project), ("tier", thing.tier), ("component", thing.component),
        )
        if value
    ]  # fmt: skip
    return f"in {', '.join(parts)}"


def _needed(wanted: set[Uid], thing: Object) -> list[str]:
    roles = sorted(name for kind, name in wanted if kind == "Role")
    teams = sorted(name for kind, name in wanted if kind == "Team")
    lines = []
    if roles:
        lines.append(f"needs {_one_of('the role', roles)} {where(thing)}")
    if teams:
        lines.append(f"needs {_one_of('the team', teams)}")
    return lines


def _one_of(what: str, names: list[str]) -> str:
    if len(names) == 1:
        return f"{what} {names[0]}"
    more = f" and {len(names) - GROUPS_MAX} more" if len(names) > GROUPS_MAX else ""
    return f"one of {what}s: {', '.join(names[:GROUPS_MAX])}{more}"
