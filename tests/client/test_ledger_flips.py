"""Every cell of every evidence table changed once; every so many bytes of the database files."""

import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from counterfoil.client import evidence_crew
from counterfoil.client.evidence import verify_path
from counterfoil.client.evidence_rows import ERASABLE, LEDGER
from counterfoil.events.canonical import JSON
from counterfoil.verifier.depth import WHOLE, Depth
from counterfoil.verifier.ledger import Tallies
from counterfoil.verifier.report import Report
from counterfoil.verifier.rows import Tally
from tests.ledgers import Built, build_ledger

EVENTS = 16
# Primes, so that the samples fall on every kind of place in a page.
LEDGER_STEP = 211
ERASABLE_STEP = 211
BLOB_STEP = 3


@dataclass(frozen=True)
class Cell:
    """One cell: which file, table and column, and the values of the row's key."""

    file: str
    table: str
    column: str
    row: tuple[object, ...]
    index: int | None

    def __str__(self) -> str:
        return f"{self.file} {self.table} {self.row} {self.column}"


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


def cells(directory: Path, name: str) -> Iterator[Cell]:
    kind = {"ledger.db": LEDGER, "erasable.db": ERASABLE}[name]
    db = sqlite3.connect(directory / name)
    for table, columns in kind.columns.items():
        for row in db.execute(f"SELECT {', '.join(columns)} FROM {table}").fetchall():  # noqa: S608  names of ours
            index = row[columns.index("idx")] if "idx" in columns else None
            for column in columns:
                yield Cell(name, table, column, row, index)
    db.close()


def changed(value: object) -> object:
    """Return another value of the same type, one step away."""
    match value:
        case int():
            return value + 1_000
        case str():
            return (value[:-1] + chr(ord(value[-1]) ^ 16)) if value else "x"
        case bytes():
            middle = len(value) // 2
            return value[:middle] + bytes([value[middle] ^ 1]) + value[middle + 1 :]
    raise AssertionError(value)


def set_cell(directory: Path, cell: Cell, kind: dict[str, tuple[str, ...]], *, undo: bool) -> None:
    at = kind[cell.table].index(cell.column)
    put(directory, cell, kind, changed(cell.row[at]), undo=undo)


# A person's key store row that no sealed piece needs the changed cell of does not exist here:
# every person seals something, every blob is referenced.
@pytest.mark.parametrize("name", ["ledger.db", "erasable.db"])
def test_every_changed_cell_is_found_with_its_table_and_its_entry(
    directory: Path, name: str
) -> None:
    kind = {"ledger.db": LEDGER, "erasable.db": ERASABLE}[name].columns
    missed = []
    count = 0
    for cell in list(cells(directory, name)):
        set_cell(directory, cell, kind, undo=False)
        report = verify(directory)
        set_cell(directory, cell, kind, undo=True)
        count += 1
        if not _is_named(cell, report):
            missed.append((str(cell), [one.line() for one in report.findings]))

    assert missed == []
    assert count > (200 if name == "ledger.db" else 60)
    assert verify(directory).ok


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
    kind = {"ledger.db": LEDGER, "erasable.db": ERASABLE}[name].columns
    differing = []
    assert _with_crew(directory, monkeypatch) == verify(directory).to_json()
    for cell in list(cells(directory, name)):
        set_cell(directory, cell, kind, undo=False)
        alone, shared = verify(directory).to_json(), _with_crew(directory, monkeypatch)
        set_cell(directory, cell, kind, undo=True)
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
    kind = {"ledger.db": LEDGER, "erasable.db": ERASABLE}[name].columns
    missed = []
    seen = set()
    assert crew_of_one(directory, "default", EVENTS)() is not None
    for cell in list(cells(directory, name)):
        if cell.table not in IN_RANGES[name]:
            continue
        set_cell(directory, cell, kind, undo=False)
        if crew_of_one(directory, "default", EVENTS)() is not None:
            missed.append(str(cell))
        set_cell(directory, cell, kind, undo=True)
        seen.add(cell.table)

    assert missed == []
    assert seen == IN_RANGES[name]


@pytest.mark.parametrize("name", ["ledger.db", "erasable.db"])
def test_a_cell_of_another_type_is_whole_to_nobody(directory: Path, name: str) -> None:
    """SQLite keeps any type in any column if the schema was edited."""
    kind = {"ledger.db": LEDGER, "erasable.db": ERASABLE}[name].columns
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
        for other in other_types(cell.row[kind[cell.table].index(cell.column)]):
            put(directory, cell, kind, other)
            if crew_of_one(directory, "default", EVENTS)() is not None or verify(directory).ok:
                missed.append(f"{cell} = {other!r}")
            put(directory, cell, kind, other, undo=True)

    assert missed == []


def other_types(value: object) -> list[object]:
    """Return values that look like `value` and are of another type."""
    match value:
        case int():
            return [value + 0.5, str(value)]
        case str():
            return [value.encode(), *([0] if not value else [])]
        case bytes():
            return [value.hex()]
    raise AssertionError(value)


def put(
    directory: Path,
    cell: Cell,
    kind: dict[str, tuple[str, ...]],
    value: object,
    *,
    undo: bool = False,
) -> None:
    columns = kind[cell.table]
    at = columns.index(cell.column)
    after = (*cell.row[:at], value, *cell.row[at + 1 :])
    old, new = (after, cell.row[at]) if undo else (cell.row, value)
    db = sqlite3.connect(directory / cell.file)
    db.execute("PRAGMA ignore_check_constraints = ON")
    where = " AND ".join(f"{column} = ?" for column in columns)
    count = db.execute(
        f"UPDATE {cell.table} SET {cell.column} = ? WHERE {where}",  # noqa: S608  names of ours
        (new, *old),
    ).rowcount
    db.commit()
    db.close()
    assert count == 1, f"{cell} is one cell"


def _with_crew(directory: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, JSON]:
    with monkeypatch.context() as patch:
        patch.setattr(evidence_crew, "begin", crew_of_one)
        return verify(directory).to_json()


def _is_named(cell: Cell, report: Report) -> bool:
    """Whether the table is named, and the entry of the row, and no entry besides."""
    if not any(f"{cell.file} {cell.table}" in one.object for one in report.findings):
        return False
    if cell.index is None:
        return True
    spans = [(one.first, one.last) for one in report.findings if one.first is not None]
    moved = {cell.index, cell.index + 1_000} if cell.column == "idx" else {cell.index}
    return (cell.index, cell.index) in spans and {first for first, _ in spans} <= moved


def everything(directory: Path) -> list[object]:
    """Return every cell of every evidence table, with its storage class, by full scans."""
    found: list[object] = []
    for kind in (LEDGER, ERASABLE):
        db = sqlite3.connect(f"file:{directory / kind.name}?immutable=1", uri=True)
        db.text_factory = bytes
        for table, columns in kind.columns.items():
            select = ", ".join(f"typeof({column}), {column}" for column in columns)
            found.append((table, db.execute(f"SELECT {select} FROM {table}").fetchall()))  # noqa: S608  names of ours
        db.close()
    return found


@pytest.mark.parametrize(
    ("name", "step"), [("ledger.db", LEDGER_STEP), ("erasable.db", ERASABLE_STEP)]
)
def test_a_changed_byte_of_a_database_file_is_found_or_changes_no_evidence(
    directory: Path, name: str, step: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """A database file has bytes that mean nothing; every other one has to be missed by none."""
    path = directory / name
    original = everything(directory)
    data = path.read_bytes()
    found = identical = 0
    third = []
    for at in range(0, len(data), step):
        path.write_bytes(data[:at] + bytes([data[at] ^ 0x5A]) + data[at + 1 :])
        report = verify(directory)
        if any(name in one.object for one in report.findings):
            found += 1
        elif report.ok and everything(directory) == original:
            identical += 1
        else:
            third.append((at, [one.line() for one in report.findings]))
    with capsys.disabled():
        print(f"\n{name}: {found} changed bytes found, {identical} without effect")  # noqa: T201  both counts are the result

    assert third == []
    assert found > 0
    assert identical > 0


def test_every_changed_byte_of_a_blob_is_found(pristine: Built, directory: Path) -> None:
    paths = sorted(path for path in (directory / "blobs").rglob("*") if path.is_file())
    assert len(paths) == len(pristine.blobs)
    for path in paths:
        data = path.read_bytes()
        path.chmod(0o600)
        name = str(path.relative_to(directory))
        for at in range(0, len(data), BLOB_STEP):
            path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
            [one] = verify(directory).findings
            assert (one.klass, one.object) == ("damaged", name)
            assert one.first is not None
            assert one.first % 5 == 0
        path.write_bytes(data)


@pytest.mark.parametrize("name", ["default.vkey", "default.key"])
def test_every_changed_byte_of_a_key_file_is_found(directory: Path, name: str) -> None:
    path = directory / "keys" / name
    data = path.read_bytes()
    for at in range(len(data)):
        path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        [one] = verify(directory).findings
        assert (one.klass, one.object) == ("damaged", f"keys/{name}")


def test_every_changed_byte_of_the_exported_log_is_found_in_the_directory(directory: Path) -> None:
    public = directory / "public"
    for path in sorted(path for path in public.rglob("*") if path.is_file()):
        data = path.read_bytes()
        path.chmod(0o600)
        for at in range(0, len(data), 1 if len(data) < 300 else 131):
            path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
            [one] = verify(directory).findings
            assert (one.klass, one.object) == ("damaged", str(path.relative_to(directory)))
        path.write_bytes(data)
