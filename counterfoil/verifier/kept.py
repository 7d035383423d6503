"""The rows that are kept beside the entries of a log, and what they are called in findings.

Source: the schema in stores/sqlite_statements.py.
"""

import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from counterfoil.events.commitments import Keys
from counterfoil.events.erasing import Erasures

STORED_NAME = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class PieceRow:
    """A row of `bodies`."""

    position: int
    name: str
    owner: str
    data: bytes


@dataclass(frozen=True, slots=True)
class BlobRow:
    """A row of `blobs`."""

    position: int
    stored: str


@dataclass(frozen=True, slots=True)
class IdemRow:
    """A row of `idem`, found by its key."""

    index: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class PersonRow:
    """A row of `people`."""

    account: str
    key: bytes


@dataclass(frozen=True, slots=True)
class BlobKeyRow:
    """A row of `blob_keys`."""

    digest: str
    stored: str
    key: bytes


class KeptRows(Protocol):
    """The rows beside the entries of one log.  Ranges are half-open."""

    def salts(self, start: int, end: int) -> Mapping[int, bytes]:
        """Return the salts of a range of entries."""
        ...

    def pieces(self, start: int, end: int) -> Mapping[int, Sequence[PieceRow]]:
        """Return the sealed pieces of a range of entries, by position."""
        ...

    def blobs(self, start: int, end: int) -> Mapping[int, Sequence[BlobRow]]:
        """Return the blob names of a range of entries, by position."""
        ...

    def idem(self, keys: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], IdemRow]:
        """Look idempotency keys up, (source, id) each; those that are not there are absent."""
        ...

    def idem_count(self) -> int:
        """Return how many idempotency rows the log has."""
        ...

    def idem_keys(self) -> Iterator[tuple[str, str, int]]:
        """Yield (source, id, index) of every idempotency row of the log."""
        ...

    def event_keys(self, start: int, end: int) -> Mapping[int, bytes] | None:
        """Return the keys of a range of entries; None when there is no key store to ask."""
        ...

    def piece_keys(self, start: int, end: int) -> Mapping[tuple[int, str], Keys]:
        """Return the keys of parts that outlived their owner's key, by (index, name)."""
        ...

    def erasures(self) -> Erasures:
        """Return what the log says was erased.  Cost, once: all entries are read."""
        ...

    def person(self, pseudonym: str) -> PersonRow | None:
        """Return the person behind a pseudonym."""
        ...

    def blob_key(self, digest: str) -> BlobKeyRow | None:
        """Return the key of a blob by its plain digest."""
        ...

    def blob_key_by_stored(self, stored: str) -> BlobKeyRow | None:
        """Return the key of a blob by its stored name."""
        ...

    def has_blob(self, stored: str) -> bool:
        """Say whether anything stands where the blob belongs."""
        ...

    def blob_file(self, stored: str) -> Iterator[bytes]:
        """Yield the stored bytes in pieces; EvidenceError `damaged` when they cannot be read."""
        ...


class RowNames:
    """How rows are called in findings.

    Args:
        suffix: "" or ` of PROJECT` where the ledger has several logs.
        file: the database they are of.
    """

    def __init__(self, suffix: str = "", file: str = "ledger.db") -> None:
        self._suffix = suffix
        self._file = file

    def row(self, table: str, row: object, column: str = "") -> str:
        """Return `FILE TABLE row ROW column COLUMN`."""
        return (
            f"{self._file} {table} row {row}{self._suffix}{f' column {column}' if column else ''}"
        )

    def piece(self, index: int, position: int, column: str = "") -> str:
        """Name a row of `bodies` or a cell of it."""
        return self.row("bodies", f"{index} position {position}", column)

    def blob(self, index: int, position: object, column: str = "") -> str:
        """Name a row of `blobs` or a cell of it."""
        return self.row("blobs", f"{index} position {position}", column)

    def event_key(self, index: int) -> str:
        """Name an event's key."""
        return f"erasable.db event_keys row {index}{self._suffix} column key"

    def piece_key(self, index: int, name: str) -> str:
        """Name a row of `piece_keys`."""
        return f"erasable.db piece_keys row {index} {name}{self._suffix}"


@functools.lru_cache(maxsize=4096)
def person_key(pseudonym: str) -> str:
    """Name a person's key."""
    return f"erasable.db people row {pseudonym} column key"


def blob_path(stored: str) -> str:
    """Return where a blob of that stored name lies in a ledger directory.

    >>> blob_path("sha256:" + "ab" * 32)[:12]
    'blobs/ab/aba'
    """
    digest = stored.removeprefix("sha256:")
    return f"blobs/{digest[:2]}/{digest}"
