import hashlib

from counterfoil.ledger.edge import RightEdge
from counterfoil.tlog.tile import TILE_WIDTH, tiles_of
from counterfoil.tlog.tree import EMPTY_ROOT, Frontier, TreeHead, root_from_leaves

EMPTY = RightEdge(TreeHead(0, EMPTY_ROOT), Frontier(), ())


def _leaves(first: int, count: int) -> list[bytes]:
    return [hashlib.sha256(b"%d" % number).digest() for number in range(first, first + count)]


def test_tiles_written_on_the_way_are_those_of_the_whole_tree_three_levels_up() -> None:
    """Level 2 begins at 65,536 leaves; the steps end on, before and after tile borders."""
    edge, tiles, size = EMPTY, dict[tuple[int, int], bytes](), 0
    for count in (1, 254, 1, 1, 255, 1_000, 64_000, 24, 1, 3_000):
        edge, changed = edge.grow(_leaves(size, count))
        tiles.update(changed)
        size += count
    assert edge.head.size == size == 68_537

    leaves = _leaves(0, size)
    rows = [leaves]
    while len(rows[-1]) >= TILE_WIDTH:
        full = len(rows[-1]) // TILE_WIDTH
        rows.append(
            [root_from_leaves(rows[-1][n * TILE_WIDTH : (n + 1) * TILE_WIDTH]) for n in range(full)]
        )
    meant = {
        (level, n): b"".join(rows[level][n * TILE_WIDTH : n * TILE_WIDTH + width])
        for level, n, width in tiles_of(size)
    }
    assert {level for level, _ in meant} == {0, 1, 2}
    assert tiles == meant
    assert edge.head.root == root_from_leaves(leaves)


def test_only_the_tiles_that_changed_are_named() -> None:
    edge, _ = EMPTY.grow(_leaves(0, 300))

    _, changed = edge.grow(_leaves(300, 1))

    assert {place: len(tile) // 32 for place, tile in changed.items()} == {(0, 1): 45}


def test_growing_leaves_the_edge_it_started_from_as_it_was() -> None:
    """A transaction that fails is tried again from here."""
    edge, _ = EMPTY.grow(_leaves(0, 300))
    before = (edge.head, edge.frontier.nodes, edge.partials)

    edge.grow(_leaves(300, 500))

    assert (edge.head, edge.frontier.nodes, edge.partials) == before
