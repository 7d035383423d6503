"""The witnesses of this ledger's logs: asked off the receipt path, their cosignatures kept.

A checkpoint is shown to the witnesses before it is published, and published after a moment
whether they answered or not; nobody who records waits for either.  Who does not answer is asked
again, later and later, and what comes late is added to the checkpoint that stands.

What must hold: a cosignature counts once it was checked; a page says "witnessed" of an entry only
when one that covers it is kept; a witness that knows another history is told to everybody, at
once, by an event in the log itself.

If we crash: cosignatures that were not kept yet are asked for again.

Source: C2SP tlog-witness; docs/adr/0022.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from counterfoil.app.answers import WitnessStatus
from counterfoil.app.asking import Alarm, Cosigned, Failed, ask, own_note
from counterfoil.app.config import WitnessConfig
from counterfoil.app.cosigned import CosignedNote, best_for, with_line, worth_keeping
from counterfoil.app.outbound import ask_witness, tell_witness
from counterfoil.clock import Clock
from counterfoil.errors import CounterfoilError, EvidenceError, UnavailableError
from counterfoil.ids import Randomness
from counterfoil.stores.files import PublicFiles
from counterfoil.stores.state import State
from counterfoil.tlog.checkpoint_text import parse_checkpoint
from counterfoil.tlog.handover import Handover, write_handover
from counterfoil.tlog.keys import VerifierKey
from counterfoil.tlog.note_text import parse_note
from counterfoil.tlog.policy import Policy
from counterfoil.tlog.tile import ReadTile
from counterfoil.tlog.tree import TreeHead

PUBLISH_WAIT_S: Final = 2.0
TICK_S: Final = 0.5
ASK_TIMEOUT_S = 5.0
BACK_OFF_FIRST_S: Final = 1.0
BACK_OFF_MAX_S: Final = 300.0
COSIGN_AGAIN_S: Final = 3_600.0
ASKED_AT_ONCE: Final = 8

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WitnessedLog:
    """A log as witnesses need it.

    Args:
        project: its name here.
        origin: its name to everybody else.
        trust: returns the keys it has had.
        handovers: returns how they followed each other.
        checkpoint: returns its newest signed checkpoint.
        read_tile: reads its tiles.
    """

    project: str
    origin: str
    trust: Callable[[], Policy]
    handovers: Callable[[], Sequence[Handover]]
    checkpoint: Callable[[], bytes]
    read_tile: ReadTile


OnAlarm = Callable[[str, str, Alarm, int], None]
"""Called with project, witness, what it said, and the size it was asked about."""


@dataclass(slots=True)
class _Standing:
    """What is known of one witness about one log."""

    known: int = 0
    problem: str = ""
    alarm: str = ""
    failures: int = 0
    due_s: float = 0.0
    asking: Future[None] | None = None
    told: set[tuple[str, int | None]] = field(default_factory=set)
    told_keys: int = 0


class Witnesses:
    """Asks every witness of the settings about every log.  Safe to call from several threads.

    Args:
        settings: the witnesses, checked by `read_config`.
        public: where checkpoints are published.
        state: where cosigned checkpoints are kept.
        clock: says when a cosignature is too old.
        randomness: spreads what is asked again, so that many logs do not come at once.
        on_alarm: told of each alarm once; called from a thread of its own.
    """

    def __init__(
        self,
        settings: Sequence[WitnessConfig],
        *,
        public: PublicFiles,
        state: State,
        clock: Clock,
        randomness: Randomness,
        on_alarm: OnAlarm,
    ) -> None:
        self._witnesses = {one.name: (one.key, one.url) for one in settings}
        self._public = public
        self._state = state
        self._clock = clock
        self._randomness = randomness
        self._on_alarm = on_alarm
        self._logs: dict[str, WitnessedLog] = {}
        self._notes: dict[str, list[CosignedNote]] = {}
        self._standing: dict[tuple[str, str], _Standing] = {}
        self._lock = threading.Lock()
        self._publishing = threading.Lock()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._pool = ThreadPoolExecutor(ASKED_AT_ONCE, thread_name_prefix="counterfoil-witness")

    @property
    def configured(self) -> bool:
        """Whether any witness is asked at all."""
        return bool(self._witnesses)

    def start(self, logs: Sequence[WitnessedLog]) -> None:
        """Read what is kept of these logs and ask from here on, in a thread of its own.

        Raises:
            UnavailableError: `storage`.
        """
        for log in logs:
            self._logs[log.project] = log
            self._notes[log.project] = self._kept(log)
            for name, (key, _) in self._witnesses.items():
                sizes = [one.head.size for one in self._notes[log.project] if _by(one, key)]
                self._standing[log.project, name] = _Standing(known=max(sizes, default=0))
        if self._witnesses:
            self._public.before_publishing = self._before_publishing
            self._thread = threading.Thread(
                target=self._run, name="counterfoil-witnesses", daemon=True
            )
            self._thread.start()

    def close(self) -> None:
        """Ask nobody any more; calls under way end by their own time limit."""
        self._ended.set()
        self._public.before_publishing = None
        if self._thread is not None:
            self._thread.join()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def size(self, project: str) -> int:
        """Return how many entries of a log some witness has cosigned; 0 for none."""
        with self._lock:
            return max((one.head.size for one in self._notes.get(project, ())), default=0)

    def best_for(self, project: str, index: int) -> CosignedNote | None:
        """Return the checkpoint by most witnesses that covers an entry; None for none."""
        with self._lock:
            return best_for(self._notes.get(project, ()), index)

    def names_for(self, project: str, index: int) -> tuple[str, ...]:
        """Return the names of the witnesses under the receipt of an entry."""
        best = self.best_for(project, index)
        return tuple(
            name
            for name, (key, _) in self._witnesses.items()
            if best is not None and _by(best, key)
        )

    def statuses(self, project: str) -> list[WitnessStatus]:
        """Return how far every witness is with a log, in the order of the settings."""
        made = []
        with self._lock:
            for name, (key, _) in self._witnesses.items():
                standing = self._standing.get((project, name), _Standing())
                latest = next((one for one in self._notes.get(project, ()) if _by(one, key)), None)
                at, size = None, 0
                if latest is not None:
                    said_s = latest.witnesses[key.name, key.key_id]
                    at, size = datetime.fromtimestamp(min(said_s, _LATEST_S), UTC), latest.head.size
                made.append(WitnessStatus(name, key, size, at, standing.problem, standing.alarm))
        return made

    def _kept(self, log: WitnessedLog) -> list[CosignedNote]:
        keys = [key for key, _ in self._witnesses.values()]
        newest = _head(log.checkpoint())
        notes = []
        for note in self._state.cosigned(log.project):
            try:
                read = CosignedNote.read(note, log.trust(), keys)
            except EvidenceError as error:
                # state.db is no evidence: the witnesses are asked again.
                _log.warning("a cosigned checkpoint of %s is dropped: %s", log.project, error)
                continue
            if read.head.size <= newest.size:
                notes.append(read)
        return worth_keeping(notes)

    def _run(self) -> None:
        while not self._ended.wait(TICK_S):
            for log in self._logs.values():
                try:
                    self._catch_up(log)
                except CounterfoilError as error:
                    _log.warning("witnesses of %s: %s", log.project, error)

    def _catch_up(self, log: WitnessedLog) -> None:
        """Ask whoever has not cosigned what is published, and publish what came late."""
        published = self._public.published(log.project)
        if published is None:
            return
        head = _head(published)
        self._ask(log, published, head, wait_s=0.0)
        note = self._note_at(log.project, head)
        # This comes twice a second: what stands there already is not read and compared again.
        if note is not None and note.note != published:
            self._publish(log.project, head)

    def _before_publishing(self, project: str, checkpoint: bytes) -> bytes:
        log = self._logs.get(project)
        if log is None:
            return checkpoint
        head = _head(checkpoint)
        self._ask(log, checkpoint, head, wait_s=PUBLISH_WAIT_S)
        note = self._note_at(project, head)
        return checkpoint if note is None else note.note

    def _note_at(self, project: str, head: TreeHead) -> CosignedNote | None:
        with self._lock:
            return next((one for one in self._notes[project] if one.head == head), None)

    def _ask(self, log: WitnessedLog, note: bytes, head: TreeHead, *, wait_s: float) -> None:
        """Ask every witness that is due about one checkpoint; wait for them, but not long."""
        until_s = time.monotonic() + wait_s
        if wait_s:
            # Who is still asked about an earlier checkpoint would be left out of this one.
            wait(self._under_way(log.project), timeout=wait_s)
        standing = self._note_at(log.project, head)
        stale_s = self._clock.now().timestamp() - COSIGN_AGAIN_S
        asked: list[Future[None]] = []
        for name, (key, _) in self._witnesses.items():
            said_s = standing.witnesses.get((key.name, key.key_id)) if standing else None
            if said_s is not None and said_s >= stale_s:
                continue
            with self._lock:
                one = self._standing[log.project, name]
                if one.asking is not None or one.due_s > time.monotonic():
                    continue
                try:
                    one.asking = self._pool.submit(self._ask_one, log, name, note, head)
                except RuntimeError:  # closing
                    continue
                asked.append(one.asking)
        if wait_s:
            wait(asked, timeout=max(0.0, until_s - time.monotonic()))

    def _under_way(self, project: str) -> list[Future[None]]:
        with self._lock:
            kept = [self._standing[project, name].asking for name in self._witnesses]
        return [one for one in kept if one is not None]

    def _ask_one(self, log: WitnessedLog, name: str, note: bytes, head: TreeHead) -> None:
        key, url = self._witnesses[name]
        standing = self._standing[log.project, name]
        try:
            self._tell_keys(log, name, url, standing)
            newest = _head(log.checkpoint()).size
            outcome, known = ask(
                own_note(note, log.origin), key, lambda body: ask_witness(url, body, ASK_TIMEOUT_S),
                log.read_tile, known=standing.known, newest=newest,
            )  # fmt: skip
            if isinstance(outcome, Cosigned):
                self._keep(log, note, outcome.line, head)
            self._noted(log.project, name, outcome, known, head)
            if isinstance(outcome, Cosigned):
                self._publish(log.project, head)
        except Exception:  # noqa: BLE001  the witness is asked again, and the others as well
            _log.exception("asking witness %s about %s failed", name, log.project)
        finally:
            with self._lock:
                standing.asking = None

    def _tell_keys(self, log: WitnessedLog, name: str, url: str, standing: _Standing) -> None:
        """Tell a witness once which key follows which; one that does not care is left alone.

        Others' witnesses know no such call: their operator lists the later key
        (docs/how-to/keys.md), and while both keys sign they take the earlier signature.
        """
        handovers = log.handovers()
        for one in handovers[standing.told_keys :]:
            try:
                answer = tell_witness(url, write_handover(one), ASK_TIMEOUT_S)
            except UnavailableError:
                return  # it is asked for its cosignature next, and that will say so
            standing.told_keys += 1
            if answer.status != 200:
                _log.warning(
                    "witness %s does not follow %s to its key %s by itself (%d): list it there",
                    name, log.project, one.later.fingerprint()[:16], answer.status,
                )  # fmt: skip

    def _keep(self, log: WitnessedLog, note: bytes, line: bytes, head: TreeHead) -> None:
        """Add one cosignature to what is kept, durably."""
        keys = [key for key, _ in self._witnesses.values()]
        with self._lock:
            before = self._notes[log.project]
            same = next((one.note for one in before if one.head == head), None)
            merged = with_line(same or own_note(note, log.origin), line)
            fresh = CosignedNote.read(merged, log.trust(), keys)
            notes = worth_keeping([fresh, *(one for one in before if one.head != head)])
            self._state.put_cosigned(log.project, {one.head.size: one.note for one in notes})
            self._notes[log.project] = notes

    def _publish(self, project: str, head: TreeHead) -> None:
        """Publish every cosignature kept of this head.

        What is kept is read again under the lock of publishing: of two witnesses that answer at
        once, the one published last must not take the line of the other away.
        """
        with self._publishing:
            kept = self._note_at(project, head)
            if kept is not None:
                self._public.cosign(project, kept.note)

    def _noted(
        self, project: str, name: str, outcome: Cosigned | Failed | Alarm, known: int,
        head: TreeHead,
    ) -> None:  # fmt: skip
        tell: Alarm | None = None
        with self._lock:
            standing = self._standing[project, name]
            standing.known = known
            if isinstance(outcome, Cosigned):
                standing.problem = standing.alarm = ""
                standing.failures = 0
                standing.due_s = 0.0
                return
            why = outcome.why
            standing.problem = why
            if isinstance(outcome, Alarm):
                standing.alarm = why
                if (outcome.kind, outcome.held_size) not in standing.told:
                    standing.told.add((outcome.kind, outcome.held_size))
                    tell = outcome
            standing.due_s = time.monotonic() + self._back_off_s(standing.failures)
            standing.failures += 1
        if tell is None:
            _log.warning("witness %s of %s: %s", name, project, why)
        else:
            _log.critical("ALARM: witness %s of %s: %s", name, project, why)
            self._on_alarm(project, name, tell, head.size)

    def _back_off_s(self, failures: int) -> float:
        """Return a delay that doubles up to five minutes, spread over half to one and a half."""
        base_s = min(BACK_OFF_MAX_S, BACK_OFF_FIRST_S * (1 << min(failures, 20)))
        spread = int.from_bytes(self._randomness.token(2), "big") / 65_536
        return base_s * (0.5 + spread)


_LATEST_S: Final = 253_402_300_799  # the end of the year 9999: what a datetime can hold


def _by(note: CosignedNote, key: VerifierKey) -> bool:
    return (key.name, key.key_id) in note.witnesses


def _head(note: bytes) -> TreeHead:
    return parse_checkpoint(parse_note(note).text).head
