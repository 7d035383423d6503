"""What a later version wrote is refused in words that name it, and nothing of it is changed."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from counterfoil import __version__
from counterfoil.app.founding import create_home
from counterfoil.app.home import open_home
from counterfoil.app.record import LOCAL
from counterfoil.app.versions import FILE_NAME, note_version, written_by
from counterfoil.client.evidence import verify_path
from counterfoil.clock import SteppedClock
from counterfoil.errors import EvidenceError, RequestError
from counterfoil.events.entry import read_entry
from counterfoil.events.sealing import HEADER, unseal
from counterfoil.ids import SeededRandomness
from tests.kept_ledgers import kept_ledger
from tests.ledgers import make_sample

LATER = "7.4.1"


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """A ledger of an earlier layout in every database, which a later version had in its hands."""
    directory = kept_ledger("front").unpack(tmp_path)
    (directory / FILE_NAME).write_text(f"{LATER}\n", "ascii")
    return directory


def _open(directory: Path) -> None:
    open_home(directory, SteppedClock("2026-11-23T08:00:00.000Z"), SeededRandomness("x")).close()


def _left(directory: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file() and path.name != "lock"
    }


def _sql(name: str, *statements: str) -> Callable[[Path], None]:
    def run(directory: Path) -> None:
        with closing(sqlite3.connect(directory / name)) as db:
            for statement in statements:
                db.execute(statement)
            db.commit()

    return run


def _setting(directory: Path) -> None:
    path = directory / "counterfoil.toml"
    path.write_text(path.read_text("utf-8") + "\n[telepathy]\nrange_m = 3\n", "utf-8")


REVISION = "CREATE TABLE alembic_version (version_num)"


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        pytest.param(
            _sql("ledger.db", "PRAGMA user_version = 9"), "not_a_ledger", "layout 9", id="ledger.db"
        ),
        pytest.param(
            _sql("erasable.db", "PRAGMA user_version = 9"),
            "not_a_ledger", "layout 9", id="erasable.db",
        ),
        pytest.param(
            _sql("aggregate.db", "PRAGMA user_version = 9"),
            "not_a_ledger", "layout 9", id="aggregate.db",
        ),
        pytest.param(
            _sql("state.db", "PRAGMA user_version = 9"),
            "not_a_ledger", "layout 9", id="state.db by its layout",
        ),
        pytest.param(
            _sql("state.db", REVISION, "INSERT INTO alembic_version VALUES ('0099')"),
            "not_a_ledger", "revision 0099", id="state.db by its revision",
        ),
        pytest.param(
            _sql("views.db", REVISION, "INSERT INTO alembic_version VALUES ('0099')"),
            "not_a_ledger", "revision 0099", id="views.db by its revision",
        ),
        pytest.param(
            _sql("views.db", "CREATE TABLE folds (version)", "INSERT INTO folds VALUES (99)"),
            "not_a_ledger", "folds 99", id="views.db by its folds",
        ),
        pytest.param(_setting, "config_invalid", "telepathy", id="counterfoil.toml"),
    ],
)  # fmt: skip
def test_it_is_refused_by_the_name_of_its_version_before_anything_is_changed(
    ledger: Path, change: Callable[[Path], None], code: str, words: str
) -> None:
    """The databases before it could be led up, and then neither version could read the ledger."""
    change(ledger)
    before = _left(ledger)

    with pytest.raises(RequestError) as refused:
        _open(ledger)

    assert refused.value.code == code
    assert words in refused.value.message
    assert f"Counterfoil {LATER} wrote this ledger last, this is {__version__}" in (
        refused.value.message
    )
    assert _left(ledger) == before


def test_a_ledger_nobody_says_the_version_of_is_refused_without_a_name(ledger: Path) -> None:
    (ledger / FILE_NAME).unlink()
    _sql("ledger.db", "PRAGMA user_version = 9")(ledger)

    with pytest.raises(RequestError, match="a later version of Counterfoil") as refused:
        _open(ledger)
    assert "wrote this ledger last" not in refused.value.message


def test_a_ledger_that_is_refused_opens_again_once_the_cause_is_gone(ledger: Path) -> None:
    _sql("state.db", "PRAGMA user_version = 9")(ledger)
    with pytest.raises(RequestError):
        _open(ledger)

    _sql("state.db", "PRAGMA user_version = 0")(ledger)
    _open(ledger)
    assert written_by(ledger) == __version__


def test_whoever_opens_a_ledger_for_writing_leaves_the_name_of_its_version(tmp_path: Path) -> None:
    directory = tmp_path / "ledger"
    create_home(directory, SeededRandomness("x"))
    assert written_by(directory) == ""
    _open(directory)
    assert written_by(directory) == __version__
    made = (directory / FILE_NAME).stat()

    _open(directory)
    assert (directory / FILE_NAME).stat().st_mtime_ns == made.st_mtime_ns
    assert made.st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\xff\xfe\n", id="no text"),
        pytest.param(b"the one with [31m colours\n", id="words"),
        pytest.param(b"1" * 5_000, id="digits without end"),
    ],
)
def test_a_name_that_is_none_is_no_name(tmp_path: Path, content: bytes) -> None:
    """It is shown to an operator, and decides nothing."""
    (tmp_path / FILE_NAME).write_bytes(content)
    assert written_by(tmp_path) == ""

    note_version(tmp_path)
    assert written_by(tmp_path) == __version__


def test_a_crash_while_the_name_was_written_is_no_hindrance(tmp_path: Path) -> None:
    (tmp_path / f"{FILE_NAME}.writing").write_bytes(b"0.")

    note_version(tmp_path)

    assert written_by(tmp_path) == __version__
    assert [path.name for path in tmp_path.iterdir()] == [FILE_NAME]


def test_verify_names_a_later_layout_and_vouches_for_nothing(ledger: Path) -> None:
    """Anybody who may write the file could say so of any: it is not whole until somebody reads it."""
    _sql("ledger.db", "PRAGMA user_version = 9")(ledger)

    report = verify_path(str(ledger))

    assert not report.ok
    [found] = [line for line in report.lines() if "layout 9" in line]
    assert "of a later version of Counterfoil" in found


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"v": 2}, id="of the members of format 1"),
        pytest.param({"v": 2, "mood": "good"}, id="of other members"),
    ],
)
def test_an_entry_of_a_later_format_is_told_from_a_damaged_one(
    tmp_path: Path, change: dict[str, object]
) -> None:
    directory = tmp_path / "ledger"
    create_home(directory, SeededRandomness("x"))
    with open_home(directory, SteppedClock(), SeededRandomness("y")) as home:
        home.recorder.record("default", [make_sample(1)], LOCAL, "cli")
        [entry] = home.log.entries("default", 0, 1)
    later = json.dumps(
        {**json.loads(entry), **change}, sort_keys=True, separators=(",", ":"), ensure_ascii=False
    ).encode()

    with pytest.raises(EvidenceError, match="format 2, of a later version") as refused:
        read_entry(later)
    assert refused.value.code == "entry_invalid"


def test_a_blob_of_a_later_form_is_told_from_a_damaged_one() -> None:
    header = HEADER.replace(b"2", b"3")
    assert header != HEADER

    with pytest.raises(EvidenceError, match=r"sealed 3.*of a later version"):
        list(unseal(bytes(32), [header, bytes(40)]))
