"""Every cell of a ledger changed once, under the eyes of a crew: what it says, and what one does."""

import shutil
import sqlite3
from pathlib import Path

import pytest

from counterfoil.client import evidence_crew
from counterfoil.client.evidence import verify_path
from counterfoil.events.canonical import JSON
from counterfoil.verifier.depth import WHOLE, Depth
from counterfoil.verifier.ledger import Tallies
from counterfoil.verifier.report import Report
from counterfoil.verifier.rows import Tally
from tests.cells import cells, other_types, put, set_cell
from tests.ledgers import Built, build_ledger

EVENTS = 16


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return build_ledger(tmp_path_factory.mktemp("pristine") / "ledger", events=EVENTS)


@pytest.fixture
def directory(pristine: Built, tmp_path: Path) -> Path:
    return Path(shutil.copytree(pristine.directory, tmp_path / "ledger"))


def verify(directory: Path) -> Report:
    report = verify_path(str(directory))
    assert isinstance(report, Report)
    return report


def crew_of_one(directory: Path, project: str, size: int, _depth: Depth = WHOLE) -> Tallies:
    """Do what a crew does, in this process: one range."""

    def wait() -> list[Tally] | None:
        evidence_crew._open(directory, project)
        tally = evidence_crew._tally(0, size)
        return None if tally is None else [tally]

    return wait


@pytest.mark.parametrize("name", ["ledger.db", "erasable.db"])
def test_a_crew_that_looks_at_a_changed_cell_changes_no_verdict(
    directory: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A crew only ever says "whole", so it must never say it when a cell is not."""
    differing = []
    assert _with_crew(directory, monkeypatch) == verify(directory).to_json()
    for cell in list(cells(directory, name)):
        set_cell(directory, cell, undo=False)
        alone, shared = verify(directory).to_json(), _with_crew(directory, monkeypatch)
        set_cell(directory, cell, undo=True)
        if alone != shared:
            differing.append(str(cell))

    assert differing == []


# What stands beside entries.  Heads, origins and the upper tiles are for the one who leads a crew.
IN_RANGES = {
    "ledger.db": {"entries", "bodies", "blobs", "idem"},
    "erasable.db": {"event_keys", "people", "blob_keys"},
}


@pytest.mark.parametrize("name", ["ledger.db", "erasable.db"])
def test_whoever_looks_at_a_range_says_of_no_changed_cell_that_it_is_whole(
    directory: Path, name: str
) -> None:
    """Otherwise nobody looks again: the check that names cells is never asked."""
    missed = []
    seen = set()
    assert crew_of_one(directory, "default", EVENTS)() is not None
    for cell in list(cells(directory, name)):
        if cell.table not in IN_RANGES[name]:
            continue
        set_cell(directory, cell, undo=False)
        if crew_of_one(directory, "default", EVENTS)() is not None:
            missed.append(str(cell))
        set_cell(directory, cell, undo=True)
        seen.add(cell.table)

    assert missed == []
    assert seen == IN_RANGES[name]


@pytest.mark.parametrize("name", ["ledger.db", "erasable.db"])
def test_a_cell_of_another_type_is_whole_to_nobody(directory: Path, name: str) -> None:
    """SQLite keeps any type in any column if the schema was edited."""
    missed = []
    db = sqlite3.connect(directory / name)
    db.execute("PRAGMA writable_schema = ON")
    db.execute(
        "UPDATE sqlite_schema SET sql = replace(replace(replace(replace(sql, ' STRICT,', ''), "
        "' TEXT', ''), ' INTEGER', ''), ' BLOB', '') WHERE type = 'table'"
    )
    db.commit()
    db.close()
    assert crew_of_one(directory, "default", EVENTS)() is not None
    for cell in list(cells(directory, name)):
        if cell.table not in IN_RANGES[name]:
            continue
        for other in other_types(cell.value):
            put(directory, cell, other)
            if crew_of_one(directory, "default", EVENTS)() is not None or verify(directory).ok:
                missed.append(f"{cell} = {other!r}")
            put(directory, cell, other, undo=True)

    assert missed == []


def _with_crew(directory: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, JSON]:
    with monkeypatch.context() as patch:
        patch.setattr(evidence_crew, "begin", crew_of_one)
        return verify(directory).to_json()
