"""Connections that end when their time is over, whatever the other side sends meanwhile.

A socket's own time-out starts again with every byte; the clock here does not.
"""

import contextlib
import http.client
import socket
import ssl
import threading
from types import TracebackType
from typing import Self


def in_a_line(error: Exception) -> str:
    r"""Return what an error says, whatever somebody else's bytes put into it.

    >>> in_a_line(OSError("no\r\n\x1b[2Jway"))
    'no ?[2Jway'
    """
    said = " ".join(str(error).split()) or type(error).__name__
    return "".join(one if one.isprintable() else "?" for one in said)


class HangUp:
    """A clock over one exchange: `with HangUp(5.0) as clock: clock.watch(sock)`.

    Attributes:
        over: whether it ended the connection.  What came until then is no whole answer, though
            one without a length looks like it.
    """

    def __init__(self, timeout_s: float) -> None:
        self.over = False
        # Its own: the connection lets go of the socket as soon as the answer is what ends it.
        self._sock: socket.socket | None = None
        self._timer = threading.Timer(timeout_s, self._end)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._timer.cancel()

    def watch(self, sock: socket.socket) -> None:
        """Begin to count; or go on with another connection in the place of one that was lost."""
        begins = self._sock is None
        self._sock = sock
        if begins:
            self._timer.start()

    def _end(self) -> None:
        self.over = True
        with contextlib.suppress(OSError):
            if self._sock is not None:
                # The connection's, and not TLS's own way to say goodbye, which would wait.
                socket.socket.shutdown(self._sock, socket.SHUT_RDWR)


class TimedConnection(http.client.HTTPConnection):
    """A connection whose handshake is in time too.

    Args:
        host: a name, or a numeric address without brackets.
        port: None for that of the scheme.
        timeout_s: how long connecting may take, and silence.
        secure: whether TLS is spoken, with a certificate that this machine trusts.

    Attributes:
        clock: of the exchange that is under way.
    """

    clock: HangUp

    def __init__(self, host: str, port: int | None, timeout_s: float, *, secure: bool) -> None:
        self.default_port = 443 if secure else 80
        super().__init__(host, port or self.default_port, timeout=timeout_s)
        self._context = ssl.create_default_context() if secure else None

    def reach(self) -> socket.socket:
        """Return a connected socket that waits for `timeout_s` at most.

        Raises:
            OSError: nobody is there.
        """
        return socket.create_connection((self.host, self.port), self.timeout)

    def connect(self) -> None:
        """Connect; everything after counts."""
        self.sock = self.reach()
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._context is not None:
            self.sock = self._context.wrap_socket(
                self.sock, server_hostname=self.host, do_handshake_on_connect=False
            )
        self.clock.watch(self.sock)
        if isinstance(self.sock, ssl.SSLSocket):
            self.sock.do_handshake()
