"""The head of the one request a worker answers by itself, read more strictly than HTTP asks.

`read_head` says yes to a plain `POST /v1/events` and to nothing else.  Whatever is unusual,
though it may be sound, is left to the server's own parser in the process that writes: two
readers of HTTP that differ are how requests are smuggled, so this one never interprets.

Source: RFC 9112 sections 2, 3 and 6; RFC 9110 section 5.6.2.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

HEAD_MAX_BYTES: Final = 8 * 1024
START: Final = b"POST /v1/events"
_REQUEST: Final = re.compile(r"POST /v1/events(?:\?project=([a-z0-9][a-z0-9-]{0,62}))? HTTP/1\.1")
_FIELD: Final = re.compile(
    r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?)"
)
_LENGTH: Final = re.compile(r"[1-9][0-9]{0,6}")
_NEEDED: Final = frozenset({"host", "authorization", "content-type", "content-length"})
# What says nothing about how this request is to be read or who sends it.
_IDLE: Final = frozenset(
    {"accept", "accept-encoding", "accept-language", "user-agent", "cache-control", "pragma"}
)


@dataclass(frozen=True, slots=True)
class Head:
    """A plain head.

    Args:
        project: of the query, or the default one.
        host: as sent.
        token: behind `Bearer`.
        content_type: as sent.
        length_bytes: of the body, 1 to 9,999,999.
    """

    project: str
    host: str
    token: str
    content_type: str
    length_bytes: int


@lru_cache(maxsize=1_024)
def read_head(head: bytes) -> Head | None:
    r"""Return the head of a plain POST of events, without the empty line; None for any other.

    >>> read_head(b"POST /v1/events HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: x") is None
    True
    """
    try:
        first, *lines = head.decode("ascii").split("\r\n")
    except UnicodeDecodeError:
        return None
    request = _REQUEST.fullmatch(first)
    fields: dict[str, str] = {}
    for line in lines:
        field = _FIELD.fullmatch(line)
        if field is None or (name := field[1].lower()) in fields:
            return None
        fields[name] = field[2]
    extra = fields.keys() - _NEEDED - _IDLE
    kept_open = extra <= {"connection"} and fields.get("connection", "keep-alive") == "keep-alive"
    if request is None or not kept_open or not fields.keys() >= _NEEDED:
        return None
    scheme, _, token = fields["authorization"].partition(" ")
    length = _LENGTH.fullmatch(fields["content-length"])
    if scheme.lower() != "bearer" or length is None:
        return None
    return Head(
        project=request[1] or "default",
        host=fields["host"],
        token=token.strip(),
        content_type=fields["content-type"],
        length_bytes=int(length[0]),
    )
