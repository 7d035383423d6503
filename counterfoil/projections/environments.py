"""Environments: what is deployed where, and what was there before."""

import msgspec

from counterfoil.projections.base import (
    At,
    Projection,
    Recorded,
    Row,
    Scalar,
    about,
    content,
    custom,
    delivery_state,
    first,
    flag,
    grow,
    is_production,
    kind_of,
    moment,
    noun_of,
    odd,
    refs_of,
    text,
)

DEPLOYED_KEPT = 100
BEFORE_KEPT = 50
_WHAT = ("release", "artifact", "commit")


class Deployed(msgspec.Struct, frozen=True):
    """What runs in an environment under one name.

    Attributes:
        name: the release's or service's name, else the repository's.
        what: the `release:`, `artifact:` or `commit:` ref deployed.
        carries: every such ref the deployment named.
        deployment: the `deployment:` ref, or None.
        at: since when, with entry and actor.
    """

    name: str
    what: str
    carries: tuple[str, ...]
    deployment: str | None
    at: At


class EnvironmentRow(Row, frozen=True, kw_only=True):
    """One environment.  `ref` is an `env:` ref.

    Attributes:
        name: in the sender's words, else the id of the ref.
        production: a sender calls it production, or its name says so.
        state: "present" or "deleted".
        deployed: what is there, one for each name.
        before: what was there, the last 50, oldest first.
        created, deleted: when, with entry and actor.
    """

    name: str = ""
    production: bool = False
    state: str = "present"
    deployed: tuple[Deployed, ...] = ()
    before: tuple[Deployed, ...] = ()
    created: At | None = None
    deleted: At | None = None


def touches(recorded: Recorded) -> tuple[str, ...]:
    """Return the environments an entry is about, or says something went to."""
    noun, _ = noun_of(recorded.entry.type)
    if noun == "environment":
        return about(recorded, "env")[:1]
    if noun in {"deployment", "service"}:
        return refs_of(recorded, "env")[:1]
    return ()


def fold(key: str, row: EnvironmentRow | None, recorded: Recorded) -> EnvironmentRow:
    """Return the environment after one more entry."""
    before = row or EnvironmentRow(
        ref=key, name=key.partition(":")[2], production=is_production(key)
    )
    body = content(recorded)
    noun, predicate = noun_of(recorded.entry.type)
    production = flag(body, "production")
    before = msgspec.structs.replace(
        before,
        production=before.production if production is None else production,
        entries=grow(before.entries, recorded.index),
    )
    if noun != "environment":
        return _received(before, delivery_state(noun, predicate, recorded), recorded)
    at = moment(recorded)
    named = msgspec.structs.replace(before, name=text(body, "name") or before.name)
    match predicate:
        case "created":
            created = named.created or at
            return msgspec.structs.replace(named, created=created, state="present")
        case "deleted":
            return msgspec.structs.replace(named, deleted=at, state="deleted")
        case "modified":
            return named
        case _:
            what = f"{recorded.entry.type[:100]} is no step of an environment"
            return msgspec.structs.replace(named, problems=odd(named.problems, at.entry, what))


def _received(row: EnvironmentRow, state: str, recorded: Recorded) -> EnvironmentRow:
    """Return the environment after word of a deployment: success puts it there."""
    if state not in {"succeeded", "removed"}:
        return row
    at = moment(recorded)
    deployment = first(about(recorded, "deployment"))
    carries = tuple(named.ref for named in recorded.entry.refs if kind_of(named.ref) in _WHAT)[:50]
    if state == "removed":
        gone = _match(row, deployment, carries, recorded)
        kept = tuple(one for one in row.deployed if one not in gone)
        return msgspec.structs.replace(
            row, deployed=kept, before=(*row.before, *gone)[-BEFORE_KEPT:]
        )
    what = next((ref for kind in _WHAT for ref in carries if kind_of(ref) == kind), None)
    if what is None:
        problems = odd(row.problems, at.entry, "a deployment that does not say of what")
        return msgspec.structs.replace(row, problems=problems)
    arrived = Deployed(_name(what, recorded), what, carries, deployment, at)
    replaced = tuple(one for one in row.deployed if one.name == arrived.name)
    kept = tuple(one for one in row.deployed if one.name != arrived.name)
    return msgspec.structs.replace(
        row,
        deployed=(*kept, arrived)[-DEPLOYED_KEPT:],
        before=(*row.before, *replaced)[-BEFORE_KEPT:],
    )


def _match(
    row: EnvironmentRow, deployment: str | None, carries: tuple[str, ...], recorded: Recorded
) -> tuple[Deployed, ...]:
    """Return what a removal takes away: that deployment, else what it names."""
    by_deployment = tuple(
        one for one in row.deployed if deployment is not None and one.deployment == deployment
    )
    if by_deployment or deployment is not None:
        return by_deployment
    names = {_name(ref, recorded) for ref in carries} or {_name("", recorded)}
    return tuple(one for one in row.deployed if one.what in carries or one.name in names)


def _name(what: str, recorded: Recorded) -> str:
    """Return the name something is deployed under: two things of one name replace each other."""
    ident = what.partition(":")[2]
    if kind_of(what) in {"release", "commit"}:
        return ident.rpartition("@")[0]
    subject = recorded.entry.subject or ""
    if kind_of(subject) != "deployment" and subject:
        return subject
    name = text(custom(recorded), "service") or text(content(recorded), "service")
    return name or first(refs_of(recorded, "repo")) or ident


def _index(row: EnvironmentRow) -> dict[str, Scalar]:
    return {"state": row.state, "production": int(row.production)}


ENVIRONMENTS = Projection(
    noun="environments",
    row=EnvironmentRow,
    columns={"state": "text", "production": "integer"},
    touches=touches,
    fold=fold,
    index=_index,
)
