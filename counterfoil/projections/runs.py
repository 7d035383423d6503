"""Runs and the cases in them: what was run, on what, where, how it ended.

A run is a pipeline, task, build or test suite run.  A case is one attempt of one test in one run.
Cases are rows of their own: a run of 100,000 cases has one row for each and a handful of versions
of its own row; counts of outcomes come from the case rows.
"""

import msgspec

from counterfoil.projections.base import At, Piece, Row


class RunRow(Row, frozen=True, kw_only=True):
    """One run.  `ref` is a `run:` ref.

    Attributes:
        name: the suite's or pipeline's name.
        kind: "test", "pipeline", "task", "build", or "" while only cases speak of it.
        state: "planned", "queued", "running" or "finished".
        outcome: "passed", "failed", "error", "cancelled", "skipped", or None before the end.
        reason: why, in the sender's words.
        commit: the `commit:` it ran on.
        environment: the `env:` it ran in.
        change: the `change:` it ran for.
        artifacts: `artifact:` refs it took in ("input") or made ("output").
        parent: the `run:` it is part of.
        attempt: which attempt of the run this is, from 1.
        planned, queued, started, finished: when, with entry and actor.
        counts: cases by outcome, as the sender reported them; compare with the case rows.
        url: where the sender shows it.
        warnings: what the reader of its report found odd.
        actors: (pseudonym, role) pairs: who triggered it and who is named.
    """

    name: str | None = None
    kind: str = ""
    state: str = "running"
    outcome: str | None = None
    reason: str | None = None
    commit: str | None = None
    environment: str | None = None
    change: str | None = None
    artifacts: tuple[Piece, ...] = ()
    parent: str | None = None
    attempt: int | None = None
    planned: At | None = None
    queued: At | None = None
    started: At | None = None
    finished: At | None = None
    counts: dict[str, int] = msgspec.field(default_factory=dict)
    url: str | None = None
    warnings: tuple[str, ...] = ()
    actors: tuple[tuple[str, str], ...] = ()


class CaseRow(Row, frozen=True, kw_only=True):
    """One attempt of one test in one run.  `ref` is run, test and attempt, joined by spaces.

    Attributes:
        run: the `run:` ref.
        test: the `test:` ref.
        name: the test's name as the report writes it.
        attempt: from 1.
        outcome: "running", "passed", "failed", "error", "skipped", "cancelled".
        reason: the failure message or the reason for skipping.
        duration_ms: how long it took.
        at: when it ended (or was skipped, or started), with entry and actor.
        environment: the `env:` it ran in.
    """

    run: str
    test: str
    name: str | None = None
    attempt: int = 1
    outcome: str = "running"
    reason: str | None = None
    duration_ms: int | None = None
    at: At | None = None
    environment: str | None = None
