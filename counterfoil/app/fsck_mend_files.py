"""The exported log, derived again from a database that leads to what was signed.

What a file of a tile or bundle has to hold follows from the database.  A file that holds anything
else is moved aside, never overwritten: it may be evidence of what happened.  No file that reaches
beyond what was signed differs here: of such a log nothing is mended (`fsck_beyond`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from counterfoil.app.fsck_beyond import span_of
from counterfoil.app.fsck_mend_log import Mend
from counterfoil.client.evidence_files import DirectoryLog, read_bounded
from counterfoil.client.evidence_rows import SqliteRows
from counterfoil.errors import EvidenceError
from counterfoil.tlog.entries import write_bundle
from counterfoil.tlog.tile import (
    ENTRIES_LEVEL,
    TILE_WIDTH,
    Tile,
    entries_path,
    parse_path,
    tile_path,
    tiles_of,
)
from counterfoil.tlog.tree import HASH_SIZE
from counterfoil.verifier.log import BUNDLE_MAX_BYTES, CHECKPOINT

FROM_DATABASE = "from the database"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileMend(Mend):
    """A file.

    Args:
        path: where it stands, below the ledger directory.
        content: what it has to hold; None when nothing belongs there.
        aside: whether something else stands there, which is kept.
    """

    path: str
    content: bytes | None
    aside: bool


class ExportPlan:
    """What has to be done to the exported files of one log.

    Args:
        directory: the ledger.
        project: whose log.
        rows: of a database that leads to what was signed, with every entry in it.
        size: how many entries it holds.
        published: the size of the published checkpoint; None when none stands that holds.
    """

    def __init__(
        self, directory: Path, project: str, rows: SqliteRows, size: int, published: int | None
    ) -> None:
        self._directory = directory
        self._project = project
        self._rows = rows
        self._size = size
        self._published = published

    def mends(self) -> Iterator[FileMend]:
        """Yield what is to be done, file by file."""
        wanted = dict(self._wanted())
        standing = set()
        root = self._directory / "public" / self._project
        for name in sorted(DirectoryLog(root).names()):
            standing.add(name)
            if name == CHECKPOINT:
                continue
            try:
                tile = parse_path(name)
            except EvidenceError:
                yield self._mend(name, None, "no part of a log: put aside", aside=True)
                continue
            mend = self._standing(name, tile, wanted)
            if mend is not None:
                yield mend
        for name, tile in wanted.items():
            full = tile_of(Tile(tile.level, tile.n, TILE_WIDTH))
            if name not in standing and full not in standing:
                yield self._mend(name, tile, FROM_DATABASE, aside=False)
        if self._published is None and self._size:
            aside = CHECKPOINT in standing
            yield self._mend(CHECKPOINT, None, "signed again over the same log", aside=aside)

    def _wanted(self) -> Iterator[tuple[str, Tile]]:
        """Yield the files that the published checkpoint names."""
        for level, n, width in tiles_of(self._published or 0):
            yield tile_path(level, n, width), Tile(level, n, width)
            if level == 0:
                yield entries_path(n, width), Tile(ENTRIES_LEVEL, n, width)

    def _standing(self, name: str, tile: Tile, wanted: dict[str, Tile]) -> FileMend | None:
        full = tile_of(Tile(tile.level, tile.n, TILE_WIDTH))
        is_superseded = tile.width < TILE_WIDTH and full in wanted
        try:
            path = self._directory / "public" / self._project / name
            stands = read_bounded(path, BUNDLE_MAX_BYTES)
        except EvidenceError:
            stands = None
        if stands == self._right(tile):
            if is_superseded:
                return self._mend(name, None, "a partial tile left over: taken away", aside=False)
            return None
        if is_superseded:
            return self._mend(name, None, "superseded by the full tile: put aside", aside=True)
        return self._mend(name, tile, FROM_DATABASE, aside=True)

    def _right(self, tile: Tile) -> bytes:
        if tile.level == ENTRIES_LEVEL:
            start = tile.n * TILE_WIDTH
            entries = self._rows.entries(start, start + tile.width)
            return write_bundle([entries[index] for index in range(start, start + tile.width)])
        return (self._rows.tile(tile.level, tile.n) or b"")[: tile.width * HASH_SIZE]

    def _mend(self, name: str, tile: Tile | None, how: str, *, aside: bool) -> FileMend:
        span = span_of(parse_path(name)) if name != CHECKPOINT and _is_path(name) else (None, None)
        path = f"public/{self._project}/{name}"
        return FileMend(
            object=path, how=how, log=self._project, first=span[0], last=span[1], path=path,
            content=self._right(tile) if tile is not None else None, aside=aside,
        )  # fmt: skip


def tile_of(tile: Tile) -> str:
    """Return the path of a tile or bundle below its log."""
    if tile.level == ENTRIES_LEVEL:
        return entries_path(tile.n, tile.width)
    return tile_path(tile.level, tile.n, tile.width)


def _is_path(name: str) -> bool:
    try:
        parse_path(name)
    except EvidenceError:
        return False
    return True
