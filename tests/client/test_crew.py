"""Several processes look at one ledger, and the verdict is the one of a single process."""

import multiprocessing
import os
import signal
import sqlite3
from pathlib import Path

import pytest

from counterfoil.client import evidence_crew
from counterfoil.verifier.depth import Depth
from tests.client.verifying import verify
from tests.ledgers import Built, build_ledger


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Entries in two bundles, so that there are two ranges."""
    return build_ledger(tmp_path_factory.mktemp("crewed") / "ledger", events=300)


@pytest.fixture(autouse=True)
def crewed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Share out the smallest ledgers."""
    monkeypatch.setattr(evidence_crew, "ENTRIES_MIN", 1)
    monkeypatch.setattr(evidence_crew, "RANGE_ENTRIES", 256)


def alone(directory: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    with monkeypatch.context() as patch:
        patch.setattr(evidence_crew, "ENTRIES_MIN", 1 << 40)
        return {**verify(directory).to_json()}


def test_a_whole_ledger_is_whole_and_counted_the_same(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = verify(directory)

    assert report.ok
    assert report.to_json() == alone(directory, monkeypatch)


def test_a_damaged_cell_of_the_second_range_is_named_as_by_one(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    db = sqlite3.connect(directory / "ledger.db")
    db.execute("UPDATE bodies SET data = zeroblob(length(data)) WHERE idx = 299 AND position = 0")
    db.commit()
    db.close()

    report = verify(directory)

    assert [one.first for one in report.findings] == [299]
    assert report.to_json() == alone(directory, monkeypatch)


def test_an_idempotency_row_too_many_is_found_though_every_range_is_whole(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It belongs to no entry, so nobody who looks at entries meets it."""
    db = sqlite3.connect(directory / "ledger.db")
    db.execute("INSERT INTO idem SELECT project, source, id || 'x', idx, digest FROM idem LIMIT 1")
    db.commit()
    db.close()

    report = verify(directory)

    assert [one.message for one in report.findings] == ["a row too many"]
    assert report.to_json() == alone(directory, monkeypatch)


def test_a_process_that_dies_costs_time_and_no_verdict(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(path: Path, project: str, size: int, depth: Depth) -> object:
        waiting = begin(path, project, size, depth)
        assert multiprocessing.active_children()
        for child in multiprocessing.active_children():
            assert child.pid is not None
            os.kill(child.pid, signal.SIGKILL)
        return waiting

    begin = evidence_crew.begin
    monkeypatch.setattr(evidence_crew, "begin", killed)

    assert verify(directory).ok
