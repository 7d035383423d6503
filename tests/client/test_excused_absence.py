"""An erasure excuses what was sealed under that person's key, and nothing beside it."""

import shutil
import sqlite3
from pathlib import Path

import pytest

from counterfoil.app.founding import create_home
from counterfoil.app.fsck import fsck
from counterfoil.app.home import open_home
from counterfoil.app.record import LOCAL
from counterfoil.clock import SteppedClock
from counterfoil.ids import SeededRandomness
from tests.client.verifying import verify
from tests.erasing_story import ACCOUNT, OTHER, erase, note, settle

AMOUNT = "/data/approved_amount"
RELABELLED = "UPDATE bodies SET owner = '{gone}' WHERE name = '{name}' AND idx = 1"
DELETED = "DELETE FROM bodies WHERE name = '{name}' AND idx = 1"


@pytest.fixture(scope="module")
def erased(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A ledger in which somebody erased is named beside another one's amount; their pseudonym."""
    directory = tmp_path_factory.mktemp("excused") / "foil"
    create_home(directory, SeededRandomness("create"), origin="log.example/acme")
    with open_home(directory, SteppedClock(), SeededRandomness("open")) as home:
        named = [{"ref": f"actor:{ACCOUNT}", "role": "author"}]
        amount = {"approved_amount": "4711 EUR", "personal": ["/approved_amount"], "refs": named}
        home.recorder.record(
            "default", [note(0, ACCOUNT, {"n": 0}), note(1, OTHER, amount)], LOCAL, "cli"
        )
        pseudonym = home.keys.known_people([ACCOUNT])[ACCOUNT].pseudonym
        erase(home, subject=ACCOUNT, theirs_only=True)
        settle(home)
    return directory, pseudonym


def test_what_named_an_erased_person_is_absent_by_right(erased: tuple[Path, str]) -> None:
    report = verify(erased[0])

    assert report.ok, report.lines()
    assert report.checked["erased_parts"] == 2
    assert fsck(erased[0], full=True).ok


ALTERED: dict[str, tuple[str, str, str]] = {
    "a value of somebody else's that is deleted": (DELETED, AMOUNT, "unlogged_absence"),
    "one that is called the erased person's": (RELABELLED, AMOUNT, "damaged"),
    "who did it, deleted": (DELETED, "authid", "unlogged_absence"),
    "who did it, called the erased person": (RELABELLED, "authid", "damaged"),
}


@pytest.mark.parametrize(("sql", "name", "klass"), ALTERED.values(), ids=ALTERED.keys())
def test_no_key_is_needed_to_take_what_was_another_ones_and_it_is_seen(
    erased: tuple[Path, str], tmp_path: Path, sql: str, name: str, klass: str
) -> None:
    """An entry names many; that one of them was erased says nothing about the values of others."""
    directory = tmp_path / "altered"
    shutil.copytree(erased[0], directory)
    with sqlite3.connect(directory / "ledger.db") as db:
        assert db.execute(sql.format(gone=erased[1], name=name)).rowcount == 1
    db.close()

    assert not fsck(directory, full=True).ok
    assert klass in {one.klass for one in verify(directory).findings if one.first == 1}
