"""A witness over HTTP: add-checkpoint for logs, the last cosigned checkpoint for monitors.

`add-key` is ours: a log tells it that another key follows, in words that both keys signed.

Anybody may ask: what is cosigned is decided by the logs' signatures alone.  Bodies are bounded
in size and in slowness while they arrive.

Source: C2SP tlog-witness.
"""

import contextlib
import logging
import re
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from counterfoil.errors import CounterfoilError, RequestError
from counterfoil.tlog.witness import SIZE_MEDIA_TYPE, Refused
from counterfoil.web.api.errors import internal, problem
from counterfoil.web.protocol import settings
from counterfoil.web.security import Pace, read_body
from counterfoil.witness.book import Book

BODY_MAX_BYTES: Final = 64 * 1024
CONNECTIONS_MAX: Final = 256
STOP_TIMEOUT_S: Final = 10
_TEXT: Final = "text/plain; charset=utf-8"
_HEX: Final = re.compile(r"[0-9a-f]{64}")
# How stale a monitor may be: the protocol allows an hour.
_MONITOR_CACHE: Final = "public, max-age=5"
_LOG: Final = logging.getLogger(__name__)


def build_witness(book: Book) -> Starlette:
    """Return the ASGI application of an opened witness; the book stays the caller's."""
    slowest = Pace()

    async def add_checkpoint(request: Request) -> Response:
        return await _posted(request, slowest, book.add_checkpoint)

    async def add_key(request: Request) -> Response:
        return await _posted(request, slowest, book.add_key)

    async def monitor(request: Request) -> Response:
        hex_origin = str(request.path_params["origin"])
        note = None
        if _HEX.fullmatch(hex_origin) and book.watches(hex_origin):
            note = await run_in_threadpool(book.cosigned, hex_origin)
        if note is None:
            return problem(RequestError("not_found", "no log of that origin was cosigned here"))
        return Response(note, media_type=_TEXT, headers={"cache-control": _MONITOR_CACHE})

    async def fault(_request: Request, _error: Exception) -> Response:
        _LOG.error("a request failed")
        return problem(internal())

    return Starlette(
        routes=[
            Route("/add-checkpoint", add_checkpoint, methods=["POST"]),
            Route("/add-key", add_key, methods=["POST"]),
            Route("/{origin}/checkpoint", monitor, methods=["GET"]),
        ],
        exception_handlers={Exception: fault},
    )


async def _posted(request: Request, slowest: Pace, take: Callable[[bytes], bytes]) -> Response:
    """Answer with what `take` makes of a body, or with why it does not."""
    try:
        body = await read_body(request, BODY_MAX_BYTES, slowest)
        said = await run_in_threadpool(take, body)
    except Refused as refusal:
        return _refusal(refusal)
    except CounterfoilError as error:
        # What is left of the body must not be taken for the next request.
        return problem(error, {"connection": "close"})
    except ClientDisconnect:
        return Response(status_code=400)
    return Response(said, media_type=_TEXT, headers={"cache-control": "no-store"})


def _refusal(refusal: Refused) -> Response:
    if refusal.status == 409:
        body, media_type = f"{refusal.held_size}\n", SIZE_MEDIA_TYPE
    else:
        body, media_type = f"{refusal.message}\n", _TEXT
    # Said outright: starlette would add a charset, and the protocol names the type exactly.
    return Response(body, status_code=refusal.status, headers={"content-type": media_type})


class _Server(uvicorn.Server):
    """uvicorn, which leaves signals to `serve_witness`: a wish to stop is no way to die."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Change nothing."""
        yield


def serve_witness(
    book: Book,
    sock: socket.socket,
    announce: Callable[[], None],
    *,
    tls: tuple[Path, Path] | None = None,
) -> None:
    """Serve an opened witness until SIGTERM or SIGINT, with everything accepted answered.

    Args:
        book: what it keeps; the caller closes it.
        sock: bound; connections wait in it from now on.
        announce: called once signals are listened to.
        tls: files of certificate and key.

    Raises:
        RequestError: `file_unreadable`: certificate or key.
    """
    config = settings(build_witness(book), tls, STOP_TIMEOUT_S, requests_max=CONNECTIONS_MAX)
    server = _Server(config)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, server.handle_exit)
    announce()
    server.run(sockets=[sock])
