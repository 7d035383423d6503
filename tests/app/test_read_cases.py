"""The cases of a run, the way the page of the run asks for them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from counterfoil.app.home import Home
from counterfoil.clock import SteppedClock
from counterfoil.projections.runs import CASES
from tests.app.desk import PROJECT, RUN, desk, record
from tests.projections.trail import event_of, told


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with desk(tmp_path / "ledger", SteppedClock()) as opened:
        yield opened


def test_what_failed_comes_first_then_errors_then_the_rest_and_paging_loses_nothing(
    home: Home,
) -> None:
    """An attempt that another one followed is not what failed in the end."""
    cases = [
        ("t0", "failure", 1, False), ("t0", "success", 2, True), ("t1", "error", 1, True),
        ("t2", "success", 1, True), ("t3", "failure", 1, True), ("t4", "error", 1, True),
        ("t5", "failure", 1, True), ("t6", "success", 1, True),
    ]  # fmt: skip
    steps = [
        told("ci", "testcaserun.finished", f"test:{name}", (RUN, "part-of"), outcome=outcome,
             custom={"attempt": attempt, "final": final})
        for name, outcome, attempt, final in cases
    ]  # fmt: skip
    record(home, [event_of(one, place) for place, one in enumerate(steps)])
    wanted = ["t3 1", "t5 1", "t1 1", "t4 1", "t0 1", "t0 2", "t2 1", "t6 1"]

    for limit in (1, 2, 3, 8):
        shown: list[str] = []
        cursor = None
        while True:
            page = home.reader.cases(PROJECT, RUN, cursor=cursor, limit=limit, red_first=True)
            assert page.total == len(wanted)
            shown += [f"{row.test.partition(':')[2]} {row.attempt}" for row in page.rows]
            cursor = page.cursor
            if cursor is None:
                break
        assert shown == wanted


def test_below_is_of_the_order_whatever_comes_first(home: Home) -> None:
    """What comes first has a place before all else, which is no place in the order."""
    outcomes = {"t0": "success", "t1": "failure", "t2": "success", "t3": "failure"}
    steps = [
        told("ci", "testcaserun.finished", f"test:{name}", (RUN, "part-of"), outcome=outcome,
             custom={"attempt": 1, "final": True})
        for name, outcome in outcomes.items()
    ]  # fmt: skip
    record(home, [event_of(one, place) for place, one in enumerate(steps)])
    rows = home.reader._rows

    page = rows.page(
        CASES, PROJECT, as_of=None, cursor=None, limit=9, ascending=True, below=3,
        lead=[{"outcome": "failed"}],
    )  # fmt: skip

    assert [row.test for row in page.rows] == ["test:t1", "test:t0", "test:t2"]
    assert page.total == 3
