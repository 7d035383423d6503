"""How long each stage of a check takes.

Stages nest: while an inner one runs, the clock of the outer one stands, so the times add up to
the time of the whole.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Meter:
    """Measures stages; one thread enters them.

    Args:
        now_s: a clock that never steps back.
    """

    def __init__(self, now_s: Callable[[], float] = time.perf_counter) -> None:
        self.spent_s: defaultdict[str, float] = defaultdict(float)
        self._now_s = now_s
        self._open: list[str] = []
        self._since_s = now_s()

    @contextmanager
    def enter(self, stage: str) -> Iterator[None]:
        """Count what passes in the block as time of `stage`."""
        self._switch()
        self._open.append(stage)
        try:
            yield
        finally:
            self._switch()
            self._open.pop()

    def _switch(self) -> None:
        now_s = self._now_s()
        if self._open:
            self.spent_s[self._open[-1]] += now_s - self._since_s
        self._since_s = now_s
