"""`admin backup`, `restore` and `drill` at a terminal, with a server that is killed in between."""

import json
import shutil
import threading
import urllib.request
from pathlib import Path

from counterfoil.app.home import open_home
from counterfoil.clock import SystemClock
from counterfoil.events.entry import read_entry
from counterfoil.ids import SystemRandomness
from counterfoil.stores.sqlite import SqliteLogStore
from tests.cli.conftest import Foil
from tests.served_process import ServerProcess, server_process


def _event(number: int) -> dict[str, object]:
    return {
        "specversion": "1.0",
        "id": str(number),
        "source": "https://ci.example/acme/shop",
        "type": "com.example.step.finished",
        "time": "2026-11-20T12:00:00Z",
        "authtype": "service_account",
        "authid": "ci.example:acme/shop",
        "data": {"number": number},
    }


def _receipt(server: ServerProcess, index: int, to: Path) -> Path:
    request = urllib.request.Request(
        f"{server.url}/v1/entries/{index}/receipt",
        headers={"Authorization": f"Bearer {server.token}"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        to.write_bytes(answer.read())
    return to


def _entries(ledger: Path, size: int) -> list[bytes]:
    store = SqliteLogStore(ledger / "ledger.db", write=False)
    try:
        return store.entries("default", 0, size)
    finally:
        store.close()


def test_a_ledger_backed_up_while_it_served_goes_on_after_its_server_was_killed(
    foil: Foil, ledger: Path, tmp_path: Path
) -> None:
    """Entry by entry the same, and what was promised before the backup is kept."""
    backups = tmp_path / "backups"
    with server_process(ledger) as server:
        server.post([_event(number) for number in range(20)])
        kept = _receipt(server, 19, tmp_path / "kept.tlog-proof")
        stop = threading.Event()
        number = 20

        def go_on_posting() -> None:
            nonlocal number
            while not stop.is_set():
                server.post([_event(number), _event(number + 1)])
                number += 2

        posting = threading.Thread(target=go_on_posting)
        posting.start()
        taken = foil("admin", "backup", backups, "--dir", ledger, "--json")
        stop.set()
        posting.join()
        late = server.post([_event(number)])[0]
        lost = _receipt(server, late, tmp_path / "lost.tlog-proof")
        server.kill()

    assert taken.code == 0, taken.err
    size = taken.json()["logs"]["default"]
    assert 20 <= size <= late
    new = tmp_path / "new"
    words = ("admin", "restore", backups, new, "--signing-keys", ledger / "keys")
    refused = foil(*words, "--against", lost)
    restored = foil(*words, "--against", kept, "--json")

    assert refused.code == 1
    assert refused.err.endswith("[rolled_back]\n")
    assert restored.code == 0, restored.err
    assert restored.json()["compared"] == [f"{kept}: agrees"]
    assert _entries(new, size) == _entries(ledger, size)
    assert foil("verify", new, "--against", kept).code == 0
    assert foil("verify", new, "--against", lost).code == 1
    assert foil("fsck", "--dir", new, "--full").code == 0
    # It holds the entry that says it was taken.
    assert taken.json()["logs"]["_access"] == 1
    assert json.loads(taken.out)["recorded"] == [0]


def test_the_latest_backup_is_restored_beside_all_that_was_published(
    foil: Foil, ledger: Path, tmp_path: Path
) -> None:
    """A backup that lacked the entry saying it was taken would be older than `public/` at once."""
    backups, new = tmp_path / "backups", tmp_path / "new"
    with server_process(ledger) as server:
        server.post([_event(1)])
        taken = foil("admin", "backup", backups, "--dir", ledger, "--json")
        server.kill()
    shutil.copytree(ledger / "public", new / "public")

    restored = foil("admin", "restore", backups, new, "--signing-keys", ledger / "keys", "--json")

    assert (taken.code, taken.json()["logs"]["_access"]) == (0, 1), taken.err
    assert restored.code == 0, restored.err
    assert restored.json()["compared"] == [
        f"public/{log}: agrees" for log in ("_access", "_aggregate", "default")
    ]
    assert foil("verify", new).code == 0


def test_a_backup_that_broke_off_is_on_record_and_no_milestone(
    foil: Foil, ledger: Path, tmp_path: Path
) -> None:
    """An entry says that it was taken: another one has to say that it does not stand."""
    other = tmp_path / "other"
    assert foil("init", other, "--origin", "log.example/other").code == 0
    assert foil("admin", "backup", tmp_path / "backups", "--dir", other).code == 0

    refused = foil("admin", "backup", tmp_path / "backups", "--dir", ledger)

    assert refused.err.endswith("[backup_invalid]\n")
    with open_home(ledger, SystemClock(), SystemRandomness()) as home:
        types = [read_entry(one).type for one in home.log.entries("_access", 0, 9)]
        noted = home.state.milestones.latest()
    own = "dev.cdeventsx.counterfoil-backup"
    assert types == [f"{own}.taken.0.1.0", f"{own}.failed.0.1.0"]
    assert "backed_up" not in [one.what for one in noted]


def test_a_drill_is_recorded_whatever_it_came_to(foil: Foil, ledger: Path, tmp_path: Path) -> None:
    """The failed one is the one that somebody has to hear of."""
    backups = tmp_path / "backups"
    assert foil("admin", "backup", backups, "--dir", ledger).code == 0

    whole = foil("admin", "drill", backups, "--dir", ledger, "--json")
    [folder] = [path for path in backups.iterdir() if path.is_dir()]
    (folder / "ledger.db").write_bytes(b"")
    failed = foil("admin", "drill", backups, "--dir", ledger)

    assert (whole.code, whole.json()["result"]) == (0, "whole")
    assert failed.code == 1
    assert ": failed, " in failed.out
    assert "damaged  " in failed.out
    with open_home(ledger, SystemClock(), SystemRandomness()) as home:
        types = [read_entry(one).type for one in home.log.entries("_access", 0, 9)]
        noted = [one.what for one in home.state.milestones.latest() if one.project == "default"]
    own = "dev.cdeventsx.counterfoil-backup"
    assert types == [f"{own}.taken.0.1.0", f"{own}.drilled.0.1.0", f"{own}.drilled.0.1.0"]
    assert noted == ["backed_up", "drilled"]


def test_a_backup_that_cannot_be_put_on_record_stands_and_is_3(
    foil: Foil, ledger: Path, tmp_path: Path
) -> None:
    """Somebody holds the ledger and answers nowhere: a copy needs no lock, an event does."""
    with open_home(ledger, SystemClock(), SystemRandomness()):
        taken = foil("admin", "backup", tmp_path / "backups", "--dir", ledger)

    assert taken.code == 3
    assert "could not be recorded" in taken.err
    assert foil("admin", "drill", tmp_path / "backups", "--dir", ledger).code == 0


def test_a_backup_with_the_keys_that_sign_says_so_and_needs_no_others(
    foil: Foil, ledger: Path, tmp_path: Path
) -> None:
    words = ("admin", "backup", tmp_path / "backups", "--dir", ledger)
    assert "the keys that sign are not in it" in foil(*words).out

    taken = foil(*words, "--with-signing-keys")
    assert "whoever has it can sign" in taken.out
    assert foil("admin", "restore", tmp_path / "backups", tmp_path / "new").code == 0
    assert (tmp_path / "new" / "admin.token").read_bytes() == (ledger / "admin.token").read_bytes()


def test_what_is_no_backup_is_refused_in_words(foil: Foil, ledger: Path, tmp_path: Path) -> None:
    refused = foil("admin", "restore", ledger, tmp_path / "new")

    assert refused.code == 2
    assert refused.err.endswith("[backup_invalid]\n")
    assert foil("admin", "drill", ledger, "--dir", ledger).code == 2
    assert foil("admin", "backup", tmp_path / "b").err.endswith("[usage]\n")
