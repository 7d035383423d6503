"""The pieces of text all formats share, read so that one value has exactly one spelling.

Python's own readers are too kind for evidence: `int` takes "+1", "1_0", spaces and digits of
any script, `b64decode` skips what it does not know and ignores bits under the padding, and
`splitlines` splits at characters that are no newline here.  Whatever passes this module
re-serialises to the same bytes.

Source: the conventions sections of C2SP signed-note, tlog-checkpoint and tlog-proof.
"""

import base64
import binascii

from counterfoil.errors import EvidenceError

# Sizes and indices fit a signed 64-bit integer, as in every other implementation and in SQLite.
MAX_SIZE = 2**63 - 1
_MAX_DIGITS = len(str(MAX_SIZE))


def read_decimal(text: str, code: str, what: str) -> int:
    """Read an ASCII decimal without sign or leading zeros, 0 to 2^63-1.

    Args:
        text: the digits and nothing else.
        code: the code of the error to raise.
        what: the name of the number, for the message.

    Raises:
        EvidenceError: `code`, for every other spelling.

    >>> read_decimal("20852163", "note_invalid", "the size")
    20852163
    """
    digits = text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS
    if not digits or (text[0] == "0" and text != "0") or int(text) > MAX_SIZE:
        raise EvidenceError(
            code, f"{what} {text[:24]!a} is not a decimal from 0 to 2^63-1 without leading zeros"
        )
    return int(text)


def read_base64(text: str, code: str, what: str) -> bytes:
    """Read standard base64 with padding, in the one spelling that encoding gives.

    Raises:
        EvidenceError: `code`, for foreign characters, absent padding or non-zero pad bits.

    Source: RFC 4648 section 4, and 3.5 for the pad bits.
    """
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        data = None
    if data is None or write_base64(data) != text:
        raise EvidenceError(code, f"{what} {text[:24]!a} is not canonical base64")
    return data


def read_hash(text: str, code: str, what: str) -> bytes:
    """Read the base64 of one 32-byte hash; EvidenceError `code` otherwise."""
    data = read_base64(text, code, what)
    if len(data) != 32:
        raise EvidenceError(code, f"{what} is {len(data)} bytes, a SHA-256 hash is 32")
    return data


def write_base64(data: bytes) -> str:
    """Return standard base64 with padding."""
    return base64.b64encode(data).decode("ascii")


def read_lines(data: bytes, code: str, what: str) -> list[str]:
    r"""Split UTF-8 text that ends in LF at its LFs, and at nothing else.

    Returns:
        The lines without their LF, at least one; "a\n\n" gives ["a", ""].

    Raises:
        EvidenceError: `code`, when it is empty, not UTF-8, does not end in LF, or holds a
            control character below U+0020 other than LF.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise EvidenceError(code, f"{what} is not UTF-8 at byte {error.start}") from None
    if not text.endswith("\n"):
        raise EvidenceError(code, f"{what} does not end in a newline: is it cut off?")
    lines = text[:-1].split("\n")
    if any(char < " " for line in lines for char in line):
        raise EvidenceError(code, f"{what} holds a control character")
    return lines


def is_key_name(text: str) -> bool:
    """Tell whether `text` can name a key: UTF-8, non-empty, no Unicode space, plus or control.

    Source: C2SP signed-note, "Format".
    """
    return text != "" and not any(
        char.isspace() or char == "+" or char < " " or "\ud800" <= char <= "\udfff" for char in text
    )
