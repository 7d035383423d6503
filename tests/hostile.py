"""A real server with somebody hostile in front of it, and an honest client beside them."""

import contextlib
import itertools
import json
import os
import socket
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from counterfoil.app.founding import create_home
from counterfoil.ids import SystemRandomness
from tests.served_process import ServerProcess, server_process

SOURCE = "https://hostile.example/one"
HONEST = "https://honest.example/two"
PATIENCE_S = 60.0
"""How long a test waits for what must come; none takes near as long on a machine that is idle."""
_numbers = itertools.count()


@dataclass
class Attacked:
    """One server process, or several; what is counted here is what clients were told."""

    server: ServerProcess
    acknowledged: set[str] = field(default_factory=set)

    # The attacker's side.

    def connect(self, *, window_bytes: int = 0) -> socket.socket:
        """Open a connection; with `window_bytes`, one that takes little before it is read."""
        sock = socket.socket()
        if window_bytes:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window_bytes)
        sock.settimeout(PATIENCE_S)
        sock.connect(("127.0.0.1", self.server.port))
        return sock

    def talk(self, *sent: bytes) -> bytes:
        """Send bytes as they are; return all that comes back until the server closes."""
        with contextlib.closing(self.connect()) as sock:
            with contextlib.suppress(ConnectionError):
                for part in sent:
                    sock.sendall(part)
            return drain(sock)

    def head(
        self, first: str = "POST /v1/events HTTP/1.1", *lines: str, token: bool = True
    ) -> bytes:
        """Return a request's head, with the host and the token of a client that may record."""
        said = [first, f"Host: localhost:{self.server.port}"]
        if token:
            said.append(f"Authorization: Bearer {self.server.token}")
        return "\r\n".join([*said, *lines, "", ""]).encode("latin-1")

    def post(self, name: str, *lines: str, source: str = SOURCE) -> bytes:
        """Return a whole request that records an event of that name."""
        body = event(name, source)
        length = f"Content-Length: {len(body)}"
        return self.head("POST /v1/events HTTP/1.1", JSON, length, *lines) + body

    # The honest client's side.

    def record(self, name: str = "") -> str:
        """Record an event, as a client does; return its name once it is acknowledged."""
        name = name or f"honest-{next(_numbers)}"
        request = urllib.request.Request(
            f"{self.server.url}/v1/events",
            data=event(name, HONEST),
            headers={**self.token(), "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            assert answer.status == 201
        self.acknowledged.add(name)
        return name

    def get(self, path: str, **query: str) -> Any:
        """Return a JSON document."""
        address = f"{self.server.url}{path}?{urllib.parse.urlencode(query)}"
        request = urllib.request.Request(address, headers=self.token())
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            return json.load(answer)

    def be_honest(self) -> None:
        """Record, and read what was recorded, and a page that is open to everybody."""
        name = self.record()
        assert self.get("/v1/receipts", source=HONEST, id=name)["receipt"]
        with urllib.request.urlopen(f"{self.server.url}/sign-in", timeout=PATIENCE_S) as page:
            assert page.status == 200

    def names(self, source: str = SOURCE) -> list[str]:
        """Return the ids of a source's events in the log, the latest first; 500 at most."""
        items = self.get("/v1/search", q=f"source:{source}", limit="500")["items"]
        return [one["id"] for one in items]

    def token(self) -> dict[str, str]:
        """Return the header of a client that may."""
        return {"Authorization": f"Bearer {self.server.token}"}

    # What the system says of the server.

    @property
    def pids(self) -> list[int]:
        """Its process and those it started."""
        assert self.server.process is not None
        first = self.server.process.pid
        children = Path(f"/proc/{first}/task/{first}/children").read_text("ascii").split()
        return [first, *map(int, children)]

    def memory_bytes(self) -> int:
        """Return how much memory its processes hold."""
        pages = (int(Path(f"/proc/{one}/statm").read_text("ascii").split()[1]) for one in self.pids)
        return sum(pages) * os.sysconf("SC_PAGE_SIZE")

    def files(self) -> int:
        """Return how many descriptors its processes hold."""
        return sum(len(os.listdir(f"/proc/{one}/fd")) for one in self.pids)  # noqa: PTH208  names

    def alive(self) -> bool:
        """Whether it runs."""
        assert self.server.process is not None
        return self.server.process.poll() is None


JSON = "Content-Type: application/json"


def event(name: str, source: str = SOURCE) -> bytes:
    """Return an event as it is posted."""
    members = {
        "specversion": "1.0", "id": name, "source": source, "type": "com.example.step.finished",
        "time": "2026-11-20T12:00:00Z", "authtype": "service_account",
        "authid": "ci.example:acme/shop", "data": {"outcome": "success"},
    }  # fmt: skip
    return json.dumps(members).encode()


def drain(sock: socket.socket) -> bytes:
    """Return what comes until the other side closes, however it closes."""
    received = bytearray()
    with contextlib.suppress(ConnectionError):
        while part := sock.recv(1 << 16):
            received += part
    return bytes(received)


def wait_until(what: str, done: "Any") -> None:
    """Wait for something that must come.

    Raises:
        AssertionError: it did not within `PATIENCE_S`.
    """
    give_up = time.monotonic() + PATIENCE_S
    while not done():
        assert time.monotonic() < give_up, what
        time.sleep(0.05)


@contextlib.contextmanager
def attacked(directory: Path, *, workers: int = 0, files: int = 0) -> Iterator[Attacked]:
    """Serve a ledger of its own; at the end it must run, serve, hold what it said, and stop."""
    create_home(directory, SystemRandomness())
    with server_process(directory, workers, files) as server:
        place = Attacked(server)
        yield place
        assert place.alive(), "the server ended"
        place.be_honest()
        assert sorted(place.names(HONEST)) == sorted(place.acknowledged)
        assert server.stop() == 0
