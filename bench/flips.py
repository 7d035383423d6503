"""Every byte of the evidence changed, one at a time: is each found and named?

    python -m bench.flips --step 1             # of the database files
    python -m bench.flips --cells --step 1     # of every cell of every evidence table
    python -m bench.flips --files --step 1     # of bundles, tiles, checkpoints, blobs, key files
    python -m bench.flips --wal --step 1       # of the write-ahead log of a ledger that was killed

What is changed has one of everything (`tests/everything.py`, `tests/killed_ledger.py`).  Of a
database file each byte is named by `verify`, or every evidence table reads back the same; of a
write-ahead log it may be a step back that a receipt names; of a cell or another file it is named
with its table or path and with its entries.  Prints the counts; ends with 1 when a change is none
of this, and says which.  Every byte takes about 25, 15, 2 and 75 minutes, in this order, on two
cores.
"""

import argparse
import concurrent.futures
import multiprocessing
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.cells import cell_bytes, flip_cells
from tests.everything import DATABASES, Everything, build_everything
from tests.file_flips import flip_files, places
from tests.flips import Outcome, flip_bytes
from tests.killed_ledger import WAL, Killed, build_killed, flip_wal

PARTS = 64


@dataclass(frozen=True)
class Work:
    """What is changed: its name, how many bytes it has, and who changes some of them."""

    name: str
    size_bytes: int
    directory: Path
    flip: Callable[[Path, Path, str, range], Outcome]
    beside: Path
    """The file that `flip` needs besides: a policy, a receipt."""

    def part(self, numbers: range) -> Outcome:
        """Change some of the bytes, in a copy of the ledger."""
        with tempfile.TemporaryDirectory() as place:
            directory = Path(shutil.copytree(self.directory, Path(place) / "ledger"))
            return self.flip(directory, self.beside, self.name, numbers)


def _database(directory: Path, _: Path, name: str, offsets: range) -> Outcome:
    return flip_bytes(directory, DATABASES[name], offsets)


def _cells(directory: Path, _: Path, name: str, numbers: range) -> Outcome:
    return flip_cells(directory, name.removeprefix("cells of "), numbers)


def _files(directory: Path, policy: Path, _: str, numbers: range) -> Outcome:
    return flip_files(directory, policy, numbers)


def _wal(directory: Path, receipt: Path, _: str, offsets: range) -> Outcome:
    return flip_wal(Killed(directory, receipt), offsets)


def _work(place: Path, mode: str) -> Iterator[Work]:
    """Make the ledger and yield what of it is changed."""
    if mode == "wal":
        killed = build_killed(place)
        size_bytes = (killed.directory / WAL).stat().st_size
        yield Work(WAL, size_bytes, killed.directory, _wal, killed.receipt)
        return
    everything: Everything = build_everything(place)
    directory, policy = everything.directory, everything.policy
    if mode == "files":
        yield Work("files", sum(1 for _ in places(directory)), directory, _files, policy)
        return
    for name in DATABASES:
        if mode == "cells":
            count = sum(1 for _ in cell_bytes(directory, name))
            yield Work(f"cells of {name}", count, directory, _cells, policy)
        else:
            size_bytes = (directory / name).stat().st_size
            yield Work(name, size_bytes, directory, _database, policy)


def main() -> int:
    """Change, count, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for mode in ("cells", "files", "wal"):
        parser.add_argument(f"--{mode}", dest="mode", action="store_const", const=mode)
    parser.add_argument("--step", type=int, default=1, help="change every so many bytes")
    parser.add_argument("--processes", type=int, default=2)
    given = parser.parse_args()
    unnamed = 0
    with (
        tempfile.TemporaryDirectory() as place,
        concurrent.futures.ProcessPoolExecutor(
            given.processes, mp_context=multiprocessing.get_context("spawn")
        ) as pool,
    ):
        for work in _work(Path(place), given.mode or "databases"):
            parts = [
                range(at, work.size_bytes, given.step * PARTS)
                for at in range(0, given.step * PARTS, given.step)
            ]
            total = Outcome()
            for outcome in pool.map(work.part, parts):
                total.add(outcome)
            print(f"{total.line(work.name)} of {work.size_bytes}", flush=True)
            for at, findings in sorted(total.third):
                print(f"  byte {at}: {findings or 'verify says whole'}")
            unnamed += len(total.third)
    return 1 if unnamed else 0


if __name__ == "__main__":
    sys.exit(main())
