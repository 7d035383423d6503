"""Every cell of a database of a ledger, one at a time: changed, put back, and what has to be said.

A cell that is changed is named with its table, and with the entry of its row and no other.
`set_cell` takes one step away from each cell, `flip_cells` changes each byte of each.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from counterfoil.client.evidence import verify_path
from counterfoil.client.evidence_rows import AGGREGATED, ERASABLE, LEDGER
from counterfoil.client.evidence_sqlite import Kind
from counterfoil.verifier.report import Report
from tests.flips import MASK, Outcome

# How far erasures were carried out, and by which entries: read off the log again, evidence of
# nothing.  Whoever may write them may as well keep the keys they would have had destroyed.
BOOKKEEPING = ("erasures", "erased_upto")
_EVIDENCE = {name: of for name, of in ERASABLE.columns.items() if name not in BOOKKEEPING}
KINDS: dict[str, Kind] = {
    kind.name: kind for kind in (LEDGER, replace(ERASABLE, columns=_EVIDENCE), AGGREGATED)
}


@dataclass(frozen=True)
class Cell:
    """One cell: which file, table and column, all values of its row, and the row's entry."""

    file: str
    table: str
    column: str
    row: tuple[object, ...]
    index: int | None

    @property
    def value(self) -> object:
        """What the cell holds."""
        return self.row[KINDS[self.file].columns[self.table].index(self.column)]

    def __str__(self) -> str:
        return f"{self.file} {self.table} {self.row} {self.column}"


def cells(directory: Path, name: str) -> Iterator[Cell]:
    """Yield every cell of every evidence table of a database."""
    kind = KINDS[name]
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


def set_cell(directory: Path, cell: Cell, *, undo: bool) -> None:
    """Change a cell by one step, or put it back."""
    put(directory, cell, changed(cell.value), undo=undo)


def flipped(value: object) -> list[object]:
    """Return a value of the same type for each byte of `value`: that byte changed."""
    match value:
        case int():
            data = value.to_bytes(8, "big", signed=True)
            return [int.from_bytes(one, "big", signed=True) for one in _each_byte_changed(data)]
        case str():
            return [one.decode() for one in _each_byte_changed(value.encode())]
        case bytes():
            return [*_each_byte_changed(value)]
    raise AssertionError(value)


def _each_byte_changed(data: bytes) -> Iterator[bytes]:
    for at in range(len(data)):
        yield data[:at] + bytes([data[at] ^ MASK]) + data[at + 1 :]


def cell_bytes(directory: Path, name: str) -> Iterator[tuple[Cell, object]]:
    """Yield each cell of a database with each value that is one byte away from its own."""
    for cell in cells(directory, name):
        for value in flipped(cell.value):
            yield cell, value


def flip_cells(directory: Path, name: str, numbers: Iterable[int]) -> Outcome:
    """Change these of the `cell_bytes`, one at a time; what is not named in full is a third outcome.

    Args:
        directory: a ledger that is whole and lies still; its evidence is left as it was.
        name: of the database.
        numbers: which bytes of cells, from 0.
    """
    every = list(cell_bytes(directory, name))
    outcome = Outcome()
    for number in numbers:
        cell, value = every[number]
        put(directory, cell, value)
        report = verify_path(str(directory))
        put(directory, cell, value, undo=True)
        assert isinstance(report, Report)
        if is_named(cell, report, value):
            outcome.found += 1
        else:
            lines = [one.line() for one in report.findings]
            outcome.third.append((number, [str(cell), repr(value), *lines]))
    return outcome


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


def put(directory: Path, cell: Cell, value: object, *, undo: bool = False) -> None:
    """Put a value into a cell; with `undo`, put back what it held before that value."""
    columns = KINDS[cell.file].columns[cell.table]
    at = columns.index(cell.column)
    after = (*cell.row[:at], value, *cell.row[at + 1 :])
    old, new = (after, cell.row[at]) if undo else (cell.row, value)
    db = sqlite3.connect(directory / cell.file)
    db.execute("PRAGMA ignore_check_constraints = ON")
    db.execute("PRAGMA synchronous = OFF")
    where = " AND ".join(f"{column} = ?" for column in columns)
    count = db.execute(
        f"UPDATE {cell.table} SET {cell.column} = ? WHERE {where}",  # noqa: S608  names of ours
        (new, *old),
    ).rowcount
    db.commit()
    db.close()
    assert count == 1, f"{cell} is one cell"


def is_named(cell: Cell, report: Report, value: object) -> bool:
    """Whether the table is named, and the entry of the row, and no entry besides.

    Args:
        cell: what was changed.
        report: of the changed ledger.
        value: what the cell holds there.
    """
    if not any(f"{cell.file} {cell.table}" in one.object for one in report.findings):
        return False
    if cell.index is None:
        return True
    spans = [(one.first, one.last) for one in report.findings if one.first is not None]
    moved = {cell.index, value} if cell.column == "idx" else {cell.index}
    return (cell.index, cell.index) in spans and {first for first, _ in spans} <= moved
