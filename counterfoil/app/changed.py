"""What changed since: finds the two sides, `projections.changed` compares them.

A run is compared with the last green run of the same name, or with one that is named; a release
with the one before, or with one that is named.  Anything else, or a release and a moment, is a
chain at two moments.  Without a thing, it is which tests turned.
"""

import dataclasses
from typing import Final

from counterfoil.app.between import Between, between
from counterfoil.app.read import Reader
from counterfoil.errors import RequestError
from counterfoil.projections.base import Row
from counterfoil.projections.chain import Trace
from counterfoil.projections.changed import (
    RunChange,
    TraceChange,
    Turned,
    colours_changed,
    run_changed,
    trace_changed,
)
from counterfoil.projections.release_changed import ReleaseChange, release_changed
from counterfoil.projections.releases import RELEASES, ReleaseRow
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
        release: the comparison of two releases; None where there is none before.
        trace: the comparison of a chain at two moments.
        between: the commits and changes between the two runs or releases, where both name a
            commit of one repository and it is not the same.
        tests: tests of the whole log that turned; the last 500 at most.
    """

    ref: str
    as_of: int
    since: int | None
    run: RunChange | None
    trace: TraceChange | None
    tests: tuple[Turned, ...]
    release: ReleaseChange | None = None
    between: Between | None = None


def changed(reader: Reader, project: str, ref: str, since: str, as_of: int) -> Changed:
    """Say what changed.

    Args:
        reader: answers.
        project: of which log.
        ref: a run, anything else with a chain, or "" for the tests of the whole log.
        since: a moment (entry number or time); for a run also another run's ref, or "" for the
            last green run of the same name; for a release also another release's ref, or "" for
            the one of the same name before it.
        as_of: entry number of the later side.

    Raises:
        RequestError: `not_found`: no such run; `query_invalid`: no moment, or one that is later
            than `as_of`; `ref_invalid`.
    """
    if ref.startswith("run:"):
        return _run(reader, project, ref, since, as_of)
    if ref.startswith("release:") and (not since or since.startswith("release:")):
        return _release(reader, project, ref, since, as_of)
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
    return Changed(
        ref=ref, as_of=as_of, since=then, run=compared, trace=None, tests=(),
        between=_between(reader, project, before, after, (before.commit, after.commit), as_of)
        if before is not None
        else None,
    )  # fmt: skip


def _release(reader: Reader, project: str, ref: str, since: str, as_of: int) -> Changed:
    after = _known_release(reader, project, ref, as_of)
    before = (
        _known_release(reader, project, since, as_of)
        if since
        else _release_before(reader, project, after, as_of)
    )
    compared, lies_between = None, None
    if before is not None:
        chains = [reader.trace(project, row.ref, as_of) for row in (before, after)]
        compared = release_changed(before, chains[0], after, chains[1])
        commits = (_built_from(before, chains[0]), _built_from(after, chains[1]))
        lies_between = _between(reader, project, before, after, commits, as_of)
    return Changed(
        ref=ref, as_of=as_of, since=None, run=None, trace=None, tests=(), release=compared,
        between=lies_between,
    )  # fmt: skip


def _known_release(reader: Reader, project: str, ref: str, as_of: int) -> ReleaseRow:
    row = reader.release(project, ref, as_of)
    if row is None:
        raise RequestError("not_found", f"no release {ref} is known here at this moment")
    return row


def _release_before(
    reader: Reader, project: str, after: ReleaseRow, as_of: int
) -> ReleaseRow | None:
    if not after.entries:
        return None
    page = reader.rows.page(
        RELEASES, project, as_of=as_of, cursor=None, limit=1, below=after.entries[0],
        where={"name": after.name},
    )  # fmt: skip
    return page.rows[0] if page.rows else None


def _built_from(row: ReleaseRow, chain: Trace) -> str | None:
    """Return the commit a release says it is made of, or the latest one of its chain."""
    named = [piece.ref for piece in row.contents if piece.ref.startswith("commit:")]
    pushed = [step.ref for step in chain.steps if step.lane == "Commits"]
    known = named or pushed
    return known[-1] if known else None


def _between(
    reader: Reader, project: str, before: Row, after: Row, commits: tuple[str | None, str | None],
    as_of: int,
) -> Between | None:  # fmt: skip
    old, new = commits
    if old is None or new is None or old == new:
        return None
    if old.rpartition("@")[0] != new.rpartition("@")[0]:
        return None
    entries = (min(before.entries, default=0), max(after.entries, default=as_of))
    return between(reader.rows, project, old, new, entries=entries, as_of=as_of)


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
