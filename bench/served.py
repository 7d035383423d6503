"""A server in a process of its own, and how much memory it takes: for benchmarks and their tests.

Linux only: the peak is the kernel's (`VmHWM`), set back through `/proc/PID/clear_refs`.
"""

import contextlib
import http.client
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.machine import memory_bytes

FOIL = (sys.executable, "-m", "counterfoil")
START_S = 60.0
ANSWER_S = 600.0
PIECE_BYTES = 1 << 20


@dataclass(frozen=True)
class Served:
    """A server that answers.

    Args:
        pid: its process.
        port: on loopback.
        token: the administrator's.
        directory: its ledger.
    """

    pid: int
    port: int
    token: str
    directory: Path

    def send(
        self, method: str, path: str, pieces: Iterable[bytes], size_bytes: int, media: str
    ) -> tuple[int, int]:
        """Send a body piece by piece; return the status and how long the answer was."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=ANSWER_S)
        headers = {
            "Authorization": f"Bearer {self.token}",
            "Content-Length": str(size_bytes),
            "Content-Type": media,
        }
        with contextlib.closing(connection):
            connection.request(method, path, pieces if size_bytes else None, headers)
            answer = connection.getresponse()
            return answer.status, sum(
                len(piece) for piece in iter(lambda: answer.read(PIECE_BYTES), b"")
            )

    def lag(self) -> int:
        """Return how many committed entries the rows that pages are made of do not hold yet."""
        return self.size() - self._one("views.db", "SELECT next_index FROM positions")

    def size(self) -> int:
        """Return how many entries are committed."""
        return self._one("ledger.db", "SELECT size FROM heads")

    def _one(self, database: str, statement: str) -> int:
        connection = sqlite3.connect(f"file:{self.directory / database}?mode=ro", uri=True)
        with contextlib.closing(connection):
            row = connection.execute(f"{statement} WHERE project = 'default'").fetchone()
            return int(row[0]) if row else 0

    def reset_peak(self) -> int:
        """Set the peak back to what the server takes at this moment, and return that."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")
        return memory_bytes(self.pid)

    def peak_bytes(self) -> int:
        """Return the most memory the server took since `reset_peak`."""
        return memory_bytes(self.pid, "VmHWM")


@contextlib.contextmanager
def served(directory: Path, *, workers: int = 0, tracing: Sequence[str] = ()) -> Iterator[Served]:
    """Serve a fresh ledger until the block ends.

    Args:
        directory: absent.
        workers: as `serve --workers`.
        tracing: a command to run the server under.
    """
    subprocess.run([*FOIL, "init", directory], check=True, capture_output=True)
    with serving(directory, workers=workers, tracing=tracing) as server:
        yield server


@contextlib.contextmanager
def serving(directory: Path, *, workers: int = 0, tracing: Sequence[str] = ()) -> Iterator[Served]:
    """Serve a ledger that is there until the block ends; the others as for `served`."""
    extra = ("--workers", str(workers)) if workers else ()
    process = subprocess.Popen(
        [*tracing, *FOIL, "serve", "--dir", directory, "--port", "0", *extra],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    pid = 0
    try:
        deadline = time.monotonic() + START_S
        address = directory / "server.json"
        while not address.exists():
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the server did not start")
            time.sleep(0.05)
        url = json.loads(address.read_text("utf-8"))["url"]
        token = (directory / "admin.token").read_text("ascii").strip()
        # Of the server itself: the process started may be one that traces it.
        pid = int(json.loads(address.read_text("utf-8"))["pid"])
        yield Served(pid, int(url.rpartition(":")[2]), token, directory)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid or process.pid, signal.SIGTERM)
        process.wait(60)
