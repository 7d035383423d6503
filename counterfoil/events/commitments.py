"""Commitments: 32 bytes in the log that fix a value without telling it, and how values are sealed.

A commitment is HMAC-SHA-256 under an opening of 32 bytes.  The opening is derived from a key
that can be erased (the event's, or a person's) and the event's salt; the value is sealed under a
second key derived from the same two.  Destroy the key, and neither the value nor the opening can
be had again from anything that is stored, backups of the ledger included, while every proof
still verifies.

Sealing is AES-256-GCM with a nonce of zeros.  That is right only because no derived key seals
twice: the salt is 16 fresh bytes an event, and a name stands once in an event.  Whoever calls
`seal` answers for the freshness of the salt.

Blobs are sealed by `counterfoil.events.sealing`.

Source: docs/adr/0003-entry-format-1.md; RFC 2104, NIST SP 800-38D.
"""

import hashlib
import hmac

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from counterfoil.errors import EvidenceError

KEY_BYTES = 32
SALT_BYTES = 16
TAG_BYTES = 16

_COMMIT = b"counterfoil.commit.v1\0"
_OPEN = b"counterfoil.open.v1\0"
_SEAL = b"counterfoil.seal.v1\0"
_NONCE = bytes(12)


def commit(opening: bytes, content: bytes) -> bytes:
    r"""Return the 32-byte commitment to `content` under a 32-byte `opening`.

    Source: interfaces "What a leaf is": HMAC-SHA-256(opening, "counterfoil.commit.v1\0" ||
    content); content is RFC 8785 bytes, or the bytes of a blob.
    """
    assert len(opening) == KEY_BYTES
    return hmac.digest(opening, _COMMIT + content, "sha256")


class Committing:
    """The same commitment over content that comes in pieces; memory holds none of it."""

    def __init__(self, opening: bytes) -> None:
        assert len(opening) == KEY_BYTES
        self._hmac = hmac.new(opening, _COMMIT, hashlib.sha256)

    def add(self, content: bytes) -> None:
        """Take the next piece."""
        self._hmac.update(content)

    def commitment(self) -> bytes:
        """Return the 32 bytes for what has been added."""
        return self._hmac.digest()


def derive_opening(owner_key: bytes, salt: bytes, name: str) -> bytes:
    """Return the 32-byte opening of the commitment `name` of the event with this `salt`.

    Args:
        owner_key: 32 bytes: the event's key, or that of the person the value is about.
        salt: 16 bytes, the event's own.
        name: the commitment's name in the entry: `body`, `authid`, `/data/author/email`...
    """
    return _derive(_OPEN, owner_key, salt, name)


def seal(owner_key: bytes, salt: bytes, name: str, plain: bytes) -> bytes:
    """Return `plain` encrypted: as long as it is, and 16 bytes of tag behind."""
    return AESGCM(_derive(_SEAL, owner_key, salt, name)).encrypt(_NONCE, plain, None)


def unseal(owner_key: bytes, salt: bytes, name: str, sealed: bytes) -> bytes:
    """Return what `seal` was given.

    Raises:
        EvidenceError: `damaged`: the bytes, the key, the salt or the name is another.
    """
    return _open(_derive(_SEAL, owner_key, salt, name), sealed, name)


def _derive(purpose: bytes, owner_key: bytes, salt: bytes, name: str) -> bytes:
    # The salt has a fixed length, so salt || name reads one way only.
    assert len(owner_key) == KEY_BYTES
    assert len(salt) == SALT_BYTES
    return hmac.digest(owner_key, purpose + salt + name.encode("utf-8"), "sha256")


def _open(key: bytes, sealed: bytes, name: str) -> bytes:
    try:
        return AESGCM(key).decrypt(_NONCE, sealed, None)
    except (InvalidTag, ValueError) as error:
        raise EvidenceError(
            "damaged", f"the sealed bytes of {name} do not open under their key"
        ) from error
