"""Releases: what is in one, who approved it, where it went, whether it still stands."""

import msgspec

from counterfoil.projections.base import (
    APPROVAL_STATES,
    Approval,
    At,
    Piece,
    Projection,
    Recorded,
    Row,
    Scalar,
    about,
    add_piece,
    approval_step,
    content,
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

CONTENTS = frozenset({"artifact", "commit", "change", "run"})
CONTENT_ROLES = frozenset({"contains", "built-from", "tested-by", "input", "output", "part-of"})
STEPS_KEPT = 300


class Delivery(msgspec.Struct, frozen=True):
    """One thing a deployment did with the release.

    Attributes:
        deployment: the `deployment:` ref, or None.
        environment: the `env:`, or None.
        outcome: "requested", "running", "succeeded", "failed", "cancelled" or "removed".
        at: when, with entry and actor.
    """

    deployment: str | None
    environment: str | None
    outcome: str
    at: At


class ReleaseRow(Row, frozen=True, kw_only=True):
    """One release.  `ref` is a `release:name@version` ref.

    Attributes:
        name, version: the two halves of the ref.
        title: in the sender's words.
        url: where the sender shows it.
        state: "announced" (spoken of), "draft", "published" or "withdrawn".
        prerelease: the sender calls it that.
        author: pseudonym of who published it.
        contents: `artifact:`, `commit:`, `change:` and `run:` refs it is made of.
        approvals: in the order they were told.
        deliveries: deployments, in the order they were told.
        published, edited, withdrawn: when, with entry and actor.
    """

    name: str = ""
    version: str = ""
    title: str | None = None
    url: str | None = None
    state: str = "announced"
    prerelease: bool = False
    author: str | None = None
    contents: tuple[Piece, ...] = ()
    approvals: tuple[Approval, ...] = ()
    deliveries: tuple[Delivery, ...] = ()
    published: At | None = None
    edited: At | None = None
    withdrawn: At | None = None


def touches(recorded: Recorded) -> tuple[str, ...]:
    """Return the releases an entry is about, or asks, approves or deploys."""
    noun, predicate = noun_of(recorded.entry.type)
    if noun == "service" and predicate == "published":
        return ()
    if noun == "release":
        return about(recorded, "release")[:1]
    if noun in {"approval", "deployment", "service", "artifact"}:
        return about(recorded, "release")
    return ()


def fold(key: str, row: ReleaseRow | None, recorded: Recorded) -> ReleaseRow:
    """Return the release after one more entry."""
    before = row or _named(key)
    before = msgspec.structs.replace(before, entries=grow(before.entries, recorded.index))
    noun, predicate = noun_of(recorded.entry.type)
    if noun == "approval":
        return _approval(before, predicate, recorded)
    if noun == "artifact":
        subject = recorded.entry.subject or ""
        held = before.contents
        if kind_of(subject) == "artifact":
            held = add_piece(held, subject, "contains", recorded.index)
        return msgspec.structs.replace(before, contents=held)
    if noun in {"deployment", "service"}:
        return _delivered(before, noun, predicate, recorded)
    return _told(_describe(before, recorded), predicate, recorded)


def _named(key: str) -> ReleaseRow:
    name, _, version = key.partition(":")[2].rpartition("@")
    return ReleaseRow(ref=key, name=name, version=version)


def _describe(row: ReleaseRow, recorded: Recorded) -> ReleaseRow:
    body = content(recorded)
    held = row.contents
    for named in recorded.entry.refs:
        if kind_of(named.ref) in CONTENTS and named.role in CONTENT_ROLES:
            held = add_piece(held, named.ref, named.role, recorded.index)
    prerelease = flag(body, "prerelease")
    return msgspec.structs.replace(
        row,
        title=text(body, "title") or text(body, "name") or row.title,
        url=text(body, "url") or row.url,
        prerelease=row.prerelease if prerelease is None else prerelease,
        author=row.author or first(refs_of(recorded, "actor", "author")) or recorded.actor,
        contents=held,
    )


def _told(row: ReleaseRow, predicate: str, recorded: Recorded) -> ReleaseRow:
    """Return the release after its own event."""
    at = moment(recorded)
    draft = flag(content(recorded), "draft") is True
    match predicate:
        case "published":
            problems = row.problems
            if row.published is not None:
                what = f"published again, after entry {row.published.entry}"
                problems = odd(problems, at.entry, what)
            return msgspec.structs.replace(
                row, state="published", published=row.published or at, problems=problems
            )
        case "edited":
            state = "draft" if draft and row.state == "announced" else row.state
            return msgspec.structs.replace(row, edited=at, state=state)
        case "withdrawn":
            return msgspec.structs.replace(row, withdrawn=at, state="withdrawn")
        case _:
            what = f"{recorded.entry.type[:100]} is no step of a release"
            return msgspec.structs.replace(row, problems=odd(row.problems, at.entry, what))


def _approval(row: ReleaseRow, predicate: str, recorded: Recorded) -> ReleaseRow:
    if predicate not in APPROVAL_STATES:
        what = f"{recorded.entry.type[:100]} is no step of an approval"
        return msgspec.structs.replace(row, problems=odd(row.problems, recorded.index, what))
    step = approval_step(recorded)
    return msgspec.structs.replace(row, approvals=(*row.approvals, step)[-STEPS_KEPT:])


def _delivered(row: ReleaseRow, noun: str, predicate: str, recorded: Recorded) -> ReleaseRow:
    step = Delivery(
        deployment=first(about(recorded, "deployment")),
        environment=first(refs_of(recorded, "env")),
        outcome=delivery_state(noun, predicate, recorded),
        at=moment(recorded),
    )
    return msgspec.structs.replace(row, deliveries=(*row.deliveries, step)[-STEPS_KEPT:])


def _index(row: ReleaseRow) -> dict[str, Scalar]:
    return {"state": row.state, "name": row.name}


RELEASES = Projection(
    noun="releases",
    row=ReleaseRow,
    columns={"state": "text", "name": "text"},
    touches=touches,
    fold=fold,
    index=_index,
)
