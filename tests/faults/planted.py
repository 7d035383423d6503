"""Faults planted in the ledger, each of which a power cut has to bring to light."""

from collections.abc import Callable
from pathlib import Path
from typing import IO, Final

from counterfoil.stores import file_system, sqlite_open


def _commits_unsynced() -> None:
    """A COMMIT returns before the write-ahead log is on the disk."""
    sqlite_open._WRITER_PRAGMAS = ("synchronous = OFF", *sqlite_open._WRITER_PRAGMAS[1:])


def _files_unsynced() -> None:
    """Files get their names before their bytes are on the disk."""

    def sync(self: file_system.SystemFiles, file: IO[bytes]) -> None:
        """Trust the file system."""
        del self
        file.flush()

    file_system.SystemFiles.sync = sync  # type: ignore[method-assign]


def _names_unsynced() -> None:
    """Directories are not synced: files are whole, and their names may be gone."""

    def sync_directory(self: file_system.SystemFiles, path: Path) -> None:
        """Trust the file system."""
        del self, path

    file_system.SystemFiles.sync_directory = sync_directory  # type: ignore[method-assign]


PLANTED: Final[dict[str, Callable[[], None]]] = {
    "commits-unsynced": _commits_unsynced,
    "files-unsynced": _files_unsynced,
    "names-unsynced": _names_unsynced,
}
