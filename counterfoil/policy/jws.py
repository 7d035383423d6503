"""JSON Web Tokens of others: from bytes to claims, or a refusal that says why.

What must hold: the algorithm is one that is named here, never one a token chose: `none` and the
HMAC kinds are not among them; the key is one that was got from the issuer and is called by its
`kid`: keys and addresses of keys inside a token (`jwk`, `jku`, `x5u`, `x5c`) are not looked at;
sizes are bounded before anything is parsed, and JSON that two readers might understand differently
is refused.

Pure.  The signature itself is checked by joserfc.
Source: RFC 7515, RFC 7517, RFC 7518; RFC 8725 (the mistakes to make here, and what is done instead).
"""

import base64
import binascii
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from counterfoil.errors import CounterfoilError, RequestError
from counterfoil.events.canonical import read

TOKEN_MAX_BYTES: Final = 16 * 1024
HEADER_MAX_BYTES: Final = 2 * 1024
KEYS_MAX_BYTES: Final = 128 * 1024
KEYS_MAX: Final = 64
RSA_BITS: Final = range(2048, 8193)
ALGORITHMS: Final = frozenset({"RS256", "PS256", "ES256"})
"""What issuers of tokens may sign with: each needs a key nobody else has."""

_SEGMENT: Final = re.compile(rb"[A-Za-z0-9_-]+")
_CURVES: Final = frozenset({"P-256", "P-384", "Ed25519"})
_PUBLIC: Final = {
    "RSA": ("kty", "n", "e"),
    "EC": ("kty", "crv", "x", "y"),
    "OKP": ("kty", "crv", "x"),
}
_ABOUT: Final = ("alg", "use", "kid")

PublicKey = RSAKey | ECKey | OKPKey


@dataclass(frozen=True, slots=True)
class Token:
    """A token that is well formed; nothing in it has been checked.

    Attributes:
        header: as it stands.
        claims: as they stand.
        compact: the whole token.
        signed: the part the signature is over; it tells a token from every other one.
    """

    header: Mapping[str, Any]
    claims: Mapping[str, Any]
    compact: bytes
    signed: bytes

    @property
    def kid(self) -> str:
        """Which of the issuer's keys signed it, "" if it does not say."""
        kid = self.header.get("kid")
        return kid if isinstance(kid, str) else ""


def parse_token(compact: bytes, algorithms: Collection[str] = ALGORITHMS) -> Token:
    """Take a token apart.

    Args:
        compact: in the compact serialization.
        algorithms: what it may be signed with.

    Raises:
        RequestError: `job_token_invalid`: no token, too long a one, or one with a header that
            has to be refused whoever signed it.
    """
    if len(compact) > TOKEN_MAX_BYTES:
        _refuse("size", f"the token is over {TOKEN_MAX_BYTES} bytes")
    parts = compact.split(b".")
    if len(parts) != 3 or not all(_SEGMENT.fullmatch(part) for part in parts):
        _refuse("form", "this is no token: three parts of base64url between dots")
    if len(parts[0]) > HEADER_MAX_BYTES:
        _refuse("size", f"the token's header is over {HEADER_MAX_BYTES} bytes")
    header, claims = _object(parts[0], "the token's header"), _object(parts[1], "the token")
    if "crit" in header or "b64" in header:
        _refuse("crit", "the token's header demands what is not understood here (crit)")
    algorithm = header.get("alg")
    if not isinstance(algorithm, str) or algorithm not in algorithms:
        named = ", ".join(sorted(algorithms))
        _refuse("alg", f"the token is signed with {ascii(algorithm)[:40]}; here count {named}")
    return Token(header, claims, compact, parts[0] + b"." + parts[1])


def check_signature(
    token: Token, key: PublicKey, algorithms: Collection[str] = ALGORITHMS
) -> Mapping[str, Any]:
    """Return the claims of a token that `key` signed.

    Args:
        token: as `parse_token` took it apart.
        key: the issuer's, called by the token's `kid`.
        algorithms: as for `parse_token`.

    Raises:
        RequestError: `job_token_invalid`: it did not, or the key is not for that algorithm.
    """
    registry = jws.JWSRegistry(algorithms=list(algorithms), strict_check_header=False)
    registry.max_header_length = HEADER_MAX_BYTES
    try:
        jws.deserialize_compact(token.compact, key, registry=registry)
    except (JoseError, ValueError, TypeError) as error:
        raise _invalid("signature", "the token is not signed by its issuer's key") from error
    return token.claims


def parse_keys(document: bytes) -> dict[str, PublicKey]:
    """Return the public keys of a key set, by their names.

    Left out are keys nobody signs tokens with, keys without a name, and names that stand twice.

    Raises:
        ValueError: no key set, or one beyond the bounds.

    Source: RFC 7517 section 5.
    """
    try:
        found = read(document, "the key set") if len(document) <= KEYS_MAX_BYTES else None
    except CounterfoilError as error:
        raise ValueError(error.message) from error
    items = found.get("keys") if isinstance(found, dict) else None
    if not isinstance(items, list) or len(items) > KEYS_MAX:
        raise ValueError(f"no set of 0 to {KEYS_MAX} keys")
    keys: dict[str, PublicKey] = {}
    twice: set[str] = set()
    for item in items:
        kid = item.get("kid") if isinstance(item, dict) else None
        if not isinstance(item, dict) or not isinstance(kid, str) or not kid:
            continue
        key = import_key(item)
        if key is not None and kid in keys:
            twice.add(kid)
        if key is not None:
            keys[kid] = key
    # Which of two was meant cannot be told, and guessing is how keys get mixed up.
    return {kid: key for kid, key in keys.items() if kid not in twice}


def import_key(item: Mapping[str, Any]) -> PublicKey | None:
    """Return the public key of a JSON Web Key, None if it is none that signatures count by."""
    kty = item.get("kty")
    members = _PUBLIC.get(kty) if isinstance(kty, str) else None
    if members is None or item.get("use", "sig") != "sig":
        return None
    public = {name: item[name] for name in (*members, *_ABOUT) if name in item}
    if not all(isinstance(value, str) and len(value) <= 2048 for value in public.values()):
        return None
    if kty == "RSA":
        return _import_rsa(public)
    if public.get("crv") not in _CURVES:
        return None
    try:
        return ECKey.import_key(public) if kty == "EC" else OKPKey.import_key(public)
    except (JoseError, ValueError, TypeError, LookupError):
        return None


def _import_rsa(public: dict[str, Any]) -> RSAKey | None:
    # The length first: joserfc warns of short keys, and long ones cost.
    try:
        bits = int.from_bytes(_decode(public["n"].encode())).bit_length()
        if bits not in RSA_BITS:
            return None
        return RSAKey.import_key(public)
    except (JoseError, ValueError, TypeError, LookupError):
        return None


def thumbprint(key: PublicKey) -> str:
    """Return the RFC 7638 thumbprint of a key: SHA-256, base64url, 43 characters."""
    return key.thumbprint()


def _object(segment: bytes, what: str) -> dict[str, Any]:
    try:
        value = read(_decode(segment), what)
    except CounterfoilError as error:
        raise _invalid("form", error.message) from error
    except ValueError as error:
        raise _invalid("form", f"{what} is not base64url") from error
    if not isinstance(value, dict):
        _refuse("form", f"{what} is no JSON object")
    return value


def _decode(segment: bytes) -> bytes:
    """Return the bytes of base64url without padding, which is written in one way only."""
    try:
        content = base64.b64decode(segment + b"=" * (-len(segment) % 4), b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError("not base64url") from error
    if base64.urlsafe_b64encode(content).rstrip(b"=") != segment:
        raise ValueError("not base64url as it is written")
    return content


def _refuse(reason: str, words: str) -> NoReturn:
    raise _invalid(reason, words)


def _invalid(reason: str, words: str) -> RequestError:
    return RequestError("job_token_invalid", f"{words}; ask the CI for another", reason=reason)
