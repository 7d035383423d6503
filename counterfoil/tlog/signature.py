"""Signature checks over plain bytes: the only place that calls a cryptography library.

Source: RFC 8032 (Ed25519), FIPS 204 (ML-DSA-44, empty context unless given).  Vectors:
tests/vectors/wycheproof.
"""

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from counterfoil.errors import EvidenceError

ED25519_KEY_BYTES = 32
MLDSA44_KEY_BYTES = 1_312


def ed25519_public(seed: bytes) -> bytes:
    """Return the 32-byte public key of a 32-byte seed."""
    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()


def ed25519_sign(seed: bytes, message: bytes) -> bytes:
    """Return the 64-byte signature; the same seed and message give the same signature."""
    return Ed25519PrivateKey.from_private_bytes(seed).sign(message)


def ed25519_verifies(public: bytes, signature: bytes, message: bytes) -> bool:
    """Tell whether a signature over `message` is good; keys and signatures may be any bytes."""
    try:  # the library refuses wrong lengths as well; wycheproof and our own tests hold it to that
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def mldsa44_verifies(public: bytes, signature: bytes, message: bytes, context: bytes = b"") -> bool:
    """Tell whether an ML-DSA-44 signature is good; all arguments may be any bytes.

    Raises:
        EvidenceError: `key_unknown`, when the installed cryptography library has no ML-DSA: the
            signature is then neither good nor bad.
    """
    try:
        from cryptography.hazmat.primitives.asymmetric.mldsa import (  # noqa: PLC0415  optional
            MLDSA44PublicKey,
        )
    except ImportError:
        raise _no_mldsa() from None
    try:
        MLDSA44PublicKey.from_public_bytes(public).verify(signature, message, context)
    except UnsupportedAlgorithm:
        raise _no_mldsa() from None
    except (InvalidSignature, ValueError):
        return False
    return True


def _no_mldsa() -> EvidenceError:
    return EvidenceError(
        "key_unknown", "this cryptography library has no ML-DSA-44: install a newer one"
    )
