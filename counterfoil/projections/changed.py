"""What changed: between two runs, in the chain of a thing, in the colours of tests.  Pure.

Nothing here judges.  A difference is two values side by side, each with the entry that says so;
what is the same is only counted.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

from counterfoil.projections.chain import Gap, Step, Trace
from counterfoil.projections.runs import CaseRow, RunRow
from counterfoil.projections.tests import TestRow


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Turned:
    """One test with another outcome than before.

    Attributes:
        test: the `test:` ref.
        name: as reports write it, or None.
        before, after: outcomes; None where the test was not there.
        before_entry, after_entry: numbers of the entries that say so.
    """

    test: str
    name: str | None
    before: str | None
    after: str | None
    before_entry: int | None
    after_entry: int | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Differs:
    """A fact of two runs that is not the same: what it is, and both values."""

    what: str
    before: str | None
    after: str | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RunChange:
    """One run against an earlier one.

    Attributes:
        before, after: the `run:` refs.
        turned: tests with another outcome; red ones first.
        added: tests only the later run has; `gone`: only the earlier.
        same: how many tests came out alike.
        differs: commit, environment, change and artifacts, where they differ.
        cut: a run has more cases than were compared.
    """

    before: str
    after: str
    turned: tuple[Turned, ...]
    added: tuple[Turned, ...]
    gone: tuple[Turned, ...]
    same: int
    differs: tuple[Differs, ...]
    cut: bool


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class GapChange:
    """A gap that is there now and was not (`before` None), or the other way round.

    With both, the same thing lacks the same step, in other words: a count or a time moved on.
    """

    before: Gap | None
    after: Gap | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TraceChange:
    """The chain of one thing at two moments.

    Attributes:
        steps: steps that began or ended after the earlier moment, by time.
        opened, closed, reworded: gaps.
        still: how many gaps are as they were.
    """

    steps: tuple[Step, ...]
    opened: tuple[GapChange, ...]
    closed: tuple[GapChange, ...]
    reworded: tuple[GapChange, ...]
    still: int


_RED = frozenset({"failed", "error"})


def run_changed(
    before: RunRow,
    cases_before: Iterable[CaseRow],
    after: RunRow,
    cases_after: Iterable[CaseRow],
    *,
    cut: bool = False,
) -> RunChange:
    """Compare two runs, each test by its last attempt.

    Args:
        before: the earlier run.
        cases_before: its cases, every attempt.
        after: the later run.
        cases_after: its cases, every attempt.
        cut: there are more cases than these.
    """
    was, now = _last_attempts(cases_before), _last_attempts(cases_after)
    pairs = [(was.get(test), now.get(test)) for test in sorted({*was, *now})]
    found = [_turned(old, new) for old, new in pairs]
    both = [one for one in found if one.before is not None and one.after is not None]
    turned = [one for one in both if one.before != one.after]
    return RunChange(
        before=before.ref,
        after=after.ref,
        turned=tuple(sorted(turned, key=lambda one: (one.after not in _RED, one.test))),
        added=tuple(one for one in found if one.before is None),
        gone=tuple(one for one in found if one.after is None),
        same=len(both) - len(turned),
        differs=tuple(
            Differs(what=what, before=old, after=new)
            for what, old, new in (
                ("commit", before.commit, after.commit),
                ("environment", before.environment, after.environment),
                ("change", before.change, after.change),
                ("took in", _inputs(before), _inputs(after)),
            )
            if old != new
        ),
        cut=cut,
    )


def _last_attempts(cases: Iterable[CaseRow]) -> dict[str, CaseRow]:
    last: dict[str, CaseRow] = {}
    for case in cases:
        if case.test not in last or case.attempt >= last[case.test].attempt:
            last[case.test] = case
    return last


def _turned(before: CaseRow | None, after: CaseRow | None) -> Turned:
    one = after or before
    assert one is not None, "a test is in one of the runs"
    return Turned(
        test=one.test,
        name=one.name,
        before=before.outcome if before else None,
        after=after.outcome if after else None,
        before_entry=_entry(before),
        after_entry=_entry(after),
    )


def _entry(case: CaseRow | None) -> int | None:
    if case is None:
        return None
    return case.at.entry if case.at else (case.entries[-1] if case.entries else None)


def _inputs(run: RunRow) -> str | None:
    return ", ".join(sorted(p.ref for p in run.artifacts if p.role == "input")) or None


def trace_changed(before: Trace, after: Trace, since: int) -> TraceChange:
    """Compare the chain of one thing at two moments.

    Args:
        before: as known at entry `since`.
        after: as known later.
        since: number of the last entry known then, -1 for none.

    A gap is the same if its rule and the thing that lacks something are.
    """
    left = list(before.gaps)
    opened: list[GapChange] = []
    moved: list[GapChange] = []
    still = 0
    for gap in after.gaps:
        same = [one for one in left if (one.rule, one.ref) == (gap.rule, gap.ref)]
        if not same:
            opened.append(GapChange(before=None, after=gap))
            continue
        twin = next((one for one in same if one.what == gap.what), same[0])
        left.remove(twin)
        if twin.what == gap.what:
            still += 1
        else:
            moved.append(GapChange(before=twin, after=gap))
    return TraceChange(
        steps=tuple(s for s in after.steps if max(s.entry, s.end_entry or 0) > since),
        opened=tuple(opened),
        closed=tuple(GapChange(before=gap, after=None) for gap in left),
        reworded=tuple(moved),
        still=still,
    )


def colours_changed(before: Mapping[str, TestRow], after: Sequence[TestRow]) -> tuple[Turned, ...]:
    """Return the tests whose colour is another one now, red ones first.

    Args:
        before: rows as they were, by ref; a test that was not known is absent.
        after: rows as they are, of every test that may have turned.
    """
    found = []
    for row in after:
        was = before.get(row.ref)
        if not row.colour or (was is not None and was.colour == row.colour):
            continue
        found.append(
            Turned(
                test=row.ref,
                name=row.name,
                before=was.outcome if was is not None and was.colour else None,
                after=row.outcome,
                before_entry=was.since.entry if was is not None and was.since else None,
                after_entry=row.since.entry if row.since else None,
            )
        )
    return tuple(sorted(found, key=lambda one: (one.after not in _RED, one.test)))
