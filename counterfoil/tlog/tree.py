"""The Merkle tree: leaf and node hashes, tree heads, and the right edge that makes growing cheap.

A tree of n leaves splits at the largest power of two below n, so its root is decided by one
perfect subtree for every set bit of n: the frontier.  Leaf and node hashes carry different
prefixes, so no entry can pose as an inner node.

Source: RFC 6962 section 2.1 (the same tree as RFC 9162), SHA-256.
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Self

HASH_SIZE = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()
_LEAF = b"\x00"
_NODE = b"\x01"


def leaf_hash(entry: bytes) -> bytes:
    """Return the 32-byte hash of an entry as a leaf (without a bundle's length prefix)."""
    return hashlib.sha256(_LEAF + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the 32-byte hash of an inner node over its two children of 32 bytes each."""
    return hashlib.sha256(_NODE + left + right).digest()


class TreeHead(NamedTuple):
    """What a checkpoint commits to.

    Args:
        size: the count of leaves.
        root: the 32-byte root; `EMPTY_ROOT` for size 0.
    """

    size: int
    root: bytes


class Frontier:
    """The right edge of a growing tree: the roots of its perfect subtrees, largest first.

    Args:
        size: the count of leaves so far.
        nodes: one 32-byte hash for every set bit of `size`, from the highest bit down; together
            with `size` that is all there is to store.

    >>> edge = Frontier()
    >>> edge.extend([leaf_hash(b"ana"), leaf_hash(b"bo"), leaf_hash(b"cy")])
    >>> edge.size, len(edge.nodes)
    (3, 2)
    """

    __slots__ = ("_nodes", "size")

    def __init__(self, size: int = 0, nodes: Iterable[bytes] = ()) -> None:
        self.size = size
        self._nodes = list(nodes)
        assert len(self._nodes) == size.bit_count(), "one node for every set bit of the size"
        assert all(len(node) == HASH_SIZE for node in self._nodes), "nodes are 32-byte hashes"

    @property
    def nodes(self) -> tuple[bytes, ...]:
        """The perfect-subtree roots, largest first."""
        return tuple(self._nodes)

    def append(self, leaf: bytes) -> None:
        """Add one leaf hash of 32 bytes on the right."""
        self.extend((leaf,))

    def extend(self, leaves: Iterable[bytes]) -> None:
        """Add leaf hashes of 32 bytes on the right, in order.

        Cost: less than one node hash per leaf on average.
        """
        nodes, size, sha256 = self._nodes, self.size, hashlib.sha256
        for leaf in leaves:
            assert len(leaf) == HASH_SIZE, "leaves are 32-byte hashes"
            digest = leaf
            # Every trailing 1 bit of the size is a perfect subtree this leaf completes a pair with.
            carry = size
            while carry & 1:
                digest = sha256(_NODE + nodes.pop() + digest).digest()
                carry >>= 1
            nodes.append(digest)
            size += 1
        self.size = size

    def root(self) -> bytes:
        """Return the root of the tree; cost: one hash for every set bit of the size."""
        return fold_right(self._nodes)

    def head(self) -> TreeHead:
        """Return size and root together."""
        return TreeHead(self.size, self.root())

    def copy(self) -> Self:
        """Return a frontier that grows on its own."""
        return type(self)(self.size, self._nodes)


def fold_right(nodes: Sequence[bytes]) -> bytes:
    """Return the root over perfect subtrees, largest first: the right-most pair is hashed first.

    >>> fold_right([]) == EMPTY_ROOT
    True
    """
    if not nodes:
        return EMPTY_ROOT
    digest = nodes[-1]
    for node in reversed(nodes[:-1]):
        digest = node_hash(node, digest)
    return digest


def split_point(size: int) -> int:
    """Return the largest power of two below `size`, where a tree of `size` >= 2 leaves splits."""
    return 1 << ((size - 1).bit_length() - 1)


def root_from_leaves(leaves: Sequence[bytes]) -> bytes:
    """Return the root over leaf hashes by the recursive definition: slow and obviously right.

    Source: RFC 6962 section 2.1, MTH.
    """
    if not leaves:
        return EMPTY_ROOT
    if len(leaves) == 1:
        return leaves[0]
    middle = split_point(len(leaves))
    return node_hash(root_from_leaves(leaves[:middle]), root_from_leaves(leaves[middle:]))
