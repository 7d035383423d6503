"""The proof vectors of transparency-dev/merkle, all 518 files.

Choices of policy that these vectors leave open or ask for, and what is chosen here:

- `inclusion/single-entry/empty-root-and-leaf`: an empty string equals an empty string, but
  neither is a hash: lengths are checked before anything is compared.
- `consistency/additional/sizes-are-equal-zero-and-proof-is-empty` is refused because its roots
  are not the root of the empty tree.  With the true root 0 -> 0 is accepted here, as is 0 -> n
  without a proof: a witness that knows nothing of a log starts there (C2SP tlog-witness, `old 0`).
  `size1-is-zero-and-size2-is-not-zero` is refused for its second root, which is no hash.
- `sizes-are-equal-one-and-proof-is-empty` (both sets) is accepted with roots of 12 bytes: heads of
  one size are compared, not hashed.  A parsed checkpoint never has such a root.
- `subtreeconsistency/additional/...tree-root-random...` is accepted: an empty subtree is part of
  every tree.  `verify_consistency` looks at both heads before it comes to that.
"""

import base64
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from counterfoil.errors import EvidenceError
from counterfoil.tlog.proof import (
    verify_consistency,
    verify_inclusion,
    verify_subtree_consistency,
    verify_subtree_inclusion,
)
from counterfoil.tlog.tree import EMPTY_ROOT, TreeHead

TESTDATA = Path(__file__).parents[1] / "vectors/transparency-dev-merkle/testdata"
COUNTS = {"inclusion": 98, "consistency": 98, "subtreeinclusion": 204, "subtreeconsistency": 118}
FILES = {
    folder: sorted(path.relative_to(TESTDATA) for path in (TESTDATA / folder).rglob("*.json"))
    for folder in COUNTS
}


class Vector:
    """One file, its byte fields decoded."""

    def __init__(self, path: Path) -> None:
        self.fields = json.loads((TESTDATA / path).read_bytes())
        self.proof = [base64.b64decode(text) for text in self.fields["proof"] or ()]

    def number(self, name: str) -> int:
        """Return an integer field."""
        value = self.fields[name]
        assert isinstance(value, int)
        return value

    def data(self, name: str) -> bytes:
        """Return a base64 field; some files have null for no bytes."""
        return base64.b64decode(self.fields[name] or "")

    def check(self, verdict: Callable[[], None]) -> None:
        """Call for the verdict and compare it with the one published."""
        if not self.fields["wantErr"]:
            verdict()
            return
        with pytest.raises(EvidenceError) as refusal:
            verdict()
        assert refusal.value.code == "proof"


def ids(folder: str) -> list[str]:
    return [str(path.with_suffix("")) for path in FILES[folder]]


@pytest.mark.parametrize("folder", COUNTS)
def test_the_published_sets_are_complete(folder: str) -> None:
    assert len(FILES[folder]) == COUNTS[folder]


@pytest.mark.parametrize("path", FILES["inclusion"], ids=ids("inclusion"))
def test_an_inclusion_vector_gets_its_published_verdict(path: Path) -> None:
    vector = Vector(path)
    head = TreeHead(vector.number("treeSize"), vector.data("root"))
    leaf, index = vector.data("leafHash"), vector.number("leafIdx")

    vector.check(lambda: verify_inclusion(leaf, index, vector.proof, head))


@pytest.mark.parametrize("path", FILES["consistency"], ids=ids("consistency"))
def test_a_consistency_vector_gets_its_published_verdict(path: Path) -> None:
    vector = Vector(path)
    old = TreeHead(vector.number("size1"), vector.data("root1"))
    head = TreeHead(vector.number("size2"), vector.data("root2"))

    vector.check(lambda: verify_consistency(old, head, vector.proof))


@pytest.mark.parametrize("path", FILES["subtreeinclusion"], ids=ids("subtreeinclusion"))
def test_a_subtree_inclusion_vector_gets_its_published_verdict(path: Path) -> None:
    vector = Vector(path)
    start, end, root = vector.number("start"), vector.number("end"), vector.data("root")
    leaf, index = vector.data("leafHash"), vector.number("leafIdx")

    vector.check(
        lambda: verify_subtree_inclusion(leaf, index, vector.proof, start=start, end=end, root=root)
    )


@pytest.mark.parametrize("path", FILES["subtreeconsistency"], ids=ids("subtreeconsistency"))
def test_a_subtree_consistency_vector_gets_its_published_verdict(path: Path) -> None:
    vector = Vector(path)
    start, end, root = vector.number("start"), vector.number("end"), vector.data("root1")
    head = TreeHead(vector.number("size"), vector.data("root2"))

    vector.check(lambda: verify_subtree_consistency(root, head, vector.proof, start=start, end=end))


def test_the_empty_tree_is_a_prefix_of_every_tree() -> None:
    """The choice the vectors leave open; see the head of this file."""
    empty = TreeHead(0, EMPTY_ROOT)

    verify_consistency(empty, empty, [])
    verify_consistency(empty, TreeHead(5, bytes(32)), [])
    with pytest.raises(EvidenceError, match="needs no proof"):
        verify_consistency(empty, TreeHead(5, bytes(32)), [bytes(32)])
