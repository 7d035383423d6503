"""What the process counts while it works, for `/metrics`: plain numbers, made into text when asked.

What must hold: counting costs a receipt next to nothing (once a commit, once a request), and what
is counted is bounded: routes are patterns of ours, codes and methods come from short lists, and no
name, address, path or value of a request gets in.

Counts begin at nothing with each start, which is what Prometheus expects of a counter.
"""

import bisect
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from counterfoil.ledger.append import Ledger
from counterfoil.ledger.measure import STAGES, Batch

LATENCY_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
STAGE_S: Final = (0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)
BATCH_SIZES: Final = (1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000)
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"})


def method_of(method: str) -> str:
    """Return an HTTP method, or "other" for one that few send: callers choose what they send."""
    return method if method in _METHODS else "other"


class Buckets:
    """How often a figure was at most each bound; `counts` has one more, for what is above all.

    >>> buckets = Buckets((1.0, 2.0))
    >>> buckets.observe(1.0), buckets.observe(9.0)
    (None, None)
    >>> buckets.cumulative()
    [('1.0', 1), ('2.0', 1), ('+Inf', 2)]
    """

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(self.bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        """Count one figure."""
        self.counts[bisect.bisect_left(self.bounds, value)] += 1
        self.sum += value

    def add(self, counts: Sequence[int], total: float) -> None:
        """Count what somebody else observed under the same bounds."""
        self.counts = [one + more for one, more in zip(self.counts, counts, strict=True)]
        self.sum += total

    def cumulative(self) -> list[tuple[str, int]]:
        """Return bounds with how often it was at most that, as Prometheus writes them."""
        reached, made = 0, []
        for bound, count in zip((*self.bounds, None), self.counts, strict=True):
            reached += count
            made.append(("+Inf" if bound is None else str(float(bound)), reached))
        return made


@dataclass(frozen=True, slots=True)
class Running:
    """What the server that runs holds at this moment.

    Attributes:
        connections: open to this process.
        connections_max: how many it holds at once.
        worker_connections: open to worker processes, as they told last.
        workers_wanted: how many worker processes there should be.
        worker_pids: those that run.
    """

    connections: int = 0
    connections_max: int = 0
    worker_connections: int = 0
    workers_wanted: int = 0
    worker_pids: tuple[int, ...] = ()


class Meters:
    """The counts of one server; safe to use from any thread.

    Attributes:
        requests: (route, method, status) -> how many were answered.
        latencies: route -> seconds until the answer began.
        refusals: error code -> how many were told it.
        stages: of a commit -> seconds.
        batch_entries, waits: entries of each commit; seconds its oldest request had waited.
        replays: events that stood there before and got their receipt again.
        workers_replaced: how often a worker process ended before its time and got a successor.
        let_go: connections that were ended because too many others came.
        running: returns what the server holds; nothing where none runs.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.requests: dict[tuple[str, str, int], int] = {}
        self.latencies: dict[str, Buckets] = {}
        self.refusals: dict[str, int] = {}
        self.stages = {stage: Buckets(STAGE_S) for stage in STAGES}
        self.batch_entries = Buckets(BATCH_SIZES)
        self.waits = Buckets(STAGE_S)
        self.replays = 0
        self.workers_replaced = 0
        self.let_go = 0
        self.running: Callable[[], Running] = Running

    def batch(self, batch: Batch) -> None:
        """Count one commit; a batch that recorded nothing took none."""
        with self._lock:
            self.replays += batch.replays
            self.waits.observe(batch.waited_s)
            if batch.entries:
                self.batch_entries.observe(batch.entries)
                for stage, took_s in batch.stages_s.items():
                    self.stages[stage].observe(took_s)

    def answered(self, route: str, method: str, status: int, took_s: float) -> None:
        """Count one request.

        Args:
            route: the pattern of its path, never the path.
            method: as `method_of` calls it.
            status: of the answer.
            took_s: until the answer began.
        """
        key = route, method, status
        with self._lock:
            self.requests[key] = self.requests.get(key, 0) + 1
            self._latency(route).observe(took_s)

    def answered_elsewhere(
        self, route: str, method: str, by_status: dict[int, int], counts: Sequence[int], sum_s: float
    ) -> None:  # fmt: skip
        """Count what a worker process answered; `counts` under the bounds of `LATENCY_S`."""
        with self._lock:
            for status, number in by_status.items():
                key = route, method, status
                self.requests[key] = self.requests.get(key, 0) + number
            self._latency(route).add(counts, sum_s)

    def refused(self, code: str) -> None:
        """Count that somebody was told an error."""
        with self._lock:
            self.refusals[code] = self.refusals.get(code, 0) + 1

    def replaced_worker(self) -> None:
        """Count that a worker process ended before its time and was replaced."""
        with self._lock:
            self.workers_replaced += 1

    def let_one_go(self) -> None:
        """Count a connection that went because too many others came."""
        with self._lock:
            self.let_go += 1

    def _latency(self, route: str) -> Buckets:
        return self.latencies.setdefault(route, Buckets(LATENCY_S))


def meters_of(ledger: Ledger) -> Meters:
    """Return counts that begin with nothing and go on with every commit of a ledger."""
    meters = Meters()
    ledger.on_batch(meters.batch)
    return meters
