"""Rules for gaps in builds and runs; see `projections.gaps`."""

from collections.abc import Iterator

from counterfoil.projections.base import kind_of
from counterfoil.projections.chain import Gap, Known
from counterfoil.projections.gap_shared import (
    delivered_refs,
    entries_of,
    first_link,
    gap,
    on_record,
    passed_again,
    run_name,
    tested_refs,
)
from counterfoil.projections.words import (
    commit_name,
    counts_words,
    digest_name,
    env_name,
    name_of,
    plural,
)


def artifact_without_build(known: Known) -> Iterator[Gap]:
    """Find artifacts nobody told the making of."""
    for ref in known.of_kind("artifact"):
        row = known.artifacts.get(ref)
        if row is not None and (row.built is not None or row.run is not None):
            continue
        yield gap(
            "artifact_without_build", "Build", ref,
            f"Artifact {digest_name(ref)} has no build on record.",
            "What it was made of, and by whom, is unknown.",
            row.entries[0] if row and row.entries else first_link(known, ref),
        )  # fmt: skip


def artifact_without_commit(known: Known) -> Iterator[Gap]:
    """Find built artifacts whose source is not on record."""
    for ref, row in known.artifacts.items():
        if row.built is None and row.run is None:
            continue  # the rule above has said more
        sources = [known.full(piece.ref) for piece in row.sources]
        run = known.runs.get(row.run) if row.run else None
        if run is not None and run.commit is not None:
            sources.append(known.full(run.commit))
        if not sources:
            yield gap(
                "artifact_without_commit", "Build", ref,
                f"Artifact {digest_name(ref)} has no commit on record that it was built from.",
                "Which source it holds is unknown.", *entries_of(row.built),
            )  # fmt: skip
            continue
        commits = [one for one in sources if kind_of(one) == "commit"]
        if commits and not any(on_record(known, one) for one in commits):
            yield gap(
                "artifact_without_commit", "Build", ref,
                f"Artifact {digest_name(ref)} was built from {commit_name(commits[0])}, "
                "which has no push on record.",
                "Who wrote that commit, and who looked at it, is unknown.", *entries_of(row.built),
            )  # fmt: skip


def release_without_contents(known: Known) -> Iterator[Gap]:
    """Find releases that do not say what is in them."""
    for ref, release in known.releases.items():
        held = [piece for piece in release.contents if kind_of(piece.ref) != "run"]
        if not held:
            yield gap(
                "release_without_contents", "Build", ref,
                f"Release {name_of(ref)} has no commit, change or artifact on record.",
                "What is in it is unknown.", release.entries[0],
            )  # fmt: skip


def nothing_tested(known: Known) -> Iterator[Gap]:
    """Find what was released or deployed and never tried."""
    tested = tested_refs(known)
    for ref in delivered_refs(known):
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
        yield gap(
            "nothing_tested", "Runs", ref, f"{name} has no test run on record.",
            "Whether it works was not tried here.", first_link(known, ref),
        )  # fmt: skip


def another_digest_tested(known: Known) -> Iterator[Gap]:
    """Find deployed artifacts beside which another one was tested."""
    tested = tested_refs(known)
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
        yield gap(
            "another_digest_tested", "Runs", ref,
            f"Artifact {digest_name(ref)} was deployed to {env_name(row.environment)}, "
            f"but the test runs were of {digest_name(others[0])}.",
            "No run tested the digest that was deployed.",
            *entries_of(row.succeeded, run.finished or run.started),
        )  # fmt: skip


def run_failed(known: Known) -> Iterator[Gap]:
    """Find runs that failed and did not pass later."""
    for ref, run in known.runs.items():
        if run.state != "finished" or run.outcome not in {"failed", "error"}:
            continue
        if any(passed_again(run, other) for other in known.runs.values()):
            continue
        counts = counts_words(run.counts or known.counts.get(ref) or {})
        said = f": {counts}" if counts else ""
        word = "failed" if run.outcome == "failed" else "broke off with an error"
        yield gap(
            "run_failed", "Runs", ref, f"{run_name(run)} {word}{said}.",
            "No later run of that name has passed on the same commit.", *entries_of(run.finished),
        )  # fmt: skip


def cases_missing(known: Known) -> Iterator[Gap]:
    """Find runs that report more cases than are on record."""
    for ref, run in known.runs.items():
        told = run.counts.get("total", 0)
        held = sum(known.counts.get(ref, {}).values())
        if run.state == "finished" and held < told:
            yield gap(
                "cases_missing", "Runs", ref,
                f"{run_name(run)} was reported with {plural(told, 'case')} and has "
                f"{held:,} on record.",
                "How the others came out is one number, without entries behind it.",
                *entries_of(run.finished),
            )  # fmt: skip


def run_without_end(known: Known) -> Iterator[Gap]:
    """Find runs that were planned, queued or started and have no end."""
    for ref, run in known.runs.items():
        if run.state == "finished":
            continue
        began = run.started or run.queued or run.planned
        word = {"planned": "planned", "queued": "queued", "lost": "lost"}.get(run.state, "started")
        yield gap(
            "run_without_end", "Runs", ref, f"{run_name(run)} was {word} and has no end on record.",
            "How it came out is unknown.", *entries_of(began),
        )  # fmt: skip


def run_without_outcome(known: Known) -> Iterator[Gap]:
    """Find finished runs of which nobody said how they ended."""
    for ref, run in known.runs.items():
        if run.state == "finished" and run.outcome is None and run.kind != "build":
            yield gap(
                "run_without_outcome", "Runs", ref,
                f"{run_name(run)} finished and has no outcome on record.",
                "Whether it passed is unknown.", *entries_of(run.finished),
            )  # fmt: skip
