"""One server process on a simulated machine: the real ledger, driven step by step.

The ledger, its stores, its exporter and its signer are the product's own; below them are the
simulated calls.  Threads would make a seed unrepeatable, so there are none: the caller takes the
writer's and the exporter's turns, in an order the seed decides.  What the process holds in memory
is gone with it; what it wrote is the machine's.

The machine keeps what processes share: the disk, the clock and the lock of the directory, which
goes with the process that holds it, as flock(2) does.
"""

import random
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from counterfoil.clock import Clock, SteppedClock
from counterfoil.errors import CounterfoilError, UnavailableError
from counterfoil.ids import SeededRandomness
from counterfoil.ledger.append import Appended, Ledger
from counterfoil.ledger.commit import Placed
from counterfoil.ledger.receipts import Receipts
from counterfoil.ledger.store import Exporter, Item, KeyStore, LogStore
from counterfoil.stores.erasable import ErasableStore
from counterfoil.stores.file_system import FileSystem
from counterfoil.stores.files import PublicFiles
from counterfoil.stores.sqlite import SqliteLogStore
from counterfoil.stores.sqlite_driver import Driver
from counterfoil.testing.calls import Calls, Ended, Fault, Trace
from counterfoil.testing.disk import Disk, Image
from counterfoil.testing.driver import SimulatedDriver
from counterfoil.testing.files import SimulatedFiles
from counterfoil.tlog.note import SignerKey
from counterfoil.tlog.tree import leaf_hash

DIRECTORY = Path("/ledger")
PROJECTS = ("main", "side")
SIGNERS = {
    project: SignerKey.from_seed(f"simulated.example/{project}", project.encode().ljust(32, b"."))
    for project in PROJECTS
}


def _ledger(store: LogStore, keys: KeyStore, exporter: Exporter, clock: Clock) -> Ledger:
    return Ledger(store, keys, SIGNERS, exporter, clock)


@dataclass(frozen=True)
class Parts:
    """What a process is made of; whoever wants to see the simulator fail replaces one part."""

    calls: Callable[[str, Disk, Trace, random.Random, Fault | None], Calls] = Calls
    driver: Callable[[Calls, int], SimulatedDriver] = SimulatedDriver
    log_store: Callable[[Path, Driver], LogStore] = lambda path, driver: SqliteLogStore(
        path, driver=driver
    )
    key_store: Callable[[Path, Driver], KeyStore] = lambda path, driver: ErasableStore(
        path, SeededRandomness("people"), driver=driver
    )
    exporter: Callable[[Path, FileSystem], Exporter] = PublicFiles
    ledger: Callable[[LogStore, KeyStore, Exporter, Clock], Ledger] = _ledger


@dataclass(frozen=True)
class Answer:
    """What a client holds of one event after it was answered; no receipt is no bytes."""

    index: int
    duplicate: bool
    receipt: bytes


class Machine:
    """What processes share.

    Args:
        image: what lies on the disk.
        chance: decides what a power cut leaves.
    """

    def __init__(self, image: Image, chance: random.Random) -> None:
        self.disk = Disk(image)
        self.clock = SteppedClock()
        self.trace = Trace()
        self.processes: list[Process] = []
        self.lock_holder: Process | None = None
        self._chance = chance
        self._begun = 0

    def begin(
        self,
        parts: Parts,
        fault: Fault | None = None,
        *,
        autocheckpoint_pages: int,
    ) -> "Process":
        """Begin a process; it has opened nothing yet."""
        self._begun += 1
        calls = parts.calls(f"p{self._begun}", self.disk, self.trace, self._chance, fault)
        process = Process(self, calls, parts, autocheckpoint_pages)
        self.processes.append(process)
        return process

    def stop(self) -> None:
        """End every process."""
        for process in list(self.processes):
            process.kill()

    def lose_power(self) -> None:
        """End every process and keep of the disk what a power cut leaves."""
        self.trace.add("power cut")
        self.stop()
        self.put_back(self.disk.lose_power(self._chance))

    def put_back(self, image: Image) -> None:
        """Lay other files on the disk, durable; nothing may be running."""
        assert not self.processes, "a disk is changed while nobody uses it"
        self.disk = Disk(image)


class Process:
    """One server process.

    Args:
        machine: it runs on.
        calls: its own.
        parts: what it is made of.
        autocheckpoint_pages: when its writer folds a write-ahead log into the file.
    """

    ledger: Ledger

    def __init__(
        self, machine: Machine, calls: Calls, parts: Parts, autocheckpoint_pages: int
    ) -> None:
        self.calls = calls
        self._machine = machine
        self._parts = parts
        self._driver = parts.driver(calls, autocheckpoint_pages)
        self._files = SimulatedFiles(calls)
        self._stores: list[LogStore | KeyStore] = []

    def start(self, *, locked: bool = True) -> None:
        """Open the directory as a server does: lock, stores, checks, signed and published heads.

        Args:
            locked: whether the directory's lock still keeps a second process out.

        Raises:
            UnavailableError, EvidenceError: it does not start.
            Ended: it did not live to the end of it.
        """
        if locked:
            if self._machine.lock_holder is not None:
                raise UnavailableError("locked", f"another process owns {DIRECTORY}")
            self._machine.lock_holder = self
        store = self._parts.log_store(DIRECTORY / "ledger.db", self._driver)
        self._stores.append(store)
        keys = self._parts.key_store(DIRECTORY / "erasable.db", self._driver)
        self._stores.append(keys)
        self.exporter = self._parts.exporter(DIRECTORY / "public", self._files)
        self.ledger = self._parts.ledger(store, keys, self.exporter, self._machine.clock)
        self.ledger.check()

    def append(
        self,
        requests: Sequence[tuple[str, Sequence[Item], bool]],
        hear: Callable[[int, "list[Answer] | CounterfoilError"], None],
    ) -> None:
        """Queue requests and take the writer's turn.

        Args:
            requests: project, items, and whether the sender builds the receipts himself, as a
                worker process does.
            hear: is given what each sender heard, by the number of his request.  Who was
                answered before the process ended has his answer.

        Raises:
            Ended: it did not live to the end of the turn.
        """
        waiting = [
            self.ledger.place(project, items) if places else self.ledger.append(project, items)
            for project, items, places in requests
        ]
        try:
            self.ledger.write_queued()
        finally:
            for number, (future, (_, items, _)) in enumerate(zip(waiting, requests, strict=True)):
                if future.done():
                    hear(number, _heard(future, items))

    def close(self) -> None:
        """End as a server does that was asked to.

        Raises:
            CounterfoilError: the last export or the end of a store failed.
            Ended: it was killed meanwhile.
        """
        try:
            self.ledger.close()
            self.ledger.export_now()
            for store in reversed(self._stores):
                store.close()
        finally:
            self.kill()

    def kill(self) -> None:
        """End at once; what was written stays written, and nothing else happens."""
        self._driver.drop()
        if self._machine.lock_holder is self:
            self._machine.lock_holder = None
        with suppress(ValueError):
            self._machine.processes.remove(self)

    def give_up(self) -> None:
        """End after an error, as orderly as that allows."""
        with suppress(CounterfoilError, Ended):
            for store in reversed(self._stores):
                store.close()
        self.kill()


def _heard(
    future: "Future[list[Appended]] | Future[Placed]", items: Sequence[Item]
) -> list[Answer] | CounterfoilError:
    try:
        result = future.result(0)
    except CounterfoilError as error:
        return error
    if isinstance(result, Placed):
        return _build(items, result)
    return [Answer(one.index, one.duplicate, one.receipt) for one in result]


def _build(items: Sequence[Item], placed: Placed) -> list[Answer]:
    """Return the answers a worker makes of its entries; it has no receipt for earlier ones."""
    receipts = Receipts(placed.added) if placed.added.leaves else None
    answers = []
    for item, index in zip(items, placed.indices, strict=True):
        leaf = leaf_hash(item.entry)
        at = index - placed.added.first
        # An entry of somebody else's in the same commit, or an earlier one: a duplicate.
        mine = 0 <= at < len(placed.added.leaves) and placed.added.leaves[at] == leaf
        receipt = receipts.receipt(index, item.entry, leaf) if mine and receipts else b""
        answers.append(Answer(index, not mine, receipt))
    return answers
