"""Every fast way through the tree against a tree by the book, for every shape up to 300 leaves."""

from collections.abc import Sequence

import pytest

from counterfoil.errors import EvidenceError
from counterfoil.tlog.proof import (
    consistency_path,
    inclusion_path,
    verify_consistency,
    verify_inclusion,
    verify_subtree_consistency,
    verify_subtree_inclusion,
)
from counterfoil.tlog.tile import (
    ReadTile,
    changed_tiles,
    check_full_tiles,
    hash_tile,
    node_from_tiles,
    root_from_tiles,
    tiles_of,
)
from counterfoil.tlog.tree import (
    EMPTY_ROOT,
    Frontier,
    TreeHead,
    leaf_hash,
    node_hash,
    root_from_leaves,
)

SIZE = 300  # over one tile, and every shape of right edge below it
STRANGER = bytes(range(32))


class BookTree:
    """RFC 6962 section 2.1, word by word, with every subtree hash computed once.

    Nothing of it is shared with the code under test but the two hash functions, which the
    published vectors fix.
    """

    def __init__(self, size: int) -> None:
        self.leaves = [leaf_hash(b"entry %d" % index) for index in range(size)]
        self.memory: dict[tuple[int, int], bytes] = {}

    def mth(self, start: int, end: int) -> bytes:
        """MTH(D[start:end])."""
        if start == end:
            return EMPTY_ROOT
        if end - start == 1:
            return self.leaves[start]
        if (start, end) not in self.memory:
            k = start + self.split(end - start)
            self.memory[start, end] = node_hash(self.mth(start, k), self.mth(k, end))
        return self.memory[start, end]

    def node(self, level: int, n: int) -> bytes:
        """The perfect subtree number n over 2**level leaves."""
        end = (n + 1) << level
        assert end <= len(self.leaves), "asked for a node that is not perfect"
        return self.mth(n << level, end)

    def path(self, m: int, start: int, end: int) -> list[bytes]:
        """PATH(m, D[start:end]), section 2.1.1."""
        if end - start == 1:
            return []
        k = self.split(end - start)
        if m < k:
            return [*self.path(m, start, start + k), self.mth(start + k, end)]
        return [*self.path(m - k, start + k, end), self.mth(start, start + k)]

    def proof(self, m: int, start: int, end: int, *, whole: bool = True) -> list[bytes]:
        """SUBPROOF(m, D[start:end], whole), section 2.1.2."""
        if m == end - start:
            return [] if whole else [self.mth(start, end)]
        k = self.split(end - start)
        if m <= k:
            return [*self.proof(m, start, start + k, whole=whole), self.mth(start + k, end)]
        return [*self.proof(m - k, start + k, end, whole=False), self.mth(start, start + k)]

    def subproof(
        self, first: int, last: int, start: int, end: int, *, whole: bool = True
    ) -> list[bytes]:
        """SUBTREE_SUBPROOF of the subtree [first, last) in D[start:end], which contains it."""
        if (first, last) == (start, end):
            return [] if whole else [self.mth(start, end)]
        k = start + self.split(end - start)
        if last <= k:
            return [*self.subproof(first, last, start, k, whole=whole), self.mth(k, end)]
        if first >= k:
            return [*self.subproof(first, last, k, end, whole=whole), self.mth(start, k)]
        return [*self.subproof(k, last, k, end, whole=False), self.mth(start, k)]

    @staticmethod
    def split(size: int) -> int:
        """Return the largest power of two smaller than size."""
        k = 1
        while k * 2 < size:
            k *= 2
        return k


TREE = BookTree(SIZE)


def head(size: int) -> TreeHead:
    return TreeHead(size, TREE.mth(0, size))


def includes(leaf: bytes, index: int, path: Sequence[bytes], tree: TreeHead) -> bool:
    """Return the verdict as a value, so that a test can try many; a wrong code is no refusal."""
    try:
        verify_inclusion(leaf, index, path, tree)
    except EvidenceError as error:
        return error.code != "proof"
    return True


def is_prefix(old: TreeHead, tree: TreeHead, path: Sequence[bytes]) -> bool:
    try:
        verify_consistency(old, tree, path)
    except EvidenceError as error:
        return error.code != "proof"
    return True


def stored_tiles(size: int) -> dict[tuple[int, int], bytes]:
    """Cut the book's tree into tiles by the definition in tlog-tiles, not by the code's rules."""
    tiles = {}
    level = 0
    while size >> 8 * level:
        count = size >> 8 * level
        for n in range(-(-count // 256)):
            numbers = range(n * 256, min(count, n * 256 + 256))
            tiles[level, n] = b"".join(TREE.node(8 * level, number) for number in numbers)
        level += 1
    return tiles


def reader(tiles: dict[tuple[int, int], bytes]) -> ReadTile:
    return lambda level, n: tiles[level, n]


def test_frontier_tiles_and_recursion_give_the_root_of_the_book() -> None:
    edge = Frontier()
    assert edge.root() == EMPTY_ROOT == TREE.mth(0, 0) == root_from_leaves([])
    for size in range(1, SIZE + 1):
        edge.append(TREE.leaves[size - 1])
        tiles = stored_tiles(size)
        root = TREE.mth(0, size)

        assert edge.head() == TreeHead(size, root)
        assert root_from_leaves(TREE.leaves[:size]) == root
        assert root_from_tiles(size, reader(tiles)) == root
        assert Frontier(size, edge.nodes).root() == root


def test_a_batch_grows_the_tree_as_single_leaves_do() -> None:
    for start in range(0, SIZE, 7):
        edge = Frontier()
        edge.extend(TREE.leaves[:start])
        grown = edge.copy()
        grown.extend(TREE.leaves[start:])

        assert grown.head() == head(SIZE)
        assert edge.head() == head(start), "a copy grows on its own"


def test_every_entry_of_every_tree_is_proved_by_the_path_of_the_book() -> None:
    for size in range(1, SIZE + 1):
        for index in range(size):
            path = inclusion_path(index, size, TREE.node)

            assert path == TREE.path(index, 0, size)
            verify_inclusion(TREE.leaves[index], index, path, head(size))


@pytest.mark.parametrize("size", [*range(1, 65), 255, 256, 257, SIZE])
def test_no_other_index_size_leaf_or_length_passes_with_a_path(size: int) -> None:
    for index in range(size):
        leaf, path, tree = TREE.leaves[index], TREE.path(index, 0, size), head(size)

        assert includes(leaf, index, path, tree)
        assert not includes(STRANGER, index, path, tree)
        assert not includes(leaf, index, path, TreeHead(size, STRANGER))
        assert not includes(leaf, index, [*path, STRANGER], tree), "longer above"
        assert not includes(leaf, index, [STRANGER, *path], tree), "longer below"
        assert not includes(leaf, index, [*path, tree.root], tree), "longer by the root"
        for at in range(len(path)):
            assert not includes(leaf, index, path[:at] + path[at + 1 :], tree), "shorter"
            assert not includes(leaf, index, [*path[:at], path[at][:31], *path[at + 1 :]], tree)
        for other in {-1, index - 1, index + 1, index ^ 1, index ^ 2, size, size + 1} - {index}:
            assert not includes(leaf, other, path, tree), f"entry {index} passes as {other}"


def test_a_path_longer_than_its_tree_is_refused_before_it_is_hashed() -> None:
    endless = [STRANGER] * 100_000
    with pytest.raises(EvidenceError, match="too long: 100000 hashes"):
        verify_inclusion(TREE.leaves[2], 2, endless, head(5))
    with pytest.raises(EvidenceError, match="too long: 100000 hashes"):
        verify_consistency(head(3), head(5), endless)


def test_an_index_is_bound_by_the_path_for_every_pair_in_a_small_tree() -> None:
    """Entry contents repeat in real logs, so the index itself has to be proved."""
    for size in range(1, 33):
        for index in range(size):
            path = TREE.path(index, 0, size)
            passing = [
                i for i in range(-1, size + 2) if includes(TREE.leaves[index], i, path, head(size))
            ]
            assert passing == [index]


def test_a_path_fits_the_tree_it_was_made_for_and_not_its_neighbours() -> None:
    for size in range(2, 65):
        for index in range(size - 1):
            path = TREE.path(index, 0, size)
            assert not includes(TREE.leaves[index], index, path, head(size - 1))
            assert not includes(TREE.leaves[index], index, path, head(size + 1))


def test_a_path_has_the_length_its_tree_gives_it() -> None:
    """The root of 8 leaves under another size: only sizes with paths of three hashes remain.

    Which of those it is, is for the signature over size and root together to say.
    """
    root = TREE.mth(0, 8)
    for index in range(8):
        leaf, path = TREE.leaves[index], TREE.path(index, 0, 8)
        passing = {size for size in range(64) if includes(leaf, index, path, TreeHead(size, root))}
        assert 8 in passing
        assert passing <= {5, 6, 7, 8}


PAIRS = [(old, size) for size in range(SIZE + 1) for old in range(size + 1)]
SAMPLE = [pair for pair in PAIRS if pair[1] <= 64 or pair[1] == SIZE]


def test_every_prefix_is_proved_by_the_path_of_the_book() -> None:
    for old, size in PAIRS:
        path = consistency_path(old, size, TREE.node)

        assert path == (TREE.proof(old, 0, size) if old else [])
        verify_consistency(head(old), head(size), path)


def test_no_other_sizes_roots_or_lengths_pass_with_a_consistency_path() -> None:
    for old, size in SAMPLE:
        path = TREE.proof(old, 0, size) if old else []
        before, after = head(old), head(size)

        assert is_prefix(before, after, path)
        assert not is_prefix(before, after, [*path, STRANGER]), "longer above"
        assert not is_prefix(before, after, [STRANGER, *path]), "longer below"
        assert not is_prefix(TreeHead(old, STRANGER), after, path)
        if 0 < old < size:
            assert not is_prefix(before, TreeHead(size, STRANGER), path)
            assert not is_prefix(after, before, path), "swapped"
            assert not is_prefix(TreeHead(old + 1, before.root), after, path)
            assert not is_prefix(TreeHead(old, after.root), after, path)
            for at in range(len(path)):
                assert not is_prefix(before, after, path[:at] + path[at + 1 :]), "shorter"
                assert not is_prefix(before, after, [*path[:at], b"", *path[at + 1 :]])


def test_two_trees_of_one_size_are_a_fork_without_any_path() -> None:
    with pytest.raises(EvidenceError, match="forked"):
        verify_consistency(head(7), TreeHead(7, STRANGER), [])


def test_every_subtree_of_a_small_tree_is_proved_and_no_entry_passes_outside_its_own() -> None:
    size = 37
    for start in range(size):
        for end in range(start + 1, size + 1):
            cover = 1
            while cover < end - start:
                cover *= 2
            if start % cover:
                with pytest.raises(EvidenceError, match="is no subtree"):
                    verify_subtree_consistency(STRANGER, head(size), [], start=start, end=end)
                continue
            root, path = TREE.mth(start, end), TREE.subproof(start, end, 0, size)
            verify_subtree_consistency(root, head(size), path, start=start, end=end)
            for wrong in ([*path, STRANGER], path[:-1] if path else [STRANGER]):
                with pytest.raises(EvidenceError):
                    verify_subtree_consistency(root, head(size), wrong, start=start, end=end)
            for index in range(start, end):
                verify_subtree_inclusion(
                    TREE.leaves[index],
                    index,
                    TREE.path(index - start, start, end),
                    start=start,
                    end=end,
                    root=root,
                )
            with pytest.raises(EvidenceError, match="not inside"):
                verify_subtree_inclusion(STRANGER, end, [], start=start, end=end, root=root)


def test_tiles_give_every_node_the_proofs_ask_for() -> None:
    for size in (1, 2, 255, 256, 257, SIZE):
        tiles = stored_tiles(size)
        node = node_from_tiles(reader(tiles))
        for index in range(size):
            assert inclusion_path(index, size, node) == TREE.path(index, 0, size)
        for old in range(1, size + 1):
            assert consistency_path(old, size, node) == TREE.proof(old, 0, size)


def test_tiles_wider_than_the_tree_prove_it_too() -> None:
    """A partial tile may be gone once a wider one exists; readers are given that one."""
    tiles = stored_tiles(SIZE)
    for size in range(1, SIZE + 1):
        assert root_from_tiles(size, reader(tiles)) == TREE.mth(0, size)


def test_a_tile_is_hashed_to_the_root_of_its_hashes() -> None:
    for width in range(1, 257):
        assert hash_tile(b"".join(TREE.leaves[:width])) == TREE.mth(0, width)


def test_the_list_of_tiles_is_that_of_the_definition() -> None:
    for size in range(SIZE + 1):
        expected = [(level, n, len(data) // 32) for (level, n), data in stored_tiles(size).items()]
        assert list(tiles_of(size)) == expected


def test_the_tiles_to_write_turn_the_earlier_set_into_the_later_one() -> None:
    for old in range(0, SIZE + 1, 3):
        for size in range(old, SIZE + 1, 4):
            after = set(tiles_of(size))
            assert sorted(changed_tiles(old, size)) == sorted(after - set(tiles_of(old)))


def test_every_hash_of_every_full_tile_is_bound_to_the_level_above() -> None:
    tiles = stored_tiles(SIZE)
    check_full_tiles(0, SIZE, reader(tiles))
    for at in range(0, 256, 17):
        hashes = tiles[0, 0][: at * 32] + STRANGER + tiles[0, 0][at * 32 + 32 :]
        touched = {**tiles, (0, 0): hashes}
        with pytest.raises(EvidenceError, match="tile/0/000 does not hash") as refusal:
            check_full_tiles(200, SIZE, reader(touched))
        assert refusal.value.code == "tile"
        assert refusal.value.facts == {"level": 0, "n": 0}
        check_full_tiles(256, SIZE, reader(touched))


@pytest.mark.parametrize(
    "hashes",
    [b"", bytes(31), bytes(33), bytes(32 * 257)],
    ids=["empty", "cut off", "a byte over", "257 hashes"],
)
def test_a_misshapen_tile_is_refused_wherever_it_is_read(hashes: bytes) -> None:
    for read in (
        lambda: hash_tile(hashes),
        lambda: root_from_tiles(1, lambda _level, _n: hashes),
        lambda: check_full_tiles(0, 256, lambda _level, _n: hashes),
    ):
        with pytest.raises(EvidenceError) as refusal:
            read()
        assert refusal.value.code == "tile"


def test_a_tile_too_narrow_for_the_tree_is_named() -> None:
    with pytest.raises(EvidenceError, match="tile/0/000 has 2 hashes, 3 needed") as refusal:
        root_from_tiles(3, lambda _level, _n: bytes(64))
    assert refusal.value.code == "tile"


def test_the_tree_is_the_one_of_certificate_transparency() -> None:
    """Root of the eight leaves that RFC 6962's reference implementation is tested with."""
    entries = ("", "00", "10", "2021", "3031", "40414243", "5051525354555657")
    leaves = [leaf_hash(bytes.fromhex(entry)) for entry in entries]
    leaves.append(leaf_hash(bytes(range(0x60, 0x70))))

    root = "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"
    assert root_from_leaves(leaves).hex() == root
