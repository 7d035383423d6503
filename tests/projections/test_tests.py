from counterfoil.projections.tests import TESTS, TestRow
from tests.projections.trail import Told, replay, told, trail


def outcome(run: str, word: str, attempt: int = 1) -> Told:
    return told(
        "ci", "testcaserun.finished", "test:a", (f"run:{run}", "part-of"),
        custom={"attempt": attempt}, outcome=word, testCase={"name": "test_a"},
    )  # fmt: skip


def row(*story: Told) -> TestRow:
    return replay(TESTS, trail(*story))["test:a"]


def test_a_test_is_red_since_it_turned_red() -> None:
    found = row(
        outcome("1", "success"), outcome("2", "failure"), outcome("3", "error"),
    )  # fmt: skip

    assert (found.colour, found.outcome, found.name) == ("red", "error", "test_a")
    assert found.since is not None
    assert found.since.entry == 1
    assert found.last_green is not None
    assert found.last_green.entry == 0
    assert found.last_red is not None
    assert found.last_red.entry == 2


def test_a_skip_changes_no_colour() -> None:
    """A red test that is left out is not green again."""
    found = row(
        outcome("1", "failure"),
        told("ci", "testcaserun.skipped", "test:a", ("run:2", "part-of")),
    )

    assert (found.colour, found.outcome) == ("red", "skipped")


def test_red_then_green_in_one_run_is_flaky_and_over_two_runs_is_fixed() -> None:
    assert row(outcome("1", "failure", 1), outcome("1", "success", 2)).flaky
    assert not row(outcome("1", "failure", 1), outcome("2", "success", 1)).flaky


def test_the_last_thirty_outcomes_are_kept_and_all_are_counted() -> None:
    found = row(*(outcome(str(n), "success") for n in range(40)))

    assert found.count == 40
    assert [one.run for one in found.runs] == [f"run:{n}" for n in range(10, 40)]


def test_a_start_only_makes_a_test_known() -> None:
    found = row(told("ci", "testcaserun.started", "test:a", ("run:1", "part-of")))

    assert (found.colour, found.outcome, found.count) == ("", "", 0)
