"""Receipts of many entries at once: what their paths share is hashed, checked and written once.

The receipts are those of `receipt.build_receipt`, byte for byte.  Checking climbs from a leaf
only until it meets a node that is known to lead to the root; a node on a checked path binds both
its children, so neighbours cost about one hash each instead of a whole path.

The nodes outside a range that its receipts need are few (`range_nodes`): with them and the
entries, somebody who has no tiles builds the same receipts.

Source: C2SP tlog-proof; RFC 9162 section 2.1.3.
"""

import binascii
from collections.abc import Mapping

from counterfoil.errors import EvidenceError
from counterfoil.tlog.proof import Node
from counterfoil.tlog.tree import TreeHead, fold_right, node_hash

NodeName = tuple[int, int]
"""(level, n): perfect subtree number n over 2**level leaves."""


def peaks(size: int) -> list[NodeName]:
    """Return the perfect subtrees a tree of `size` is made of, largest first.

    >>> peaks(6)
    [(2, 0), (1, 2)]
    """
    levels = [level for level in reversed(range(size.bit_length())) if size >> level & 1]
    return [(level, (size >> level) - 1) for level in levels]


def range_nodes(start: int, end: int, size: int, node: Node) -> dict[NodeName, bytes]:
    """Return the nodes that receipts of the entries [start, end) need besides those entries.

    Args:
        start: first index, below `end`.
        end: the index after the last, at most `size`.
        size: of the tree to prove against.
        node: gives the hashes of that tree's perfect subtrees.

    Cost: two paths and the peaks: at most about 3 log2(size) nodes.
    """
    found = {name: node(*name) for name in peaks(size)}
    for index in (start, end - 1):
        level, n = 0, index
        while (level, n) not in found:
            sibling = n ^ 1
            if not start <= sibling << level < (sibling + 1) << level <= end:
                found.setdefault((level, sibling), node(level, sibling))
            level, n = level + 1, n >> 1
    return found


def node_from_range(start: int, leaves: "list[bytes]", outside: Mapping[NodeName, bytes]) -> Node:
    """Return the node function over leaf hashes from index `start` on and `range_nodes`."""
    known = {**outside, **{(0, index): leaf for index, leaf in enumerate(leaves, start)}}

    def node(level: int, n: int) -> bytes:
        found = known.get((level, n))
        if found is None:
            if level == 0:
                raise EvidenceError("proof", f"leaf {n} is not among what was given")
            found = node_hash(node(level - 1, 2 * n), node(level - 1, 2 * n + 1))
            known[level, n] = found
        return found

    return node


class Receipts:
    """Writes receipts under one signed head; use it for one batch and let it go.

    Args:
        head: what `checkpoint` commits to.
        checkpoint: the signed note.
        node: gives the hashes of that tree's perfect subtrees.

    Raises:
        EvidenceError: `proof`: the nodes do not lead to the head's root.
    """

    def __init__(self, head: TreeHead, checkpoint: bytes, node: Node) -> None:
        self._node = node
        self._size = head.size
        tops = peaks(head.size)
        hashes = [node(*name) for name in tops]
        if fold_right(hashes) != head.root:
            raise EvidenceError("proof", f"the peaks of size {head.size} lead to another root")
        # From here on these lead to the root, and so does every node a checked climb passes.
        self._good = dict(zip(tops, hashes, strict=True))
        end = b"\n" + checkpoint
        self._lines: dict[NodeName, bytes] = {}
        for place, name in enumerate(tops):
            above = [fold_right(hashes[place + 1 :])] if place + 1 < len(tops) else []
            above += reversed(hashes[:place])
            self._lines[name] = b"".join(_line(one) for one in above) + end

    def receipt(self, index: int, entry: bytes, leaf: bytes) -> bytes:
        """Return the receipt of an entry.

        Args:
            index: from 0, below the head's size.
            entry: its bytes, not empty.
            leaf: their leaf hash.

        Raises:
            EvidenceError: `proof`: the entry does not lead to the root.
        """
        self._check(index, leaf)
        return (
            b"c2sp.org/tlog-proof@v1\nextra %b" % binascii.b2a_base64(entry)
            + b"index %d\n" % index
            + self._path(0, index)
        )

    def _check(self, index: int, leaf: bytes) -> None:
        good, node = self._good, self._node
        if not 0 <= index < self._size:
            raise EvidenceError("proof", f"entry {index} is not inside [0, {self._size})")
        climbed: list[tuple[NodeName, bytes]] = []
        level, n, digest = 0, index, leaf
        while (known := good.get((level, n))) is None:
            sibling = node(level, n ^ 1)
            climbed += (((level, n), digest), ((level, n ^ 1), sibling))
            digest = node_hash(sibling, digest) if n & 1 else node_hash(digest, sibling)
            level, n = level + 1, n >> 1
        if known != digest:
            raise EvidenceError("proof", f"entry {index} leads to another root")
        good.update(climbed)

    def _path(self, level: int, n: int) -> bytes:
        """Return the lines from the sibling of a node up, the checkpoint included."""
        lines = self._lines.get((level, n))
        if lines is None:
            lines = _line(self._node(level, n ^ 1)) + self._path(level + 1, n >> 1)
            self._lines[level, n] = lines
        return lines


def _line(digest: bytes) -> bytes:
    return binascii.b2a_base64(digest)
