"""Following in a process of its own, of low priority, so that pages never slow a receipt down.

    python -m counterfoil.app.following DIR LINES   (how to write its log, as JSON)

Folding costs more than recording.  In one process both want the interpreter's lock, and the
sender of an event waits for rows that concern nobody yet.  So a server with worker processes
follows here: signed checkpoints come in on stdin, a line each, and how far the rows are goes out
on stdout.  Logs and keys are only read; `views.db` is written by this process alone.

If this process is killed, the rows stay where its last transaction left them and another one
goes on from there (`FollowingElsewhere`); rows that were to be dropped and of which nobody said
that they are, it drops first.  If the server ends, stdin ends, and so does this.

Source: docs/adr/0021.
"""

import contextlib
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from counterfoil.app.config import LogConfig
from counterfoil.app.follow import Follower, SignedLog, signed_head
from counterfoil.app.log_lines import set_up
from counterfoil.errors import UnavailableError
from counterfoil.garbage import collect_rarely
from counterfoil.ids import SystemRandomness
from counterfoil.ledger.store import KeyStore, LogReads
from counterfoil.stores.erasable import ErasableStore
from counterfoil.stores.sqlite import SqliteLogStore
from counterfoil.stores.tables import Tables

NICENESS: Final = 19
REST_S: Final = 0.05
"""How long this process rests when entries came while it folded: then it folds more at once."""
RESTART_S: Final = 0.5
PAUSE_S: Final = 0.1
WAIT_S: Final = 600.0

_log: Final = logging.getLogger(__name__)


class Signed(msgspec.Struct, frozen=True):
    """A line in: a log has a signed head.

    `erase`: the number of a request to drop its rows first, done once however often it comes; 0 if
    there is none.
    """

    project: str
    checkpoint: bytes
    erase: int = 0


class Followed(msgspec.Struct, frozen=True):
    """A line out: how many entries the rows hold, and why it stopped ("" while it goes on).

    `erased`: the number of the request under which the rows were dropped, 0 if they were not;
    `emptied`: whether nothing of the file before is left then.
    """

    project: str
    size: int
    stopped: str = ""
    erased: int = 0
    emptied: bool = False


class FollowingElsewhere(Follower):
    """What the server knows of following that another process does.

    Args:
        directory: of the ledger.
        lines: how its log is written; the others are those of `Follower`.
    """

    def __init__(
        self,
        directory: Path,
        lines: LogConfig,
        *,
        log: LogReads,
        keys: KeyStore,
        ledger: SignedLog,
        tables: Tables,
    ) -> None:
        super().__init__(log=log, keys=keys, ledger=ledger, tables=tables)
        self._directory = directory
        self._lines = lines
        self._process: subprocess.Popen[bytes] | None = None
        self._hearing: threading.Thread | None = None
        self._requests = 0
        # What was asked for and not answered: whatever process follows is told until it is.
        self._asked: dict[str, int] = {}
        self._emptied: dict[int, bool] = {}

    @property
    def pid(self) -> int:
        """The process that follows, 0 when there is none."""
        return self._process.pid if self._process is not None else 0

    def start(self) -> None:
        """Follow every project from here on, in a process of its own."""
        self._hearing = threading.Thread(
            target=self._keep_hearing, name="counterfoil-following", daemon=True
        )
        self._process = self._spawn()
        super().start()
        self._hearing.start()

    def close(self) -> None:
        """End the process after the batch it is in."""
        super().close()
        if self._process is not None and self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()
        if self._hearing is not None:
            self._hearing.join()

    def catch_up(self, project: str) -> int:
        """Have everything up to the signed head folded; return the position."""
        self._tell(project)
        head = signed_head(self._ledger.checkpoint(project))
        self.wait_for(project, head.size, WAIT_S)
        return self.size(project)

    def erase(self, project: str) -> bool:
        """Have the rows of a project dropped; see `Follower.erase`.  One at a time.

        Raises:
            UnavailableError: `storage`: nobody said that they are; what was there may be there.
        """
        self.index.forget(project)
        with self._moved:
            self._requests += 1
            asked = self._asked[project] = self._requests
        self._tell(project)
        with self._moved:
            self._moved.wait_for(lambda: asked in self._emptied or self._closing, WAIT_S)
            emptied = self._emptied.pop(asked, None)
        self.index.forget(project)
        if emptied is None:
            raise UnavailableError(
                "storage", f"the rows of {project} were not dropped: what follows does not answer"
            )
        return emptied

    def _catch_up_due(self, project: str) -> None:
        self._tell(project)
        # A head a commit would be followed entry by entry; a moment later they are a batch.
        with self._moved:
            self._moved.wait_for(lambda: self._closing, PAUSE_S)

    def _tell(self, project: str) -> None:
        signed = Signed(project, self._ledger.checkpoint(project), self._asked.get(project, 0))
        line = msgspec.json.encode(signed) + b"\n"
        process = self._process
        if process is not None and process.stdin is not None:
            # A process that has ended is replaced, and the next one is told everything.
            with contextlib.suppress(OSError, ValueError):
                process.stdin.write(line)
                process.stdin.flush()

    def _spawn(self) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(  # noqa: S603  this project's own program
            [
                sys.executable, "-m", "counterfoil.app.following", str(self._directory),
                msgspec.json.encode(self._lines).decode(),
            ],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip

    def _keep_hearing(self) -> None:
        """Note what the process says; replace it when it ends before its time."""
        decoder = msgspec.json.Decoder(Followed)
        while True:
            assert self._process is not None
            assert self._process.stdout is not None
            with self._process.stdout as lines:
                for line in lines:
                    self._heard(decoder.decode(line))
            self._process.wait()
            if self._process.stdin is not None:
                with contextlib.suppress(OSError):
                    self._process.stdin.close()
            with self._moved:
                if self._moved.wait_for(lambda: self._closing, RESTART_S):
                    return
                # Under the lock: `close` is to end this one, and would end the one before it.
                _log.warning("the process that follows ended; it is replaced")
                self.replaced += 1
                self._process = self._spawn()
            for info in self._log.projects():
                self._tell(info.project)

    def _heard(self, followed: Followed) -> None:
        with self._moved:
            if followed.stopped:
                self._stopped[followed.project] = followed.stopped
            else:
                self._stopped.pop(followed.project, None)
            if followed.erased and followed.erased == self._asked.get(followed.project):
                del self._asked[followed.project]
                self._emptied[followed.erased] = followed.emptied
        self._note(followed.project, followed.size)


class _Told:
    """The signed heads this process was told of."""

    def __init__(self) -> None:
        self._checkpoints: dict[str, bytes] = {}

    def tell(self, signed: Signed) -> None:
        self._checkpoints[signed.project] = signed.checkpoint

    def checkpoint(self, project: str) -> bytes:
        return self._checkpoints[project]

    def on_commit(self, listener: Callable[[str, int], None]) -> None:
        """Nothing is committed here."""


class _Speaking(Follower):
    """A follower that says after each batch how far it is."""

    def _note(self, project: str, size: int) -> None:
        super()._note(project, size)
        say(Followed(project, size))


def say(followed: Followed) -> None:
    """Write a line to whoever started this process."""
    sys.stdout.buffer.write(msgspec.json.encode(followed) + b"\n")
    sys.stdout.buffer.flush()


def follow(directory: Path) -> None:
    """Follow what stdin tells of until it ends.

    Heads that came while a batch was folded are taken together: only the newest of a log counts.
    """
    log = SqliteLogStore(directory / "ledger.db", write=False)
    keys = ErasableStore(directory / "erasable.db", SystemRandomness(), write=False)
    tables = Tables(directory / "views.db")
    told = _Told()
    follower = _Speaking(log=log, keys=keys, ledger=told, tables=tables)
    due: dict[str, int] = {}
    erased: dict[str, int] = {}
    changed = threading.Condition()
    ended = threading.Event()

    def listen() -> None:
        decoder = msgspec.json.Decoder(Signed)
        for line in sys.stdin.buffer:
            signed = decoder.decode(line)
            with changed:
                told.tell(signed)
                due[signed.project] = max(signed.erase, due.get(signed.project, 0))
                changed.notify()
        with changed:
            ended.set()
            follower.close()
            changed.notify()

    threading.Thread(target=listen, daemon=True).start()
    while True:
        with changed:
            changed.wait_for(lambda: due or ended.is_set())
            if ended.is_set():
                break
            project = next(iter(due))
            erase = due.pop(project)
        if erase > erased.get(project, 0):
            emptied = follower.erase(project)
            erased[project] = erase
            say(Followed(project, 0, erased=erase, emptied=emptied))
        follower.catch_up_or_log(project)
        if (stopped := follower.stopped(project)) is not None:
            say(Followed(project, follower.size(project), stopped))
        if project in due:
            ended.wait(REST_S)
    tables.close()
    keys.close()
    log.close()


if __name__ == "__main__":
    # Ctrl-C reaches the whole group: when to end is the server's word.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(NICENESS)
    collect_rarely()
    if len(sys.argv) > 2:
        set_up(msgspec.json.decode(sys.argv[2], type=LogConfig))
    follow(Path(sys.argv[1]))
