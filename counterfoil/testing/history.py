"""One seeded history of a ledger: what clients do, what goes wrong, and what must hold meanwhile.

A seed decides everything: how often the server starts, what clients send, repeat and contradict,
which system call fails and how, when the power goes and what it leaves, whether a second process
takes over, a backup is put back or the clock steps.  The same seed is the same history, byte for
byte.

After every start, and before every end that is not a crash, all that stands is held against all
that outsiders keep (`evidence`, `check_log`).  An error that nothing in the history explains is a
false alarm and a violation too, and after a mere crash the ledger has to open.

Source: docs/life-of-an-event.md; docs/adr/0029-a-disk-that-loses-power.md.
"""

import logging
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from counterfoil.errors import CounterfoilError, EvidenceError, UnavailableError
from counterfoil.testing.calls import Calls, Counted, Ended, Fault, Kind, Trace
from counterfoil.testing.check_log import check_files, check_log, check_public, read_entries
from counterfoil.testing.clients import Clients
from counterfoil.testing.disk import Image
from counterfoil.testing.driver import SimulatedConnection, SimulatedDriver
from counterfoil.testing.evidence import Violation
from counterfoil.testing.process import DIRECTORY, PROJECTS, Machine, Parts, Process
from counterfoil.testing.standing import STANDING_ENTRIES, standing_ledger
from counterfoil.testing.vfs import simulated_vfs

AUTOCHECKPOINT_PAGES = (4, 16, 1_000)
FAULT_AT_MAX: dict[Counted, int] = {"changes": 220, "syncs": 30, "log syncs": 14, "reads": 120}
COUNTED: dict[Kind, tuple[Counted, ...]] = {
    "power cut": ("changes", "syncs"),
    "kill": ("changes", "syncs", "log syncs", "log syncs"),
    "EIO": ("changes", "syncs", "log syncs", "reads"),
    "ENOSPC": ("changes",),
}
TAKE_OVER_AFTER_MAX = 80
STEPS = (0, 0, 1, 2, 3, 4, 5, 6)
REPEATED = 12
KINDS: tuple[Kind, ...] = ("power cut", "power cut", "kill", "kill", "EIO", "ENOSPC")
CLOCK_STEPS_S = (-315_360_000.0, -3_600.0, -0.001, 0.2, 3_600.0, 315_360_000.0)
LEDGER_DB = DIRECTORY / "ledger.db"
ERASABLE_DB = DIRECTORY / "erasable.db"
_PUBLIC = f"{DIRECTORY}/public"


@dataclass
class Outcome:
    """What happened in a history that broke no promise."""

    starts: int = 0
    refused_starts: int = 0
    calls: int = 0
    acknowledged: int = 0
    power_cuts: int = 0
    kills: int = 0
    failed_calls: int = 0
    takeovers: int = 0
    restored: int = 0
    exposed: int = 0


@dataclass(frozen=True)
class Backup:
    """The directory at a moment when nobody wrote, and the sizes of its logs then."""

    image: Image
    sizes: dict[str, int]


class History:
    """One history; `run` it once.

    Args:
        seed: decides everything.
        parts: what its server processes are made of.
    """

    def __init__(self, seed: int, parts: Parts | None = None) -> None:
        image, evidence = standing_ledger(STANDING_ENTRIES[seed % len(STANDING_ENTRIES)])
        simulated_vfs().begin(seed)
        self.outcome = Outcome()
        self.machine = Machine(image, random.Random(f"disk {seed}"))  # noqa: S311  repeatable
        self._seed = seed
        self._parts = parts if parts is not None else Parts()
        self._plan = random.Random(f"plan {seed}")  # noqa: S311  the same
        self._evidence = {project: one.copy() for project, one in evidence.items()}
        self._clients = Clients(self._plan, self.machine.clock, self._evidence)
        self._backups: list[Backup] = []
        self._taken_over = False
        self._unsynced = False

    @property
    def trace(self) -> Trace:
        """What has happened so far."""
        return self.machine.trace

    def run(self) -> Outcome:
        """Let it happen.

        Raises:
            Violation: a promise was broken, or something else went wrong than a promise names:
                then it names the seed, which alone can show it again.
        """
        quiet = logging.root.manager.disable
        logging.disable(logging.CRITICAL)  # the ledger tells its log of every fault at length
        try:
            self._happen()
        except Violation:
            raise
        except (Exception, Ended) as error:
            raise Violation(f"seed {self._seed} broke: {error!r}") from error
        finally:
            logging.disable(quiet)
            self.machine.stop()
        self.outcome.acknowledged = self._clients.acknowledged
        self.outcome.calls = len(self.trace.lines)
        return self.outcome

    def _happen(self) -> None:
        for _ in range(self._plan.randint(1, 3)):
            if self._unsynced and self._plan.random() < 0.8:
                self._live_briefly()
            self._live(self._fault())
            self._taken_over = False
            if self._backups and self._plan.random() < 0.3 and not self._restore():
                return
        self._settle()

    def _fault(self) -> Fault | None:
        plan = self._plan
        if plan.random() < 0.25:
            return None
        kind = plan.choice(KINDS)
        counted = plan.choice(COUNTED[kind])
        at = plan.randint(1, FAULT_AT_MAX[counted])
        return Fault(kind, counted, at, plan.choice(("before", "half", "after")))

    def _live(self, fault: Fault | None) -> None:
        """Let one server process live and end."""
        process = self._begin(fault)
        try:
            self._start(process)
            if process.calls.ended:
                return
            if fault is None and self._plan.random() < 0.8:
                after = self._plan.randint(1, TAKE_OVER_AFTER_MAX)
                process.calls.interrupt(after, lambda: self._take_over(process))
            for _ in range(self._plan.choice(STEPS)):
                self._step(process)
            self._check(process)
            self._end(process)
        except Ended:
            self._crashed(process)
        self.outcome.failed_calls += process.calls.failed
        self._unsynced = process.calls.struck and not process.calls.lost_power

    def _live_briefly(self) -> None:
        """Start, tell what stands there, and lose the power.

        What a process before wrote and did not come to sync is told of now, or must not be.
        """
        process = self._begin(None)
        self._start(process)
        if self._plan.random() < 0.3:
            self._clients.send(process, lambda error: self._excuse(process, error))
        self._lose_power()

    def _begin(self, fault: Fault | None) -> Process:
        pages = self._plan.choice(AUTOCHECKPOINT_PAGES)
        return self.machine.begin(self._parts, fault, autocheckpoint_pages=pages)

    def _start(self, process: Process) -> None:
        """Start a process, or let its failure to start be explained."""
        self._check_published()
        self.outcome.starts += 1
        try:
            process.start()
        except CounterfoilError as error:
            self._excuse(process, error)
            self.outcome.refused_starts += 1
            self._leave(process)
        else:
            self._check(process)

    def _step(self, process: Process) -> None:
        plan = self._plan
        manner = plan.random()
        if manner < 0.55:
            self._clients.send(process, lambda error: self._excuse(process, error))
        elif manner < 0.70:
            self._export(process)
        elif manner < 0.82:
            self._read(process)
        elif manner < 0.88:
            self._back_up(process)
        elif manner < 0.92:
            self.machine.clock.step(plan.choice(CLOCK_STEPS_S))
        elif manner < 0.94 or process.calls.fault is not None:
            self._second_is_kept_out()
        else:
            self._take_over(process)

    def _export(self, process: Process) -> None:
        try:
            process.ledger.export_now()
        except CounterfoilError as error:
            self._excuse(process, error)

    def _read(self, process: Process) -> None:
        """Let readers take what the server and the public directory show at this moment."""
        project = self._plan.choice(PROJECTS)
        evidence = self._evidence[project]
        checkpoint = evidence.see(process.ledger.checkpoint(project))
        self._check_published()
        if not checkpoint.size:
            return
        index = self._plan.randrange(checkpoint.size)
        try:
            evidence.keep_receipt(index, process.ledger.receipt(project, index))
        except CounterfoilError as error:
            self._excuse(process, error)

    def _back_up(self, process: Process) -> None:
        if process.calls.struck or self._taken_over:
            return  # what this process has in memory may not be what is there
        sizes = {project: process.ledger.status(project).size for project in PROJECTS}
        self._backups.append(Backup(self.machine.disk.image(), sizes))
        self.trace.add("backup", *sizes.values())

    def _second_is_kept_out(self) -> None:
        second = self._begin(None)
        try:
            second.start()
        except UnavailableError as error:
            if error.code != "locked":
                raise Violation(f"false alarm: a second process hears {error}") from error
        else:
            raise Violation("locked: a second process started beside the first")
        finally:
            second.kill()

    def _take_over(self, first: Process) -> None:
        """Let a second process live in the middle of a call of the first, past its lock.

        Whichever of the two comes late has to find out by itself.
        """
        self._taken_over = True
        self.outcome.takeovers += 1
        self.trace.add("take over from", first.calls.name)
        second = self._begin(None)
        try:
            second.start(locked=False)
            for _ in range(self._plan.randint(1, 3)):
                self._clients.send(second, lambda error: self._excuse(second, error))
            if self._plan.random() < 0.5:
                self._export(second)
            if self._plan.random() < 0.5:
                second.close()
        except CounterfoilError as error:
            self._excuse(second, error)
        finally:
            second.kill()

    def _end(self, process: Process) -> None:
        manner = self._plan.random()
        if manner < 0.4:
            try:
                process.close()
            except CounterfoilError as error:
                self._excuse(process, error)
        elif manner < 0.7:
            self.outcome.kills += 1
            process.kill()
        else:
            self._lose_power()

    def _crashed(self, process: Process) -> None:
        if process.calls.lost_power:
            self._lose_power()
        else:
            self.outcome.kills += 1
            process.kill()

    def _leave(self, process: Process) -> None:
        """End a process that takes no work any more."""
        if self._plan.random() < 0.5:
            process.give_up()
        process.kill()

    def _lose_power(self) -> None:
        self.outcome.power_cuts += 1
        self.machine.lose_power()

    def _excuse(self, process: Process, error: CounterfoilError) -> None:
        """Find what in this history explains an error.

        Raises:
            Violation: nothing does.
        """
        self.trace.add(process.calls.name, "hears", error.code, error.message)
        failed = isinstance(error, UnavailableError) and error.code in {"storage", "read_only"}
        if process.calls.struck and failed:
            return
        late = {"locked", "storage", "rolled_back", "frozen", "damaged"}
        if self._taken_over and error.code in late:
            return
        raise Violation(f"false alarm: {error.code}: {error.message}") from error

    def _check(self, process: Process) -> None:
        """Hold everything that stands against everything outsiders keep."""
        if not process.calls.ended:
            self._check_published()
            self._check_stored("ro")

    def _check_stored(self, mode: str) -> dict[str, list[bytes]]:
        """Check what stands in the databases; return the entries of each log."""
        with self._reading(mode) as (ledger, erasable):
            entries = {
                project: check_log(ledger, erasable, evidence)
                for project, evidence in self._evidence.items()
            }
        for project, standing in entries.items():
            check_files(self._published(project), project, standing)
        return entries

    def _check_published(self) -> None:
        for project, evidence in self._evidence.items():
            check_public(self._published(project), evidence)

    def _published(self, project: str) -> dict[str, bytes]:
        return self.machine.disk.files_below(f"{_PUBLIC}/{project}")

    @contextmanager
    def _reading(self, mode: str) -> Iterator[tuple[SimulatedConnection, SimulatedConnection]]:
        """Lend connections of somebody who only looks, and whose calls never fail."""
        calls = Calls("looking", self.machine.disk, Trace(), self._plan)
        driver = SimulatedDriver(calls, 0)
        try:
            yield driver.connect(LEDGER_DB, mode), driver.connect(ERASABLE_DB, mode)
        finally:
            driver.drop()

    def _restore(self) -> bool:
        """Put a backup back and start on it; return whether the history goes on.

        What the directory itself can tell, the ledger has to: a public directory that is ahead
        of the database.  Where nothing in the directory can tell, what outsiders keep has to, and
        there the history ends.
        """
        backup = self._plan.choice(self._backups)
        later = self.machine.disk.image()
        self.machine.put_back(self._restored(backup.image, later))
        self.outcome.restored += 1
        self.trace.add("restored", *backup.sizes.values())
        behind = any(
            check_public(self._published(project), evidence) > backup.sizes[project]
            for project, evidence in self._evidence.items()
        )
        process = self._begin(None)
        self.outcome.starts += 1
        try:
            process.start()
        except EvidenceError as error:
            process.kill()
            if error.code != "rolled_back" or not behind:
                raise Violation(f"false alarm: {error.code}: {error.message}") from error
            self.outcome.refused_starts += 1
            self.machine.put_back(later)
            return True
        if behind:
            raise Violation("rolled back: a database older than its public directory was opened")
        lost = [one for one in PROJECTS if self._evidence[one].reaches(backup.sizes[one])]
        if lost:
            self._expose(process, lost)
        goes_on = not lost and self._nothing_foreign_is_published()
        process.kill()
        return goes_on

    def _nothing_foreign_is_published(self) -> bool:
        """Say whether the public directory is one of the databases that were put back.

        An export that broke off leaves tiles no checkpoint names.  The ledger meets them when it
        comes to their size, and freezes: a history that has them ends before that.
        """
        with self._reading("ro") as (ledger, _):
            standing = {project: read_entries(ledger, project) for project in PROJECTS}
        try:
            for project, entries in standing.items():
                check_files(self._published(project), project, entries)
        except Violation:
            self.outcome.exposed += 1
            return False
        return True

    def _restored(self, backup: Image, later: Image) -> Image:
        """Return what lies there after somebody put a backup back, whole or the databases alone."""
        if self._plan.random() < 0.4:
            return backup
        names = {str(LEDGER_DB)}
        if self._plan.random() < 0.5:
            names.add(str(ERASABLE_DB))
        replaced = names | {f"{name}-wal" for name in names}
        files = {path: data for path, data in later[1].items() if path not in replaced}
        files.update({path: data for path, data in backup[1].items() if path in replaced})
        return later[0], files

    def _expose(self, process: Process, lost: Sequence[str]) -> None:
        """Go on recording over what was lost, and let what outsiders keep contradict it."""
        for project in lost if self._plan.random() < 0.5 else ():
            self._clients.overwrite(process, project)
        with self._reading("ro") as (ledger, _):
            for project in lost:
                entries = read_entries(ledger, project)
                if unseen := self._evidence[project].unexposed(entries):
                    raise Violation(f"not exposed: {project}: {unseen}")
                self.outcome.exposed += 1

    def _settle(self) -> None:
        """Start once more without any fault; everything has to be there and to go on."""
        process = self._begin(None)
        self._start(process)
        self._clients.repeat_everything(
            process, lambda error: self._excuse(process, error), REPEATED
        )
        self._check(process)
        process.close()
        for project, entries in self._check_stored("ro&immutable=1").items():
            if check_public(self._published(project), self._evidence[project]) != len(entries):
                raise Violation(f"export: {project} is not published whole after an orderly end")
