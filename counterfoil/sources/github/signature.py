"""The signature of a GitHub delivery: HMAC-SHA-256 over the raw bytes, nothing less.

Source: docs.github.com "Validating webhook deliveries", header `X-Hub-Signature-256`.  The SHA-1
header beside it is not looked at: a delivery that has only that one is refused.
"""

import hashlib
import hmac
import re
from collections.abc import Sequence

from counterfoil.errors import RequestError

_HEADER = re.compile(r"sha256=([0-9a-f]{64})", re.ASCII)


def check_signature(secrets: Sequence[bytes], body: bytes, header: str | None) -> None:
    """Accept `body` if one of the live secrets signed it.

    Args:
        secrets: the secrets that are live, two while one is being replaced; every one is tried,
            so that time does not tell which one matched.
        body: the bytes exactly as received, before any reading.
        header: the value of `X-Hub-Signature-256`, None if absent.

    Raises:
        RequestError: webhook_signature.
    """
    stated = require_signature(header)
    matches = False
    for secret in secrets:
        if secret:
            computed = hmac.new(secret, body, hashlib.sha256).hexdigest()
            matches |= hmac.compare_digest(computed, stated)
    if not matches:
        raise RequestError(
            "webhook_signature",
            "X-Hub-Signature-256 does not match the body under any live secret; "
            "compare the secret in the webhook's settings with the one given for this source",
        )


def require_signature(header: str | None) -> str:
    """Return the digest a delivery states, in hex; whether it is right takes the body.

    Args:
        header: the value of `X-Hub-Signature-256`, None if absent.

    Raises:
        RequestError: webhook_signature.
    """
    match = _HEADER.fullmatch(header or "")
    if match is None:
        raise RequestError(
            "webhook_signature",
            "the delivery carries no X-Hub-Signature-256 of the form sha256=HEX; "
            "set a secret in the webhook's settings",
        )
    return match[1]
