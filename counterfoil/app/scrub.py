"""The scrubber: while the server runs, everything that is kept is read again, over and over.

A flipped bit is found by whoever reads the byte next, and of most bytes that is nobody for years;
by then the backup holds the same.  So one thread re-reads, a bundle of 256 entries at a time, at
a bounded share of one processor, and every minute the edge, where a log grows.

What is found is an event in the log it concerns, once, and a banner on every page until the same
place reads whole again; that is an event too.  Nothing is repaired here: `fsck --repair` does.

If we crash: how far it has come and what is damaged stand in `state.db`.
"""

import contextlib
import dataclasses
import errno
import hashlib
import logging
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from counterfoil.app.aggregate import FILE_NAME as AGGREGATE_FILE
from counterfoil.app.aggregate import Aggregate
from counterfoil.app.answers import Reread
from counterfoil.app.record import SERVER, Recorder
from counterfoil.app.refusals import SOURCE
from counterfoil.app.scrub_look import Looked, look_at_pages, look_beside
from counterfoil.client.evidence_rows import ERASABLE, LEDGER
from counterfoil.clock import Clock, format_time, parse_time
from counterfoil.errors import CounterfoilError, EvidenceError, UnavailableError
from counterfoil.events.canonical import JSON
from counterfoil.events.event import make_event
from counterfoil.ledger.append import Ledger
from counterfoil.ledger.store import LogReads
from counterfoil.policy.access import LOG as ACCESS_LOG
from counterfoil.stores.state_milestones import Milestones
from counterfoil.stores.state_scrub import Damage, Progress, ScrubRows
from counterfoil.tlog.tile import TILE_WIDTH
from counterfoil.verifier.aggregate import AGGREGATE
from counterfoil.verifier.kept import RowNames
from counterfoil.verifier.report import Findings

__all__ = ["Damage", "Scrubber"]

DAMAGED_TYPE = "dev.cdeventsx.counterfoil-log.damaged.0.1.0"
RECOVERED_TYPE = "dev.cdeventsx.counterfoil-log.recovered.0.1.0"
EDGE_EVERY_S = 60.0
PASS_EVERY_S = 300.0
"""A small log is read through in a moment; it is not read again at once."""
PAGES_EVERY_S = 86_400.0
PAUSE_MIN_S = 0.2
PAUSE_MAX_S = 60.0
OBJECTS_SHOWN = 10
DAMAGES_MAX = 1_000

_log = logging.getLogger(__name__)
_Look = Callable[[Findings], None]


class Scrubber:
    """Re-reads the logs of an opened ledger.

    Args:
        directory: of the ledger.
        rows: where progress and damages are kept.
        clock: tells when something was found.
        share: of one processor's time that it may take, at most 1; 0 reads nothing.
        milestones: where it is noted that a log was read through and found whole.
    """

    _recorder: Recorder

    def __init__(
        self, directory: Path, rows: ScrubRows, clock: Clock, share: float, milestones: Milestones
    ) -> None:
        self._directory = directory
        self._rows = rows
        self._clock = clock
        self._share = share
        self._milestones = milestones
        self._looked: tuple[Looked, ...] = ()
        self._progress = rows.progress()
        self._damages = rows.damages()
        self._steps: Iterator[None] | None = None
        self._edges_at_s: float | None = None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def open(
        self, ledger: Ledger, log: LogReads, recorder: Recorder,
        aggregate: Aggregate | None,
    ) -> None:  # fmt: skip
        """Take the logs of an opened ledger, and that of the checkpoints of all if there is one."""
        self._recorder = recorder
        projects = [info.project for info in log.projects()]
        public = self._directory / "public"
        names = [RowNames(f" of {one}" if len(projects) > 1 else "") for one in projects]
        looked = [
            Looked(one, ledger, log, public / one, name)
            for one, name in zip(projects, names, strict=True)
        ]
        if aggregate is not None:
            reads, name = aggregate.store, RowNames(file=AGGREGATE_FILE)
            looked.append(Looked(AGGREGATE, aggregate.ledger, reads, public / AGGREGATE, name))
        self._looked = tuple(looked)

    def start(self) -> None:
        """Begin to re-read, for as long as the server runs."""
        if not self._share:
            return
        self._thread = threading.Thread(target=self._run, name="counterfoil-scrub", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop, and keep how far it has come."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            with contextlib.suppress(CounterfoilError):
                self._rows.put_progress(self._progress)

    def damages(self) -> tuple[Damage, ...]:
        """Return what is damaged as far as anybody has read, the first found first."""
        return tuple(sorted(self._damages.values(), key=lambda one: (one.found, one.place)))

    def reread(self, project: str) -> Reread | None:
        """Return how far a log is read again; None where nobody does in this process."""
        if self._thread is None:
            return None
        one = self._progress.get(project, Progress(0, "", ""))
        damaged = sum(each.log in {project, ""} for each in tuple(self._damages.values()))
        return Reread(one.next, one.ended, damaged)

    def read_through(self) -> None:
        """Read everything once, now, whatever was read before; for who has not called `start`.

        Raises:
            UnavailableError: `storage`: something cannot be read just now.
        """
        self._progress.clear()
        self._edges_at_s = None
        self._look_at_edges()
        for _ in self._pass():
            pass

    def _run(self) -> None:
        pause_s = PAUSE_MIN_S
        while not self._stop.wait(pause_s):
            began_s = time.monotonic()
            try:
                idle = self._step()
            except UnavailableError as error:
                _log.warning("re-reading: %s", error)
                self._steps, idle = None, True
            except Exception:  # noqa: BLE001  a fault of the scrubber is none of the ledger's
                _log.exception("re-reading broke off and begins again")
                self._steps, idle = None, True
            took_s = time.monotonic() - began_s
            pause_s = PAUSE_MAX_S if idle else took_s * (1 / self._share - 1)
            pause_s = min(max(pause_s, PAUSE_MIN_S), PAUSE_MAX_S)

    def _step(self) -> bool:
        """Look at one place; say whether there is nothing to do for a while."""
        if self._steps is None:
            ended = [self._progress.get(one.project, Progress(0, "", "")) for one in self._looked]
            if all(one.ended and self._age_s(one.ended) < PASS_EVERY_S for one in ended):
                self._look_at_edges()
                return True
            self._steps = self._pass()
        self._look_at_edges()
        if next(self._steps, self) is self:
            self._steps = None
            self._rows.put_progress(self._progress)
        return False

    def _pass(self) -> Iterator[None]:
        """Look at everything once, from where the last pass broke off; yield after each place."""
        for kind in (LEDGER, ERASABLE):
            if self._is_due(kind.name):
                look = partial(look_at_pages, self._directory, kind, self._stop.is_set)
                if self._look(kind.name, "", look):
                    self._progress[kind.name] = Progress(0, "", self._now())
                yield
        for one in self._looked:
            held = self._progress.get(one.project)
            began = held.began if held is not None and held.next else self._now()
            first = held.next if held is not None else 0
            ended = held.ended if held is not None else ""
            while first < one.head().size:
                self._look_at_bundle(one, first)
                first += TILE_WIDTH
                self._progress[one.project] = Progress(first, began, ended)
                yield
            self._progress[one.project] = Progress(0, began, self._now())
            self._read_whole(one.project, first)

    def _read_whole(self, project: str, end: int) -> None:
        """Note that a log was read to its end, if nothing of it is damaged."""
        if any(one.log in {project, ""} for one in self._damages.values()):
            return
        size = min(end, next(one.head().size for one in self._looked if one.project == project))
        with contextlib.suppress(CounterfoilError):
            self._milestones.note("verified", project, size, self._now())

    def _is_due(self, name: str) -> bool:
        """Say whether pages of a file were last looked at too long ago."""
        last = self._progress.get(name)
        return last is None or self._age_s(last.ended) >= PAGES_EVERY_S

    def _look_at_edges(self) -> None:
        now_s = time.monotonic()
        if self._edges_at_s is not None and now_s - self._edges_at_s < EDGE_EVERY_S:
            return
        self._edges_at_s = now_s
        for one in self._looked:
            self._look(f"{one.project}/edge", one.project, one.look_at_edge)
            if size := one.head().size:
                self._look_at_bundle(one, (size - 1) // TILE_WIDTH * TILE_WIDTH)

    def _look_at_bundle(self, one: Looked, first: int) -> None:
        def look(findings: Findings) -> None:
            one.look_at_tree(first, findings)
            if one.project != AGGREGATE:
                span = first, min(first + TILE_WIDTH, one.head().size)
                look_beside(self._directory, one.project, one.names, span, findings)
            with contextlib.suppress(EvidenceError):
                # What the log itself holds is not whole, or the checkpoint: found already.
                one.look_at_files(first, findings)

        self._look(f"{one.project}/entries/{first}", one.project, look)

    def _look(self, place: str, project: str, look: _Look) -> bool:
        """Look at one place and keep what has changed about it; say whether anybody could look."""
        findings = self._findings(place, look)
        if findings is None:
            return False  # nobody can tell just now: the next pass looks again
        known = self._damages.get(place)
        if len(findings):
            found = _damage(place, project, findings, self._now())
            if known is None and len(self._damages) >= DAMAGES_MAX:
                return True
            if known is None or not _is_same(known, found):
                self._found(found)
            elif known.entry is None:
                self._record_damage(known)
        elif known is not None:
            self._recovered(known)
        return True

    def _findings(self, place: str, look: _Look) -> Findings | None:
        """Return what a look leads to; None where the system gives nothing to look at.

        A disk that answers with an error twice has lost the place, and that is damage.  Other
        reasons, such as too many open files, are none.
        """
        for last in (False, True):
            findings = Findings()
            try:
                look(findings)
            except EvidenceError as error:
                findings.add("damaged", place, error.message)
            except UnavailableError as error:
                if not last:
                    continue
                _log.warning("re-reading %s: %s", place, error)
                if not _is_of_the_disk(error):
                    return None
                findings.add("damaged", place, f"the disk does not give it: {error.message}")
            return findings
        raise AssertionError("the last look ends in one or the other")

    def _found(self, damage: Damage) -> None:
        _log.critical("damage found: %s", damage.why)
        self._damages[damage.place] = damage
        with contextlib.suppress(CounterfoilError):
            self._rows.put_damage(damage)
        self._record_damage(damage)

    def _record_damage(self, damage: Damage) -> None:
        data: dict[str, JSON] = {
            "log": damage.log,
            "classes": [*damage.classes.split(", ")],
            "objects": [*damage.objects.split("\n")],
            "first": damage.first,
            "last": damage.last,
            "why": damage.why,
            "found": damage.found,
        }
        entered = self._record(DAMAGED_TYPE, "damage", damage, data)
        if entered is None:
            return  # the page says it all the same, and the next look tries again
        log, index = entered
        told = dataclasses.replace(damage, recorded_in=log, entry=index)
        self._damages[damage.place] = told
        with contextlib.suppress(CounterfoilError):
            self._rows.put_damage(told)

    def _recovered(self, damage: Damage) -> None:
        data: dict[str, JSON] = {
            "log": damage.log,
            "objects": [*damage.objects.split("\n")],
            "first": damage.first,
            "last": damage.last,
            "found": damage.found,
        }
        if self._record(RECOVERED_TYPE, "recovery", damage, data) is None:
            return  # until some log takes it, it stays an alarm
        del self._damages[damage.place]
        with contextlib.suppress(CounterfoilError):
            self._rows.remove_damage(damage.place)

    def _record(
        self, kind: str, name: str, damage: Damage, data: dict[str, JSON]
    ) -> tuple[str, int] | None:
        """Put it on record in the log it is about; where that takes nothing, in the ledger's own.

        Returns:
            The log and the index of the entry; None when no log takes it.
        """
        told = hashlib.sha256(f"{damage.classes}\n{damage.objects}".encode()).hexdigest()
        event = make_event(
            type=kind, source=SOURCE, id=f"{name}/{damage.found}/{damage.place}/{told[:12]}",
            time=self._now(), authtype="system", authid="counterfoil", data=data,
        )  # fmt: skip
        projects = {one.project for one in self._looked if one.project != AGGREGATE}
        wanted = damage.log if damage.log in projects else ACCESS_LOG
        for log in dict.fromkeys((wanted, ACCESS_LOG)):
            with contextlib.suppress(CounterfoilError):
                [answer] = self._recorder.record_own(log, [event], SERVER)
                return log, answer.index
        return None

    def _age_s(self, moment: str) -> float:
        return abs((self._clock.now() - parse_time(moment)).total_seconds())

    def _now(self) -> str:
        return format_time(self._clock.now())


def _is_same(known: Damage, found: Damage) -> bool:
    """Say whether a place is damaged as it was: whatever else is, is told anew."""
    return (known.classes, known.objects, known.first, known.last) == (
        found.classes, found.objects, found.first, found.last,
    )  # fmt: skip


def _is_of_the_disk(error: UnavailableError) -> bool:
    cause = error.__cause__
    name = str(getattr(cause, "sqlite_errorname", ""))
    return name.startswith("SQLITE_IOERR") or getattr(cause, "errno", None) == errno.EIO


def _damage(place: str, project: str, findings: Findings, now: str) -> Damage:
    found = list(findings)
    objects = list(dict.fromkeys(one.object for one in found))
    if len(objects) > OBJECTS_SHOWN:
        objects[OBJECTS_SHOWN:] = [f"and {len(objects) - OBJECTS_SHOWN} more"]
    firsts = [one.first for one in found if one.first is not None]
    lasts = [one.last for one in found if one.last is not None]
    return Damage(
        place=place,
        log=project,
        classes=", ".join(sorted({one.klass for one in found})),
        objects="\n".join(objects),
        first=min(firsts, default=None),
        last=max(lasts, default=None),
        why=found[0].line(),
        found=now,
    )
