"""Asking an address of the settings, and nowhere else it might lead: every call the server makes.

What must hold: an address is http or https and names no user; no redirect is followed and no
proxy of the environment is used; an address in a private network is asked only where the settings
say so, and one that belongs to the machine's own surroundings (link-local, and where clouds hand
out credentials) never; what was looked up is what is connected to, so that a name cannot change
its meaning in between; size and time are bounded.

To witnesses and authorities for time stamps nothing is sent but a checkpoint and a proof, or a
digest, which are public: they may be asked without TLS.  Everybody else is asked over TLS, or on
this machine.

Sources: OWASP Server-Side Request Forgery Prevention; RFC 6052 and RFC 3056 (IPv4 inside IPv6);
C2SP tlog-witness; RFC 3161 section 3.4.
"""

import http.client
import ipaddress
import socket
import urllib.parse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from counterfoil.client.address import plain_address
from counterfoil.client.hangup import HangUp, TimedConnection, in_a_line
from counterfoil.errors import CounterfoilError, UnavailableError

LOOPBACK_NAMES: Final = frozenset({"localhost", "127.0.0.1", "::1"})
ANSWER_MAX_BYTES: Final = 64 * 1024
# Not link-local, and yet a machine's own surroundings: Amazon's, Google's, Alibaba's, Oracle's
# and Azure's.
_SURROUNDINGS: Final = frozenset(
    ipaddress.ip_address(one)
    for one in (
        *("fd00:ec2::254", "fd20:ce::254"),
        *("100.100.100.200", "192.0.0.192", "168.63.129.16"),
    )
)
# Of carriers and overlay networks, RFC 6598: neither global nor private to `ipaddress`.
_SHARED: Final = ipaddress.IPv4Network("100.64.0.0/10")
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
_COMPATIBLE: Final = ipaddress.IPv6Network("::/96")

_Address = tuple[int, str, int]
"""Family, numeric address, port."""
_Ip = ipaddress.IPv4Address | ipaddress.IPv6Address


class NotFetchedError(Exception):
    """There is no whole answer; the message is one line that says why."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What was said: an HTTP status and a body; and the numeric address it came from."""

    status: int
    body: bytes
    address: str = ""


def ask_witness(url: str, body: bytes, timeout_s: float) -> Answer:
    """Send one add-checkpoint request; as `post`.

    Args:
        url: of the witness, without `/add-checkpoint`.
        body: from `tlog.witness.write_add_checkpoint`.
        timeout_s: as for `post`.
    """
    return post(f"{url.rstrip('/')}/add-checkpoint", body, "text/plain; charset=utf-8", timeout_s)


def tell_witness(url: str, note: bytes, timeout_s: float) -> Answer:
    """Tell a witness that another key of a log follows; as `post`.

    Args:
        url: of the witness, without `/add-key`.
        note: from `tlog.handover.write_handover`.
        timeout_s: as for `post`.
    """
    return post(f"{url.rstrip('/')}/add-key", note, "text/plain; charset=utf-8", timeout_s)


def post(url: str, body: bytes, media_type: str, timeout_s: float) -> Answer:
    """Post what is public to an address of the settings; the answer has 64 KiB at most.

    Args:
        url: http or https, anywhere.
        body: what is sent.
        media_type: what that is.
        timeout_s: for connecting, and again for the whole answer.

    Raises:
        UnavailableError: `unreachable`: no answer, too long a one, or too slow a one.
    """
    headers = {"Content-Type": media_type}
    try:
        return ask("POST", url, body, headers, private=True, plain=True, timeout_s=timeout_s)
    except NotFetchedError as error:
        raise UnavailableError("unreachable", f"{error}; asked again later") from error


def fetch(url: str, *, private: bool, limit_bytes: int, timeout_s: float) -> bytes:
    """Return the document at an address; as `get`."""
    return get(url, private=private, limit_bytes=limit_bytes, timeout_s=timeout_s).body


def get(url: str, *, private: bool, limit_bytes: int, timeout_s: float) -> Answer:
    """Return an answer that holds the document at an address.

    Args:
        url: https; http for a server on this machine.
        private: whether the server may be in a private network.
        limit_bytes: how long the document may be.
        timeout_s: for connecting, and again for the whole answer.

    Raises:
        NotFetchedError: whatever kept it from coming.
    """
    headers = {"Accept": "application/json"}
    answer = ask(
        "GET", url, None, headers,
        private=private, limit_bytes=limit_bytes, timeout_s=timeout_s,
    )  # fmt: skip
    if answer.status != http.HTTPStatus.OK:
        redirects = " (redirects are not followed)" if answer.status // 100 == 3 else ""
        raise NotFetchedError(f"{url}: answered {answer.status}{redirects}")
    return answer


def ask(
    method: str,
    url: str,
    body: bytes | None,
    headers: Mapping[str, str],
    *,
    private: bool,
    timeout_s: float,
    plain: bool = False,
    limit_bytes: int = ANSWER_MAX_BYTES,
) -> Answer:
    """Make one call.

    Args:
        method: GET or POST.
        url: https; http for a server on this machine.
        body: what is sent, if anything.
        headers: besides those every call has.
        private: whether the server may be in a private network.
        timeout_s: for connecting, and again for everything after.
        plain: whether http will do anywhere.
        limit_bytes: how long the answer may be.

    Raises:
        NotFetchedError: whatever kept the whole answer from coming.
    """
    try:
        parts = plain_address(url)
    except CounterfoilError as error:
        raise NotFetchedError(error.message) from error
    if parts.scheme != "https" and not plain and parts.hostname not in LOOPBACK_NAMES:
        raise NotFetchedError(f"{url}: not https")
    addresses = _addresses(parts, private=private, plain=plain)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    with HangUp(timeout_s) as clock:
        connection = _Connection(parts, addresses, timeout_s, clock)
        try:
            connection.request(method, path, body, {"User-Agent": "counterfoil", **headers})
            # Where the server closes, the socket is the response's: what is too long stays unread.
            with connection.getresponse() as response:
                content = response.read(limit_bytes + 1)
                if len(content) <= limit_bytes and (response.length or clock.over):
                    raise http.client.IncompleteRead(content, response.length)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise NotFetchedError(f"{url}: {in_a_line(error)}") from error
        finally:
            connection.close()
    if len(content) > limit_bytes:
        raise NotFetchedError(f"{url}: an answer over {limit_bytes} bytes")
    return Answer(response.status, content, connection.address)


class _Connection(TimedConnection):
    """A connection to one of some addresses that were looked at, under the name that was asked."""

    def __init__(
        self,
        parts: urllib.parse.SplitResult,
        addresses: Sequence[_Address],
        timeout_s: float,
        clock: HangUp,
    ) -> None:
        secure = parts.scheme == "https"
        super().__init__(parts.hostname or "", parts.port, timeout_s, secure=secure)
        self.clock = clock
        self._addresses = addresses
        self._wait_s = timeout_s
        self.address = ""

    def reach(self) -> socket.socket:
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
            self.address = address
            return plain
        raise failed


def _addresses(
    parts: urllib.parse.SplitResult, *, private: bool, plain: bool = False
) -> list[_Address]:
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
        if parts.scheme != "https" and not plain and not ipaddress.ip_address(address).is_loopback:
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
    found = _meant(ipaddress.ip_address(address.partition("%")[0]))
    if found.is_link_local or found.is_multicast or found.is_unspecified:
        return False
    if found in _SURROUNDINGS or (found.version == 4 and found.is_reserved):
        return False
    inside = found.is_private or found.is_loopback or found in _SHARED
    return found.is_global or (private and inside)


def _meant(found: _Ip) -> _Ip:
    """Return the IPv4 address that stands inside an IPv6 one, where one does."""
    if isinstance(found, ipaddress.IPv4Address):
        return found
    if found in _NAT64 or (found in _COMPATIBLE and int(found) > 1):
        return ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
    return found.ipv4_mapped or found.sixtofour or found
