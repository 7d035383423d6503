"""Every byte of every database file of a ledger changed, one at a time: is each found?

    python -m bench.flips --step 1

A ledger with one of everything is made (`tests/everything.py`).  Each changed byte is either
named by `verify`, or every evidence table reads back the same; both counts are printed.  Ends
with 1 when a change is neither, and names its offset.  Takes about 25 minutes with every byte on two cores.
"""

import argparse
import concurrent.futures
import multiprocessing
import shutil
import sys
import tempfile
from pathlib import Path

from tests.everything import DATABASES, build_everything
from tests.flips import Outcome, flip_bytes

PARTS = 64


def part(source: Path, name: str, offsets: range) -> Outcome:
    """Change some bytes of one database, in a copy of the ledger."""
    with tempfile.TemporaryDirectory() as place:
        directory = Path(shutil.copytree(source, Path(place) / "ledger"))
        return flip_bytes(directory, DATABASES[name], offsets)


def main() -> int:
    """Change, count, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--step", type=int, default=1, help="change every so many bytes")
    parser.add_argument("--processes", type=int, default=2)
    given = parser.parse_args()
    neither = 0
    with (
        tempfile.TemporaryDirectory() as place,
        concurrent.futures.ProcessPoolExecutor(
            given.processes, mp_context=multiprocessing.get_context("spawn")
        ) as pool,
    ):
        directory = build_everything(Path(place)).directory
        for name in DATABASES:
            size_bytes = (directory / name).stat().st_size
            waiting = [
                pool.submit(part, directory, name, range(at, size_bytes, given.step * PARTS))
                for at in range(0, given.step * PARTS, given.step)
            ]
            total = Outcome()
            for one in waiting:
                outcome = one.result()
                total.found += outcome.found
                total.identical += outcome.identical
                total.third += outcome.third
            print(f"{total.line(name)} of {size_bytes}", flush=True)
            for at, findings in sorted(total.third):
                print(f"  byte {at}: {findings or 'verify says whole'}")
            neither += len(total.third)
    return 1 if neither else 0


if __name__ == "__main__":
    sys.exit(main())
