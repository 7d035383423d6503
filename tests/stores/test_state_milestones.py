from pathlib import Path

from counterfoil.stores.state import State
from counterfoil.stores.state_milestones import Milestone


def test_of_each_log_the_last_time_is_kept_and_a_restart_forgets_nothing(tmp_path: Path) -> None:
    """What was done once to another log, or something else to this one, says nothing about it."""
    state = State(tmp_path / "state.db")
    state.milestones.note("backed_up", "shop", 7, "2026-11-20T12:00:00Z")
    state.milestones.note("backed_up", "shop", 9, "2026-11-21T12:00:00Z")
    state.milestones.note("verified", "shop", 8, "2026-11-20T13:00:00Z")
    state.milestones.note("backed_up", "other", 3, "2026-11-19T12:00:00Z")
    state.close()

    again = State(tmp_path / "state.db")
    latest = again.milestones.latest()
    again.close()

    assert latest == [
        Milestone("backed_up", "other", 3, "2026-11-19T12:00:00Z"),
        Milestone("backed_up", "shop", 9, "2026-11-21T12:00:00Z"),
        Milestone("verified", "shop", 8, "2026-11-20T13:00:00Z"),
    ]


def test_where_nothing_was_done_nothing_is_said(tmp_path: Path) -> None:
    state = State(tmp_path / "state.db")

    assert state.milestones.latest() == []
    state.close()
