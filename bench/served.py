"""A server in a process of its own, and how much memory it takes: for benchmarks and their tests.

Linux only: the peak is the kernel's (`VmHWM`), set back through `/proc/PID/clear_refs`.
"""

import contextlib
import http.client
import json
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

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

    def reset_peak(self) -> int:
        """Set the peak back to what the server takes at this moment, and return that."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")
        return self._memory_bytes("VmRSS")

    def peak_bytes(self) -> int:
        """Return the most memory the server took since `reset_peak`."""
        return self._memory_bytes("VmHWM")

    def _memory_bytes(self, name: str) -> int:
        status = Path(f"/proc/{self.pid}/status").read_text("ascii")
        [line] = [line for line in status.splitlines() if line.startswith(f"{name}:")]
        return int(line.split()[1]) * 1024


@contextlib.contextmanager
def served(directory: Path) -> Iterator[Served]:
    """Serve a fresh ledger until the block ends."""
    foil = (sys.executable, "-m", "counterfoil")
    subprocess.run([*foil, "init", directory], check=True, capture_output=True)
    process = subprocess.Popen(
        [*foil, "serve", "--dir", directory, "--port", "0"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + START_S
        address = directory / "server.json"
        while not address.exists():
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the server did not start")
            time.sleep(0.05)
        url = json.loads(address.read_text("utf-8"))["url"]
        token = (directory / "admin.token").read_text("ascii").strip()
        yield Served(process.pid, int(url.rpartition(":")[2]), token, directory)
    finally:
        process.terminate()
        process.wait(60)
