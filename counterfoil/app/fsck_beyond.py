"""Exported files that no signature on this disk speaks for: the database, or they, may be the rewrite.

Files are exported before the checkpoint that names them, so after a crash some stand beyond it.
They are what the log was when it was exported.  If the database holds anything else there, one of
the two is another history, and nothing here says which: neither is ever replaced from the other.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import takewhile
from pathlib import Path

from counterfoil.client.evidence_files import DirectoryLog, read_bounded
from counterfoil.client.evidence_rows import AGGREGATED, LEDGER, SqliteRows, projects
from counterfoil.client.evidence_sqlite import Damaged, EvidenceDatabase, Kind
from counterfoil.errors import EvidenceError
from counterfoil.tlog.entries import write_bundle
from counterfoil.tlog.tile import ENTRIES_LEVEL, TILE_WIDTH, Tile, parse_path
from counterfoil.tlog.tree import HASH_SIZE
from counterfoil.verifier.kept import RowNames
from counterfoil.verifier.log import BUNDLE_MAX_BYTES, CHECKPOINT
from counterfoil.verifier.report import Findings

DIFFERS = "not what the database holds, and no signature here says which is right: keep both"


def span_of(tile: Tile) -> tuple[int, int]:
    """Return the first and last entry under a tile or bundle, from 0."""
    unit: int = TILE_WIDTH ** max(tile.level, 0)
    return tile.n * TILE_WIDTH * unit, (tile.n * TILE_WIDTH + tile.width) * unit - 1


class FilesBeyond:
    """The files of one log that reach beyond what was signed.

    Args:
        public: where the log is exported.
        signed: how many entries a signature speaks for.
    """

    def __init__(self, public: Path, signed: int) -> None:
        self.differing: list[tuple[str, Tile]] = []
        self._public = public
        self._by_place: dict[tuple[int, int], list[tuple[str, Tile]]] = defaultdict(list)
        for name in DirectoryLog(public).names():
            if name == CHECKPOINT:
                continue
            with suppress(EvidenceError):  # no part of a log: named where names are checked
                tile = parse_path(name)
                if span_of(tile)[1] >= signed:
                    self._by_place[tile.level, tile.n].append((name, tile))

    def places(self) -> Sequence[tuple[int, int]]:
        """Return the (level, n) of tiles with such a file; those of bundles have level -1."""
        return sorted(self._by_place)

    def over(self, size: int) -> list[str]:
        """Return the files that reach beyond a database of that many entries."""
        return sorted(
            name
            for found in self._by_place.values()
            for name, tile in found
            if span_of(tile)[1] >= size
        )

    def compare_bundle(self, n: int, entries: Sequence[bytes]) -> None:
        """Compare the files of one bundle with its entries, as many as there are."""
        for name, tile in self._by_place.get((ENTRIES_LEVEL, n), ()):
            if tile.width <= len(entries):
                self._compare(name, tile, write_bundle(entries[: tile.width]))

    def compare_tile(self, level: int, n: int, data: bytes) -> None:
        """Compare the files of one tile with its hashes, as many as there are."""
        for name, tile in self._by_place.get((level, n), ()):
            if tile.width * HASH_SIZE <= len(data):
                self._compare(name, tile, data[: tile.width * HASH_SIZE])

    def _compare(self, name: str, tile: Tile, right: bytes) -> None:
        try:
            stands = read_bounded(self._public / name, BUNDLE_MAX_BYTES)
        except EvidenceError:
            stands = b""
        # One that is gone by now was removed because the full one stands there.
        if stands is not None and stands != right:
            self.differing.append((name, tile))


def check_beyond(directory: Path, signed: Mapping[str, int], findings: Findings) -> None:
    """Compare what is exported beyond the published checkpoints with the databases.

    Args:
        directory: the ledger.
        signed: project -> size of the published checkpoint, 0 where none holds.
        findings: where findings go.
    """
    # The files are listed before the database is opened: beside a server it can only be ahead.
    beyond = {
        project: FilesBeyond(directory / "public" / project, size)
        for project, size in signed.items()
    }
    for kind in (LEDGER, AGGREGATED):
        # What cannot be read is a finding of its own, where all of it is read.
        if (directory / kind.name).exists():
            with suppress(Damaged):
                _compare_all(directory, kind, beyond)
    for project, files in beyond.items():
        for name, tile in files.differing:
            findings.add("forked", f"public/{project}/{name}", DIFFERS, *span_of(tile))


def _compare_all(directory: Path, kind: Kind, beyond: Mapping[str, FilesBeyond]) -> None:
    """Compare with the logs of one database as it stands.

    Raises:
        Damaged: it cannot be read.
    """
    database = EvidenceDatabase(directory / kind.name, kind, Findings())
    try:
        for project in projects(database).keys() & beyond.keys():
            rows = SqliteRows(
                project, database, None, directory / "blobs", RowNames("", kind.name)
            )  # fmt: skip
            _compare(rows, beyond[project])
    finally:
        database.close()


def _compare(rows: SqliteRows, files: FilesBeyond) -> None:
    for level, n in files.places():
        if level == ENTRIES_LEVEL:
            start = n * TILE_WIDTH
            found = rows.entries(start, start + TILE_WIDTH)
            # Up to the first row that is gone, which is a finding of its own.
            whole = takewhile(found.__contains__, range(start, start + TILE_WIDTH))
            files.compare_bundle(n, [found[index] for index in whole])
        else:
            files.compare_tile(level, n, rows.tile(level, n) or b"")
