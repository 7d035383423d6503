"""Keys of signed notes: verifier keys to hand out, signer keys to keep.

A verifier key is one line, `name+8 hex+base64(type || public key)`.  The eight hex digits are the
key id, which only finds the key: what makes a signature good is the public key.  A signer key is
`PRIVATE+KEY+name+8 hex+base64(type || seed)`, the form signed-note implementations share.

Source: C2SP signed-note, "Signatures" and "Verifier keys"; tlog-cosignature for types 4 and 6.
"""

import hashlib
from dataclasses import dataclass, field
from typing import Self

from counterfoil.errors import EvidenceError
from counterfoil.tlog import signature, strict

ED25519 = 1  # signs the text of the note
COSIGNATURE = 4  # Ed25519 over the text and a time
MLDSA44 = 6  # ML-DSA-44 over a subtree, a name and a time

_KEY_BYTES = {
    ED25519: signature.ED25519_KEY_BYTES,
    COSIGNATURE: signature.ED25519_KEY_BYTES,
    MLDSA44: signature.MLDSA44_KEY_BYTES,
}
_PRIVATE = "PRIVATE+KEY+"
_KEY_ID_BYTES = 4


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key with its name: what somebody decides to trust.

    Args:
        name: the key name; for a log's key, its origin.
        key_id: 4 bytes that, with the name, find this key's signatures in a note.
        algorithm: `ED25519`, `COSIGNATURE` or `MLDSA44`.
        public: 32 bytes of Ed25519 or 1,312 of ML-DSA-44.
    """

    name: str
    key_id: bytes
    algorithm: int
    public: bytes

    @classmethod
    def of(cls, name: str, algorithm: int, public: bytes) -> Self:
        """Return the key with the id that follows from the other three."""
        assert strict.is_key_name(name), f"{name!r} cannot name a key"
        assert len(public) == _KEY_BYTES[algorithm], f"{len(public)} bytes for type {algorithm}"
        return cls(name, _key_id(name, algorithm, public), algorithm, public)

    def __str__(self) -> str:
        material = strict.write_base64(bytes([self.algorithm]) + self.public)
        return f"{self.name}+{self.key_id.hex()}+{material}"

    def fingerprint(self) -> str:
        """Return 64 hex digits of SHA-256 over type and public key; people compare the first 16.

        Unlike the key id it cannot be made to collide, and it does not depend on the name.
        """
        return hashlib.sha256(bytes([self.algorithm]) + self.public).hexdigest()


def parse_vkey(text: str) -> VerifierKey:
    """Read a verifier key: one line, without its newline.

    Raises:
        EvidenceError: `note_invalid`, when it is none, when its id is not that of its key, or
            when its signature type is none this package can check.

    >>> key = parse_vkey("example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k")
    >>> key.name, key.algorithm
    ('example.com/foo', 1)
    """
    name, algorithm, key_id, public = _parse(text, "the verifier key")
    if len(public) != _KEY_BYTES[algorithm]:
        raise EvidenceError(
            "note_invalid", f"the verifier key of {name[:64]!a} has {len(public)} bytes of key"
        )
    key = VerifierKey.of(name, algorithm, public)
    if key.key_id != key_id:
        raise EvidenceError(
            "note_invalid",
            f"the verifier key of {name[:64]!a} says id {key_id.hex()}, its key has {key.key_id.hex()}",
        )
    return key


@dataclass(frozen=True, slots=True)
class SignerKey:
    """A private key with its name.  It never appears in a message or a representation.

    Args:
        vkey: the public side.
        seed: 32 secret bytes of Ed25519.
    """

    vkey: VerifierKey
    seed: bytes = field(repr=False)

    @classmethod
    def from_seed(cls, name: str, seed: bytes, algorithm: int = ED25519) -> Self:
        """Return the key `name` made from 32 random bytes.

        Args:
            name: the key name; for a log's key, its origin.
            seed: 32 bytes nobody else knows.
            algorithm: `ED25519` for a log, `COSIGNATURE` for a witness.
        """
        assert algorithm in {ED25519, COSIGNATURE}, f"no signing with type {algorithm}"
        return cls(VerifierKey.of(name, algorithm, signature.ed25519_public(seed)), seed)

    @property
    def name(self) -> str:
        """The key name."""
        return self.vkey.name

    def sign(self, text: bytes) -> bytes:
        """Return the signature line over the text of a note, its newline included.

        Args:
            text: the note's text, which ends in a newline.
        """
        assert self.vkey.algorithm == ED25519, "a witness signs with cosignature.cosign"
        return signature_line(self.vkey, signature.ed25519_sign(self.seed, text))

    def to_text(self) -> str:
        """Return the one line that `parse_signer_key` reads: a secret, for a file of mode 0600."""
        material = strict.write_base64(bytes([self.vkey.algorithm]) + self.seed)
        return f"{_PRIVATE}{self.name}+{self.vkey.key_id.hex()}+{material}"


def parse_signer_key(text: str) -> SignerKey:
    """Read a signer key: one line, without its newline.

    Raises:
        EvidenceError: `note_invalid`, when it is none or its id is not that of its key.  The
            message holds nothing of the key.
    """
    if not text.startswith(_PRIVATE):
        raise EvidenceError("note_invalid", f"the signer key does not start with {_PRIVATE}")
    name, algorithm, key_id, seed = _parse(text.removeprefix(_PRIVATE), "the signer key")
    if algorithm == MLDSA44 or len(seed) != signature.ED25519_KEY_BYTES:
        raise EvidenceError("note_invalid", "the signer key is not an Ed25519 seed of 32 bytes")
    key = SignerKey.from_seed(name, seed, algorithm)
    if key.vkey.key_id != key_id:
        raise EvidenceError("note_invalid", "the signer key's id is not that of its key")
    return key


def signature_line(key: VerifierKey, raw: bytes) -> bytes:
    """Return `— name base64(key id || raw)` and a newline."""
    return f"— {key.name} {strict.write_base64(key.key_id + raw)}\n".encode()


def _key_id(name: str, algorithm: int, public: bytes) -> bytes:
    seen = name.encode() + b"\n" + bytes([algorithm]) + public
    return hashlib.sha256(seen).digest()[:_KEY_ID_BYTES]


def _parse(text: str, what: str) -> tuple[str, int, bytes, bytes]:
    """Split at the first two plus signs only: base64 may hold more of them."""
    fields = text.split("+", 2)
    if len(fields) != 3 or not strict.is_key_name(fields[0]):
        raise EvidenceError("note_invalid", f"{what} is not name+id+key")
    name, hex_id, encoded = fields
    if len(hex_id) != 2 * _KEY_ID_BYTES or set(hex_id) - set("0123456789abcdef"):
        raise EvidenceError("note_invalid", f"{what} has no id of 8 lower-case hex digits")
    try:
        material = strict.read_base64(encoded, "note_invalid", what)
    except EvidenceError:
        # Raised afresh: the reader's own message quotes what it read, which may be a secret.
        raise EvidenceError("note_invalid", f"{what} is not canonical base64 of a key") from None
    if not material or material[0] not in _KEY_BYTES:
        raise EvidenceError("note_invalid", f"{what} is of a signature type not known here")
    return name, material[0], bytes.fromhex(hex_id), material[1:]
