"""What a flood of wrong tokens costs whoever comes with a right one, and what it leaves in the log.

    python -m bench.wrong_tokens --seconds 20

Some connections ask with a token made up anew for each request, as fast as they are answered, while
one asks with a right token and measures.  Every wrong one has to be answered 401, every right one
200, and the log may hold a handful of entries about all of it.
"""

import argparse
import http.client
import secrets
import tempfile
import threading
import time
from pathlib import Path

from bench.machine import describe
from bench.served import Served, served

PATH = "/v1/search?q="


def ask(connection: http.client.HTTPConnection, token: str, status: int) -> None:
    """Ask once, and insist on how it is answered."""
    connection.request("GET", PATH, headers={"Authorization": f"Bearer {token}"})
    answer = connection.getresponse()
    answer.read()
    if answer.status != status:
        raise RuntimeError(f"answered {answer.status} instead of {status}")


def flood(server: Served, stop: threading.Event, asked: list[int]) -> None:
    """Ask with wrong tokens until `stop`; add how often to `asked`."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    count = 0
    while not stop.is_set():
        ask(connection, f"cft_{secrets.token_hex(32)}", 401)
        count += 1
    asked.append(count)


def measure(server: Served, seconds: float) -> list[float]:
    """Return how long each request with a right token took, in milliseconds, in order of size."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    taken, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        start = time.perf_counter()
        ask(connection, server.token, 200)
        taken.append((time.perf_counter() - start) * 1000)
    return sorted(taken)


def main() -> None:
    """Serve, flood, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--dir", type=Path, help="measure on the disk of this directory")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.dir) as scratch:
        print(describe(Path(scratch)))
        with served(Path(scratch) / "ledger") as server:
            measure(server, 1)
            alone = measure(server, options.seconds / 4)
            stop, asked = threading.Event(), list[int]()
            others = [
                threading.Thread(target=flood, args=(server, stop, asked))
                for _ in range(options.connections)
            ]
            for other in others:
                other.start()
            during = measure(server, options.seconds)
            stop.set()
            for other in others:
                other.join()
        # What was counted is recorded when its minute is over, and when the server stops.
        entries = server.size()
    rate = sum(asked) / options.seconds
    print(f"\n{'':34} {'requests/s':>10} {'p50 ms':>8} {'p99 ms':>8}")
    for name, times, span in (
        ("right tokens, alone", alone, options.seconds / 4),
        ("right tokens, in the flood", during, options.seconds),
    ):
        p50, p99 = times[len(times) // 2], times[int(len(times) * 0.99)]
        print(f"{name:34} {len(times) / span:>10,.0f} {p50:>8.1f} {p99:>8.1f}")
    print(f"{'wrong tokens, all refused':34} {rate:>10,.0f}   = {rate * 60:,.0f} a minute")
    print(f"entries about it: {entries}")


if __name__ == "__main__":
    main()
