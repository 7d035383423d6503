"""Reading evidence files from a directory: bounded, without following links, never writing."""

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from counterfoil.client import system
from counterfoil.errors import EvidenceError, RequestError, UnavailableError
from counterfoil.tlog.tile import entries_path, tile_path
from counterfoil.verifier.log import (
    BUNDLE_MAX_BYTES,
    CHECKPOINT,
    CHECKPOINT_MAX_BYTES,
    TILE_MAX_BYTES,
)

NAMED_FILE_MAX_BYTES = 4 << 20
PIECE_BYTES = 256 * 1024


def read_bounded(path: Path, limit_bytes: int) -> bytes | None:
    """Return the bytes of a regular file; None if nothing stands there.

    Raises:
        EvidenceError: `damaged`: a link, a directory, a device, or over `limit_bytes`.
        UnavailableError: `storage`: it cannot be read.
    """
    file = _open(path)
    return None if file is None else b"".join(_pieces(path, file, limit_bytes))


def read_pieces(path: Path, limit_bytes: int) -> Iterator[bytes]:
    """Yield the bytes of a regular file in pieces; it is opened when the first one is asked for.

    Raises:
        EvidenceError: `damaged`: as of `read_bounded`; or nothing stands there.
        UnavailableError: `storage`: it cannot be read.
    """
    file = _open(path)
    if file is None:
        raise EvidenceError("damaged", "the file is not there")
    yield from _pieces(path, file, limit_bytes)


def _open(path: Path) -> IO[bytes] | None:
    try:
        # NONBLOCK: a named pipe in somebody's evidence must not make us wait for a writer.
        handle = os.open(path, os.O_RDONLY | system.OPEN_PLAIN | system.OPEN_FLAGS)
    except OSError as error:
        if error.errno in {errno.ENOENT, errno.ENOTDIR}:
            return None
        if error.errno in {errno.ELOOP, errno.ENXIO}:
            raise EvidenceError("damaged", "not a regular file") from error
        raise unreadable(path, error) from error
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise EvidenceError("damaged", "not a regular file")
    return os.fdopen(handle, "rb")


def _pieces(path: Path, file: IO[bytes], limit_bytes: int) -> Iterator[bytes]:
    size_bytes = 0
    with file:
        while True:
            try:
                piece = file.read(PIECE_BYTES)
            except OSError as error:
                raise unreadable(path, error) from error
            if not piece:
                return
            size_bytes += len(piece)
            if size_bytes > limit_bytes:
                raise EvidenceError("damaged", f"larger than the {limit_bytes} bytes it may have")
            yield piece


def read_named(path: Path, limit_bytes: int = NAMED_FILE_MAX_BYTES) -> bytes:
    """Return the bytes of a file the caller named.

    Raises:
        RequestError: `usage`: there is no such file, or it is too large to be one.
        UnavailableError: `storage`: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            data = file.read(limit_bytes + 1)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        raise RequestError("usage", f"{path} is no file; name one that exists") from error
    except OSError as error:
        raise unreadable(path, error) from error
    if len(data) > limit_bytes:
        raise RequestError("usage", f"{path} is over {limit_bytes} bytes; name another file")
    return data


def unreadable(path: Path, error: OSError) -> UnavailableError:
    """Return the error for a file the operating system does not let us read."""
    why = error.strerror or str(error)
    return UnavailableError("storage", f"{path} cannot be read: {why}; check who may")


class DirectoryLog:
    """An exported log in a directory; `counterfoil.verifier.log.LogReader`.

    Args:
        directory: holds `checkpoint` and `tile/`.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def checkpoint(self) -> bytes | None:
        """Return the signed checkpoint."""
        return read_bounded(self._directory / CHECKPOINT, CHECKPOINT_MAX_BYTES)

    def tile(self, level: int, n: int, width: int) -> bytes | None:
        """Return the file of exactly this tile."""
        return read_bounded(self._directory / tile_path(level, n, width), TILE_MAX_BYTES)

    def bundle(self, n: int, width: int) -> bytes | None:
        """Return the file of exactly this entry bundle."""
        return read_bounded(self._directory / entries_path(n, width), BUNDLE_MAX_BYTES)

    def names(self) -> Iterator[str]:
        """Yield the path of everything but directories, below the prefix."""
        return walk(self._directory, "")


def walk(directory: Path, prefix: str) -> Iterator[str]:
    """Yield the paths of everything below `directory` but directories, in order of name.

    Links are yielded and never followed.
    """
    try:
        with os.scandir(directory) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except FileNotFoundError:
        return
    except OSError as error:
        raise unreadable(directory, error) from error
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from walk(Path(entry.path), f"{prefix}{entry.name}/")
        else:
            yield f"{prefix}{entry.name}"
