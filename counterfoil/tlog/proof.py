"""Inclusion and consistency proofs over a Merkle tree head.

Returning is the only way to say yes: every verdict against a proof is an EvidenceError with the
code `proof`, so a caller that ignores results cannot accept a bad one.  Hashes are checked to
be 32 bytes and positions to lie inside the tree before anything is computed.

Source: RFC 9162 section 2.1.3 (inclusion) and 2.1.4 (consistency); the subtree forms from
draft-ietf-plants-merkle-tree-certs section 4.  Vectors: tests/vectors/transparency-dev-merkle.
"""

from collections.abc import Callable, Sequence

from counterfoil.errors import EvidenceError
from counterfoil.tlog.tree import (
    EMPTY_ROOT,
    HASH_SIZE,
    TreeHead,
    fold_right,
    node_hash,
    split_point,
)

# node(level, n): the hash of perfect subtree number n (from 0) over 2**level leaves.
Node = Callable[[int, int], bytes]


def inclusion_path(index: int, size: int, node: Node) -> list[bytes]:
    """Return the sibling hashes that lead from leaf `index` to the root of a tree of `size`.

    Args:
        index: 0-based position, 0 <= index < size.
        size: the count of leaves of the tree to prove against.
        node: gives perfect-subtree hashes of that tree; wrap it in a cache for a batch.

    Returns:
        Hashes of 32 bytes, from the leaf upwards.

    Cost: at most ceil(log2(size)) elements; one of them may be folded from several nodes.
    Source: RFC 9162 section 2.1.3.1.
    """
    assert 0 <= index < size, f"index {index} is outside a tree of size {size}"
    path = []
    start, end = 0, size
    while end - start > 1:
        middle = start + split_point(end - start)
        if index < middle:
            path.append(_range_root(middle, end, node))
            end = middle
        else:
            path.append(_range_root(start, middle, node))
            start = middle
    path.reverse()
    return path


def consistency_path(old: int, size: int, node: Node) -> list[bytes]:
    """Return the hashes that show the tree of size `old` to be a prefix of the tree of `size`.

    Args:
        old: size of the earlier tree, 0 <= old <= size; 0 and `size` need no hashes.
        size: the count of leaves of the later tree.
        node: gives perfect-subtree hashes of the later tree.

    Source: RFC 9162 section 2.1.4.1.
    """
    assert 0 <= old <= size, f"a tree of size {size} has no prefix of size {old}"
    if old == 0:
        return []
    path = []
    start, end = 0, size
    while end != old:
        middle = start + split_point(end - start)
        if old <= middle:
            path.append(_range_root(middle, end, node))
            end = middle
        else:
            path.append(_range_root(start, middle, node))
            start = middle
    if start > 0:
        # The earlier tree's last subtree is no subtree of its own root's: it has to be named.
        path.append(_range_root(start, end, node))
    path.reverse()
    return path


def verify_inclusion(leaf: bytes, index: int, path: Sequence[bytes], head: TreeHead) -> None:
    """Check that `leaf` is entry number `index` of the tree `head` commits to.

    Args:
        leaf: leaf hash, 32 bytes.
        index: 0-based position, 0 <= index < head.size.
        path: sibling hashes of 32 bytes each, from the leaf upwards.
        head: size and root from one checkpoint whose signature was already checked.

    Raises:
        EvidenceError: `proof`, when the index is outside the tree, the path has the wrong
            length, or it leads to another root.

    Cost: one hash per path element, at most ceil(log2(head.size)).
    Source: RFC 9162 section 2.1.3.2.

    >>> from counterfoil.tlog.tree import leaf_hash
    >>> ana, bo = leaf_hash(b"ana"), leaf_hash(b"bo")
    >>> head = TreeHead(size=2, root=node_hash(ana, bo))
    >>> verify_inclusion(bo, 1, [ana], head)
    >>> verify_inclusion(bo, 2, [ana], head)
    Traceback (most recent call last):
    counterfoil.errors.EvidenceError: entry 2 is not inside [0, 2)
    """
    _check_head(head)
    verify_subtree_inclusion(leaf, index, path, start=0, end=head.size, root=head.root)


def verify_subtree_inclusion(
    leaf: bytes, index: int, path: Sequence[bytes], *, start: int, end: int, root: bytes
) -> None:
    """Check that `leaf` is entry `index` of the log, inside the subtree over [start, end).

    Args:
        leaf: leaf hash, 32 bytes.
        index: 0-based position in the whole log, start <= index < end.
        path: sibling hashes of 32 bytes each, from the leaf up to below `root`.
        start: first entry of the subtree, a multiple of the power of two that covers it.
        end: the entry after its last.
        root: the subtree's root, 32 bytes.

    Raises:
        EvidenceError: `proof`, as for `verify_inclusion`, or when [start, end) is no subtree.

    Source: draft-ietf-plants-merkle-tree-certs, "Verifying a Subtree Inclusion Proof".
    """
    _check_hashes(leaf, root, *path)
    _check_subtree(start, end)
    if not start <= index < end:
        raise EvidenceError("proof", f"entry {index} is not inside [{start}, {end})")
    position, last, digest = index - start, end - start - 1, leaf
    for sibling in path:
        if last == 0:
            raise EvidenceError("proof", f"the path is too long: {len(path)} hashes")
        if position & 1 or position == last:
            digest = node_hash(sibling, digest)
            # The right edge of the tree has no sibling on some levels: skip those.
            while position and not position & 1:
                position, last = position >> 1, last >> 1
        else:
            digest = node_hash(digest, sibling)
        position, last = position >> 1, last >> 1
    if last:
        raise EvidenceError("proof", f"the path is too short: {len(path)} hashes")
    _check_root(digest, root)


def verify_consistency(old: TreeHead, head: TreeHead, path: Sequence[bytes]) -> None:
    """Check that the tree of `head` starts with exactly the entries of `old`.

    Args:
        old: the earlier head, from a checkpoint whose signature was checked.
        head: the later head, likewise.
        path: hashes of 32 bytes each; none when `old` is empty or the sizes are equal.

    Raises:
        EvidenceError: `proof`, when the trees cannot be such, or the path shows it for others.

    Cost: at most two hashes per path element.
    Source: RFC 9162 section 2.1.4.2.  An empty tree is a prefix of every tree, with no proof:
        C2SP tlog-witness, whose `old 0` names it.
    """
    _check_head(old)
    _check_head(head)
    if old.size == head.size and old.root != head.root:
        raise EvidenceError("proof", f"two different trees of size {head.size}: the log is forked")
    if old.size < head.size:
        _check_hashes(old.root, head.root)
    verify_subtree_consistency(old.root, head, path, start=0, end=old.size)


def verify_subtree_consistency(
    root: bytes, head: TreeHead, path: Sequence[bytes], *, start: int, end: int
) -> None:
    """Check that `root` is the root over the entries [start, end) of the tree of `head`.

    Args:
        root: the subtree's root, 32 bytes; `EMPTY_ROOT` when start == end.
        head: the head of the whole tree.
        path: hashes of 32 bytes each.
        start: first entry of the subtree, a multiple of the power of two that covers it.
        end: the entry after its last, at most head.size.

    Raises:
        EvidenceError: `proof`, when it is not, or [start, end) is no subtree of such a tree.

    Source: draft-ietf-plants-merkle-tree-certs, "Verifying a Subtree Consistency Proof"; with
        start 0 it is RFC 9162 section 2.1.4.2.
    """
    _check_subtree(start, end)
    if end > head.size:
        raise EvidenceError("proof", f"[{start}, {end}) reaches over a tree of size {head.size}")
    if start == end:
        # An empty subtree is part of any tree, so nothing is said about that tree's root.
        if path or root != EMPTY_ROOT:
            raise EvidenceError("proof", "an empty tree has its own root and needs no proof")
        return
    if end - start == head.size:
        # The whole tree: two roots to compare, nothing to hash.
        if path:
            raise EvidenceError("proof", f"the path is too long: {len(path)} hashes")
        _check_root(root, head.root)
        return
    _check_hashes(root, head.root, *path)
    first, last, edge = start, end - 1, head.size - 1
    # Climb to the highest node over entry end - 1 that both trees hold whole: the two roots are
    # computed from it on.  It is `root` itself, or else the proof starts with it.
    while first != last and (last & 1 or last == edge):
        first, last, edge = first >> 1, last >> 1, edge >> 1
    shared = [root, *path] if first == last else path
    inner, outer = _roots_of_path(shared, first, last, edge)
    _check_root(inner, root)
    _check_root(outer, head.root)


def _roots_of_path(path: Sequence[bytes], first: int, last: int, edge: int) -> tuple[bytes, bytes]:
    """Return the roots of subtree and tree that a consistency path leads to.

    Args:
        path: the hash of the node both share, then siblings upwards.
        first: number of the subtree's first node on the level of that node.
        last: number of that node, the subtree's last on its level.
        edge: number of the tree's last node on that level.
    """
    if not path:
        raise EvidenceError("proof", "the path is too short: no hashes")
    inner = outer = path[0]
    for sibling in path[1:]:
        if edge == 0:
            raise EvidenceError("proof", f"the path is too long: {len(path)} hashes")
        if last & 1 or last == edge:
            if first < last:
                inner = node_hash(sibling, inner)
            outer = node_hash(sibling, outer)
            while not last & 1:
                first, last, edge = first >> 1, last >> 1, edge >> 1
        else:
            outer = node_hash(outer, sibling)
        first, last, edge = first >> 1, last >> 1, edge >> 1
    if edge:
        raise EvidenceError("proof", f"the path is too short: {len(path)} hashes")
    return inner, outer


def _range_root(start: int, end: int, node: Node) -> bytes:
    """Return the root over [start, end), where `start` is aligned as a subtree's is."""
    nodes = []
    while start < end:
        level = (end - start).bit_length() - 1
        nodes.append(node(level, start >> level))
        start += 1 << level
    return fold_right(nodes)


def _check_head(head: TreeHead) -> None:
    if head.size < 0 or (head.size == 0) != (head.root == EMPTY_ROOT):
        raise EvidenceError("proof", f"no tree of size {head.size} has the root {head.root.hex()}")


def _check_hashes(*hashes: bytes) -> None:
    for digest in hashes:
        if len(digest) != HASH_SIZE:
            raise EvidenceError("proof", f"a hash of {len(digest)} bytes, not {HASH_SIZE}")


def _check_subtree(start: int, end: int) -> None:
    cover = 1 << (end - start - 1).bit_length() if end > start else 1
    if not 0 <= start <= end or start % cover:
        raise EvidenceError("proof", f"[{start}, {end}) is no subtree")


def _check_root(computed: bytes, root: bytes) -> None:
    if computed != root:
        raise EvidenceError(
            "proof", f"the path leads to {computed.hex()}, the tree head says {root.hex()}"
        )
