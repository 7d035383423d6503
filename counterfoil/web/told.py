"""What came of a form, kept until the next page says it.

A form that did something leads to a page by GET, so that a reload does nothing twice.  What that
page has to say waits here.  What must hold: it is told to the session that did it and to no other;
a secret is told once, and stands nowhere after that.

In memory alone: if we crash in between, what was done is in the log, and a secret that nobody saw
lets nobody in.
"""

import threading
from typing import Final

from counterfoil.clock import Clock
from counterfoil.ids import Randomness
from counterfoil.web.context import Came

KEPT_MAX: Final = 64
KEPT_S: Final = 600
LETTERS_MAX: Final = 16 * 1024 * 1024
"""Of all texts a page goes on from; the oldest go first."""
SECRETS: Final = ("token", "link")
"""Fields of what came of an action that are shown once."""


class Told:
    """What waits to be told.  Safe to call from several threads."""

    def __init__(self, clock: Clock, randomness: Randomness) -> None:
        self._clock = clock
        self._randomness = randomness
        self._lock = threading.Lock()
        self._kept: dict[str, tuple[float, str, Came]] = {}

    def keep(self, credential: str, came: Came) -> str:
        """Keep what came of a form of the credential of this id; return what the page asks by."""
        name = self._randomness.token(12).hex()
        now_s = self._clock.now().timestamp()
        with self._lock:
            self._kept = {
                key: one for key, one in self._kept.items() if 0 <= now_s - one[0] <= KEPT_S
            }
            self._kept[name] = (now_s, credential, came)
            while len(self._kept) > KEPT_MAX or self._letters() > LETTERS_MAX:
                del self._kept[next(iter(self._kept))]
        return name

    def take(self, credential: str, name: str) -> Came | None:
        """Return what is to be told, None if it is somebody else's, over, or a secret told before."""
        now_s = self._clock.now().timestamp()
        with self._lock:
            since_s, whose, came = self._kept.get(name, (now_s, "", None))
            if came is None or whose != credential:
                return None
            over = not 0 <= now_s - since_s <= KEPT_S
            if over or secrets_of(came):
                del self._kept[name]
        return None if over else came

    def _letters(self) -> int:
        return sum(len(text) for _, _, one in self._kept.values() for text in one.given.values())


def secrets_of(came: Came) -> list[tuple[str, str]]:
    """Return the name and value of each field that is shown once."""
    return [(name, text) for name in SECRETS if (text := getattr(came.done, name, ""))]
