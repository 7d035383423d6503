"""How fast a ledger directory is checked by its operator, beside `verify` of the same.

    python -m bench.fsck --entries 60000

`fsck --full` opens everything, `fsck` the contents of the last 10,000 entries, `fsck --since` what
came after a checkpoint that was kept one day before: `--later` entries.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench.filled import BATCH_SIZE, fill, posted
from counterfoil.app.fsck import fsck
from counterfoil.app.home import open_home
from counterfoil.app.record import LOCAL
from counterfoil.client.evidence import verify_path
from counterfoil.clock import SystemClock
from counterfoil.events.event import parse_event
from counterfoil.ids import SystemRandomness


def add(directory: Path, first: int, size: int) -> None:
    """Record further entries, and export them."""
    with open_home(directory, SystemClock(), SystemRandomness()) as home:
        for start in range(first, first + size, BATCH_SIZE):
            end = min(start + BATCH_SIZE, first + size)
            events = [parse_event(posted(number)) for number in range(start, end)]
            home.recorder.record("default", events, LOCAL, "api")


def took(name: str, entries: int, check: Callable[[], bool], beside_s: float | None) -> float:
    """Measure once, print, return the seconds."""
    began = time.perf_counter()
    if not check():
        sys.exit(f"{name}: not whole")
    took_s = time.perf_counter() - began
    ratio = f"{beside_s / took_s:9.2f}" if beside_s is not None else f"{'1':>9}"
    print(f"{name:<34} {took_s:>8.2f} {entries / took_s:>11,.0f} {ratio}")
    return took_s


def main() -> None:
    """Fill, keep a checkpoint, add, check."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=60_000)
    parser.add_argument("--later", type=int, default=5_000)
    arguments = parser.parse_args()
    size: int = arguments.entries + arguments.later
    with tempfile.TemporaryDirectory() as place:
        directory, kept = Path(place) / "ledger", Path(place) / "kept"
        fill(directory, arguments.entries)
        kept.write_bytes((directory / "public/default/checkpoint").read_bytes())
        add(directory, arguments.entries, arguments.later)
        load = os.getloadavg()[0]
        print(f"{os.cpu_count()} processors, load {load:.1f}, {size:,} entries")
        print(f"{'':<34} {'s':>8} {'entries/s':>11} {'x verify':>9}")

        def verified() -> bool:
            return verify_path(str(directory)).ok

        verify_s = took("verify", size, verified, None)
        took("fsck --full", size, lambda: fsck(directory, full=True).ok, verify_s)
        took("fsck", size, lambda: fsck(directory).ok, verify_s)
        name = f"fsck --since, {arguments.later:,} later"
        took(name, size, lambda: fsck(directory, since=[kept]).ok, verify_s)


if __name__ == "__main__":
    main()
