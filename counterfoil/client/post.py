"""One POST with nothing but a socket: for programs that stand in front of every command.

`client.http` is the client; it costs 40 ms to import.  This one sends bytes and says what
status came back, and that is all it can do: no redirects, no proxies, no kept connections.

Source: RFC 9112 (HTTP/1.1); sent as HTTP/1.0, so that the answer ends with the connection.
"""

import socket
import urllib.parse
from collections.abc import Mapping
from typing import Any

ANSWER_BYTES_MAX = 4 * 1024 * 1024
_PORTS = {"http": 80, "https": 443}


def post(
    url: str,
    path: str,
    query: Mapping[str, str],
    body: bytes,
    *,
    content_type: str,
    token: str,
    timeout_s: float,
    certificate: str = "",
) -> tuple[int, bytes]:
    """Make one POST.

    Args:
        url: the server's base URL.
        path: such as "/v1/events".
        query: the words behind it.
        body: what is sent.
        content_type: what that is.
        token: sent as a bearer token; "" for none.
        timeout_s: how long to wait for each of connection, name and bytes; the caller bounds
            the whole.
        certificate: SHA-256 of the only one https goes on with; "" for any this machine trusts.

    Returns:
        The HTTP status and the body.

    Raises:
        OSError: nobody answered.
        ValueError: no http(s) URL, or what answered speaks no HTTP.
    """
    parts = urllib.parse.urlsplit(url)
    host = parts.hostname
    if parts.scheme not in _PORTS or not host:
        raise ValueError(f"{url!r} is no http(s) address")
    name = parts.netloc.rpartition("@")[2]
    head = (
        f"POST {parts.path.rstrip('/')}{path}?{urllib.parse.urlencode(query)} HTTP/1.0\r\n"
        f"Host: {name}\r\nContent-Type: {content_type}\r\nAccept: application/json\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n"
    )
    if token:
        if not (token.isascii() and token.isprintable()):
            raise ValueError("the token holds characters no header can carry")
        head += f"Authorization: Bearer {token}\r\n"
    port = parts.port or _PORTS[parts.scheme]
    # As bytes an ASCII name passes by the tables for others, which take 3 ms to load.
    address: Any = host.encode() if host.isascii() else host
    with socket.create_connection((address, port), timeout=timeout_s) as plain:
        connection = plain
        if parts.scheme == "https":
            import ssl  # noqa: PLC0415  10 ms that plain http does not need

            if certificate:
                from counterfoil.client.pinned import PinnedContext  # noqa: PLC0415  the same

                context: ssl.SSLContext = PinnedContext(certificate)
            else:
                context = ssl.create_default_context()
            connection = context.wrap_socket(plain, server_hostname=host)
        with connection:
            connection.sendall(head.encode("ascii") + b"\r\n" + body)
            answer = bytearray()
            while len(answer) <= ANSWER_BYTES_MAX and (part := connection.recv(65_536)):
                answer += part
    return _read_answer(bytes(answer))


def _read_answer(answer: bytes) -> tuple[int, bytes]:
    head, _, body = answer.partition(b"\r\n\r\n")
    words = head.split(b"\r\n", 1)[0].split(b" ")
    if not words[0].startswith(b"HTTP/1.") or len(words) < 2 or not words[1].isdigit():
        raise ValueError("what answered speaks no HTTP")
    return int(words[1]), body
