"""Signed notes: text, an empty line, and signature lines by named keys.

The text says nothing until a key somebody trusts has signed it.  Signatures by other keys are no
one's business and are passed over; a signature that names a trusted key and is wrong makes the
whole note worthless, whatever else it carries.

Source: C2SP signed-note.
"""

from collections.abc import Sequence

from counterfoil.errors import EvidenceError
from counterfoil.tlog import signature
from counterfoil.tlog.cosignature import verify_cosignature
from counterfoil.tlog.keys import (
    ED25519,
    SignerKey,
    VerifierKey,
    parse_signer_key,
    parse_vkey,
    signature_line,
)
from counterfoil.tlog.note_text import MAX_SIGNATURES, Note, Signature, parse_note, write_note

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
