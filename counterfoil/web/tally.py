"""What a worker process answered, told to the writer once a second: counts, and no names.

If this process is killed, the counts of its last second are lost; no answer is.
"""

from typing import Final

from counterfoil.app.meters import LATENCY_S, Buckets
from counterfoil.app.wire import Tally

ROUTE: Final = "/v1/events"
"""What workers answer, all of it."""
TELL_EVERY_S: Final = 1.0


class Answered:
    """The counts of one worker process since it told them last."""

    def __init__(self) -> None:
        self._statuses: dict[int, int] = {}
        self._latency = Buckets(LATENCY_S)
        self._connections = 0

    def note(self, status: int, took_s: float) -> None:
        """Count an answer, from the request's last byte to the answer's first."""
        self._statuses[status] = self._statuses.get(status, 0) + 1
        self._latency.observe(took_s)

    def take(self, connections: int) -> Tally | None:
        """Return what there is to tell and begin anew; None if nothing has changed."""
        if not self._statuses and connections == self._connections:
            return None
        told = Tally(self._statuses, self._latency.counts, self._latency.sum, connections)
        self._statuses, self._latency, self._connections = {}, Buckets(LATENCY_S), connections
        return told
