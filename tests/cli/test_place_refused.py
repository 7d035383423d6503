"""A place no ledger may stand in, as whoever types the command hears of it: one line, one exit code."""

import os
import sqlite3
from pathlib import Path

import pytest

from counterfoil.app.home import open_home
from counterfoil.clock import SystemClock
from counterfoil.ids import SystemRandomness
from tests.cli.conftest import Foil
from tests.served_process import server_process

RECORD = ("record", "com.example.done", "--id", "42", "--time", "2026-11-20T12:00:00Z")


def test_a_second_server_is_refused_with_who_holds_the_ledger(
    foil: Foil, ledger: Path, tmp_path: Path
) -> None:
    (tmp_path / "link").symlink_to(ledger)
    with server_process(ledger) as server:
        for name in (ledger, tmp_path / "link"):
            refused = foil("serve", "--dir", name, "--port", "0")
            assert refused.code == 4
            assert "[locked]" in refused.err
            assert f":{server.port} (process " in refused.err
            assert server.process is not None
            assert f"process {server.process.pid}" in refused.err


def test_a_record_beside_a_silent_holder_names_it_and_is_kept(foil: Foil, ledger: Path) -> None:
    with open_home(ledger, SystemClock(), SystemRandomness()):
        refused = foil(*RECORD, "--dir", ledger)
    assert refused.code == 4
    assert f"process {os.getpid()}" in refused.err


@pytest.mark.parametrize("verb", ["serve", "record", "trace", "init", "admin sign-in"])
def test_an_open_key_is_exit_2_with_the_command_that_closes_it(
    foil: Foil, ledger: Path, verb: str
) -> None:
    for name in ("keys/default.key", "state.db"):
        (ledger / name).touch(mode=0o600)
        (ledger / name).chmod(0o644)
    words = {
        "serve": ("serve", "--dir", ledger, "--port", "0"),
        "record": (*RECORD, "--dir", ledger),
        "trace": ("trace", "release:shop@1.4.2", "--dir", ledger),
        "init": ("init", ledger, "--project", "payments"),
        "admin sign-in": ("admin", "sign-in", "--dir", ledger),
    }[verb]
    refused = foil(*words)
    assert refused.code == 2
    assert len(refused.err.splitlines()) == 1
    assert "chmod 600" in refused.err
    assert refused.err.rstrip().endswith("[unsafe_access]")
    assert not (ledger / "keys/payments.key").exists()


def test_a_database_of_a_later_version_is_exit_2(foil: Foil, ledger: Path) -> None:
    with sqlite3.connect(ledger / "ledger.db") as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    refused = foil(*RECORD, "--dir", ledger)
    assert (refused.code, "later version" in refused.err) == (2, True)


def test_a_clock_that_cannot_be_right_is_exit_4(
    foil: Foil, ledger: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is lost: the same words record it once the clock is set."""
    from counterfoil.app import clock_check

    with monkeypatch.context() as later:
        later.setattr(clock_check, "EARLIEST", clock_check.LATEST)
        refused = foil(*RECORD, "--dir", ledger)
        assert refused.code == 4
        assert "[clock]" in refused.err
    assert foil(*RECORD, "--dir", ledger).code == 0
