"""A third opinion: sigstore's own check of inclusion, on the same trees as ours."""

from types import SimpleNamespace
from typing import cast

import pytest
from sigstore._internal.merkle import verify_merkle_inclusion
from sigstore.errors import VerificationError
from sigstore.models import TransparencyLogEntry

from counterfoil.errors import EvidenceError
from counterfoil.tlog.proof import inclusion_path, verify_inclusion
from counterfoil.tlog.tree import TreeHead, leaf_hash
from tests.tlog.opinions import ENTRIES, SIZES, head, node


def _theirs(index: int, size: int, path: list[bytes], root: bytes, entry: bytes) -> bool:
    """Ask sigstore; what it takes is an entry of its log, of which it reads these parts."""
    proof = SimpleNamespace(log_index=index, tree_size=size, hashes=path, root_hash=root)
    body = SimpleNamespace(inclusion_proof=proof, canonicalized_body=entry)
    try:
        verify_merkle_inclusion(cast("TransparencyLogEntry", SimpleNamespace(_inner=body)))
    except VerificationError:
        return False
    return True


def _ours(index: int, size: int, path: list[bytes], root: bytes, entry: bytes) -> bool:
    try:
        verify_inclusion(leaf_hash(entry), index, path, TreeHead(size, root))
    except EvidenceError:
        return False
    return True


@pytest.mark.parametrize("size", SIZES)
def test_sigstore_finds_every_proof_of_ours_good(size: int) -> None:
    root = head(size).root
    for index in range(size):
        path = inclusion_path(index, size, node)
        assert _theirs(index, size, path, root, ENTRIES[index]), index


@pytest.mark.parametrize("size", [2, 7, 8, 33, 65])
def test_what_sigstore_refuses_we_refuse_and_the_reverse(size: int) -> None:
    """Every hash of the path altered, one left out, one too many, other index, entry and root."""
    root = head(size).root
    for index in range(size):
        path, entry = inclusion_path(index, size, node), ENTRIES[index]
        altered = [[*path[:at], bytes(32), *path[at + 1 :]] for at in range(len(path))]
        cases = [
            *((index, one, root, entry) for one in altered),
            (index, path[:-1], root, entry),
            (index, [*path, path[0]], root, entry),
            (index ^ 1, path, root, entry),
            (index, path, bytes(32), entry),
            (index, path, root, b"another"),
        ]
        for at, through, to, shown in cases:
            told = _theirs(at, size, through, to, shown)
            assert told == _ours(at, size, through, to, shown)
            assert not told, (index, at)
