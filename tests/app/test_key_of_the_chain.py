"""What asks for a signing key asks for the one the log is handed over to, whatever files say.

A rotation that broke off after its entry leaves the files of before: a start goes on from there
if it finds the later key, and does not without.
"""

import shutil
from pathlib import Path

import pytest

from counterfoil.app.doctor import doctor
from counterfoil.clock import SteppedClock
from counterfoil.errors import RequestError
from tests.app import rotating as keys
from tests.backing import TAKEN, Backups


@pytest.fixture(scope="module")
def broken_off(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger handed over, with the key files of before and the later key beside them."""
    place = tmp_path_factory.mktemp("broken off")
    ledger = keys.make(place / "foil")
    with keys.opened(ledger) as home:
        keys.record(home, "one", "two")
        shutil.copytree(ledger / "keys", place / "before")
        keys.rotate(home)
    folder = ledger / "keys"
    (folder / "default.key").rename(folder / "default.later.key")
    for name in ("default.earlier.key", "default.vkeys.old"):
        (folder / name).unlink()
    for name in ("default.key", "default.vkey"):
        shutil.copy(place / "before" / name, folder / name)
    return ledger


@pytest.fixture
def ledger(broken_off: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return keys.copied(broken_off, tmp_path / "foil")


def graded(ledger: Path) -> list[tuple[str, str]]:
    lines = doctor(ledger, SteppedClock("2026-11-20T14:03:22.000Z")).lines
    return [(one.grade, one.what) for one in lines if one.check == "keys"]


def test_doctor_names_a_ledger_whose_later_key_is_gone(ledger: Path) -> None:
    [(grade, _)] = graded(ledger)
    assert grade == "ok", "the next start finds the later key"

    (ledger / "keys" / "default.later.key").unlink()
    [(grade, what)] = graded(ledger)
    assert grade == "fail"
    assert "to which the log is handed over" in what


def test_a_restore_takes_the_key_the_log_was_handed_over_to(ledger: Path, tmp_path: Path) -> None:
    backups = Backups(ledger, tmp_path / "backups")
    backups.take(SteppedClock(TAKEN))
    later = keys.signer(ledger, "default.later.key")

    backups.restore(tmp_path / "on")
    assert keys.signer(tmp_path / "on").vkey == keys.vkey(tmp_path / "on") == later.vkey
    assert keys.found(keys.verified(tmp_path / "on")) == []

    (ledger / "keys" / "default.later.key").unlink()
    with pytest.raises(RequestError, match="the key that signs"):
        backups.restore(tmp_path / "not")
    assert not (tmp_path / "not" / "ledger.db").exists()


def test_a_receipt_from_after_a_rotation_is_no_fork_of_an_older_copy(tmp_path: Path) -> None:
    """The copy cannot know the later key; that entries are missing from it stays a finding."""
    ledger = keys.make(tmp_path / "foil")
    with keys.opened(ledger) as home:
        keys.record(home, "one", "two")
        home.ledger.export_now()
        older = keys.copied(ledger, tmp_path / "older")
        keys.rotate(home)
        keys.retire(home)
        [receipt] = keys.record(home, "three")
    (tmp_path / "three.tlog-proof").write_bytes(receipt)
    against = (str(tmp_path / "three.tlog-proof"),)

    [finding] = keys.verified(older, project="default", against=against).findings
    assert finding.klass == "missing"
    assert "from after a rotation" in finding.message
