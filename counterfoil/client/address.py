"""Addresses of servers and tokens for them, as people give them in words and environments."""

import urllib.parse

from counterfoil.errors import RequestError


def split_address(url: str) -> urllib.parse.SplitResult:
    """Return the parts of an http(s) address that can be asked.

    A host may be named in any letters that have an ASCII form; the rest is ASCII, as it is sent.

    Raises:
        RequestError: `usage`: anything else; trying again later would not help.
    """
    parts = _split(url)
    if parts is None:
        raise RequestError("usage", f"{url!a} is no http(s) address; give it as https://HOST")
    return parts


def check_token(token: str) -> None:
    """Refuse a token that no header can carry; the message does not show it.

    Raises:
        RequestError: `usage`.
    """
    if any(not "!" <= char <= "~" for char in token):
        raise RequestError("usage", "the token holds characters no token has; copy it once more")


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
