"""What operating systems do differently with files: locks, flags, writing at a place.

One function each, so that what is built on them reads the same everywhere.  POSIX has flock(2),
which ends with the process however it ends; Windows has locks on ranges of a file, which do too.
"""

import importlib
import os
from typing import Any, Final

try:
    import fcntl
except ImportError:
    # Windows.  Looked up by name: type checkers elsewhere know nothing of it.
    _ranges: Any = importlib.import_module("msvcrt")
else:
    _ranges = None

# Set at opening: not handed to child processes, bytes as they are.  0 where a system has none.
OPEN_FLAGS: Final[int] = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
# Links and pipes are not followed or waited for, where a system can be told.
OPEN_PLAIN: Final[int] = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)

# Windows gives no open file another name, and a lock goes with the open file.
RENAMES_OPEN_FILES: Final[bool] = _ranges is None

# Beyond everything that is ever written: a range that is locked takes no reads on Windows.
_LOCKED_BYTE: Final = 2**31 - 2


def try_lock(file: int, *, shared: bool = False) -> bool:
    """Take the lock on an open file, without waiting; say whether it was free.

    It goes with the descriptor and with the process.

    Args:
        file: a descriptor; its position may be lost.
        shared: together with others who take it so.  Where a system has no such lock, alone.
    """
    if _ranges is None:
        try:
            fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
    os.lseek(file, _LOCKED_BYTE, os.SEEK_SET)
    try:
        _ranges.locking(file, _ranges.LK_NBLCK, 1)
    except OSError:
        return False
    return True


def unlock(file: int) -> None:
    """Let go of the lock on an open file; its position may be lost."""
    if _ranges is None:
        fcntl.flock(file, fcntl.LOCK_UN)
        return
    os.lseek(file, _LOCKED_BYTE, os.SEEK_SET)
    _ranges.locking(file, _ranges.LK_UNLCK, 1)


def write_at(file: int, data: bytes, offset: int) -> int:
    """Write at a place, whatever the position of the descriptor; return how much was written.

    The caller lets nobody else write to `file` meanwhile.
    """
    if hasattr(os, "pwrite"):
        return os.pwrite(file, data, offset)
    os.lseek(file, offset, os.SEEK_SET)
    return os.write(file, data)


def write_whole(path: str | os.PathLike[str], data: bytes, *, sync: bool = True) -> None:
    """Write a file, whole or not at all, for its owner alone.

    A crash leaves what stood there before, and perhaps a part beside it whose name begins with ".".

    Args:
        path: the file; its folder is there.
        data: all of it.
        sync: return when it is on the disk; without, a machine that goes down may leave it empty.
    """
    # os.path, because programs that stand in front of every command do not wait for pathlib.
    folder, name = os.path.split(path)
    part = os.path.join(folder, f".{name}.{os.getpid()}")  # noqa: PTH118  light
    file = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | OPEN_FLAGS, 0o600)
    with os.fdopen(file, "wb") as written:
        written.write(data)
        if sync:
            written.flush()
            os.fsync(file)
    os.replace(part, path)  # noqa: PTH105  light


def sync_data(file: int) -> None:
    """Return when what was written is on the disk."""
    if hasattr(os, "fdatasync"):
        os.fdatasync(file)
    else:
        os.fsync(file)


def reserve(file: int, size_bytes: int) -> None:
    """Make the disk keep so much room for a file."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file, 0, size_bytes)
    else:
        os.write(file, bytes(size_bytes))
