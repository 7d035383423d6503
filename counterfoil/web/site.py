"""Under which names this server answers, and whom it believes about them.

Pure: from the settings and one request's headers to a decision; `security` acts on it.
"""

import ipaddress
import re
import urllib.parse
from collections.abc import Sequence
from dataclasses import dataclass

from starlette.requests import HTTPConnection

from counterfoil.errors import RequestError

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})
_DEFAULT_PORTS = {"http": 80, "https": 443}
_HOST = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]+)?")

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Site:
    """The public address of this server.

    Args:
        public_url: scheme and host (and port), without a slash at the end.
        host: as it stands in a Host header, the scheme's default port left out.
        https: whether people reach it over TLS, here or at a proxy.
        proxies: networks whose X-Forwarded-* headers are believed.
    """

    public_url: str
    host: str
    https: bool
    proxies: tuple[Network, ...] = ()

    @property
    def can_sign_in(self) -> bool:
        """Whether browsers keep a session here: https, or http on localhost."""
        return self.https or _name(self.host) == "localhost"

    @property
    def cookie(self) -> str:
        """The session cookie's name; `__Host-` binds it to this host, over TLS only."""
        return f"{self._prefix}counterfoil"

    @property
    def flow_cookie(self) -> str:
        """The name of the cookie of a browser that has gone to fetch a proof of who it is."""
        return f"{self._prefix}counterfoil-flow"

    @property
    def _prefix(self) -> str:
        # A browser takes `__Host-` only with Secure, and some take Secure on localhost only
        # over TLS: there the plain name, on a connection that does not leave the machine.
        return "__Host-" if self.https else ""

    def trusts(self, address: str) -> bool:
        """Whether `address` is a proxy whose forwarded headers count."""
        try:
            peer = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(peer in network for network in self.proxies)

    def address_of(self, request: HTTPConnection) -> str:
        """Return where a request came from: its peer, or what a trusted proxy says the peer was.

        Of X-Forwarded-For the last address counts: those before it are the sender's own words.
        """
        peer = request.client.host if request.client else ""
        if not self.trusts(peer):
            return peer
        stated = request.headers.get("x-forwarded-for", "").rpartition(",")[2].strip()
        try:
            return str(ipaddress.ip_address(stated))
        except ValueError:
            return peer

    def is_public(self, host: str) -> bool:
        """Whether a Host header names this server as people know it."""
        scheme = "https" if self.https else "http"
        return _without_port(host.lower(), _DEFAULT_PORTS[scheme]) == self.host

    @staticmethod
    def is_loopback(host: str, port: int) -> bool:
        """Whether a Host header names this machine and the port it came in at.

        A page of somebody else's cannot make a browser send such a Host to us under its own
        name, which is what DNS rebinding needs; tools on this machine can.
        """
        name, _, named_port = host.lower().rpartition(":")
        if host.lower() in LOOPBACK_NAMES:
            return port == _DEFAULT_PORTS["http"]
        return name in LOOPBACK_NAMES and named_port == str(port)


def make_site(public_url: str, proxies: Sequence[str] = ()) -> Site:
    """Read the settings.

    Raises:
        RequestError: `config_invalid`.

    >>> make_site("https://foil.example:443/").public_url
    'https://foil.example'
    """
    parts = _split(public_url)
    if parts is None:
        raise RequestError(
            "config_invalid",
            f"public_url {public_url!a} is not http(s)://HOST or http(s)://HOST:PORT in ASCII",
        )
    host = _without_port(parts.netloc.lower(), _DEFAULT_PORTS[parts.scheme])
    try:
        networks = tuple(ipaddress.ip_network(one, strict=False) for one in proxies)
    except ValueError as error:
        raise RequestError(
            "config_invalid", f"trusted_proxies: {error}; name addresses or networks"
        ) from error
    return Site(f"{parts.scheme}://{host}", host, parts.scheme == "https", networks)


def _split(public_url: str) -> urllib.parse.SplitResult | None:
    """Return the parts of a public address, None if it is none.

    The host stands in links and is compared with Host headers: only what a browser sends.
    """
    try:
        parts = urllib.parse.urlsplit(public_url)
        named = parts.port != 0
    except ValueError:
        return None
    plain = parts.path in {"", "/"} and not parts.query and not parts.fragment
    host = _HOST.fullmatch(parts.netloc)
    return parts if named and plain and host and parts.scheme in _DEFAULT_PORTS else None


def _without_port(host: str, port: int) -> str:
    return host.removesuffix(f":{port}")


def _name(host: str) -> str:
    name, _, port = host.rpartition(":")
    return name if port.isdecimal() else host
