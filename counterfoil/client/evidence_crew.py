"""Several processes look at ranges of one ledger: half the time on two cores.

They only ever say "whole": which cell of what is damaged takes all entries in order, so anything
else, a process that died included, makes the caller check one entry after the other.

Each opens the databases for itself, after the caller has fixed how many entries there are.  Rows
of entries are written once, so a later view of them is no other view.
"""

import gc
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from counterfoil.client.evidence_rows import ERASABLE, LEDGER, SqliteRows
from counterfoil.client.evidence_sqlite import EvidenceDatabase
from counterfoil.errors import CounterfoilError
from counterfoil.verifier.depth import WHOLE, Depth
from counterfoil.verifier.kept import RowNames
from counterfoil.verifier.ledger import Tallies
from counterfoil.verifier.report import Findings
from counterfoil.verifier.rows import Tally
from counterfoil.verifier.whole import tally_listed, tally_range

ENTRIES_MIN = 20_000
"""Below, starting processes takes longer than they save."""
RANGE_ENTRIES = 16 * 256
PROCESSES_MAX = 8

_rows: SqliteRows | None = None
_findings = Findings()


def begin(directory: Path, project: str, size: int, depth: Depth = WHOLE) -> Tallies | None:
    """Begin to check the rows beside the entries of one log.

    Args:
        directory: the ledger.
        project: whose log.
        size: how many entries it has.
        depth: how many of them are looked at, and how many are opened.

    Returns:
        What waits for the answer; None where one process does better.
    """
    processes = min(os.cpu_count() or 1, PROCESSES_MAX)
    if size - depth.first(size) < ENTRIES_MIN or processes < 2:
        return None
    import concurrent.futures  # noqa: PLC0415  20 ms that small ledgers and receipts need not wait
    import multiprocessing  # noqa: PLC0415  the same

    pool = concurrent.futures.ProcessPoolExecutor(
        processes,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_start,
        initargs=(directory, project),
    )
    opened = depth.opened(size)
    # What takes longest comes first, so that no process is alone with it in the end.
    waiting = [pool.submit(_tally, *one) for one in _ranges(opened, size)]
    waiting += [pool.submit(_tally_listed, *one) for one in _ranges(depth.first(size), opened)]

    def wait() -> Sequence[Tally] | None:
        found: list[Tally] = []
        try:
            for one in waiting:
                tally = one.result()
                if tally is None:
                    return None
                found.append(tally)
        except (CounterfoilError, OSError, concurrent.futures.BrokenExecutor):
            return None
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
        return found

    return wait


def _ranges(first: int, end: int) -> Iterator[tuple[int, int]]:
    for start in range(first, end, RANGE_ENTRIES):
        yield start, min(start + RANGE_ENTRIES, end)


def _start(directory: Path, project: str) -> None:
    """Begin a process of the crew."""
    # What is read of a row makes no cycles, and looking for them takes a twentieth of the time.
    gc.disable()
    _open(directory, project)


def _open(directory: Path, project: str) -> None:
    """Open the databases of this process, which end with it."""
    global _rows, _findings  # noqa: PLW0603  one process, one ledger, for as long as it lives
    _findings = Findings()
    ledger = EvidenceDatabase(directory / LEDGER.name, LEDGER, _findings)
    keys = EvidenceDatabase(directory / ERASABLE.name, ERASABLE, _findings)
    _rows = SqliteRows(project, ledger, keys, directory / "blobs", RowNames(""))


def _tally(first: int, end: int) -> Tally | None:
    assert _rows is not None, "the initializer has run"
    tally = tally_range(_rows, first, end)
    # A cell of another type is a finding where it is read, and something else is read instead.
    return None if len(_findings) else tally


def _tally_listed(first: int, end: int) -> Tally | None:
    assert _rows is not None, "the initializer has run"
    tally = tally_listed(_rows, first, end)
    return None if len(_findings) else tally
