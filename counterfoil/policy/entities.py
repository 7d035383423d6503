"""A request in the words of the schema: its question, and the slice of the world it is about.

Cedar knows of the world what it is told with each request: who asks with which roles and teams, and
the object with the places it is in.  Names are data here, never text that is parsed, so no name can
become syntax.

Source: Cedar's JSON formats for requests and entities,
https://docs.cedarpolicy.com/auth/entities-syntax.html.
"""

from typing import Any, Final

from counterfoil.policy.request import TEAM, Object, Request
from counterfoil.policy.verbs import TYPES

# Type and name of an entity: ("Role", "approver").
Uid = tuple[str, str]

THE_LEDGER: Final[Uid] = ("Ledger", "ledger")


def itself(thing: Object) -> Uid:
    """Return the entity of an object; of the ledger and of projects there is one, by any id.

    >>> itself(Object("project", "com-example:7", "shop"))
    ('Project', 'shop')
    """
    if thing.kind == "ledger":
        return THE_LEDGER
    return TYPES[thing.kind], thing.project if thing.kind == "project" else thing.id


def places(thing: Object) -> frozenset[Uid]:
    """Return the object and everything it is in, as `world` tells the engine."""
    if thing.kind == "ledger":
        return frozenset({THE_LEDGER})
    if thing.kind == "project":
        return frozenset({THE_LEDGER, itself(thing)})
    named = [("Project", thing.project), ("Tier", thing.tier)]
    if thing.kind != "component":
        named.append(("Component", thing.component))
    return frozenset({THE_LEDGER, itself(thing), *(uid for uid in named if uid[1])})


def groups(request: Request) -> frozenset[Uid]:
    """Return the roles and teams of whoever asks."""
    principal = request.principal
    roles = {("Role", role) for role in principal.roles}
    return frozenset(roles | {("Team", team.removeprefix(TEAM)) for team in principal.teams})


def question(request: Request) -> dict[str, Any]:
    """Return the request itself."""
    context = request.context
    return {
        "principal": _named(("Actor", request.principal.ref)),
        "action": _named(("Action", request.verb)),
        "resource": _named(itself(request.object)),
        "context": {
            "credential": _value(("Credential", context.credential)),
            "verified": context.verified,
            "first": context.first,
            "gate_changers": [_value(("Actor", ref)) for ref in context.gate_changers],
            "authors": [_value(("Actor", ref)) for ref in context.authors],
            "confirmed": context.confirmed is True,
        },
    }


def world(request: Request) -> list[dict[str, Any]]:
    """Return the entities the request is about, each with its parents."""
    actor = ("Actor", request.principal.ref)
    kind = {"kind": _value(("Kind", request.principal.kind))}
    told = [_entity(actor, groups(request), kind)]
    thing = request.object
    if thing.kind == "ledger":
        return told
    project = ("Project", thing.project)
    told.append(_entity(project, frozenset({THE_LEDGER})))
    if thing.kind != "project":
        # In the ledger by its project.
        own = itself(thing)
        told.append(_entity(own, places(thing) - {own, THE_LEDGER}))
    return told


def _entity(
    uid: Uid, parents: frozenset[Uid], attributes: dict[str, Any] | None = None
) -> dict[str, Any]:
    return {
        "uid": _named(uid),
        "attrs": attributes or {},
        "parents": [_named(parent) for parent in sorted(parents)],
    }


def _named(uid: Uid) -> dict[str, str]:
    return {"type": uid[0], "id": uid[1]}


def _value(uid: Uid) -> dict[str, dict[str, str]]:
    return {"__entity": _named(uid)}
