"""Entry bundles: up to 256 entries in one file, each behind its length.

Source: C2SP tlog-tiles, "Log entries": uint16 big-endian length, then the entry's bytes.
"""

from collections.abc import Sequence

from counterfoil.errors import EvidenceError
from counterfoil.tlog.tile import TILE_WIDTH

MAX_ENTRY_BYTES = 65_535
_LENGTH_BYTES = 2


def write_bundle(entries: Sequence[bytes]) -> bytes:
    r"""Return the bundle of 1 to 256 entries of at most 65,535 bytes each, in log order.

    >>> write_bundle([b"one", b"two"])
    b'\x00\x03one\x00\x03two'
    """
    assert 1 <= len(entries) <= TILE_WIDTH, f"a bundle of {len(entries)} entries"
    parts: list[bytes] = []
    for entry in entries:
        assert len(entry) <= MAX_ENTRY_BYTES, f"an entry of {len(entry)} bytes"
        parts += (len(entry).to_bytes(_LENGTH_BYTES, "big"), entry)
    return b"".join(parts)


def read_bundle(data: bytes) -> list[bytes]:
    """Cut a bundle into its entries.

    Returns:
        1 to 256 entries, in log order.

    Raises:
        EvidenceError: `tile`, when the bundle is empty, cut off, or holds over 256 entries.
    """
    entries: list[bytes] = []
    at = 0
    while at < len(data):
        start = at + _LENGTH_BYTES
        end = start + int.from_bytes(data[at:start], "big")
        if end > len(data):  # also where the length itself is cut off
            raise EvidenceError("tile", f"the bundle is cut off in its entry {len(entries)}")
        if len(entries) == TILE_WIDTH:
            raise EvidenceError("tile", f"the bundle holds over {TILE_WIDTH} entries")
        entries.append(data[start:end])
        at = end
    if not entries:
        raise EvidenceError("tile", "the bundle is empty")
    return entries
