"""Refused requests, counted: one event per project, source, reason, credential and minute.

A refusal is evidence too, but a flood of them must not flood the log, so they are counted in
memory and recorded when their minute is over (and at shutdown).  If we crash, the counts of the
running minute are lost; nothing else is.

What must hold: what is kept of a minute is bounded, whatever comes: so many counts, and of each so
many addresses.
"""

import dataclasses
import itertools
import threading
from collections.abc import Callable

from counterfoil.clock import Clock, format_time
from counterfoil.events.canonical import JSON
from counterfoil.events.event import Event, make_event
from counterfoil.policy.access import ADMIN, ANONYMOUS, Credential

SOURCE = "urn:counterfoil:server"
TYPE = "dev.cdeventsx.counterfoil-refusal.counted.0.1.0"

# Attackers choose the source they claim: beyond this many distinct ones a minute the rest are
# counted together.
DISTINCT_MAX = 1_000
OTHERS = "(others)"
WHY_MAX = 300
# So many addresses of one count are told apart, and so many are written down.
ADDRESSES_MAX = 100
ADDRESSES_TOLD = 10


@dataclasses.dataclass(frozen=True, slots=True)
class Attempt:
    """What somebody tried and was refused.

    Args:
        source: what they claimed to be, or the route they tried.
        reason: an error code.
        why: what they were told.
        tried: method and route, "" where there is none.
        address: where it came from, "" where that is unknown.
    """

    source: str
    reason: str
    why: str = ""
    tried: str = ""
    address: str = ""


@dataclasses.dataclass(slots=True)
class _Count:
    number: int
    first: str
    last: str
    attempt: Attempt
    credential: Credential
    # In the order they came.
    addresses: dict[str, None] = dataclasses.field(default_factory=dict)

    def note(self, now: str, address: str) -> None:
        """Count one more."""
        self.number += 1
        self.last = now
        if address and len(self.addresses) < ADDRESSES_MAX:
            self.addresses[address] = None


class Refusals:
    """Counters of refused requests; safe to call from several threads."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._counts: dict[tuple[str, str, str, str, str], _Count] = {}

    def count(self, project: str, attempt: Attempt, credential: Credential) -> None:
        """Count one refusal; the first of its source, reason and credential in a minute is kept.

        Of the others their addresses are kept, up to `ADDRESSES_MAX` different ones.
        """
        now = format_time(self._clock.now())
        minute = now[:16]
        with self._lock:
            key = (minute, project, attempt.source[:200], attempt.reason, credential.id)
            if key not in self._counts and len(self._counts) >= DISTINCT_MAX:
                key = (minute, project, OTHERS, attempt.reason, ANONYMOUS.id)
                credential = ANONYMOUS
            found = self._counts.setdefault(key, _Count(0, now, now, attempt, credential))
            found.note(now, attempt.address)

    def due(
        self, account_of: Callable[[str], str | None], *, everything: bool = False
    ) -> list[tuple[str, Event]]:
        """Take out the counts whose minute is over, as (project, event).

        Args:
            account_of: pseudonym of an actor -> account, None once erased.
            everything: the running minute too.
        """
        minute = format_time(self._clock.now())[:16]
        with self._lock:
            keys = [key for key in self._counts if everything or key[0] < minute]
            taken = [(key, self._counts.pop(key)) for key in sorted(keys)]
        return [(key[1], _event(key, count, account_of)) for key, count in taken]


def _event(
    key: tuple[str, str, str, str, str],
    count: _Count,
    account_of: Callable[[str], str | None],
) -> Event:
    _, _, source, reason, credential = key
    attempt = count.attempt
    data: dict[str, JSON] = {
        "reason": reason,
        "source": source,
        "count": count.number,
        "first": count.first,
        "last": count.last,
        "credential": credential,
    }
    told = {"why": attempt.why[:WHY_MAX], "tried": attempt.tried}
    if source != OTHERS:
        data |= {name: text for name, text in told.items() if text}
    if count.addresses:
        data["addresses"] = len(count.addresses)
        data["from"] = list[JSON](itertools.islice(count.addresses, ADDRESSES_TOLD))
    account = account_of(count.credential.actor) if count.credential.actor else None
    refs: list[JSON] = []
    if credential.startswith(("token:", "session:")) and credential != ADMIN.id:
        refs.append({"ref": credential, "role": "about"})
    if account is not None:
        refs.append({"ref": f"actor:{account}", "role": "refused"})
    if refs:
        data["refs"] = refs
    return make_event(
        type=TYPE,
        source=SOURCE,
        id=f"refusal/{count.first}/{reason}/{_short(source)}/{_short(credential)}",
        time=count.last,
        authtype="system",
        authid="counterfoil",
        data=data,
    )


def _short(text: str) -> str:
    return text if len(text) <= 60 and text.isascii() else text.encode().hex()[:60]
