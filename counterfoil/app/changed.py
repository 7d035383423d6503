"""What changed since: finds the two sides, `projections.changed` compares them.

A run is compared with the last green run of the same name, or with one that is named.  Anything
else is its chain at two moments.  Without a thing, it is which tests turned.
"""

import dataclasses
from typing import Final

from counterfoil.app.read import Reader
from counterfoil.errors import RequestError
from counterfoil.projections.changed import (
    RunChange,
    TraceChange,
    Turned,
    colours_changed,
    run_changed,
    trace_changed,
)
from counterfoil.projections.runs import CaseRow, RunRow

CASES_MAX: Final = 20_000
TESTS_MAX: Final = 500
_PART: Final = 1_000


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """What changed.

    Attributes:
        ref: of what, "" for the whole log.
        as_of: number of the last entry known at the later side, -1 for none.
        since: number of the last entry known at the earlier side; None for two runs.
        run: the comparison of two runs; None where there is no earlier green one.
        trace: the comparison of a chain at two moments.
        tests: tests of the whole log that turned; the last 500 at most.
    """

    ref: str
    as_of: int
    since: int | None
    run: RunChange | None
    trace: TraceChange | None
    tests: tuple[Turned, ...]


def changed(reader: Reader, project: str, ref: str, since: str, as_of: int) -> Changed:
    """Say what changed.

    Args:
        reader: answers.
        project: of which log.
        ref: a run, anything else with a chain, or "" for the tests of the whole log.
        since: a moment (entry number or time); for a run also another run's ref, or "" for the
            last green run of the same name.
        as_of: entry number of the later side.

    Raises:
        RequestError: `not_found`: no such run; `query_invalid`: no moment, or one that is later
            than `as_of`; `ref_invalid`.
    """
    if ref.startswith("run:"):
        return _run(reader, project, ref, since, as_of)
    then = _then(reader, project, since, as_of)
    if not ref:
        page = reader.tests(project, as_of=as_of, limit=TESTS_MAX)
        after = [row for row in page.rows if row.since and row.since.entry > then]
        before = reader.tests_of(project, [row.ref for row in after], as_of=then)
        return Changed(
            ref=ref, as_of=as_of, since=then, run=None, trace=None,
            tests=colours_changed(before, after),
        )  # fmt: skip
    found = trace_changed(reader.trace(project, ref, then), reader.trace(project, ref, as_of), then)
    return Changed(ref=ref, as_of=as_of, since=then, run=None, trace=found, tests=())


def _then(reader: Reader, project: str, since: str, as_of: int) -> int:
    if not since:
        raise RequestError("query_invalid", "since is missing: name an entry number or a time")
    then = reader.position(project, since)
    if then > as_of:
        raise RequestError(
            "query_invalid", f"since is entry {then}, which is later than entry {as_of} looked at"
        )
    return then


def _run(reader: Reader, project: str, ref: str, since: str, as_of: int) -> Changed:
    after = _known(reader, project, ref, as_of)
    then: int | None = None
    if since.startswith("run:"):
        before: RunRow | None = _known(reader, project, since, as_of)
    else:
        then = _then(reader, project, since, as_of) if since else None
        before = reader.last_green(project, after, as_of if then is None else then)
    compared = None
    if before is not None:
        old, more_old = _cases(reader, project, before.ref, as_of)
        new, more_new = _cases(reader, project, after.ref, as_of)
        compared = run_changed(before, old, after, new, cut=more_old or more_new)
    return Changed(ref=ref, as_of=as_of, since=then, run=compared, trace=None, tests=())


def _known(reader: Reader, project: str, ref: str, as_of: int) -> RunRow:
    row = reader.run(project, ref, as_of)
    if row is None:
        raise RequestError("not_found", f"no run {ref} is known here at this moment")
    return row


def _cases(reader: Reader, project: str, run: str, as_of: int) -> tuple[list[CaseRow], bool]:
    """Return the cases of a run, and whether there are more than `CASES_MAX`."""
    rows: list[CaseRow] = []
    cursor: str | None = None
    while True:
        page = reader.cases(project, run, as_of=as_of, cursor=cursor, limit=_PART)
        rows += page.rows
        cursor = page.cursor
        if cursor is None or len(rows) >= CASES_MAX:
            return rows, cursor is not None
