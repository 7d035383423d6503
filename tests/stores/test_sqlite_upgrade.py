"""A database of an earlier layout is brought up to this one: whole, in order, or not at all."""

import shutil
import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from counterfoil.errors import RequestError, UnavailableError
from counterfoil.stores.sqlite import LEDGER
from counterfoil.stores.sqlite_driver import Connection, StandardDriver
from counterfoil.stores.sqlite_open import Database, Kind, create_database

FIRST = Kind("ledger.db", LEDGER.application_id, 1, ("CREATE TABLE notes (text TEXT)",))
THIRD = Kind(
    "ledger.db",
    LEDGER.application_id,
    3,
    ("CREATE TABLE notes (text TEXT, size INTEGER)", "CREATE TABLE marks (name TEXT)"),
    upgrades={
        1: (
            "ALTER TABLE notes ADD COLUMN size INTEGER",
            "UPDATE notes SET size = length(text)",
        ),
        2: ("CREATE TABLE marks (name TEXT)", "INSERT INTO marks SELECT text FROM notes"),
    },
)
NOTES = ["one", "three"]
WHOLE = {
    1: (1, [("one",), ("three",)]),
    2: (2, [("one", 3), ("three", 5)]),
    3: (3, [("one", 3), ("three", 5)]),
}
"""layout -> what a file holds that has it, whole."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "ledger.db"
    create_database(path, FIRST)
    database = Database(path, FIRST, write=True)
    with database.transaction() as db:
        db.executemany("INSERT INTO notes VALUES (?)", [(text,) for text in NOTES])
    database.close()
    return path


def _held(path: Path) -> tuple[int, list[Any]]:
    db = sqlite3.connect(path)
    [layout] = db.execute("PRAGMA user_version").fetchone()
    rows = db.execute("SELECT * FROM notes ORDER BY text").fetchall()
    db.close()
    return layout, rows


def test_a_file_is_led_through_every_layout_between(path: Path) -> None:
    Database(path, THIRD, write=True).close()

    assert _held(path) == WHOLE[3]
    db = sqlite3.connect(path)
    assert db.execute("SELECT name FROM marks ORDER BY name").fetchall() == [("one",), ("three",)]
    db.close()


def test_a_second_opening_changes_no_byte(path: Path) -> None:
    Database(path, THIRD, write=True).close()
    before = path.read_bytes()

    Database(path, THIRD, write=True).close()

    assert path.read_bytes() == before


def test_who_may_not_write_is_told_who_brings_it_up(path: Path) -> None:
    before = path.read_bytes()

    with pytest.raises(RequestError, match="start the server on it") as refused:
        Database(path, THIRD, write=False)
    assert refused.value.code == "not_a_ledger"
    assert path.read_bytes() == before


def test_a_file_no_step_leads_from_is_refused_and_left_alone(path: Path) -> None:
    """A gap in the steps would leave a file of a layout that never was."""
    gap = replace(THIRD, upgrades={2: THIRD.upgrades[2]})
    before = path.read_bytes()

    with pytest.raises(RequestError, match="layout 1, written by an earlier version"):
        Database(path, gap, write=True)
    assert path.read_bytes() == before


def test_another_program_that_writes_keeps_the_upgrade_out(path: Path) -> None:
    class Impatient(StandardDriver):
        def connect(self, path: Path, mode: str) -> Connection:
            connection = super().connect(path, mode)
            connection.execute("PRAGMA busy_timeout = 10")
            return connection

    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(UnavailableError) as refused:
        Database(path, THIRD, write=True, driver=Impatient())
    other.execute("ROLLBACK")
    other.close()
    assert refused.value.code == "locked"
    assert _held(path) == WHOLE[1]


def test_who_reads_an_earlier_state_goes_on_reading_it(path: Path) -> None:
    """`verify` of all entries takes minutes, and a start waits for nobody."""
    reader = sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)
    reader.execute("BEGIN")
    assert reader.execute("SELECT * FROM notes ORDER BY text").fetchall() == WHOLE[1][1]

    database = Database(path, THIRD, write=True)

    assert reader.execute("SELECT * FROM notes ORDER BY text").fetchall() == WHOLE[1][1]
    reader.close()
    database.close()
    assert _held(path) == WHOLE[3]


class Killed(BaseException):
    """The process ends here."""


class Mortal(StandardDriver):
    """The machine's own files; at the given statement the files are copied as a kill leaves them."""

    def __init__(self, place: Path, at: int) -> None:
        self._place = place
        self._left = at
        self.statements: list[str] = []

    def connect(self, path: Path, mode: str) -> Connection:  # noqa: D102  as in the driver it is
        return _Mortal(super().connect(path, mode), path, self)

    def before(self, path: Path, sql: str) -> None:
        """Count a statement; at the last one, keep what lies on the disk."""
        self.statements.append(sql)
        if self._left == 0:
            for end in ("", "-wal"):
                if path.with_name(path.name + end).exists():
                    shutil.copy(path.with_name(path.name + end), self._place)
            raise Killed
        self._left -= 1


class _Mortal:
    def __init__(self, connection: Connection, path: Path, driver: Mortal) -> None:
        self._connection, self._path, self._driver = connection, path, driver

    def execute(self, sql: str, parameters: Any = (), /) -> Any:
        if sql != "ROLLBACK":  # what is killed rolls nothing back
            self._driver.before(self._path, sql)
        return self._connection.execute(sql, parameters)

    def executemany(self, sql: str, parameters: Any, /) -> Any:
        return self._connection.executemany(sql, parameters)

    def close(self) -> None:
        self._connection.close()


def _statements(path: Path, place: Path) -> Sequence[str]:
    shutil.copy(path, place / path.name)
    whole = Mortal(place, at=10_000)
    database = Database(place / path.name, THIRD, write=True, driver=whole)
    of_opening = tuple(whole.statements)
    database.close()
    return of_opening


def test_a_kill_at_any_statement_leaves_a_whole_layout_and_the_next_start_goes_on(
    path: Path, tmp_path: Path
) -> None:
    place = tmp_path / "unharmed"
    place.mkdir()
    statements = _statements(path, place)
    assert {f"PRAGMA user_version = {layout}" for layout in (2, 3)} < set(statements)
    left = []
    for at, statement in enumerate(statements):
        before, after = tmp_path / f"before{at}", tmp_path / f"after{at}"
        before.mkdir()
        after.mkdir()
        shutil.copy(path, before)
        with pytest.raises(Killed):
            Database(before / path.name, THIRD, write=True, driver=Mortal(after, at))
        found = after / path.name
        shutil.copytree(after, tmp_path / f"looked{at}")
        layout, rows = _held(tmp_path / f"looked{at}" / path.name)
        assert (layout, rows) == WHOLE[layout], statement
        left.append(layout)
        Database(found, THIRD, write=True).close()
        assert _held(found) == WHOLE[3], statement
    assert set(left) == {1, 2, 3}
