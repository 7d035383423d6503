"""After an erasure no byte of it is left, and older copies cannot be read for it."""

import shutil
import signal
import sqlite3
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from counterfoil.app.acting_erasing import Erased
from counterfoil.app.erasing_copies import Copies
from counterfoil.app.follow import Follower
from counterfoil.app.founding import create_home
from counterfoil.app.fsck import fsck
from counterfoil.app.home import open_home
from counterfoil.app.prove import prove
from counterfoil.client.evidence_rows import ERASABLE, LEDGER, SqliteRows
from counterfoil.client.evidence_sqlite import EvidenceDatabase
from counterfoil.clock import SteppedClock
from counterfoil.ids import SeededRandomness
from counterfoil.stores.tables import Tables
from counterfoil.verifier.kept import RowNames
from counterfoil.verifier.report import Findings
from counterfoil.verifier.whole import tally_range
from tests.client.verifying import verify
from tests.erasing_story import LOGIN, NAME, REQUEST, erase, holding, opened, settle, tell

NOW = "2026-11-20T14:03:22.000Z"
LATER = "2026-11-20T15:00:00.000Z"


@dataclass
class Place:
    """A ledger directory before, while it was served after the erasure, and copied then."""

    before: Path
    serving: Path
    directory: Path
    done: Erased
    proofs: list[bytes]


def story(root: Path) -> Place:
    """Tell, copy, erase, and copy again while the ledger is open."""
    directory = root / "foil"
    create_home(directory, SeededRandomness("create"), origin="log.example/acme")
    with open_home(directory, SteppedClock(NOW), SeededRandomness("open")) as home:
        tell(home)
        shutil.copytree(directory, root / "before")
        done = erase(home)
        settle(home)
        proofs = [
            prove(home, "default", f"entry:{index}", with_people=True).content
            for index in range(home.log.head("default").size)
        ]
        shutil.copytree(directory, root / "serving")
    return Place(root / "before", root / "serving", directory, done, proofs)


def files_of(found: list[str]) -> set[str]:
    """Return the names of the files in which something was found."""
    return {one.split(":")[0].rpartition("/")[2] for one in found}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return story(tmp_path_factory.mktemp("erased"))


def test_no_byte_of_what_was_erased_is_left_in_any_file(place: Place) -> None:
    """Databases, their logs and free pages, blobs, exports, spools: while it is open, and after."""
    assert files_of(holding(place.before, LOGIN, NAME)) >= {
        "erasable.db-wal", "state.db", "one.json", "kept.report", "views.db-wal",
    }  # fmt: skip
    assert holding(place.serving, LOGIN, NAME) == []
    assert holding(place.directory, LOGIN, NAME) == []


def test_a_proof_file_made_afterwards_holds_nothing_of_it(place: Place, tmp_path: Path) -> None:
    for number, content in enumerate(place.proofs):
        (tmp_path / f"{number}.proof.html").write_bytes(content)

    assert len(place.proofs) > 5
    assert holding(tmp_path, LOGIN, NAME) == []


def test_an_older_copy_of_log_and_blobs_cannot_be_read_for_it(place: Place) -> None:
    """Under its own keys it can, which is why backups of `erasable.db` are short-lived."""

    def words(directory: Path, keys_of: Path) -> list[bytes]:
        texts = [LOGIN.encode(), NAME.encode(), NAME.encode("ascii", "backslashreplace")]
        return [data for data in opened(directory, keys_of) if any(text in data for text in texts)]

    assert len(words(place.before, place.before)) > 8
    assert words(place.before, place.directory) == []


def test_a_blob_a_sealed_row_and_a_digest_that_could_be_guessed_at_are_gone(place: Place) -> None:
    """Unreadable is not enough: what is not there cannot be attacked later."""

    def rows(directory: Path) -> set[tuple[str, int, str]]:
        with sqlite3.connect(f"file:{directory}/ledger.db?mode=ro", uri=True) as db:
            return set(db.execute("SELECT project, idx, name FROM bodies"))

    blobs = [len(list((one / "blobs").rglob("*/*"))) for one in (place.before, place.directory)]
    with sqlite3.connect(f"file:{place.directory}/ledger.db?mode=ro", uri=True) as db:
        marked = db.execute(
            "SELECT id FROM idem WHERE digest = zeroblob(32) AND project = 'default'"
        )
        notes = {name for (name,) in marked if name.startswith("note-")}

    assert ("default", 1, "body") in rows(place.before) - rows(place.directory)
    assert ("default", 0, "authid") in rows(place.before) - rows(place.directory)
    assert blobs[0] - blobs[1] == 3
    assert notes == {"note-0", "note-1", "note-2", "note-3", "note-4"}


def test_every_proof_still_verifies_and_says_when_and_under_which_request(place: Place) -> None:
    report = verify(place.directory)

    assert report.ok, report.lines()
    assert report.checked["erased_parts"] > 10
    entry = next(one.event for one in place.done.logs if one.project == "default")
    assert f"default: erased on 2026-11-20 under {REQUEST}, says entry {entry}" in report.notes
    assert fsck(place.directory, full=True).ok


def test_a_crew_that_reads_ranges_calls_whole_what_was_erased(place: Place) -> None:
    """Else a log with one erasure would be read entry by entry, in one process, for ever."""
    found = Findings()
    ledger = EvidenceDatabase(place.directory / "ledger.db", LEDGER, found)
    keys = EvidenceDatabase(place.directory / "erasable.db", ERASABLE, found)
    try:
        rows = SqliteRows("default", ledger, keys, place.directory / "blobs", RowNames())
        size = rows.last_index() + 1
        tally = tally_range(rows, 0, size)
    finally:
        ledger.close()
        keys.close()

    assert tally is not None
    assert tally.listed == size
    assert tally.erased > 5
    assert tally.idem < size


def test_what_is_absent_without_an_event_that_says_so_is_an_alarm(
    place: Place, tmp_path: Path
) -> None:
    """The key of an entry that nobody asked to erase, beside many that were."""
    altered = tmp_path / "altered"
    shutil.copytree(place.directory, altered)
    with sqlite3.connect(altered / "erasable.db") as db:
        db.execute("DELETE FROM event_keys WHERE project = 'default' AND idx = 5")
    db.close()

    assert {(one.klass, one.first) for one in verify(altered).findings} == {("unlogged_absence", 5)}


@pytest.mark.parametrize(
    ("owner", "step", "left"),
    [
        pytest.param(Copies, "forget_words", {"state.db", "one.json", "kept.report"}, id="words"),
        pytest.param(Copies, "truncate", {"erasable.db-wal"}, id="the write-ahead logs"),
        pytest.param(Follower, "erase", {"views.db-wal"}, id="the rows of pages"),
        pytest.param(Tables, "shrink", {"views.db-wal"}, id="their free pages"),
    ],
)
def test_the_search_finds_what_a_step_that_is_left_out_leaves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: type, step: str, left: set[str]
) -> None:
    """A search that finds nothing says something only if it can find."""
    monkeypatch.setattr(owner, step, lambda *_, **__: 1)

    assert left <= files_of(holding(story(tmp_path).serving, LOGIN, NAME))


KILLED = """
import os, signal, sys
from pathlib import Path
from counterfoil.app import erasing
from counterfoil.app.home import open_home
from counterfoil.client.evidence_rows import ERASABLE, LEDGER, SqliteRows
from counterfoil.client.evidence_sqlite import EvidenceDatabase
from counterfoil.clock import SteppedClock
from counterfoil.ids import SeededRandomness
from tests.erasing_story import erase

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

with open_home(Path(sys.argv[1]), SteppedClock("2026-11-20T14:04:00.000Z"), SeededRandomness("killed")) as home:
    setattr(erasing.Eraser, sys.argv[2], die)
    erase(home)
"""


@pytest.mark.parametrize("step", ["_forget_words", "_destroy", "_take_out", "_drop_rows", "tidy"])
def test_an_erasure_that_was_killed_is_finished_by_the_next_start(
    place: Place, tmp_path: Path, step: str
) -> None:
    """Between the event, the words, the keys, the rows, the pages and the logs of the databases."""
    directory = tmp_path / "foil"
    shutil.copytree(place.before, directory)
    killed = subprocess.run([sys.executable, "-c", KILLED, str(directory), step], check=False)

    assert killed.returncode == -signal.SIGKILL
    with open_home(directory, SteppedClock(LATER), SeededRandomness("again")) as home:
        assert holding(directory / "spool", LOGIN, NAME) == []
        settle(home)
    assert holding(directory, LOGIN, NAME) == []
    assert verify(directory).ok


def test_an_older_key_store_that_was_put_back_is_erased_again_before_anybody_reads(
    place: Place, tmp_path: Path
) -> None:
    """With the rows of that day, too; what was recorded since has no key, and that is named."""
    directory = tmp_path / "foil"
    shutil.copytree(place.directory, directory)
    for name in ("erasable.db", "erasable.db-wal", "erasable.db-shm", "state.db"):
        shutil.copy(place.before / name, directory / name)

    with open_home(directory, SteppedClock(LATER), SeededRandomness("again")) as home:
        settle(home)
    assert holding(directory, LOGIN, NAME) == []
    assert {(one.klass, one.first or 0) for one in verify(directory).findings} >= {
        ("unlogged_absence", next(one.event for one in place.done.logs if one.project == "default"))
    }
    assert not any(one.first is not None and one.first < 5 for one in verify(directory).findings)
