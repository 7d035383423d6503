"""Where backups go: a folder of generations, each whole or absent.

    DEST/STAMP/      one generation: manifest and files
    DEST/.writing/   one that is being taken, or was cut off; the next backup clears it
    DEST/lock        held by who takes one

What must hold: a generation has its name once every byte and every name in it is durable, so one
that was cut off is never taken for a whole one; a generation loses its manifest before it loses
anything else.  The folder is its owner's alone: what lies in it is a ledger.

Source: docs/adr/0034.
"""

import contextlib
import datetime
import fcntl
import os
import re
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from counterfoil.app.backup_manifest import DIGEST
from counterfoil.clock import format_time
from counterfoil.errors import RequestError, UnavailableError
from counterfoil.stores.file_system import make_directory_durably, sync_directory
from counterfoil.stores.files import os_errors_translated

STAMP: Final = re.compile(r"[0-9]{8}T[0-9]{9}Z")
KEYS_SUFFIX: Final = ".keys"
_ASIDE: Final = ".writing"
_LOCK: Final = "lock"
_OTHERS: Final = 0o077
_ZEROES: Final = bytes(1 << 20)


def stamp_of(moment: datetime.datetime) -> str:
    """Return the name of a backup taken at a moment; names sort like moments do.

    >>> stamp_of(datetime.datetime(2026, 11, 20, 12, tzinfo=datetime.UTC))
    '20261120T120000000Z'
    """
    return format_time(moment).translate(str.maketrans("", "", "-:."))


def moment_of(stamp: str) -> datetime.datetime:
    """Return when a backup of that name was taken.

    >>> moment_of("20261120T120000007Z").isoformat()
    '2026-11-20T12:00:00.007000+00:00'
    """
    read = datetime.datetime.strptime(stamp[:15] + "+0000", "%Y%m%dT%H%M%S%z")
    return read + datetime.timedelta(milliseconds=int(stamp[15:18]))


def generations(destination: Path) -> list[Path]:
    """Return the generations that are there, the latest last; those without manifest are none.

    Raises:
        UnavailableError: `storage`, `read_only`.
    """
    with os_errors_translated(destination):
        if not destination.is_dir():
            return []
        found = sorted(one for one in destination.iterdir() if STAMP.fullmatch(one.name))
        return [one for one in found if (one / DIGEST).is_file()]


def keys_place(destination: Path) -> Path:
    """Return where the short-lived half goes unless somebody says otherwise: beside the other."""
    return destination.with_name(f"{destination.name}{KEYS_SUFFIX}")


def prepare_place(destination: Path, ledger: Path) -> Path:
    """Make a destination, or look at the one that stands; return it by its own name.

    Args:
        destination: absent, or a folder.
        ledger: the directory that is backed up.

    Raises:
        RequestError: `usage`: it is no folder, or one of the two lies in the other;
            `unsafe_access`: it is open to others, or somebody else's.
        UnavailableError: `storage`, `read_only`.
    """
    with os_errors_translated(destination):
        real, ledger = destination.resolve(), ledger.resolve()
        if real.is_relative_to(ledger) or ledger.is_relative_to(real):
            raise RequestError(
                "usage",
                f"{destination} and {ledger} lie in each other: what takes the one takes the"
                " backup with it; name a folder elsewhere",
            )
        if real.exists() and not real.is_dir():
            raise RequestError("usage", f"{destination} is no folder; name one, or none yet")
        make_directory_durably(real)
        found = real.stat()
        mode = stat.S_IMODE(found.st_mode)
        if found.st_uid != os.geteuid():
            raise RequestError(
                "unsafe_access",
                f"{real} belongs to user {found.st_uid}, and this runs as user {os.geteuid()}:"
                " run it as that user, or name another folder",
            )
        if mode & _OTHERS:
            raise RequestError(
                "unsafe_access",
                f"{real} is open to others (mode {mode:04o}), and a backup is a whole ledger;"
                f" run: chmod 700 {real}",
            )
    return real


@contextmanager
def held(destination: Path) -> Iterator[None]:
    """Be the only one who takes backups to a destination.

    Raises:
        UnavailableError: `locked`.
    """
    with os_errors_translated(destination):
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        lock = os.open(destination / _LOCK, flags, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UnavailableError(
                "locked", f"another backup to {destination} is under way; try again when it is done"
            ) from error
        yield
    finally:
        os.close(lock)


@contextmanager
def written_aside(destination: Path, stamp: str) -> Iterator[Path]:
    """Lend an empty folder; after the block it is the generation of that name, durably.

    If the block fails, or we crash in it, there is no generation of that name, and those before
    stay as they are.

    Raises:
        UnavailableError: `storage`, `read_only`.
    """
    aside, named = destination / _ASIDE, destination / stamp
    with os_errors_translated(destination):
        _remove_cut(destination)
        aside.mkdir(mode=0o700)
        try:
            yield aside
            for folder, _, _ in os.walk(aside):
                sync_directory(Path(folder))
            aside.rename(named)
        except BaseException:
            shutil.rmtree(aside, ignore_errors=True)
            raise
        sync_directory(destination)


def remove_generation(folder: Path, *, overwrite: bool = False) -> None:
    """Remove a generation.

    Args:
        folder: the generation.
        overwrite: write zeroes over its files first, as far as a disk keeps to its places.

    If we crash in it, what is left has no manifest, and the next backup removes it.
    """
    with os_errors_translated(folder):
        (folder / DIGEST).unlink(missing_ok=True)
        sync_directory(folder)
        if overwrite:
            for path in folder.rglob("*"):
                if path.is_file() and not path.is_symlink():
                    _overwrite(path)
        shutil.rmtree(folder)
        sync_directory(folder.parent)


def free_bytes(destination: Path) -> int:
    """Return how much may still be written to the disk of a folder."""
    with os_errors_translated(destination):
        return shutil.disk_usage(destination).free


def _remove_cut(destination: Path) -> None:
    """Remove what an earlier backup, or an earlier removal, did not come to finish."""
    shutil.rmtree(destination / _ASIDE, ignore_errors=True)
    for one in destination.iterdir():
        if STAMP.fullmatch(one.name) and not (one / DIGEST).exists():
            with contextlib.suppress(NotADirectoryError):
                shutil.rmtree(one)


def _overwrite(path: Path) -> None:
    with path.open("r+b") as file:
        left = os.fstat(file.fileno()).st_size
        while left:
            left -= file.write(_ZEROES[:left])
        file.flush()
        os.fsync(file.fileno())
