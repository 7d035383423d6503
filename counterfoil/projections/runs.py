"""Runs and the cases in them: what was run, on what, where, how it ended.

A run is a pipeline, task, build or test suite run.  A case is one attempt of one test in one run.
Cases are rows of their own: a run of 100,000 cases has one row for each and a handful of versions
of its own row; counts of outcomes come from the case rows.
"""

import msgspec

from counterfoil.events.canonical import JSON
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
    flag,
    grow,
    moment,
    noun_of,
    number,
    odd,
    outcome_of,
    refs_of,
    text,
)

KINDS = {
    "pipelinerun": "pipeline",
    "taskrun": "task",
    "build": "build",
    "testsuiterun": "test",
    "run": "test",
    "check": "check",
}
CASE_NOUN = "testcaserun"
WARNINGS_MAX = 50


class RunRow(Row, frozen=True, kw_only=True):
    """One run.  `ref` is a `run:` ref.

    Attributes:
        name: the suite's or pipeline's name.
        kind: "test", "pipeline", "task", "build", or "" while only cases speak of it.
        state: "planned", "queued", "running", "finished", or "lost": its process is gone and
            did not say how it ended.
        outcome: "passed", "failed", "error", "cancelled", "skipped", or None before the end.
        reason: why, in the sender's words.
        commit: the `commit:` it ran on.
        environment: the `env:` it ran in.
        change: the `change:` it ran for.
        artifacts: `artifact:` refs it took in ("input") or made ("output").
        parent: the `run:` it is part of.
        attempt: which attempt of the run this is, from 1.
        planned, queued, started, finished, lost: when, with entry and actor.
        tests_planned: how many tests were to run in it, if somebody said so.
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
    lost: At | None = None
    tests_planned: int | None = None
    counts: dict[str, int] = msgspec.field(default_factory=dict)
    url: str | None = None
    warnings: tuple[str, ...] = ()
    actors: tuple[tuple[str, str], ...] = ()


class CaseRow(Row, frozen=True, kw_only=True):
    """One attempt of one test in one run.  `ref` is run, test and attempt, joined by line ends.

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
        final: false if the sender says that another attempt followed.
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
    final: bool = True


def touches_run(recorded: Recorded) -> tuple[str, ...]:
    """Return the runs an entry is about; a case speaks of the run it is part of."""
    noun, _ = noun_of(recorded.entry.type)
    if noun in KINDS:
        return about(recorded, "run")[:1]
    if noun == CASE_NOUN:
        run, _ = _case_of(recorded)
        return (run,) if run is not None else ()
    return ()


def fold_run(key: str, row: RunRow | None, recorded: Recorded) -> RunRow:
    """Return the run after one more entry.

    A case only makes a run known: it adds no version to one that is known already.
    """
    noun, predicate = noun_of(recorded.entry.type)
    at = moment(recorded)
    if noun == CASE_NOUN:
        if row is not None:
            return row
        around = _surroundings(recorded)
        return RunRow(
            ref=key,
            started=at,
            commit=around["commit"],
            environment=around["environment"],
            entries=(recorded.index,),
        )
    before = row or RunRow(ref=key, state="planned")
    attempt = number(content(recorded), "attempt") or number(custom(recorded), "attempt")
    if attempt is not None and before.attempt is not None and attempt > before.attempt:
        before = msgspec.structs.replace(
            before, state="planned", outcome=None, reason=None, queued=None, started=None,
            finished=None, lost=None, tests_planned=None, counts={},
        )  # fmt: skip
    described = _describe(before, noun, attempt, recorded)
    return _advance(described, predicate, at, recorded)


def _describe(row: RunRow, noun: str, attempt: int | None, recorded: Recorded) -> RunRow:
    """Fill in what the entry says of the run, whatever happened to it."""
    body, more = content(recorded), custom(recorded)
    around = _surroundings(recorded)
    artifacts = row.artifacts
    for named in recorded.entry.refs:
        if named.ref.startswith("artifact:"):
            artifacts = add_piece(artifacts, named.ref, named.role, recorded.index)
    named_by = tuple(
        (named.ref, named.role) for named in recorded.entry.refs if named.ref.startswith("actor:")
    )
    return msgspec.structs.replace(
        row,
        name=_name(body) or text(more, "name") or row.name,
        kind=KINDS[noun],
        commit=around["commit"] or row.commit,
        environment=around["environment"] or row.environment,
        change=around["change"] or row.change,
        artifacts=artifacts,
        parent=around["parent"] or row.parent,
        attempt=attempt or row.attempt,
        counts=_counts(body) or _counts(more) or row.counts,
        url=text(body, "uri") or text(body, "url") or text(more, "url") or row.url,
        warnings=_warnings(body, more) or row.warnings,
        actors=tuple(dict.fromkeys((*row.actors, *named_by)))[:50],
        entries=grow(row.entries, recorded.index),
    )


def _advance(row: RunRow, predicate: str, at: At, recorded: Recorded) -> RunRow:
    """Move the run along; what comes late fills in its time and does not move it back."""
    body = content(recorded)
    problems = row.problems
    if predicate in {"finished", "reported"}:
        more = custom(recorded)
        outcome = (
            outcome_of(dig(body, "outcome"))
            or outcome_of(dig(more, "conclusion"))
            or outcome_of(dig(body, "conclusion"))
        )
        if outcome is None and row.kind != "build":
            # CDEvents gives a build no outcome; of anything else its absence is worth a word.
            problems = odd(problems, at.entry, "finished without an outcome that is known here")
        elif row.outcome is not None and row.outcome != outcome:
            problems = odd(
                problems, at.entry, f"finished as {row.outcome} before, as {outcome} here"
            )
        return msgspec.structs.replace(
            row, state="finished", outcome=outcome or row.outcome, finished=at, problems=problems,
            reason=text(body, "reason") or text(body, "errors")
            or (row.reason if row.state == "finished" else None),
        )  # fmt: skip
    planned = number(body, "planned") or row.tests_planned
    if predicate == "lost":
        # Whoever says how it ended knows better, before or after.
        ended = row.state == "finished"
        return msgspec.structs.replace(
            row, lost=row.lost or at, tests_planned=planned,
            state="finished" if ended else "lost",
            reason=row.reason if ended else _lost_words(body, planned),
        )  # fmt: skip
    if predicate == "started":
        ended = row.state in {"finished", "lost"}
        return msgspec.structs.replace(
            row, started=row.started or at, state=row.state if ended else "running"
        )
    if predicate == "queued":
        state = "queued" if row.state == "planned" else row.state
        return msgspec.structs.replace(row, queued=row.queued or at, state=state)
    if predicate == "planned":
        return msgspec.structs.replace(row, planned=row.planned or at, tests_planned=planned)
    problems = odd(problems, at.entry, f"{recorded.entry.type[:100]} is no step of a run")
    return msgspec.structs.replace(row, problems=problems)


def _lost_words(body: JSON, planned: int | None) -> str:
    """Say how far a run came whose end nobody saw.

    >>> _lost_words({"reported": 30, "last": "test:tests/test_cart.py::test_total"}, 97)
    'lost after test 30 of 97; the last to begin was tests/test_cart.py::test_total'
    """
    reported = number(body, "reported")
    words = "lost" if reported is None else f"lost after test {reported}"
    if reported is not None and planned is not None:
        words += f" of {planned}"
    last = text(body, "last")
    return f"{words}; the last to begin was {last.removeprefix('test:')[:200]}" if last else words


def _surroundings(recorded: Recorded) -> dict[str, str | None]:
    """Return the commit, environment, change and parent run an entry names."""
    return {
        "commit": first(refs_of(recorded, "commit", "input", "built-from"))
        or first(refs_of(recorded, "commit")),
        "environment": first(refs_of(recorded, "env")),
        "change": first(refs_of(recorded, "change")),
        "parent": first(refs_of(recorded, "run", "parent", "part-of")),
    }


def _name(body: JSON) -> str | None:
    for path in (("testSuite", "name"), ("pipelineName",), ("taskName",), ("name",)):
        if (name := text(body, *path)) is not None:
            return name
    return text(body, "testSuite", "id")


def _counts(body: JSON) -> dict[str, int]:
    counts = dig(body, "counts")
    if not isinstance(counts, dict):
        return {}
    named = sorted(counts)[:20]
    return {name[:40]: value for name in named if (value := number(counts, name)) is not None}


def _warnings(body: JSON, more: JSON) -> tuple[str, ...]:
    found = dig(more, "warnings") or dig(body, "warnings")
    if not isinstance(found, list):
        return ()
    said = [one if isinstance(one, str) else dig(one, "message") for one in found]
    return tuple(one[:500] for one in said if isinstance(one, str))[:WARNINGS_MAX]


def _index_run(row: RunRow) -> dict[str, Scalar]:
    return {
        "state": row.state, "outcome": row.outcome, "commit_ref": row.commit, "name": row.name,
    }  # fmt: skip


def touches_case(recorded: Recorded) -> tuple[str, ...]:
    """Return the key of the case an entry is about, if it says which test it was."""
    if noun_of(recorded.entry.type)[0] != CASE_NOUN:
        return ()
    run, test = _case_of(recorded)
    if test is None:
        return ()
    return (f"{run or ''}\n{test}\n{_attempt(recorded)}",)


def fold_case(key: str, row: CaseRow | None, recorded: Recorded) -> CaseRow:
    """Return the case after one more entry."""
    run, test, attempt = key.split("\n")
    body, more = content(recorded), custom(recorded)
    _, predicate = noun_of(recorded.entry.type)
    before = row or CaseRow(ref=key, run=run, test=test, attempt=int(attempt))
    problems = before.problems
    if row is None and not run:
        problems = odd(problems, recorded.index, "names no run it is part of")
    outcome = _case_outcome(recorded)
    if predicate == "finished" and outcome is None:
        problems = odd(problems, recorded.index, "finished without an outcome that is known here")
    if outcome and before.outcome not in {"running", outcome}:
        problems = odd(problems, recorded.index, f"was {before.outcome} before, is {outcome} here")
    settled = before.outcome != "running"
    at = moment(recorded)
    return msgspec.structs.replace(
        before,
        name=text(body, "testCase", "name") or before.name,
        outcome=outcome or before.outcome,
        reason=text(body, "reason") or text(more, "message") or before.reason,
        duration_ms=_duration_ms(body, more) if outcome else before.duration_ms,
        at=before.at if settled and outcome is None else at,
        environment=first(refs_of(recorded, "env")) or before.environment,
        final=flag(more, "final") is not False,
        entries=grow(before.entries, recorded.index),
        problems=problems,
    )


def _case_of(recorded: Recorded) -> tuple[str | None, str | None]:
    """Return (run, test) of a case: the run it is part of, else the run it is about."""
    tests = about(recorded, "test")
    run = first(refs_of(recorded, "run", "part-of", "parent")) or first(about(recorded, "run"))
    return run, first(tests)


def _attempt(recorded: Recorded) -> int:
    """Return which attempt of the test this was, from 1."""
    attempt = number(custom(recorded), "attempt") or number(content(recorded), "attempt")
    return attempt if attempt is not None and attempt > 0 else 1


def _case_outcome(recorded: Recorded) -> str | None:
    """Return the outcome an entry gives a case; None while it runs."""
    _, predicate = noun_of(recorded.entry.type)
    if predicate == "skipped":
        return "skipped"
    if predicate != "finished":
        return None
    return outcome_of(dig(custom(recorded), "outcome")) or outcome_of(
        dig(content(recorded), "outcome")
    )


def _duration_ms(body: JSON, more: JSON) -> int | None:
    """Return a duration in whole milliseconds; senders give `duration_ms` or `duration_s`."""
    for source in (more, body):
        if (found := number(source, "duration_ms")) is not None:
            return found
        seconds = dig(source, "duration_s")
        if isinstance(seconds, int | float) and not isinstance(seconds, bool):
            # Beyond a year it is no duration; the bound also keeps out infinities and NaN.
            return round(seconds * 1000) if 0 <= seconds < 32_000_000 else None
    return None


def _index_case(row: CaseRow) -> dict[str, Scalar]:
    return {
        "run": row.run, "test": row.test, "outcome": row.outcome, "final": int(row.final),
    }  # fmt: skip


RUNS = Projection(
    noun="runs",
    row=RunRow,
    columns={"state": "text", "outcome": "text", "commit_ref": "text", "name": "text"},
    touches=touches_run,
    fold=fold_run,
    index=_index_run,
    indexed=("commit_ref", "state", "name"),
)
CASES = Projection(
    noun="cases",
    row=CaseRow,
    columns={"run": "text", "test": "text", "outcome": "text", "final": "integer"},
    touches=touches_case,
    fold=fold_case,
    index=_index_case,
    indexed=("run",),
)
