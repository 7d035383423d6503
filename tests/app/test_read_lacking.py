"""What a real ledger says its entries lack: evidence that never came, a time nobody claimed."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from counterfoil.app.home import Home
from counterfoil.events.event import make_event
from counterfoil.events.naming import BlobName
from tests.app.desk import PROJECT, RUN, desk, record, suite

TIME = "2026-11-20T12:00:00Z"


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with desk(tmp_path / "ledger") as opened:
        yield opened


def test_evidence_that_never_came_is_a_gap_of_the_trace_and_evidence_that_is_here_is_not(
    home: Home,
) -> None:
    kept = home.recorder.put_blob(b"<testsuites/>", "junit.xml", "application/xml")
    absent = BlobName("sha256:" + 64 * "0", "gone.xml", "application/xml")
    for run, blob in (("run:here", kept), ("run:gone", absent)):
        event = make_event(
            type="dev.cdevents.testsuiterun.finished.0.3.0", source="urn:x", id=run, time=TIME,
            authtype="user", authid="ana", subject=run, blobs=[blob],
        )  # fmt: skip
        record(home, [event])

    def rules(ref: str) -> set[str]:
        return {gap.rule for gap in home.reader.trace(PROJECT, ref).gaps}

    assert "evidence_absent" in rules("run:gone")
    assert "evidence_absent" not in rules("run:here")


def test_attempts_before_the_last_are_counted_apart_and_can_be_listed_alone(home: Home) -> None:
    size = record(home, suite(20))
    reader = home.reader

    counts = reader.case_counts(PROJECT, [RUN], earlier=True)
    early = reader.cases(PROJECT, RUN, earlier=True)
    last = reader.cases(PROJECT, RUN, earlier=False, limit=100)

    assert counts == {RUN: {"failed": 2}}
    assert [row.outcome for row in early.rows] == ["failed", "failed"]
    assert {row.outcome for row in last.rows} == {"passed"}
    assert reader.cases(PROJECT, RUN).total == early.total + last.total == size - 2


def test_a_time_of_receipt_that_stands_in_is_shown_as_that(home: Home) -> None:
    for name, claimed in (("claimed", True), ("receipt", False)):
        event = make_event(type="com.example.x", source="urn:x", id=name, time=TIME,
                           authtype="user", authid="ana", time_claimed=claimed)  # fmt: skip
        record(home, [event])

    lines = home.reader.lines(PROJECT, [0, 1])

    assert [lines[index].time_claimed for index in (0, 1)] == [True, False]
    assert [home.reader.entry(PROJECT, index).time_claimed for index in (0, 1)] == [True, False]
