"""SQLite's files on the simulated disk: a VFS for apsw that owns every byte.

Reads, writes, syncs, truncates and deletes go to `counterfoil.testing.calls`.  What processes of
one machine share beside the disk is lent by SQLite's own `unix-excl` VFS on an empty file that is
never written: the file locks and the index of the write-ahead log, which it keeps on the heap.
Both go with the last connection, as memory does when the power goes.  So the write-ahead log runs
as it does in the product: one writer and readers beside it, each with a connection of its own.

What the unix VFS does by itself is done here too: the first sync of a write-ahead log through a
connection that may make one makes its name durable, whoever made it, and so does a delete that
SQLite asks to be durable.

What is random in SQLite (the salts of its write-ahead log) comes from the history's seed.

Source: https://sqlite.org/vfs.html; https://rogerbinns.github.io/apsw/vfs.html; os_unix.c.
"""

import atexit
import errno
import random
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import apsw

from counterfoil.testing.calls import Calls
from counterfoil.testing.disk import SECTOR_BYTES, File

NAME = "counterfoil-simulated"
_BASE = "unix-excl"
# What the unix VFS says of ext4 and its like: a torn write damages no byte beside it.
_POWERSAFE_OVERWRITE = apsw.SQLITE_IOCAP_POWERSAFE_OVERWRITE


class SimulatedVfs(apsw.VFS):
    """All simulated files of this program, by process: SQLite sees `/NAME-OF-PROCESS/path`."""

    def __init__(self) -> None:
        super().__init__(NAME, _BASE, makedefault=True)
        self._processes: dict[str, Calls] = {}
        self._random = random.Random(0)  # noqa: S311  repeatable is what it has to be
        self._lent_files: set[Path] = set()
        self._scratch = Path(tempfile.mkdtemp(prefix="counterfoil-simulated-"))
        atexit.register(shutil.rmtree, self._scratch, ignore_errors=True)

    def begin(self, seed: object) -> None:
        """Begin another history: what is random in SQLite is that of this seed."""
        self._processes.clear()
        self._random = random.Random(f"sqlite {seed}")  # noqa: S311  the same
        apsw.randomness(0)  # the next bytes are drawn afresh from xRandomness

    def register(self, calls: Calls) -> None:
        """Let a process open files."""
        self._processes[calls.name] = calls

    def xOpen(self, name: Any, flags: list[int]) -> Any:  # noqa: ANN401, N802  apsw's interface
        """Open a database or a write-ahead log."""
        assert name is not None, "temporary files are kept in memory"
        calls, path = self._split(name if isinstance(name, str) else name.filename())
        file = calls.find(path)
        may_create = bool(flags[0] & apsw.SQLITE_OPEN_CREATE)
        if file is None:
            if not may_create:
                raise apsw.exception_for(apsw.SQLITE_CANTOPEN)
            try:
                file = calls.create(path)
            except OSError as error:
                raise apsw.exception_for(apsw.SQLITE_CANTOPEN) from error
        if flags[0] & apsw.SQLITE_OPEN_MAIN_DB:
            return DatabaseFile(calls, file, path, self._lent(path), flags)
        flags[1] = flags[0]
        return LogFile(calls, file, path, named=not may_create)

    def xAccess(self, name: str, _flags: int) -> bool:  # noqa: N802  apsw's interface
        """Say whether a file stands there."""
        calls, path = self._split(name)
        return calls.find(path) is not None

    def xDelete(self, name: str, sync: bool) -> None:  # noqa: FBT001, N802  apsw's interface
        """Remove a file."""
        calls, path = self._split(name)
        if calls.find(path) is None:
            raise apsw.exception_for(apsw.SQLITE_IOERR_DELETE_NOENT)
        try:
            calls.remove(path)
            if sync:
                calls.sync_parent(path)
        except OSError as error:
            raise apsw.exception_for(apsw.SQLITE_IOERR_DELETE) from error

    def xFullPathname(self, name: str) -> str:  # noqa: N802  apsw's interface
        """Return the name: it is whole."""
        return name

    def xRandomness(self, size_bytes: int) -> bytes:  # noqa: N802  apsw's interface
        """Return bytes of the history's seed."""
        return self._random.randbytes(size_bytes)

    def xSleep(self, microseconds: int) -> int:  # noqa: N802  apsw's interface
        """Pass no time: nobody else moves meanwhile."""
        return microseconds

    def excepthook(self, *_error: object) -> bool:
        """Say nothing of errors SQLite cannot pass on: they were made on purpose."""
        return True

    def _split(self, name: str) -> tuple[Calls, str]:
        _, process, path = name.split("/", 2)
        return self._processes[process], f"/{path}"

    def _lent(self, path: str) -> str:
        """Return the empty file whose locks stand for those of `path`."""
        scratch = self._scratch / path.replace("/", "_")
        if scratch not in self._lent_files:
            scratch.touch()
            self._lent_files.add(scratch)
        return str(scratch)


class _Bytes:
    """The calls of an open file, as SQLite makes them."""

    _calls: Calls
    _file: File
    _path: str

    def xRead(self, amount: int, offset: int) -> bytes:  # noqa: N802  apsw's interface
        """Read; what is missing at the end SQLite fills with zeroes."""
        try:
            return self._calls.read(self._file, self._path, offset, amount)
        except OSError as error:
            raise apsw.exception_for(apsw.SQLITE_IOERR_READ) from error

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802  apsw's interface
        """Write."""
        try:
            self._calls.write(self._file, self._path, offset, bytes(data))
        except OSError as error:
            full = error.errno == errno.ENOSPC
            raise apsw.exception_for(
                apsw.SQLITE_FULL if full else apsw.SQLITE_IOERR_WRITE
            ) from error

    def xTruncate(self, size_bytes: int) -> None:  # noqa: N802  apsw's interface
        """Set the length."""
        try:
            self._calls.truncate(self._file, self._path, size_bytes)
        except OSError as error:
            raise apsw.exception_for(apsw.SQLITE_IOERR_TRUNCATE) from error

    def xSync(self, _flags: int) -> None:  # noqa: N802  apsw's interface
        """Make the bytes durable."""
        try:
            self._sync()
        except OSError as error:
            raise apsw.exception_for(apsw.SQLITE_IOERR_FSYNC) from error

    def xFileSize(self) -> int:  # noqa: N802  apsw's interface
        """Return the length."""
        return len(self._file.cached)

    def xSectorSize(self) -> int:  # noqa: N802  apsw's interface
        """Return how much of the disk is never torn."""
        return SECTOR_BYTES

    def xDeviceCharacteristics(self) -> int:  # noqa: N802  apsw's interface
        """Return what the unix VFS says of a disk."""
        return _POWERSAFE_OVERWRITE

    def excepthook(self, *_error: object) -> bool:
        """Say nothing of errors SQLite cannot pass on: they were made on purpose."""
        return True

    def _sync(self) -> None:
        self._calls.sync(self._file, self._path)


class DatabaseFile(_Bytes, apsw.VFSFile):
    """A database: its bytes are simulated, its locks and shared memory are lent."""

    def __init__(self, calls: Calls, file: File, path: str, lent: str, flags: list[int]) -> None:
        super().__init__(_BASE, lent, flags)
        self._calls = calls
        self._file = file
        self._path = path


class LogFile(_Bytes):
    """A write-ahead log or a rollback journal; it has no locks of its own."""

    def __init__(self, calls: Calls, file: File, path: str, *, named: bool) -> None:
        self._calls = calls
        self._file = file
        self._path = path
        self._named = named

    def xClose(self) -> None:  # noqa: N802  apsw's interface
        """Let go of the file."""

    def xLock(self, _level: int) -> None:  # noqa: N802  apsw's interface
        """Lock nothing: the database's lock stands for it."""

    def xUnlock(self, _level: int) -> None:  # noqa: N802  apsw's interface
        """Likewise."""

    def xCheckReservedLock(self) -> bool:  # noqa: N802  apsw's interface
        """Likewise."""
        return False

    def xFileControl(self, _op: int, _pointer: int) -> bool:  # noqa: N802  apsw's interface
        """Know no controls."""
        return False

    def _sync(self) -> None:
        super()._sync()
        if not self._named:
            self._calls.sync_parent(self._path)
            self._named = True


@cache
def simulated_vfs() -> SimulatedVfs:
    """Return the VFS of this program, registered with SQLite at the first call."""
    return SimulatedVfs()
