"""Proof of possession: that whoever sends a job's token holds the key it was first sent under.

The proof is a DPoP proof: a small signed token that carries its own public key, names the call it
is made for, and holds the digest of the job's token.  What must hold: it is made for this call,
now, and for this token; the same proof counts once, which whoever calls `check_proof` sees to.

Pure.  Source: RFC 9449 section 4.2 and 4.3; RFC 7638; docs/adr/0025.
"""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from counterfoil.errors import RequestError
from counterfoil.policy.jws import (
    PublicKey,
    check_signature,
    import_key,
    parse_token,
    thumbprint,
)

PROOF_MAX_BYTES: Final = 4 * 1024
WINDOW_S: Final = 120
"""How old a proof may be, and how far ahead: what was seen is remembered as long."""
ALGORITHMS: Final = frozenset({"Ed25519", "ES256"})
_TYPE: Final = "dpop+jwt"
_ID_MAX: Final = 128


@dataclass(frozen=True, slots=True)
class Proof:
    """A proof that holds.

    Attributes:
        thumbprint: of the key, RFC 7638, base64url.
        id: the proof's own `jti`; with the thumbprint it tells a proof from every other one.
        made_s: when it says it was made, seconds since 1970.
    """

    thumbprint: str
    id: str
    made_s: float


def token_digest(token: bytes) -> str:
    """Return what a proof holds of the token it is for: SHA-256, base64url without padding.

    >>> token_digest(b"abc")
    'ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0'
    """
    return base64.urlsafe_b64encode(hashlib.sha256(token).digest()).rstrip(b"=").decode()


def check_proof(proof: bytes, *, method: str, url: str, token: bytes, now_s: float) -> Proof:
    """Check a proof against the call it came with.

    Args:
        proof: the `DPoP` header.
        method: of the call, such as "POST".
        url: of the call as people reach it, without query and fragment.
        token: the job's token that came with it.
        now_s: seconds since 1970.

    Raises:
        RequestError: `proof_invalid`, with what does not hold.

    Source: RFC 9449 section 4.3; its `ath` is here the digest of the job's token.
    """
    key, claims = _opened(proof)
    if claims.get("htm") != method:
        _refuse(f"it was made for another method than {method} (htm)")
    if claims.get("htu") != url:
        _refuse(f"it was made for another address than {url} (htu)")
    if claims.get("ath") != token_digest(token):
        _refuse("it was made for another token (ath)")
    made = claims.get("iat")
    if isinstance(made, bool) or not isinstance(made, int | float):
        _refuse("it does not say when it was made (iat)")
    if abs(now_s - made) > WINDOW_S:
        _refuse(f"it was made {int(abs(now_s - made))} s away from this server's time: a clock?")
    unique = claims.get("jti")
    if not isinstance(unique, str) or not 0 < len(unique) <= _ID_MAX:
        _refuse("it has no jti")
    return Proof(thumbprint(key), unique, float(made))


def _opened(proof: bytes) -> tuple[PublicKey, Mapping[str, Any]]:
    """Return the key a proof carries and what it says, once that key has signed it."""
    if len(proof) > PROOF_MAX_BYTES:
        _refuse(f"it is over {PROOF_MAX_BYTES} bytes")
    try:
        parsed = parse_token(proof, ALGORITHMS)
    except RequestError as error:
        raise _invalid(error.message.partition(";")[0]) from error
    if parsed.header.get("typ") != _TYPE:
        _refuse(f"its typ is not {_TYPE}")
    member = parsed.header.get("jwk")
    key = import_key(member) if isinstance(member, dict) and "d" not in member else None
    if key is None:
        _refuse("its header carries no public key that is Ed25519 or P-256 (jwk)")
    try:
        return key, check_signature(parsed, key, ALGORITHMS)
    except RequestError as error:
        raise _invalid("it is not signed by the key it carries") from error


def _refuse(words: str) -> NoReturn:
    raise _invalid(words)


def _invalid(words: str) -> RequestError:
    return RequestError("proof_invalid", f"the proof of the job's key does not hold: {words}")
