"""Tables of earlier revisions are led to those of today with their rows, or left as they were."""

import dataclasses
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from counterfoil.errors import RequestError
from counterfoil.projections.catalogue import FOLDS_VERSION, PROJECTIONS
from counterfoil.projections.mentions import Arrival
from counterfoil.stores import state, tables
from counterfoil.stores.migrating import MIGRATIONS, revision_of
from counterfoil.stores.state import State
from counterfoil.stores.state_tokens import METADATA
from counterfoil.stores.table_schema import Schema
from counterfoil.stores.tables import Tables
from tests.kept_ledgers import NAMES, kept_ledger

LINES = {"state": state.REVISIONS, "views": tables.REVISIONS}
MODELS = {"state": METADATA, "views": Schema(PROJECTIONS).metadata}
KEPT_WITH_ROWS = ("access", "repaired")
"""Their views.db is of revision 0001."""


@pytest.fixture(params=sorted(LINES))
def name(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sa.Connection]:
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'empty.db'}")
    with engine.begin() as opened:
        yield opened
    engine.dispose()


def test_all_revisions_together_make_the_tables_of_today(
    name: str, connection: sa.Connection
) -> None:
    """A table that is changed without a revision would be there in fresh files alone."""
    LINES[name].lead(connection)

    context = MigrationContext.configure(connection, opts={"compare_type": True})
    assert compare_metadata(context, MODELS[name]) == []
    assert _shapes(connection) == _shapes_of(MODELS[name])
    assert revision_of(connection) == LINES[name].head


def _shapes(connection: sa.Connection) -> set[tuple[str, str]]:
    """Return (name, SQL) of tables and indices, spaces and order of writing aside."""
    rows = connection.exec_driver_sql("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL")
    return {
        (name, "".join(sorted("".join(sql.split()).replace('"', "").replace(",", ""))))
        for name, sql in rows
        if name != "alembic_version"
    }


def _shapes_of(model: sa.MetaData) -> set[tuple[str, str]]:
    engine = sa.create_engine("sqlite://")
    with engine.begin() as connection:
        model.create_all(connection)
        return _shapes(connection)


def test_revisions_are_numbered_and_the_last_one_is_known_without_reading_them(name: str) -> None:
    """Opening a file of today imports no Alembic, so the store names the last revision itself."""
    folder = MIGRATIONS / LINES[name].folder
    scripts = ScriptDirectory(folder, version_locations=[folder])

    assert [one.revision for one in scripts.walk_revisions()][::-1] == LINES[name].known
    for one in scripts.walk_revisions():
        assert Path(one.path).name.startswith(f"r{one.revision}_")
        assert one.doc.strip().startswith(f"{name}.db: "), one.path


def test_a_file_of_today_is_opened_without_alembic(tmp_path: Path) -> None:
    """It takes a tenth of a second to import, at every start and every verb."""
    program = (
        "import sys\nfrom pathlib import Path\nfrom counterfoil.stores.state import State\n"
        "from counterfoil.stores.tables import Tables\n"
        f"for _ in range(2):\n    State(Path({str(tmp_path / 'state.db')!r})).close()\n"
        f"    Tables(Path({str(tmp_path / 'views.db')!r})).close()\n"
        "print(sorted(name for name in sys.modules if name.startswith('alembic')))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("kept", NAMES)
def test_state_of_every_earlier_version_keeps_its_rows(kept: str, tmp_path: Path) -> None:
    path = kept_ledger(kept).unpack(tmp_path) / "state.db"
    with closing(sqlite3.connect(path)) as db:
        db.execute(
            "INSERT INTO webhook_sources VALUES ('shop', 'github', 'default', x'736563', x'6265')"
        )
        db.commit()
    before = _rows(path)

    opened = State(path)
    source = opened.webhook_source("shop")
    opened.close()

    assert source is not None
    assert source.secrets == (b"sec", b"be")
    after = _rows(path)
    gone = {"sessions", "sign_in_links"}
    assert {name: rows for name, rows in before.items() if name not in gone} == {
        name: after[name] for name in before if name not in gone
    }
    assert gone.isdisjoint(after)
    assert after.keys() == set(METADATA.tables) | {"alembic_version"}


@pytest.mark.parametrize("kept", KEPT_WITH_ROWS)
def test_rows_of_these_folds_are_kept_when_their_tables_are_led_up(
    kept: str, tmp_path: Path
) -> None:
    """Of ten million entries they take hours to fold again."""
    path = kept_ledger(kept).unpack(tmp_path) / "views.db"
    before = _rows(path)
    assert before["positions"]
    assert before["runs"]

    Tables(path).close()

    after = _rows(path)
    del before["layout"]
    assert {name: after[name] for name in before} == before
    assert (after["folds"], after["alembic_version"]) == (
        [(FOLDS_VERSION,)],
        [(tables.REVISIONS.head,)],
    )


NUMBERS = [
    pytest.param([3], id="one number"),
    pytest.param([1, 2, 3], id="no gap"),
    pytest.param([1, 4, 9], id="two gaps"),
    pytest.param([5, 2, 9, 7], id="back, far on, and into a gap"),
    pytest.param([1, 9, 5, 5, 2, 8, 3], id="one gap in ever smaller parts"),
    pytest.param([9, 1, 9, 1], id="the same numbers again"),
]


@pytest.mark.parametrize("numbers", NUMBERS)
def test_gaps_made_of_the_arrivals_are_those_that_following_makes(
    numbers: list[int], tmp_path: Path
) -> None:
    """Their history too: a page as of an earlier entry says what it said then."""
    arrivals = [
        Arrival(entry, "ci", "api", "2026-11-20T12:00:00Z", "2026-11-20T12:00:00.000Z",
                f"ci-{boot}", boot, seq + len(boot), 0)
        for entry, (boot, seq) in enumerate((boot, seq) for seq in numbers for boot in ("b", "cc"))
    ]  # fmt: skip
    followed = Tables(tmp_path / "followed.db")
    with followed.write("default") as writing:
        writing.append([], [], arrivals)
    followed.close()
    led = kept_ledger("repaired").unpack(tmp_path) / "views.db"
    with closing(sqlite3.connect(led)) as db:
        db.execute("DELETE FROM arrivals")
        db.executemany(
            "INSERT INTO arrivals VALUES ('default', ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [dataclasses.astuple(one) for one in arrivals],
        )
        db.commit()

    Tables(led).close()

    expected, found = _rows(tmp_path / "followed.db"), _rows(led)
    for name in ("arrivals", "sequences", "sequence_gaps"):
        assert found[name] == expected[name], name


def test_rows_of_earlier_folds_are_made_again(tmp_path: Path) -> None:
    """They mean something else: no statement leads from one meaning to the other."""
    path = kept_ledger("walk").unpack(tmp_path) / "views.db"
    assert _rows(path)["positions"]

    opened = Tables(path)

    assert opened.position("default").size == 0
    opened.close()
    assert "layout" not in _rows(path)


def _rows(path: Path) -> dict[str, list[Any]]:
    """Return the rows of every table but those of full text, which hold no rows of ours."""
    with closing(sqlite3.connect(path)) as db:
        names = db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
        return {
            name: sorted(db.execute(f'SELECT * FROM "{name}"'), key=repr)  # noqa: S608  names it gave
            for (name,) in names
            if not name.startswith("text_")
        }


def _open(name: str, path: Path) -> None:
    if name == "state":
        State(path).close()
    else:
        Tables(path).close()


def _left(path: Path) -> dict[str, bytes]:
    return {one.name: one.read_bytes() for one in sorted(path.parent.iterdir())}


@pytest.mark.parametrize("later", ["0099", "of another program"])
def test_a_later_revision_is_refused_and_left_alone(name: str, later: str, tmp_path: Path) -> None:
    path = tmp_path / f"{name}.db"
    _open(name, path)
    with closing(sqlite3.connect(path)) as db:
        db.execute("UPDATE alembic_version SET version_num = ?", (later,))
        db.commit()
    before = _left(path)

    with pytest.raises(RequestError, match="later version of Counterfoil") as refused:
        _open(name, path)

    assert refused.value.code == "not_a_ledger"
    assert refused.value.facts == {"later": True}
    assert f"revision {later}" in refused.value.message
    assert _left(path) == before


def test_rows_of_later_folds_are_refused_and_left_alone(tmp_path: Path) -> None:
    """Made again here, they would have to be made once more by the version that comes back."""
    path = tmp_path / "views.db"
    Tables(path).close()
    with closing(sqlite3.connect(path)) as db:
        db.execute("UPDATE folds SET version = version + 1")
        db.commit()
    before = _left(path)

    with pytest.raises(RequestError, match=r"remove the file while nothing runs"):
        Tables(path)
    assert _left(path) == before


def test_beside_a_running_server_nobody_leads_its_tables_up(tmp_path: Path) -> None:
    """Two versions at once would each write what the other one does not know."""
    path = kept_ledger("front").unpack(tmp_path) / "state.db"
    before = path.read_bytes()

    with pytest.raises(RequestError, match="start the server on it once"):
        State(path, upgrade=False)
    assert path.read_bytes() == before

    State(path).close()
    State(path, upgrade=False).close()


class Killed(BaseException):
    """The process ends here."""


def _kill_at(at: int, aside: Path, path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let the statement of a number be the one before which the process ends."""
    seen: list[str] = []

    def before(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        del connection, cursor, rest
        if statement.startswith(("PRAGMA", "SELECT")) and "user_version =" not in statement:
            return
        if len(seen) == at:
            aside.mkdir()
            for one in path.parent.glob(f"{path.name}*"):
                shutil.copy(one, aside)
            raise Killed
        seen.append(statement)

    make = sa.create_engine

    def made(*words: Any, **named: Any) -> sa.Engine:
        engine = make(*words, **named)
        sa.event.listen(engine, "before_cursor_execute", before)
        return engine

    monkeypatch.setattr(sa, "create_engine", made)
    return seen


def test_a_migration_that_is_killed_at_any_statement_goes_on_at_the_next_start(
    name: str, tmp_path: Path
) -> None:
    kept = kept_ledger("access").unpack(tmp_path) / f"{name}.db"
    before = _rows(kept)
    counting = tmp_path / "counting"
    counting.mkdir()
    shutil.copy(kept, counting)
    with pytest.MonkeyPatch.context() as patch:
        statements = _kill_at(-1, tmp_path / "never", counting / kept.name, patch)
        _open(name, counting / kept.name)
    whole = _rows(counting / kept.name)
    assert whole["alembic_version"] == [(LINES[name].head,)]
    assert len(statements) >= 5

    for at in range(len(statements)):
        place, aside = tmp_path / f"run{at}", tmp_path / f"killed{at}"
        place.mkdir()
        shutil.copy(kept, place)
        with pytest.MonkeyPatch.context() as patch:
            _kill_at(at, aside, place / kept.name, patch)
            with pytest.raises(Killed):
                _open(name, place / kept.name)
        assert _rows(aside / kept.name) == before, statements[at]
        _open(name, aside / kept.name)
        assert _rows(aside / kept.name) == whole, statements[at]
