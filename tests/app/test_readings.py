"""Reading personal data and exports are events: who, what, how often, under what."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from counterfoil.app.actions import act
from counterfoil.app.home import Home
from counterfoil.app.readings import EXPORT_TYPE, READ_TYPE
from counterfoil.clock import SteppedClock
from counterfoil.policy.access import ADMIN, LOG
from tests.app.desk import desk


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock()


@pytest.fixture
def home(tmp_path: Path, clock: SteppedClock) -> Iterator[Home]:
    with desk(tmp_path / "ledger", clock) as opened:
        yield opened


def told(home: Home, index: int) -> dict[str, Any]:
    data: Any = home.reader.entry("default", index).event
    return dict(data)


def test_readings_of_an_hour_become_one_entry_for_each_reader_and_kind(
    home: Home, clock: SteppedClock
) -> None:
    """A person who reads all day must not fill the log with it."""
    for _ in range(40):
        home.recorder.readings.note("default", ADMIN, "entry")
        clock.step(30)
    home.recorder.readings.note("default", ADMIN, "raw")
    home.recorder.record_readings()
    assert home.log.head("default").size == 0, "the hour is not over"

    clock.step(3600)
    home.recorder.record_readings()

    counts = {told(home, at)["data"]["what"]: told(home, at)["data"]["count"] for at in (0, 1)}
    assert counts == {"entry": 40, "raw": 1}
    assert home.log.head("default").size == 2
    assert told(home, 0)["type"] == READ_TYPE
    assert told(home, 0)["data"]["credential"] == "token:admin"


def test_an_export_is_recorded_before_it_is_given(home: Home) -> None:
    home.recorder.export("default", ADMIN, "proof of entry:0", 1_000, people=True)

    assert home.log.head("default").size == 1
    assert told(home, 0)["type"] == EXPORT_TYPE
    assert told(home, 0)["authid"] == "administrator"
    assert told(home, 0)["data"]["people"] is True


def test_listing_people_and_accounts_is_reading_personal_data(home: Home) -> None:
    for action in ("people-list", "accounts-list", "accounts-unmapped"):
        act(home, ADMIN, action, {}, "api")
    home.recorder.record_readings(everything=True)

    size = home.log.head(LOG).size
    told = [home.reader.entry(LOG, at).event["data"] for at in range(size - 2, size)]
    counts = {data["what"]: data["count"] for data in told if isinstance(data, dict)}
    assert counts == {"accounts": 2, "actors": 1}
