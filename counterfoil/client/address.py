"""Addresses of servers and tokens for them, as people give them in words and environments."""

import urllib.parse

from counterfoil.errors import RequestError

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def split_address(url: str) -> urllib.parse.SplitResult:
    """Return the parts of an http(s) address that can be asked.

    A host may be named in any letters that have an ASCII form; the rest is ASCII, as it is sent.

    Raises:
        RequestError: `usage`: anything else; trying again later would not help.
    """
    parts = _split(url)
    if parts is None:
        raise RequestError("usage", f"{url[:200]!a} is no http(s) address; give it as https://HOST")
    return parts


def plain_address(url: str) -> urllib.parse.SplitResult:
    """Return the parts of an address that holds no secret: it stands in settings and messages.

    Raises:
        RequestError: `usage`: as for `split_address`, or it names a user.
    """
    parts = split_address(url)
    if parts.username is not None or parts.password is not None:
        # Not repeated: what stands before the @ may be a password.
        raise RequestError("usage", f"an address at {parts.hostname} names a user; leave that out")
    return parts


def check_token(token: str) -> None:
    """Refuse a token that no header can carry; the message does not show it.

    Raises:
        RequestError: `usage`.
    """
    if any(not "!" <= char <= "~" for char in token):
        raise RequestError("usage", "the token holds characters no token has; copy it once more")


def is_safe_address(address: str, *, beside: str) -> bool:
    """Whether people and secrets may be sent to an address: https, or this machine only.

    Args:
        address: which.
        beside: the provider's own address; plain http counts only where that is on this machine.
    """
    try:
        parts, own = urllib.parse.urlsplit(address), urllib.parse.urlsplit(beside)
        host, own_host = parts.hostname, own.hostname
        parts.port  # noqa: B018  reading it checks it
    except ValueError:
        return False
    if not host or parts.username is not None or parts.fragment or not address.isascii():
        return False
    if any(character <= " " for character in address):
        return False
    here = host in _LOOPBACK and own_host in _LOOPBACK and own.scheme == "http"
    return parts.scheme == "https" or (parts.scheme == "http" and here)


def _split(url: str) -> urllib.parse.SplitResult | None:
    if any(char <= " " or char == "\x7f" for char in url):
        return None
    try:
        parts = urllib.parse.urlsplit(url)
        port, host = parts.port, parts.hostname or ""
        host.encode("idna")
    except ValueError:
        return None
    usable = parts.scheme in {"http", "https"} and host and port != 0
    return parts if usable and url.partition(parts.netloc)[2].isascii() else None
