"""What changed: every difference once, in its own list; what is the same is counted."""

import dataclasses

import msgspec

from counterfoil.projections.base import At, Piece
from counterfoil.projections.chain import Gap, Step, Trace
from counterfoil.projections.changed import colours_changed, run_changed, trace_changed
from counterfoil.projections.runs import CaseRow, RunRow
from counterfoil.projections.tests import TestRow

BEFORE = RunRow(ref="run:a/1", commit="commit:a/b@1111111", environment="env:qa")
AFTER = RunRow(ref="run:a/2", commit="commit:a/b@2222222", environment="env:qa")


def case(name: str, outcome: str, entry: int, *, attempt: int = 1) -> CaseRow:
    return CaseRow(
        ref=f"{name}{attempt}", run="run:a/1", test=f"test:{name}", attempt=attempt,
        outcome=outcome, at=At(entry, "2026-11-20T12:00:00Z", None), entries=(entry,),
    )  # fmt: skip


def test_each_test_stands_in_one_list() -> None:
    found = run_changed(
        BEFORE,
        [case("kept", "passed", 1), case("broke", "passed", 2), case("mended", "failed", 3),
         case("left", "passed", 4)],
        AFTER,
        [case("kept", "passed", 11), case("broke", "error", 12), case("mended", "passed", 13),
         case("came", "failed", 14)],
    )  # fmt: skip
    assert [(one.test, one.before, one.after) for one in found.turned] == [
        ("test:broke", "passed", "error"), ("test:mended", "failed", "passed"),
    ]  # fmt: skip
    assert [(one.before_entry, one.after_entry) for one in found.turned] == [(2, 12), (3, 13)]
    assert [(one.test, one.after, one.before_entry) for one in found.added] == [
        ("test:came", "failed", None)
    ]
    assert [(one.test, one.before, one.after_entry) for one in found.gone] == [
        ("test:left", "passed", None)
    ]
    assert found.same == 1


def test_a_test_counts_by_its_last_attempt_in_whatever_order_they_come() -> None:
    tries = [case("flaky", "passed", 3, attempt=2), case("flaky", "failed", 2, attempt=1)]
    found = run_changed(BEFORE, [case("flaky", "passed", 1)], AFTER, tries)
    assert (found.turned, found.same) == ((), 1)


def test_only_what_differs_around_the_tests_is_named() -> None:
    fed = msgspec.structs.replace(AFTER, artifacts=(Piece("artifact:x", "input", 3),))
    found = run_changed(BEFORE, [], fed, [])
    assert [(one.what, one.before, one.after) for one in found.differs] == [
        ("commit", "commit:a/b@1111111", "commit:a/b@2222222"), ("took in", None, "artifact:x"),
    ]  # fmt: skip


def gap(rule: str, what: str, ref: str = "commit:a") -> Gap:
    return Gap(rule=rule, what=what, why="", entries=(1,), lane="Review", ref=ref)


def step(entry: int, end_entry: int | None = None) -> Step:
    return Step(lane="Runs", ref="run:a/1", entry=entry, time="2026-11-20T12:00:00Z",
                end_entry=end_entry, sentence="ran", label="ran")  # fmt: skip


EMPTY = Trace(ref="release:a@1", known=True, steps=(), gaps=(), refs=(), cut=False)


def test_gaps_open_close_move_on_and_stay() -> None:
    before = dataclasses.replace(
        EMPTY, gaps=(gap("a", "no review"), gap("b", "2 commits"), gap("c", "same"),
                     gap("d", "one", "run:1"), gap("d", "one", "run:2")),
    )  # fmt: skip
    after = dataclasses.replace(
        EMPTY, gaps=(gap("b", "3 commits"), gap("c", "same"), gap("d", "one", "run:2"),
                     gap("e", "no approval")),
    )  # fmt: skip
    found = trace_changed(before, after, 5)
    assert [one.after and one.after.rule for one in found.opened] == ["e"]
    assert [one.before and (one.before.rule, one.before.ref) for one in found.closed] == [
        ("a", "commit:a"), ("d", "run:1"),
    ]  # fmt: skip
    assert [(one.before and one.before.what, one.after and one.after.what)
            for one in found.reworded] == [("2 commits", "3 commits")]  # fmt: skip
    assert found.still == 2


def test_a_step_that_began_before_and_ended_since_was_added() -> None:
    after = dataclasses.replace(EMPTY, steps=(step(3), step(4, end_entry=9), step(7)))
    assert [one.entry for one in trace_changed(EMPTY, after, 5).steps] == [4, 7]


def test_nothing_changes_between_a_moment_and_itself() -> None:
    trace = dataclasses.replace(EMPTY, steps=(step(3),), gaps=(gap("a", "no review"),))
    found = trace_changed(trace, trace, 5)
    assert (found.steps, found.opened, found.closed, found.reworded, found.still) == (
        (), (), (), (), 1,
    )  # fmt: skip


def row(ref: str, colour: str, outcome: str, entry: int) -> TestRow:
    since = At(entry, "2026-11-20T12:00:00Z", None)
    return TestRow(ref=ref, colour=colour, outcome=outcome, since=since if colour else None)


def test_a_test_turned_only_if_its_colour_is_another() -> None:
    before = {
        "test:a": row("test:a", "green", "passed", 1), "test:b": row("test:b", "red", "failed", 2),
        "test:c": row("test:c", "red", "failed", 3),
    }  # fmt: skip
    after = [row("test:a", "red", "failed", 11), row("test:b", "green", "passed", 12),
             row("test:c", "red", "error", 3), row("test:d", "green", "passed", 14),
             row("test:e", "", "skipped", 15)]  # fmt: skip
    assert [(one.test, one.before, one.after, one.after_entry)
            for one in colours_changed(before, after)] == [
        ("test:a", "passed", "failed", 11), ("test:b", "failed", "passed", 12),
        ("test:d", None, "passed", 14),
    ]  # fmt: skip
