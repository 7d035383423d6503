"""One call to a witness, a time-stamping authority or a sign-in provider: bounded in every way.

The address is one somebody wrote into the settings; no answer can change it: redirects are not
followed and proxies of the environment are not used.  How large an answer may be, how long it may
be silent and how long it may take is fixed here.  To witnesses and authorities nothing is sent but
a checkpoint and a proof, or a digest, which are public.

Source: C2SP tlog-witness; RFC 3161 section 3.4.
"""

import contextlib
import http.client
import socket
import threading
from collections.abc import Mapping
from dataclasses import dataclass

from counterfoil.client.address import split_address
from counterfoil.errors import UnavailableError

ANSWER_MAX_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """What was said: an HTTP status, and a body of at most 64 KiB."""

    status: int
    body: bytes


def ask_witness(url: str, body: bytes, timeout_s: float) -> Answer:
    """Send one add-checkpoint request; as `post`.

    Args:
        url: of the witness, without `/add-checkpoint`.
        body: from `tlog.witness.write_add_checkpoint`.
        timeout_s: as for `post`.
    """
    return post(f"{url.rstrip('/')}/add-checkpoint", body, "text/plain; charset=utf-8", timeout_s)


def post(url: str, body: bytes, media_type: str, timeout_s: float) -> Answer:
    """Post bytes to an address of the settings; as `call`."""
    return call("POST", url, body, {"Content-Type": media_type}, timeout_s)


def call(
    method: str, url: str, body: bytes | None, headers: Mapping[str, str], timeout_s: float
) -> Answer:
    """Make one call to an address of the settings, or one that a trusted answer named.

    Args:
        method: GET or POST.
        url: http or https.
        body: what is sent, if anything.
        headers: besides those every call has.
        timeout_s: for connecting, and again for sending and the whole answer.

    Raises:
        RequestError: `usage`: no http or https address.
        UnavailableError: `unreachable`: no answer, too long a one, or too slow a one.
    """
    parts = split_address(url)
    make = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = make(parts.hostname or "", parts.port, timeout=timeout_s)
    clock: threading.Timer | None = None
    hung_up = threading.Event()
    try:
        connection.connect()
        # The socket's own time-out starts again with every byte; this one does not.
        clock = threading.Timer(timeout_s, _hang_up, (connection.sock, hung_up))
        clock.daemon = True
        clock.start()
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request(method, path, body, {"User-Agent": "counterfoil", **headers})
        # Where the server closes, the socket is the response's: too long an answer stays unread.
        with connection.getresponse() as response:
            answer = response.read(ANSWER_MAX_BYTES + 1)
            # An answer without a length ends where the connection does: if we ended it, too early.
            if len(answer) <= ANSWER_MAX_BYTES and (response.length or hung_up.is_set()):
                raise http.client.IncompleteRead(answer, response.length)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise UnavailableError(
            "unreachable", f"{url}: {str(error) or type(error).__name__}; asked again later"
        ) from error
    finally:
        if clock is not None:
            clock.cancel()
        connection.close()
    if len(answer) > ANSWER_MAX_BYTES:
        raise UnavailableError("unreachable", f"{url}: an answer over {ANSWER_MAX_BYTES} bytes")
    return Answer(response.status, answer)


def _hang_up(sock: socket.socket, hung_up: threading.Event) -> None:
    hung_up.set()
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
