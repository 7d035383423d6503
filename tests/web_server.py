"""A real server on loopback, and the one call the tests make to it."""

import contextlib
import http.client
import itertools
import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from counterfoil.app import readings, refusals
from counterfoil.app.founding import create_home
from counterfoil.app.home import Home, open_home
from counterfoil.clock import Clock, SystemClock
from counterfoil.ids import SystemRandomness
from counterfoil.tlog.tile import TILE_WIDTH
from counterfoil.web.security import Pace
from counterfoil.web.server import bind, make_server

QUICK = Pace(idle_s=0.5, grace_s=0.5, rate_bytes_s=1000.0, drain_s=0.5)
COUNTED = [f'"type":"{one}"'.encode() for one in (refusals.TYPE, readings.READ_TYPE)]
SETTLE_S = 20.0
_numbers = itertools.count()


@dataclass
class Reply:
    """One answer; `set_cookies` has each cookie it gives on a line."""

    status: int
    headers: dict[str, str]
    body: bytes
    set_cookies: str = ""

    def json(self) -> Any:
        """Return the body as JSON."""
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The code of a problem document."""
        assert self.headers["content-type"] == "application/problem+json", self.body
        return str(self.json()["code"])


@dataclass
class Running:
    """A server that answers."""

    home: Home
    port: int
    host: str = ""
    token: str = ""
    directory: Path = field(default_factory=Path)

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        *,
        token: str | None = "",
    ) -> Reply:
        """Make one call; `token=None` sends none.  What is read holds what was posted before."""
        if method == "GET":
            self.settle()
        sent = {"Host": self.host, **(headers or {})}
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/json")
        if token is not None:
            sent.setdefault("Authorization", f"Bearer {token or self.token}")
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        with contextlib.closing(connection):
            connection.putrequest(method, path, skip_host=True)
            for name, value in sent.items():
                connection.putheader(name, value)
            if body is not None and "Content-Length" not in sent:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            answer = connection.getresponse()
            names = {name.lower(): value for name, value in answer.getheaders()}
            cookies = "\n".join(f"{one};" for one in answer.headers.get_all("Set-Cookie", []))
            return Reply(answer.status, names, answer.read(), cookies)

    def get(self, path: str, **headers: str) -> Reply:
        """Read with the administrator's token."""
        return self.call("GET", path, headers=headers)

    def settle(self) -> None:
        """Wait until the rows have reached the logs: a page shows as far as they have come."""
        for info in self.home.log.projects():
            size = self.home.ledger.status(info.project).size
            self.home.follower.wait_for(info.project, size, SETTLE_S)

    def size(self, project: str = "default") -> int:
        """Return how many entries are recorded, without the server's own counts.

        Refusals and readings are recorded when a minute or an hour turns, in the middle of any
        test.
        """
        size = self.home.ledger.status(project).size
        width = TILE_WIDTH
        bundles = [
            self.home.ledger.bundle(project, n, min(width, size - n * width))
            for n in range(-(-size // width))
        ]
        counted = sum(bundle.count(type_) for bundle in bundles for type_ in COUNTED)
        return size - counted


def event(**members: Any) -> dict[str, Any]:
    """Return an event with an id of its own."""
    plain = {
        "specversion": "1.0",
        "id": f"e{next(_numbers)}",
        "source": "https://ci.example/acme/shop",
        "type": "com.example.step.finished",
        "time": "2026-11-20T12:00:00Z",
        "authtype": "service_account",
        "authid": "ci.example:acme/shop",
        "data": {"outcome": "success"},
    }
    return {name: value for name, value in {**plain, **members}.items() if value is not None}


@contextlib.contextmanager
def running(
    directory: Path,
    *,
    public_url: str = "",
    settings: str = "",
    clock: Clock | None = None,
    workers: int = 0,
) -> Iterator[Running]:
    """Serve a ledger, made with the projects `default` and `other`, until the block ends."""
    clock, randomness = clock or SystemClock(), SystemRandomness()
    if not directory.exists():
        create_home(directory, randomness)
        create_home(directory, randomness, project="other")
    if settings:
        (directory / "counterfoil.toml").write_text(settings, "utf-8")
    with contextlib.ExitStack() as stack:
        home = stack.enter_context(open_home(directory, clock, randomness))
        sock = stack.enter_context(contextlib.closing(bind("127.0.0.1", 0)))
        port = sock.getsockname()[1]
        server = make_server(home, sock, public_url=public_url, pace=QUICK, workers=workers)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]})
        thread.start()
        assert server.listening.wait(20)
        try:
            yield Running(home, port, f"localhost:{port}", home.admin_token, directory)
        finally:
            server.should_exit = True
            thread.join(20)
            assert not thread.is_alive()
