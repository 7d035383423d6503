"""What is missing in a chain: one function for each rule, and the table of them.

A gap is said in two plain sentences: what has no step, and whom or what that leaves out.  It says
what is not on record, not that it did not happen; nobody is blamed.  docs/gaps.md explains every
rule; a test holds the page and the table together.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType

from counterfoil.projections.base import Approval, At, kind_of
from counterfoil.projections.chain import LANES, Gap, Known
from counterfoil.projections.changes import ChangeRow, Head, Review
from counterfoil.projections.mentions import SequenceGap
from counterfoil.projections.releases import ReleaseRow
from counterfoil.projections.runs import RunRow
from counterfoil.projections.steps import in_production
from counterfoil.projections.words import (
    commit_name,
    counts_words,
    digest_name,
    env_name,
    is_before,
    name_of,
    plural,
    span,
)

TEST_KINDS = frozenset({"test", "pipeline", "task", "check", ""})
Place = tuple[str, str | None, At]  # deployment or release ref, environment, when it succeeded


def find_gaps(known: Known, skipped: Sequence[SequenceGap]) -> tuple[Gap, ...]:
    """Return the gaps of a chain in the order of the lanes, then of the entries.

    Args:
        known: the chain.
        skipped: numbers its producers skipped.
    """
    found = [gap for rule in RULES.values() for gap in rule(known)]
    found += _sequence(known, skipped)
    order = {lane: place for place, lane in enumerate(LANES)}
    rules = {rule: place for place, rule in enumerate((*RULES, "sequence_gap"))}
    return tuple(
        sorted(found, key=lambda gap: (order[gap.lane], rules[gap.rule], gap.entries, gap.ref))
    )


def _gap(rule: str, lane: str, ref: str, what: str, why: str, *entries: int | None) -> Gap:
    rests_on = tuple(sorted({entry for entry in entries if entry is not None}))
    return Gap(rule=rule, what=what, why=why, entries=rests_on, lane=lane, ref=ref)


# --- commits and changes


def _commit_without_change(known: Known) -> Iterator[Gap]:
    held = {known.full(one) for change in known.changes.values() for one in _commits_of(change)}
    for ref in known.of_kind("commit"):
        if ref in held:
            continue
        row = known.commits.get(ref)
        yield _gap(
            "commit_without_change", "Change", ref,
            f"Commit {commit_name(ref)} has no change request on record.",
            "Nobody was asked to look at it here.",
            row.pushed.entry if row and row.pushed else _first_link(known, ref),
        )  # fmt: skip


def _change_without_review(known: Known) -> Iterator[Gap]:
    for ref, change in known.changes.items():
        if _standing(change):
            continue
        yet = " yet" if change.state == "open" else ""
        yield _gap(
            "change_without_review", "Review", ref,
            f"Change {name_of(ref)} has no review{yet}.",
            "Nobody except its author has looked at it, as far as the log knows.",
            *_of(change.created, change.merged, change.heads[-1].at if change.heads else None),
        )  # fmt: skip


def _commit_after_review(known: Known) -> Iterator[Gap]:
    for ref, change in known.changes.items():
        reviews = _by_others(change)
        heads = [head for head in change.heads if not known.same(head.commit, change.merge_commit)]
        if not reviews or not heads:
            continue
        last = max(reviews, key=lambda one: one.at.entry)
        which = "only" if len(reviews) == 1 else "last"
        seen = [place for place, head in enumerate(heads) if known.same(head.commit, last.commit)]
        later = (
            heads[seen[-1] + 1 :]
            if seen
            else [head for head in heads if head.at.entry > last.at.entry]
        )
        for head in later:
            yield _unseen_commit(known, ref, head, last, which)


def _unseen_commit(known: Known, ref: str, head: Head, last: Review, which: str) -> Gap:
    row = known.commits.get(known.full(head.commit))
    pushed = row.pushed if row and row.pushed else head.at
    after = span(last.at.time, pushed.time)
    name = commit_name(head.commit)
    if after is not None:
        what = f"Commit {name} was pushed {after} after the {which} review."
    elif last.commit is not None and not known.same(last.commit, head.commit):
        what = (
            f"Commit {name} was not in the {which} review, which was of {commit_name(last.commit)}."
        )
    else:
        what = f"Commit {name} was recorded after the {which} review."
    return _gap(
        "commit_after_review", "Review", ref, what,
        "Nobody except its author has looked at it.", pushed.entry, last.at.entry,
    )  # fmt: skip


def _reviewed_by_author(known: Known) -> Iterator[Gap]:
    for ref, change in known.changes.items():
        reviews = _standing(change)
        if change.author is None or not reviews or _by_others(change):
            continue
        yield _gap(
            "reviewed_by_author", "Review", ref,
            f"Change {name_of(ref)} was reviewed only by its author.",
            "Nobody else has looked at it.",
            *(review.at.entry for review in reviews),
        )  # fmt: skip


def _merged_before_review(known: Known) -> Iterator[Gap]:
    for ref, change in known.changes.items():
        reviews = _by_others(change)
        if change.merged is None or not reviews:
            continue
        merged = _when(change.merged)
        earliest = min(reviews, key=lambda one: one.at.entry)
        if any(is_before(_when(one.at), merged) for one in reviews):
            continue
        after = span(change.merged.time, earliest.at.time)
        lead = f"{after} before" if after else "before"
        yield _gap(
            "merged_before_review", "Review", ref,
            f"Change {name_of(ref)} was merged {lead} its first review.",
            "Nobody except its author had looked at it by then.",
            change.merged.entry, earliest.at.entry,
        )  # fmt: skip


# --- builds


def _artifact_without_build(known: Known) -> Iterator[Gap]:
    for ref in known.of_kind("artifact"):
        row = known.artifacts.get(ref)
        if row is not None and (row.built is not None or row.run is not None):
            continue
        yield _gap(
            "artifact_without_build", "Build", ref,
            f"Artifact {digest_name(ref)} has no build on record.",
            "What it was made of, and by whom, is unknown.",
            row.entries[0] if row and row.entries else _first_link(known, ref),
        )  # fmt: skip


def _artifact_without_commit(known: Known) -> Iterator[Gap]:
    for ref, row in known.artifacts.items():
        if row.built is None and row.run is None:
            continue  # the rule above has said more
        sources = [known.full(piece.ref) for piece in row.sources]
        run = known.runs.get(row.run) if row.run else None
        if run is not None and run.commit is not None:
            sources.append(known.full(run.commit))
        if not sources:
            yield _gap(
                "artifact_without_commit", "Build", ref,
                f"Artifact {digest_name(ref)} has no commit on record that it was built from.",
                "Which source it holds is unknown.", *_of(row.built),
            )  # fmt: skip
            continue
        commits = [one for one in sources if kind_of(one) == "commit"]
        if commits and not any(_on_record(known, one) for one in commits):
            yield _gap(
                "artifact_without_commit", "Build", ref,
                f"Artifact {digest_name(ref)} was built from {commit_name(commits[0])}, "
                "which has no push on record.",
                "Who wrote that commit, and who looked at it, is unknown.", *_of(row.built),
            )  # fmt: skip


def _release_without_contents(known: Known) -> Iterator[Gap]:
    for ref, release in known.releases.items():
        held = [piece for piece in release.contents if kind_of(piece.ref) != "run"]
        if not held:
            yield _gap(
                "release_without_contents", "Build", ref,
                f"Release {name_of(ref)} has no commit, change or artifact on record.",
                "What is in it is unknown.", release.entries[0],
            )  # fmt: skip


# --- runs


def _nothing_tested(known: Known) -> Iterator[Gap]:
    tested = _tested(known)
    for ref in _delivered(known):
        if ref in tested:
            continue
        kind = kind_of(ref)
        row = known.artifacts.get(ref)
        if kind == "artifact":
            sources = {known.full(piece.ref) for piece in row.sources} if row else set()
            run = known.runs.get(row.run) if row and row.run else None
            if run is not None and run.commit is not None:
                sources.add(known.full(run.commit))
            others = [one for one in tested if kind_of(one) == "artifact"]
            if others or sources & tested.keys():
                continue  # something else was tested: the next rule says which
        name = f"Commit {commit_name(ref)}" if kind == "commit" else f"Artifact {digest_name(ref)}"
        yield _gap(
            "nothing_tested", "Runs", ref, f"{name} has no test run on record.",
            "Whether it works was not tried here.", _first_link(known, ref),
        )  # fmt: skip


def _another_digest_tested(known: Known) -> Iterator[Gap]:
    tested = _tested(known)
    deployed = {
        known.full(piece.ref): row
        for row in known.deployments.values()
        if row.succeeded is not None
        for piece in row.contents
        if kind_of(piece.ref) == "artifact" and known.full(piece.ref) in known.refs
    }
    for ref, row in deployed.items():
        others = sorted(one for one in tested if kind_of(one) == "artifact" and one != ref)
        if ref in tested or not others:
            continue
        run = tested[others[0]]
        yield _gap(
            "another_digest_tested", "Runs", ref,
            f"Artifact {digest_name(ref)} was deployed to {env_name(row.environment)}, "
            f"but the test runs were of {digest_name(others[0])}.",
            "No run tested the digest that was deployed.",
            *_of(row.succeeded, run.finished or run.started),
        )  # fmt: skip


def _run_failed(known: Known) -> Iterator[Gap]:
    for ref, run in known.runs.items():
        if run.state != "finished" or run.outcome not in {"failed", "error"}:
            continue
        if any(_again(run, other) for other in known.runs.values()):
            continue
        counts = counts_words(run.counts or known.counts.get(ref) or {})
        said = f": {counts}" if counts else ""
        word = "failed" if run.outcome == "failed" else "broke off with an error"
        yield _gap(
            "run_failed", "Runs", ref, f"{_run_name(run)} {word}{said}.",
            "No later run of that name has passed on the same commit.", *_of(run.finished),
        )  # fmt: skip


def _cases_missing(known: Known) -> Iterator[Gap]:
    for ref, run in known.runs.items():
        told = run.counts.get("total", 0)
        held = sum(known.counts.get(ref, {}).values())
        if run.state == "finished" and held < told:
            yield _gap(
                "cases_missing", "Runs", ref,
                f"{_run_name(run)} was reported with {plural(told, 'case')} and has "
                f"{held:,} on record.",
                "How the others came out is one number, without entries behind it.",
                *_of(run.finished),
            )  # fmt: skip


def _run_without_end(known: Known) -> Iterator[Gap]:
    for ref, run in known.runs.items():
        if run.state == "finished":
            continue
        began = run.started or run.queued or run.planned
        word = {"planned": "planned", "queued": "queued"}.get(run.state, "started")
        yield _gap(
            "run_without_end", "Runs", ref, f"{_run_name(run)} was {word} and has no end on record.",
            "How it came out is unknown.", *_of(began),
        )  # fmt: skip


def _run_without_outcome(known: Known) -> Iterator[Gap]:
    for ref, run in known.runs.items():
        if run.state == "finished" and run.outcome is None and run.kind != "build":
            yield _gap(
                "run_without_outcome", "Runs", ref,
                f"{_run_name(run)} finished and has no outcome on record.",
                "Whether it passed is unknown.", *_of(run.finished),
            )  # fmt: skip


# --- approvals


def _no_approval(known: Known) -> Iterator[Gap]:
    for ref, release in known.releases.items():
        if not _approvals_of(known, ref, release):
            yield _gap(
                "no_approval", "Approval", ref,
                f"Release {name_of(ref)} has no request for approval on record.",
                "Nobody was asked whether it may go out.", release.entries[0],
            )  # fmt: skip


def _approval_unsigned(known: Known) -> Iterator[Gap]:
    for ref, release in known.releases.items():
        steps = _approvals_of(known, ref, release)
        if not steps or any(one.state == "signed" for one in steps):
            continue
        refused = [one for one in steps if one.state == "refused"]
        if refused:
            what = f"Release {name_of(ref)} was refused approval, and nobody signed after that."
        else:
            what = f"Release {name_of(ref)} was asked to be approved and has no signature."
        yield _gap(
            "approval_unsigned", "Approval", ref, what, "Nobody stands behind it.",
            *(one.at.entry for one in steps),
        )  # fmt: skip


def _approved_by_author(known: Known) -> Iterator[Gap]:
    for ref, release in known.releases.items():
        signed = [one for one in _approvals_of(known, ref, release) if one.state == "signed"]
        if signed and release.author and all(one.actor == release.author for one in signed):
            yield _gap(
                "approved_by_author", "Approval", ref,
                f"Release {name_of(ref)} was approved only by its own author.",
                "Nobody else stands behind it.", *(one.at.entry for one in signed),
            )  # fmt: skip


# --- deployments


def _straight_to_production(known: Known) -> Iterator[Gap]:
    places = _places(known)
    for ref, environment, at in _first_in_production(known, places):
        before = [
            one
            for _, other, one in places
            if not in_production(known, other) and is_before(_when(one), _when(at))
        ]
        if not before:
            yield _gap(
                "straight_to_production", "Deployment", ref,
                f"{_thing(known, ref)} went to {env_name(environment)} and has no deployment "
                "to any other environment before that.",
                "It was first run where it counts.", at.entry,
            )  # fmt: skip


def _deployed_before_approval(known: Known) -> Iterator[Gap]:
    for ref, release in known.releases.items():
        signed = [one for one in _approvals_of(known, ref, release) if one.state == "signed"]
        if not signed:
            continue
        earliest = min(signed, key=lambda one: one.at.entry)
        for _, environment, at in _first_in_production(known, _places(known)):
            if any(is_before(_when(one.at), _when(at)) for one in signed):
                continue
            after = span(at.time, earliest.at.time)
            lead = f"{after} before" if after else "before"
            yield _gap(
                "deployed_before_approval", "Approval", ref,
                f"Release {name_of(ref)} was in {env_name(environment)} {lead} its first approval.",
                "Nobody had signed by then.", at.entry, earliest.at.entry,
            )  # fmt: skip


def _not_in_production(known: Known) -> Iterator[Gap]:
    places = _places(known)
    if any(in_production(known, environment) for _, environment, _ in places):
        return
    for ref, release in known.releases.items():
        if release.state == "withdrawn":
            continue
        yield _gap(
            "not_in_production", "Deployment", ref,
            f"Release {name_of(ref)} has no deployment to production on record.",
            "Whether it runs there is unknown.", release.entries[0],
        )  # fmt: skip


# --- numbering


def _sequence(known: Known, skipped: Sequence[SequenceGap]) -> Iterator[Gap]:
    for one in skipped:
        count = one.last - one.first + 1
        numbers = f"{one.first:,}" if count == 1 else f"{one.first:,} to {one.last:,}"
        start = f" (start {one.boot})" if one.boot else ""
        yield _gap(
            "sequence_gap", "Runs", known.ref,
            f"Producer {one.producer}{start} has no event number {numbers} on record.",
            f"{plural(count, 'event')} of a producer of this chain never arrived.",
            one.before, one.after,
        )  # fmt: skip


RULES: Mapping[str, Callable[[Known], Iterator[Gap]]] = MappingProxyType(
    {
        "commit_without_change": _commit_without_change,
        "change_without_review": _change_without_review,
        "commit_after_review": _commit_after_review,
        "reviewed_by_author": _reviewed_by_author,
        "merged_before_review": _merged_before_review,
        "artifact_without_build": _artifact_without_build,
        "artifact_without_commit": _artifact_without_commit,
        "release_without_contents": _release_without_contents,
        "nothing_tested": _nothing_tested,
        "another_digest_tested": _another_digest_tested,
        "run_failed": _run_failed,
        "cases_missing": _cases_missing,
        "run_without_end": _run_without_end,
        "run_without_outcome": _run_without_outcome,
        "no_approval": _no_approval,
        "approval_unsigned": _approval_unsigned,
        "approved_by_author": _approved_by_author,
        "deployed_before_approval": _deployed_before_approval,
        "straight_to_production": _straight_to_production,
        "not_in_production": _not_in_production,
    }
)


# --- what the rules share


def _of(*moments: At | None) -> tuple[int, ...]:
    return tuple(at.entry for at in moments if at is not None)


def _when(at: At) -> tuple[str, int]:
    return at.time, at.entry


def _first_link(known: Known, ref: str) -> int | None:
    """Return the first entry that links the ref into the chain."""
    return min(
        (
            link.entry
            for link in known.links
            if known.same(link.source, ref) or known.same(link.target, ref)
        ),
        default=None,
    )


def _commits_of(change: ChangeRow) -> Iterator[str]:
    yield from change.commits
    yield from (head.commit for head in change.heads)
    if change.merge_commit is not None:
        yield change.merge_commit


def _standing(change: ChangeRow) -> tuple[Review, ...]:
    """Return the reviews that were not dismissed."""
    return tuple(one for one in change.reviews if one.outcome != "dismissed")


def _by_others(change: ChangeRow) -> tuple[Review, ...]:
    """Return the standing reviews by anybody but the author; without an author, all of them."""
    return tuple(
        one for one in _standing(change) if change.author is None or one.reviewer != change.author
    )


def _on_record(known: Known, commit: str) -> bool:
    """Say whether somebody told of a commit itself: a push, or a change that holds it."""
    if known.full(commit) in known.commits:
        return True
    return any(
        known.same(commit, one) for change in known.changes.values() for one in _commits_of(change)
    )


def _tested(known: Known) -> dict[str, RunRow]:
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


def _delivered(known: Known) -> tuple[str, ...]:
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


def _again(run: RunRow, other: RunRow) -> bool:
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


def _run_name(run: RunRow) -> str:
    name = name_of(run.ref)
    first = name[:1].upper() + name[1:]
    return f"{first} ({run.name})" if run.name else first


def _approvals_of(known: Known, ref: str, release: ReleaseRow) -> tuple[Approval, ...]:
    """Return the approval steps for a release or for anything it holds, in order."""
    held = {ref, *(known.full(piece.ref) for piece in release.contents)}
    steps = {one.at.entry: one for one in release.approvals}
    for row in known.approvals.values():
        if any(known.full(piece.ref) in held for piece in row.approves):
            steps.update({one.at.entry: one for one in row.steps})
    return tuple(steps[entry] for entry in sorted(steps))


def _places(known: Known) -> tuple[Place, ...]:
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


def _first_in_production(known: Known, places: Sequence[Place]) -> tuple[Place, ...]:
    """Return the first success in each environment that is production."""
    found: dict[str, Place] = {}
    for ref, environment, at in places:
        if environment is not None and in_production(known, environment):
            found.setdefault(environment, (ref, environment, at))
    return tuple(found.values())


def _thing(known: Known, ref: str) -> str:
    """Return what a deployment carried, in words."""
    row = known.deployments.get(ref)
    for kind in ("release", "artifact", "commit"):
        for piece in row.contents if row else ():
            if kind_of(piece.ref) == kind:
                return f"{kind.capitalize()} {name_of(piece.ref)}"
    name = name_of(ref)
    return f"Release {name}" if kind_of(ref) == "release" else name[:1].upper() + name[1:]
