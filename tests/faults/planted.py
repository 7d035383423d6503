"""Faults planted in the ledger, each of which a power cut has to bring to light."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import IO, Final

from counterfoil.stores import files, sqlite_open


def _commits_unsynced() -> None:
    """A COMMIT returns before the write-ahead log is on the disk."""
    sqlite_open._WRITER_PRAGMAS = ("synchronous = OFF", *sqlite_open._WRITER_PRAGMAS[1:])


def _files_unsynced() -> None:
    """Files get their names before their bytes are on the disk."""

    def place(self: files.Staging, file: IO[bytes], aside: Path, path: Path) -> set[Path]:
        changed = {*files._make_directories(path.parent), path.parent}
        file.flush()
        os.fchmod(file.fileno(), self._mode)
        aside.rename(path)
        return changed

    files.Staging._place = place  # type: ignore[method-assign]


def _names_unsynced() -> None:
    """Directories are not synced: files are whole, and their names may be gone."""

    def sync_directory(directory: Path) -> None:
        """Trust the file system."""
        del directory

    files.sync_directory = sync_directory


PLANTED: Final[dict[str, Callable[[], None]]] = {
    "commits-unsynced": _commits_unsynced,
    "files-unsynced": _files_unsynced,
    "names-unsynced": _names_unsynced,
}
