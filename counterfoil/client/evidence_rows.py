"""The rows of `ledger.db`, `aggregate.db` and `erasable.db`, as evidence: a few SELECTs, every cell doubted.

This is the second reader of the schema, apart from the stores, so that the server's code is not
needed to check the server.
"""

import dataclasses
import itertools
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from counterfoil.client.evidence_files import read_pieces
from counterfoil.client.evidence_sqlite import EvidenceDatabase, Kind
from counterfoil.errors import EvidenceError
from counterfoil.events.commitments import Keys
from counterfoil.events.erasing import MARKS, Erasures
from counterfoil.verifier.erased import read_erasures
from counterfoil.verifier.kept import (
    BlobKeyRow,
    BlobRow,
    IdemRow,
    PersonRow,
    PieceRow,
    RowNames,
    blob_path,
)
from counterfoil.verifier.report import Findings
from counterfoil.verifier.whole import PieceCells

_LEDGER_COLUMNS = {
    "logs": ("project", "origin"),
    "heads": ("project", "size", "root"),
    "entries": ("project", "idx", "entry", "salt"),
    "bodies": ("project", "idx", "position", "name", "owner", "data"),
    "blobs": ("project", "idx", "position", "stored"),
    "idem": ("project", "source", "id", "idx", "digest"),
    "tiles": ("project", "level", "n", "data"),
}
# As an upgrade writes it: 1 before the salt; none before the zeros of the aggregate log.
_SALT_OF_1 = (
    "CASE WHEN typeof(salt) = 'blob' AND salt <> zeroblob(16)"
    " THEN CAST(x'01' || salt AS BLOB) ELSE salt END"
)
LEDGER = Kind(
    "ledger.db", 0x43466C67, 2, _LEDGER_COLUMNS,
    earlier={1: _LEDGER_COLUMNS}, spelled={1: {"salt": _SALT_OF_1}},
)  # fmt: skip
AGGREGATED = dataclasses.replace(LEDGER, name="aggregate.db")
"""The store of the aggregate log: a ledger's, with entries that are no events."""
_ERASABLE_COLUMNS: dict[str, tuple[str, ...]] = {
    "event_keys": ("project", "idx", "key"),
    "people": ("pseudonym", "account", "key"),
    "blob_keys": ("digest", "stored", "key"),
}
ERASABLE = Kind(
    "erasable.db", 0x43466572, 2,
    {
        **_ERASABLE_COLUMNS,
        "piece_keys": ("project", "idx", "name", "owner", "opening", "sealing"),
        "erasures": ("project", "idx"),
        "erased_upto": ("project", "keys", "copies"),
    },
    earlier={1: _ERASABLE_COLUMNS},
)  # fmt: skip

BLOB_MAX_BYTES = (100 << 20) + (1 << 16)
_BY_INDEX = ("entries", "bodies", "blobs", "idem")
_ALL = (*_BY_INDEX, "tiles")
_MAX_STRAYS = 100
_KEYS_AT_ONCE = 256


def projects(ledger: EvidenceDatabase) -> dict[str, str | None]:
    """Return project -> origin of every log; None for one that only has a head."""
    found: dict[str, str | None] = {
        ledger.value(project, str, f"{ledger.name} heads column project", None): None
        for (project,) in ledger.rows("SELECT project FROM heads")
    }
    for project, origin in ledger.rows("SELECT project, origin FROM logs"):
        name = ledger.value(project, str, f"{ledger.name} logs column project", None)
        cell = f"{ledger.name} logs row {name} column origin"
        found[name] = ledger.value(origin, str, cell, None)
    return dict(sorted(found.items()))


def foreign_rows(ledger: EvidenceDatabase, known: Sequence[str], findings: Findings) -> None:
    """Report rows of projects that have no log."""
    edges = ["", *sorted(known)]
    for table in _ALL:
        column = "idx" if table in _BY_INDEX else "n"
        for at, low in enumerate(edges):
            # Bounds the b-tree can use: what lies between two known projects is next to nothing.
            bounds = [
                f"project {'>' if at else '>='} ?",
                *(["project < ?"] if edges[at + 1 :] else []),
            ]
            rows = ledger.rows(
                f"SELECT project, {column} FROM {table} WHERE {' AND '.join(bounds)} LIMIT ?",  # noqa: S608  names of ours
                (low, *edges[at + 1 : at + 2], _MAX_STRAYS),
            )
            for project, index in rows:
                entry = index if isinstance(index, int) and column == "idx" else None
                name = f"{ledger.name} {table} row {index} of {project}"
                findings.add("damaged", name, "of a project that has no log", entry)


class SqliteRows:
    """The rows of one log; `verifier.ledger.LogRows` and `verifier.whole.RangeRows`.

    Args:
        project: whose log.
        ledger: `ledger.db`.
        keys: `erasable.db`; None when it cannot be read, which is a finding already.
        blobs: the directory of blobs.
        names: how rows are called in findings.
    """

    def __init__(
        self,
        project: str,
        ledger: EvidenceDatabase,
        keys: EvidenceDatabase | None,
        blobs: Path,
        names: RowNames,
    ) -> None:
        self._project = project
        self._ledger = ledger
        self._keys = keys
        self._blobs = blobs
        self._names = names
        self._people: dict[str, PersonRow | None] = {}
        self._erasures: Erasures | None = None

    def head(self) -> tuple[int, bytes] | None:
        """Return size and root as stored."""
        found = None
        for size, root in self._ledger.rows(
            "SELECT size, root FROM heads WHERE project = ?", (self._project,)
        ):
            name = self._names.row("heads", "of the log")
            found = (
                self._ledger.value(size, int, f"{name} column size", None),
                self._ledger.value(root, bytes, f"{name} column root", None),
            )
        return found

    def last_index(self) -> int:
        """Return the largest index among the entries, -1 without any."""
        rows = self._ledger.rows(
            "SELECT idx FROM entries WHERE project = ? ORDER BY idx DESC LIMIT 1", (self._project,)
        )
        return max((index for (index,) in rows if isinstance(index, int)), default=-1)

    def entries(self, start: int, end: int) -> Mapping[int, bytes]:
        """Return entry bytes by index."""
        found = self._range("entries", "idx, entry", start, end)
        return {
            self._index(index, "entries"): self._cell(entry, "entries", index, "entry")
            for index, entry in found
        }

    def salts(self, start: int, end: int) -> Mapping[int, bytes]:
        """Return the salts of a range of entries."""
        found = self._range("entries", self._ledger.spelled(("idx", "salt")), start, end)
        return {
            self._index(index, "entries"): self._cell(salt, "entries", index, "salt")
            for index, salt in found
        }

    def pieces(self, start: int, end: int) -> Mapping[int, Sequence[PieceRow]]:
        """Return the sealed pieces of a range of entries, by position."""
        found: dict[int, list[PieceRow]] = {}
        for number, place, name, owner, data in self._range(
            "bodies", "idx, position, name, owner, data", start, end, "idx, position"
        ):
            if (
                isinstance(number, int) and isinstance(place, int) and isinstance(name, str)
                and isinstance(owner, str) and isinstance(data, bytes)
            ):  # fmt: skip
                # As they should be, so their names need not be made.
                found.setdefault(number, []).append(PieceRow(place, name, owner, data))
                continue
            index = self._index(number, "bodies")
            position = self._ledger.value(place, int, self._names.row("bodies", index), index)

            def cell(column: str, index: int = index, position: int = position) -> str:
                return self._names.piece(index, position, column)

            row = PieceRow(
                position,
                self._ledger.value(name, str, cell("name"), index),
                self._ledger.value(owner, str, cell("owner"), index),
                self._ledger.value(data, bytes, cell("data"), index),
            )
            found.setdefault(index, []).append(row)
        return found

    def blobs(self, start: int, end: int) -> Mapping[int, Sequence[BlobRow]]:
        """Return the blob names of a range of entries, by position."""
        found: dict[int, list[BlobRow]] = {}
        for number, place, stored in self._range(
            "blobs", "idx, position, stored", start, end, "idx, position"
        ):
            index = self._index(number, "blobs")
            position = self._ledger.value(place, int, self._names.row("blobs", index), index)
            cell = self._names.blob(index, position, "stored")
            row = BlobRow(position, self._ledger.value(stored, str, cell, index))
            found.setdefault(index, []).append(row)
        return found

    def idem(self, keys: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], IdemRow]:
        """Look idempotency keys up, (source, id) each; those that are not there are absent."""
        found: dict[tuple[str, str], IdemRow] = {}
        for first in range(0, len(keys), _KEYS_AT_ONCE):
            part = keys[first : first + _KEYS_AT_ONCE]
            for place, index, digest in self._ledger.rows(*self._asked(part)):
                number = self._ledger.value(index, int, self._names.row("idem", index, "idx"), None)
                cell = self._names.row("idem", number, "digest")
                key = part[self._ledger.value(place, int, cell, None)]
                found[key] = IdemRow(number, self._ledger.value(digest, bytes, cell, number))
        return found

    def idem_count(self) -> int:
        """Return how many idempotency rows the log has."""
        rows = self._ledger.rows("SELECT count(*) FROM idem WHERE project = ?", (self._project,))
        return sum(count for (count,) in rows if isinstance(count, int))

    def idem_keys(self) -> Iterator[tuple[str, str, int]]:
        """Yield (source, id, index) of every idempotency row of the log."""
        for source, event_id, index in self._ledger.rows(
            "SELECT source, id, idx FROM idem WHERE project = ?", (self._project,)
        ):
            number = self._ledger.value(index, int, self._names.row("idem", index, "idx"), None)
            cell = self._names.row("idem", number, "source or id")
            yield (
                self._ledger.value(source, str, cell, number),
                self._ledger.value(event_id, str, cell, number),
                number,
            )

    def of_source(self, source: str) -> list[int]:
        """Return the indices of entries recorded under one source, in order."""
        rows = self._ledger.rows(
            "SELECT idx FROM idem WHERE project = ? AND source = ?", (self._project, source)
        )
        return sorted(index for (index,) in rows if isinstance(index, int))

    def tile(self, level: int, n: int) -> bytes | None:
        """Return a tile as stored."""
        found = None
        for (data,) in self._ledger.rows(
            "SELECT data FROM tiles WHERE project = ? AND level = ? AND n = ?",
            (self._project, level, n),
        ):
            cell = self._names.row("tiles", f"level {level} n {n}", "data")
            found = self._ledger.value(data, bytes, cell, None)
        return found

    def tile_keys(self) -> Iterator[tuple[int, int]]:
        """Yield (level, n) of every tile, in that order."""
        for level, n in self._ledger.rows(
            "SELECT level, n FROM tiles WHERE project = ? ORDER BY level, n", (self._project,)
        ):
            cell = self._names.row("tiles", f"level {level} n {n}")
            yield (
                self._ledger.value(level, int, cell, None),
                self._ledger.value(n, int, cell, None),
            )

    def last_tile(self) -> int:
        """Return the largest n of the tiles of level 0, -1 without any."""
        rows = self._ledger.rows(
            "SELECT n FROM tiles WHERE project = ? AND level = 0 ORDER BY n DESC LIMIT 1",
            (self._project,),
        )
        return max((n for (n,) in rows if isinstance(n, int)), default=-1)

    def strays(self, size: int) -> Iterator[tuple[str, int]]:
        """Yield (table, index) of rows whose index lies outside the log."""
        for table in _BY_INDEX:
            rows = self._ledger.rows(
                f"SELECT idx FROM {table} WHERE project = ? AND (idx < 0 OR idx >= ?) LIMIT ?",  # noqa: S608  names of ours
                (self._project, size, _MAX_STRAYS),
            )
            for (index,) in rows:
                yield table, self._index(index, table)

    def event_keys(self, start: int, end: int) -> Mapping[int, bytes] | None:
        """Return the keys of a range of entries; None when there is no key store to ask."""
        keys = self._keys
        if keys is None:
            return None
        found: dict[int, bytes] = {}
        for index, key in keys.rows(
            "SELECT idx, key FROM event_keys WHERE project = ? AND idx >= ? AND idx < ?",
            (self._project, start, end),
        ):
            number = keys.value(index, int, f"erasable.db event_keys row {index}", None)
            found[number] = keys.value(key, bytes, self._names.event_key(number), number)
        return found

    def piece_keys(self, start: int, end: int) -> Mapping[tuple[int, str], Keys]:
        """Return the keys of parts that outlived their owner's key, by (index, name)."""
        keys = self._keys
        found: dict[tuple[int, str], Keys] = {}
        if keys is None or not keys.has("piece_keys"):
            return found
        for number, name, opening, sealing in keys.rows(
            "SELECT idx, name, opening, sealing FROM piece_keys"
            " WHERE project = ? AND idx >= ? AND idx < ?",
            (self._project, start, end),
        ):
            index = keys.value(number, int, f"erasable.db piece_keys row {number}", None)
            row = self._names.piece_key(index, str(name)[:64])
            found[index, keys.value(name, str, row, index)] = Keys(
                keys.value(opening, bytes, f"{row} column opening", index),
                keys.value(sealing, bytes, f"{row} column sealing", index),
            )
        return found

    def erasures(self) -> Erasures:
        """Return what the log says was erased.  Cost, once: the log's entries are read."""
        if self._erasures is None:
            may = self._ledger.rows(
                "SELECT idx FROM entries WHERE project = ?"
                " AND (instr(entry, ?) OR instr(entry, ?)) ORDER BY idx",
                (self._project, *MARKS),
            )
            indices = [index for (index,) in may if isinstance(index, int) and index >= 0]
            self._erasures = read_erasures(self, indices)
        return self._erasures

    def person(self, pseudonym: str) -> PersonRow | None:
        """Return the person behind a pseudonym."""
        if self._keys is None:
            return None
        if pseudonym not in self._people:
            cell = f"erasable.db people row {pseudonym} column"
            found = None
            for account, key in self._keys.rows(
                "SELECT account, key FROM people WHERE pseudonym = ?", (pseudonym,)
            ):
                found = PersonRow(
                    self._keys.value(account, str, f"{cell} account", None),
                    self._keys.value(key, bytes, f"{cell} key", None),
                )
            self._people[pseudonym] = found
        return self._people[pseudonym]

    def blob_key(self, digest: str) -> BlobKeyRow | None:
        """Return the key of a blob by its plain digest."""
        return self._blob_key("SELECT digest, stored, key FROM blob_keys WHERE digest = ?", digest)

    def blob_key_by_stored(self, stored: str) -> BlobKeyRow | None:
        """Return the key of a blob by its stored name."""
        return self._blob_key("SELECT digest, stored, key FROM blob_keys WHERE stored = ?", stored)

    def has_blob(self, stored: str) -> bool:
        """Say whether anything stands where the blob belongs."""
        return os.path.lexists(self._blob_path(stored))

    def blob_file(self, stored: str) -> Iterator[bytes]:
        """Yield the stored bytes of a blob, in pieces."""
        return read_pieces(self._blob_path(stored), BLOB_MAX_BYTES)

    def entry_cells(self, start: int, end: int) -> Sequence[tuple[int, bytes, bytes]]:
        """Return (index, entry, salt) in order of the index."""
        return self._cells("entries", ("idx", "entry", "salt"), (int, bytes, bytes), start, end)

    def piece_cells(self, start: int, end: int) -> Sequence[PieceCells]:
        """Return (index, position, name, owner, data) in order of index and position."""
        columns = ("idx", "position", "name", "owner", "data")
        return self._cells("bodies", columns, (int, int, str, str, bytes), start, end)

    def event_key_cells(self, start: int, end: int) -> Sequence[tuple[int, bytes]]:
        """Return (index, key) in order of the index."""
        return self._cells("event_keys", ("idx", "key"), (int, bytes), start, end)

    def idem_cells(self, keys: Sequence[tuple[str, str]]) -> Sequence[tuple[int, int, bytes]]:
        """Return (place in `keys`, index, digest) for each (source, id) that is there."""
        found: list[tuple[int, int, bytes]] = []
        for first in range(0, len(keys), _KEYS_AT_ONCE):
            asked = self._asked(keys[first : first + _KEYS_AT_ONCE], first)
            found += self._ledger.cells(*asked, (int, int, bytes))
        return found

    def _cells(
        self, table: str, columns: Sequence[str], kinds: tuple[type, ...], start: int, end: int
    ) -> list[tuple[Any, ...]]:
        database = self._ledger if table in LEDGER.columns else self._keys
        if database is None:
            raise EvidenceError("missing", "without erasable.db nothing opens")
        statement = (
            f"SELECT {database.spelled(columns)} FROM {table} WHERE project = ? AND idx >= ? AND idx < ? "  # noqa: S608  names of ours
            f"ORDER BY {', '.join(columns[:2])}"
        )
        return database.cells(statement, (self._project, start, end), kinds)

    def _asked(self, keys: Sequence[tuple[str, str]], first: int = 0) -> tuple[str, list[object]]:
        """Return the SELECT of (place, idx, digest) for some keys, counted from `first`."""
        rows = ", ".join(["(?, ?, ?)"] * len(keys))
        values = itertools.chain.from_iterable((at, *key) for at, key in enumerate(keys, first))
        statement = (
            f"WITH asked(place, source, id) AS (VALUES {rows}) "  # noqa: S608  question marks
            "SELECT place, idx, digest FROM asked JOIN idem USING (source, id) WHERE project = ?"
        )
        return statement, [*values, self._project]

    def _blob_path(self, stored: str) -> Path:
        return self._blobs / blob_path(stored).removeprefix("blobs/")

    def _blob_key(self, statement: str, name: str) -> BlobKeyRow | None:
        if self._keys is None:
            return None
        found = None
        for digest, stored, key in self._keys.rows(statement, (name,)):
            cell = f"erasable.db blob_keys row {digest} column"
            found = BlobKeyRow(
                self._keys.value(digest, str, f"{cell} digest", None),
                self._keys.value(stored, str, f"{cell} stored", None),
                self._keys.value(key, bytes, f"{cell} key", None),
            )
        return found

    def _range(
        self, table: str, columns: str, start: int, end: int, order: str = "idx"
    ) -> Iterator[tuple[object, ...]]:
        statement = (
            f"SELECT {columns} FROM {table} WHERE project = ? AND idx >= ? AND idx < ? "  # noqa: S608  names of ours
            f"ORDER BY {order}"
        )
        return self._ledger.rows(statement, (self._project, start, end))

    def _index(self, value: object, table: str) -> int:
        return self._ledger.value(value, int, self._names.row(table, value, "idx"), None)

    def _cell(self, value: object, table: str, index: object, column: str) -> bytes:
        at = index if isinstance(index, int) else None
        return self._ledger.value(value, bytes, self._names.row(table, index, column), at)
