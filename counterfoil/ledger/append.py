"""The ledger: the queue, the one writer thread, and everything read under a signed head.

Appending is group commit: the writer takes all that is queued as soon as it is free, so a lone
event waits for nobody and a crowd shares one sync.  Every append call is all or nothing and
order inside a call is kept.

What must hold: one process at a time (the caller holds the directory's lock), one writer thread,
and no answer before commit, self-check and signature.  After a failed write the state of the disk
is unknown: the ledger takes nothing more until a restart has looked.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from counterfoil.clock import Clock
from counterfoil.errors import CounterfoilError, EvidenceError, RequestError, UnavailableError
from counterfoil.ledger.commit import Appended, Committer, LogState, Placed, Request, frozen
from counterfoil.ledger.export import bundle, export_log
from counterfoil.ledger.measure import Batch
from counterfoil.ledger.receipt import build_receipt
from counterfoil.ledger.selfcheck import check_at_start
from counterfoil.ledger.sign import Notary, Signed, Signing
from counterfoil.ledger.store import Exporter, Item, KeyStore, LogStore
from counterfoil.tlog.note import SignerKey, VerifierKey
from counterfoil.tlog.policy import Policy
from counterfoil.tlog.tile import TILE_HEIGHT, TILE_WIDTH, node_from_tiles
from counterfoil.tlog.tree import HASH_SIZE, TreeHead

__all__ = ["Appended", "Ledger", "LogStatus", "Placed"]

QUEUE_ENTRIES_MAX = 4_096
EXPORT_INTERVAL_S = 1.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LogStatus:
    """How one log is doing.

    Args:
        size: of the signed head.
        exported_size: of the published checkpoint.
        frozen: why nothing more is signed; "" while all is well.
        stopped: why the whole ledger takes no writes; "" while it does.
        export_failed: why the last export broke off; "" if it did not.
        committed_at: when this process last committed to the log; None before it did.
    """

    size: int
    exported_size: int
    frozen: str
    stopped: str
    export_failed: str
    committed_at: datetime | None


class Ledger:
    """All logs of one ledger directory.

    Args:
        store: the truth.
        keys: the key store.
        signers: the signing key of each project, or all that signs it; its name is the origin.
        exporter: the public directories.
        clock: tells when a commit was; nothing in the log depends on it.
        export_interval_s: how long after a commit it is published, with what came meanwhile.
    """

    def __init__(
        self,
        store: LogStore,
        keys: KeyStore,
        signers: Mapping[str, SignerKey | Signing],
        exporter: Exporter,
        clock: Clock,
        *,
        export_interval_s: float = EXPORT_INTERVAL_S,
    ) -> None:
        self._store = store
        self._exporter = exporter
        self._clock = clock
        self._export_interval_s = export_interval_s
        self._notary = Notary(signers)
        self._logs: dict[str, LogState] = {}
        self._committer = Committer(store, keys, self._notary, self._logs)
        self._listeners: list[Callable[[str, int], None]] = []
        self._watchers: list[Callable[[Batch], None]] = []
        self._waiting_since_s = 0.0
        self._waited_s = 0.0
        self._committed_at: dict[str, datetime] = {}
        self._exported: dict[str, int] = {}
        self._export_failed: dict[str, str] = {}
        self._export_lock = threading.Lock()
        self._changed = threading.Condition()
        self._queue: deque[Request] = deque()
        self._queued_entries = 0
        self._closing = False
        self._stopped: CounterfoilError | None = None
        self._ended = threading.Event()
        self._grown = threading.Event()
        self._writer = threading.Thread(target=self._write, name="counterfoil-writer", daemon=True)
        self._exporting = threading.Thread(
            target=self._keep_exporting, name="counterfoil-export", daemon=True
        )

    def open(self) -> None:
        """Check every log as it is found, sign and publish its head, and start the threads.

        Raises:
            EvidenceError: as `check`.
        """
        self.check()
        self._writer.start()
        self._exporting.start()

    def check(self) -> None:
        """Check every log as it is found, sign and publish its head.

        `open` does this and starts the threads; without them, whoever called this calls
        `write_queued` and `export_now` himself, in an order he can repeat.

        A public directory that cannot be written does not keep the ledger from recording; the
        export is tried again.

        Raises:
            EvidenceError: `damaged`, `missing`, `rolled_back`, `forked`: see
                `selfcheck.check_at_start` and `export.export_log`.  Nothing was changed.
        """
        for info in self._store.projects():
            published = self._exporter.published(info.project)
            checked, edge = check_at_start(
                self._store, info.project, published, self._notary.signing(info.project).trust
            )
            signed = self._notary.sign(checked)
            self._logs[info.project] = LogState(info.origin, edge, signed)
        try:
            self.export_now()  # a crash may have left something unpublished
        except UnavailableError as error:
            _log.error("the export broke off: %s", error)
            self._grown.set()

    def append(self, project: str, items: Sequence[Item]) -> "Future[list[Appended]]":
        """Queue items to be recorded together, in order, or not at all.

        Returns:
            A future of one `Appended` an item.  Its errors: RequestError `id_conflict` or
            `erased` with facts `position` and `index`, or `project_unknown`; UnavailableError
            `busy`, `stopping`, `storage`, `read_only`, `locked`: ask again with the same ids;
            EvidenceError `frozen`.  Its callbacks run in the writer thread.
        """
        future: Future[list[Appended]] = Future()
        self._enqueue(Request(project, tuple(items), future=future))
        return future

    def append_together(
        self, parts: Sequence[tuple[str, Sequence[Item]]]
    ) -> "list[Future[list[Appended]]]":
        """Queue items of several projects for one transaction: in every log, or in none.

        Returns:
            A future for each part; the errors of `append`.  Of a refused one, all fail.
        """
        requests = [
            Request(project, tuple(items), future=Future[list[Appended]]())
            for project, items in parts
        ]
        self._enqueue(*requests)
        return [one.future for one in requests if one.future is not None]

    def place(self, project: str, items: Sequence[Item]) -> "Future[Placed]":
        """Queue items as `append` does, for a caller who builds the receipts.

        Returns:
            A future of the indices with what receipts take; the errors of `append`.
        """
        future: Future[Placed] = Future()
        self._enqueue(Request(project, tuple(items), placed=future))
        return future

    def _enqueue(self, *requests: Request) -> None:
        """Queue requests side by side: the writer takes all that is queued as one batch."""
        with self._changed:
            refusals = [self._refusal(one.project, len(one.items)) for one in requests]
            refusal = next((one for one in refusals if one is not None), None)
            if refusal is None:
                if not self._queue:
                    self._waiting_since_s = time.perf_counter()
                self._queue += requests
                self._queued_entries += sum(len(one.items) for one in requests)
                self._changed.notify()
        if refusal is not None:
            for one in requests:
                one.fail(refusal)

    def on_commit(self, listener: Callable[[str, int], None]) -> None:
        """Call `listener(project, size)` after each signed head, from the writer thread."""
        self._listeners.append(listener)

    def on_batch(self, watcher: Callable[[Batch], None]) -> None:
        """Call `watcher` after each batch with what it took, from the writer thread."""
        self._watchers.append(watcher)

    @property
    def queued_entries(self) -> int:
        """How many entries wait for the writer at this moment."""
        return self._queued_entries

    def checkpoint(self, project: str) -> bytes:
        """Return the signed checkpoint of the newest checked head."""
        return self._log(project).signed.checkpoint

    def vkey(self, project: str) -> VerifierKey:
        """Return the public key that checks this log's checkpoints."""
        self._log(project)
        return self._notary.vkey(project)

    def signing(self, project: str) -> Signing:
        """Return what signs this log; it holds secrets."""
        self._log(project)
        return self._notary.signing(project)

    def trust(self, project: str) -> Policy:
        """Return every key this log has had, each with the last size it vouches for alone."""
        return self.signing(project).trust

    def hold(self, project: str, signing: Signing) -> None:
        """Sign a log so from its next head on; see `app.rotation` for what has to stand before."""
        self._log(project)
        self._notary.hold(project, signing)

    def settled(self, project: str) -> TreeHead:
        """Return the head once all that is queued is committed and signed.

        It stands still only as long as nobody appends: who has to know keeps them from it.

        Raises:
            CounterfoilError: as of `append`.
        """
        self.append(project, ()).result()
        return self._log(project).signed.head

    def settle(self) -> None:
        """Return once all that is queued is committed, in every log that is not frozen.

        Raises:
            CounterfoilError: as of `append`.
        """
        # What froze takes nothing any more: nothing of it is waited for.
        open_logs = [project for project, log in list(self._logs.items()) if not log.frozen]
        for waiting in [self.append(project, ()) for project in open_logs]:
            waiting.result()

    def last_entry(self, project: str) -> bytes | None:
        """Return the bytes of the last entry under the signed head; None for an empty log."""
        size = self._log(project).signed.head.size
        return self._store.entries(project, size - 1, size)[0] if size else None

    def receipt(
        self, project: str, index: int, under: tuple[TreeHead, bytes] | None = None
    ) -> bytes:
        """Return the receipt of an entry.

        Args:
            project: of which log.
            index: of which entry.
            under: a head of this log and the note that signs it; the newest if None.

        Raises:
            RequestError: `not_found`.
            EvidenceError: `missing`, `tile`, `proof`: storage does not lead to the root.
        """
        newest = self._log(project).signed
        head, note = under or (newest.head, newest.checkpoint)
        if not 0 <= index < head.size:
            raise RequestError("not_found", f"log {project} has no entry {index}")
        entries = self._store.entries(project, index, index + 1)
        if not entries:
            raise EvidenceError("missing", f"log {project}: entry {index} is missing")
        node = node_from_tiles(partial(self._store.tile, project))
        return build_receipt(index, entries[0], head, note, node)

    def tile(self, project: str, level: int, n: int, width: int = TILE_WIDTH) -> bytes:
        """Return a tile as any signed head had it: `width` hashes of 32 bytes.

        Raises:
            RequestError: `not_found`: no signed head has a tile that wide.
        """
        self._check_width(project, level, n, width)
        return self._store.tile(project, level, n)[: width * HASH_SIZE]

    def bundle(self, project: str, n: int, width: int = TILE_WIDTH) -> bytes:
        """Return an entry bundle as any signed head had it: `width` entries.

        Raises:
            RequestError: `not_found`.
        """
        self._check_width(project, 0, n, width)
        return bundle(self._store, project, n, width)

    def status(self, project: str) -> LogStatus:
        """Return how a log is doing."""
        log = self._log(project)
        return LogStatus(
            size=log.signed.head.size,
            exported_size=self._exported.get(project, 0),
            frozen=log.frozen,
            stopped=self._stopped.message if self._stopped else "",
            export_failed=self._export_failed.get(project, ""),
            committed_at=self._committed_at.get(project),
        )

    def export_now(self) -> None:
        """Publish every signed head; durable on return.

        Raises:
            UnavailableError: `storage` or `read_only`.
            EvidenceError: that log is frozen.
        """
        with self._export_lock:
            for project, log in self._logs.items():
                if not log.frozen:
                    self._export(project, log)

    def close(self) -> None:
        """Record what is queued, publish it, end the threads.  The stores stay open.

        Raises:
            UnavailableError: the last export failed; the truth is complete all the same.
            EvidenceError: likewise.
        """
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._ended.set()
        self._grown.set()
        if self._writer.ident is not None:
            self._writer.join()
            self._exporting.join()
            self.export_now()

    def _log(self, project: str) -> LogState:
        try:
            return self._logs[project]
        except KeyError:
            raise _unknown(project) from None

    def _check_width(self, project: str, level: int, n: int, width: int) -> None:
        size = self._log(project).signed.head.size >> (TILE_HEIGHT * max(level, 0))
        if level < 0 or n < 0 or not 1 <= width <= min(TILE_WIDTH, size - n * TILE_WIDTH):
            raise RequestError("not_found", f"log {project} has no such tile yet")

    def _refusal(self, project: str, count: int) -> CounterfoilError | None:
        """Say why items cannot be queued; the caller holds the condition."""
        if self._stopped is not None:
            return self._stopped
        if self._closing:
            return UnavailableError("stopping", "the ledger is closing: send this again later")
        log = self._logs.get(project)
        if log is None:
            return _unknown(project)
        if log.frozen:
            return frozen(project, log.frozen)
        # An empty queue takes any request, so that none is too large for ever.
        if self._queue and self._queued_entries + count > QUEUE_ENTRIES_MAX:
            return UnavailableError(
                "busy", f"{self._queued_entries} entries are waiting: send this again in a second"
            )
        return None

    def write_queued(self) -> None:
        """Commit all that is queued as one batch and answer it: a turn of the writer thread.

        Only for a ledger that was checked and not opened: there is one writer.
        """
        if batch := self._take_all():
            self._commit(batch)

    def _write(self) -> None:
        """Run the writer thread: take everything queued, commit it, again."""
        while batch := self._take():
            self._commit(batch)

    def _commit(self, batch: Sequence[Request]) -> None:
        live, waited_s = [one for one in batch if one.begin()], self._waited_s
        try:
            grown = self._committer.commit(live)
        except Exception as error:  # noqa: BLE001  whatever it was, nobody waits for ever
            self._stop(error, live)
            return
        for signed in grown:
            self._announce(signed)
        took = self._committer.batch
        took.waited_s = waited_s
        for watcher in self._watchers:
            try:
                watcher(took)
            except Exception:  # noqa: BLE001  a watcher's fault is not the log's
                _log.exception("a watcher of batches failed")

    def _take(self) -> list[Request]:
        """Wait for requests and take them all; nothing once closed and drained."""
        with self._changed:
            while not self._queue and not self._closing:
                self._changed.wait()
            return self._take_all()

    def _take_all(self) -> list[Request]:
        with self._changed:
            batch = list(self._queue)
            self._queue.clear()
            self._queued_entries = 0
            self._waited_s = time.perf_counter() - self._waiting_since_s
            return batch

    def _stop(self, error: Exception, batch: Sequence[Request]) -> None:
        """Take no more writes: what the failed one left on the disk is for a restart to see."""
        _log.critical("the ledger stops taking writes", exc_info=error)
        why = _stop_error(error)
        with self._changed:
            self._stopped = why
            waiting = list(self._queue)
            self._queue.clear()
            self._queued_entries = 0
        for request in batch:
            request.fail(why)
        for request in waiting:
            if request.begin():
                request.fail(why)

    def _announce(self, signed: Signed) -> None:
        self._committed_at[signed.project] = self._clock.now()
        self._grown.set()
        for listener in self._listeners:
            try:
                listener(signed.project, signed.head.size)
            except Exception:  # noqa: BLE001  a listener's fault is not the log's
                _log.exception("a listener failed at size %d", signed.head.size)

    def _keep_exporting(self) -> None:
        """Run the export thread: publish what grew, once an interval."""
        while True:
            self._grown.wait()
            if self._ended.wait(self._export_interval_s):
                return
            self._grown.clear()
            # Asked again: what `close` set just before would have been cleared away with the rest.
            if self._ended.is_set():
                return
            try:
                self.export_now()
            except CounterfoilError as error:
                _log.error("the export broke off: %s", error)
                if isinstance(error, UnavailableError):
                    # The truth is not concerned; the public directory catches up later.
                    self._grown.set()

    def _export(self, project: str, log: LogState) -> None:
        signed = log.signed
        try:
            export_log(self._store, self._exporter, signed)
        except EvidenceError as error:
            log.frozen = error.message
            self._export_failed[project] = error.message
            raise
        except UnavailableError as error:
            self._export_failed[project] = error.message
            raise
        self._export_failed.pop(project, None)
        self._exported[project] = signed.head.size


def _stop_error(error: Exception) -> CounterfoilError:
    """Return what every append gets after a write failed with `error`."""
    if isinstance(error, EvidenceError):
        return EvidenceError(error.code, f"the ledger takes no writes: {error.message}")
    return UnavailableError(
        error.code if isinstance(error, UnavailableError) else "storage",
        f"the ledger takes no writes since one failed: {error}; restart, then send this again",
    )


def _unknown(project: str) -> RequestError:
    return RequestError("project_unknown", f"this ledger has no log for project {project}")
