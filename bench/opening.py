"""How long a server takes from its command to its first answer, and the memory it holds.

    python -m bench.opening --entries 1000000

A ledger of that many usual events is made first, then served several times: until `/readyz`
answers 200, and what the server and its processes hold after a hundred entries with their
receipts were asked for.  Starting reads the last 1,000 entries and the tiles of the right edge,
so the time should not grow with the log.
"""

import argparse
import http.client
import statistics
import tempfile
import time
from pathlib import Path

from bench.filled import fill
from bench.machine import descendants, describe, memory_bytes
from bench.served import Served, serving

MUST_S = 2.0
MUST_MIB = 400
ASKED = 100


def ready_s(server: Served, began: float) -> float:
    """Wait until the server says that it is ready; return how long that took since `began`."""
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
        connection.request("GET", "/readyz")
        status = connection.getresponse().status
        connection.close()
        if status == 200:
            return time.perf_counter() - began
        time.sleep(0.005)


def memory_mib(pid: int) -> float:
    """Return what a process and its descendants hold, pages they share counted for each."""
    return sum(map(memory_bytes, [pid, *descendants(pid)])) / 2**20


def main() -> None:
    """Fill, serve, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--entries", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--dir", type=Path, help="measure on the disk of this directory")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.dir) as place:
        directory = Path(place) / "ledger"
        fill(directory, options.entries, followed=True)
        print(describe(Path(place)))
        print(f"\n{options.entries:,} entries{'':<14} s to ready (median, worst)   MiB held")
        for workers in (0, 1):
            times, held = [], []
            for _ in range(options.rounds):
                began = time.perf_counter()
                with serving(directory, workers=workers) as server:
                    times.append(ready_s(server, began))
                    for number in range(ASKED):
                        index = number * options.entries // ASKED
                        assert server.send("GET", f"/v1/entries/{index}", (), 0, "")[0] == 200
                    held.append(memory_mib(server.pid))
            print(
                f"--workers {workers:<20} {statistics.median(times):>10.2f} {max(times):>10.2f}"
                f" {max(held):>15.0f}   must: {MUST_S:.0f} s, {MUST_MIB} MiB"
            )


if __name__ == "__main__":
    main()
