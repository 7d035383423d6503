"""A ledger directory for tests: started, crashed, restarted, and checked after every step."""

import hashlib
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from counterfoil.clock import SteppedClock
from counterfoil.errors import UnavailableError
from counterfoil.ids import SeededRandomness
from counterfoil.ledger.append import Appended, Ledger
from counterfoil.ledger.store import Exporter, Item, KeyStore, LogStore, Sealed
from counterfoil.stores.erasable import ErasableStore
from counterfoil.stores.files import PublicFiles
from counterfoil.stores.sqlite import SqliteLogStore
from counterfoil.tlog.note import SignerKey
from tests.check_log import LogFound, check_log

PROJECT = "default"
ORIGIN = "ledger.example/default"
SIGNER = SignerKey.from_seed(ORIGIN, b"\x11" * 32)
ANSWER_TIMEOUT_S = 120.0


def make_item(name: str, content: str = "", *, source: str = "urn:test", blobs: int = 0) -> Item:
    """Return an item whose every part follows from its name and content."""
    seed = hashlib.sha256(f"{source}\0{name}\0{content}".encode()).digest()
    return Item(
        source=source,
        id=name,
        digest=seed,
        entry=f'{{"id":"{name}","commit":"{seed.hex()}"}}'.encode(),
        event_key=hashlib.sha256(b"key" + seed).digest(),
        salt=seed[:16],
        sealed=(
            Sealed("body", "event", b"sealed " + content.encode()),
            Sealed("authid", "actor:0123456789abcdef", b"sealed who"),
        ),
        blobs=tuple(f"sha256:{seed.hex()}" if i % 2 == 0 else "" for i in range(blobs)),
    )


def make_items(first: int, count: int) -> list[Item]:
    """Return items named by number."""
    return [make_item(f"event-{number}") for number in range(first, first + count)]


class Place:
    """One ledger directory and the process that has it open.

    Args:
        directory: made by the first `start`.

    What `given` holds is every answer any caller ever got: all of it must stay true.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.given: list[tuple[Item, Appended]] = []
        self.store: LogStore
        self.keys: KeyStore
        self.ledger: Ledger

    def create(self) -> "Place":
        """Make the directory with one empty log and start on it."""
        self.directory.mkdir(parents=True)
        ErasableStore(
            self.directory / "erasable.db", SeededRandomness("place"), create=True
        ).close()
        store = SqliteLogStore(self.directory / "ledger.db", create=True)
        store.create_log(PROJECT, ORIGIN)
        store.close()
        return self.start()

    def start(
        self,
        *,
        store: Callable[[LogStore], LogStore] = lambda one: one,
        keys: Callable[[KeyStore], KeyStore] = lambda one: one,
        exporter: Callable[[Exporter], Exporter] = lambda one: one,
        signer: SignerKey = SIGNER,
        export_interval_s: float = 3_600.0,
    ) -> "Place":
        """Open the stores, wrapped as told, and the ledger on them."""
        self.store = store(SqliteLogStore(self.directory / "ledger.db"))
        self.keys = keys(ErasableStore(self.directory / "erasable.db", SeededRandomness("place")))
        self.ledger = Ledger(
            self.store,
            self.keys,
            {PROJECT: signer},
            exporter(PublicFiles(self.directory / "public")),
            SteppedClock(),
            export_interval_s=export_interval_s,
        )
        try:
            self.ledger.open()
        except BaseException:
            self.store.close()
            self.keys.close()
            raise
        return self

    def append(self, items: Sequence[Item]) -> list[Appended]:
        """Append and note the answers."""
        answers = self.ledger.append(PROJECT, items).result(ANSWER_TIMEOUT_S)
        self.given += zip(items, answers, strict=True)
        return answers

    def wait_exported(self, size: int) -> None:
        """Wait until the export thread has published that size."""
        pause = threading.Event()
        deadline = time.monotonic() + ANSWER_TIMEOUT_S
        while self.ledger.status(PROJECT).exported_size != size:
            assert time.monotonic() < deadline, "the export did not follow"
            pause.wait(0.005)

    def stop(self) -> None:
        """Close as a server does that was asked to; a last export that fails is no matter here."""
        with suppress(UnavailableError):
            self.ledger.close()
        self.store.close()
        self.keys.close()

    def crash(self) -> None:
        """Go on from the files exactly as they lie there now, as after a kill.

        The copy is taken while everything is open, without the shared-memory index: the next
        start has to recover the write-ahead log.
        """
        copy = self.directory.with_name(f"{self.directory.name}-after-crash")
        shutil.copytree(self.directory, copy, ignore=shutil.ignore_patterns("*-shm"))
        self.stop()
        self.directory = copy

    def check(self) -> LogFound:
        """Re-verify the whole directory and every answer ever given."""
        found = check_log(self.directory, SIGNER.vkey, [answer.receipt for _, answer in self.given])
        for item, answer in self.given:
            assert found.keys[item.source, item.id] == answer.index, "an answer is not true"
            if not answer.duplicate:
                assert found.entries[answer.index] == item.entry, "an acknowledged entry changed"
        return found
