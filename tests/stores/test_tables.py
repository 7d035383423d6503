"""views.db on a real SQLite file."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from counterfoil.errors import UnavailableError
from counterfoil.projections.catalogue import FOLDS_VERSION
from counterfoil.projections.mentions import Arrival, Link, Mention
from counterfoil.projections.runs import RUNS, RunRow
from counterfoil.stores.sequences import FOREVER
from counterfoil.stores.tables import Position, Tables, Version, as_of_clause

RUN = "run:acme/shop/1"


@pytest.fixture
def tables(tmp_path: Path) -> Iterator[Tables]:
    opened = Tables(tmp_path / "views.db")
    yield opened
    opened.close()


def version(since: int, state: str, key: str = RUN, first: int = 0) -> Version:
    return Version(key, first, since, RunRow(ref=key, state=state, entries=(since,)))


def states(tables: Tables, as_of: int | None) -> list[str]:
    table = tables.schema.nouns[RUNS.noun]
    with tables.read() as connection:
        query = sa.select(table.c.state).where(as_of_clause(table, as_of)).order_by(table.c.key)
        return list(connection.scalars(query))


def test_each_version_stands_from_its_entry_until_the_next(tables: Tables) -> None:
    with tables.write("p") as writing:
        writing.add_versions("runs", [version(0, "queued"), version(3, "running")])
    with tables.write("p") as writing:
        writing.add_versions("runs", [version(7, "finished")])

    assert [states(tables, as_of) for as_of in (0, 2, 3, 6, 7, 99, None)] == [
        ["queued"], ["queued"], ["running"], ["running"], ["finished"], ["finished"], ["finished"],
    ]  # fmt: skip
    assert states(tables, -1) == []


def test_a_batch_sees_the_versions_before_it(tables: Tables) -> None:
    with tables.write("p") as writing:
        writing.add_versions("runs", [version(0, "queued")])
        assert writing.standing("runs", [RUN, "run:other"]) == {RUN: version(0, "queued")}
    with tables.write("q") as writing:
        assert writing.standing("runs", [RUN]) == {}, "projects do not see each other"


def test_more_keys_than_a_statement_takes_are_found(tables: Tables) -> None:
    keys = [f"run:{number}" for number in range(1_201)]
    with tables.write("p") as writing:
        writing.add_versions("runs", [version(0, "queued", key) for key in keys])
        assert writing.standing("runs", keys).keys() == set(keys)


def test_rows_and_position_are_kept_together_or_not_at_all(tables: Tables) -> None:
    """A crash between them would fold entries twice or never."""

    def fall() -> None:
        with tables.write("p") as writing:
            writing.add_versions("runs", [version(0, "queued")])
            writing.append([Mention(RUN, "subject", 0)], [], [])
            writing.set_position(Position(1, (b"n" * 32,), b"r" * 32))
            raise OSError

    with pytest.raises(OSError, match=r"^$"):
        fall()

    assert states(tables, None) == []
    assert tables.position("p").size == 0


def test_the_position_comes_back_as_it_was_saved(tables: Tables) -> None:
    saved = Position(3, (b"a" * 32, b"b" * 32), b"r" * 32)
    with tables.write("p") as writing:
        writing.set_position(Position(1, (b"a" * 32,), b"q" * 32))
        writing.set_position(saved)

    assert tables.position("p") == saved


def test_clearing_one_project_leaves_the_others(tables: Tables) -> None:
    arrival = Arrival(0, "urn:x", "cli", "t", "t", None, None, None)
    for project in ("p", "q"):
        with tables.write(project) as writing:
            writing.add_versions("runs", [version(0, "queued")])
            writing.append([Mention(RUN, "subject", 0)], [Link(RUN, "input", "a", 0)], [arrival])
            writing.set_position(Position(1, (b"n" * 32,), b"r" * 32))
    with tables.write("p") as writing:
        writing.clear()

    projects = [(name, line[0]) for name, line in tables.dump() if name != "folds"]
    assert projects == [
        ("arrivals", "q"), ("links", "q"), ("mentions", "q"), ("positions", "q"), ("runs", "q"),
    ]  # fmt: skip


def test_a_reader_cannot_write(tables: Tables) -> None:
    with tables.read() as connection, pytest.raises(sa.exc.OperationalError, match="readonly"):
        connection.execute(tables.schema.positions.delete())


def test_a_reader_sees_one_moment_while_the_writer_goes_on(tables: Tables) -> None:
    """A page made of several queries must not mix what was known at two entries."""
    table = tables.schema.nouns["runs"]
    count = sa.select(sa.func.count()).select_from(table)
    with tables.read() as connection:
        assert connection.scalar(count) == 0
        with tables.write("p") as writing:
            writing.add_versions("runs", [version(0, "queued")])
        assert connection.scalar(count) == 0
    with tables.read() as connection:
        assert connection.scalar(count) == 1


def test_a_reader_never_checkpoints(tables: Tables) -> None:
    with tables.read() as connection:
        assert connection.exec_driver_sql("PRAGMA wal_autocheckpoint").scalar() == 0


def test_a_file_of_other_folds_is_emptied_and_one_of_these_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Derived tables are dropped, never migrated: following fills them again."""
    path = tmp_path / "views.db"

    def reopened() -> int:
        opened = Tables(path)
        size = opened.position("p").size
        opened.close()
        return size

    opened = Tables(path)
    with opened.write("p") as writing:
        writing.set_position(Position(1, (b"n" * 32,), b"r" * 32))
    opened.close()

    assert reopened() == 1
    monkeypatch.setattr("counterfoil.stores.tables.FOLDS_VERSION", FOLDS_VERSION + 1)
    assert reopened() == 0


def test_a_file_of_another_layout_is_emptied(tmp_path: Path) -> None:
    path = tmp_path / "views.db"
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE runs (project, something_else)")
    other.commit()
    other.close()

    opened = Tables(path)

    assert opened.position("p").size == 0
    assert states(opened, None) == []
    opened.close()


def test_rubble_in_the_place_of_the_file_is_made_again(tmp_path: Path) -> None:
    """The rows are derived: nothing is lost, and following makes them once more."""
    path = tmp_path / "views.db"
    path.write_bytes(b"no database at all" * 100)

    opened = Tables(path)

    assert opened.position("p").size == 0
    opened.close()


def test_a_file_that_cannot_be_opened_is_an_error_of_one_line(tmp_path: Path) -> None:
    (tmp_path / "views.db").mkdir()

    with pytest.raises(UnavailableError, match=r"views\.db") as refused:
        Tables(tmp_path / "views.db")

    assert refused.value.code == "storage"


def test_rows_that_break_later_are_unavailable_and_no_defect(tmp_path: Path) -> None:
    path = tmp_path / "views.db"
    Tables(path).close()
    opened = Tables(path)
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"x" * (path.stat().st_size - 4096))

    with pytest.raises(UnavailableError, match=r"views\.db"):
        opened.position("p")
    opened.close()


def test_the_standing_version_has_no_end(tables: Tables) -> None:
    with tables.write("p") as writing:
        writing.add_versions("runs", [version(4, "queued")])
    lines = [line for name, line in tables.dump() if name == "runs"]

    assert [line[2:5] for line in lines] == [(4, FOREVER, 0)]
