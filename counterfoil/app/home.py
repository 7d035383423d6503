"""A ledger directory: made once, opened by one process at a time, and wired here.

    DIR/counterfoil.toml  settings             DIR/keys/      PROJECT.key 0600, PROJECT.vkey
    DIR/ledger.db         the truth            DIR/erasable.db  keys that erasing destroys
    DIR/views.db          derived, rebuildable DIR/state.db   operational, no evidence
    DIR/public/PROJECT/   the exported log     DIR/blobs/     evidence bytes, sealed
    DIR/admin.token 0600  first administrator  DIR/lock       held by the process that writes

What must hold: whoever writes holds the lock from before the first byte until after the last.
"""

import contextlib
import functools
import logging
import os
import re
import threading
from collections.abc import Iterable
from datetime import datetime
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from counterfoil.app.access import Access
from counterfoil.app.asks import Asks
from counterfoil.app.blobs import Blobs
from counterfoil.app.circumstances import Looking
from counterfoil.app.clock_check import check_clock, doubt
from counterfoil.app.config import Config, read_config
from counterfoil.app.erasing import Eraser
from counterfoil.app.follow import Follower
from counterfoil.app.following import FollowingElsewhere
from counterfoil.app.holds import Holds
from counterfoil.app.jobs import Jobs
from counterfoil.app.keeping import Keeping
from counterfoil.app.live import Live
from counterfoil.app.meters import meters_of
from counterfoil.app.naming import check_ledger, require_log
from counterfoil.app.outside import Outside
from counterfoil.app.place import real_place, take_lock
from counterfoil.app.read import Reader
from counterfoil.app.record import SERVER, Recorder
from counterfoil.app.reserved import base_of, read_signer
from counterfoil.app.retention import Retention
from counterfoil.app.scrub import Scrubber
from counterfoil.app.signing import open_signing
from counterfoil.app.spool import SpoolWatch, deliver_into
from counterfoil.app.tokens import Tokens
from counterfoil.app.versions import naming_writer, note_version, refuse_later
from counterfoil.clock import Clock
from counterfoil.errors import CounterfoilError, EvidenceError, RequestError
from counterfoil.events.entry import read_entry
from counterfoil.ids import Randomness
from counterfoil.ledger.append import Ledger
from counterfoil.policy.access import LOG as ACCESS_LOG
from counterfoil.stores.blobs import BlobFiles
from counterfoil.stores.erasable import ErasableStore
from counterfoil.stores.files import PublicFiles, os_errors_translated
from counterfoil.stores.sqlite import SqliteLogStore
from counterfoil.stores.state import State
from counterfoil.stores.tables import Tables

_TOKEN = re.compile(r"[!-~]{16,200}")
HOUSEKEEPING_S = 1.0
SWEEP_EVERY_S = 3_600.0
_log = logging.getLogger(__name__)


class Home:
    """One opened ledger directory with everything wired; close it, or use it in a `with`."""

    def __init__(  # noqa: PLR0915  the one place where everything is wired
        self,
        directory: Path,
        lock: int,
        clock: Clock,
        randomness: Randomness,
        *,
        follow_elsewhere: bool = False,
    ) -> None:
        """Wire an existing ledger whose lock the caller has taken; see `open_home`."""
        self.directory = directory
        self.clock = clock
        self.randomness = randomness
        self.config: Config = read_config(directory)
        self.admin_token = _read_token(directory / "admin.token")
        self._lock = lock
        self._stop = threading.Event()
        with contextlib.ExitStack() as opened:
            self.log = SqliteLogStore(directory / "ledger.db")
            opened.callback(self.log.close)
            self.keys = ErasableStore(directory / "erasable.db", randomness)
            opened.callback(self.keys.close)
            self.state = State(directory / "state.db")
            opened.callback(self.state.close)
            self.blobs = Blobs(
                files=BlobFiles(directory / "blobs"),
                keys=self.keys,
                log=self.log,
                state=self.state,
                clock=clock,
                randomness=randomness,
                quota_bytes=self.config.blobs.quota_bytes,
            )
            self.tables = Tables(directory / "views.db")
            opened.callback(self.tables.close)
            _ensure_access_log(directory, self.config, self.log, randomness)
            signers = open_signing(directory, self.config, self.log)
            self.public = PublicFiles(directory / "public")
            self.outside = Outside(self.config, self.public, self.state, clock, randomness)
            # Before the ledger's: what that publishes at its end is still shown to witnesses.
            opened.callback(self.outside.close)
            self.ledger = Ledger(self.log, self.keys, signers, self.public, clock)
            self.meters = meters_of(self.ledger)
            self.ledger.open()
            opened.callback(self.ledger.close)
            _look_at_clock(self.ledger, signers, clock)
            self.eraser = Eraser(directory, self.log, self.keys, self.state, self.tables)
            self.eraser.finish()
            self.live = Live()
            opened.callback(self.live.close)
            self.access = Access(
                self.log,
                self.keys,
                clock,
                randomness,
                tiers=self.config.tiers,
                policy_text=self._policy_text,
                asked_rows=self.state.asked,
            )
            self.recorder = Recorder(
                ledger=self.ledger,
                log=self.log,
                keys=self.keys,
                blobs=self.blobs,
                clock=clock,
                randomness=randomness,
                may=self.access.decide,
            )
            self.access.open(self.recorder)
            self.tokens = Tokens(
                self.state.tokens, self.access, self.admin_token, clock, randomness
            )
            self.jobs = Jobs(self.state.jobs, self.access, clock)
            follower = (
                partial(FollowingElsewhere, directory, self.config.log)
                if follow_elsewhere
                else partial(Follower)
            )
            self.follower: Follower = follower(
                log=self.log, keys=self.keys, ledger=self.ledger, tables=self.tables
            )
            self.reader = Reader(
                log=self.log,
                keys=self.keys,
                ledger=self.ledger,
                tables=self.tables,
                follower=self.follower,
                clock=clock,
                receipt_of=self.outside.receipt,
                directory=self.access.directory,
                erased_of=self.eraser.book.of,
            )
            self.access.look = Looking(
                self.reader,
                self.follower,
                self.log,
                self.access.directory,
                self.access.tiers,
                clock,
            )
            self.eraser.open(self.recorder, self.access, self.follower)
            self.spool = SpoolWatch(
                directory / "spool",
                deliver_into(self.recorder, self.log, is_stopping=self._stop.is_set),
            )
            self.outside.open(directory, self.ledger, self.log, self.recorder)
            self.scrub = Scrubber(
                directory,
                self.state.scrub,
                clock,
                self.config.scrub.share_percent / 100,
                self.state.milestones,
            )
            self.scrub.open(self.ledger, self.log, self.recorder, self.outside.aggregate)
            opened.callback(self.scrub.close)
            self.ledger.on_commit(self.live.publish)
            self.follower.start()
            opened.callback(self.follower.close)
            self._housekeeper = threading.Thread(
                target=self._keep_house, name="counterfoil-housekeeping", daemon=True
            )
            self._housekeeper.start()
            self._opened = opened.pop_all()

    @functools.cached_property
    def asks(self) -> Asks:
        """What takes two people, and was asked for by one."""
        return Asks(self.log, self.keys, self.access, self.clock)

    @functools.cached_property
    def keeping(self) -> Keeping:
        """The rules by which things expire, and the holds that keep them."""
        return Keeping(self.log, self.keys, self.state.keeping)

    @functools.cached_property
    def holds(self) -> Holds:
        """What is held."""
        return Holds(self.keeping, self.log, self.access, self.clock)

    @functools.cached_property
    def retention(self) -> Retention:
        """What expires by the rules."""
        said = self.config.retention
        return Retention(
            self.log, self.keeping, self.holds, self.access, self.clock, self.eraser.carry_out,
            said.hour if said.automatic else None,
        )  # fmt: skip

    def require_project(self, project: str) -> None:
        """Refuse a project this ledger has no log for.

        Raises:
            RequestError: `project_invalid`, `project_unknown`.
        """
        require_log(self.log, project)

    def _policy_text(self, digest: str) -> str:
        """Return the text of a policy set that was put in force."""
        key = self.keys.blob(digest)
        if key is None:
            raise EvidenceError("missing", f"the policy set {digest} is kept nowhere; roll back")
        return b"".join(self.blobs.opened(key)).decode("utf-8")

    def _keep_house(self) -> None:
        swept_at: datetime | None = None
        while not self._stop.wait(HOUSEKEEPING_S):
            now = self.clock.now()
            if swept_at is None or abs((now - swept_at).total_seconds()) >= SWEEP_EVERY_S:
                swept_at = now
                with contextlib.suppress(CounterfoilError):
                    self.blobs.sweep()
            # A refusal that cannot be recorded must not end the housekeeping of those that can.
            with contextlib.suppress(CounterfoilError):
                self.recorder.record_refusals()
                self.recorder.record_readings()
            with contextlib.suppress(CounterfoilError):
                self.tokens.flush()
                self.access.flush()
            with contextlib.suppress(CounterfoilError, OSError):
                self.spool.look()
            with contextlib.suppress(CounterfoilError):
                self.retention.look(SERVER)
            with contextlib.suppress(CounterfoilError):
                self.eraser.tidy()

    def close(self) -> None:
        """Record what is counted, export, fold the write-ahead log, give the lock back; once."""
        if self._stop.is_set():
            return
        self._stop.set()
        self._housekeeper.join()
        try:
            with contextlib.suppress(CounterfoilError):
                self.recorder.record_refusals(everything=True)
                self.recorder.record_readings(everything=True)
            with contextlib.suppress(CounterfoilError):
                self.tokens.flush()
            self.ledger.export_now()
            with contextlib.suppress(CounterfoilError):
                self.eraser.close()
        finally:
            self._opened.close()
            os.close(self._lock)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def open_home(
    directory: Path, clock: Clock, randomness: Randomness, *, follow_elsewhere: bool = False
) -> Home:
    """Open a ledger for writing: take its lock, check it, start its threads.

    With `follow_elsewhere` the rows of pages are made by a process of their own.

    Raises:
        RequestError: `dir_missing`, `not_a_ledger`, `config_invalid`, `unsafe_access`,
            `network_storage`.
        UnavailableError: `locked` (somebody else has it), `read_only`, `storage`, `clock`.
        EvidenceError: the start-up checks found `damaged`, `rolled_back` or `forked`.
    """
    check_ledger(directory)
    check_clock(clock.now())
    with os_errors_translated(directory), naming_writer(directory):
        # By its own name from here on: two links to it are one ledger, with one lock.
        real = real_place(directory)
        lock = take_lock(real)
        try:
            refuse_later(real)
            note_version(real)
            return Home(real, lock, clock, randomness, follow_elsewhere=follow_elsewhere)
        except BaseException:
            os.close(lock)
            raise


def _look_at_clock(ledger: Ledger, projects: Iterable[str], clock: Clock) -> None:
    """Tell the operator where the clock does not go with what was recorded."""
    for project in projects:
        last = ledger.last_entry(project)
        why = doubt(clock.now(), read_entry(last).recordedtime) if last else ""
        if why:
            _log.warning("log %s: %s", project, why)


def _ensure_access_log(
    directory: Path, config: Config, log: SqliteLogStore, randomness: Randomness
) -> None:
    """Make the log of who may do what, once.

    If we crash after the key and before the log, the next start finds the key and goes on.
    """
    infos = log.projects()
    if ACCESS_LOG in {info.project for info in infos}:
        return
    keys = directory / config.keys.directory
    signer = read_signer(keys, ACCESS_LOG, base_of(infos), randomness)
    log.create_log(ACCESS_LOG, signer.name)


def _read_token(path: Path) -> str:
    """Return the first administrator's token: long enough that nobody guesses it.

    Raises:
        RequestError: `config_invalid`.
    """
    token = path.read_text("ascii", errors="replace").strip()
    if not _TOKEN.fullmatch(token):
        raise RequestError(
            "config_invalid",
            f"{path} holds no token of 16 to 200 letters; write one and start again",
        )
    return token
