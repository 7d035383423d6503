"""Who read personal data, and what left the house: events too.

Readings are counted in memory and recorded when their hour is over (and at shutdown), one event
per project, credential and kind, so that a reader does not flood the log.  Exports are recorded
at once, before the file is given.  If we crash, the counts of the running hour are lost; nothing
else is.
"""

import dataclasses
import threading
from collections.abc import Callable
from typing import Final

from counterfoil.clock import Clock, format_time
from counterfoil.events.canonical import JSON
from counterfoil.events.event import Event, make_event
from counterfoil.events.kinds import OWN
from counterfoil.ids import Randomness
from counterfoil.policy.access import Credential

SOURCE: Final = "urn:counterfoil:server"
READ_TYPE: Final = f"{OWN}personal.read.0.1.0"
EXPORT_TYPE: Final = f"{OWN}export.made.0.1.0"
KINDS: Final = ("entry", "accounts", "actors", "sessions", "raw")
"""A whole entry, lists of accounts, lists of actors, who is signed in where, kept files."""
_HOUR: Final = len("2026-11-20T12")


@dataclasses.dataclass(slots=True)
class _Count:
    number: int
    first: str
    last: str
    credential: Credential


class Readings:
    """Counters of what was read; safe to call from several threads.

    Args:
        clock, randomness: for the events.
        account_of: pseudonym of an actor -> account, None once erased.
    """

    def __init__(
        self, clock: Clock, randomness: Randomness, account_of: Callable[[str], str | None]
    ) -> None:
        self._clock = clock
        self._randomness = randomness
        self._account_of = account_of
        self._lock = threading.Lock()
        self._counts: dict[tuple[str, str, str, str], _Count] = {}

    def note(self, project: str, credential: Credential, what: str) -> None:
        """Count that personal data was shown to somebody.

        Args:
            project: of which log.
            credential: what they came with.
            what: one of `KINDS`.
        """
        now = format_time(self._clock.now())
        key = (now[:_HOUR], project, credential.id, what)
        with self._lock:
            found = self._counts.setdefault(key, _Count(0, now, now, credential))
            found.number += 1
            found.last = now

    def due(self, *, everything: bool = False) -> list[tuple[str, Event]]:
        """Take out the counts whose hour is over, as (project, event)."""
        hour = format_time(self._clock.now())[:_HOUR]
        with self._lock:
            keys = [key for key in self._counts if everything or key[0] < hour]
            taken = [(key, self._counts.pop(key)) for key in sorted(keys)]
        return [
            (
                project,
                self._event(
                    READ_TYPE,
                    count.credential,
                    {
                        "what": what, "count": count.number, "credential": credential,
                        "first": count.first, "last": count.last,
                    },
                ),
            )
            for (_, project, credential, what), count in taken
        ]  # fmt: skip

    def export(self, credential: Credential, what: str, size_bytes: int, *, people: bool) -> Event:
        """Return the event that says a copy was made for somebody."""
        data: dict[str, JSON] = {
            "what": what,
            "credential": credential.id,
            "people": people,
            "size_bytes": size_bytes,
        }
        return self._event(EXPORT_TYPE, credential, data)

    def _event(self, type: str, credential: Credential, data: dict[str, JSON]) -> Event:  # noqa: A002
        account = self._account_of(credential.actor) if credential.actor else None
        if credential.id.startswith(("token:", "session:")):
            data = {**data, "refs": [{"ref": credential.id, "role": "about"}]}
        return make_event(
            type=type,
            source=SOURCE,
            id=f"reading/{self._randomness.token(8).hex()}",
            time=format_time(self._clock.now()),
            authtype="system" if account is None else "user",
            authid=credential.handle if account is None else account,
            data=data,
        )
