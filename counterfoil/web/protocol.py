"""HTTP/1.1 on httptools, with bounds on headers in size and in time.

uvicorn's protocol on httptools keeps every header it is sent, for as long as they keep coming.
What must hold here: a connection that does not finish its headers in time, or sends too many, is
closed, so that slow or endless ones cannot use up the server.
"""

import asyncio
from pathlib import Path
from typing import Any, Final

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from counterfoil.errors import RequestError

HEADERS_TIMEOUT_S: Final = 15.0
# Above what `security.Guard` takes, so that its problem document is what callers meet first.
UNFINISHED_MAX_BYTES: Final = 64 * 1024
_TOO_LARGE: Final = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"content-type: text/plain; charset=utf-8\r\n"
    b"content-length: 21\r\nconnection: close\r\n\r\n"
    b"headers are too large"
)


def settings(
    app: ASGIApp,
    tls: tuple[Path, Path] | None,
    stop_timeout_s: int,
    *,
    requests_max: int | None = None,
) -> uvicorn.Config:
    """Return how uvicorn is to serve an application, loaded, so that TLS files were read.

    Args:
        app: the application.
        tls: files of certificate and key.
        stop_timeout_s: how long requests in work may take once the server is to stop.
        requests_max: 503 beyond so many connections or tasks at once.

    Raises:
        RequestError: `file_unreadable`: certificate or key.
    """
    config = uvicorn.Config(
        app,
        http=BoundedProtocol,
        loop="uvloop",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        # Who is believed about the caller is decided in `site`, for the settings' proxies only.
        proxy_headers=False,
        limit_concurrency=requests_max,
        timeout_keep_alive=20,
        timeout_graceful_shutdown=stop_timeout_s,
        ssl_certfile=str(tls[0]) if tls else None,
        ssl_keyfile=str(tls[1]) if tls else None,
    )
    try:
        config.load()
    except OSError as error:
        raise RequestError("file_unreadable", f"certificate or key: {error}") from error
    return config


class BoundedProtocol(HttpToolsProtocol):
    """One connection."""

    headers_timeout_s = HEADERS_TIMEOUT_S

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401  uvicorn's arguments
        super().__init__(*args, **kwargs)
        self._deadline: asyncio.TimerHandle | None = None
        self._unfinished_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the clock at once: a connection that says nothing is the cheapest attack."""
        super().connection_made(transport)
        self._start_clock()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        self._stop_clock()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """Start the clock for one more request on this connection."""
        super().on_message_begin()
        self._start_clock()

    def on_headers_complete(self) -> None:
        """Stop the clock: from here on `security.read_chunks` watches."""
        self._stop_clock()
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        """Feed the parser; close when headers go on and on."""
        super().data_received(data)
        if self._deadline is not None:
            self._unfinished_bytes += len(data)
            if self._unfinished_bytes > UNFINISHED_MAX_BYTES and not self.transport.is_closing():
                self.transport.write(_TOO_LARGE)
                self.transport.close()

    def _start_clock(self) -> None:
        if self._deadline is None:
            self._unfinished_bytes = 0
            self._deadline = self.loop.call_later(self.headers_timeout_s, self.transport.close)

    def _stop_clock(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


class AdoptedProtocol(BoundedProtocol):
    """A connection another process accepted, from the bytes that nobody has answered on."""

    def __init__(self, *args: Any, received: bytes, **kwargs: Any) -> None:  # noqa: ANN401  uvicorn's arguments
        super().__init__(*args, **kwargs)
        self._received = received

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Read what came before first: what is still to come must not overtake it."""
        super().connection_made(transport)
        received, self._received = self._received, b""
        if received:
            self.data_received(received)
