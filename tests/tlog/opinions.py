"""The trees on which others are asked for their opinion of our proofs."""

from counterfoil.tlog.tree import TreeHead, leaf_hash, root_from_leaves

SIZES = (1, 2, 3, 7, 8, 9, 31, 32, 33, 64, 65)
ENTRIES = [b"entry %d" % number for number in range(max(SIZES))]
LEAVES = [leaf_hash(entry) for entry in ENTRIES]


def node(level: int, n: int) -> bytes:
    """Return the hash of perfect subtree number `n` over 2**level leaves."""
    return root_from_leaves(LEAVES[n << level : (n + 1) << level])


def head(size: int) -> TreeHead:
    """Return the head of the first `size` leaves."""
    return TreeHead(size, root_from_leaves(LEAVES[:size]))
