"""How much memory large evidence takes, and how long: a real server, its peak by the kernel.

    python -m bench.blobs --mib 100

A blob goes up and comes down; then a report of the same size, of cases with 5 KB of output each,
is recorded.  Budget: at most 100 MiB more memory for a report of 100 MiB, docs/adr/0015.
"""

import argparse
import hashlib
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.served import PIECE_BYTES, Served, served

MIB = 1 << 20
CASE_BYTES = 5 * 1024


def blob_pieces(size_bytes: int) -> Iterator[bytes]:
    """Yield bytes in which no two pieces are alike."""
    for at in range(0, size_bytes, PIECE_BYTES):
        piece = hashlib.shake_256(at.to_bytes(8, "big")).digest(32) * (PIECE_BYTES // 32)
        yield piece[: size_bytes - at]


def report_pieces(size_bytes: int, case_bytes: int = CASE_BYTES) -> Iterator[bytes]:
    """Yield a JUnit report of about that size, of cases of about `case_bytes` each."""
    yield b'<testsuite name="large" timestamp="2026-11-20T12:00:00Z">'
    for number in range(size_bytes // case_bytes):
        output = f"line of case {number}\n".encode()
        output = (output * (case_bytes // len(output)))[: case_bytes - 100]
        yield f'<testcase classname="large.suite" name="test_{number:06d}"><system-out>'.encode()
        yield output + b"</system-out></testcase>"
    yield b"</testsuite>"


@dataclass(frozen=True)
class Cost:
    """What one request took: time, and memory beyond what the server took before."""

    seconds: float
    more_bytes: int


def measure_blob(server: Served, size_bytes: int) -> tuple[Cost, Cost]:
    """Return what taking in a blob costs, and what handing it out does."""
    digest = hashlib.sha256()
    for piece in blob_pieces(size_bytes):
        digest.update(piece)
    path = f"/v1/blobs/sha256:{digest.hexdigest()}"
    return (
        _cost(server, 201, "PUT", path, blob_pieces(size_bytes), size_bytes),
        _cost(server, 200, "GET", path, iter(()), 0),
    )


def measure_report(server: Served, size_bytes: int, case_bytes: int = CASE_BYTES) -> Cost:
    """Return what recording a report costs."""
    length = sum(len(piece) for piece in report_pieces(size_bytes, case_bytes))
    pieces = report_pieces(size_bytes, case_bytes)
    return _cost(server, 201, "POST", "/v1/reports", pieces, length)


def _cost(
    server: Served, expected: int, method: str, path: str, pieces: Iterator[bytes], length: int
) -> Cost:
    before = server.reset_peak()
    start = time.perf_counter()
    status, _ = server.send(method, path, pieces, length, "application/xml")
    assert status == expected, f"{method} {path}: {status}"
    return Cost(time.perf_counter() - start, server.peak_bytes() - before)


def main() -> None:
    """Run the benchmark."""
    options = argparse.ArgumentParser()
    options.add_argument("--mib", type=int, default=20)
    size_mib = options.parse_args().mib
    size_bytes = size_mib * MIB - MIB // 8
    with tempfile.TemporaryDirectory() as scratch, served(Path(scratch) / "foil") as server:
        upload, download = measure_blob(server, size_bytes)
        report = measure_report(server, size_bytes)
    for what, cost in (("upload", upload), ("download", download), ("report", report)):
        more_mib = cost.more_bytes / MIB
        print(f"{what:10} {size_mib} MiB: {cost.seconds:6.1f} s, {more_mib:6.1f} MiB more memory")


if __name__ == "__main__":
    main()
