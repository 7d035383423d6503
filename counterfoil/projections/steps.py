"""The steps of a chain: every fact of its rows that happened at a moment, by lane and time.

Each sentence says what was done to what, past tense, without the actor.
"""

from collections.abc import Iterator, Sequence

import msgspec

from counterfoil.projections.base import Approval, At, is_production, kind_of
from counterfoil.projections.chain import LANES, Known, Step
from counterfoil.projections.changes import ChangeRow, Head
from counterfoil.projections.releases import Delivery
from counterfoil.projections.runs import RunRow
from counterfoil.projections.words import (
    commit_name,
    counts_words,
    digest_name,
    env_name,
    name_of,
    sort_time,
)

_REVIEWS = {
    "approved": "approved",
    "changes_requested": "asked for changes",
    "commented": "commented",
    "dismissed": "dismissed the review",
}
_APPROVALS = {
    "requested": "asked for approval of",
    "signed": "signed as approved:",
    "refused": "refused",
}
_DELIVERIES = {
    "requested": "asked to deploy",
    "running": "began to deploy",
    "succeeded": "finished deploying",
    "failed": "failed to deploy",
    "cancelled": "cancelled deploying",
    "removed": "removed",
}


def steps_of(known: Known) -> tuple[Step, ...]:
    """Return the steps of a chain by time, then by entry number."""
    found = [
        *_commits(known),
        *_changes(known),
        *_builds(known),
        *_runs(known),
        *_approvals(known),
        *_deployments(known),
    ]
    order = {lane: place for place, lane in enumerate(LANES)}
    return tuple(
        sorted(found, key=lambda one: (sort_time(one.time), one.entry, order[one.lane], one.ref))
    )


def _step(
    lane: str, ref: str, at: At, sentence: str, label: str, *, end: At | None = None,
    outcome: str | None = None,
) -> Step:  # fmt: skip
    return Step(
        lane=lane,
        ref=ref,
        entry=at.entry,
        time=at.time,
        recordedtime=at.recordedtime,
        end=end.time if end else None,
        end_entry=end.entry if end else None,
        actor=at.actor,
        sentence=sentence,
        label=label,
        outcome=outcome,
        demo=at.demo or (end is not None and end.demo),
    )


def _by(at: At, actor: str | None) -> At:
    """Return a moment with who did it, where that is known better than who told of it."""
    return msgspec.structs.replace(at, actor=actor or at.actor)


def _commits(known: Known) -> Iterator[Step]:
    heads: dict[str, tuple[Head, ChangeRow]] = {}
    for change in known.changes.values():
        for head in change.heads:
            heads.setdefault(known.full(head.commit), (head, change))
    for ref in known.of_kind("commit"):
        name = commit_name(ref)
        row = known.commits.get(ref)
        if row is not None and row.pushed is not None:
            at = _by(row.pushed, row.author)
            said = f": {row.message}" if row.message else ""
            yield _step("Commits", ref, at, f"pushed {name}{said}", name)
        elif ref in heads:
            head, change = heads[ref]
            at = _by(head.at, change.author)
            yield _step("Commits", ref, at, f"put {name} into {name_of(change.ref)}", name)


def _changes(known: Known) -> Iterator[Step]:
    for ref, row in known.changes.items():
        name = name_of(ref)
        ended = row.merged or row.abandoned
        if row.created is not None:
            said = f": {row.title}" if row.title else ""
            yield _step("Change", ref, row.created, f"proposed {name}{said}", name, end=ended)
        if row.merged is not None:
            yield _step("Change", ref, row.merged, f"merged {name}", f"{name} merged")
        elif row.abandoned is not None:
            yield _step("Change", ref, row.abandoned, f"abandoned {name}", f"{name} abandoned")
        yield from _reviews(ref, row)


def _reviews(ref: str, row: ChangeRow) -> Iterator[Step]:
    for review in row.reviews:
        what = commit_name(review.commit) if review.commit else name_of(ref)
        word = _REVIEWS.get(review.outcome, review.outcome)
        at = _by(review.at, review.reviewer)
        outcome = {"approved": "passed", "changes_requested": "failed"}.get(review.outcome)
        yield _step(
            "Review", ref, at, f"reviewed {what}: {word}", f"reviewed {what}", outcome=outcome
        )


def _builds(known: Known) -> Iterator[Step]:
    for ref, row in known.artifacts.items():
        name = digest_name(ref)
        if row.built is not None:
            by = f" in {name_of(row.run)}" if row.run else ""
            yield _step("Build", ref, row.built, f"built {name}{by}", name)
        if row.signed is not None:
            yield _step("Build", ref, row.signed, f"signed {name}", f"{name} signed")
        if row.published is not None:
            yield _step("Build", ref, row.published, f"published {name}", f"{name} published")
    for ref, release in known.releases.items():
        name = name_of(ref)
        if release.published is not None:
            yield _step("Build", ref, release.published, f"published {name}", name)
        if release.withdrawn is not None:
            yield _step("Build", ref, release.withdrawn, f"withdrew {name}", f"{name} withdrawn")


def _runs(known: Known) -> Iterator[Step]:
    for ref, row in known.runs.items():
        began = row.started or row.queued or row.planned or row.finished
        if began is None:
            continue
        lane = "Build" if row.kind == "build" else "Runs"
        name = f"{row.name}, {name_of(ref)}" if row.name else name_of(ref)
        counts = counts_words(row.counts or known.counts.get(ref) or {})
        outcome = row.outcome if row.state == "finished" else row.state
        yield _step(
            lane, ref, began, _run_sentence(row, name, counts), f"{name} {counts}".strip(),
            end=row.finished or row.lost, outcome=outcome,
        )  # fmt: skip


def _run_sentence(row: RunRow, name: str, counts: str) -> str:
    where = f" in {env_name(row.environment)}" if row.environment else ""
    if row.state != "finished":
        if row.state == "lost":
            return f"started {name}{where}: {row.reason}"
        word = {"planned": "planned", "queued": "queued"}.get(row.state, "started")
        return f"{word} {name}{where}"
    # CDEvents gives a build no outcome; of anything else its absence is said.
    unknown = "" if row.kind == "build" else "outcome not given"
    return ": ".join(
        part for part in (f"finished {name}{where}", row.outcome or unknown, counts) if part
    )


def _approvals(known: Known) -> Iterator[Step]:
    seen: set[int] = set()

    def steps(ref: str, what: str, approvals: tuple[Approval, ...]) -> Iterator[Step]:
        for one in approvals:
            if one.at.entry in seen:
                continue
            seen.add(one.at.entry)
            where = f" for {env_name(one.environment)}" if one.environment else ""
            outcome = {"signed": "passed", "refused": "failed"}.get(one.state)
            yield _step(
                "Approval", one.approval or ref, one.at,
                f"{_APPROVALS[one.state]} {what}{where}",
                {"requested": "asked", "signed": "signed", "refused": "refused"}[one.state],
                outcome=outcome,
            )  # fmt: skip

    for ref, release in known.releases.items():
        yield from steps(ref, name_of(ref), release.approvals)
    for ref, row in known.approvals.items():
        what = ", ".join(name_of(piece.ref) for piece in row.approves[:3]) or name_of(ref)
        yield from steps(ref, what, row.steps)


def _deployments(known: Known) -> Iterator[Step]:
    seen: set[int] = set()
    for ref, row in known.deployments.items():
        what = next(
            (
                name_of(piece.ref)
                for kind in ("release", "artifact", "commit")
                for piece in row.contents
                if kind_of(piece.ref) == kind
            ),
            name_of(ref),
        )
        where = env_name(row.environment)
        told = (
            (row.requested, "requested"),
            (row.succeeded, "succeeded"),
            (row.failed, "failed"),
            (row.reported, row.state),
        )
        for at, state in told:
            if at is None or at.entry in seen:
                continue
            seen.add(at.entry)
            sentence = f"{_DELIVERIES.get(state, state)} {what} to {where}"
            yield _step("Deployment", ref, at, sentence, where, outcome=_outcome(state))
    for ref, release in known.releases.items():
        for step in release.deliveries:
            if step.at.entry in seen:
                continue
            seen.add(step.at.entry)
            where = env_name(step.environment)
            ended = step.outcome == "running" and _superseded(step, release.deliveries)
            sentence = f"{_DELIVERIES.get(step.outcome, 'reported')} {name_of(ref)} to {where}"
            yield _step(
                "Deployment", step.deployment or ref, step.at, sentence, where,
                outcome=None if ended else _outcome(step.outcome),
            )  # fmt: skip


def _superseded(step: Delivery, deliveries: Sequence[Delivery]) -> bool:
    """Say whether a later entry says more of the same deployment."""
    return any(
        later.at.entry > step.at.entry
        and (later.deployment, later.environment) == (step.deployment, step.environment)
        and later.outcome not in {"requested", "unknown"}
        for later in deliveries
    )


def _outcome(state: str) -> str | None:
    return {
        "succeeded": "passed",
        "failed": "failed",
        "cancelled": "cancelled",
        "running": "running",
    }.get(state)


def in_production(known: Known, environment: str | None, stated: bool | None = None) -> bool:  # noqa: FBT001  what the deployment says
    """Say whether an environment is production: by word of the sender, else by its name."""
    if environment is None:
        return stated is True
    row = known.environments.get(environment)
    if row is not None:
        return row.production
    return is_production(environment) if stated is None else stated
