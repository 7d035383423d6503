"""Everything that stands in a simulated directory, read and recomputed, held against the evidence.

It shares no code with the ledger but the hashes: it reads the databases with its own statements,
computes tiles by the definition, and reads the public directory as a stranger does.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from counterfoil.errors import EvidenceError
from counterfoil.testing.driver import SimulatedConnection
from counterfoil.testing.evidence import LogEvidence, Violation
from counterfoil.testing.hashing import Leaves, remembered_bundle
from counterfoil.tlog.tile import (
    ENTRIES_LEVEL,
    TILE_WIDTH,
    entries_path,
    parse_path,
    tile_path,
    tiles_of,
)


def check_log(
    ledger: SimulatedConnection, erasable: SimulatedConnection, evidence: LogEvidence
) -> list[bytes]:
    """Check one log as it stands in the databases; return its entries.

    Raises:
        Violation: something is lost, twice, elsewhere, or does not belong together.
    """
    project = evidence.project
    entries = read_entries(ledger, project)
    if against := evidence.contradictions(entries):
        raise Violation("; ".join(against[:3]))
    leaves = Leaves(entries)
    _check_head(ledger, project, leaves)
    _check_tiles(ledger, project, leaves)
    _check_items(ledger, erasable, evidence, entries)
    return entries


def check_public(files: Mapping[str, bytes], evidence: LogEvidence) -> int:
    """Check a published log as a stranger does, with nothing but its files and the key.

    Args:
        files: by path below the log's prefix.
        evidence: keeps the checkpoint.

    Returns:
        The published size; 0 before the first.

    Raises:
        Violation: what the checkpoint names is absent, or does not lead to its root.
    """
    note = files.get("checkpoint")
    if note is None:
        return 0
    checkpoint = evidence.see(note)
    entries: list[bytes] = []
    for level, n, width in tiles_of(checkpoint.size):
        if level == 0:
            entries += _published_entries(files, evidence.project, n, width)
    leaves = Leaves(entries)
    if leaves.root(leaves.size) != checkpoint.root:
        raise Violation(f"export: {evidence.project}: the bundles do not lead to the checkpoint")
    for level, n, width in tiles_of(checkpoint.size):
        data = _present(files, tile_path(level, n, width), tile_path(level, n))
        if data[: width * 32] != leaves.tile(level, n, width):
            raise Violation(f"export: {evidence.project}: {tile_path(level, n)} is untrue")
    return checkpoint.size


def check_files(files: Mapping[str, bytes], project: str, entries: Sequence[bytes]) -> None:
    """Check that every published tile and bundle, named by a checkpoint or not, is of this log.

    Raises:
        Violation: one is not.
    """
    leaves = Leaves(entries)
    for path, data in files.items():
        if path == "checkpoint":
            continue
        tile = parse_path(path)
        start = tile.n * TILE_WIDTH
        if tile.level == ENTRIES_LEVEL:
            true = _bundle(data, project) == tuple(entries[start : start + tile.width])
        else:
            true = data == leaves.tile(tile.level, tile.n, tile.width)
        if not true:
            raise Violation(f"export: {project}: {path} is not of this log")


def read_entries(db: SimulatedConnection, project: str) -> list[bytes]:
    """Return the entries of a log.

    Raises:
        Violation: one is missing in the middle.
    """
    rows = _rows(db, "SELECT idx, entry FROM entries WHERE project = ? ORDER BY idx", project)
    if [index for index, _ in rows] != list(range(len(rows))):
        raise Violation(f"lost: {project}: the indices have a hole")
    return [entry for _, entry in rows]


def _check_head(db: SimulatedConnection, project: str, leaves: Leaves) -> None:
    rows = _rows(db, "SELECT size, root FROM heads WHERE project = ?", project)
    if rows != [(leaves.size, leaves.root(leaves.size))]:
        raise Violation(f"head: {project}: it is not that of the {leaves.size} entries")


def _check_tiles(db: SimulatedConnection, project: str, leaves: Leaves) -> None:
    rows = _rows(db, "SELECT level, n, data FROM tiles WHERE project = ?", project)
    meant = {(level, n): leaves.tile(level, n, width) for level, n, width in tiles_of(leaves.size)}
    if {(level, n): data for level, n, data in rows} != meant:
        raise Violation(f"tiles: {project}: they are not those of the entries")


def _check_items(
    ledger: SimulatedConnection,
    erasable: SimulatedConnection,
    evidence: LogEvidence,
    entries: Sequence[bytes],
) -> None:
    """Check that all an entry was sent with is there: pieces, blobs, idempotency row and key."""
    project = evidence.project
    items = []
    for index, entry in enumerate(entries):
        item = evidence.sent.get(entry)
        if item is None:
            raise Violation(f"invented: {project} entry {index} was never sent")
        items.append(item)
    idems = _rows(ledger, "SELECT source, id, idx FROM idem WHERE project = ?", project)
    meant = [(item.source, item.id, index) for index, item in enumerate(items)]
    if sorted(idems) != sorted(meant):
        raise Violation(f"idempotency: {project}: the rows are not those of the entries")
    statement = "SELECT idx, name, owner, data FROM bodies WHERE project = ? ORDER BY idx, position"
    if _rows(ledger, statement, project) != [
        (index, piece.name, piece.owner, piece.data)
        for index, item in enumerate(items)
        for piece in item.sealed
    ]:
        raise Violation(f"beside: {project}: the sealed pieces are not those of the entries")
    statement = "SELECT idx, stored FROM blobs WHERE project = ? ORDER BY idx, position"
    if _rows(ledger, statement, project) != [
        (index, stored) for index, item in enumerate(items) for stored in item.blobs
    ]:
        raise Violation(f"beside: {project}: the blob names are not those of the entries")
    keys = dict(_rows(erasable, "SELECT idx, key FROM event_keys WHERE project = ?", project))
    for index, item in enumerate(items):
        if keys.get(index) != item.event_key:
            raise Violation(f"key: {project} entry {index} cannot be opened")


def _rows(db: SimulatedConnection, statement: str, project: str) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = db.execute(statement, (project,)).fetchall()
    return rows


def _published_entries(
    files: Mapping[str, bytes], project: str, n: int, width: int
) -> tuple[bytes, ...]:
    entries = _bundle(_present(files, entries_path(n, width), entries_path(n)), project)
    if len(entries) < width:
        raise Violation(f"export: {project}: {entries_path(n)} is too short")
    return entries[:width]


def _present(files: Mapping[str, bytes], partial: str, full: str) -> bytes:
    data = files.get(full, files.get(partial))
    if data is None:
        raise Violation(f"export: the checkpoint names {partial}, which is absent")
    return data


def _bundle(data: bytes, project: str) -> tuple[bytes, ...]:
    try:
        return remembered_bundle(data)
    except EvidenceError as error:
        raise Violation(f"export: {project}: a bundle is torn: {error}") from error
