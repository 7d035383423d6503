"""How fast a ledger is verified, on one process and shared out; and its exported log alone.

    python bench/verify.py --entries 100000

The ledger is filled with usual test cases first, each with two sealed pieces, keys and an
idempotency row; `verify DIR` opens all of them, recomputes the tree twice (database and exported
files) and compares.  `verify DIR/public/PROJECT` is the tree alone.  Beside the time on the wall
stands that on the processors.
"""

import argparse
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.filled import fill
from counterfoil.client import evidence_crew
from counterfoil.client.evidence import verify_path

GOAL = {"tree": 150_000, "all": 40_000}


def cpu_s() -> float:
    """Return what this process and those it has waited for took of the processors."""
    own, others = (
        resource.getrusage(resource.RUSAGE_SELF),
        resource.getrusage(resource.RUSAGE_CHILDREN),
    )
    return own.ru_utime + own.ru_stime + others.ru_utime + others.ru_stime


def row(name: str, entries: int, goal: int | None, check: Callable[[], None]) -> None:
    """Measure once and print."""
    began, spent = time.perf_counter(), cpu_s()
    check()
    took, spent = time.perf_counter() - began, cpu_s() - spent
    aim = f"{goal:,}" if goal else ""
    print(f"{name:<38} {entries / took:>11,.0f} {spent / entries * 1e6:>9.1f} {aim:>9}")


def main() -> None:
    """Fill, verify, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=100_000)
    arguments = parser.parse_args()
    size: int = arguments.entries
    with tempfile.TemporaryDirectory() as place:
        directory = Path(place) / "ledger"
        row("filling, in process, no HTTP", size, None, lambda: fill(directory, size))

        def whole(target: Path) -> Callable[[], None]:
            def check() -> None:
                key = directory / "keys" / "default.vkey"
                verdict = verify_path(str(target), vkey=key)
                if not verdict.ok:
                    sys.exit("\n".join(verdict.lines()))

            return check

        print(f"{os.cpu_count()} processors, {size:,} entries")
        print(f"{'':<38} {'entries/s':>11} {'us CPU':>9} {'must':>9}")
        row("exported log: tree, tiles, checkpoint", size, GOAL["tree"],
            whole(directory / "public" / "default"))  # fmt: skip
        row("ledger with contents, shared out", size, GOAL["all"], whole(directory))
        evidence_crew.ENTRIES_MIN = size + 1
        row("ledger with contents, one process", size, None, whole(directory))


if __name__ == "__main__":
    main()
