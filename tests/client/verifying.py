"""What the tests of verifying share: the verb, and a web server for exported logs."""

import functools
import http.server
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from counterfoil.client.evidence import verify_path
from counterfoil.verifier.report import Report
from tests.loopback import serving


def verify(
    target: Path | str, *, vkey: Path | None = None, trust: Path | None = None,
    against: tuple[str, ...] = (), project: str | None = None,
) -> Report:  # fmt: skip
    report = verify_path(str(target), vkey=vkey, trust=trust, against=against, project=project)
    assert isinstance(report, Report)
    return report


def named(report: Report) -> list[tuple[str, str]]:
    return [(one.klass, one.object) for one in report.findings]


class _Files(http.server.SimpleHTTPRequestHandler):
    """Serves files, quietly; `/moved/` and `/away/` redirect, `/closed/` wants a token."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path.startswith(("/moved/", "/away/")):
            _, kind, rest = self.path.split("/", 2)
            self.send_response(302)
            host = "" if kind == "moved" else "http://127.0.0.2:9"
            self.send_header("Location", f"{host}/{rest}")
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif self.path.startswith("/broken/"):
            self.send_response(500)
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif self.path.startswith("/endless/"):
            self.send_response(200)
            self.send_header("Content-Length", str(1 << 40))
            self.end_headers()
            for _ in range(100):
                self.wfile.write(bytes(1 << 16))
        elif self.path.startswith("/closed/"):
            allowed = self.headers.get("Authorization") == "Bearer let-me-in"
            if "/tile/entries/" in self.path and not allowed:
                self.send_response(401)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.path = self.path.removeprefix("/closed")
            super().do_GET()
        else:
            super().do_GET()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class names it
        del format, args


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up on an endless answer is the test."""


@contextmanager
def served(directory: Path) -> Iterator[str]:
    handler = functools.partial(_Files, directory=str(directory))
    with serving(_Server(("127.0.0.1", 0), handler)) as server:
        yield f"http://127.0.0.1:{server.server_port}"
