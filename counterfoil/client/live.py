"""Following a log over HTTP: every entry once, in order, however often the connection breaks.

What must hold: an entry is handed on only when the whole of its event has arrived, and only if
it is the next one; so a server that dies in the middle of a line costs a reconnect, never an
entry and never a second copy.  The place to go on from is the number of the last entry handed on.

Source: HTML living standard, section 9.2.6 (interpreting an event stream).
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

import msgspec

from counterfoil.client.http import LINE_MAX_BYTES, Client
from counterfoil.errors import UnavailableError

# The server says something every 15 s; twice that and a bit is a dead line.
SILENCE_S: Final = 40.0
PAUSES_S: Final = (0.5, 1.0, 2.0, 4.0, 5.0)

Line = dict[str, Any]


def follow(
    client: Client,
    last: int,
    *,
    pause: Callable[[float], None],
    lost: Callable[[UnavailableError], None],
    found: Callable[[], None],
) -> Iterator[Line]:
    """Yield every entry after `last` as the server's JSON, without end.

    Args:
        client: the server and the project.
        last: number of the last entry that is known, -1 for none.
        pause: waits for some seconds before the next attempt.
        lost: told once when the line breaks.
        found: told once when it stands again.

    Raises:
        RequestError: the server refuses: no such project, no right to read, or a `last` that
            its log does not reach (another log, or an older copy of this one).
        UnavailableError: there was no answer to the very first call.
    """
    attempt = 0
    answered = False
    away = False
    while True:
        try:
            headers = {"Accept": "text/event-stream", "Last-Event-ID": str(last)}
            with client.stream("/v1/live", headers, SILENCE_S) as lines:
                if away:
                    found()
                answered, away, attempt = True, False, 0
                for line in entries(lines):
                    if line["index"] == last + 1:
                        last += 1
                        yield line
        except UnavailableError as error:
            if not answered:
                raise
            if not away:
                lost(error)
        else:
            # A server that stops ends the stream without a word.
            if not away:
                lost(UnavailableError("unreachable", "the server ended the stream"))
        away = True
        pause(PAUSES_S[min(attempt, len(PAUSES_S) - 1)])
        attempt += 1


def entries(lines: Iterable[bytes]) -> Iterator[Line]:
    r"""Yield the data of whole `entry` events; what is cut off at the end is dropped.

    Raises:
        UnavailableError: `unreachable`: what comes is no entry, or too large for one.

    >>> whole = [b'id: 7\n', b'event: entry\n', b'data: {"index": 7}\n', b'\n']
    >>> [line["index"] for line in entries([b": hello\n", b"\n", *whole, *whole[:3]])]
    [7]
    """
    name, data = "", list[bytes]()
    for raw in lines:
        if len(raw) + sum(map(len, data)) > LINE_MAX_BYTES:
            raise UnavailableError("unreachable", f"an entry of over {LINE_MAX_BYTES} bytes came")
        line = raw.rstrip(b"\r\n")
        if not line and raw:
            if name == "entry" and data:
                yield _read(b"\n".join(data))
            name, data = "", list[bytes]()
        elif line.startswith(b"event:"):
            name = line[6:].strip().decode("utf-8", "replace")
        elif line.startswith(b"data:"):
            data.append(line[5:].removeprefix(b" "))


def _read(data: bytes) -> Line:
    try:
        line: Any = msgspec.json.decode(data)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        line = None
    if not isinstance(line, dict) or type(line.get("index")) is not int:
        raise UnavailableError(
            "unreachable", "what came is no entry of a log; is this Counterfoil?"
        )
    return line
