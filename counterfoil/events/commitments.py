"""Commitments: 32 bytes in the log that fix a value without telling it, and how values are sealed.

A commitment is HMAC-SHA-256 under an opening of 32 bytes.  The opening and the key the value is
sealed under are derived together, from a key that can be erased (the event's, or a person's) and
the event's salt.  Destroy the key, and neither the value nor the opening can be had again from
anything that is stored, backups of the ledger included, while every proof still verifies.

Deriving is one keyed BLAKE2b with the event's salt: its first half is the opening, its second
the sealing key, and neither tells of the other.  Ledgers that began as layout 1 hold entries whose
keys were derived by two HMACs; their salts begin with a byte that says so (docs/adr/0036).

Sealing is AES-256-GCM with a nonce of zeros.  That is right only because no derived key seals
twice: the salt is 16 fresh bytes an event, and a name stands once in an event.  Whoever calls
`seal` answers for the freshness of the salt.

Blobs are sealed by `counterfoil.events.sealing`.

Source: docs/adr/0003-entry-format-1.md; RFC 2104, RFC 7693, NIST SP 800-38D.
"""

import hashlib
import hmac
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from counterfoil.errors import EvidenceError

KEY_BYTES = 32
SALT_BYTES = 16
TAG_BYTES = 16

_COMMIT = b"counterfoil.commit.v1\0"
_PERSON = b"counterfoil.keys"
_BY_HMAC = b"\x01"
_OPEN_BY_HMAC = b"counterfoil.open.v1\0"
_SEAL_BY_HMAC = b"counterfoil.seal.v1\0"
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


class Keys(NamedTuple):
    """What is derived for one value: 32 bytes to open its commitment, 32 to unseal it."""

    opening: bytes
    sealing: bytes


def is_salt(salt: bytes) -> bool:
    """Say whether keys can be derived with a stored salt: 16 bytes, or 1 and 16 of layout 1."""
    return len(salt) == SALT_BYTES or (len(salt) == SALT_BYTES + 1 and salt[:1] == _BY_HMAC)


def derive(owner_key: bytes, salt: bytes, name: str) -> Keys:
    """Return the keys of the value `name` of the event with this `salt`.

    Args:
        owner_key: 32 bytes: the event's key, or that of the person the value is about.
        salt: the event's own, as `is_salt` allows: 16 bytes; of entries of layout 1 they stand
            behind a byte 1.
        name: the commitment's name in the entry: `body`, `authid`, `/data/author/email`...

    Source: RFC 7693 (BLAKE2b: keyed, salted, personalised, 64 bytes), as libsodium's crypto_kdf;
    of layout 1 RFC 2104 (HMAC-SHA-256) over a purpose, the salt and the name.
    """
    assert len(owner_key) == KEY_BYTES
    assert is_salt(salt)
    if len(salt) != SALT_BYTES:
        # The salt has a fixed length, so salt || name reads one way only.
        of = salt[1:] + name.encode("utf-8")
        opening = hmac.digest(owner_key, _OPEN_BY_HMAC + of, "sha256")
        return Keys(opening, hmac.digest(owner_key, _SEAL_BY_HMAC + of, "sha256"))
    both = hashlib.blake2b(name.encode("utf-8"), key=owner_key, salt=salt, person=_PERSON).digest()
    return Keys(both[:KEY_BYTES], both[KEY_BYTES:])


def derive_opening(owner_key: bytes, salt: bytes, name: str) -> bytes:
    """Return the opening alone of what `derive` returns."""
    return derive(owner_key, salt, name).opening


def seal(sealing_key: bytes, plain: bytes) -> bytes:
    """Return `plain` encrypted: as long as it is, and 16 bytes of tag behind."""
    return AESGCM(sealing_key).encrypt(_NONCE, plain, None)


def unseal(sealing_key: bytes, sealed: bytes, name: str) -> bytes:
    """Return what `seal` was given.

    Args:
        sealing_key: as for `seal`.
        sealed: what `seal` returned.
        name: of the value, for the error line.

    Raises:
        EvidenceError: `damaged`: the bytes or the key is another.
    """
    try:
        return AESGCM(sealing_key).decrypt(_NONCE, sealed, None)
    except (InvalidTag, ValueError) as error:
        raise EvidenceError(
            "damaged", f"the sealed bytes of {name} do not open under their key"
        ) from error
