"""Receipts of the entries one commit added: their tree is built once, upwards, and shared.

The receipts are those of `receipt.build_receipt`, byte for byte.  What it takes besides the
leaves is the right edge the log had before, a hash for every set bit of its size, for every left
neighbour of an added subtree is one of these.  So somebody who has no tiles builds the same
receipts, and the root he comes to is compared with the signed one before he writes any.

Source: C2SP tlog-proof; RFC 9162 section 2.1.3.
"""

import binascii
from collections.abc import Sequence

import msgspec

from counterfoil.errors import EvidenceError
from counterfoil.tlog.tree import fold_right, node_hash


class Added(msgspec.Struct, frozen=True, array_like=True):
    """What one commit added to a log, and the head that was signed for it.

    Args:
        first: index of the first entry added; the size before.
        edge: the perfect subtrees of that size, largest first: `Frontier.nodes`.
        leaves: the hashes of the entries added, in order.
        size: of the signed head.
        root: of the signed head.
        checkpoint: the signed note.
    """

    first: int
    edge: tuple[bytes, ...]
    leaves: tuple[bytes, ...]
    size: int
    root: bytes
    checkpoint: bytes


class Receipts:
    """Writes the receipts of what one commit added, under its signed head.

    Raises:
        EvidenceError: `proof`: what was added does not lead from the edge to the signed root.

    Cost: two hashes an entry at most, and for each node a line of text that receipts share.
    """

    def __init__(self, added: Added) -> None:
        self._first = added.first
        self._leaves = added.leaves
        edge = _by_level(added.first, added.edge)
        if len(added.leaves) != added.size - added.first:
            raise EvidenceError("proof", f"{len(added.leaves)} leaves end at another size")
        rows = _rows(added.first, added.leaves, edge)
        tops = [
            (level, rows[level][1][-1] if level < len(rows) else edge[level])
            for level in reversed(range(added.size.bit_length()))
            if added.size >> level & 1
        ]
        if fold_right([digest for _, digest in tops]) != added.root:
            raise EvidenceError(
                "proof", f"what was added does not lead to the root signed for size {added.size}"
            )
        paths = _paths(rows, tops, b"\n" + added.checkpoint)
        # A leaf of the edge that begins the first row was there before.
        self._paths = paths[len(paths) - len(added.leaves) :]

    def receipt(self, index: int, entry: bytes, leaf: bytes) -> bytes:
        """Return the receipt of an entry.

        Args:
            index: from 0, one of those added.
            entry: its bytes, not empty.
            leaf: their leaf hash.

        Raises:
            EvidenceError: `proof`: it is not the entry that was added there.
        """
        at = index - self._first
        if not 0 <= at < len(self._leaves) or self._leaves[at] != leaf:
            raise EvidenceError("proof", f"entry {index} is not what was added there")
        return b"c2sp.org/tlog-proof@v1\nextra %bindex %d\n%b" % (
            binascii.b2a_base64(entry), index, self._paths[at],
        )  # fmt: skip


def _by_level(size: int, edge: Sequence[bytes]) -> dict[int, bytes]:
    levels = [level for level in reversed(range(size.bit_length())) if size >> level & 1]
    if len(levels) != len(edge):
        raise EvidenceError("proof", f"a tree of size {size} has an edge of {len(levels)} nodes")
    return dict(zip(levels, edge, strict=True))


def _rows(
    first: int, leaves: Sequence[bytes], edge: dict[int, bytes]
) -> list[tuple[int, list[bytes]]]:
    """Return, level by level, the nodes over what was added, with the number of the first.

    A row begins with a node of the edge where that is the left neighbour of the first added one.
    """
    rows: list[tuple[int, list[bytes]]] = []
    row = list(leaves)
    while row:
        if first & 1:
            row.insert(0, edge[len(rows)])
        rows.append((first & ~1, row))
        row = [node_hash(row[at], row[at + 1]) for at in range(0, len(row) - 1, 2)]
        first >>= 1
    return rows


def _paths(
    rows: Sequence[tuple[int, list[bytes]]], tops: Sequence[tuple[int, bytes]], end: bytes
) -> list[bytes]:
    """Return what follows the index line of each leaf of the first row: siblings, and the note."""
    hashes = [digest for _, digest in tops]
    over_top: dict[int, bytes] = {}
    for place, (level, _) in enumerate(tops):
        # All that is right of it under one hash, then one by one what is left of it.
        siblings = [fold_right(hashes[place + 1 :])] if place + 1 < len(tops) else []
        siblings += reversed(hashes[:place])
        over_top[level] = b"".join(map(_line, siblings)) + end
    paths: list[bytes] = []
    upper = 0
    for level, (first, row) in reversed(list(enumerate(rows))):
        lines = [_line(digest) for digest in row]
        over, skipped = paths, (first >> 1) - upper
        paths = [lines[at ^ 1] + over[(at >> 1) + skipped] for at in range(len(row) & ~1)]
        if len(row) & 1:
            paths.append(over_top[level])  # without a neighbour it is a top
        upper = first
    return paths


def _line(digest: bytes) -> bytes:
    return binascii.b2a_base64(digest)
