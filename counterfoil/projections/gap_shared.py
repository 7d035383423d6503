"""What the rules for gaps share: how a gap is made, and questions several rules ask of a chain."""

from collections.abc import Iterator, Sequence

from counterfoil.projections.base import Approval, At, kind_of
from counterfoil.projections.chain import Gap, Known
from counterfoil.projections.changes import ChangeRow, Review
from counterfoil.projections.releases import ReleaseRow
from counterfoil.projections.runs import RunRow
from counterfoil.projections.steps import in_production
from counterfoil.projections.words import (
    name_of,
)

TEST_KINDS = frozenset({"test", "pipeline", "task", "check", ""})
Place = tuple[str, str | None, At]  # deployment or release ref, environment, when it succeeded


def gap(rule: str, lane: str, ref: str, what: str, why: str, *entries: int | None) -> Gap:
    """Return a gap that rests on these entries; None among them stands for none."""
    rests_on = tuple(sorted({entry for entry in entries if entry is not None}))
    return Gap(rule=rule, what=what, why=why, entries=rests_on, lane=lane, ref=ref)


def entries_of(*moments: At | None) -> tuple[int, ...]:
    """Return the entries of these moments, as far as there are any."""
    return tuple(at.entry for at in moments if at is not None)


def when(at: At) -> tuple[str, int]:
    """Return a moment as `words.is_before` compares them."""
    return at.time, at.entry


def first_link(known: Known, ref: str) -> int | None:
    """Return the first entry that links the ref into the chain."""
    return min(
        (
            link.entry
            for link in known.links
            if known.same(link.source, ref) or known.same(link.target, ref)
        ),
        default=None,
    )


def commits_of(change: ChangeRow) -> Iterator[str]:
    """Yield every commit that belongs to a change, or that it became."""
    yield from change.commits
    yield from (head.commit for head in change.heads)
    if change.merge_commit is not None:
        yield change.merge_commit


def standing_reviews(change: ChangeRow) -> tuple[Review, ...]:
    """Return the reviews that were not dismissed."""
    return tuple(one for one in change.reviews if one.outcome != "dismissed")


def reviews_by_others(change: ChangeRow) -> tuple[Review, ...]:
    """Return the standing reviews by anybody but the author; without an author, all of them."""
    return tuple(
        one
        for one in standing_reviews(change)
        if change.author is None or one.reviewer != change.author
    )


def on_record(known: Known, commit: str) -> bool:
    """Say whether somebody told of a commit itself: a push, or a change that holds it."""
    if known.full(commit) in known.commits:
        return True
    return any(
        known.same(commit, one) for change in known.changes.values() for one in commits_of(change)
    )


def tested_refs(known: Known) -> dict[str, RunRow]:
    """Return what finished test runs were of: refs with one such run each."""
    found: dict[str, RunRow] = {}
    for run in known.runs.values():
        if run.kind not in TEST_KINDS or run.state != "finished":
            continue
        inputs = [piece.ref for piece in run.artifacts if piece.role == "input"]
        for ref in (run.commit, *inputs):
            if ref is not None:
                found.setdefault(known.full(ref), run)
    for link in known.links:
        run_there = known.runs.get(link.target)
        if link.role == "tested-by" and run_there is not None and run_there.state == "finished":
            found.setdefault(known.full(link.source), run_there)
    return found


def delivered_refs(known: Known) -> tuple[str, ...]:
    """Return the artifacts and commits that are to be tried: what is released or deployed.

    Where the chain has neither release nor deployment, what was asked for itself.  A commit from
    which a delivered artifact was built is judged as that artifact.
    """
    named = [
        known.full(piece.ref)
        for release in known.releases.values()
        for piece in release.contents
        if piece.role in {"contains", "built-from"}
    ]
    named += [known.full(piece.ref) for row in known.deployments.values() for piece in row.contents]
    if not known.releases and not known.deployments:
        named.append(known.ref)
    artifacts = [ref for ref in named if kind_of(ref) == "artifact"]
    built_from = {
        known.full(piece.ref)
        for ref in artifacts
        if (row := known.artifacts.get(ref)) is not None
        for piece in row.sources
    }
    commits = [ref for ref in named if kind_of(ref) == "commit" and ref not in built_from]
    # Of what was not reached (the chain is cut, or it is of another release) nothing can be said.
    return tuple(ref for ref in dict.fromkeys((*artifacts, *commits)) if ref in known.refs)


def passed_again(run: RunRow, other: RunRow) -> bool:
    """Say whether `other` is a later, passed run of the same name on the same commit."""
    return (
        other.ref != run.ref
        and other.outcome == "passed"
        and other.name == run.name
        and other.commit == run.commit
        and other.environment == run.environment
        and other.finished is not None
        and run.finished is not None
        and other.finished.entry > run.finished.entry
    )


def run_name(run: RunRow) -> str:
    """Return a run as a sentence begins with it."""
    name = name_of(run.ref)
    first = name[:1].upper() + name[1:]
    return f"{first} ({run.name})" if run.name else first


def approvals_of(known: Known, ref: str, release: ReleaseRow) -> tuple[Approval, ...]:
    """Return the approval steps for a release or for anything it holds, in order."""
    held = {ref, *(known.full(piece.ref) for piece in release.contents)}
    steps = {one.at.entry: one for one in release.approvals}
    for row in known.approvals.values():
        if any(known.full(piece.ref) in held for piece in row.approves):
            steps.update({one.at.entry: one for one in row.steps})
    return tuple(steps[entry] for entry in sorted(steps))


def places_of(known: Known) -> tuple[Place, ...]:
    """Return where the chain was deployed with success: (what, environment, when)."""
    found: dict[int, Place] = {}
    for ref, row in known.deployments.items():
        if row.succeeded is not None:
            found[row.succeeded.entry] = (ref, row.environment, row.succeeded)
    for ref, release in known.releases.items():
        for step in release.deliveries:
            if step.outcome == "succeeded":
                found.setdefault(step.at.entry, (ref, step.environment, step.at))
    return tuple(found[entry] for entry in sorted(found))


def first_in_production(known: Known, places: Sequence[Place]) -> tuple[Place, ...]:
    """Return the first success in each environment that is production."""
    found: dict[str, Place] = {}
    for ref, environment, at in places:
        if environment is not None and in_production(known, environment):
            found.setdefault(environment, (ref, environment, at))
    return tuple(found.values())


def thing_name(known: Known, ref: str) -> str:
    """Return what a deployment carried, in words."""
    row = known.deployments.get(ref)
    for kind in ("release", "artifact", "commit"):
        for piece in row.contents if row else ():
            if kind_of(piece.ref) == kind:
                return f"{kind.capitalize()} {name_of(piece.ref)}"
    name = name_of(ref)
    return f"Release {name}" if kind_of(ref) == "release" else name[:1].upper() + name[1:]
