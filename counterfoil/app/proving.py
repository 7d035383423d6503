"""What every way of proving who one is shares: secrets kept as digests, refusals, for which host.

Light on purpose: whoever only makes a link, or looks a session up, loads no cryptography of passkeys.
"""

import datetime
import hashlib
import ipaddress
import urllib.parse
from dataclasses import dataclass
from typing import Final, NoReturn

from counterfoil.clock import parse_time
from counterfoil.errors import RequestError


@dataclass(frozen=True, slots=True)
class RelyingParty:
    """Whom passkeys are for: `id` is a host name, `origin` what the browser says it is at."""

    id: str
    origin: str


FRESH: Final = datetime.timedelta(minutes=5)
"""How long a shown passkey counts for what is sensitive: long enough to read what is signed."""


def is_fresh(verified: str, now: datetime.datetime) -> bool:
    """Whether a passkey that was shown at `verified`, RFC 3339 or "", was shown just now.

    A moment in the future is none of the last five minutes: clocks are set back.
    """
    return bool(verified) and datetime.timedelta(0) <= now - parse_time(verified) < FRESH


def digest(secret: str) -> bytes:
    """Return what is kept of a secret somebody comes with: a token, a link, a browser's cookie.

    Each is 256 bits of randomness, which need no slow hash.
    """
    return hashlib.sha256(secret.encode("utf-8", "replace")).digest()


def refuse(reason: str, message: str) -> NoReturn:
    """Say that who it is was not proven.

    Args:
        reason: one word for programs and for the record of refusals.
        message: one line for the person.
    """
    raise RequestError("sign_in_refused", message, reason=reason)


def relying_party(public_url: str) -> RelyingParty | None:
    """Return whom passkeys made at an address are for; None where browsers make none.

    Browsers make them over https, or on localhost; and a passkey is bound to a name, so none is
    made for an IP address.

    >>> relying_party("https://foil.example:8443")
    RelyingParty(id='foil.example', origin='https://foil.example:8443')
    >>> relying_party("http://127.0.0.1:8000"), relying_party("http://foil.example")
    (None, None)
    """
    parts = urllib.parse.urlsplit(public_url)
    name = parts.hostname or ""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        secure = parts.scheme == "https" or name == "localhost"
        return RelyingParty(name, public_url.rstrip("/")) if secure and name else None
    return None
