"""Receipts of many entries at once are those of one by one, or they are refused."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from counterfoil.errors import EvidenceError
from counterfoil.ledger.receipt import build_receipt
from counterfoil.ledger.receipts import Receipts, node_from_range, range_nodes
from counterfoil.tlog.proof import Node
from counterfoil.tlog.tree import TreeHead, leaf_hash, node_hash, root_from_leaves

NOTE = b"log.example/default\n1\nAAAA\n\n\xe2\x80\x94 log.example/default AAAA\n"


def _entries(size: int) -> list[bytes]:
    return [f"entry {index}".encode() for index in range(size)]


def _node(leaves: list[bytes]) -> Node:
    def node(level: int, n: int) -> bytes:
        if level == 0:
            return leaves[n]
        return node_hash(node(level - 1, 2 * n), node(level - 1, 2 * n + 1))

    return node


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 13, 64, 100, 257])
def test_receipts_of_a_batch_are_those_of_each_entry(size: int) -> None:
    entries = _entries(size)
    leaves = [leaf_hash(entry) for entry in entries]
    head = TreeHead(size, root_from_leaves(leaves))
    receipts = Receipts(head, NOTE, _node(leaves))

    for index, entry in enumerate(entries):
        made = receipts.receipt(index, entry, leaves[index])
        assert made == build_receipt(index, entry, head, NOTE, _node(leaves))


@given(st.data())
@settings(derandomize=True, max_examples=80, deadline=None)
def test_the_entries_of_a_range_and_a_few_nodes_give_the_same_receipts(data: st.DataObject) -> None:
    """A worker process has no tiles: what it is given has to be enough, for every range."""
    size = data.draw(st.integers(1, 140))
    start = data.draw(st.integers(0, size - 1))
    end = data.draw(st.integers(start + 1, size))
    entries = _entries(size)
    leaves = [leaf_hash(entry) for entry in entries]
    head = TreeHead(size, root_from_leaves(leaves))
    outside = range_nodes(start, end, size, _node(leaves))
    receipts = Receipts(head, NOTE, node_from_range(start, leaves[start:end], outside))

    for index in range(start, end):
        made = receipts.receipt(index, entries[index], leaves[index])
        assert made == build_receipt(index, entries[index], head, NOTE, _node(leaves))
    assert len(outside) <= 3 * size.bit_length()


@pytest.mark.parametrize("warm", [True, False], ids=["neighbours known", "first of its batch"])
def test_an_entry_that_does_not_lead_to_the_root_gets_no_receipt(warm: bool) -> None:
    """A short climb must refuse what a whole path would."""
    entries = _entries(100)
    leaves = [leaf_hash(entry) for entry in entries]
    receipts = Receipts(TreeHead(100, root_from_leaves(leaves)), NOTE, _node(leaves))
    if warm:
        for index in range(40, 60):
            receipts.receipt(index, entries[index], leaves[index])
    for index in (50, 41, 99):
        with pytest.raises(EvidenceError) as refused:
            receipts.receipt(index, b"another entry", leaf_hash(b"another entry"))
        assert refused.value.code == "proof"
    with pytest.raises(EvidenceError):
        receipts.receipt(100, entries[0], leaves[0])
    assert receipts.receipt(50, entries[50], leaves[50])


def test_nodes_that_do_not_lead_to_the_root_give_no_receipts() -> None:
    leaves = [leaf_hash(entry) for entry in _entries(7)]
    head = TreeHead(7, root_from_leaves(leaves))

    with pytest.raises(EvidenceError, match="peaks"):
        Receipts(head, NOTE, _node([leaf_hash(b"x"), *leaves[1:]]))
    inside = node_from_range(2, leaves[2:4], range_nodes(2, 4, 7, _node(leaves)))
    with pytest.raises(EvidenceError, match="not among"):
        inside(0, 5)


def test_a_false_node_beside_a_true_root_is_refused() -> None:
    """The peaks hold, one sibling is another hash: only the climb can tell."""
    leaves = [leaf_hash(entry) for entry in _entries(8)]
    head = TreeHead(8, root_from_leaves(leaves))
    outside = {**range_nodes(2, 3, 8, _node(leaves)), (0, 3): bytes(32)}
    receipts = Receipts(head, NOTE, node_from_range(2, leaves[2:3], outside))

    with pytest.raises(EvidenceError):
        receipts.receipt(2, _entries(8)[2], leaves[2])
