"""How fast a server records over HTTP: every event synced, re-read, signed, its receipt answered.

    python -m bench.ingest --seconds 10

A real server in its own process, a load generator in another (`bench.posting`), and afterwards a
third that checks every receipt with the log's public key (`bench.receipts`).  Everything shares
this machine, the load generator's share included; `writer`, `worker`, `follow` and `load` are
microseconds of processor time an event, the follower's for what it had followed by then.  Read the rate against the sync floor and the
microseconds of processor time an event; `strace` counts the syncs of a short run of its own.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import msgspec

from bench.machine import cpu_by_kind_s, describe
from bench.posting import Plan, Posted
from bench.served import Served, served

CONNECTIONS = {1: 64, 100: 4, 1_000: 2}
_SYNCS = re.compile(r"(?:fsync|fdatasync)\(\d+<([^>]*)>")


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    batch: int
    connections: int
    posted: Posted
    cpu_s: dict[str, float]
    lag: int


def run_load(server: Served, batch: int, connections: int, seconds: float, first: int,
             answers: Path, warm_s: float = 1.0) -> Row:  # fmt: skip
    """Post for a while and return what came of it; how far pages lag is read right after."""
    plan = Plan(server.port, server.token, batch, connections, seconds, warm_s, first, str(answers))
    before = cpu_by_kind_s(server.pid)
    done = subprocess.run(
        [sys.executable, "-m", "bench.posting", msgspec.json.encode(plan).decode()],
        capture_output=True, check=True,
    )  # fmt: skip
    posted = msgspec.json.decode(done.stdout, type=Posted)
    after = cpu_by_kind_s(server.pid)
    spent = {kind: after[kind] - before.get(kind, 0.0) for kind in after}
    return Row(batch, connections, posted, spent, server.lag())


def percentile_ms(times_s: list[float], share: float) -> float:
    """Return a percentile of sorted times in milliseconds."""
    return times_s[min(int(len(times_s) * share), len(times_s) - 1)] * 1e3 if times_s else 0.0


def show(row: Row) -> str:
    """Return a row as text."""
    posted = row.posted
    total = max(posted.next, 1)
    rate = posted.events / posted.elapsed_s if posted.events else 0.0

    def cost(kind: str) -> str:
        return f"{row.cpu_s.get(kind, 0.0) / total * 1e6:>6.0f}"

    refused = ", ".join(f"{count} x {status}" for status, count in posted.refused.items())
    return (
        f"{row.batch:>6} {row.connections:>5} {rate:>9,.0f} "
        f"{percentile_ms(posted.times_s, 0.5):>8.1f} {percentile_ms(posted.times_s, 0.99):>8.1f} "
        f"{cost('writer')} {cost('worker')} {cost('follower')} "
        f"{posted.cpu_s / total * 1e6:>6.0f} "
        f"{row.lag:>9,}  {refused}"
    )


HEADING = (
    f"{'batch':>6} {'conn.':>5} {'events/s':>9} {'p50 ms':>8} {'p99 ms':>8} "
    f"{'writer':>6} {'worker':>6} {'follow':>6} {'load':>6} {'rows lag':>9}  not recorded"
)


def verify_receipts(server: Served, answers: Path) -> str:
    """Check every receipt in a process of its own; return what it said."""
    vkey = (server.directory / "keys" / "default.vkey").read_text("ascii").strip()
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "bench.receipts", answers, vkey],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"a receipt does not hold:\n{done.stderr}")
    checked, signatures = map(int, done.stdout.split())
    return (
        f"       {checked:,} receipts checked by another process, under {signatures:,} "
        f"signed heads, in {time.perf_counter() - started:.1f} s"
    )


def count_syncs(directory: Path, requests: int) -> str:
    """Post single events one by one under strace; return how often the server synced its logs."""
    strace = shutil.which("strace")
    if strace is None:
        return "syncs: strace is not installed (make test SYSTEM=1 installs it)"
    trace = directory / "trace"
    tracing = (strace, "-f", "-y", "-e", "trace=fsync,fdatasync", "-o", str(trace))
    with served(directory / "ledger", tracing=tracing) as server:
        trace.write_bytes(b"")
        answers = directory / "answers"
        row = run_load(server, 1, 1, 0.5 * requests / 50, 0, answers, warm_s=0.0)
    names: dict[str, int] = {}
    for found in _SYNCS.finditer(trace.read_text("utf-8", "replace")):
        name = Path(found[1]).name
        if name in {"ledger.db-wal", "erasable.db-wal"}:
            names[name] = names.get(name, 0) + 1
    counted = ", ".join(f"{name} {count:,}" for name, count in sorted(names.items()))
    return f"syncs by strace: {len(row.posted.times_s):,} single requests one by one: {counted}"


def main() -> None:
    """Print one row a batch size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=5.0, help="for each row")
    parser.add_argument("--batch", type=int, action="append", help="events a request; again")
    parser.add_argument("--connections", type=int, help="default 64 for singles, 4, 2")
    parser.add_argument(
        "--workers", type=int, action="append", help="of the server, default 1; again"
    )
    parser.add_argument("--dir", type=Path, help="measure on the disk of this directory")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.dir) as place:
        print(describe(Path(place)))
        for workers in arguments.workers or [1]:
            print(f"\nserver with {workers} workers\n{HEADING}")
            for batch in arguments.batch or CONNECTIONS:
                directory = Path(place) / f"{workers}-{batch}"
                connections = arguments.connections or CONNECTIONS.get(batch, 8)
                with (
                    served(directory, workers=workers) as server,
                    tempfile.TemporaryDirectory(dir="/dev/shm") as memory,
                ):
                    answers = Path(memory) / "answers"
                    row = run_load(server, batch, connections, arguments.seconds, 0, answers)
                    print(show(row), flush=True)
                    print(verify_receipts(server, answers), flush=True)
        syncs = Path(place) / "syncs"
        syncs.mkdir()
        print(f"\n{count_syncs(syncs, 50)}")


if __name__ == "__main__":
    main()
