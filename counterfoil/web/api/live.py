"""GET /v1/live: entries as they are recorded, as server-sent events.

The id of an event is its entry number, so a reconnect with `Last-Event-ID` goes on exactly where
it stopped: a hint that the log grew may be lost or merged, the entries come from the log.

What must hold: nothing is told to who may not read any more.  Whoever opened the stream is asked
again, from what they came with, before each part once something changed in who may, and every
`ASKED_EVERY_S` in any case: sessions end, and tokens run out, without a word in the log.

A page asks `as=size`: it is told how far the log has come, twice a second at most, and reads
itself again.  Ten thousand entries a second are then two messages, and none is missed: the size
is the whole truth about how many there are.

Source: HTML living standard, section 9.2 (server-sent events).
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Final

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from counterfoil.errors import RequestError
from counterfoil.web.api.route import Call, Param, Raw, Route

HEARTBEAT_S: Final = 15.0
SIZES_EVERY_S: Final = 0.5
ASKED_EVERY_S: Final = 5.0
_EVENTS: Final = "text/event-stream"
# How many entries are read at once: a listener far behind must not hold the log in memory.
_PART: Final = 200


async def get_live(call: Call) -> Response:
    """Answer with entries from `Last-Event-ID` on, or from now on."""
    size = call.home.ledger.status(call.project).size
    last = call.text("last-event-id")
    start = int(last) + 1 if last else size
    if start > size:
        raise RequestError(
            "query_invalid", f"Last-Event-ID {last} is no entry: the log has {size}; start over"
        )
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    if call.request.method == "HEAD":
        # Nothing would be sent, and the answer would never end.
        return Response(media_type=_EVENTS, headers=headers)
    stream = _sizes if call.text("as") == "size" else _stream
    told = _while_allowed(call, stream(call, start, size))
    return StreamingResponse(told, media_type=_EVENTS, headers=headers)


async def _while_allowed(call: Call, parts: AsyncGenerator[bytes]) -> AsyncIterator[bytes]:
    """Yield the parts of a stream as long as who opened it may read; "" only asks.

    A part that was read while they might is held back if they may not when it is to be sent.
    """
    version, asked = -1, 0.0
    async with contextlib.aclosing(parts):
        async for part in parts:
            now = time.monotonic()
            if call.home.access.version != version or now - asked >= ASKED_EVERY_S:
                version, asked = call.home.access.version, now
                if not await _still_allowed(call):
                    return
            if part:
                yield part


async def _stream(call: Call, start: int, size: int) -> AsyncGenerator[bytes]:
    # Said at once, so that the browser knows it is connected before anything happens.
    yield b": the log has %d entries\n\n" % size
    async for part in _parts(call, start, size):
        yield part
    async for grown in _grown(call, max(start, size)):
        if grown is None:
            yield b": still here\n\n"
        elif not grown:
            yield b""
        else:
            async for part in _parts(call, max(start, size), grown):
                yield part
            size = grown


async def _grown(call: Call, size: int) -> AsyncIterator[int | None]:
    """Yield sizes above `size`, None every `HEARTBEAT_S` of silence, 0 more often than that."""
    spoke = time.monotonic()
    every_s = min(HEARTBEAT_S, ASKED_EVERY_S)
    async for grown in call.home.live.sizes(call.project, size, every_s):
        if grown is None and time.monotonic() - spoke < HEARTBEAT_S:
            yield 0
            continue
        spoke = time.monotonic()
        yield grown


async def _sizes(call: Call, start: int, size: int) -> AsyncGenerator[bytes]:
    """Yield how far the log has come: at once, and whenever it has grown.

    At once also if the listener knows: a client that was told nothing yet has no id to go on
    from, and would begin at the end when it comes back.
    """
    del start
    yield b": the log has %d entries\n\n" % size
    yield _size(size)
    async for grown in _grown(call, size):
        if grown is None:
            # An event, not a comment: the page hears it, and knows a dead line by its silence.
            yield b"event: pulse\ndata: {}\n\n"
        elif not grown:
            yield b""
        else:
            yield _size(grown)
            await asyncio.sleep(SIZES_EVERY_S)


def _size(size: int) -> bytes:
    return b'id: %d\nevent: size\ndata: {"size": %d}\n\n' % (size - 1, size)


async def _parts(call: Call, start: int, end: int) -> AsyncIterator[bytes]:
    """Yield entries start..end-1 in order, some at a time."""
    for first in range(start, end, _PART):
        yield await run_in_threadpool(_read, call, first, min(first + _PART, end))


def _read(call: Call, start: int, end: int) -> bytes:
    lines = call.home.reader.log_lines(call.project, before=end, limit=end - start)
    return b"".join(
        b"id: %d\nevent: entry\ndata: %b\n\n" % (line.index, msgspec.json.encode(line))
        for line in sorted(lines, key=lambda line: line.index)
        if line.index >= start
    )


async def _still_allowed(call: Call) -> bool:
    """Whether what opened the stream lets its holder in, and read, at this moment."""
    credential = await call.served.door.still(call.request)
    return (
        credential is not None
        and credential.id == call.credential.id
        and call.home.access.decide(credential, "read", call.project).allowed
    )


ROUTES: Final = (
    Route(
        method="GET",
        path="/v1/live",
        handler=get_live,
        verb="read",
        summary="Entries as they are recorded",
        doc=(
            "Server-sent events named `entry`; the id is the entry number, the data one line of"
            " the log as JSON.  A comment comes every 15 s.  The stream ends when the server"
            " stops, or whoever opened it may not read any more.  With `as=size`, events named `size` say how far the log"
            " has come, two a second at most: their id is the last entry number."
        ),
        params=(
            Param(
                name="as",
                doc="`entries`, every one of them, or `size`, for what only asks whether it grew",
                pattern="entries|size",
                maximum=7,
                example="entries",
            ),
            Param(
                name="last-event-id",
                where="header",
                doc="number of the last entry seen, -1 for none; what follows it is sent",
                pattern="-1|0|[1-9][0-9]{0,15}",
                maximum=16,
            ),
        ),
        answer=Raw(media_type=_EVENTS, doc="server-sent events"),
    ),
)
