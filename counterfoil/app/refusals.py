"""Refused requests, counted: one event per project, source, reason and minute.

A refusal is evidence too, but a flood of them must not flood the log, so they are counted in
memory and recorded when their minute is over (and at shutdown).  If we crash, the counts of the
running minute are lost; nothing else is.
"""

import dataclasses
import threading

from counterfoil.clock import Clock, format_time
from counterfoil.events.event import Event, make_event

SOURCE = "urn:counterfoil:server"
TYPE = "dev.cdeventsx.counterfoil-refusal.counted.0.1.0"

# Attackers choose the source they claim: beyond this many distinct ones a minute the rest are
# counted together.
DISTINCT_MAX = 1_000
OTHERS = "(others)"


@dataclasses.dataclass(slots=True)
class _Count:
    number: int
    first: str
    last: str
    credential: str


class Refusals:
    """Counters of refused requests; safe to call from several threads."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._counts: dict[tuple[str, str, str, str], _Count] = {}

    def count(self, project: str, source: str, reason: str, credential: str) -> None:
        """Count one refusal of `source` for `reason` (an error code) under `credential`."""
        now = format_time(self._clock.now())
        minute = now[:16]
        with self._lock:
            key = (minute, project, source[:200], reason)
            if key not in self._counts and len(self._counts) >= DISTINCT_MAX:
                key = (minute, project, OTHERS, reason)
            found = self._counts.get(key)
            if found is None:
                self._counts[key] = _Count(1, now, now, credential)
            else:
                found.number += 1
                found.last = now

    def due(self, *, everything: bool = False) -> list[tuple[str, Event]]:
        """Take out the counts whose minute is over, as (project, event)."""
        minute = format_time(self._clock.now())[:16]
        with self._lock:
            keys = [key for key in self._counts if everything or key[0] < minute]
            taken = [(key, self._counts.pop(key)) for key in sorted(keys)]
        return [(key[1], _event(key, count)) for key, count in taken]


def _event(key: tuple[str, str, str, str], count: _Count) -> Event:
    _, _, source, reason = key
    return make_event(
        type=TYPE,
        source=SOURCE,
        id=f"refusal/{count.first}/{reason}/{_short(source)}",
        time=count.last,
        authtype="system",
        authid="counterfoil",
        data={
            "reason": reason,
            "source": source,
            "count": count.number,
            "first": count.first,
            "last": count.last,
            "credential": count.credential,
        },
    )


def _short(source: str) -> str:
    return source if len(source) <= 80 and source.isascii() else source.encode().hex()[:80]
