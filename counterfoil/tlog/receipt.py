"""Receipts: the proof that one entry is in the log, in a file its holder can keep for ever.

Lines: `c2sp.org/tlog-proof@v1`; perhaps `extra <base64>`; `index <n>`; one base64 hash per line
from the leaf's sibling upwards; an empty line; the checkpoint as it was signed.  The extra data
is protected by nothing here: Counterfoil puts the entry there, whose hash the path starts from.

Source: C2SP tlog-proof; the file suffix is `.tlog-proof`.
"""

from typing import NamedTuple

from counterfoil.errors import EvidenceError
from counterfoil.tlog import strict
from counterfoil.tlog.checkpoint_text import parse_checkpoint
from counterfoil.tlog.note_text import parse_note

_HEADER = "c2sp.org/tlog-proof@v1"
_MAX_PATH = 63  # a tree of 2^63 leaves


class Receipt(NamedTuple):
    """An inclusion proof with the checkpoint it leads to, nothing of it checked yet.

    Args:
        index: 0-based position of the entry.
        extra: opaque bytes, not empty, or None; for our logs the bytes of the entry.
        path: sibling hashes of 32 bytes each, from the leaf upwards.
        checkpoint: the whole signed note, cosignatures included.
    """

    index: int  # type: ignore[assignment]  # the noun wins over a method of tuples
    extra: bytes | None
    path: tuple[bytes, ...]
    checkpoint: bytes


def write_receipt(receipt: Receipt) -> bytes:
    r"""Return the receipt as a file.

    >>> note = b"example.com/log\n1\n" + b"A" * 43 + b"=\n\n"
    >>> write_receipt(Receipt(0, b"entry", (), note)).decode().splitlines()[:3]
    ['c2sp.org/tlog-proof@v1', 'extra ZW50cnk=', 'index 0']
    """
    assert receipt.extra is None or receipt.extra, "no extra data is None"
    lines = [_HEADER]
    if receipt.extra is not None:
        lines.append(f"extra {strict.write_base64(receipt.extra)}")
    lines.append(f"index {receipt.index}")
    lines += [strict.write_base64(sibling) for sibling in receipt.path]
    return "\n".join([*lines, "", ""]).encode() + receipt.checkpoint


def parse_receipt(data: bytes) -> Receipt:
    """Read a receipt.

    Returns:
        The receipt, whose checkpoint has the form of one; no signature and no path is checked.

    Raises:
        EvidenceError: `note_invalid`, when the bytes are no receipt.
    """
    # The proof has no empty line before its end, and the checkpoint behind it has its own.
    head, gap, checkpoint = data.partition(b"\n\n")
    if not gap:
        raise EvidenceError("note_invalid", "the receipt has no checkpoint: is it cut off?")
    lines = strict.read_lines(head + b"\n", "note_invalid", "the receipt")
    if lines.pop(0) != _HEADER:
        raise EvidenceError("note_invalid", f"the receipt does not start with {_HEADER}")
    extra = None
    if lines and lines[0].startswith("extra "):
        extra = strict.read_base64(lines.pop(0).removeprefix("extra "), "note_invalid", "extra")
        if not extra:
            raise EvidenceError("note_invalid", "the receipt's extra line is empty")
    if not lines or not lines[0].startswith("index "):
        raise EvidenceError("note_invalid", "the receipt has no index")
    index = strict.read_decimal(lines.pop(0).removeprefix("index "), "note_invalid", "the index")
    if len(lines) > _MAX_PATH:
        raise EvidenceError("note_invalid", f"the receipt's path has {len(lines)} hashes")
    path = tuple(strict.read_hash(line, "note_invalid", "a hash of the path") for line in lines)
    parse_checkpoint(parse_note(checkpoint).text)
    return Receipt(index, extra, path, checkpoint)
