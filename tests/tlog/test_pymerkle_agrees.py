"""A second opinion: pymerkle, written by others, on the same trees as ours."""

import pytest
from pymerkle import (  # type: ignore[import-untyped]
    ConsistencyProof,
    InclusionProof,
    InmemoryTree,
    InvalidProof,
    verify_consistency,
    verify_inclusion,
)

from counterfoil.errors import EvidenceError
from counterfoil.tlog import proof
from counterfoil.tlog.tree import TreeHead, leaf_hash
from tests.tlog.opinions import ENTRIES, LEAVES, SIZES, head, node


@pytest.fixture(scope="module")
def theirs() -> InmemoryTree:
    tree = InmemoryTree()
    for entry in ENTRIES:
        tree.append_entry(entry)
    return tree


@pytest.mark.parametrize("size", SIZES)
def test_roots_are_the_same(theirs: InmemoryTree, size: int) -> None:
    assert theirs.get_root(size) == head(size).root


@pytest.mark.parametrize("size", SIZES)
def test_each_accepts_the_inclusion_proofs_of_the_other(theirs: InmemoryTree, size: int) -> None:
    for index in range(size):
        made: InclusionProof = theirs.prove_inclusion(index + 1, size)
        ours = proof.inclusion_path(index, size, node)

        proof.verify_inclusion(LEAVES[index], index, made.path[1:], head(size))
        again = InclusionProof("sha256", True, size, index + 1, made.rule, [LEAVES[index], *ours])
        verify_inclusion(LEAVES[index], head(size).root, again, index=index + 1, size=size)
        other = LEAVES[(index + 1) % len(LEAVES)]
        with pytest.raises(InvalidProof):
            verify_inclusion(other, head(size).root, again)
        with pytest.raises(EvidenceError):
            proof.verify_inclusion(other, index, ours, head(size))


@pytest.mark.parametrize("size", SIZES)
def test_both_call_the_same_trees_consistent(theirs: InmemoryTree, size: int) -> None:
    """The forms of the proofs differ; what they are about does not."""
    for old in range(1, size + 1):
        made: ConsistencyProof = theirs.prove_consistency(old, size)
        ours = proof.consistency_path(old, size, node)

        verify_consistency(head(old).root, head(size).root, made)
        proof.verify_consistency(head(old), head(size), ours)
        forged = leaf_hash(b"another history")
        with pytest.raises(InvalidProof):
            verify_consistency(forged, head(size).root, made)
        with pytest.raises(EvidenceError):
            proof.verify_consistency(TreeHead(old, forged), head(size), ours)
