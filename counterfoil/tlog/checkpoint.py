"""Checkpoints: a tree head as a signed note.

Source: C2SP tlog-checkpoint.
"""

from collections.abc import Sequence

from counterfoil.errors import EvidenceError
from counterfoil.tlog.checkpoint_text import Checkpoint, parse_checkpoint, write_checkpoint
from counterfoil.tlog.keys import MLDSA44, SignerKey, VerifierKey
from counterfoil.tlog.note import Note, verify_note, write_note
from counterfoil.tlog.tree import TreeHead

__all__ = [
    "Checkpoint",
    "checkpoint_of",
    "parse_checkpoint",
    "sign_checkpoint",
    "verify_checkpoint",
    "write_checkpoint",
]


def sign_checkpoint(origin: str, head: TreeHead, *signers: SignerKey) -> bytes:
    """Return the checkpoint of a tree head as a note with a signature by each signer.

    A signature binds the log for ever: two of one key over histories that differ are a fork.
    """
    text = write_checkpoint(origin, head)
    return write_note(text, [signer.sign(text) for signer in signers])


def verify_checkpoint(
    note: bytes, keys: Sequence[VerifierKey], *, origin: str | None = None
) -> Checkpoint:
    """Check a checkpoint against the keys trusted here.

    Args:
        note: the whole signed note.
        keys: the trusted keys of logs.
        origin: the origin expected of a log whose key name is another; None where the key name
            is the origin, as everywhere in Counterfoil.

    Raises:
        EvidenceError: as `note.verify_note`; `note_invalid` when the text is no checkpoint;
            `key_unknown` when the keys that signed are not those of this origin; `signature`
            when there are extension lines no signature covers.
    """
    return checkpoint_of(verify_note(note, keys), keys, origin=origin)


def checkpoint_of(
    note: Note, keys: Sequence[VerifierKey], *, origin: str | None = None
) -> Checkpoint:
    """Return the checkpoint in a note from `verify_note`, when a key of its own log signed it.

    Args:
        note: text and verified signatures, of witnesses perhaps as well.
        keys: the trusted keys of logs.
        origin: as for `verify_checkpoint`.

    Raises:
        EvidenceError: as `verify_checkpoint`.
    """
    checkpoint = parse_checkpoint(note.text)
    if origin is not None and checkpoint.origin != origin:
        raise EvidenceError(
            "key_unknown", f"the checkpoint is of {checkpoint.origin[:64]!a}, not {origin[:64]!a}"
        )
    signed = {(line.name, line.key_id) for line in note.signatures}
    signers = [
        key
        for key in keys
        if (key.name, key.key_id) in signed
        and (origin or key.name) == (origin or checkpoint.origin)
    ]
    if not signers:
        raise EvidenceError(
            "key_unknown", f"no trusted key of {checkpoint.origin[:64]!a} signed its checkpoint"
        )
    if checkpoint.extensions and all(key.algorithm == MLDSA44 for key in signers):
        raise EvidenceError("signature", "no signature covers the checkpoint's extension lines")
    return checkpoint
