"""Cosignatures: a witness says it saw this checkpoint, consistent with all before, at a time.

The bytes behind the key id are a big-endian uint64 of POSIX seconds and the signature.  Ed25519
signs a header, the time and the checkpoint's text; ML-DSA-44 signs the cosigner's name, the time,
the origin, the range of leaves and the root, and no extension lines.

Source: C2SP tlog-cosignature.
"""

from counterfoil.errors import EvidenceError
from counterfoil.tlog import signature, strict
from counterfoil.tlog.checkpoint_text import parse_checkpoint
from counterfoil.tlog.keys import COSIGNATURE, MLDSA44, SignerKey, VerifierKey, signature_line

_TIME_BYTES = 8


def cosignature_message(text: bytes, timestamp_s: int) -> bytes:
    """Return what an Ed25519 cosigner signs.

    Args:
        text: the checkpoint's text, its last newline included.
        timestamp_s: POSIX seconds.
    """
    return b"cosignature/v1\ntime %d\n" % timestamp_s + text


def subtree_message(
    cosigner: str, timestamp_s: int, origin: str, *, start: int, end: int, root: bytes
) -> bytes:
    """Return what an ML-DSA-44 cosigner signs.

    Args:
        cosigner: its key name, 1 to 255 bytes of UTF-8.
        timestamp_s: POSIX seconds; 0 when `start` is not 0.
        origin: the log's origin, 1 to 255 bytes of UTF-8.
        start: first entry of the subtree; 0 for a checkpoint.
        end: the entry after its last; the size for a checkpoint.
        root: the 32-byte root over those entries.

    Raises:
        EvidenceError: `signature`, when a name is too long to be signed this way.
    """
    assert start == 0 or timestamp_s == 0, "a time is stated about whole trees only"
    return b"".join(
        (
            b"subtree/v1\n\0",
            _short(cosigner),
            timestamp_s.to_bytes(8, "big"),
            _short(origin),
            start.to_bytes(8, "big"),
            end.to_bytes(8, "big"),
            root,
        )
    )


def cosign(key: SignerKey, text: bytes, timestamp_s: int) -> bytes:
    """Return a cosignature/v1 line over a checkpoint's text, its newline included.

    Args:
        key: a key of type `COSIGNATURE`.
        text: the checkpoint's text.
        timestamp_s: POSIX seconds, 0 to 2^63-1.
    """
    assert key.vkey.algorithm == COSIGNATURE, "a log signs with SignerKey.sign"
    assert 0 <= timestamp_s <= strict.MAX_SIZE, f"time {timestamp_s}"
    signed = signature.ed25519_sign(key.seed, cosignature_message(text, timestamp_s))
    return signature_line(key.vkey, timestamp_s.to_bytes(_TIME_BYTES, "big") + signed)


def cosignature_time_s(raw: bytes) -> int:
    """Return the POSIX seconds a cosignature states, which nobody has checked yet.

    Raises:
        EvidenceError: `signature`, when it is too short for a time, or beyond 2^63-1.
    """
    timestamp_s = int.from_bytes(raw[:_TIME_BYTES], "big")
    if len(raw) <= _TIME_BYTES or timestamp_s > strict.MAX_SIZE:
        raise EvidenceError("signature", "the cosignature states no time up to 2^63-1")
    return timestamp_s


def verify_cosignature(key: VerifierKey, text: bytes, raw: bytes) -> int:
    """Check a cosignature over a checkpoint's text.

    Args:
        key: a key of type `COSIGNATURE` or `MLDSA44`.
        text: the checkpoint's text.
        raw: the bytes behind the key id: time and signature.

    Returns:
        The POSIX seconds the cosigner states.

    Raises:
        EvidenceError: `signature` when it does not verify, `note_invalid` when ML-DSA-44 is
            used on a text that is no checkpoint, `key_unknown` where ML-DSA is not installed.
    """
    timestamp_s = cosignature_time_s(raw)
    signed = raw[_TIME_BYTES:]
    if key.algorithm == MLDSA44:
        said = parse_checkpoint(text)
        message = subtree_message(
            key.name, timestamp_s, said.origin, start=0, end=said.size, root=said.root
        )
        good = signature.mldsa44_verifies(key.public, signed, message)
    else:
        assert key.algorithm == COSIGNATURE, f"type {key.algorithm} is no cosignature"
        message = cosignature_message(text, timestamp_s)
        good = signature.ed25519_verifies(key.public, signed, message)
    if not good:
        raise EvidenceError("signature", f"the cosignature by {key.name[:64]!a} does not verify")
    return timestamp_s


def _short(text: str) -> bytes:
    data = text.encode()
    if not 1 <= len(data) <= 255:
        raise EvidenceError("signature", f"{text[:64]!a} is too long for an ML-DSA-44 cosignature")
    return bytes([len(data)]) + data
