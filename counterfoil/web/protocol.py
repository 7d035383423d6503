"""HTTP/1.1 on httptools, with bounds on what a client may send, in size and in time.

uvicorn's protocol on httptools keeps every header it is sent, for as long as they keep coming,
and every request that is sent behind another one.  What must hold here: a connection that does
not finish a head in time, or sends bytes that nothing comes of, is closed, so that slow or
endless ones cannot use up the server; and what is broken ends a connection only after what was
asked whole before it has its own answer, so that nobody takes one answer for another.

Source: RFC 9112 sections 2.2, 3.2.2, 7.1.2, 9.3.2 and 9.6.
"""

import asyncio
import http
import logging
import re
from pathlib import Path
from typing import Any, Final

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from counterfoil.errors import RequestError
from counterfoil.web.crowd import BACKLOG, Crowd, connections_max, end_unread
from counterfoil.web.security import HEADERS

HEADERS_TIMEOUT_S: Final = 15.0
KEEP_ALIVE_S: Final = 20.0
# Above what `security.Guard` takes, so that its problem document is what callers meet first.
UNFINISHED_MAX_BYTES: Final = 64 * 1024
PIPELINED_MAX: Final = 16
HEARD_BYTES: Final = 4 * 1024
"""So much of a body has to come before its sender counts as heard from: a byte costs nothing."""
_AUTHORITY: Final = re.compile(rb"https?://([^/?#]*)", re.IGNORECASE)
# Strangers decide how often a request is broken: that is no reason to write a line each time.
_LOG: Final = logging.getLogger("counterfoil.web.http")
_LOG.setLevel(logging.ERROR)


def _answer(status: http.HTTPStatus, text: str) -> bytes:
    fixed = "".join(f"{name}: {value}\r\n" for name, value in HEADERS.items())
    return (
        f"HTTP/1.1 {status.value} {status.phrase}\r\n"
        f"content-type: text/plain; charset=utf-8\r\ncache-control: no-store\r\n{fixed}"
        f"content-length: {len(text)}\r\nconnection: close\r\n\r\n{text}"
    ).encode("ascii")


_TOO_LARGE: Final = _answer(
    http.HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "headers are too large"
)
_BROKEN: Final = _answer(http.HTTPStatus.BAD_REQUEST, "this is no HTTP/1.1 request")


class BoundedConfig(uvicorn.Config):
    """How uvicorn is to serve, and whom it serves."""

    crowd: Crowd


def settings(
    app: ASGIApp,
    tls: tuple[Path, Path] | None,
    stop_timeout_s: int,
    *,
    requests_max: int | None = None,
) -> BoundedConfig:
    """Return how uvicorn is to serve an application, loaded, so that TLS files were read.

    Args:
        app: the application.
        tls: files of certificate and key.
        stop_timeout_s: how long requests in work may take once the server is to stop.
        requests_max: 503 beyond so many connections or tasks at once.

    Raises:
        RequestError: `file_unreadable`: certificate or key.
    """
    config = BoundedConfig(
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
        backlog=BACKLOG,
        timeout_keep_alive=int(KEEP_ALIVE_S),
        timeout_graceful_shutdown=stop_timeout_s,
        ssl_certfile=str(tls[0]) if tls else None,
        ssl_keyfile=str(tls[1]) if tls else None,
    )
    config.crowd = Crowd(connections_max())
    try:
        config.load()
    except OSError as error:
        raise RequestError("file_unreadable", f"certificate or key: {error}") from error
    return config


class BoundedProtocol(HttpToolsProtocol):
    """One connection."""

    headers_timeout_s = HEADERS_TIMEOUT_S

    def __init__(self, config: BoundedConfig, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401  uvicorn's arguments
        super().__init__(config, *args, **kwargs)
        self.logger = _LOG
        self._crowd = config.crowd
        self._deadline: asyncio.TimerHandle | None = None
        self._unfinished_bytes = 0
        self._unheard_bytes = 0
        self._takes_no_more = False

    @property
    def _at_work(self) -> bool:
        """Whether somebody waits for an answer here."""
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is not None and not cycle.response_complete

    def _tell_whose_turn_it_is(self) -> None:
        """Tell the crowd: ours, where a request is whole and what we say about it is taken."""
        # Only the request that came last can lack a part; those before it are answered first.
        is_whole = bool(self.pipeline) or (self._at_work and not self.cycle.more_body)
        if is_whole and not self.flow.write_paused and not self.transport.is_closing():
            self._crowd.work_for(self)
        else:
            self._crowd.wait_for(self)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the clock at once: a connection that says nothing is the cheapest attack."""
        super().connection_made(transport)
        end_unread(transport.get_extra_info("socket"))
        self._crowd.join(self, self.client[0] if self.client else "")
        self._start_clock(self.headers_timeout_s)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        self._stop_clock()
        self._crowd.leave(self)
        super().connection_lost(exc)

    def let_go(self) -> None:
        """End: too many others came."""
        self.transport.abort()

    def on_message_begin(self) -> None:
        """Start the clock for one more request on this connection."""
        if len(self.pipeline) >= PIPELINED_MAX:
            raise ValueError("more requests behind one another than anybody sends")
        super().on_message_begin()
        self._start_clock(self.headers_timeout_s)

    def on_headers_complete(self) -> None:
        """Stop the clock: from here on `security.read_chunks` watches."""
        self._stop_clock()
        self._unfinished_bytes = 0
        self._check_head()
        super().on_headers_complete()
        if self.parser.should_upgrade():
            # Answered as if nothing had been asked for; what follows may be in any language.
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        """Take a part of a body."""
        self._unfinished_bytes = 0
        self._unheard_bytes += len(body)
        if self._unheard_bytes >= HEARD_BYTES:
            self._unheard_bytes = 0
            self._crowd.heard_from(self)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Get to work: until here a request keeps us waiting."""
        super().on_message_complete()
        self._tell_whose_turn_it_is()

    def data_received(self, data: bytes) -> None:
        """Feed the parser; close when bytes come and come and are neither head nor body.

        Those are heads that do not end, and in chunked bodies trailers and extensions of chunks.
        """
        if self._takes_no_more:
            return
        self._unfinished_bytes += len(data)
        super().data_received(data)
        if self._unfinished_bytes > UNFINISHED_MAX_BYTES:
            self._end(_TOO_LARGE)

    def send_400_response(self, msg: str) -> None:
        """End with what is broken."""
        del msg
        self._end(_BROKEN)

    def on_response_complete(self) -> None:
        """Wait for the next request, if none has come."""
        goes_on = bool(self.pipeline)
        super().on_response_complete()
        self._tell_whose_turn_it_is()
        if goes_on:
            return
        # Our own clock: uvicorn's is stopped by any byte, and an empty line begins no request.
        if self._deadline is None and not self.transport.is_closing():
            self._start_clock(KEEP_ALIVE_S)

    def pause_writing(self) -> None:
        """Note that the answer is not taken."""
        super().pause_writing()
        self._tell_whose_turn_it_is()

    def resume_writing(self) -> None:
        """Note that it is."""
        super().resume_writing()
        self._tell_whose_turn_it_is()

    def _check_head(self) -> None:
        """Refuse what another reader of the same bytes may understand otherwise.

        Those are a target that names another server than the Host header does, and a body in a
        coding that is not taken off here, or of a version of HTTP that has none.
        """
        codings = [value.lower() for name, value in self.headers if name == b"transfer-encoding"]
        if codings and (codings != [b"chunked"] or self.parser.get_http_version() != "1.1"):
            raise ValueError("no coding but chunked is read")
        if not self.url.startswith(b"/"):
            named = _AUTHORITY.match(self.url)
            hosts = [value.lower() for name, value in self.headers if name == b"host"]
            if named is None or hosts != [named[1].lower()]:
                raise ValueError("two servers are named")

    def _start_clock(self, timeout_s: float) -> None:
        self._stop_clock()
        self._deadline = self.loop.call_later(timeout_s, self._end)

    def _stop_clock(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _end(self, said: bytes = b"") -> None:
        """Take nothing more, and close once everything that was asked whole has its answer.

        Args:
            said: what is answered where no other answer is due.
        """
        if self.transport.is_closing():
            return
        self._takes_no_more = True
        if self._at_work and not self.cycle.more_body:
            self.cycle.keep_alive = False
            return
        if self._at_work and (self.pipeline or self.cycle.response_started):
            # Broken in a body whose turn has not come, or whose answer is half out.
            said = b""
        if said:
            self.transport.write(said)
        self.transport.close()


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
