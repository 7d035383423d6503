"""Deployments: what was asked to go where, and what came of it."""

import msgspec

from counterfoil.projections.base import (
    At,
    Piece,
    Projection,
    Recorded,
    Row,
    Scalar,
    about,
    add_piece,
    content,
    custom,
    delivery_state,
    first,
    flag,
    grow,
    kind_of,
    moment,
    noun_of,
    odd,
    refs_of,
    text,
)

CONTENTS = frozenset({"release", "artifact", "commit", "change", "run"})


class DeploymentRow(Row, frozen=True, kw_only=True):
    """One deployment.  `ref` is a `deployment:` ref.

    Attributes:
        environment: the `env:` it goes to.
        production: the sender says that this is production; None when it does not say.
        state: "requested", "running", "succeeded", "failed", "cancelled", "removed".
        contents: `release:`, `artifact:`, `commit:` and `run:` refs it carries.
        requested, reported, succeeded, failed: when, with entry and actor; `reported` is the last
            word of any kind.
        url: where the sender shows it.
        description: in the sender's words.
    """

    environment: str | None = None
    production: bool | None = None
    state: str = "requested"
    contents: tuple[Piece, ...] = ()
    requested: At | None = None
    reported: At | None = None
    succeeded: At | None = None
    failed: At | None = None
    url: str | None = None
    description: str | None = None


def touches(recorded: Recorded) -> tuple[str, ...]:
    """Return the deployment an entry is about."""
    noun, predicate = noun_of(recorded.entry.type)
    if noun == "deployment" or (noun == "service" and predicate != "published"):
        return about(recorded, "deployment")[:1]
    return ()


def fold(key: str, row: DeploymentRow | None, recorded: Recorded) -> DeploymentRow:
    """Return the deployment after one more entry."""
    before = row or DeploymentRow(ref=key)
    at = moment(recorded)
    noun, predicate = noun_of(recorded.entry.type)
    state = delivery_state(noun, predicate, recorded)
    body, more = content(recorded), custom(recorded)
    held = before.contents
    for named in recorded.entry.refs:
        if kind_of(named.ref) in CONTENTS:
            held = add_piece(held, named.ref, named.role, recorded.index)
    problems = before.problems
    environment = first(refs_of(recorded, "env"))
    if before.environment and environment and environment != before.environment:
        what = f"went to {before.environment} before, to {environment} here"
        problems = odd(problems, at.entry, what)
    if state == "unknown":
        problems = odd(problems, at.entry, "a state that is not known here")
    production = flag(body, "production")
    asked = state == "requested"
    return msgspec.structs.replace(
        before,
        environment=environment or before.environment,
        production=before.production if production is None else production,
        state=_state_after(before, state),
        contents=held,
        requested=(before.requested or at) if asked else before.requested,
        reported=before.reported if asked else at,
        succeeded=at if state == "succeeded" else before.succeeded,
        failed=at if state == "failed" else before.failed,
        url=text(body, "url") or text(more, "url") or before.url,
        description=text(body, "description") or before.description,
        entries=grow(before.entries, recorded.index),
        problems=problems,
    )


def _state_after(row: DeploymentRow, state: str) -> str:
    """Return the state; a request that arrives late does not undo what was reported."""
    if state == "unknown" or (state == "requested" and row.reported is not None):
        return row.state
    return state


def _index(row: DeploymentRow) -> dict[str, Scalar]:
    return {"environment": row.environment, "state": row.state}


DEPLOYMENTS = Projection(
    noun="deployments",
    row=DeploymentRow,
    columns={"environment": "text", "state": "text"},
    touches=touches,
    fold=fold,
    index=_index,
    indexed=("environment",),
)
