"""DIR/erasing.lock: nothing is erased while a backup copies, and no backup copies while something is.

A backup reads entries, keys and blobs one after the other.  If an erasure fell in between, it would
hold an entry whose key is gone and no event that says why: that reads as an unlogged absence.  So
whoever copies holds the lock shared, and whoever destroys holds it exclusively.  The kernel gives
it back however a process ends, and each asks before it changes anything: a refusal loses nothing.

Source: docs/adr/0034; flock(2).
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from counterfoil.app.place import ERASING_LOCK
from counterfoil.errors import UnavailableError
from counterfoil.stores.files import os_errors_translated

WAIT_S: Final = 10.0
"""An erasure takes moments, a backup may take minutes: who waits longer than this asks again."""

_ASK_EVERY_S: Final = 0.05


@contextmanager
def copying(directory: Path, *, wait_s: float = WAIT_S) -> Iterator[None]:
    """Hold erasures back while a block copies a ledger; several may copy at once.

    Args:
        directory: of the ledger.
        wait_s: how long to wait for an erasure that is under way.

    Raises:
        UnavailableError: `locked`: something is being erased; `read_only`, `storage`.
    """
    with _held(directory, fcntl.LOCK_SH, wait_s, "something is being erased"):
        yield


@contextmanager
def erasing(directory: Path, *, wait_s: float = WAIT_S) -> Iterator[None]:
    """Hold backups back while a block destroys what a ledger holds; one at a time.

    Take it before the intent is recorded: then who is refused can ask again, and nothing happened.

    Args:
        directory: of the ledger.
        wait_s: how long to wait for a backup that is under way.

    Raises:
        UnavailableError: `locked`: a backup is being taken; `read_only`, `storage`.
    """
    with _held(directory, fcntl.LOCK_EX, wait_s, "a backup is being taken"):
        yield


@contextmanager
def _held(directory: Path, operation: int, wait_s: float, why_not: str) -> Iterator[None]:
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    with os_errors_translated(directory / ERASING_LOCK):
        lock = os.open(directory / ERASING_LOCK, flags, 0o600)
    try:
        until_s = time.monotonic() + wait_s
        while not _taken(lock, operation, directory):
            if time.monotonic() >= until_s:
                raise UnavailableError(
                    "locked", f"{directory}: {why_not} at this moment; try again when it is done"
                )
            time.sleep(_ASK_EVERY_S)
        yield
    finally:
        os.close(lock)


def _taken(lock: int, operation: int, directory: Path) -> bool:
    with os_errors_translated(directory / ERASING_LOCK):
        try:
            fcntl.flock(lock, operation | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True
