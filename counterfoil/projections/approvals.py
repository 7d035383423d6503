"""Approvals: what was asked for, of what, and who answered what."""

import msgspec

from counterfoil.projections.base import (
    APPROVAL_STATES,
    Approval,
    Piece,
    Projection,
    Recorded,
    Row,
    Scalar,
    about,
    add_piece,
    approval_step,
    grow,
    noun_of,
    odd,
)

STEPS_KEPT = 200


class ApprovalRow(Row, frozen=True, kw_only=True):
    """One request for approval and the answers to it.  `ref` is an `approval:` ref.

    Attributes:
        state: the last word: "requested", "signed" or "refused"; "" before any.
        approves: the refs it is about.
        steps: the request and the answers, in the order they were told.
    """

    state: str = ""
    approves: tuple[Piece, ...] = ()
    steps: tuple[Approval, ...] = ()


def touches(recorded: Recorded) -> tuple[str, ...]:
    """Return the approval an entry is about."""
    return about(recorded, "approval")[:1] if noun_of(recorded.entry.type)[0] == "approval" else ()


def fold(key: str, row: ApprovalRow | None, recorded: Recorded) -> ApprovalRow:
    """Return the approval after one more entry."""
    before = row or ApprovalRow(ref=key)
    entries = grow(before.entries, recorded.index)
    _, predicate = noun_of(recorded.entry.type)
    if predicate not in APPROVAL_STATES:
        what = f"{recorded.entry.type[:100]} is no step of an approval"
        problems = odd(before.problems, recorded.index, what)
        return msgspec.structs.replace(before, problems=problems, entries=entries)
    approves = before.approves
    for named in recorded.entry.refs:
        if named.role == "approves":
            approves = add_piece(approves, named.ref, named.role, recorded.index)
    problems = before.problems
    if predicate == "requested" and before.state in {"signed", "refused"}:
        problems = odd(problems, recorded.index, f"asked again after it was {before.state}")
    return msgspec.structs.replace(
        before,
        state=predicate,
        approves=approves,
        steps=(*before.steps, approval_step(recorded))[-STEPS_KEPT:],
        entries=entries,
        problems=problems,
    )


def _index(row: ApprovalRow) -> dict[str, Scalar]:
    return {"state": row.state}


APPROVALS = Projection(
    noun="approvals",
    row=ApprovalRow,
    columns={"state": "text"},
    touches=touches,
    fold=fold,
    index=_index,
)
