from typing import Any

from counterfoil.projections.runs import CASES, RUNS, CaseRow, RunRow
from tests.projections.trail import Told, replay, told, trail

RUN = "run:acme/shop/902"
COMMIT = "commit:acme/shop@9fceb02d"
CI = "ci:acme/shop"


def run(*story: Told) -> RunRow:
    return replay(RUNS, trail(*story))[RUN]


def case(test: str, outcome: str, **more: Any) -> Told:
    custom = more.pop("custom", {})
    return told(
        CI, "testcaserun.finished", test, (RUN, "part-of"), (test, "about"), custom=custom,
        outcome=outcome, **more,
    )  # fmt: skip


def test_a_run_is_followed_from_its_plan_to_its_end() -> None:
    row = run(
        told(CI, "+run.planned", RUN, (COMMIT, "input"), ("env:qa", "environment"), name="unit"),
        told(CI, "testsuiterun.queued", RUN),
        told(CI, "testsuiterun.started", RUN),
        told(CI, "testsuiterun.finished", RUN, outcome="success",
             custom={"counts": {"passed": 2}}),
    )  # fmt: skip

    assert (row.state, row.outcome, row.kind) == ("finished", "passed", "test")
    assert (row.commit, row.environment) == (COMMIT, "env:qa")
    assert [at.entry for at in (row.planned, row.queued, row.started, row.finished) if at] == [
        0, 1, 2, 3,
    ]  # fmt: skip
    assert row.counts == {"passed": 2}
    assert row.entries == (0, 1, 2, 3)
    assert row.problems == ()


def test_a_start_that_arrives_late_does_not_open_a_finished_run() -> None:
    row = run(
        told(CI, "pipelinerun.finished", RUN, outcome="failure"),
        told(CI, "pipelinerun.started", RUN),
        told(CI, "pipelinerun.queued", RUN),
    )

    assert (row.state, row.outcome) == ("finished", "failed")
    assert row.started is not None
    assert row.started.entry == 1


def test_two_ends_that_differ_are_a_problem_of_the_run() -> None:
    row = run(
        told(CI, "taskrun.finished", RUN, outcome="failure"),
        told(CI, "taskrun.finished", RUN, outcome="success"),
    )

    assert row.outcome == "passed"
    assert row.problems == ((1, "finished as failed before, as passed here"),)


def test_another_attempt_begins_the_run_again() -> None:
    row = run(
        told(CI, "pipelinerun.finished", RUN, outcome="failure", custom={"attempt": 1}),
        told(CI, "pipelinerun.started", RUN, custom={"attempt": 2}),
    )

    assert (row.state, row.outcome, row.attempt) == ("running", None, 2)


def test_a_build_needs_no_outcome_but_a_suite_does() -> None:
    """CDEvents gives a build none; a suite without one cannot be called passed."""
    assert run(told(CI, "build.finished", RUN)).problems == ()
    assert run(told(CI, "testsuiterun.finished", RUN)).problems == (
        (0, "finished without an outcome that is known here"),
    )


def test_cases_make_a_run_known_and_add_no_version_to_it() -> None:
    recorded = trail(*(case(f"test:{n}", "success") for n in range(50)))
    row: RunRow | None = None
    versions = []
    for one in recorded:
        [key] = RUNS.touches(one)
        after = RUNS.fold(key, row, one)
        if after is not row:
            versions.append(after)
        row = after

    assert len(versions) == 1
    assert versions[0].state == "running"


def test_every_attempt_of_a_test_is_a_case_of_its_own() -> None:
    rows = replay(
        CASES,
        trail(
            case("test:a", "failure", custom={"attempt": 1, "final": False}, reason="boom"),
            case("test:a", "success", custom={"attempt": 2, "duration_s": 0.25}),
        ),
    )

    first, second = rows.values()
    assert (first.outcome, first.attempt, first.final, first.reason) == ("failed", 1, False, "boom")
    assert (second.outcome, second.attempt, second.final, second.duration_ms) == (
        "passed", 2, True, 250,
    )  # fmt: skip


def one_case(*story: Told) -> CaseRow:
    [row] = replay(CASES, trail(*story)).values()
    return row


def test_a_start_after_the_outcome_leaves_the_outcome() -> None:
    row = one_case(
        case("test:a", "success"),
        told(CI, "testcaserun.started", "test:a", (RUN, "part-of")),
    )

    assert row.outcome == "passed"
    assert row.at is not None
    assert row.at.entry == 0


def test_an_unknown_outcome_is_a_problem_and_no_pass() -> None:
    row = one_case(case("test:a", "purple"))

    assert row.outcome == "running"
    assert row.problems == ((0, "finished without an outcome that is known here"),)


def test_a_case_of_no_run_is_a_problem() -> None:
    row = one_case(told(CI, "testcaserun.skipped", "test:a", reason="later"))

    assert (row.outcome, row.reason, row.run) == ("skipped", "later", "")
    assert row.problems == ((0, "names no run it is part of"),)


def test_a_run_whose_process_is_gone_is_lost_and_says_how_far_it_came() -> None:
    row = run(
        told(CI, "testsuiterun.started", RUN),
        told(CI, "+run.planned", RUN, planned=97, part=1, parts=2),
        told(CI, "+run.planned", RUN, planned=97, part=2, parts=2),
        told(CI, "+run.lost", RUN, reported=30, last="test:tests/test_cart.py::test_total"),
    )

    assert (row.state, row.outcome, row.tests_planned) == ("lost", None, 97)
    assert row.reason == (
        "lost after test 30 of 97; the last to begin was tests/test_cart.py::test_total"
    )
    assert row.lost is not None
    assert row.lost.entry == 3
    assert row.problems == ()


def test_a_lost_run_that_says_how_it_ended_was_not_lost() -> None:
    """A laptop that slept: its records came late, and tell the end."""
    for story in (
        (told(CI, "+run.lost", RUN, reported=3),
         told(CI, "testsuiterun.finished", RUN, outcome="success")),
        (told(CI, "testsuiterun.finished", RUN, outcome="success"),
         told(CI, "+run.lost", RUN, reported=3)),
    ):  # fmt: skip
        row = run(told(CI, "testsuiterun.started", RUN), *story)
        assert (row.state, row.outcome, row.reason) == ("finished", "passed", None)
        assert row.lost is not None


def test_a_start_that_arrives_after_the_loss_does_not_revive_the_run() -> None:
    row = run(told(CI, "+run.lost", RUN, reported=0), told(CI, "testsuiterun.started", RUN))

    assert row.state == "lost"
    assert row.reason == "lost after test 0"
