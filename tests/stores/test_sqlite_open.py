import ast
import shutil
import sqlite3
import stat
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from counterfoil.errors import CounterfoilError, EvidenceError, RequestError, UnavailableError
from counterfoil.ids import SeededRandomness
from counterfoil.stores import sqlite_statements
from counterfoil.stores.erasable import ERASABLE, ErasableStore
from counterfoil.stores.sqlite import LEDGER, SqliteLogStore
from counterfoil.stores.sqlite_driver import Connection, StandardDriver
from counterfoil.stores.sqlite_open import PAGE_SIZE_BYTES, Database, Kind, create_database

NOBODY = 65_534


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "ledger.db"
    create_database(path, LEDGER)
    return path


def _pragma(db: Connection, name: str) -> object:
    [value] = db.execute(f"PRAGMA {name}").fetchone()
    return value


@pytest.mark.parametrize("kind", [LEDGER, ERASABLE], ids=lambda kind: kind.name)
def test_a_made_file_carries_its_mark_and_is_private(tmp_path: Path, kind: Kind) -> None:
    path = tmp_path / kind.name
    create_database(path, kind)

    db = sqlite3.connect(path)
    marks = ("application_id", "user_version", "journal_mode", "page_size")
    found = tuple(_pragma(db, name) for name in marks)
    db.close()
    assert found == (kind.application_id, kind.version, "wal", PAGE_SIZE_BYTES)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_writer_syncs_fully_and_maps_no_memory(path: Path) -> None:
    database = Database(path, LEDGER, write=True)
    with database.transaction() as db:
        assert _pragma(db, "synchronous") == 2
        assert _pragma(db, "mmap_size") == 0
    database.close()


def test_keys_are_overwritten_when_they_are_deleted(tmp_path: Path) -> None:
    store = ErasableStore(tmp_path / "erasable.db", SeededRandomness("x"), create=True)
    with store._db.transaction() as db:
        assert _pragma(db, "secure_delete") == 1
    store.close()


def test_a_reader_can_neither_write_nor_checkpoint(path: Path) -> None:
    """The corruption race needs two connections that do."""
    database = Database(path, LEDGER, write=True)
    with database.reading() as db:
        assert _pragma(db, "wal_autocheckpoint") == 0
        assert _pragma(db, "query_only") == 1
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            db.execute("DELETE FROM logs")
        db.execute("PRAGMA query_only = OFF")
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            db.execute("DELETE FROM logs")
        db.execute("PRAGMA query_only = ON")
    database.close()


def test_an_absent_file_is_never_made_silently(tmp_path: Path) -> None:
    """An empty ledger in the place of a lost one would be a rollback that nobody notices."""
    for open_it in (
        lambda: SqliteLogStore(tmp_path / "ledger.db"),
        lambda: ErasableStore(tmp_path / "erasable.db", SeededRandomness("x")),
    ):
        with pytest.raises(RequestError) as refused:
            open_it()
        assert refused.value.code == "not_a_ledger"
    assert list(tmp_path.iterdir()) == []


def test_making_a_file_refuses_one_that_stands(path: Path) -> None:
    with pytest.raises(RequestError) as refused:
        create_database(path, LEDGER)
    assert refused.value.code == "dir_exists"


@pytest.mark.parametrize(("layout", "when"), [(7, "a later"), (0, "an earlier")])
def test_a_layout_nobody_leads_from_is_refused_in_words(path: Path, layout: int, when: str) -> None:
    """What it holds is whole, and would read as damaged here."""
    with sqlite3.connect(path) as db:
        db.execute(f"PRAGMA user_version = {layout}")
    db.close()

    with pytest.raises(RequestError, match=f"layout {layout}, written by {when}") as refused:
        SqliteLogStore(path)
    assert refused.value.code == "not_a_ledger"


def test_another_database_is_not_taken_for_a_ledger(tmp_path: Path) -> None:
    create_database(tmp_path / "ledger.db", ERASABLE)

    with pytest.raises(RequestError, match=r"no ledger\.db of Counterfoil"):
        SqliteLogStore(tmp_path / "ledger.db")


def test_a_file_that_is_no_database_is_damaged(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").write_bytes(b"not a database at all " * 100)

    with pytest.raises(EvidenceError) as refused:
        SqliteLogStore(tmp_path / "ledger.db")
    assert refused.value.code == "damaged"


def test_a_file_taken_out_of_wal_is_refused(path: Path) -> None:
    """Something else wrote it; its commits may not have been synced."""
    db = sqlite3.connect(path)
    db.execute("PRAGMA journal_mode = DELETE")
    db.close()

    with pytest.raises(EvidenceError, match="journal mode delete"):
        SqliteLogStore(path)


def test_a_full_disk_is_a_storage_error_and_leaves_nothing(path: Path) -> None:
    store = SqliteLogStore(path)
    store.create_log("default", "ledger.example/default")
    with store._db.transaction() as db:
        db.execute("PRAGMA max_page_count = 1")  # SQLite answers it as it does a full disk

    def fill() -> None:
        with store.write() as writing:
            writing.put_tiles("default", {(0, n): b"\x01" * 8192 for n in range(100)})

    with pytest.raises(UnavailableError, match="SQLITE_FULL") as refused:
        fill()
    assert refused.value.code == "storage"
    with pytest.raises(EvidenceError):
        store.tile("default", 0, 0)
    store.close()


def test_a_second_writer_is_told_that_the_file_is_held(path: Path) -> None:
    first, second = SqliteLogStore(path), SqliteLogStore(path)
    assert second._db._writer is not None
    second._db._writer.execute("PRAGMA busy_timeout = 10")

    def write_both() -> None:
        with first.write(), second.write():
            pass

    with pytest.raises(UnavailableError) as refused:
        write_both()
    assert refused.value.code == "locked"
    first.close()
    second.close()


def test_closing_folds_the_write_ahead_log_into_the_file(path: Path) -> None:
    store = SqliteLogStore(path)
    store.create_log("default", "ledger.example/default")
    log = path.with_name("ledger.db-wal")
    assert log.stat().st_size > 0

    store.close()

    assert not log.exists() or log.stat().st_size == 0


def test_a_start_folds_in_what_a_killed_process_left_unsynced(path: Path, tmp_path: Path) -> None:
    """What the log holds may stand in the page cache alone; nobody is answered from there."""
    store = SqliteLogStore(path)
    store.create_log("default", "ledger.example/default")
    killed = tmp_path / "killed"
    killed.mkdir()
    for name in ("ledger.db", "ledger.db-wal"):
        shutil.copy(path.with_name(name), killed / name)
    store.close()

    again = SqliteLogStore(killed / "ledger.db")
    assert (killed / "ledger.db-wal").stat().st_size == 0
    assert [log.project for log in again.projects()] == ["default"]
    again.close()


class Noting(StandardDriver):
    """The machine's own files, and which of them were written over themselves."""

    def __init__(self) -> None:
        self.rewritten: list[tuple[str, bytes]] = []

    def rewrite(self, path: Path) -> None:  # noqa: D102  as in the driver it stands for
        before = path.read_bytes()
        super().rewrite(path)
        assert path.read_bytes() == before
        self.rewritten.append((path.name, before))


def test_a_start_waits_for_nobody_who_reads_an_earlier_state(path: Path) -> None:
    """A `verify` of all entries takes minutes; the log is made durable where it lies meanwhile."""
    store = SqliteLogStore(path)
    reader = SqliteLogStore(path, write=False)
    noting = Noting()
    with reader._db.snapshot() as db:
        assert db.execute("SELECT count(*) FROM logs").fetchone() == (0,)
        store.create_log("default", "ledger.example/default")
        store.close()

        again = SqliteLogStore(path, driver=noting)
        [(name, content)] = noting.rewritten
        assert (name, bool(content)) == ("ledger.db-wal", True)
        again.create_log("other", "ledger.example/other")
        assert [log.project for log in again.projects()] == ["default", "other"]
        assert db.execute("SELECT count(*) FROM logs").fetchone() == (0,), "its own state"
    again.close()
    reader.close()


def test_a_reader_sees_a_running_writers_commits(path: Path) -> None:
    """`verify` and `trace` work while `serve` runs."""
    writer, reader = SqliteLogStore(path), SqliteLogStore(path, write=False)
    assert reader.projects() == []
    writer.create_log("default", "ledger.example/default")
    assert len(reader.projects()) == 1
    reader.close()
    writer.close()


def test_many_threads_may_read_at_once(path: Path) -> None:
    store = SqliteLogStore(path)
    store.create_log("default", "ledger.example/default")
    barrier = threading.Barrier(8)
    seen: list[int] = []

    def read() -> None:
        barrier.wait()
        seen.extend(store.head("default").size for _ in range(50))

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [0] * 400
    store.close()


READ_AS_NOBODY = """
import os, sys
from pathlib import Path
from counterfoil.stores.sqlite_driver import StandardDriver
from counterfoil.stores.sqlite import SqliteLogStore
if os.geteuid() == 0:
    os.setuid({nobody})
store = SqliteLogStore(Path(sys.argv[1]), write=False)
print([log.project for log in store.projects()])
store.close()
try:
    SqliteLogStore(Path(sys.argv[1]))
except Exception as error:
    print(error.code)
"""


@pytest.mark.parametrize("running", [False, True], ids=["closed", "while the writer runs"])
def test_a_ledger_can_be_read_by_one_who_may_not_write_there(*, running: bool) -> None:
    """An auditor's account, or a read-only mount: no place to make a shared-memory file."""
    with tempfile.TemporaryDirectory() as place:  # tmp_path lies below directories of ours alone
        directory = Path(place)
        store = SqliteLogStore(directory / "ledger.db", create=True)
        store.create_log("default", "ledger.example/default")
        if not running:
            store.close()
            for left_over in directory.glob("*-*"):
                left_over.unlink()
        for file in directory.iterdir():
            file.chmod(0o444)
        directory.chmod(0o555)
        program = READ_AS_NOBODY.format(nobody=NOBODY)
        done = subprocess.run(
            [sys.executable, "-c", program, str(directory / "ledger.db")],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        directory.chmod(0o755)
        if running:
            store.close()
    assert done.stdout == "['default']\nread_only\n", done.stderr


def test_every_statement_is_described() -> None:
    """The page of statements is all there is to review: each has a name and a reason."""
    body = ast.parse(Path(sqlite_statements.__file__).read_text()).body
    undescribed = [
        ast.unparse(node.targets[0])
        for node, after in zip(body, [*body[1:], None], strict=True)
        if isinstance(node, ast.Assign)
        and not (isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant))
    ]
    assert sum(isinstance(node, ast.Assign) for node in body) >= 25
    assert undescribed == []


@pytest.mark.parametrize(
    "store_file", ["sqlite.py", "erasable.py"], ids=["ledger.db", "erasable.db"]
)
def test_the_stores_speak_no_sql_of_their_own(store_file: str) -> None:
    source = (Path(sqlite_statements.__file__).parent / store_file).read_text()
    for verb in ("SELECT ", "INSERT ", "UPDATE ", "DELETE ", "PRAGMA "):
        assert verb not in source, f"{store_file} holds a statement: move it to the page"


def test_errors_of_the_disk_say_what_to_do_next(path: Path) -> None:
    store = SqliteLogStore(path)
    with pytest.raises(CounterfoilError, match="restart and retry"), store._db.transaction() as db:
        db.execute("SELECT * FROM nowhere")
    store.close()
