"""The form of a signed note: text, an empty line, and signature lines by named keys.

Apart from `note` because taking a note apart judges nothing and needs no cryptography, which is
the heaviest thing a verb of the command line can load.

Source: C2SP signed-note.
"""

from collections.abc import Iterable
from typing import NamedTuple

from counterfoil.errors import EvidenceError
from counterfoil.tlog import strict

# The format asks for 16; a policy of 32 witnesses with two keys each and a log in the middle of
# a key rotation stay below this.
MAX_SIGNATURES = 100
_KEY_ID_BYTES = 4


class Signature(NamedTuple):
    """One signature line.

    Args:
        name: the key name it claims.
        key_id: the 4-byte key id it claims.
        signature: the bytes behind the id, at least one; for a cosignature time and signature.
    """

    name: str
    key_id: bytes
    signature: bytes


class Note(NamedTuple):
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


def signature_line_of(signature: Signature) -> bytes:
    """Return a signature that was read as the line it was, its newline included."""
    encoded = strict.write_base64(signature.key_id + signature.signature)
    return f"— {signature.name} {encoded}\n".encode()


def _parse_signature(line: str) -> Signature:
    fields = line.split(" ")
    if len(fields) != 3 or fields[0] != "—" or not strict.is_key_name(fields[1]):
        raise EvidenceError("note_invalid", f"{line[:64]!a} is not a signature line")
    raw = strict.read_base64(fields[2], "note_invalid", "the signature")
    if len(raw) <= _KEY_ID_BYTES:
        raise EvidenceError("note_invalid", f"the signature by {fields[1][:64]!a} is cut off")
    return Signature(fields[1], raw[:_KEY_ID_BYTES], raw[_KEY_ID_BYTES:])
