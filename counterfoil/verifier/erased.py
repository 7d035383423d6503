"""What may be absent: the events of a log that erase, believed only where the log holds them.

An event counts if its bytes are those of its leaf and its body, which lies in the open, is what
the entry commits to.  Where its key is gone that cannot be compared: it counts, and the key is a
finding, so nothing is whole that rests on it.  That the leaf leads to the signed root is found out
where all leaves are.

Source: docs/adr/0032-erasing.md; counterfoil.events.erasing.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, Protocol

from counterfoil.errors import EvidenceError
from counterfoil.events import commitments
from counterfoil.events.entry import read_entry
from counterfoil.events.erasing import BODY, Erasure, Erasures, is_erasing, read_erasing
from counterfoil.tlog.tile import TILE_WIDTH
from counterfoil.tlog.tree import HASH_SIZE, leaf_hash
from counterfoil.verifier import rules
from counterfoil.verifier.kept import PieceRow

NOTES_MAX: Final = 20


class ErasingRows(Protocol):
    """The rows that tell of an erasure.  Ranges are half-open."""

    def entries(self, start: int, end: int) -> Mapping[int, bytes]:
        """Return entry bytes by index."""
        ...

    def tile(self, level: int, n: int) -> bytes | None:
        """Return a tile as stored."""
        ...

    def salts(self, start: int, end: int) -> Mapping[int, bytes]:
        """Return the salts of a range of entries."""
        ...

    def pieces(self, start: int, end: int) -> Mapping[int, Sequence[PieceRow]]:
        """Return the pieces of a range of entries, by position."""
        ...

    def event_keys(self, start: int, end: int) -> Mapping[int, bytes] | None:
        """Return the keys of a range of entries; None when there is no key store to ask."""
        ...

    def piece_keys(self, start: int, end: int) -> Mapping[tuple[int, str], commitments.Keys]:
        """Return the keys of parts that outlived their owner's key."""
        ...


def read_erasures(rows: ErasingRows, indices: Iterable[int]) -> Erasures:
    """Return what the events at some indices erase; those that are not what they seem are none."""
    return Erasures(found for index in indices for found in _read(rows, index))


def erased_notes(project: str, erasures: Erasures) -> list[str]:
    """Return what a reader should know of what is absent: by which events, one line each."""
    lines = [f"{project}: {one.said()}, says entry {one.index}" for one in erasures.all[:NOTES_MAX]]
    left = len(erasures.all) - len(lines)
    return [*lines, f"{project}: and {left} more events that erased"] if left else lines


def _read(rows: ErasingRows, index: int) -> Iterator[Erasure]:
    end = index + 1
    data = rows.entries(index, end).get(index, b"")
    tile = rows.tile(0, index // TILE_WIDTH) or b""
    at = index % TILE_WIDTH * HASH_SIZE
    if leaf_hash(data) != tile[at : at + HASH_SIZE]:
        return
    try:
        entry = read_entry(data)
        if not is_erasing(entry):
            return
        key = (rows.event_keys(index, end) or {}).get(index, b"")
        salt = rows.salts(index, end).get(index, b"")
        own = rows.piece_keys(index, end).get((index, BODY))
        opening = own.opening if own is not None else b""
        if len(key) == commitments.KEY_BYTES and commitments.is_salt(salt) and own is None:
            opening = commitments.derive_opening(key, salt, BODY)
        for piece in rows.pieces(index, end).get(index, ()):
            if piece.name == BODY and piece.owner == rules.PLAIN:
                sure = len(opening) == commitments.KEY_BYTES
                if not sure or rules.is_committed(entry, opening, BODY, piece.data):
                    yield read_erasing(index, entry, piece.data)
    except EvidenceError:
        # It is named where every entry is looked at.
        return
