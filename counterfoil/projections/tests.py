"""Tests over runs: the last outcome, how long it has been so, and the last runs."""

from typing import ClassVar

import msgspec

from counterfoil.projections.base import (
    At,
    Projection,
    Recorded,
    Row,
    Scalar,
    about,
    content,
    custom,
    dig,
    first,
    grow,
    moment,
    noun_of,
    number,
    outcome_of,
    refs_of,
    text,
)

CASE_NOUN = "testcaserun"
RUNS_KEPT = 30
COLOURS = {"passed": "green", "failed": "red", "error": "red"}


class TestRun(msgspec.Struct, frozen=True):
    """One outcome of a test.

    Attributes:
        run: the `run:` ref.
        outcome: as in `CaseRow`.
        attempt: from 1.
        at: when, with entry and actor.
    """

    __test__: ClassVar[bool] = False  # the name begins like a test class; it is a value

    run: str
    outcome: str
    attempt: int
    at: At


class TestRow(Row, frozen=True, kw_only=True):
    """One test.  `ref` is a `test:` ref.

    Attributes:
        name: the name as reports write it.
        outcome: the last outcome: "passed", "failed", "error", "skipped", "cancelled".
        colour: "green" (passed), "red" (failed or error), or "" before either.
        since: when it took that colour.
        last_green, last_red: the last outcome of each colour.
        runs: the last 30 outcomes, oldest first.
        flaky: a later attempt in the same run turned red into green.
        count: how many outcomes there are.
    """

    __test__: ClassVar[bool] = False  # the name begins like a test class; it is a row

    name: str | None = None
    outcome: str = ""
    colour: str = ""
    since: At | None = None
    last_green: At | None = None
    last_red: At | None = None
    runs: tuple[TestRun, ...] = ()
    flaky: bool = False
    count: int = 0


def touches(recorded: Recorded) -> tuple[str, ...]:
    """Return the test an entry is about."""
    return about(recorded, "test")[:1] if noun_of(recorded.entry.type)[0] == CASE_NOUN else ()


def fold(key: str, row: TestRow | None, recorded: Recorded) -> TestRow:
    """Return the test after one more outcome, in the order of the log.

    What has no outcome (queued, started) only makes a test known.
    """
    before = row or TestRow(
        ref=key, name=text(content(recorded), "testCase", "name"), entries=(recorded.index,)
    )
    outcome = _outcome(recorded)
    if outcome is None:
        return before
    at = moment(recorded)
    colour = COLOURS.get(outcome, before.colour)
    run = (
        first(refs_of(recorded, "run", "part-of", "parent")) or first(about(recorded, "run")) or ""
    )
    attempt = number(custom(recorded), "attempt") or number(content(recorded), "attempt") or 1
    once_more = TestRun(run, outcome, attempt, at)
    flaky = before.flaky
    if colour == "green" and outcome == "passed":
        flaky = any(
            one.run == run and COLOURS.get(one.outcome) == "red" and one.attempt < attempt
            for one in before.runs
        )
    return msgspec.structs.replace(
        before,
        name=text(content(recorded), "testCase", "name") or before.name,
        outcome=outcome,
        colour=colour,
        since=at if colour != before.colour else before.since,
        last_green=at if COLOURS.get(outcome) == "green" else before.last_green,
        last_red=at if COLOURS.get(outcome) == "red" else before.last_red,
        runs=(*before.runs, once_more)[-RUNS_KEPT:],
        flaky=flaky,
        count=before.count + 1,
        entries=grow(before.entries, recorded.index)[-RUNS_KEPT:],
    )


def _outcome(recorded: Recorded) -> str | None:
    noun, predicate = noun_of(recorded.entry.type)
    if noun != CASE_NOUN:
        return None
    if predicate == "skipped":
        return "skipped"
    if predicate != "finished":
        return None
    return outcome_of(dig(custom(recorded), "outcome")) or outcome_of(
        dig(content(recorded), "outcome")
    )


def _index(row: TestRow) -> dict[str, Scalar]:
    # Without a colour yet, what counts is the first outcome.
    turned = row.since.entry if row.since else row.entries[0]
    return {"colour": row.colour, "outcome": row.outcome, "turned": turned}


TESTS = Projection(
    noun="tests",
    row=TestRow,
    columns={"colour": "text", "outcome": "text", "turned": "integer"},
    touches=touches,
    fold=fold,
    index=_index,
    indexed=("colour",),
)
