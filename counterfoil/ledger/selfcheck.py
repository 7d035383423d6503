"""The self-check: what was committed is read back and recomputed before anything is signed.

One flipped bit between memory and disk has ended public logs: it was signed first and noticed
later.  Here the stored entries are hashed again and the root is computed from the stored tiles,
by another algorithm than the writer's.  If anything differs, nothing is signed, ever: the caller
freezes the log.

Source: RFC 6962 section 2.1; C2SP tlog-tiles.
"""

from collections.abc import Sequence

from counterfoil.errors import EvidenceError
from counterfoil.ledger.edge import RightEdge
from counterfoil.ledger.sign import SELF_CHECK_SEAL, Checked
from counterfoil.ledger.store import Item, Kept, LogReads
from counterfoil.tlog.policy import Policy
from counterfoil.tlog.proof import Node, consistency_path, verify_consistency
from counterfoil.tlog.tile import (
    TILE_HEIGHT,
    TILE_WIDTH,
    ReadTile,
    check_full_tiles,
    node_from_tiles,
    root_from_tiles,
)
from counterfoil.tlog.tree import HASH_SIZE, Frontier, TreeHead, leaf_hash

START_UP_ENTRIES = 1_000


def check_committed(
    reads: LogReads, project: str, old_size: int, head: TreeHead, items: Sequence[Item]
) -> Checked:
    """Check one committed batch from storage.

    Args:
        reads: read-only connections, never the one that wrote.
        project: whose log.
        old_size: size before the batch.
        head: size and root the writer computed by frontier arithmetic.
        items: what the writer was given, in order from index `old_size`.

    Raises:
        EvidenceError: `damaged` or `missing`: storage does not hold what was committed.

    Cost: about 15 us an entry, and up to 255 hashes a level for the right edge (0.4 ms in all).
    """
    if (stored := reads.head(project)) != head:
        raise _damaged(project, f"the head reads {stored.size}, {head.size} was committed")
    kept = reads.kept(project, old_size, head.size)
    meant = [
        Kept(index, item.entry, item.salt, item.sealed, item.blobs)
        for index, item in enumerate(items, old_size)
    ]
    if kept != meant:
        first = next((i for i, one in enumerate(meant) if i >= len(kept) or kept[i] != one), 0)
        raise _damaged(project, f"entry {old_size + first} does not read back as it was written")
    read_tile = _remembered(reads, project)
    _check_leaves(project, old_size, [one.entry for one in kept], read_tile)
    _check_tiles(project, old_size, head, read_tile)
    return Checked(project, head, seal=SELF_CHECK_SEAL)


def check_at_start(
    reads: LogReads, project: str, published: bytes | None, trust: Policy
) -> tuple[Checked, RightEdge]:
    """Check a log as it is found: its right edge, its last entries, and what it has published.

    Returns:
        The checked head and the edge to append to.

    Raises:
        EvidenceError: `damaged`, `missing`; `rolled_back`: a larger checkpoint was published;
            `forked`: the published one is of another history.

    Cost: 1,000 entries and the tiles of the right edge, whatever the size of the log.
    """
    head = reads.head(project)
    read_tile = _remembered(reads, project)
    start = max(0, head.size - START_UP_ENTRIES)
    entries = reads.entries(project, start, head.size + 1)
    if len(entries) != head.size - start:
        raise _damaged(
            project, f"{start + len(entries)} entries are stored, the head says {head.size}"
        )
    _check_leaves(project, start, entries, read_tile)
    _check_tiles(project, start, head, read_tile)
    if published is not None:
        _check_published(project, head, published, trust, node_from_tiles(read_tile))
    return Checked(project, head, seal=SELF_CHECK_SEAL), _edge(head, read_tile)


def check_bundle(reads: LogReads, project: str, start: int, entries: Sequence[bytes]) -> None:
    """Check entries that are about to be published against the stored leaf hashes.

    Raises:
        EvidenceError: `damaged`: an entry changed since it was signed.
    """
    _check_leaves(project, start, entries, _remembered(reads, project))


def _check_published(
    project: str, head: TreeHead, published: bytes, trust: Policy, node: Node
) -> None:
    checkpoint = trust.verify_checkpoint(published)
    if checkpoint.size > head.size:
        raise EvidenceError(
            "rolled_back",
            f"log {project} holds {head.size} entries, but {checkpoint.size} were published: an "
            "older copy of ledger.db was put back; bring the later one",
        )
    old = TreeHead(checkpoint.size, checkpoint.root)
    try:
        verify_consistency(old, head, consistency_path(old.size, head.size, node))
    except EvidenceError as error:
        raise EvidenceError(
            "forked",
            f"log {project}: the checkpoint published at size {old.size} is of another history "
            f"than ledger.db ({error.message}); keep both",
        ) from error


def _check_leaves(project: str, start: int, entries: Sequence[bytes], read_tile: ReadTile) -> None:
    """Compare leaf hashes with the tiles of level 0, from entry `start` on."""
    at = 0
    while at < len(entries):
        n, place = divmod(start + at, TILE_WIDTH)
        hashes = b"".join(map(leaf_hash, entries[at : at + TILE_WIDTH - place]))
        stored = read_tile(0, n)[place * HASH_SIZE :][: len(hashes)]
        if stored != hashes:
            first = next(
                i for i in range(0, len(hashes), HASH_SIZE)
                if stored[i : i + HASH_SIZE] != hashes[i : i + HASH_SIZE]
            )  # fmt: skip
            index = start + at + first // HASH_SIZE
            raise _damaged(project, f"entry {index} does not hash to its place in the tree")
        at += len(hashes) // HASH_SIZE


def _check_tiles(project: str, start: int, head: TreeHead, read_tile: ReadTile) -> None:
    """Check the root, and that every full tile from entry `start` on is hashed into it."""
    try:
        check_full_tiles(start, head.size, read_tile)
        root = root_from_tiles(head.size, read_tile)
    except EvidenceError as error:
        raise _damaged(project, error.message) from error
    if root != head.root:
        raise _damaged(project, f"the tiles of size {head.size} lead to another root")


def _edge(head: TreeHead, read_tile: ReadTile) -> RightEdge:
    """Read the edge of a checked tree."""
    node = node_from_tiles(read_tile)
    perfect = [
        node(bit, (head.size >> bit) - 1)
        for bit in reversed(range(head.size.bit_length()))
        if head.size >> bit & 1
    ]
    partials = []
    for level in range((head.size.bit_length() + TILE_HEIGHT - 1) // TILE_HEIGHT):
        count = head.size >> (TILE_HEIGHT * level)
        n, width = divmod(count, TILE_WIDTH)
        partials.append(read_tile(level, n)[: width * HASH_SIZE] if width else b"")
    return RightEdge(head, Frontier(head.size, perfect), tuple(partials))


def _remembered(reads: LogReads, project: str) -> ReadTile:
    tiles: dict[tuple[int, int], bytes] = {}

    def read(level: int, n: int) -> bytes:
        if (level, n) not in tiles:
            tiles[level, n] = reads.tile(project, level, n)
        return tiles[level, n]

    return read


def _damaged(project: str, what: str) -> EvidenceError:
    return EvidenceError("damaged", f"log {project}: {what}; keep ledger.db and run verify on it")
