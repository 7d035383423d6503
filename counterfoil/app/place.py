"""Where a ledger stands: what must hold of its directory before anything is written in it.

One directory is one ledger, whatever it is called: it may be reached by a link, and inside it
nothing is one.  A link or a second name of `ledger.db` would give two directories, with two
locks, one database: two writers, two histories.  What opens entries or signs them is its owner's
alone, and nothing is anybody's to change but its owner's.

What is looked at is what could be written through: every file by a fixed name, the folders that
files are put in, the checkpoints.  Tiles and blobs are not, one by one: they are never written
again, and whoever reads one checks it against the log.

The bits of the modes are looked at, not what we may do: root may read everything, and a key that
others can read is no secret because root runs the server.  Verifying asks none of this.

Source: docs/how-to/files.md; docs/adr/0030.
"""

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from counterfoil.app.config import FILE_NAME, read_config
from counterfoil.app.serving import holder
from counterfoil.errors import RequestError, UnavailableError
from counterfoil.stores.mounts import shared_mount

LOCK: Final = "lock"
ERASING_LOCK: Final = "erasing.lock"
"""Held by who copies and who erases: `app/erasing_lock.py`."""
_DATABASES: Final = ("ledger.db", "erasable.db", "state.db", "views.db", "aggregate.db")
_BESIDE: Final = ("", "-wal", "-shm")
_FOLDERS: Final = ("blobs", "damaged", "public", "spool", "timestamps")
_VERSION: Final = "version"
_ASIDE: Final = ".writing"
"""Where files are made before they are renamed; it is emptied, whatever is in it."""
_OF_THE_DISK: Final = "lost+found"
"""Root's, in every folder that a disk is mounted at."""
_SECRET: Final = frozenset({"erasable.db", "state.db"})
"""Databases with secrets in them: the keys of events and people, secrets of webhooks."""
_OTHERS: Final = 0o077
_CHANGED_BY_OTHERS: Final = 0o022


def real_place(directory: Path) -> Path:
    """Return the directory itself, whatever links lead to it, once it is fit for a ledger.

    Args:
        directory: an existing ledger.

    Raises:
        RequestError: `unsafe_access`: an owner, a mode or a link lets others in;
            `network_storage`; `config_invalid`.

    Cost: some 90 calls of the system, some 10 more for each project, one for each folder of blobs
    (256 at most), two for each repair; none for an event, a tile or a blob.
    """
    real = directory.resolve(strict=True)
    check_mount(real)
    check_file(real, is_secret=False)
    for path, is_secret in _inside(real):
        refuse_link(path)
        check_file(path, is_secret=is_secret)
    for path in _in_folders(real):
        _check_entry(path)
    # By name alone: what is no more than a way around (`../keys`) lies outside.
    keys = Path(os.path.normpath(real / read_config(real).keys.directory))
    mounted = not keys.is_relative_to(real)
    if not mounted:
        refuse_link(keys)
    check_file(keys, is_secret=False, mounted=mounted)
    files = [*keys.glob("*.key"), *keys.glob("*.vkey"), *keys.glob("*.vkeys.old")]
    for path in (keys / _ASIDE, *sorted(files)):
        # Outside of the ledger keys may be links: that is how secrets are mounted in containers.
        if not mounted:
            refuse_link(path)
        check_file(path, is_secret=path.suffix == ".key", mounted=mounted)
    return real


def check_mount(directory: Path) -> None:
    """Refuse a directory that other machines may have mounted too.

    Args:
        directory: absolute, with no link in it; it may be about to be made.

    Raises:
        RequestError: `network_storage`.
    """
    mount = shared_mount(directory)
    if mount is not None:
        raise RequestError(
            "network_storage",
            f"{directory} lies on {mount.kind}, mounted at {mount.point}: databases and locks do"
            " not hold there; keep the ledger on a disk of this machine",
        )


def take_lock(directory: Path) -> int:
    """Take DIR/lock for this process; the kernel gives it back however we end.

    Raises:
        UnavailableError: `locked`, with who holds it.
    """
    import fcntl  # noqa: PLC0415  a witness's commands are there where it is not

    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    lock = os.open(directory / LOCK, flags, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Who holds it, for those it is refused to; on a full disk they have to do without.
        with contextlib.suppress(OSError):
            os.ftruncate(lock, 0)
            os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
    except BlockingIOError as error:
        who = holder(directory, os.pread(lock, 20, 0))
        os.close(lock)
        raise UnavailableError(
            "locked", f"{who} owns {directory}; stop it, or talk to it with --url"
        ) from error
    except BaseException:
        os.close(lock)
        raise
    # An address left behind by a killed server is nobody's: clients would send it the token.
    (directory / "server.json").unlink(missing_ok=True)
    return lock


def _inside(directory: Path) -> Iterator[tuple[Path, bool]]:
    """Yield what may stand in a ledger, and whether it is its owner's alone."""
    for name in _DATABASES:
        for suffix in _BESIDE:
            yield directory / f"{name}{suffix}", name in _SECRET
    yield directory / "admin.token", True
    for name in (FILE_NAME, LOCK, ERASING_LOCK, _VERSION, *_FOLDERS):
        yield directory / name, False


def _in_folders(directory: Path) -> Iterator[Path]:
    """Yield what may stand in the folders of a ledger, each folder before what is in it."""
    yield directory / "timestamps" / _ASIDE
    yield from _entries(directory / "blobs")
    for exported in _entries(directory / "public"):
        yield exported
        yield exported / "checkpoint"
        yield exported / "tile"
        yield from _entries(exported / "tile")
    for repair in _entries(directory / "damaged"):
        yield repair
        yield repair / "repair.json"


def _entries(folder: Path) -> list[Path]:
    """Return what is in a folder that was looked at itself; nothing in what is none."""
    try:
        return sorted(path for path in folder.iterdir() if path.name != _OF_THE_DISK)
    except (FileNotFoundError, NotADirectoryError):
        return []


def _check_entry(path: Path) -> None:
    """Refuse a link, what belongs to somebody else, what others may change.

    A second name is fine: what is put in folders is put there whole and never written again, and
    copies that share such files are how backups are made.
    """
    try:
        found = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return
    _refuse_link(path, found)
    _refuse_others(path, found, is_secret=False)


def refuse_link(path: Path) -> None:
    """Refuse a link, or a file of several names; what is absent is fine.

    Raises:
        RequestError: `unsafe_access`.
    """
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    _refuse_link(path, found)
    if stat.S_ISREG(found.st_mode) and found.st_nlink > 1:
        raise RequestError(
            "unsafe_access",
            f"{path} has {found.st_nlink} names: by another one a second server could write it;"
            " copy it, and put the copy in its place",
        )


def _refuse_link(path: Path, found: os.stat_result) -> None:
    if stat.S_ISLNK(found.st_mode):
        raise RequestError(
            "unsafe_access",
            f"{path} is a link: nothing in a ledger is one, or two directories could be one ledger;"
            " put the file itself there, or mount its folder there",
        )


def check_file(path: Path, *, is_secret: bool, mounted: bool = False) -> None:
    """Refuse what belongs to somebody else, or is open to others; what is absent is fine.

    Args:
        path: a file or folder.
        is_secret: whether a file may not be read by others either.
        mounted: whether it may be put here by root, for a group of ours to read: as containers
            are given their secrets.

    Raises:
        RequestError: `unsafe_access`.
    """
    try:
        found = path.stat()
    except FileNotFoundError:
        return
    _refuse_others(path, found, is_secret=is_secret, mounted=mounted)


def _refuse_others(
    path: Path, found: os.stat_result, *, is_secret: bool, mounted: bool = False
) -> None:
    if found.st_uid != os.geteuid() and not (mounted and found.st_uid == 0):
        raise RequestError(
            "unsafe_access",
            f"{path} belongs to user {found.st_uid}, and this runs as user {os.geteuid()}: run it"
            f" as that user, or give all of the ledger to this one: chown -R {os.geteuid()}",
        )
    mode = stat.S_IMODE(found.st_mode)
    ours = mounted and found.st_gid in {os.getegid(), *os.getgroups()}
    others = _OTHERS & ~stat.S_IRGRP if ours else _OTHERS
    if is_secret and stat.S_ISREG(found.st_mode) and mode & others:
        raise RequestError(
            "unsafe_access",
            f"{path} is open to others (mode {mode:04o}), and what it holds is secret; run:"
            f" chmod 600 {path}; if others were there, think of it as known to them",
        )
    if mode & _CHANGED_BY_OTHERS:
        raise RequestError(
            "unsafe_access",
            f"{path} may be changed by others (mode {mode:04o}); run: chmod go-w {path}",
        )
