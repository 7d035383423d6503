"""Reading an exported log out of a zip or tar file: nothing is unpacked to disk.

The log may lie at any depth in the archive, such as `public/default/`.  A packed tar (gzip, bzip2,
xz) cannot be read out of order, so its log is held in memory, up to a limit; a plain tar and a
zip are read member by member.  Every size is bounded before anything is read: an archive may be
hostile.
"""

import bz2
import errno
import gzip
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from counterfoil.client.evidence_files import unreadable
from counterfoil.errors import EvidenceError, RequestError
from counterfoil.tlog.tile import entries_path, tile_path
from counterfoil.verifier.log import (
    BUNDLE_MAX_BYTES,
    CHECKPOINT,
    CHECKPOINT_MAX_BYTES,
    TILE_MAX_BYTES,
)

MAX_MEMBERS = 1_000_000
READ_MAX_BYTES = 32 << 20
"""The most one member, or one header of a tar, may take."""
PACKED_MAX_BYTES = 512 << 20
"""The most a packed tar may unpack to; a larger one is to be unpacked first."""

_TAR_MAGIC = (257, b"ustar")
_PACKERS: dict[bytes, Callable[..., object]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\x00": lzma.open,
}
_BROKEN = (
    tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, ValueError,
    RuntimeError, LookupError, OverflowError, struct.error,
)  # fmt: skip
"""What the readers of archives stumble with over bytes that are none."""


class ArchiveLog:
    """One exported log in an archive; `counterfoil.verifier.log.LogReader`.

    Args:
        members: name -> a function that reads at most so many bytes of it.
        twice: names that stand in the archive more than once, or are no plain files.
        prefix: where the log lies in the archive, "" or ending in a slash.
    """

    def __init__(
        self, members: dict[str, Callable[[int], bytes]], twice: set[str], prefix: str
    ) -> None:
        self._members = members
        self._odd = twice
        self._prefix = prefix

    def checkpoint(self) -> bytes | None:
        """Return the signed checkpoint."""
        return self._read(CHECKPOINT, CHECKPOINT_MAX_BYTES)

    def tile(self, level: int, n: int, width: int) -> bytes | None:
        """Return the file of exactly this tile."""
        return self._read(tile_path(level, n, width), TILE_MAX_BYTES)

    def bundle(self, n: int, width: int) -> bytes | None:
        """Return the file of exactly this entry bundle."""
        return self._read(entries_path(n, width), BUNDLE_MAX_BYTES)

    def names(self) -> Iterator[str]:
        """Yield the path of every member below the prefix."""
        for name in sorted(self._members.keys() | self._odd):
            if name.startswith(self._prefix):
                yield name.removeprefix(self._prefix)

    def _read(self, path: str, limit_bytes: int) -> bytes | None:
        name = self._prefix + path
        if name in self._odd:
            raise EvidenceError("damaged", "no plain file, or twice in the archive")
        read = self._members.get(name)
        if read is None:
            return None
        try:
            data = read(limit_bytes + 1)
        except OSError as error:
            # A member said to lie before the file's beginning; the disk itself fails otherwise.
            if error.errno != errno.EINVAL:
                raise unreadable(Path(path), error) from error
            raise EvidenceError("damaged", f"cannot be unpacked: {error.strerror}") from error
        except _BROKEN as error:
            raise EvidenceError("damaged", f"cannot be unpacked: {error}") from error
        if len(data) > limit_bytes:
            raise EvidenceError("damaged", f"larger than the {limit_bytes} bytes it may have")
        return data


def is_archive(head: bytes) -> bool:
    """Tell from the first 512 bytes of a file whether it is an archive this module reads."""
    at, magic = _TAR_MAGIC
    zipped = head.startswith((b"PK\x03\x04", b"PK\x05\x06"))
    packed = any(head.startswith(start) for start in _PACKERS)
    return zipped or packed or head[at : at + len(magic)] == magic


@contextmanager
def open_archive(path: Path, project: str | None) -> Iterator[ArchiveLog]:
    """Find the exported log in an archive, which stays open for the block.

    Args:
        path: the archive.
        project: which log, by the name of its folder, where there are several.

    Raises:
        RequestError: `not_a_ledger`: no log in it, a broken archive, or too large a one;
            `usage`: several logs and no project.
        UnavailableError: `storage`.
    """
    with ExitStack() as opened:
        try:
            file = opened.enter_context(path.open("rb"))
            head = file.read(512)
            file.seek(0)
            if head.startswith(b"PK"):
                members, odd = _zip_members(opened.enter_context(zipfile.ZipFile(file)))
            else:
                members, odd = _tar_members(file, head, opened)
        except OSError as error:
            # gzip and bzip2 say with an OSError without a number that the data is broken.
            if error.errno is not None:
                raise unreadable(path, error) from error
            raise _broken(path, error) from error
        except _BROKEN as error:
            raise _broken(path, error) from error
        yield ArchiveLog(members, odd, _prefix(path, members, project))


def _broken(path: Path, error: Exception) -> RequestError:
    return RequestError("not_a_ledger", f"{path} is a broken archive: {error}")


def _prefix(path: Path, members: dict[str, Callable[[int], bytes]], project: str | None) -> str:
    found = [
        name.removesuffix(CHECKPOINT)
        for name in members
        if name == CHECKPOINT or name.endswith(f"/{CHECKPOINT}")
    ]
    if project is not None and len(found) > 1:
        found = [prefix for prefix in found if f"/{prefix}".endswith(f"/{project}/")]
    if not found:
        raise RequestError("not_a_ledger", f"{path} holds no exported log: no checkpoint in it")
    if len(found) > 1:
        raise RequestError("usage", f"{path} holds {len(found)} logs; choose one with --project")
    return found[0]


def _zip_members(
    archive: zipfile.ZipFile,
) -> tuple[dict[str, Callable[[int], bytes]], set[str]]:
    members: dict[str, Callable[[int], bytes]] = {}
    odd: set[str] = set()
    infos = archive.infolist()
    _check_count(len(infos))
    for info in infos:
        if not info.is_dir():
            _add(members, odd, info.filename, _zip_reader(archive, info), plain=True)
    return members, odd


def _zip_reader(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Callable[[int], bytes]:
    def read(limit_bytes: int) -> bytes:
        with archive.open(info) as member:
            data = member.read(limit_bytes)
            if len(data) < limit_bytes:
                # The checksum is looked at only when the end of the member is read.
                data += member.read(limit_bytes - len(data))
            return data

    return read


def _tar_members(
    file: BinaryIO, head: bytes, opened: ExitStack
) -> tuple[dict[str, Callable[[int], bytes]], set[str]]:
    for start, unpack in _PACKERS.items():
        if head.startswith(start):
            packed = opened.enter_context(cast("BinaryIO", unpack(file, "rb")))
            whole = cast("BinaryIO", _Bounded(packed, PACKED_MAX_BYTES))
            with tarfile.open(fileobj=whole, mode="r|") as archive:
                return _gather(archive, in_memory=True)
    plain = cast("BinaryIO", _Bounded(file, None))
    archive = opened.enter_context(tarfile.open(fileobj=plain, mode="r:"))  # noqa: SIM115  the stack closes it
    return _gather(archive, in_memory=False)


def _gather(
    archive: tarfile.TarFile, *, in_memory: bool
) -> tuple[dict[str, Callable[[int], bytes]], set[str]]:
    members: dict[str, Callable[[int], bytes]] = {}
    odd: set[str] = set()
    for count, info in enumerate(archive, 1):
        _check_count(count)
        if info.isdir():
            continue
        read = _tar_reader(archive, info)
        if in_memory and info.isreg():
            read = _kept(read(READ_MAX_BYTES))
        _add(members, odd, info.name, read, plain=info.isreg() and not info.issparse())
    return members, odd


def _tar_reader(archive: tarfile.TarFile, info: tarfile.TarInfo) -> Callable[[int], bytes]:
    def read(limit_bytes: int) -> bytes:
        member = archive.extractfile(info)
        return member.read(limit_bytes) if member is not None else b""

    return read


def _kept(data: bytes) -> Callable[[int], bytes]:
    return lambda limit_bytes: data[:limit_bytes]


def _add(
    members: dict[str, Callable[[int], bytes]],
    odd: set[str],
    name: str,
    read: Callable[[int], bytes],
    *,
    plain: bool,
) -> None:
    clean = name.removeprefix("./")
    if clean in members or not plain:
        odd.add(clean)
    members[clean] = read


def _check_count(count: int) -> None:
    if count > MAX_MEMBERS:
        raise RequestError(
            "not_a_ledger", f"the archive has over {MAX_MEMBERS} members; unpack it first"
        )


class _Bounded:
    """A file that gives no more than so many bytes at once, and in all."""

    def __init__(self, file: BinaryIO, total_bytes: int | None) -> None:
        self._file = file
        self._left = total_bytes

    def read(self, size_bytes: int = -1) -> bytes:
        if not 0 <= size_bytes <= READ_MAX_BYTES:
            raise RequestError(
                "not_a_ledger", f"the archive asks for {size_bytes} bytes in one piece"
            )
        data = self._file.read(size_bytes)
        if self._left is not None:
            self._left -= len(data)
            if self._left < 0:
                raise RequestError(
                    "not_a_ledger",
                    f"the archive unpacks to over {PACKED_MAX_BYTES} bytes; unpack it first",
                )
        return data

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()
