"""Following in another process: the same rows, and a killed one is replaced."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import msgspec
import pytest

from counterfoil.app.follow import Follower
from counterfoil.app.following import Followed, FollowingElsewhere, Signed
from counterfoil.app.founding import create_home
from counterfoil.app.home import open_home
from counterfoil.app.record import LOCAL
from counterfoil.clock import SystemClock
from counterfoil.errors import UnavailableError
from counterfoil.ids import SystemRandomness
from counterfoil.stores.erasable import ErasableStore
from counterfoil.stores.tables import Tables
from tests.erasing_story import LOGIN, NAME, erase, holding, settle, tell
from tests.ledgers import make_sample

PROJECT = "default"
SOON_S = 60.0


def _until(what: Callable[[], bool]) -> bool:
    end = time.monotonic() + SOON_S
    pause = threading.Event()
    while not what() and time.monotonic() < end:
        pause.wait(0.02)
    return what()


def _replaced(follower: FollowingElsewhere, killed: int) -> bool:
    return follower.pid != killed


def test_rows_made_elsewhere_are_the_rows_and_a_killed_follower_is_replaced(
    tmp_path: Path,
) -> None:
    """Rows and position are of one transaction, so a kill anywhere leaves whole rows."""
    directory = tmp_path / "ledger"
    create_home(directory, SystemRandomness())
    with open_home(directory, SystemClock(), SystemRandomness(), follow_elsewhere=True) as home:
        follower = home.follower
        assert isinstance(follower, FollowingElsewhere)
        for first in range(0, 400, 100):
            events = [make_sample(number) for number in range(first, first + 100)]
            home.recorder.record(PROJECT, events, LOCAL, "cli")
            killed = follower.pid
            os.kill(killed, signal.SIGKILL)
            assert _until(partial(_replaced, follower, killed))
        assert follower.wait_for(PROJECT, 400, SOON_S)
        assert follower.size(PROJECT) == 400
        elsewhere = list(home.tables.dump())
        here = Tables(tmp_path / "views.db")
        beside = Follower(log=home.log, keys=home.keys, ledger=home.ledger, tables=here)
        beside.catch_up(PROJECT)

        assert list(here.dump()) == elsewhere
        here.close()
    assert not Path(f"/proc/{follower.pid}").exists()


class _ClosedMeanwhile(FollowingElsewhere):
    """Closed by another thread while a process that ended is being replaced."""

    closer: threading.Thread | None = None

    def _spawn(self) -> "subprocess.Popen[bytes]":
        if self.pid and self.closer is None:
            self.closer = threading.Thread(target=self.close, daemon=True)
            self.closer.start()
            # As far as it comes before the next process is there to be ended.
            self.closer.join(0.5)
        return super()._spawn()


def test_closing_ends_a_process_that_is_only_now_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its stdin would stay open, and closing would wait for it for ever."""
    directory = tmp_path / "ledger"
    create_home(directory, SystemRandomness())
    monkeypatch.setattr("counterfoil.app.home.FollowingElsewhere", _ClosedMeanwhile)
    with open_home(directory, SystemClock(), SystemRandomness(), follow_elsewhere=True) as home:
        follower = home.follower
        assert isinstance(follower, _ClosedMeanwhile)
        killed = follower.pid
        os.kill(killed, signal.SIGKILL)
        assert _until(lambda: follower.pid != killed)
        assert follower.closer is not None
        follower.closer.join(10.0)
        hangs = follower.closer.is_alive()
        if hangs:
            os.kill(follower.pid, signal.SIGKILL)
        assert not hangs


def _misplace_rows(directory: Path, size: int) -> bytes:
    """Make a ledger of one entry whose rows say they rest on `size`; return its checkpoint."""
    create_home(directory, SystemRandomness())
    with open_home(directory, SystemClock(), SystemRandomness()) as home:
        home.recorder.record(PROJECT, [make_sample(0)], LOCAL, "cli")
        home.follower.catch_up(PROJECT)
        with home.tables.write(PROJECT) as writing:
            position = writing.position()
            writing.set_position(type(position)(size, position.nodes * 2, position.root))
        return home.ledger.checkpoint(PROJECT)


def test_why_following_stopped_is_told_across_processes(tmp_path: Path) -> None:
    """Rows that rest on more entries than the log has: the same refusal, the same words."""
    directory = tmp_path / "ledger"
    _misplace_rows(directory, 9)
    with open_home(directory, SystemClock(), SystemRandomness(), follow_elsewhere=True) as home:
        assert _until(lambda: home.follower.stopped(PROJECT) is not None)
        assert "rest on 9 entries" in (home.follower.stopped(PROJECT) or "")


def test_a_defect_in_one_project_does_not_end_the_process_that_follows(tmp_path: Path) -> None:
    """One that ends is started again, meets the same rows and ends again, for ever."""
    directory = tmp_path / "ledger"
    # A tree of one entry has one node at its right edge: none has this shape.
    checkpoint = _misplace_rows(directory, 1)
    with subprocess.Popen(
        [sys.executable, "-m", "counterfoil.app.following", str(directory)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        for _ in range(2):
            process.stdin.write(msgspec.json.encode(Signed(PROJECT, checkpoint)) + b"\n")
            process.stdin.flush()
            said = msgspec.json.decode(process.stdout.readline(), type=Followed)
            assert said.stopped.startswith("a defect: AssertionError")
        process.stdin.close()
        assert process.wait(SOON_S) == 0


class _KilledOnceTold(FollowingElsewhere):
    """Told to drop rows, its process is killed before it gets to that."""

    def erase(self, project: str) -> bool:
        if self.replaced:
            return super().erase(project)
        os.kill(self.pid, signal.SIGSTOP)
        killing = threading.Timer(0.3, os.kill, (self.pid, signal.SIGKILL))
        killing.start()
        try:
            return super().erase(project)
        finally:
            killing.join()


def test_words_that_are_erased_go_from_the_rows_though_what_follows_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it was told is lost with it; who takes its place has to be told again."""
    directory = tmp_path / "ledger"
    create_home(directory, SystemRandomness())
    monkeypatch.setattr("counterfoil.app.home.FollowingElsewhere", _KilledOnceTold)
    with open_home(directory, SystemClock(), SystemRandomness(), follow_elsewhere=True) as home:
        tell(home, files=False)
        done = erase(home)
        settle(home)

        assert done.done
        assert home.follower.replaced == 1
        assert holding(directory, LOGIN, NAME) == []


def test_an_erasure_is_not_done_while_nobody_says_that_the_rows_are_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next start does it: nothing is noted as carried out."""
    directory = tmp_path / "ledger"
    create_home(directory, SystemRandomness())
    monkeypatch.setattr("counterfoil.app.following.WAIT_S", 0.2)
    with open_home(directory, SystemClock(), SystemRandomness(), follow_elsewhere=True) as home:
        follower = home.follower
        assert isinstance(follower, FollowingElsewhere)
        home.recorder.record(PROJECT, [make_sample(0)], LOCAL, "cli")
        os.kill(follower.pid, signal.SIGSTOP)
        try:
            with pytest.raises(UnavailableError, match="does not answer"):
                erase(home, entry=0, field=["body"])
        finally:
            os.kill(follower.pid, signal.SIGCONT)
        erasure = home.log.head(PROJECT).size - 1
    keys = ErasableStore(directory / "erasable.db", SystemRandomness(), write=False)
    _, done_to = keys.erasing.upto(PROJECT)
    keys.close()
    with open_home(directory, SystemClock(), SystemRandomness()) as home:
        _, done_after = home.keys.erasing.upto(PROJECT)

    assert done_to <= erasure < done_after
