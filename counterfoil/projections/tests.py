"""Tests over runs: the last outcome, how long it has been so, and the last runs."""

import msgspec

from counterfoil.projections.base import At, Row


class TestRun(msgspec.Struct, frozen=True):
    """One outcome of a test.

    Attributes:
        run: the `run:` ref.
        outcome: as in `CaseRow`.
        attempt: from 1.
        at: when, with entry and actor.
    """

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

    name: str | None = None
    outcome: str = ""
    colour: str = ""
    since: At | None = None
    last_green: At | None = None
    last_red: At | None = None
    runs: tuple[TestRun, ...] = ()
    flaky: bool = False
    count: int = 0
