"""An id token: a provider's signed word on who somebody is, checked before it is believed.

What must hold: the signature is by a key of the provider, with an algorithm that both it and this
list name (`none` and every HMAC are on no list); it is for us, from them, now, and an answer to
the very question this browser was sent with; who somebody is, is `sub` of that issuer, and never a
mail address or a name, which can be given to somebody else.

Source: OpenID Connect Core 1.0 section 3.1.3.7, whose numbers the checks repeat; RFC 8725.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from joserfc import jws
from joserfc.errors import JoseError

from counterfoil.app.proving import refuse
from counterfoil.errors import CounterfoilError
from counterfoil.events.canonical import read
from counterfoil.policy.jws import PublicKey

ALGORITHMS: Final = (
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "Ed25519",
)
TOKEN_MAX_BYTES: Final = 32 * 1024
HEADER_MAX_BYTES: Final = 2 * 1024
LEEWAY_S: Final = 60
SUBJECT_MAX: Final = 255
_HASHES: Final = {"256": hashlib.sha256, "384": hashlib.sha384, "512": hashlib.sha512}


@dataclass(frozen=True, slots=True)
class Expected:
    """What an id token has to be an answer to."""

    issuer: str
    client_id: str
    nonce: str
    algorithms: Sequence[str]
    now: datetime


def check_id_token(
    token: str,
    expected: Expected,
    key_of: Callable[[str], PublicKey | None],
    access_token: str = "",
) -> str:
    """Return `sub`: who it is, among all whom this issuer knows.

    Args:
        token: in the compact serialization.
        expected: what it has to be an answer to.
        key_of: returns the provider's key of a name, None if it has none.
        access_token: what came with it, "" if nothing did.

    Raises:
        RequestError: `sign_in_refused`, with the `reason`.
        UnavailableError: `unreachable`: the keys cannot be had.
    """
    if len(token) > TOKEN_MAX_BYTES or not token.isascii():
        refuse("id-token", f"the provider's token is no text of at most {TOKEN_MAX_BYTES} bytes")
    parts = token.split(".")
    if len(parts) != 3 or len(parts[0]) > HEADER_MAX_BYTES:
        refuse("id-token", "the provider's token is not three parts between dots")
    header = _object(parts[0])
    # 7. Named by both sides, before any key is looked for.
    algorithm = header.get("alg")
    if algorithm not in ALGORITHMS or algorithm not in expected.algorithms:
        refuse("algorithm", f"the provider's token is signed with {ascii(algorithm)[:40]}")
    kid = header.get("kid", "")
    key = key_of(kid) if isinstance(kid, str) else None
    if key is None:
        refuse("key", "the provider's token names a key the provider does not have")
    # 6. The signature; what a header demands beyond the standard (`crit`) is refused with it.
    try:
        registry = jws.JWSRegistry(algorithms=[algorithm], strict_check_header=False)
        jws.deserialize_compact(token.encode(), key, registry=registry)
    except (JoseError, ValueError, TypeError) as error:
        refuse("signature", f"the provider's token is not signed by the provider: {error}"[:200])
    claims = _object(parts[1])
    _check_audience(claims, expected)
    _check_times(claims, expected.now)
    # 11. The question this browser was sent with.
    nonce = claims.get("nonce")
    if not isinstance(nonce, str) or not hmac.compare_digest(
        nonce.encode(), expected.nonce.encode()
    ):
        refuse("nonce", "the provider's token answers another sign-in; try again")
    _check_access_token(claims, str(algorithm), access_token)
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= SUBJECT_MAX or not subject.isascii():
        refuse("id-token", "the provider's token does not say who it is about")
    return subject


def _check_audience(claims: Mapping[str, Any], expected: Expected) -> None:
    # 2. Who says so.
    if claims.get("iss") != expected.issuer:
        refuse("issuer", "the provider's token is by another issuer")
    # 3. For whom.
    audience = claims.get("aud")
    named = audience if isinstance(audience, list) else [audience]
    if expected.client_id not in named:
        refuse("audience", "the provider's token is for another program than this one")
    # 4, 5. Of several, to whom it was given.
    party = claims.get("azp")
    if (party is not None or len(named) > 1) and party != expected.client_id:
        refuse("audience", "the provider's token was given to another program than this one")


def _check_times(claims: Mapping[str, Any], now: datetime) -> None:
    seconds = now.timestamp()
    # 9, 10. Both must be there: a token without an end would be good for ever.
    for name in ("exp", "iat"):
        if isinstance(claims.get(name), bool) or not isinstance(claims.get(name), int | float):
            refuse("id-token", f"the provider's token has no {name}")
    if claims["exp"] + LEEWAY_S <= seconds:
        refuse("expired", "the provider's token is over; try again")
    begins = claims.get("nbf", claims["iat"])
    if not isinstance(begins, int | float) or max(begins, claims["iat"]) - LEEWAY_S > seconds:
        refuse("early", "the provider's token is not good yet: one of the clocks is off")


def _check_access_token(claims: Mapping[str, Any], algorithm: str, access_token: str) -> None:
    """Compare `at_hash`, where it stands (section 3.1.3.8)."""
    said = claims.get("at_hash")
    if said is None or not access_token:
        return
    made = _HASHES.get(algorithm[-3:], hashlib.sha512)(access_token.encode()).digest()
    half = base64.urlsafe_b64encode(made[: len(made) // 2]).rstrip(b"=").decode()
    if said != half:
        refuse("access-token", "the provider's tokens do not belong together")


def _object(segment: str) -> dict[str, Any]:
    try:
        content = base64.b64decode(
            segment.encode() + b"=" * (-len(segment) % 4), b"-_", validate=True
        )
        value = read(content, "the token")
    except (binascii.Error, CounterfoilError):
        refuse("id-token", "the provider's token is not in the standard's form")
    if not isinstance(value, dict):
        refuse("id-token", "the provider's token is not in the standard's form")
    return value
