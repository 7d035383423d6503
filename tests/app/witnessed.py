"""A home with witnesses, and witnesses that do not do what they should."""

import contextlib
import http.server
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from counterfoil.app.founding import create_home
from counterfoil.app.home import Home, open_home
from counterfoil.app.record import LOCAL
from counterfoil.clock import SystemClock
from counterfoil.ids import SystemRandomness
from counterfoil.tlog.keys import VerifierKey, parse_vkey
from tests.ledgers import make_sample
from tests.loopback import serving

PATIENCE_S = 20.0


def make_home(directory: Path) -> VerifierKey:
    """Make a ledger; return its log's key."""
    create_home(directory, SystemRandomness(), origin="log.example/shop")
    return vkey_of(directory)


def vkey_of(directory: Path, project: str = "default") -> VerifierKey:
    """Return the key of a log."""
    return parse_vkey((directory / "keys" / f"{project}.vkey").read_text().strip())


def configure(directory: Path, *witnesses: tuple[str, VerifierKey, str]) -> None:
    """Write the settings: name, key and address of each witness."""
    tables = [
        f'[[witness]]\nname = "{name}"\nvkey = "{key}"\nurl = "{url}"\n'
        for name, key, url in witnesses
    ]
    (directory / "counterfoil.toml").write_text("".join(tables))


@contextlib.contextmanager
def opened(directory: Path) -> Iterator[Home]:
    """Open a home as the server does."""
    with open_home(directory, SystemClock(), SystemRandomness()) as home:
        yield home


def record(home: Home, *numbers: int) -> None:
    """Record events."""
    home.recorder.record("default", [make_sample(number) for number in numbers], LOCAL, "cli")


def until(met: Callable[[], object], what: str) -> None:
    """Wait until something holds."""
    end = time.monotonic() + PATIENCE_S
    while not met():
        assert time.monotonic() < end, what
        time.sleep(0.02)


class Odd(http.server.BaseHTTPRequestHandler):
    """A witness that says what it is told to say, whatever it is asked."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Answer with what the server's function says."""
        server = self.server
        assert isinstance(server, OddServer)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        server.asked.append(body)
        answer = server.answer(body)
        if callable(answer):
            with contextlib.suppress(OSError):
                answer(self.wfile)
            self.close_connection = True
            return
        status, headers, said = answer
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class names it
        """Say nothing."""
        del format, args


class OddServer(http.server.ThreadingHTTPServer):
    """Serves `Odd`."""

    daemon_threads = True

    def __init__(self, answer: Callable[[bytes], Any]) -> None:
        super().__init__(("127.0.0.1", 0), Odd)
        self.answer = answer
        self.asked: list[bytes] = []

    @property
    def url(self) -> str:
        """Return its address."""
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: object, client_address: object) -> None:
        """Whoever hung up on an odd answer is the test."""


@contextlib.contextmanager
def odd_witness(answer: Callable[[bytes], Any]) -> Iterator[OddServer]:
    """Serve a witness whose answers come from a function of the request's body."""
    with serving(OddServer(answer)) as server:
        yield server
