"""Getting a document from an address of the settings, and from nowhere else it might lead.

What must hold: https, but for this machine itself; no redirect is followed and no proxy of the
environment is used; an address in a private network is asked only where the settings say so, and
one that belongs to the machine's own surroundings (link-local: where clouds hand out credentials)
never; what was looked up is what is connected to, so that a name cannot change its meaning in
between; size and time are bounded.

Source: OWASP Server-Side Request Forgery Prevention.
"""

import contextlib
import http.client
import ipaddress
import socket
import ssl
import threading
import urllib.parse
from collections.abc import Sequence
from typing import Final

from counterfoil.client.address import split_address
from counterfoil.errors import CounterfoilError

LOOPBACK_NAMES: Final = frozenset({"localhost", "127.0.0.1", "::1"})

_Address = tuple[int, str, int]
"""Family, numeric address, port."""


class NotFetchedError(Exception):
    """A document was not got; the message is one line that says why."""


def fetch(url: str, *, private: bool, limit_bytes: int, timeout_s: float) -> bytes:
    """Return the document at an address.

    Args:
        url: https; http for a server on this machine.
        private: whether the server may be in a private network.
        limit_bytes: how long the document may be.
        timeout_s: for connecting, and again for the whole answer.

    Raises:
        NotFetchedError: whatever kept it from coming.
    """
    try:
        parts = split_address(url)
    except CounterfoilError as error:
        raise NotFetchedError(error.message) from error
    host = parts.hostname or ""
    if parts.scheme != "https" and host not in LOOPBACK_NAMES:
        raise NotFetchedError(f"{url}: not https")
    connection = _Connection(parts, _addresses(parts, private=private), timeout_s)
    timer = threading.Timer(timeout_s, connection.hang_up)
    timer.daemon = True
    try:
        connection.connect()
        # The socket's own time-out starts again with every byte; this one does not.
        timer.start()
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request(
            "GET", path, headers={"Accept": "application/json", "User-Agent": "counterfoil"}
        )
        with contextlib.closing(connection.getresponse()) as response:
            if response.status != http.HTTPStatus.OK:
                redirects = " (redirects are not followed)" if response.status // 100 == 3 else ""
                raise NotFetchedError(f"{url}: answered {response.status}{redirects}")
            content = response.read(limit_bytes + 1)
            if len(content) <= limit_bytes and (response.length or connection.hung_up):
                raise http.client.IncompleteRead(content, response.length)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise NotFetchedError(f"{url}: {str(error) or type(error).__name__}") from error
    finally:
        timer.cancel()
        connection.close()
    if len(content) > limit_bytes:
        raise NotFetchedError(f"{url}: a document over {limit_bytes} bytes")
    return content


class _Connection(http.client.HTTPConnection):
    """A connection to one of some addresses that were looked at, under the name that was asked."""

    def __init__(
        self, parts: urllib.parse.SplitResult, addresses: Sequence[_Address], timeout_s: float
    ) -> None:
        super().__init__(parts.hostname or "", addresses[0][2], timeout=timeout_s)
        self._addresses = addresses
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None
        self._wait_s = timeout_s
        # Of its own: `sock` is taken away as soon as the answer is what ends the connection.
        self._open: socket.socket | None = None
        self.hung_up = False

    def connect(self) -> None:
        """Connect to the first address that answers."""
        failed = OSError("no address")
        for family, address, port in self._addresses:
            plain = socket.socket(family, socket.SOCK_STREAM)
            plain.settimeout(self._wait_s / len(self._addresses))
            try:
                plain.connect((address, port))
            except OSError as error:
                plain.close()
                failed = error
                continue
            plain.settimeout(self._wait_s)
            self._open = plain
            if self._tls is not None:
                self._open = self._tls.wrap_socket(plain, server_hostname=self.host)
            self.sock = self._open
            return
        raise failed

    def hang_up(self) -> None:
        """End whatever is under way; what came until then is no whole answer."""
        self.hung_up = True
        with contextlib.suppress(OSError):
            if self._open is not None:
                self._open.shutdown(socket.SHUT_RDWR)


def _addresses(parts: urllib.parse.SplitResult, *, private: bool) -> list[_Address]:
    """Return where a host is, if every one of its addresses may be asked."""
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise NotFetchedError(f"{host}: {error}") from error
    addresses: list[_Address] = [
        (int(family), str(place[0]), port) for family, _, _, _, place in found
    ]
    for _, address, _ in addresses:
        if not may_ask(address, private=private):
            raise NotFetchedError(
                f"{host} is at {address}: not asked, it is no public address"
                + ("" if private else " and the rule does not say that it is a private one")
            )
        if parts.scheme != "https" and not ipaddress.ip_address(address).is_loopback:
            raise NotFetchedError(
                f"{host} is at {address}: without https only this machine is asked"
            )
    return addresses


def may_ask(address: str, *, private: bool) -> bool:
    """Whether a server at a numeric address may be asked.

    >>> may_ask("10.0.0.1", private=False), may_ask("10.0.0.1", private=True)
    (False, True)
    >>> may_ask("::ffff:169.254.169.254", private=True)
    False
    """
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    if found.is_link_local or found.is_multicast or found.is_unspecified:
        return False
    return found.is_global or (private and (found.is_private or found.is_loopback))
