"""A server that has one answer to everything: another program behind the address."""

import http.server
import json
from collections.abc import Iterator
from contextlib import contextmanager

from tests.loopback import serving

_ENTRY = {"id": "1", "index": 0, "status": "recorded"}

NO_ANSWERS = {
    "no entry at all": (201, b'{"entries": []}'),
    "a page": (200, b"<html>Welcome to nginx</html>"),
    "a page that was made": (201, b"<html>Welcome to nginx</html>"),
    "entries without receipts": (201, json.dumps({"entries": [_ENTRY, _ENTRY]}).encode()),
}
"""Status and body of what two events are not answered with."""


@contextmanager
def answering(body: bytes, status: int = 200) -> Iterator[str]:
    """Serve one answer to everything."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", "0")))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815  the base class names it

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base names it
            del format, args

    with serving(http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as server:
        yield f"http://127.0.0.1:{server.server_port}"
