"""Receipts of what one commit added are those of each entry alone, or none are written."""

import pytest

from counterfoil.errors import EvidenceError
from counterfoil.ledger.receipt import build_receipt
from counterfoil.ledger.receipts import Added, Receipts
from counterfoil.tlog.proof import Node
from counterfoil.tlog.tree import Frontier, TreeHead, leaf_hash, node_hash, root_from_leaves

NOTE = b"log.example/default\n1\nAAAA\n\n\xe2\x80\x94 log.example/default AAAA\n"
ENTRIES = [f"entry {index}".encode() for index in range(300)]
LEAVES = [leaf_hash(entry) for entry in ENTRIES]


def _node(leaves: list[bytes]) -> Node:
    def node(level: int, n: int) -> bytes:
        if level == 0:
            return leaves[n]
        return node_hash(node(level - 1, 2 * n), node(level - 1, 2 * n + 1))

    return node


def _added(first: int, size: int) -> Added:
    edge = Frontier()
    edge.extend(LEAVES[:first])
    leaves = tuple(LEAVES[first:size])
    return Added(first, edge.nodes, leaves, size, root_from_leaves(LEAVES[:size]), NOTE)


def _check(first: int, size: int) -> None:
    added = _added(first, size)
    receipts, head = Receipts(added), TreeHead(size, added.root)
    for index in range(first, size):
        made = receipts.receipt(index, ENTRIES[index], LEAVES[index])
        assert made == build_receipt(index, ENTRIES[index], head, NOTE, _node(LEAVES))


def test_receipts_are_those_of_each_entry_for_every_small_log_and_commit() -> None:
    """A worker process has no tiles: the edge before and the leaves have to be enough."""
    for size in range(1, 34):
        for first in range(size):
            _check(first, size)


@pytest.mark.parametrize(
    ("first", "size"), [(0, 257), (255, 257), (256, 300), (127, 300), (1, 300), (299, 300)]
)
def test_receipts_are_those_of_each_entry_across_tiles(first: int, size: int) -> None:
    _check(first, size)


def test_an_entry_that_was_not_added_there_gets_no_receipt() -> None:
    receipts = Receipts(_added(40, 100))

    for index, entry in ((50, b"another entry"), (51, ENTRIES[50]), (39, ENTRIES[39])):
        with pytest.raises(EvidenceError) as refused:
            receipts.receipt(index, entry, leaf_hash(entry))
        assert refused.value.code == "proof"
    with pytest.raises(EvidenceError):
        receipts.receipt(100, ENTRIES[100], LEAVES[100])
    assert receipts.receipt(50, ENTRIES[50], LEAVES[50])


def test_what_does_not_lead_to_the_signed_root_gives_no_receipts() -> None:
    """A false leaf, a false node of the edge, a leaf too many, an edge of another size."""
    good = _added(5, 8)
    Receipts(good)
    false = leaf_hash(b"x")
    for first, edge, leaves, size in (
        (5, good.edge, (good.leaves[0], false, good.leaves[2]), 8),
        (5, (false, good.edge[1]), good.leaves, 8),
        (5, (good.edge[0], false), good.leaves, 8),
        (5, good.edge, (*good.leaves, LEAVES[8]), 8),
        (5, good.edge, good.leaves[:2], 8),
        (5, good.edge[:1], good.leaves, 8),
        (4, good.edge, good.leaves, 8),
        (5, good.edge, good.leaves, 9),
    ):
        with pytest.raises(EvidenceError) as refused:
            Receipts(Added(first, edge, leaves, size, good.root, NOTE))
        assert refused.value.code == "proof", (first, size)
