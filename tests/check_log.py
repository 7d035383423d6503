"""Re-verify a whole ledger directory from what lies on the disk, and from nothing else.

Tests of writing call `check_log` after every step.  It shares no code with the ledger: it reads
the database with its own few statements, recomputes the tree by the recursive definition, and
checks every receipt that was ever given the way an outsider would.
"""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from counterfoil.tlog.checkpoint import verify_checkpoint
from counterfoil.tlog.entries import read_bundle
from counterfoil.tlog.note import VerifierKey
from counterfoil.tlog.proof import verify_inclusion
from counterfoil.tlog.receipt import Receipt, parse_receipt
from counterfoil.tlog.tile import (
    ENTRIES_LEVEL,
    TILE_WIDTH,
    entries_path,
    parse_path,
    tile_path,
    tiles_of,
)
from counterfoil.tlog.tree import TreeHead, leaf_hash, root_from_leaves


@dataclass(frozen=True)
class LogFound:
    """What stands on the disk, after everything about it was checked."""

    size: int
    exported_size: int | None
    entries: tuple[bytes, ...]
    keys: dict[tuple[str, str], int]


def check_log(
    directory: Path, vkey: VerifierKey, receipts: Iterable[bytes] = (), project: str = "default"
) -> LogFound:
    """Assert that a log is whole: rows, tiles, head, export and every receipt agree.

    Args:
        directory: the ledger directory; it may be in use.
        vkey: the log's key; its name is the origin.
        receipts: every receipt ever given for this log.
        project: whose log.
    """
    uri = f"{(directory / 'ledger.db').absolute().as_uri()}?mode=ro"
    db = sqlite3.connect(uri, uri=True, isolation_level=None)
    try:
        db.execute("BEGIN")
        entries = _check_entries(db, project)
        leaves = [leaf_hash(entry) for entry in entries]
        _check_head(db, project, leaves)
        _check_tiles(db, project, leaves)
        keys = _check_idem(db, project, len(entries))
        _check_beside(db, project, len(entries))
    finally:
        db.close()
    heads: dict[bytes, TreeHead] = {}
    for data in receipts:
        receipt = parse_receipt(data)
        if receipt.checkpoint not in heads:
            heads[receipt.checkpoint] = _check_checkpoint(receipt.checkpoint, vkey, leaves)
        _check_receipt(receipt, heads[receipt.checkpoint], entries)
    exported = _check_export(directory / "public" / project, vkey, entries, leaves)
    return LogFound(len(entries), exported, tuple(entries), keys)


def _check_entries(db: sqlite3.Connection, project: str) -> list[bytes]:
    rows = db.execute("SELECT idx, entry FROM entries WHERE project = ? ORDER BY idx", (project,))
    numbered = rows.fetchall()
    assert [index for index, _ in numbered] == list(range(len(numbered))), "indices have a hole"
    return [entry for _, entry in numbered]


def _check_head(db: sqlite3.Connection, project: str, leaves: list[bytes]) -> None:
    [row] = db.execute("SELECT size, root FROM heads WHERE project = ?", (project,)).fetchall()
    assert row == (len(leaves), root_from_leaves(leaves)), "the head is not that of the entries"


def _tile_bytes(leaves: list[bytes], level: int, n: int, width: int) -> bytes:
    """Return a tile by the definition: roots of subtrees of 256**level leaves each."""
    span = TILE_WIDTH**level
    starts = range(n * TILE_WIDTH * span, (n * TILE_WIDTH + width) * span, span)
    return b"".join(root_from_leaves(leaves[start : start + span]) for start in starts)


def _check_tiles(db: sqlite3.Connection, project: str, leaves: list[bytes]) -> None:
    rows = db.execute("SELECT level, n, data FROM tiles WHERE project = ?", (project,))
    stored = {(level, n): data for level, n, data in rows}
    meant = {
        (level, n): _tile_bytes(leaves, level, n, width)
        for level, n, width in tiles_of(len(leaves))
    }
    assert stored == meant, "the stored tiles are not those of the entries"


def _check_idem(db: sqlite3.Connection, project: str, size: int) -> dict[tuple[str, str], int]:
    rows = db.execute("SELECT source, id, idx FROM idem WHERE project = ?", (project,))
    keys = {(source, event_id): index for source, event_id, index in rows}
    assert sorted(keys.values()) == list(range(size)), "entries and idempotency keys do not match"
    return keys


def _check_beside(db: sqlite3.Connection, project: str, size: int) -> None:
    for table in ("bodies", "blobs"):
        statement = f"SELECT max(idx) FROM {table} WHERE project = ?"  # noqa: S608  two fixed names
        [last] = db.execute(statement, (project,)).fetchone()
        assert last is None or last < size, f"{table} reach beyond the log"


def _check_checkpoint(note: bytes, vkey: VerifierKey, leaves: list[bytes]) -> TreeHead:
    """Check a signed checkpoint, of whatever time, against the entries that are stored."""
    checkpoint = verify_checkpoint(note, [vkey])
    assert checkpoint.size <= len(leaves), "signed for a larger log than the stored one"
    assert root_from_leaves(leaves[: checkpoint.size]) == checkpoint.root, "signed for a fork"
    return TreeHead(checkpoint.size, checkpoint.root)


def _check_receipt(receipt: Receipt, head: TreeHead, entries: list[bytes]) -> None:
    assert receipt.extra == entries[receipt.index], "a receipt's entry is not the stored one"
    verify_inclusion(leaf_hash(receipt.extra), receipt.index, receipt.path, head)


def _check_export(
    public: Path, vkey: VerifierKey, entries: list[bytes], leaves: list[bytes]
) -> int | None:
    """Check that every file is true, and that none the checkpoint needs is absent."""
    files = {
        str(path.relative_to(public)): path.read_bytes()
        for path in sorted(public.rglob("*"))
        if path.is_file()
    }
    note = files.pop("checkpoint", None)
    for name, data in files.items():
        tile = parse_path(name)
        if tile.level == ENTRIES_LEVEL:
            start = tile.n * TILE_WIDTH
            assert read_bundle(data) == entries[start : start + tile.width], f"{name} is not true"
        else:
            assert data == _tile_bytes(leaves, tile.level, tile.n, tile.width), f"{name} is untrue"
    if note is None:
        return None
    head = _check_checkpoint(note, vkey, leaves)
    for level, n, width in tiles_of(head.size):
        _check_present(files, tile_path(level, n, width), tile_path(level, n))
        if level == 0:
            _check_present(files, entries_path(n, width), entries_path(n))
    return head.size


def _check_present(files: dict[str, bytes], partial: str, full: str) -> None:
    assert partial in files or full in files, f"the checkpoint names {partial}, which is absent"
