"""Run many histories of the crash simulator: how many break a promise, and how fast they go.

    python -m bench.crash_seeds --seeds 100000

Each worker process takes every n-th seed.  A seed that breaks a promise is named with the command
that replays it, and the program ends with 1.
"""

import argparse
import multiprocessing
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict

from counterfoil.testing.evidence import Violation
from counterfoil.testing.history import History

PIECE = 250


def run(seeds: range) -> tuple[int, Counter[str], list[str]]:
    """Run histories; return how many, what happened in them, and what broke."""
    met: Counter[str] = Counter()
    broken = []
    for seed in seeds:
        try:
            met.update(asdict(History(seed).run()))
        except Violation as violation:
            broken.append(
                f"seed {seed}: {violation}\n  python -m counterfoil.testing.replay {seed}"
            )
    return len(seeds), met, broken


def pieces(first: int, end: int) -> Iterator[range]:
    """Cut the seeds into pieces of work."""
    for at in range(first, end, PIECE):
        yield range(at, min(end, at + PIECE))


def main() -> int:
    """Run the seeds that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seeds", type=int, default=100_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--processes", type=int, default=2)
    chosen = parser.parse_args()
    met: Counter[str] = Counter()
    broken: list[str] = []
    done = 0
    begun = time.perf_counter()
    with multiprocessing.get_context("spawn").Pool(chosen.processes) as pool:
        work = pieces(chosen.first, chosen.first + chosen.seeds)
        for count, some, violations in pool.imap_unordered(run, work):
            done += count
            met += some
            broken += violations
            if violations or done % (20 * PIECE) == 0 or done == chosen.seeds:
                rate = done / (time.perf_counter() - begun)
                print(f"{done} seeds, {rate:.0f}/s, {len(broken)} broken", flush=True)
            for line in violations:
                print(line, flush=True)
    print(", ".join(f"{name} {count}" for name, count in met.items()))
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
