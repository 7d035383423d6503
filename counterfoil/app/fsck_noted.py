"""That everything was read and found whole, noted for the health page: no evidence, and never in the way.

Where nothing can be written, such as a copy on a medium that only reads, nothing is noted.
"""

import contextlib
from pathlib import Path

from counterfoil.app.fsck_report import FsckReport
from counterfoil.clock import Clock, format_time
from counterfoil.errors import CounterfoilError
from counterfoil.stores.state import State


def note_whole(directory: Path, report: FsckReport, clock: Clock) -> None:
    """Note of every log of a whole ledger that it was verified up to its end."""
    path = directory / "state.db"
    if not report.ok or not path.is_file():
        return
    with contextlib.suppress(CounterfoilError, OSError):
        state = State(path, upgrade=False)
        try:
            for log in report.logs:
                state.milestones.note("verified", log.project, log.size, format_time(clock.now()))
        finally:
            state.close()
