"""Artifacts: bytes by their digest, what they were built from, and what was done with them."""

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
    dig,
    first,
    grow,
    kind_of,
    moment,
    noun_of,
    odd,
    outcome_of,
    refs_of,
    text,
)

PREDICATES = frozenset({"packaged", "signed", "published", "downloaded", "deleted"})


class ArtifactRow(Row, frozen=True, kw_only=True):
    """One artifact.  `ref` is an `artifact:sha256:` ref.

    Attributes:
        name: in the sender's words.
        sources: `commit:` and `change:` refs it was built from.
        run: the `run:` that built it.
        built: when a build or a packaging first named it, with entry and actor.
        signed, published, deleted: when, with entry and actor.
    """

    name: str | None = None
    sources: tuple[Piece, ...] = ()
    run: str | None = None
    built: At | None = None
    signed: At | None = None
    published: At | None = None
    deleted: At | None = None


def touches(recorded: Recorded) -> tuple[str, ...]:
    """Return the artifacts an entry is about, or that a run put out."""
    noun, predicate = noun_of(recorded.entry.type)
    if noun == "artifact":
        return about(recorded, "artifact")[:1]
    if noun in {"build", "pipelinerun", "taskrun", "run"} and predicate == "finished":
        return refs_of(recorded, "artifact", "output")
    return ()


def fold(key: str, row: ArtifactRow | None, recorded: Recorded) -> ArtifactRow:
    """Return the artifact after one more entry."""
    before = row or ArtifactRow(ref=key)
    at = moment(recorded)
    noun, predicate = noun_of(recorded.entry.type)
    built_by_run = noun != "artifact"
    sources = before.sources
    for named in recorded.entry.refs:
        kind, role = kind_of(named.ref), named.role
        stated = role == "built-from" or (built_by_run and role == "input")
        if kind in {"commit", "change"} and (stated or noun == "artifact"):
            sources = add_piece(sources, named.ref, role, recorded.index)
    run = before.run
    if built_by_run:
        run = run or first(about(recorded, "run"))
    else:
        run = run or first(refs_of(recorded, "run"))
    problems = before.problems
    if not built_by_run and predicate not in PREDICATES:
        problems = odd(problems, at.entry, f"{recorded.entry.type[:100]} is no step of an artifact")
    if built_by_run and outcome_of(dig(content(recorded), "outcome")) in {"failed", "error"}:
        problems = odd(problems, at.entry, "put out by a run that did not succeed")
    return msgspec.structs.replace(
        before,
        name=text(custom(recorded), "name") or text(recorded.data, "subject", "id") or before.name
        if not built_by_run
        else before.name,
        sources=sources,
        run=run,
        built=before.built or (at if built_by_run or predicate == "packaged" else None),
        signed=at if predicate == "signed" else before.signed,
        published=before.published or (at if predicate == "published" else None),
        deleted=at if predicate == "deleted" else before.deleted,
        entries=grow(before.entries, recorded.index),
        problems=problems,
    )


def _index(row: ArtifactRow) -> dict[str, Scalar]:
    return {"run": row.run}


ARTIFACTS = Projection(
    noun="artifacts",
    row=ArtifactRow,
    columns={"run": "text"},
    touches=touches,
    fold=fold,
    index=_index,
)
