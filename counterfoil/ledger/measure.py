"""How long a batch took, stage by stage: the figures an operator watches the writer by.

Measured by a clock that only counts: nothing that is stored or answered depends on it.  One
reading a stage and batch, so that what is measured costs nothing an event would notice.
"""

import time
from dataclasses import dataclass, field
from typing import Final

STAGES: Final = ("plan", "keys", "commit", "check", "answer")
"""In order: planning and writing, keys made durable, COMMIT with its sync, reading back, receipts."""


@dataclass(slots=True)
class Batch:
    """What one batch was and what it took.

    Attributes:
        entries: how many were recorded.
        replays: how many items stood there before and were answered with their receipts.
        waited_s: how long its oldest request had waited.
        stages_s: seconds by stage, of `STAGES`.
    """

    entries: int = 0
    replays: int = 0
    waited_s: float = 0.0
    stages_s: dict[str, float] = field(default_factory=lambda: dict.fromkeys(STAGES, 0.0))
    _at_s: float = field(default_factory=time.perf_counter)

    def lap(self, stage: str) -> None:
        """Add the time since the last call to a stage."""
        now_s = time.perf_counter()
        self.stages_s[stage] += now_s - self._at_s
        self._at_s = now_s
