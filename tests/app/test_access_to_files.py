"""Where a ledger may stand, whose it is, and what the clock may say: refused before a byte changes."""

import logging
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from counterfoil.app import place
from counterfoil.app.admin import list_sources
from counterfoil.app.founding import create_home
from counterfoil.app.home import Home, open_home
from counterfoil.app.record import LOCAL
from counterfoil.client.evidence import verify_path
from counterfoil.clock import SteppedClock
from counterfoil.errors import CounterfoilError, RequestError, UnavailableError
from counterfoil.events.entry import read_entry
from counterfoil.ids import SeededRandomness
from counterfoil.stores import mounts
from counterfoil.verifier.report import Report
from tests.ledgers import make_sample


def opened(directory: Path, moment: str = "2026-11-20T12:00:00.000Z") -> Home:
    return open_home(directory, SteppedClock(moment), SeededRandomness("open"))


def refusal(directory: Path) -> CounterfoilError:
    with pytest.raises(CounterfoilError) as refused, opened(directory):
        pass
    return refused.value


def contents(directory: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


BLOBS = "blobs/00"
REPAIR = "damaged/20261120T120000Z-ab12/repair.json"


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger that was opened once, so that every file of it stands."""
    directory = tmp_path_factory.mktemp("pristine") / "foil"
    create_home(directory, SeededRandomness("create"), origin="log.example/acme")
    with opened(directory) as home:
        home.recorder.record("default", [make_sample(0)], LOCAL, "cli")
        home.ledger.export_now()
    for folder in (BLOBS, "blobs/.writing", "timestamps/.writing", "keys/.writing"):
        (directory / folder).mkdir(parents=True, exist_ok=True)
    (directory / REPAIR).parent.mkdir(parents=True)
    (directory / REPAIR).write_text("{}")
    (directory / REPAIR).chmod(0o600)
    return directory


@pytest.fixture
def filled(pristine: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(pristine, tmp_path / "foil"))


# What is open to others, and what has to be run.
MODES = {
    "a signing key that its group may read": ("keys/default.key", 0o640, "chmod 600"),
    "a signing key that everybody may read": ("keys/default.key", 0o644, "chmod 600"),
    "the key of the log of who may": ("keys/_access.key", 0o604, "chmod 600"),
    "the administrator's token": ("admin.token", 0o644, "chmod 600"),
    "the keys of events and people": ("erasable.db", 0o640, "chmod 600"),
    "the secrets of webhooks": ("state.db", 0o644, "chmod 600"),
    "a database others may write": ("ledger.db", 0o622, "chmod go-w"),
    "settings others may write": ("counterfoil.toml", 0o666, "chmod go-w"),
    "a directory others may put files in": (".", 0o777, "chmod go-w"),
    "a folder of keys others may put files in": ("keys", 0o770, "chmod go-w"),
    "blobs others may put in": ("blobs", 0o775, "chmod go-w"),
    "a folder of blobs others may put in": (BLOBS, 0o777, "chmod go-w"),
    "the folder blobs are received in": ("blobs/.writing", 0o770, "chmod go-w"),
    "an exported log others may put files in": ("public/default", 0o777, "chmod go-w"),
    "a checkpoint others may write": ("public/default/checkpoint", 0o666, "chmod go-w"),
    "the exported log of who may": ("public/_access", 0o775, "chmod go-w"),
    "tiles others may put in": ("public/default/tile", 0o775, "chmod go-w"),
    "a level of tiles others may put in": ("public/default/tile/0", 0o757, "chmod go-w"),
    "a verifier key others may write": ("keys/default.vkey", 0o666, "chmod go-w"),
    "repairs others may put in": ("damaged", 0o770, "chmod go-w"),
    "a repair others may write": (REPAIR, 0o620, "chmod go-w"),
}


@pytest.mark.parametrize("name", MODES)
def test_what_is_open_to_others_is_refused_with_what_to_run(filled: Path, name: str) -> None:
    """The bits count and not who asks: as root everything can be read, and a key is out all the same."""
    file, mode, told = MODES[name]
    was = stat.S_IMODE((filled / file).stat().st_mode)
    (filled / file).chmod(mode)
    before = contents(filled)

    error = refusal(filled)

    assert error.code == "unsafe_access"
    assert f"{told} {filled / file}" in error.message
    assert f"{mode:04o}" in error.message
    assert contents(filled) == before
    (filled / file).chmod(was)
    opened(filled).close()


def test_what_is_for_everybody_may_be_read_by_everybody(filled: Path) -> None:
    (filled / "keys/default.vkey").chmod(0o644)
    (filled / "ledger.db").chmod(0o644)
    filled.chmod(0o755)
    opened(filled).close()


def test_a_ledger_of_another_user_is_refused(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root that writes into somebody's ledger leaves files which they cannot open."""
    monkeypatch.setattr(os, "geteuid", lambda: filled.stat().st_uid + 1)
    error = refusal(filled)
    assert error.code == "unsafe_access"
    assert f"belongs to user {filled.stat().st_uid}" in error.message
    assert "chown" in error.message


INSIDE = (
    "ledger.db", "erasable.db", "state.db", "views.db", "aggregate.db", "admin.token",
    "counterfoil.toml", "lock", "keys", "keys/default.key", "blobs", "public", "spool",
    "keys/default.vkey", "keys/.writing", BLOBS, "blobs/.writing", "public/default",
    "public/.writing", "public/default/checkpoint", "public/default/tile",
    "public/default/tile/entries", "timestamps", "timestamps/.writing", "damaged",
    str(Path(REPAIR).parent), REPAIR,
)  # fmt: skip


def test_what_is_made_in_folders_may_have_a_second_name(filled: Path, tmp_path: Path) -> None:
    """It is never written again, so a backup may share it."""
    os.link(filled / "public/default/checkpoint", tmp_path / "checkpoint")
    opened(filled).close()


@pytest.mark.parametrize("folder", ["blobs", "public"])
def test_a_disk_may_be_mounted_at_a_folder(filled: Path, folder: str) -> None:
    """Its `lost+found` is root's, whoever serves; the other things there are not."""
    (filled / folder / "lost+found").mkdir()
    (filled / folder / "lost+found").chmod(0o777)
    opened(filled).close()
    (filled / folder / "found").mkdir()
    (filled / folder / "found").chmod(0o777)
    assert refusal(filled).code == "unsafe_access"


if os.geteuid() == 0:
    # Nobody else can give a file away; owners are compared in the test above for everybody.

    @pytest.mark.parametrize("name", [BLOBS, "public/default", "public/default/checkpoint"])
    def test_what_is_another_users_inside_a_folder_is_refused(filled: Path, name: str) -> None:
        os.chown(filled / name, 12345, 12345)
        error = refusal(filled)
        assert error.code == "unsafe_access"
        assert f"{filled / name} belongs to user 12345" in error.message


@pytest.mark.parametrize("name", INSIDE)
def test_a_link_inside_is_refused(filled: Path, tmp_path: Path, name: str) -> None:
    """Two directories with links to one database would have two locks, and two writers."""
    elsewhere = tmp_path / "elsewhere"
    (filled / name).rename(elsewhere)
    (filled / name).symlink_to(elsewhere)
    error = refusal(filled)
    assert error.code == "unsafe_access"
    assert f"{filled / name} is a link" in error.message


def test_a_second_name_of_the_database_is_refused(filled: Path, tmp_path: Path) -> None:
    os.link(filled / "ledger.db", tmp_path / "another")
    assert "2 names" in refusal(filled).message


@pytest.mark.parametrize(
    ("mode", "group", "code"),
    [(0o440, 4242, ""), (0o640, 4242, ""), (0o440, 4343, "unsafe_access"),
     (0o444, 4242, "unsafe_access"), (0o460, 4242, "unsafe_access")],
    ids=["read by our group", "changed by root alone", "another group", "anybody", "our group writes"],
)  # fmt: skip
def test_a_key_that_root_mounts_for_our_group_is_one_of_ours(
    monkeypatch: pytest.MonkeyPatch, mode: int, group: int, code: str
) -> None:
    """Containers are given their secrets so, and nobody there can change owner or mode."""
    path, found = (
        Path("default.key"),
        os.stat_result((stat.S_IFREG | mode, 1, 1, 1, 0, group, *[0] * 4)),
    )
    monkeypatch.setattr(os, "geteuid", lambda: 4141)
    monkeypatch.setattr(os, "getegid", lambda: 4242)
    monkeypatch.setattr(os, "getgroups", list)

    if not code:
        place._refuse_others(path, found, is_secret=True, mounted=True)
    else:
        with pytest.raises(RequestError) as refused:
            place._refuse_others(path, found, is_secret=True, mounted=True)
        assert refused.value.code == code
    with pytest.raises(RequestError):
        place._refuse_others(path, found, is_secret=True)


def test_an_empty_directory_of_a_wide_umask_becomes_a_ledger(tmp_path: Path) -> None:
    """`mkdir` under umask 0002, then `init`: nothing is in it yet that anybody could have read."""
    directory = tmp_path / "wide"
    directory.mkdir()
    directory.chmod(0o775)
    create_home(directory, SeededRandomness("wide"))

    assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_signing_keys_that_lie_elsewhere_may_be_links(filled: Path, tmp_path: Path) -> None:
    """So are secrets mounted in containers; what they lead to is looked at all the same."""
    real, keys = tmp_path / "real", tmp_path / "mounted"
    (filled / "keys").rename(real)
    keys.mkdir()
    for path in real.iterdir():
        (keys / path.name).symlink_to(path)
    (filled / "counterfoil.toml").write_text(f'[keys]\ndirectory = "{keys}"\n')
    opened(filled).close()
    (real / "default.key").chmod(0o644)
    assert refusal(filled).code == "unsafe_access"


def test_a_ledger_reached_by_a_link_is_the_one_it_leads_to(filled: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(filled)
    with opened(link) as home:
        assert home.directory == filled.resolve()
        error = refusal(filled)
    assert error.code == "locked"
    with opened(filled):
        assert refusal(link).code == "locked"


def test_a_ledger_is_made_behind_a_link_to_an_empty_directory(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(tmp_path / "disk")
    create_home(tmp_path / "link", SeededRandomness("create"))
    assert (tmp_path / "disk/ledger.db").is_file()


def test_the_refusal_names_the_process_that_holds_it(filled: Path) -> None:
    with opened(filled):
        error = refusal(filled)
    assert isinstance(error, UnavailableError)
    assert f"process {os.getpid()}" in error.message


def test_a_lock_that_a_killed_process_left_is_nobodys(filled: Path) -> None:
    held = (
        "import sys; from pathlib import Path; from counterfoil.app.place import take_lock\n"
        "take_lock(Path(sys.argv[1])); import os; os.kill(os.getpid(), 9)"
    )
    ended = subprocess.run([sys.executable, "-c", held, str(filled)], check=False)
    assert ended.returncode == -9
    assert (filled / "lock").read_text().strip().isdigit()
    opened(filled).close()


def test_a_ledger_on_a_network_file_system_is_refused_by_its_name(
    filled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = tmp_path / "mountinfo"
    fake.write_text(
        "27 1 254:0 / / rw - ext4 /dev/vda rw\n"
        f"31 27 0:41 / {tmp_path.resolve()} rw shared:7 - nfs4 filer:/export rw\n"
    )
    monkeypatch.setattr(mounts, "MOUNTINFO", fake)
    before = contents(filled)

    error = refusal(filled)

    assert error.code == "network_storage"
    assert "nfs4" in error.message
    assert contents(filled) == before
    with pytest.raises(RequestError) as refused:
        create_home(tmp_path / "second", SeededRandomness("create"))
    assert refused.value.code == "network_storage"
    assert not (tmp_path / "second").exists()


def test_verifying_asks_for_no_rights_and_writes_nothing(filled: Path) -> None:
    """Evidence is judged wherever it was copied to, whoever it belongs to now."""
    for name, mode in (("keys/default.key", 0o644), ("erasable.db", 0o644), (".", 0o777)):
        (filled / name).chmod(mode)
    for path in filled.rglob("*"):
        path.chmod(path.stat().st_mode & ~0o222)
    filled.chmod(0o555)
    before = contents(filled)
    report = verify_path(str(filled))
    assert isinstance(report, Report)
    assert report.ok, report.findings
    assert contents(filled) == before
    filled.chmod(0o755)
    for path in filled.rglob("*"):
        path.chmod(0o700)


def test_webhook_secrets_are_not_read_where_others_can(filled: Path) -> None:
    assert list_sources(filled) == []
    (filled / "state.db").chmod(0o644)
    with pytest.raises(RequestError) as refused:
        list_sources(filled)
    assert refused.value.code == "unsafe_access"


def _later(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()


@pytest.mark.parametrize("name", ["ledger.db", "erasable.db", "state.db"])
def test_a_database_of_a_later_version_is_refused_by_its_name(filled: Path, name: str) -> None:
    """Its rows may mean something else: nothing of it is guessed, and nothing else is changed."""
    _later(filled / name)
    before = (filled / "ledger.db").read_bytes()
    error = refusal(filled)
    assert error.code == "not_a_ledger"
    assert name in error.message
    assert "99" in error.message
    assert "later version" in error.message
    assert (filled / "ledger.db").read_bytes() == before


def test_tables_of_other_folds_are_made_again(filled: Path) -> None:
    """They are derived: what they held is in the log."""
    with sqlite3.connect(filled / "views.db") as connection:
        connection.execute("UPDATE folds SET version = version - 1")
        connection.execute("CREATE TABLE later (x)")
    connection.close()
    with opened(filled) as home:
        assert home.follower.catch_up("default") == 1
    with sqlite3.connect(filled / "views.db") as connection:
        assert (
            connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'later'").fetchall() == []
        )
    connection.close()


WRONG_CLOCKS = ("1970-01-01T00:03:00.000Z", "2025-12-31T23:59:59.999Z", "2099-06-01T00:00:00.000Z")


@pytest.mark.parametrize("moment", WRONG_CLOCKS)
def test_a_clock_that_cannot_be_right_opens_no_ledger(filled: Path, moment: str) -> None:
    before = contents(filled)
    with pytest.raises(UnavailableError) as refused, opened(filled, moment):
        pass
    assert refused.value.code == "clock"
    assert moment in refused.value.message
    assert contents(filled) == before


@pytest.mark.parametrize("moment", WRONG_CLOCKS)
def test_a_clock_that_jumps_while_it_runs_records_nothing(filled: Path, moment: str) -> None:
    """One entry of 2099 would be the time of every entry after it, for ever."""
    clock = SteppedClock()
    with open_home(filled, clock, SeededRandomness("open")) as home:
        right = clock.moment
        clock.moment = SteppedClock(moment).moment
        with pytest.raises(UnavailableError) as refused:
            home.recorder.record("default", [make_sample(1)], LOCAL, "cli")
        assert refused.value.code == "clock"
        with pytest.raises(UnavailableError):
            home.recorder.place("default", [], []).result()
        clock.moment = right
        [answer] = home.recorder.record("default", [make_sample(1)], LOCAL, "cli")
        assert (answer.index, answer.status) == (1, "recorded")


def test_a_clock_that_is_behind_is_told_and_time_stands_still_until_it_has_caught_up(
    filled: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        caplog.at_level(logging.WARNING),
        opened(filled, "2026-11-13T12:00:00.000Z") as home,
    ):
        home.recorder.record("default", [make_sample(1)], LOCAL, "cli")
        times = [read_entry(one).recordedtime for one in home.log.entries("default", 0, 2)]
    assert times == ["2026-11-20T12:00:00.000Z"] * 2
    assert "log default: the clock is 604800 s behind the last entry" in caplog.text


def test_a_clock_far_ahead_of_the_last_entry_is_told(
    filled: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It may be a ledger nobody wrote to for two years: nothing is refused."""
    with caplog.at_level(logging.WARNING), opened(filled, "2029-01-01T00:00:00.000Z"):
        pass
    assert "is it right?" in caplog.text


def test_a_clock_that_goes_on_is_not_spoken_of(
    filled: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING), opened(filled, "2026-11-21T12:00:00.000Z"):
        pass
    assert "clock" not in caplog.text


CHECKED: dict[str, Callable[[Path], Path]] = {
    "as it was made": lambda directory: directory,
    "copied with its modes": lambda directory: Path(
        shutil.copytree(directory, directory.parent / "copy")
    ),
}


@pytest.mark.parametrize("how", CHECKED)
def test_a_ledger_of_our_own_making_passes(filled: Path, how: str) -> None:
    where = CHECKED[how](filled)
    assert place.real_place(where) == where.resolve()
    opened(where).close()
