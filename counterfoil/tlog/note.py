"""Signed notes: text, an empty line, and signature lines by named keys.

The text says nothing until a key somebody trusts has signed it.  Signatures by other keys are no
one's business and are passed over; a signature that names a trusted key and is wrong makes the
whole note worthless, whatever else it carries.

Source: C2SP signed-note.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from counterfoil.errors import EvidenceError
from counterfoil.tlog import signature, strict
from counterfoil.tlog.cosignature import verify_cosignature
from counterfoil.tlog.keys import (
    ED25519,
    SignerKey,
    VerifierKey,
    parse_signer_key,
    parse_vkey,
    signature_line,
)

__all__ = [
    "MAX_SIGNATURES",
    "Note",
    "Signature",
    "SignerKey",
    "VerifierKey",
    "parse_note",
    "parse_signer_key",
    "parse_vkey",
    "signature_line",
    "verify_note",
    "write_note",
]

# The format asks for 16; a policy of 32 witnesses with two keys each and a log in the middle of
# a key rotation stay below this.
MAX_SIGNATURES = 100
_KEY_ID_BYTES = 4


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature line.

    Args:
        name: the key name it claims.
        key_id: the 4-byte key id it claims.
        signature: the bytes behind the id, at least one; for a cosignature time and signature.
    """

    name: str
    key_id: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Note:
    """A text and signatures over it.

    Args:
        text: UTF-8 that ends in a newline.
        signatures: in the order of their lines; from `verify_note` only those that verified.
    """

    text: bytes
    signatures: tuple[Signature, ...]


def parse_note(data: bytes) -> Note:
    """Take a note apart without judging its signatures.

    Returns:
        The text and 1 to `MAX_SIGNATURES` signatures, none of them checked.

    Raises:
        EvidenceError: `note_invalid`, when the bytes are no note or hold more signatures.
    """
    strict.read_lines(data, "note_invalid", "the note")
    # The text may hold empty lines itself: it ends at the last one.
    end = data.rfind(b"\n\n") + 1
    if end == 0:
        raise EvidenceError("note_invalid", "the note has no empty line before its signatures")
    lines = data[end + 1 :].decode().split("\n")[:-1]
    if not 1 <= len(lines) <= MAX_SIGNATURES:
        raise EvidenceError(
            "note_invalid", f"the note has {len(lines)} signatures, 1 to {MAX_SIGNATURES} are read"
        )
    return Note(data[:end], tuple(_parse_signature(line) for line in lines))


def write_note(text: bytes, lines: Iterable[bytes]) -> bytes:
    r"""Return the note of a text and signature lines, each with its newline.

    >>> write_note(b"hello\n", ["— example.com/foo Uw2QOgA=\n".encode()]).decode()
    'hello\n\n— example.com/foo Uw2QOgA=\n'
    """
    assert text.endswith(b"\n"), "the text of a note ends in a newline"
    return text + b"\n" + b"".join(lines)


def verify_note(data: bytes, keys: Sequence[VerifierKey]) -> Note:
    """Check the signatures of a note by the keys trusted here.

    Args:
        data: the whole note.
        keys: the trusted keys; the same key may stand there twice.

    Returns:
        The note with the signatures that verified, at least one.

    Raises:
        EvidenceError: `note_invalid` when it is no note; `signature` when one by a trusted key
            is wrong; `key_unknown` when none is by a trusted key; `policy_invalid` when two
            different trusted keys share name and id, so that a signature names neither.
    """
    note = parse_note(data)
    known: dict[tuple[str, bytes], VerifierKey] = {}
    for key in keys:
        if known.setdefault((key.name, key.key_id), key) != key:
            raise EvidenceError(
                "policy_invalid", f"two trusted keys share the name {key.name[:64]!a} and their id"
            )
    verified = []
    for line in note.signatures:
        signer = known.get((line.name, line.key_id))
        if signer is not None:
            _verify(signer, note.text, line.signature)
            verified.append(line)
    if not verified:
        names = ", ".join(sorted({ascii(line.name[:64]) for line in note.signatures})[:4])
        raise EvidenceError("key_unknown", f"no trusted key signed; the note is signed by {names}")
    return Note(note.text, tuple(verified))


def _verify(key: VerifierKey, text: bytes, raw: bytes) -> None:
    if key.algorithm != ED25519:
        verify_cosignature(key, text, raw)
    elif not signature.ed25519_verifies(key.public, raw, text):
        raise EvidenceError("signature", f"the signature by {key.name[:64]!a} does not verify")


def _parse_signature(line: str) -> Signature:
    fields = line.split(" ")
    if len(fields) != 3 or fields[0] != "—" or not strict.is_key_name(fields[1]):
        raise EvidenceError("note_invalid", f"{line[:64]!a} is not a signature line")
    raw = strict.read_base64(fields[2], "note_invalid", "the signature")
    if len(raw) <= _KEY_ID_BYTES:
        raise EvidenceError("note_invalid", f"the signature by {fields[1][:64]!a} is cut off")
    return Signature(fields[1], raw[:_KEY_ID_BYTES], raw[_KEY_ID_BYTES:])
